"""The error that write-verify leaves: a law on a window, fitted at every target, and a check on cells that the fit has not seen.

On a window +-w the density of the error e at target t is

    p(e | t) ~ exp(a_t e + b_t e^2 + c e^3 + d e^4),    |e| <= w

the law of largest entropy with the mean and the variance of each target and the third and fourth moment of all of them. A Gaussian
that write-verify cuts is the case c = d = 0. The likelihood is concave, so that Newton's method finds its only maximum, where
these moments are those of the cells. Standard errors of mean and spread are those of the cells, whatever their law.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from netlists.errors import InputError
from netlists.technology import memristor

from .intervals import kurtosis_of, mean_half_width, sigma_interval

QUANTILES = 33
LEAST_CELLS = 8
"""Cells of a target with which its mean and spread can be fitted."""
DRAWS = 199
MOST_DRAWN = 2000
"""Cells in each half of a target of the tables that a check draws: with more its statistic, in its own scale, is the same."""
ALARM = 0.01
"""Probability below which a held-out check fails."""


@dataclass(frozen=True, eq=False)
class WrittenLaw:
    """Law of the error by target, siemens.

    Attributes
    ----------
    targets : ndarray (targets,)
    cells : ndarray of int (targets,)
    window : float
    parameters : ndarray (targets, 4)
        a, b, c, d for an error in units of the window; c and d are the same at all targets.
    mean, mean_stderr, sigma, sigma_stderr : ndarray (targets,)
        The standard errors are those of many cells; of few the intervals are wider.
    kurtosis : float
        Of the cells around the mean of their target, in its standard deviations, by Bonett's estimate.
    moments : ndarray (targets, 4)
        Of the errors in units of the window, the variance unbiased.
    """

    targets: np.ndarray
    cells: np.ndarray
    window: float
    parameters: np.ndarray
    mean: np.ndarray
    mean_stderr: np.ndarray
    sigma: np.ndarray
    sigma_stderr: np.ndarray
    moments: np.ndarray
    kurtosis: float = 3.0

    @property
    def mean_interval(self) -> tuple[np.ndarray, np.ndarray]:
        """95 % interval of each target's mean, siemens."""
        half = mean_half_width(self.sigma, self.cells)
        return self.mean - half, self.mean + half

    @property
    def sigma_interval(self) -> tuple[np.ndarray, np.ndarray]:
        """95 % interval of each target's standard deviation, siemens."""
        return sigma_interval(self.sigma, self.cells, self.kurtosis)

    @property
    def pooled_interval(self) -> tuple[float, float]:
        """95 % interval of `pooled_sigma`, siemens."""
        # Targets with a large spread tell most of it: as many cells as Satterthwaite counts.
        part = (self.cells - 1) * self.sigma**2
        effective = float(part.sum() ** 2 / np.sum(part**2 / (self.cells - 1))) + 1
        low, high = sigma_interval(self.pooled_sigma, effective, self.kurtosis)
        return float(low), float(high)

    @property
    def pooled_sigma(self) -> float:
        """Standard deviation around the mean of each target, over all cells."""
        return float(np.sqrt(np.average(self.sigma**2, weights=self.cells)))

    @property
    def gain(self) -> float:
        """Log-likelihood that c and d bring over a cut Gaussian at every target."""
        cut = _maximum(self.moments, self.cells, 2)
        return _likelihood(self.parameters, self.moments, self.cells) - _likelihood(cut, self.moments, self.cells)

    @cached_property
    def _cumulative(self) -> tuple[np.ndarray, np.ndarray]:
        """Errors in units of the window (points,), and the probability below each at every target (targets, points)."""
        t = np.sin(np.pi * np.linspace(-0.5, 0.5, 801))
        density = np.exp(_exponent(self.parameters, t))
        area = np.cumsum((density[:, 1:] + density[:, :-1]) * np.diff(t), axis=1)
        return t, np.concatenate([np.zeros((len(area), 1)), area / area[:, -1:]], axis=1)

    def quantiles(self, n: int = QUANTILES) -> np.ndarray:
        """Quantiles (targets, n) at `memristor.law_probabilities`, siemens, with the law's mean and sigma to the digit."""
        t, below = self._cumulative
        p = memristor.law_probabilities(n)
        rows = self.window * np.array([np.interp(p, row, t) for row in below])
        found = np.array([memristor.law_moments(row)[:2] for row in rows])
        return np.clip(self.mean[:, None] + (rows - found[:, :1]) * (self.sigma / found[:, 1])[:, None], -self.window, self.window)

    def probability(self, target: np.ndarray, error: np.ndarray) -> np.ndarray:
        """Probability of a smaller error at each cell's target, one of the fitted ones; shape of ``error``."""
        t, _ = self._cumulative
        return self._by_target(target, error / self.window, lambda e, row: np.interp(e, t, row))

    def error(self, target: np.ndarray, probability: np.ndarray) -> np.ndarray:
        """Error below which the law has this probability at each cell's target, siemens; the inverse of `probability`."""
        t, _ = self._cumulative
        return self.window * self._by_target(target, probability, lambda p, row: np.interp(p, row, t))

    def _by_target(
        self, target: np.ndarray, values: np.ndarray, call: Callable[[np.ndarray, np.ndarray], np.ndarray]
    ) -> np.ndarray:
        out = np.empty(len(values))
        for own, row in zip(self.targets, self._cumulative[1], strict=True):
            out[target == own] = call(values[target == own], row)
        return out


