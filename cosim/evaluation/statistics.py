"""Uncertainty of an accuracy or of bits per character: from the finite test set, and from chip to chip. The two are kept apart.

The interval of one accuracy says how far another test set of this size could move it. The interval of the mean over chips
says how well so many drawn chips fix the mean on *this* test set. More chips do not narrow the first, more data does not
narrow the second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netlists.errors import InputError

NORMAL_95 = 1.959963984540054
"""97.5 % quantile of the standard normal distribution."""


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

    @property
    def limits(self) -> list[float] | None:
        """``low`` and ``high``; None for a single chip."""
        return None if self.low is None or self.high is None else [self.low, self.high]


def accuracy_interval(correct: int, total: int) -> AccuracyInterval:
    """95 % Wilson score interval of ``correct`` out of ``total`` (E. B. Wilson, J. Am. Stat. Assoc. 22, 1927, 209-212)."""
    if not 0 <= correct <= total or total == 0:
        raise InputError(f"correct={correct} total={total}: needs 0 <= correct <= total and at least one test sequence")
    from scipy.stats import binomtest  # slow to load

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
    from scipy.stats import t  # slow to load

    deviation = float(v.std(ddof=1))
    half = float(t.ppf(0.975, len(v) - 1)) * deviation / len(v) ** 0.5
    return ChipInterval(len(v), mean, deviation, mean - half, mean + half)


@dataclass(frozen=True)
class PairedDifference:
    """Accuracy of one network or chip minus another's on the same test sequences.

    Attributes
    ----------
    only_first, only_second : int
        Sequences that only the one, or only the other, gets right; the others say nothing about the difference.
    value, low, high : float
        Difference of the accuracies and its 95 % interval.
    p : float
        Exact two-sided McNemar test of no difference (Q. McNemar, Psychometrika 12, 1947, 153-157).
    """

    total: int
    only_first: int
    only_second: int
    value: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class BitsInterval:
    """Bits per character of a text and their 95 % interval, by resampling blocks of the text."""

    characters: int
    block: int
    value: float
    low: float
    high: float


def paired_difference(first: np.ndarray, second: np.ndarray) -> PairedDifference:
    """Compare two answers to the same sequences; sharing the sequences takes most of their spread out.

    Parameters
    ----------
    first, second : ndarray of bool (sequences,)
        Whether each sequence was answered correctly.

    Notes
    -----
    The interval is Agresti and Min's (Stat. Med. 24, 2005, 729-740): Wald's after adding half a sequence to each of the four
    outcomes.
    """
    a, b = np.asarray(first), np.asarray(second)
    if a.shape != b.shape or a.ndim != 1 or len(a) == 0 or a.dtype != bool or b.dtype != bool:
        raise InputError(
            f"first and second: have shapes {a.shape} and {b.shape} and types {a.dtype} and {b.dtype}, "
            "must be one bool for each test sequence, the same sequences in both"
        )
    n, only_first, only_second = len(a), int(np.sum(a & ~b)), int(np.sum(b & ~a))
    up, down, total = only_first + 0.5, only_second + 0.5, n + 2.0
    centre = (up - down) / total
    half = NORMAL_95 * ((up + down) / total - centre**2) ** 0.5 / total**0.5
    from scipy.stats import binomtest  # slow to load

    p = 1.0 if only_first + only_second == 0 else float(binomtest(only_first, only_first + only_second).pvalue)
    return PairedDifference(n, only_first, only_second, (only_first - only_second) / n, centre - half, centre + half, p)


def bits_interval(bits: np.ndarray, rng: np.random.Generator, *, block: int = 1000, resamples: int = 2000) -> BitsInterval:
    """Bits per character with a 95 % percentile interval of the block bootstrap (E. Carlstein, Ann. Stat. 14, 1986, 1171-1179).

    Neighbouring characters are not independent; blocks that are long against the text's memory are nearly so. The difference of
    two networks on the same text is had by giving the difference of their bits.

    Parameters
    ----------
    bits : ndarray (characters,)
        -log2 of the probability of each character; `evaluate_text` gives a row for each chip.
    block : int
        Characters in a block; the last, shorter one counts by its length.
    """
    v = np.asarray(bits, dtype=np.float64)
    if v.ndim != 1 or len(v) == 0 or not np.all(np.isfinite(v)):
        raise InputError(f"bits: {np.array2string(v, threshold=6)}: must be one finite number for each character")
    for name, value in (("block", block), ("resamples", resamples)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise InputError(f"{name}={value!r}: must be a whole number of at least 1")
    edges = np.arange(0, len(v), block)
    if len(edges) < 2:
        raise InputError(f"block={block}: the text has {len(v)} characters and needs two blocks at least")
    sums, counts = np.add.reduceat(v, edges), np.diff(np.append(edges, len(v)))

    def ratio(s: np.ndarray, c: np.ndarray, axis: int = -1) -> np.ndarray:
        return s.sum(axis=axis) / c.sum(axis=axis)

    from scipy.stats import bootstrap  # slow to load

    result = bootstrap((sums, counts), ratio, paired=True, vectorized=True, n_resamples=resamples, method="percentile", rng=rng)
    interval = result.confidence_interval
    return BitsInterval(len(v), int(block), float(v.mean()), float(interval.low), float(interval.high))
