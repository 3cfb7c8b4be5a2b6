"""Inputs and states as pulses on rows: rounded to the codes that `netlists.array.pwm` turns into pulses, driven, counted."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Annotated, Any

import numpy as np

from cosim.network import Network
from cosim.tasks import CharacterTask, SequenceSet, Task
from netlists.array import Pwm
from netlists.checks import NonNegative, Number, Positive, PwmBits, Share, checked
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

    def first(self, network: Network, values: np.ndarray) -> np.ndarray:
        """Network inputs rounded as they drive rows; as they are where a network has formats, whose parts may have ranges apart."""
        return values if network.formats else self.quantize(values, self.full_input)

    def quantize(self, values: np.ndarray, full_scale: float) -> np.ndarray:
        """Values that the nearest codes stand for, type kept: the rule of `netlists.array.pwm.Pwm.encode`."""
        if self.bits is None:
            return values
        codes = np.clip(np.rint(values * (self.max_code / full_scale)), -self.max_code, self.max_code)
        return codes * values.dtype.type(full_scale / self.max_code)


@checked
@dataclass(frozen=True)
class DeltaInputs:
    """When a row is driven: only when its input has changed by more than a threshold since it was last driven.

    The rule of delta networks (Neil et al., arXiv 1612.05571): a row remembers the value that it last stood for; a pulse of the
    difference brings the column's charge up to date. The sums are those of the remembered values. It asks of the circuit that the
    integrators keep their charge from one step to the next, without leak and without an offset that they integrate (assumption):
    what noise a pulse leaves stays, too.

    Attributes
    ----------
    threshold : float
        Of inputs, in their units: a row is driven when it has changed by more. 0: whenever it has changed at all.
    state_threshold : float or None
        The same for states and for the outputs of a layer below; None: as for inputs. Public code of the method's authors takes
        0 to 64/256 for both.
    """

    threshold: NonNegative = 0.0
    state_threshold: NonNegative | None = None

    def of(self, part: str, layer: int = 0) -> float:
        """The threshold of a matrix's part in a layer: inputs of the network, or states."""
        return self.threshold if (part == "x" and layer == 0) or self.state_threshold is None else self.state_threshold

    def within(self, part: str, layer: int, full_scale: float, max_code: int) -> float:
        """The threshold of a part whose rows carry codes, halfway between two of them: rounding decides of no pulse."""
        step = full_scale / max_code
        return (math.floor(self.of(part, layer) / step * (1 + 1e-9)) + 0.5) * step


def keep_rows(values: np.ndarray, held: np.ndarray, threshold: float) -> np.ndarray:
    """Drives the rows that have changed: ``held`` takes their values in place; returns the pulses' differences.

    Parameters
    ----------
    values, held : ndarray (rows, lanes)
    """
    difference = values - held
    driven = np.abs(difference) > threshold
    difference[~driven] = 0.0
    np.copyto(held, values, where=driven)
    return difference


@checked
@dataclass(frozen=True)
class RowPulses:
    """What drives the rows of a matrix at a step, on average.

    Attributes
    ----------
    driven : float
        Part of the rows that are driven at all.
    width : float
        Mean pulse of all rows, as a part of the longest pulse of an input; differences reach twice that.
    delta : bool
        Whether pulses are differences from what a row was last driven with.
    weight : float or None
        Mean magnitude of the weights that the pulses meet, weighed by them, as a part of the one that takes the whole conductance
        range, 0 where no weight is; None: that of all crossings.
    filled : float or None
        Part of the crossings that have cells, weighed by the pulses; None: that of all rows alike.
    longest : float or None
        Mean longest pulse of a step, as a part of the longest of an input; None: steps wait for the longest that there could be.
    """

    driven: Share
    width: Annotated[float, Number(0, 2)]
    delta: bool = False
    weight: NonNegative | None = None
    longest: NonNegative | None = None
    filled: Share | None = None