def fit_written(target: np.ndarray, error: np.ndarray, window: float | None = None) -> WrittenLaw:
    """Fits the law to the errors of written cells, shapes (cells,), siemens.

    Parameters
    ----------
    window : float or None
        Largest error that write-verify accepts; None: a little beyond the largest that was measured.

    Raises
    ------
    InputError
        Fewer than 8 cells at a target, cells that are all alike, an error beyond the window.
    """
    targets, cells = np.unique(target, return_counts=True)
    if few := [f"{1e6 * t:g} uS has {n}" for t, n in zip(targets, cells, strict=True) if n < LEAST_CELLS]:
        raise InputError(f"target: {few[0]} written cells; a mean and a spread need {LEAST_CELLS} or more at each target")
    largest = float(np.abs(error).max())
    if window is None:
        # Of n cells the largest error is short of the end of a flat law by about a part in n.
        window = largest * (1 + 1 / len(error))
    elif largest > window * (1 + 1e-9):
        n = int(np.sum(np.abs(error) > window))
        raise InputError(
            f"window={1e6 * window:g} uS: {n} of {len(error)} cells are farther off, up to {1e6 * largest:.3g} uS; give a wider "
            "window, or say with stuck_beyond from which error on a cell counts as stuck"
        )
    if alike := [t for t in targets if np.ptp(error[target == t]) <= 1e-9 * window]:
        raise InputError(f"measured: all cells at {1e6 * alike[0]:g} uS are alike; there is no error to fit")
    law = _fit(target, error, window)
    return replace(law, kurtosis=kurtosis_of([error[target == t] for t in law.targets]))


def _fit(target: np.ndarray, error: np.ndarray, window: float, start: np.ndarray | None = None) -> WrittenLaw:
    targets, row, cells = np.unique(target, return_inverse=True, return_counts=True)
    mean = np.bincount(row, error) / cells
    # Deviations stretched to the unbiased variance of each target.
    deviation = (error - mean[row]) * np.sqrt(cells / (cells - 1))[row]
    sigma = np.sqrt(np.bincount(row, deviation**2) / cells)
    t = (mean[row] + deviation) / window
    moments = np.array([np.bincount(row, t**k) / cells for k in (1, 2, 3, 4)]).T
    spread = np.bincount(row, (deviation**2 - sigma[row] ** 2) ** 2) / cells
    with np.errstate(divide="ignore", invalid="ignore"):
        stderr = np.sqrt(spread / cells) / (2 * sigma)
    return WrittenLaw(
        targets, cells, window, _maximum(moments, cells, 4, start), mean, sigma / np.sqrt(cells), sigma, stderr, moments
    )


@dataclass(frozen=True)
class HeldOut:
    """A check on what a fit has not seen: the probability of a difference as large, and whether that is an alarm.

    Attributes
    ----------
    what : str
    p_value : float
    n : int
        Cells, reads or points that were held out.
    """

    what: str
    p_value: float
    n: int

    @property
    def passed(self) -> bool:
        return self.p_value >= ALARM

    def as_dict(self) -> dict[str, object]:
        """Plain values, for a summary."""
        return {"what": self.what, "p_value": float(self.p_value), "held_out": self.n, "passed": bool(self.passed)}


