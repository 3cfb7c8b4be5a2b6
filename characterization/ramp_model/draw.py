"""The ramps of drawn chips, as a network evaluator needs them: transition levels, comparator offsets, conversion noise."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import numpy as np

from netlists.check_rules import Array, Whole
from netlists.checks import check, checked
from netlists.errors import InputError
from netlists.function import get_activation


@checked
@dataclass(frozen=True, eq=False)
class RampDraw:
    """Ramps of one activation on a number of chips, everything in the activation's input units.

    Attributes
    ----------
    activation : str
    bits : int
        Resolution; not limited to what a ramp column can hold, so that the limit of fine steps can be computed.
    thresholds : ndarray (chips, levels)
        Level of each ramp step against which a column is compared; not necessarily increasing.
    column_offset : ndarray (chips, columns)
        Offset of each column's comparator, added to the thresholds. A single column stands for all columns.
    noise_sigma : ndarray, scalar or (levels,)
        Input-referred rms noise of one conversion at each threshold, all of it.
    shared_sigma : ndarray, scalar or (levels,)
        The part of it that is the ramp's own: all columns that convert with the same ramp at the same time see the same.
    values : ndarray (levels + 1,)
        Output after 0, 1, ... levels thresholds were passed; by default the activation's own ``2**bits`` output steps, in order.

    Raises
    ------
    InputError
        Unknown activation, wrong shape, a value that is not finite, a negative noise.
    """

    activation: str
    bits: Annotated[int, Whole(1, 24)]
    thresholds: Annotated[np.ndarray, Array(("chips", "levels"))]
    column_offset: Annotated[np.ndarray, Array(("chips", "columns"))]
    noise_sigma: Annotated[np.ndarray, Array(low=0)]
    values: Annotated[np.ndarray, Array(("codes",))] = None  # type: ignore[assignment]
    shared_sigma: Annotated[np.ndarray, Array(low=0)] = field(default_factory=lambda: np.zeros(()))

    def __post_init__(self) -> None:
        if self.values is None:
            # Resolutions beyond a ramp column's have a code for each step of an increasing function.
            act = get_activation(self.activation)
            codes = act.codes(self.bits) if self.bits <= 8 else np.arange(2**self.bits)
            values = check(Annotated[np.ndarray, Array(("codes",))], act.decode(codes, self.bits), "values")
            object.__setattr__(self, "values", values)
        (chips, found), levels = self.thresholds.shape, len(self.values) - 1
        if found != levels:
            raise InputError(f"thresholds: have shape {self.thresholds.shape}, must be (chips, {levels}) at {self.bits} bits")
        if len(self.column_offset) != chips:
            raise InputError(
                f"column_offset: has shape {self.column_offset.shape}, must be ({chips}, columns), one row for each chip"
            )
        if self.noise_sigma.shape not in ((), (levels,)):
            raise InputError(f"noise_sigma: has shape {self.noise_sigma.shape}, must be a single number or ({levels},)")
        if self.shared_sigma.shape not in ((), (levels,)) or np.any(self.shared_sigma > self.noise_sigma * (1 + 1e-9)):
            raise InputError(
                f"shared_sigma: must be a single number or ({levels},), and no more than noise_sigma, which it is a part of"
            )

    @classmethod
    def ideal(cls, activation: str, bits: int) -> RampDraw:
        """One chip that is exactly as designed: the activation's own thresholds, no offset, no noise."""
        thresholds = get_activation(activation).thresholds(bits)
        return cls(activation, bits, thresholds[None], np.zeros((1, 1)), np.zeros(()))

    @property
    def n_chips(self) -> int:
        return len(self.thresholds)

    @property
    def own_sigma(self) -> np.ndarray:
        """The part of the noise that each column has for itself, scalar or (levels,)."""
        return np.sqrt(np.maximum(self.noise_sigma**2 - self.shared_sigma**2, 0.0))

    @property
    def noisy(self) -> bool:
        """Whether conversions are noisy at any threshold."""
        return bool(np.any(self.noise_sigma > 0))

    def rising(self, chip: int) -> tuple[np.ndarray, np.ndarray]:
        """Levels of one chip as inputs meet them, never decreasing, and their noise; shapes (levels,) each.

        Where a ramp dips, the earlier, higher level decides, and so does its noise.
        """
        levels = np.maximum.accumulate(self.thresholds[chip])
        leader = np.maximum.accumulate(np.where(levels == self.thresholds[chip], np.arange(len(levels)), 0))
        return levels, np.broadcast_to(self.noise_sigma, levels.shape)[leader]

    def apply(self, x: np.ndarray, chip: int = 0, noise: np.ndarray | None = None) -> np.ndarray:
        """Outputs of one chip's converters for inputs ``x`` (..., columns), input units; shape of x.

        ``noise``, standard normal and of x's shape, is one number n a conversion: level k counts if ``x > T_k + n sigma_k``. An
        input (or noise) that is NaN or masked has no code: its output is NaN. `InputError` if x is not of real numbers.
        """
        levels, sigma = self.rising(chip)
        x = np.ma.filled(x.astype(float), np.nan) if isinstance(x, np.ma.MaskedArray) else np.asarray(x)
        if x.dtype.kind not in "biuf":
            raise InputError(f"x: has type {x.dtype}; must be real numbers")
        seen = np.asarray(x, float) - self.column_offset[chip]
        if noise is None:
            passed = np.searchsorted(levels, seen, side="left")
        else:
            passed = np.sum(seen[..., None] > levels + np.asarray(noise)[..., None] * sigma, axis=-1)
            seen = seen + noise
        return np.where(np.isnan(seen), np.nan, self.values[passed])
