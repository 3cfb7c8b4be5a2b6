"""Read noise of cells that were read many times: white, slow drift or telegraph noise, with their time constants.

Three models of a series of reads are held against each other by Bayes's information criterion:

- white: each read is drawn anew
- slow: white noise and a first-order autoregression, by Whittle's likelihood of the periodogram
- telegraph: white noise and two levels between which a Markov chain jumps, by expectation and maximisation

Where telegraph noise wins, what it leaves is tried for slow drift too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from netlists.errors import InputError

from .written import HeldOut

LEAST_READS = 50
"""Reads of a cell that time constants can be fitted to."""
LEAST_FREE, MOST_GROUPS = 50, 8
"""Degrees of freedom that a spread by state is worth showing for, and groups of conductances of cells without targets."""
_LASTING = float(np.exp(-1))


@dataclass(frozen=True)
class ReadNoise:
    """Read noise of one cell, siemens; times in reads.

    Attributes
    ----------
    cell : str
    conductance : float
        Mean of the reads.
    reads : int
    kind : {"white", "slow", "telegraph", "telegraph + slow"}
    sigma, sigma_stderr : float
        Standard deviation of all reads; its error allows for their correlation.
    white : float
        Standard deviation of what each read draws anew.
    slow, slow_time : float
        Standard deviation and correlation time of the drift; 0: none.
    step, occupied, telegraph_time : float
        Height of the telegraph noise, share of time in its upper state, correlation time; 0: none.
    evidence : float
        By how much the criterion prefers this model to white noise.
    """

    cell: str
    conductance: float
    reads: int
    kind: Literal["white", "slow", "telegraph", "telegraph + slow"]
    sigma: float
    sigma_stderr: float
    white: float
    slow: float = 0.0
    slow_time: float = 0.0
    step: float = 0.0
    occupied: float = 0.5
    telegraph_time: float = 0.0
    evidence: float = 0.0

    @property
    def telegraph_share(self) -> float:
        """Part of the variance that is telegraph noise."""
        return min(self.step**2 * self.occupied * (1 - self.occupied) / self._variance, 1.0)

    @property
    def lasting_share(self) -> float:
        """Part of the variance that lasts from read to read."""
        return min(self.telegraph_share + self.slow**2 / self._variance, 1.0)

    @property
    def time(self) -> float:
        """Correlation time of what lasts, weighted by variance, reads."""
        parts = (self.telegraph_share, self.slow**2 / self._variance)
        return float(np.average((self.telegraph_time, self.slow_time), weights=parts)) if sum(parts) else 0.0

    @property
    def _variance(self) -> float:
        lasting = self.step**2 * self.occupied * (1 - self.occupied) + self.slow**2
        return max(self.white**2 + lasting, 1e-300)


def fit_reads(series: np.ndarray, cell: str = "cell") -> ReadNoise:
    """Fits the read noise of one cell to its reads in order, shape (reads,), siemens.

    Raises
    ------
    InputError
        Fewer than 50 reads.
    """
    n = len(series)
    if n < LEAST_READS:
        raise InputError(f"read: {cell} has {n} reads; time constants need {LEAST_READS} or more of a cell")
    mean, sigma = float(np.mean(series)), float(np.std(series, ddof=1))
    if sigma == 0:
        return ReadNoise(cell, mean, n, "white", 0.0, 0.0, 0.0)
    y = (series - mean) / sigma
    kurtosis = float(np.mean(y**4) / np.mean(y**2) ** 2)
    slow = _Slow.fit(y)
    jumps = _Telegraph.fit(y)
    # White noise has no parameter more than mean and spread; slow drift has two, telegraph noise four.
    scores = {"white": 0.0, "slow": 2 * slow.gain - 2 * np.log(n), "telegraph": 2 * jumps.gain - 4 * np.log(n)}
    kind = max(scores, key=lambda name: scores[name])
    about = {"sigma": sigma, "sigma_stderr": sigma * np.sqrt(max(kurtosis - 1, 0.5) / n) / 2, "evidence": scores[kind]}
    if kind == "white":
        return ReadNoise(cell, mean, n, "white", white=sigma, **about)
    if kind == "slow":
        return _with_error(
            ReadNoise(cell, mean, n, "slow", white=sigma * slow.white, slow=sigma * slow.slow, slow_time=slow.time, **about)
        )
    levels = {"step": sigma * jumps.step, "occupied": jumps.occupied, "telegraph_time": jumps.time}
    rest = y - jumps.smoothed
    left = float(np.std(rest))
    more = _Slow.fit(rest / left)
    if 2 * more.gain - 2 * np.log(n) <= 0:
        return _with_error(ReadNoise(cell, mean, n, "telegraph", white=sigma * jumps.white, **levels, **about))
    about["evidence"] = scores[kind] + 2 * more.gain - 2 * np.log(n)
    scale = sigma * jumps.white
    return _with_error(
        ReadNoise(
            cell,
            mean,
            n,
            "telegraph + slow",
            white=scale * more.white,
            slow=scale * more.slow,
            slow_time=more.time,
            **levels,
            **about,
        )
    )


def _with_error(fit: ReadNoise) -> ReadNoise:
    """The noise with the standard error of its deviation: that of the variance of each part over the reads, and of their products.

    Of a telegraph cell it is the share of time in the upper state, p, that a finite series leaves open: its variance h^2 p (1 - p)
    moves with (1 - 2 p) times the error of p, and with its square.
    """
    n, p = fit.reads, fit.occupied
    rho = float(np.exp(-1 / fit.slow_time)) if fit.slow_time > 0 else 0.0
    jumps = float(np.exp(-1 / fit.telegraph_time)) if fit.telegraph_time > 0 else 0.0
    white, slow, telegraph = fit.white**2, fit.slow**2, fit.step**2 * p * (1 - p)

    def effective(correlation: float) -> float:
        return max(n * (1 - correlation) / (1 + correlation), 1.0)

    share = p * (1 - p) / effective(jumps)
    # The error of p itself makes an asymmetry, which is no asymmetry of the cell.
    asymmetry = max((1 - 2 * p) ** 2 - 4 * share, 0.0)
    variance = 2 * white**2 / n + 2 * slow**2 / effective(rho**2) + fit.step**4 * (asymmetry * share + 2 * share**2)
    variance += 4 * white * (slow + telegraph) / n + 4 * slow * telegraph / effective(rho * jumps)
    return replace(fit, sigma_stderr=float(np.sqrt(variance) / (2 * fit.sigma)))


def fit_repeats(repeats: list[tuple[float, np.ndarray]]) -> dict[float, ReadNoise]:
    """Read noise by target of cells that were read a few times each, (target, reads): of all cells of a target together, and white.

    The variance is that of the reads around each cell's own mean; n cells with m reads each leave n (m - 1) degrees of freedom.
    """
    out = {}
    groups: dict[float, list[np.ndarray]] = {}
    for target, own in repeats:
        if not np.isnan(target):
            groups.setdefault(target, []).append(own)
    for near in _alike([y for t, y in repeats if np.isnan(t)]):
        groups.setdefault(float(np.mean([y.mean() for y in near])), []).extend(near)
    for target, series in sorted(groups.items()):
        reads = sum(map(len, series))
        free = reads - len(series)
        sigma = float(np.sqrt(sum(float(np.sum((y - y.mean()) ** 2)) for y in series) / free))
        mean = float(np.mean(np.concatenate(series)))
        label = f"{len(series)} cells at {1e6 * target:g} uS"
        out[target] = ReadNoise(label, mean, reads, "white", sigma, sigma / np.sqrt(2 * free), sigma)
    return out


def _alike(series: list[np.ndarray]) -> list[list[np.ndarray]]:
    """Series of cells without targets in groups of near conductances, of about equal degrees of freedom, `LEAST_FREE` or more."""
    if not series:
        return []
    ordered = sorted(series, key=lambda y: float(y.mean()))
    free = np.cumsum([len(y) - 1 for y in ordered])
    groups = int(np.clip(free[-1] // LEAST_FREE, 1, MOST_GROUPS))
    place = (free - 1) * groups // free[-1]
    return [[y for y, k in zip(ordered, place, strict=True) if k == group] for group in np.unique(place)]


def check_reads(series: list[np.ndarray]) -> HeldOut:
    """Holds the read-to-read noise of each cell's second half against that of its first: is it stationary?

    The variances of neighbouring reads' differences, in ten blocks of each half, by Student's test of their logarithms; the
    smallest p-value times the number of cells.
    """
    from scipy.stats import ttest_ind

    found = []
    for y in series:
        blocks = np.array_split(np.diff(y), 20)
        logs = np.log([max(float(np.mean(b**2)), 1e-300) for b in blocks])
        found.append(float(ttest_ind(logs[:10], logs[10:], equal_var=False).pvalue) if np.ptp(logs) else 1.0)
    return HeldOut(
        "read-to-read noise, second half of the reads against the first",
        min(min(found) * len(found), 1.0),
        sum(map(len, series)) // 2,
    )


@dataclass(frozen=True)
class _Slow:
    """White noise and an autoregression, of a series with standard deviation 1."""

    white: float
    slow: float
    time: float
    gain: float

    @classmethod
    def fit(cls, y: np.ndarray) -> _Slow:
        from scipy.optimize import minimize

        n = len(y)
        omega = 2 * np.pi * np.arange(1, n // 2) / n
        power = (np.abs(np.fft.fft(y)) ** 2 / n)[1 : n // 2]

        def spectrum(p: np.ndarray) -> np.ndarray:
            white, slow, rho = np.exp(p[0]), np.exp(p[1]), 1 / (1 + np.exp(-p[2]))
            return white + slow * (1 - rho**2) / (1 - 2 * rho * np.cos(omega) + rho**2)

        def negative(p: np.ndarray) -> float:
            s = spectrum(p)
            return float(np.sum(np.log(s) + power / s))

        starts = [np.log([0.5, 0.5, np.exp(k)]) for k in (0.0, 2.0, 4.0)]
        bounds = [(-12.0, 2.0), (-12.0, 4.0), (-2.0, np.log(n))]
        best = min((minimize(negative, s, method="L-BFGS-B", bounds=bounds) for s in starts), key=lambda r: r.fun)
        flat = float(np.sum(np.log(power.mean()) + power / power.mean()))
        rho = 1 / (1 + np.exp(-best.x[2]))
        white, slow = np.exp(best.x[:2] / 2)
        return cls(float(white), float(slow), float(-1 / np.log(rho)), flat - float(best.fun))


@dataclass(frozen=True, eq=False)
class _Telegraph:
    """White noise and two levels, of a series with mean 0 and standard deviation 1."""

    white: float
    step: float
    occupied: float
    time: float
    gain: float
    smoothed: np.ndarray

    @classmethod
    def fit(cls, y: np.ndarray, rounds: int = 60) -> _Telegraph:
        low, high = np.quantile(y, (0.1, 0.9))
        for _ in range(20):
            upper = y > (low + high) / 2
            low, high = (float(y[~upper].mean()), float(y[upper].mean())) if 0 < upper.sum() < len(y) else (low, high)
        sigma, up, down = max(float(np.std(y - np.where(upper, high, low))), 0.05), 0.05, 0.05
        value = -np.inf
        for _ in range(rounds):
            new, weight, jumps = _smooth(y, (low, high), sigma, up, down)
            share = weight.sum()
            high, low = float(weight @ y / share), float((1 - weight) @ y / (len(y) - share))
            sigma = float(np.sqrt(np.mean(weight * (y - high) ** 2 + (1 - weight) * (y - low) ** 2)))
            up = min(max(jumps[0] / (len(y) - share), 1e-5), 0.999)
            down = min(max(jumps[1] / share, 1e-5), 0.999)
            if sigma < 1e-3 or new - value < 1e-3:
                break
            value = new
        white = -0.5 * len(y) * (np.log(2 * np.pi * np.mean(y**2)) + 1)
        # Levels with a correlation time below a read are white noise with two levels, not what lasts.
        lasting = 1 - up - down
        gain = new - white if lasting > _LASTING else -np.inf
        time = -1 / np.log(lasting) if lasting > _LASTING else 0.0
        return cls(sigma, abs(high - low), up / (up + down), float(time), float(gain), weight * high + (1 - weight) * low)


def _smooth(
    y: np.ndarray, levels: tuple[float, float], sigma: float, up: float, down: float
) -> tuple[float, np.ndarray, tuple[float, float]]:
    """Log-likelihood, probability of the upper level at each read, and expected numbers of jumps up and down."""
    density = np.exp(-0.5 * ((y[:, None] - np.array(levels)) / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi)) + 1e-300
    n = len(y)
    ahead, scale = np.empty((n, 2)), np.empty(n)
    a, b = down / (up + down), up / (up + down)
    for i, (p, q) in enumerate(density.tolist()):
        if i:
            a, b = a * (1 - up) + b * down, a * up + b * (1 - down)
        a, b = a * p, b * q
        c = a + b
        a, b = a / c, b / c
        ahead[i], scale[i] = (a, b), c
    back = np.ones((n, 2))
    a = b = 1.0
    rows, scales = density.tolist(), scale.tolist()
    for i in range(n - 2, -1, -1):
        p, q = rows[i + 1][0] * a / scales[i + 1], rows[i + 1][1] * b / scales[i + 1]
        a, b = (1 - up) * p + up * q, down * p + (1 - down) * q
        back[i] = a, b
    weight = (ahead * back)[:, 1]
    ratio = density[1:] * back[1:] / scale[1:, None]
    jumps = float(np.sum(ahead[:-1, 0] * up * ratio[:, 1])), float(np.sum(ahead[:-1, 1] * down * ratio[:, 0]))
    return float(np.sum(np.log(scale))), weight, jumps