def check_written(law: WrittenLaw, target: np.ndarray, error: np.ndarray, rng: np.random.Generator, draws: int = DRAWS) -> HeldOut:
    """Fits the law to a random half of each target's cells, and holds the other half against it.

    The statistic is Kolmogorov's and Smirnov's distance times the root of the number of cells, the largest of that of all
    cells and of each target. Half a table tells a law with errors of its own, so that its distribution comes from tables of
    as many cells (at most `MOST_DRAWN` in a half of a target) drawn from ``law``, which go through the same.
    """

    def distance(target: np.ndarray, half: np.ndarray, errors: np.ndarray) -> float:
        seen = _fit(target[half], errors[half], law.window, law.parameters)
        rest, probability = target[~half], seen.probability(target[~half], errors[~half])
        return max(_kolmogorov(probability), *(_kolmogorov(probability[rest == t]) for t in law.targets))

    half, few = np.zeros(len(target), bool), np.zeros(len(target), bool)
    for t in law.targets:
        own = rng.permutation(np.flatnonzero(target == t))
        seen = (len(own) + 1) // 2
        half[own[:seen]] = True
        few[own[: min(seen, MOST_DRAWN)]] = few[own[seen : seen + MOST_DRAWN]] = True
    found = distance(target, half, error)
    own_target, own_half = target[few], half[few]
    drawn = [distance(own_target, own_half, law.error(own_target, rng.uniform(size=len(own_target)))) for _ in range(draws)]
    return HeldOut("errors of written cells, by target", (1 + sum(d >= found for d in drawn)) / (draws + 1), int(np.sum(~half)))


def _kolmogorov(probability: np.ndarray) -> float:
    n, p = len(probability), np.sort(probability)
    steps = np.arange(n + 1) / n
    return float(np.sqrt(n) * max(np.max(steps[1:] - p), np.max(p - steps[:-1])))


def _exponent(parameters: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Logarithm of each target's density at t in -1..1, its largest value 0, shape (targets, points)."""
    powers = t ** np.arange(1, parameters.shape[1] + 1)[:, None]
    e = parameters @ powers
    return e - e.max(axis=1, keepdims=True)


_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)


def _likelihood(parameters: np.ndarray, moments: np.ndarray, cells: np.ndarray) -> float:
    k = parameters.shape[1]
    e = parameters @ _NODES ** np.arange(1, k + 1)[:, None]
    top = e.max(axis=1)
    z = top + np.log(np.exp(e - top[:, None]) @ _WEIGHTS)
    return float(np.sum(cells * (np.sum(parameters * moments[:, :k], axis=1) - z)))


def _maximum(moments: np.ndarray, cells: np.ndarray, k: int, start: np.ndarray | None = None) -> np.ndarray:
    """Parameters (targets, k) of the largest likelihood; those beyond the second are the same at all targets.

    Newton's method on a concave function, each step halved until it climbs.
    """
    n = len(cells)
    powers = _NODES ** np.arange(1, k + 1)[:, None]
    # Where parameter i of target t stands among the free ones.
    place = np.array([[2 * t + i if i < 2 else 2 * n + i - 2 for i in range(k)] for t in range(n)])
    free = np.zeros(int(place.max()) + 1)
    if start is not None:
        free[place] = start
    value = _likelihood(free[place], moments, cells)
    for _ in range(200):
        density = np.exp(_exponent(free[place], _NODES)) * _WEIGHTS
        density /= density.sum(axis=1, keepdims=True)
        mean = density @ powers.T
        gradient, hessian = np.zeros(len(free)), np.zeros((len(free), len(free)))
        covariance = np.einsum("ip,tp,jp->tij", powers, density, powers) - mean[:, :, None] * mean[:, None, :]
        np.add.at(gradient, place, cells[:, None] * (moments[:, :k] - mean))
        np.add.at(hessian, (place[:, :, None], place[:, None, :]), cells[:, None, None] * covariance)
        step = np.linalg.lstsq(hessian, gradient, rcond=1e-14)[0]
        size = 1.0
        while size > 1e-6 and (new := _likelihood(free[place] + (size * step)[place], moments, cells)) < value:
            size /= 2
        if size <= 1e-6 or new - value < 1e-10 * max(abs(value), 1.0):
            break
        free, value = free + size * step, new
    return free[place]
