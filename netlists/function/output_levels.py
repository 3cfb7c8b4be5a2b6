"""Output levels of a converter: which values its codes stand for, and the decision levels between them.

Three placements:

``mid-rise``   2**bits equal steps divide the output range; a code stands for the middle of its step
``mid-tread``  equal steps with a level at 0 (at the end nearest to 0 if the range leaves 0 out); the outermost steps
               end at the range's ends
``lloyd-max``  the levels with the least mean square error for a given distribution of inputs (Lloyd 1982, doi
               10.1109/TIT.1982.1056489; Max 1960, doi 10.1109/TIT.1960.1057548)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np

from netlists.checks import Bits, Choice, Positive, Share, check, checked
from netlists.errors import InputError

from .thresholds import MERGE_LSB

PLACEMENTS = ("mid-rise", "mid-tread", "lloyd-max")
_POINTS = 2**15
_LLOYD_ROUNDS = 20_000
_BINS = 1024


@checked
@dataclass(frozen=True)
class InputDistribution:
    """Distribution of a converter's inputs: Gaussian, or samples.

    Attributes
    ----------
    mean, sigma : float
        Of a Gaussian, activation input units; not used where there are samples.
    samples : tuple of float
        Observed pre-activations, each equally likely; empty for a Gaussian.
    """

    mean: float = 0.0
    sigma: Positive = 1.0
    samples: tuple[float, ...] = ()

    def points(self) -> np.ndarray:
        """Equally likely inputs that stand for the distribution: the samples, or quantiles of the Gaussian."""
        from scipy.special import ndtri

        if self.samples:
            return np.array(self.samples)
        return self.mean + self.sigma * ndtri((np.arange(_POINTS) + 0.5) / _POINTS)


@checked
@dataclass(frozen=True)
class Quantizer:
    """Division of the outputs of an activation among the codes.

    Attributes
    ----------
    placement : {"mid-rise", "mid-tread", "lloyd-max"}
    domain, outputs : (float, float) or None
        Where to saturate: inputs and outputs beyond get the outermost code; None: the activation's own.
    inputs : InputDistribution or None
        Needed for ``lloyd-max``.
    merge_lsb : float
        Two crossings between which the function passes a level by less than this, in output LSB, are left out.
    """

    placement: Annotated[str, Choice(PLACEMENTS)] = "mid-rise"
    domain: tuple[float, float] | None = None
    outputs: tuple[float, float] | None = None
    inputs: InputDistribution | None = None
    merge_lsb: Share = MERGE_LSB

    def __post_init__(self) -> None:
        if self.placement == "lloyd-max" and self.inputs is None:
            raise InputError("placement='lloyd-max': needs the distribution of the inputs; give inputs=InputDistribution(...)")
        if self.placement != "lloyd-max" and self.inputs is not None:
            raise InputError(
                f"placement={self.placement!r}: does not use a distribution of inputs; take lloyd-max or leave inputs out"
            )

    @property
    def saturation(self) -> tuple[str, ...]:
        """Says where inputs and outputs are cut."""
        cuts = (("inputs", self.domain), ("outputs", self.outputs))
        return tuple(f"{what} saturate outside {cut[0]:g}..{cut[1]:g}" for what, cut in cuts if cut is not None)

    def levels(self, value: Callable[[np.ndarray], np.ndarray], y_min: float, y_max: float, bits: int) -> OutputLevels:
        """Output levels of a function with this output range."""
        if self.placement == "mid-rise":
            return OutputLevels.mid_rise(y_min, y_max, bits)
        if self.placement == "mid-tread":
            return OutputLevels.mid_tread(y_min, y_max, bits)
        if self.inputs is None:
            raise InputError("placement='lloyd-max': needs the distribution of the inputs")
        return OutputLevels.lloyd_max(np.clip(value(self.inputs.points()), y_min, y_max), y_min, y_max, bits)


@dataclass(frozen=True)
class OutputLevels:
    """Values of the codes and the decision levels between them.

    Attributes
    ----------
    decisions : ndarray (n - 1,)
        Increasing, output units.
    values : ndarray (n,)
        Output value of code 0, 1, ..., output units.
    lsb : float
        Output step; for ``lloyd-max`` that of 2**bits equal steps over the range.
    given_up : tuple of str
    """

    decisions: np.ndarray
    values: np.ndarray
    lsb: float
    given_up: tuple[str, ...] = field(default=())

    @classmethod
    def mid_rise(cls, y_min: float, y_max: float, bits: int) -> OutputLevels:
        """``2**bits`` equal steps; values in their middles."""
        check(Bits, bits, "bits")
        k = np.arange(2**bits)
        step = (y_max - y_min) / 2**bits
        # The same expressions as in `Activation.decode`: equal to the last bit.
        return cls(y_min + k[1:] * (y_max - y_min) / 2**bits, y_min + (k + 0.5) * (y_max - y_min) / 2**bits, step)

    @classmethod
    def mid_tread(cls, y_min: float, y_max: float, bits: int) -> OutputLevels:
        """At most ``2**bits`` levels at multiples of one step from 0, every output within half a step of one."""
        check(Bits, bits, "bits")
        zero = min(max(0.0, y_min), y_max)
        below = np.arange(2**bits)
        # With a levels below zero, the lowest step ends at -(a + 1/2) LSB: the best split has the smallest LSB.
        lsb = float(np.min(np.maximum((zero - y_min) / (below + 0.5), (y_max - zero) / (2**bits - 1 - below + 0.5))))
        low, high = (int(np.ceil(part / lsb - 0.5 - 1e-9)) for part in (zero - y_min, y_max - zero))
        j = np.arange(-low, high + 1)
        note = (f"{2**bits - len(j)} of {2**bits} codes not used",) if len(j) < 2**bits else ()
        return cls(zero + (j[1:] - 0.5) * lsb, zero + j * lsb, lsb, note)

    @classmethod
    def lloyd_max(cls, y: np.ndarray, y_min: float, y_max: float, bits: int) -> OutputLevels:
        """Levels of least mean square error for equally likely outputs ``y``: values are means, decisions midpoints."""
        check(Bits, bits, "bits")
        n = 2**bits
        y = np.sort(np.asarray(y, float))
        if not np.all(np.isfinite(y)) or y[0] == y[-1]:
            raise InputError("placement='lloyd-max': the inputs give one output only, or one that is not finite")
        # Start: point density as the cube root of the outputs' density, the optimum for many levels (Panter and Dite 1951).
        count, edges = np.histogram(y, _BINS)
        cumulative = np.append(0.0, np.cumsum(np.cbrt(count)))
        values = np.interp((np.arange(n) + 0.5) / n * cumulative[-1], cumulative, edges)
        sums = np.append(0.0, np.cumsum(y))
        tolerance = 1e-9 * (y[-1] - y[0])
        for _ in range(_LLOYD_ROUNDS):
            cut = np.concatenate([[0], np.searchsorted(y, 0.5 * (values[1:] + values[:-1])), [len(y)]])
            used = np.diff(cut) > 0
            new = (np.diff(sums[cut]))[used] / np.diff(cut)[used]
            settled = len(new) == len(values) and np.max(np.abs(new - values)) < tolerance
            values = new
            if settled:
                break
        note = (f"{n - len(values)} of {n} codes not used",) if len(values) < n else ()
        return cls(0.5 * (values[1:] + values[:-1]), values, (y_max - y_min) / n, note)
