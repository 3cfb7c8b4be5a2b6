"""How much of one error source a loss of accuracy allows: a search over its amount, a monotone fit, an interval by resampling."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import isotonic_regression

LossAt = Callable[[float], np.ndarray]
"""Loss at a factor of the amount, shape (chips, items): 1 where the answer is lost, -1 where it is gained."""

OCTAVES = (-8, 12)
"""Factors that are tried, powers of two."""


@dataclass(frozen=True, eq=False)
class Curve:
    """Losses of one source against the factor of its amount.

    Attributes
    ----------
    factor : ndarray (points,)
        Increasing.
    loss : ndarray (points, chips, items)
    """

    factor: np.ndarray
    loss: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """Mean over chips and items, shape (points,)."""
        return self.loss.mean(axis=(1, 2))

    @property
    def fit(self) -> np.ndarray:
        """The nearest curve that never falls (pool adjacent violators), shape (points,)."""
        return np.asarray(isotonic_regression(self.mean).x)


@dataclass(frozen=True)
class Tolerance:
    """Factor at which the fitted loss reaches the limit, and its 95 % interval.

    Attributes
    ----------
    factor : float
        0: the limit is passed at the smallest factor tried already; infinite: it is not reached at the largest.
    low, high : float
        The same for the ends of the interval.
    """

    factor: float
    low: float
    high: float


def search(loss: LossAt, limit: float, *, largest: float = math.inf, octaves: tuple[int, int] = OCTAVES) -> Curve:
    """Losses around the factor at which they reach ``limit``.

    From factor 1 in octaves up or down until the limit is between two, then two octaves to both sides, for the interval, and halves
    of octaves next to it.

    Parameters
    ----------
    largest : float
        Factor that must not be passed; where it lies within the search, it is the last one tried.
    """
    found: dict[float, np.ndarray] = {}

    def at(octave: float) -> float:
        factor = min(2.0**octave, largest)
        if factor not in found:
            found[factor] = loss(factor)
        return float(found[factor].mean())

    low, high = octaves
    first = next((k for k in range(max(low, 0), high + 1) if at(k) >= limit or 2.0**k >= largest), high)
    if at(first) >= limit:
        while first > low and at(first - 1) >= limit:
            first -= 1
    for k in range(max(first - 3, low), min(first + 2, high) + 1):
        at(k)
    for half in (first - 1.5, first - 0.5, first + 0.5):
        if low <= half <= high:
            at(half)
    factors = np.array(sorted(found))
    return Curve(factors, np.array([found[f] for f in factors], np.float32))


def crossing(factor: np.ndarray, mean: np.ndarray, limit: float) -> float:
    """Factor at which the monotone fit of losses (points,) reaches ``limit``, linear over log factor; 0 or inf beyond the ends."""
    fit = np.asarray(isotonic_regression(mean).x)
    above = np.flatnonzero(fit >= limit)
    if len(above) == 0:
        return math.inf
    k = int(above[0])
    if k == 0:
        return 0.0
    part = (limit - fit[k - 1]) / (fit[k] - fit[k - 1])
    return float(factor[k - 1] * (factor[k] / factor[k - 1]) ** part)


def tolerance(curve: Curve, limit: float, rng: np.random.Generator, resamples: int = 500) -> Tolerance:
    """Where a curve reaches the limit; chips and items are resampled at once, by percentiles."""
    points, chips, items = curve.loss.shape
    over = [rng.multinomial(k, np.full(k, 1 / k), resamples).T / k for k in (items, chips)]
    means = (curve.loss.reshape(-1, items) @ over[0].astype(np.float32)).reshape(points, chips, resamples)
    drawn = np.einsum("pcb,cb->pb", means, over[1])
    each = np.sort([crossing(curve.factor, drawn[:, b], limit) for b in range(resamples)])
    # An end that lies between a number and infinity is infinity: percentiles of sorted values, not of their means.
    low, high = (float(each[round(q * (resamples - 1))]) for q in (0.025, 0.975))
    return Tolerance(crossing(curve.factor, curve.mean, limit), low, high)
