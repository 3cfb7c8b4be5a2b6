"""Uncertainty of an accuracy: from the finite test set, and from chip to chip. The two are kept apart.

The interval of one accuracy says how far another test set of this size could move it. The interval of the mean over chips
says how well so many drawn chips fix the mean on *this* test set. More chips do not narrow the first, more data does not
narrow the second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest, t

from netlists.errors import InputError


@dataclass(frozen=True)
class AccuracyInterval:
    """Accuracy on a test set and its 95 % binomial interval."""

    correct: int
    total: int
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class ChipInterval:
    """Mean over chips, standard deviation from chip to chip, 95 % interval of the mean.

    ``deviation``, ``low`` and ``high`` are None for a single chip, which says nothing about spread.
    """

    chips: int
    mean: float
    deviation: float | None
    low: float | None
    high: float | None


def accuracy_interval(correct: int, total: int) -> AccuracyInterval:
    """95 % Wilson score interval of ``correct`` out of ``total`` (E. B. Wilson, J. Am. Stat. Assoc. 22, 1927, 209-212)."""
    if not 0 <= correct <= total or total == 0:
        raise InputError(f"correct={correct} total={total}: needs 0 <= correct <= total and at least one test sequence")
    interval = binomtest(int(correct), int(total)).proportion_ci(confidence_level=0.95, method="wilson")
    return AccuracyInterval(int(correct), int(total), correct / total, float(interval.low), float(interval.high))


def chip_interval(values: Sequence[float] | np.ndarray) -> ChipInterval:
    """Mean of one figure per chip with its 95 % Student-t interval; ``values`` has shape (chips,).

    The interval is symmetric and may reach past 1 for an accuracy close to it.
    """
    v = np.asarray(values, dtype=np.float64)
    if v.ndim != 1 or len(v) == 0 or not np.all(np.isfinite(v)):
        raise InputError(f"values: {np.array2string(v, threshold=6)}: must be one finite number for each chip")
    mean = float(v.mean())
    if len(v) == 1:
        return ChipInterval(1, mean, None, None, None)
    deviation = float(v.std(ddof=1))
    half = float(t.ppf(0.975, len(v) - 1)) * deviation / len(v) ** 0.5
    return ChipInterval(len(v), mean, deviation, mean - half, mean + half)
