"""The digital parts of a network on both sides of its layers: scaling of the inputs, pooling over time, hidden readout layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Protocol

import numpy as np

from netlists.check_rules import Array, Choice
from netlists.checks import checked
from netlists.errors import InputError
from netlists.function import get_activation

from .cells import Weights

POOLINGS = ("h_n", "last", "mean", "max")
"""What of the top layer's outputs is read: the state after each direction's own last step, the outputs at the sequence's last step
(which is the first step of the backward direction), or their mean or largest value over the steps."""

DENSE = ("linear", "relu", "leaky-relu", "tanh", "sigmoid", "elu", "selu", "softplus", "softsign", "gelu", "silu", "mish")

Features = Annotated[np.ndarray, Array(("features",))]


class DirectionRun(Protocol):
    """Outputs of all steps (steps, n_out, lanes) of one direction, and those after its last step (n_out, lanes)."""

    @property
    def outputs(self) -> np.ndarray: ...
    @property
    def last(self) -> np.ndarray: ...


@checked
@dataclass(frozen=True, eq=False)
class Scaling:
    """What is done to each feature before it drives a row: ``(x - offset) * gain``.

    Attributes
    ----------
    offset, gain : ndarray (features,)
    said : str
        As forward writes it, if a file's own numbers are taken; it is not kept with a network.
    """

    offset: Features
    gain: Features
    said: str = ""

    def __post_init__(self) -> None:
        if len(self.offset) != len(self.gain):
            raise InputError(f"scaling: offset has {len(self.offset)} features, gain has {len(self.gain)}")

    def apply(self, x: np.ndarray) -> np.ndarray:
        """Scaled inputs (..., features)."""
        return (x - self.offset) * self.gain


@checked
@dataclass(frozen=True, eq=False)
class DenseLayer:
    """A hidden layer between the pooled outputs and the readout; digital and exact.

    Attributes
    ----------
    weights : ndarray (n_in + 1, n_out)
        Rows [inputs; bias].
    activation : str
    """

    weights: Weights
    activation: Annotated[str, Choice(DENSE)]

    def apply(self, x: np.ndarray) -> np.ndarray:
        """Outputs (rows, n_out) of inputs (rows, n_in)."""
        return dense_function(self.activation)(x @ self.weights[:-1] + self.weights[-1])


def dense_function(name: str) -> Callable[[np.ndarray], np.ndarray]:
    """The activation of a dense layer. Its ReLU has no upper end, unlike the one that a ramp covers."""
    own: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "linear": lambda x: x,
        "relu": lambda x: np.maximum(x, 0.0),
        "leaky-relu": lambda x: np.where(x > 0, x, 0.01 * x),
    }
    return own.get(name) or get_activation(name).value


def pool(parts: Sequence[DirectionRun], active: np.ndarray | Sequence[int], pooling: str) -> np.ndarray:
    """What is read of the top layer, both directions one below the other, shape (features, lanes).

    Parameters
    ----------
    parts : the layer's directions
    active : sequence of int (steps,)
        Sequences that run at each step, not increasing.
    pooling : one of `POOLINGS`
    """
    if pooling == "h_n" or (pooling == "last" and len(parts) == 1):
        return np.concatenate([p.last for p in parts])
    outputs = parts[0].outputs if len(parts) == 1 else np.concatenate([p.outputs for p in parts], axis=1)
    if pooling == "last":
        out = np.zeros_like(outputs[0])
        for t, n in enumerate(active):
            out[:, :n] = outputs[t, :, :n]
        return out
    out = np.array(outputs[0])
    lengths = np.zeros(out.shape[1], out.dtype)
    lengths[: active[0]] = 1
    for t in range(1, len(active)):
        n = int(active[t])
        lengths[:n] += 1
        if pooling == "mean":
            out[:, :n] += outputs[t, :, :n]
        else:
            np.maximum(out[:, :n], outputs[t, :, :n], out=out[:, :n])
    return out / np.maximum(lengths, 1) if pooling == "mean" else out