@dataclass
class PulseCount:
    """Pulses on the rows of every matrix, added up while sequences run.

    Attributes
    ----------
    tallies : dict of (matrix, part) to list of float
        Rows times steps, those that were driven, and the sum of their pulses. Matrices are named ``layer.direction.matrix``.
    """

    tallies: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def add(self, matrix: str, part: str, pulses: np.ndarray, full_scale: float) -> None:
        """Counts the pulses (rows, sequences) of a step."""
        found = (float(pulses.size), float(np.count_nonzero(pulses)), float(np.abs(pulses).sum(dtype=np.float64)) / full_scale)
        with self._lock:
            tally = self.tallies.setdefault((matrix, part), [0.0, 0.0, 0.0])
            for i, value in enumerate(found):
                tally[i] += value

    def shares(self) -> list[dict[str, str | float]]:
        """For each matrix and part: the share of rows driven at a step, and the mean pulse as a part of the longest."""
        return [
            {"matrix": matrix, "part": part, "driven": driven / total, "width": width / total}
            for (matrix, part), (total, driven, width) in self.tallies.items()
        ]

    def beside(self, other: PulseCount) -> list[dict[str, str | float]]:
        """`shares` with those of ``other`` as ``driven_before`` and ``width_before``."""
        known = {(s["matrix"], s["part"]): s for s in other.shares()}
        return [s | {f"{n}_before": known[s["matrix"], s["part"]][n] for n in ("driven", "width")} for s in self.shares()]

    def of(self, matrix: str, *, delta: bool, bias_rows: int = 1) -> RowPulses:
        """All rows of a matrix together, its bias included, which drives so many of them."""
        parts = [(bias_rows if part == "bias" else 1, t) for (m, part), t in self.tallies.items() if m == matrix]
        total, driven, width = np.sum([np.multiply(n, t) for n, t in parts], axis=0)
        return RowPulses(float(driven / total), float(width / total), delta)


@dataclass(frozen=True, eq=False)
class RowsDriven:
    """Pulses on the rows, counted over a test set: without delta inputs, and with them."""

    before: PulseCount
    after: PulseCount

    def report(self) -> list[str]:
        """Lines for reading."""
        return [
            f"{s['matrix']} {s['part']}: {100 * float(s['driven']):.1f} % of the rows driven at a step, "
            f"{100 * float(s['driven_before']):.1f} % without delta; mean pulse {float(s['width']):.4f} of the longest, "
            f"{float(s['width_before']):.4f} without"
            for s in self.after.beside(self.before)
        ]


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
    lost : float
        Share, of the inputs that are not 0, of those below half a step: they take no pulse.
    """

    share: float
    largest: float
    input_range: float
    lost: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"share": self.share, "largest": self.largest, "input_range": self.input_range, "lost": self.lost}

    @property
    def warnings(self) -> tuple[str, ...]:
        """That inputs are clipped, if some are, and that they are too small for the pulses, if most are."""
        advice = "what that costs is no fault of the hardware: scale the inputs, or take an input range that fits"
        found = []
        if self.share:
            found.append(
                f"input_range={self.input_range:g}: {float(f'{100 * self.share:.2g}'):g} % of the inputs are beyond it and "
                f"clipped, up to {self.largest:g}; {advice}"
            )
        if self.lost > 0.5:
            found.append(
                f"input_range={self.input_range:g}: {float(f'{100 * self.lost:.2g}'):g} % of the inputs that are not 0 are less "
                f"than half a step of it and take no pulse; the largest is {self.largest:g}; {advice}"
            )
        return tuple(found)


def saturation(network: Network, data: SequenceSet | CharacterTask, pwm: PwmInputs | None) -> Saturation | None:
    """How many inputs of sequences, or numbers that stand for symbols, pulse widths clip; None where nothing is clipped."""
    if pwm is None or pwm.bits is None:
        return None
    x = np.abs(_symbols(network) if isinstance(data, CharacterTask) else _driven(network, data))
    full = pwm.full_input
    if network.formats:
        full = min(2.0**f.exponent for name, f in network.formats.items() if name.startswith("0.") and name.endswith(".x"))
    there = x[x > 0]
    lost = 0.0 if network.formats or not there.size else float(np.mean(np.rint(there * (pwm.max_code / full)) == 0))
    return Saturation(float(np.mean(x > full)), float(x.max()), full, lost)


def _driven(network: Network, sequences: SequenceSet) -> np.ndarray:
    """What drives the first layer's rows at every step of every sequence, (steps, features)."""
    valid = np.arange(sequences.inputs.shape[1]) < sequences.lengths[:, None]
    return network.rows(sequences.inputs[valid])


def _symbols(network: Network) -> np.ndarray:
    if network.embedding is None:
        raise InputError("network: has no embedding; a network that reads a text needs one")
    return network.embedding
