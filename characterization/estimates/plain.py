"""Mean, quantile and yield of simulated chips, each with its confidence interval, from the simulated chips alone."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from netlists.checks import Finite, Inside, check
from netlists.errors import InputError

CONFIDENCE = 0.95
MIN_SAMPLES = 8
"""Fewer say nothing about their own spread."""


@dataclass(frozen=True)
class Estimate:
    """An estimate with its uncertainty, and what it cost.

    Attributes
    ----------
    quantity : str
        "mean", "quantile" or "yield".
    value : float
        Unit of the statistic, or a share of chips from 0 to 1 for a yield.
    standard_error : float
    low, high : float
        Confidence interval. Not always symmetric.
    confidence : float
    n_spice : int
        Chips simulated in ngspice that the estimate rests on.
    n_control : int
        Further chips of which only the closed form was evaluated.
    n_failed : int
        Chips that ngspice could not measure: left out, and not replaced.
    variance_reduction : float
        Variance of the plain estimate from ``n_spice`` chips, over that of this one.
    warnings : tuple of str
        Why the closed form was not used as control, if it was to be.
    """

    quantity: str
    value: float
    standard_error: float
    low: float
    high: float
    confidence: float
    n_spice: int
    n_control: int = 0
    n_failed: int = 0
    variance_reduction: float = 1.0
    warnings: tuple[str, ...] = ()

    @property
    def half_width(self) -> float:
        """Half the width of the interval."""
        return 0.5 * (self.high - self.low)

    @property
    def equivalent_plain_samples(self) -> float:
        """Simulated chips that would give as narrow an interval without a control."""
        return self.n_spice * self.variance_reduction

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready dictionary of every value."""
        return asdict(self) | {
            "warnings": list(self.warnings),
            "half_width": self.half_width,
            "equivalent_plain_samples": self.equivalent_plain_samples,
        }


def check_values(y: np.ndarray, name: str = "values", *, least: int = MIN_SAMPLES) -> np.ndarray:
    """``y`` as floats (n,), or an `InputError` that names what is wrong with it."""
    y = np.asarray(y, float)
    if y.ndim != 1 or len(y) < least:
        raise InputError(f"{name}: have shape {y.shape}, must be one number a chip of at least {least} chips")
    if len(bad := np.flatnonzero(~np.isfinite(y))):
        raise InputError(f"{name}[{bad[0]}]={y[bad[0]]}: must be finite; leave chips out that failed, and say how many")
    return y


def check_varies(y: np.ndarray) -> None:
    """Raises `InputError` if all values (n,) are the same: they tell no uncertainty."""
    if np.ptp(y) == 0:
        raise InputError(f"values: all {len(y)} are {y[0]:g}; nothing varies, so that they tell no uncertainty")


def proportion_interval(passed: float, n: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Clopper-Pearson interval of a share: exact, never of zero width.

    Counts need not be whole: ``n`` may be an effective sample size, the plain samples of the same variance (E. L. Korn and
    B. I. Graubard, Survey Methodology 24, 1998, 193-201; C. J. Clopper and E. S. Pearson, Biometrika 26, 1934, 404-413).
    """
    from scipy.special import betaincinv

    tail = 0.5 * (1 - confidence)
    low = float(betaincinv(passed, n - passed + 1, tail)) if passed > 0 else 0.0
    high = float(betaincinv(passed + 1, n - passed, 1 - tail)) if passed < n else 1.0
    return low, high


def jeffreys_interval(passed: float, n: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Jeffreys interval of a share: right on average, where `proportion_interval` is right at worst.

    For estimates that do not go in whole counts, as those with a control. Counts as there. Source: L. D. Brown, T. T. Cai and
    A. DasGupta, Statistical Science 16, 2001, 101-133, section 4.1.1.
    """
    from scipy.special import betaincinv

    tail = 0.5 * (1 - confidence)
    low, high = (float(betaincinv(passed + 0.5, n - passed + 0.5, q)) for q in (tail, 1 - tail))
    return (low if passed > 0 else 0.0), (high if passed < n else 1.0)


def mean_of(y: np.ndarray, *, confidence: float = CONFIDENCE) -> Estimate:
    """Mean of ``y`` (n,) with Student's t interval.

    Raises
    ------
    InputError
        Too few values, one that is not finite, or values that are all the same.
    """
    from scipy.stats import t

    y = check_values(y)
    check(Inside, confidence, "confidence")
    n = len(y)
    check_varies(y)
    error = float(y.std(ddof=1)) / math.sqrt(n)
    half = float(t.ppf(0.5 * (1 + confidence), n - 1)) * error
    value = float(y.mean())
    return Estimate("mean", value, error, value - half, value + half, confidence, n)


def yield_of(y: np.ndarray, limit: float, *, confidence: float = CONFIDENCE) -> Estimate:
    """Share of ``y`` (n,) at or below ``limit``, with the exact Clopper-Pearson interval.

    The standard error of a share that was met by all or by none is that of half a chip.
    """
    y = check_values(y)
    check(Inside, confidence, "confidence")
    check(Finite, limit, "limit")
    n, passed = len(y), int(np.sum(y <= limit))
    share = np.clip(passed / n, 0.5 / n, 1 - 0.5 / n)
    low, high = proportion_interval(passed, n, confidence)
    return Estimate("yield", passed / n, math.sqrt(share * (1 - share) / n), low, high, confidence, n)


def quantile_of(y: np.ndarray, probability: float, *, confidence: float = CONFIDENCE) -> Estimate:
    """Quantile of ``y`` (n,) with the distribution-free interval between two order statistics.

    The number of values below the quantile is binomial (H. A. David and H. N. Nagaraja, Order Statistics, 3rd ed. 2003,
    section 7.1). The standard error is the interval's width over twice the normal quantile.

    Raises
    ------
    InputError
        As for `mean_of`, and where so few values hold no interval of that confidence; the message says how many do.
    """
    from scipy.stats import binom, t

    y = np.sort(check_values(y))
    check(Inside, probability, "probability")
    check(Inside, confidence, "confidence")
    n, tail = len(y), 0.5 * (1 - confidence)
    # P(y_(low) > quantile) = P(Bin <= low - 1) <= tail, and likewise above; ranks count from 1.
    low, high = int(binom.ppf(tail, n, probability)), int(binom.ppf(1 - tail, n, probability)) + 1
    if low < 1 or high > n:
        need = math.ceil(math.log(tail) / math.log(max(probability, 1 - probability)))
        raise InputError(
            f"probability={probability:g}: {n} chips hold no {confidence:.0%} interval of this quantile; simulate {need} or more"
        )
    width = y[high - 1] - y[low - 1]
    error = float(width / (2 * t.ppf(1 - tail, n - 1)))
    return Estimate("quantile", float(np.quantile(y, probability)), error, float(y[low - 1]), float(y[high - 1]), confidence, n)
