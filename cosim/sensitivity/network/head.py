"""The digital end of a network and the way back through it: pooling over time, hidden layers, readout."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cosim.network import DenseLayer, Network
from cosim.training.gradients import Packing
from netlists.function import get_activation

Back = Callable[[np.ndarray], np.ndarray]


def pooled(
    outputs: list[np.ndarray], packing: Packing, pooling: str
) -> tuple[np.ndarray, Callable[[np.ndarray], list[np.ndarray]]]:
    """What is read of the top layer's outputs (total, n_out) of each direction, and the way back of its gradient.

    Parameters
    ----------
    pooling : one of `cosim.network.POOLINGS`
    """
    last, first = packing.last_rows, np.arange(packing.sequences)
    if pooling in ("h_n", "last"):
        # The backward direction ends at the first step.
        rows = [last, first if pooling == "h_n" else last][: len(outputs)]

        def to_rows(d: np.ndarray) -> list[np.ndarray]:
            back = [np.zeros_like(o) for o in outputs]
            for b, r, part in zip(back, rows, np.split(d, len(outputs), axis=1), strict=True):
                b[r] = part
            return back

        return np.concatenate([o[r] for o, r in zip(outputs, rows, strict=True)], axis=1), to_rows
    every = np.concatenate(outputs, axis=1)
    of = np.concatenate([first[:n] for n in packing.active])
    count = np.bincount(of)[:, None]
    out = np.full((packing.sequences, every.shape[1]), 0.0 if pooling == "mean" else -np.inf)
    (np.add if pooling == "mean" else np.maximum).at(out, of, every)

    def to_all(d: np.ndarray) -> list[np.ndarray]:
        # A largest value that two steps have is the first's.
        share = (d / count)[of] if pooling == "mean" else d[of] * _first_largest(every, out, of)
        return np.split(share, len(outputs), axis=1)

    return (out / count if pooling == "mean" else out), to_all


def _first_largest(every: np.ndarray, largest: np.ndarray, of: np.ndarray) -> np.ndarray:
    taken, hit = np.zeros(largest.shape, bool), np.zeros(every.shape, bool)
    for row, (values, sequence) in enumerate(zip(every, of.tolist(), strict=True)):
        hit[row] = (values == largest[sequence]) & ~taken[sequence]
        taken[sequence] |= hit[row]
    return hit


def read(network: Network, x: np.ndarray) -> tuple[np.ndarray, Back]:
    """Scores (sequences, classes) of what is read of the top layer, and the way back of their gradient."""
    ways: list[Back] = []
    for layer in network.hidden:
        slope = _slope(layer, x @ layer.weights[:-1] + layer.weights[-1])
        ways.append(lambda d, s=slope, w=layer.weights[:-1]: (d * s) @ w.T)  # type: ignore[misc]
        x = layer.apply(x)

    def back(d: np.ndarray) -> np.ndarray:
        d = d @ network.readout[:-1].T
        for way in reversed(ways):
            d = way(d)
        return d

    return x @ network.readout[:-1] + network.readout[-1], back


def _slope(layer: DenseLayer, z: np.ndarray) -> np.ndarray:
    # As `cosim.network.head.dense_function` has them: its ReLU has no upper end.
    ends = {"linear": (1.0, 1.0), "relu": (0.0, 1.0), "leaky-relu": (0.01, 1.0)}
    if layer.activation in ends:
        below, above = ends[layer.activation]
        return np.where(z > 0, above, below)
    return get_activation(layer.activation).slope(z)
