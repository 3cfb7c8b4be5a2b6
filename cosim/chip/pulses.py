"""Inputs and states as pulse widths: rounded to the codes that `netlists.array.pwm` turns into pulses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cosim.network import Network
from cosim.tasks import CharacterTask, SequenceSet, Task
from netlists.array import Pwm
from netlists.checks import Positive, PwmBits, checked
from netlists.errors import InputError


@checked
@dataclass(frozen=True)
class PwmInputs:
    """Resolution and full scale of the crossbar's inputs.

    Attributes
    ----------
    bits : int or None
        Of an input or a state, sign included; None: pulses of any width, neither rounded nor clipped.
    input_range : float or None
        Magnitude of a network input that takes the longest pulse; larger ones are clipped, and counted: `saturation`. Assumption:
        4, four standard deviations of features scaled to a deviation of 1. None: the largest of the training data, `fitted`.
    state_range : float or None
        The same for states and for the outputs of a layer below; None takes the cell's own largest output.
    """

    bits: PwmBits | None = 5
    input_range: Positive | None = 4.0
    state_range: Positive | None = None

    @property
    def max_code(self) -> int:
        """Largest code; 0 for pulses of any width."""
        return 0 if self.bits is None else Pwm(n_in=self.bits).max_code

    @property
    def full_input(self) -> float:
        """The input range; `InputError` if it was left to training data that nobody gave."""
        if self.input_range is None:
            raise InputError("input_range=None: is that of training data, which is not here; give a number, or a task to `compare`")
        return self.input_range

    def fitted(self, network: Network, task: Task | CharacterTask) -> PwmInputs:
        """The same with the input range that the training data of a task fill, if it was left to them."""
        if self.input_range is not None:
            return self
        if isinstance(task, Task):
            return replace(self, input_range=float(np.abs(_driven(network, task.training)).max()) or 1.0)
        return replace(self, input_range=float(np.abs(_symbols(network)).max()) or 1.0)

    def quantize(self, values: np.ndarray, full_scale: float) -> np.ndarray:
        """Values that the nearest codes stand for, type kept: the rule of `netlists.array.pwm.Pwm.encode`."""
        if self.bits is None:
            return values
        codes = np.clip(np.rint(values * (self.max_code / full_scale)), -self.max_code, self.max_code)
        return codes * values.dtype.type(full_scale / self.max_code)


@dataclass(frozen=True)
class Saturation:
    """Inputs beyond the range of the pulse widths.

    Attributes
    ----------
    share : float
        Of all inputs; they are clipped.
    largest : float
        Largest magnitude.
    input_range : float
    """

    share: float
    largest: float
    input_range: float

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"share": self.share, "largest": self.largest, "input_range": self.input_range}

    @property
    def warnings(self) -> tuple[str, ...]:
        """That inputs are clipped, if some are."""
        if not self.share:
            return ()
        return (
            f"input_range={self.input_range:g}: {100 * self.share:.2g} % of the inputs are beyond it and clipped, up to "
            f"{self.largest:g}; what that costs is no fault of the hardware: scale the inputs, or take an input range that fits",
        )


def saturation(network: Network, data: SequenceSet | CharacterTask, pwm: PwmInputs | None) -> Saturation | None:
    """How many inputs of sequences, or numbers that stand for symbols, pulse widths clip; None where nothing is clipped."""
    if pwm is None or pwm.bits is None:
        return None
    x = np.abs(_symbols(network) if isinstance(data, CharacterTask) else _driven(network, data))
    return Saturation(float(np.mean(x > pwm.full_input)), float(x.max()), pwm.full_input)


def _driven(network: Network, sequences: SequenceSet) -> np.ndarray:
    """What drives the first layer's rows at every step of every sequence, (steps, features)."""
    valid = np.arange(sequences.inputs.shape[1]) < sequences.lengths[:, None]
    return network.rows(sequences.inputs[valid])


def _symbols(network: Network) -> np.ndarray:
    if network.embedding is None:
        raise InputError("network: has no embedding; a network that reads a text needs one")
    return network.embedding
