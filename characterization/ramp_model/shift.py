"""Distribution of the shift common to a chip's levels: normal, Student t, a mixture of two normals, or one that follows the gain.

Which one, is decided by the likelihood of samples it was not fitted to: a tail is only added where it predicts better,
by more than the standard error of that comparison.

``follows-gain`` is what one-point calibration leaves. The charge that it writes is delivered with the chip's own gain, so that
a part of the offset times the gain error stays; the op-amp's offset makes both: with u the chip's standardised gain error, the
mean is ``apart (u^2 - 1)``. Around it lies what the write of the trimming cell missed, a normal that write-verify cut off at
``cut`` times its sigma. A large error takes a coarse calibration cell too, written less finely: with probability
``expit(logit(weight) + steep u^2)`` the shift comes from a wide normal.

``table`` is the same without a form: quantiles of the shift at several gain errors, straight between them, where many chips say
that they predict held-out ones better. A write leaves an error of its own law and mean at each target.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from netlists.check_rules import Choice
from netlists.checks import NonNegative, Share, checked
from netlists.errors import InputError

from .shift_density import SURE, follows_gain_logpdf
from .step_law import GRID, KNOTS, SCORED, draw_steps, folds, ranked_score

if TYPE_CHECKING:
    from scipy.interpolate import RegularGridInterpolator

KINDS = ("normal", "student-t", "two-normals", "follows-gain", "table")
MINIMUM_FOR_TAIL = 50
"""Fewer samples than this decide nothing about a tail."""
MINIMUM_FOR_TABLE = 1000
_EDGES = (0.01, 0.03, 0.07, 0.15, 0.3, 0.5, 0.7, 0.85, 0.93, 0.97, 0.99)
"""Shares of chips, in the order of their gain errors, between which each row of a table has its own."""
_ROW = 80
"""Chips that a row rests on, at least."""
_GRID = 4001
_NO_GAIN = "gain: a shift that follows the gain needs the gain error of each chip"
_SEARCH: dict[str, tuple[str, list[list[float]], list[tuple[float, float]]]] = {
    "student-t": ("L-BFGS-B", [[-0.2, 1.5]], [(-3, 1), (-4, 6)]),
    "two-normals": ("L-BFGS-B", [[-0.3, 0.0, -1.5, 0.1]], [(-3, 0.5), (-4, 3), (-6, 6), (-5, 5)]),
    # Where the narrow normal ends the likelihood jumps: no method of gradients, and more than one start.
    "follows-gain": (
        "Nelder-Mead",
        [[-0.1, 0.3, 0.1, -5.0, 1.0, 0.5], [-0.1, 0.3, 0.3, -6.0, 1.3, 0.0]],
        [(-4, 1), (-4, 3), (-5, 5), (-12, 6), (0, 5), (-3, 2)],
    ),
}
"""Method, starts and bounds of the maximum-likelihood search of each kind, in its own parameters."""


@checked
@dataclass(frozen=True)
class ShiftDistribution:
    """A distribution of zero mean.

    Attributes
    ----------
    kind : {"normal", "student-t", "two-normals", "follows-gain", "table"}
    sigma : float
        Scale of the normal, of the Student t, or of the narrow normal.
    shape : float
        Degrees of freedom of the Student t (above 2), or sigma of the wide normal.
    weight, apart : float
        Of the mixture: share of the wide normal, and its mean minus that of the narrow one. Of ``follows-gain``: the share at
        a gain without error, and the bend of the mean.
    steep : float
        Of ``follows-gain``: growth of the wide normal's log odds with the square of the gain error, 0 or more.
    cut : float
        Of ``follows-gain``: where the narrow normal ends, in units of ``sigma``, above 0.
    gains : tuple of float
        Of ``table``: standardised gain errors of its rows, increasing.
    table : tuple of tuple of float
        Of ``table``: a row of `KNOTS` quantiles for each of ``gains``.
    """

    kind: Annotated[str, Choice(KINDS)]
    sigma: NonNegative
    shape: float = 0.0
    weight: Share = 0.0
    apart: float = 0.0
    steep: float = 0.0
    cut: float = 0.0
    gains: tuple[float, ...] = field(default=(), repr=False)
    table: tuple[tuple[float, ...], ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if self.kind == "student-t" and self.shape <= 2:
            raise InputError(f"shape={self.shape}: a student-t needs more than 2 degrees of freedom")
        if self.kind in ("two-normals", "follows-gain") and self.shape <= 0:
            raise InputError(f"shape={self.shape}: the sigma of the wide normal must be above 0")
        if (self.kind == "table") != bool(self.table) or any(len(row) != KNOTS for row in self.table):
            raise InputError(f"table: kind table has rows of {KNOTS} quantiles, other kinds none")
        if len(self.gains) != len(self.table) or np.any(np.diff(self.gains) <= 0):
            raise InputError(f"gains={self.gains}: must be increasing, one for each row of the table")
        if self.kind == "follows-gain" and (self.steep < 0 or not 0 < self.weight < 1 or self.sigma == 0 or self.cut <= 0):
            raise InputError(
                f"sigma={self.sigma}, weight={self.weight}, steep={self.steep}, cut={self.cut}: a shift that follows the "
                "gain needs sigma and cut above 0, a weight between 0 and 1, and steep 0 or more"
            )

    @property
    def variance(self) -> float:
        """Variance, unit squared."""
        if self.kind == "student-t":
            return self.sigma**2 * self.shape / (self.shape - 2)
        if self.kind == "two-normals":
            p = self.weight
            return (1 - p) * self.sigma**2 + p * self.shape**2 + p * (1 - p) * self.apart**2
        if self.kind == "follows-gain":
            u, density = np.polynomial.hermite_e.hermegauss(64)
            share = float(density @ self.share_of_wide(u) / density.sum())
            # u is standard normal: u^2 has the variance 2.
            from scipy.stats import truncnorm

            narrow = float(truncnorm.var(-self.cut, self.cut, scale=self.sigma))
            return narrow + share * (self.shape**2 - narrow) + 2 * self.apart**2
        if self.kind == "table":
            u = np.linspace(-6, 6, 241)
            weight = np.exp(-(u**2) / 2)
            weight /= weight.sum()
            drawn = self._from_table(u[:, None], u[None])
            return float(weight @ (drawn - weight @ drawn @ weight) ** 2 @ weight)
        return self.sigma**2

    def scaled(self, factor: float) -> ShiftDistribution:
        """The distribution of shifts ``factor`` times as large."""
        wide = self.shape if self.kind == "student-t" else self.shape * factor
        rows = tuple(tuple(factor * q for q in row) for row in self.table)
        return replace(self, sigma=self.sigma * factor, shape=wide, apart=self.apart * factor, table=rows)

    def _from_table(self, z: np.ndarray, gain: np.ndarray) -> np.ndarray:
        """Quantiles at normal numbers ``z`` and gain errors, which are broadcast."""
        z, gain = np.broadcast_arrays(z, np.asarray(gain, float))
        rows, out = np.array(self.table), np.zeros(z.shape)
        place = np.interp(gain, self.gains, np.arange(len(rows)))
        low = np.clip(place.astype(int), 0, max(len(rows) - 2, 0))
        for i in range(max(len(rows) - 1, 1)):
            here = low == i
            pair = draw_steps(rows[i : i + 2], np.repeat(z[here][:, None], len(rows[i : i + 2]), axis=1))
            out[here] = pair[:, 0] + (place[here] - i) * (pair[:, -1] - pair[:, 0])
        return out

    def _means(self) -> tuple[float, float]:
        return -self.weight * self.apart, (1 - self.weight) * self.apart

    def share_of_wide(self, gain: np.ndarray) -> np.ndarray:
        """Probability of the wide normal at standardised gain errors, shape of ``gain``."""
        from scipy.special import expit

        return expit(self._log_odds(gain))

    def _log_odds(self, gain: np.ndarray) -> np.ndarray:
        from scipy.special import logit

        return np.minimum(logit(self.weight) + self.steep * np.asarray(gain) ** 2, SURE)

    def _given(self, x: np.ndarray, gain: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Deviation from the mean at each gain error, and the share of the wide normal."""
        if gain is None:
            raise InputError(_NO_GAIN)
        return x - self.apart * (np.asarray(gain) ** 2 - 1), self.share_of_wide(gain)

    def _narrow_cdf(self, d: np.ndarray) -> np.ndarray:
        from scipy.stats import norm

        below = norm.cdf(np.clip(np.asarray(d) / self.sigma, -self.cut, self.cut))
        return (below - norm.sf(self.cut)) / (1 - 2 * norm.sf(self.cut))

    def logpdf(self, x: np.ndarray, gain: np.ndarray | None = None) -> np.ndarray:
        """Log density, shape of x; of kind ``follows-gain`` given the standardised gain errors, of the same shape.

        Raises
        ------
        InputError
            Of kind ``table``, which has none.
        """
        if self.kind == "table":
            raise InputError("kind='table': a table of quantiles has no density")
        if self.kind == "follows-gain":
            if gain is None:
                raise InputError(_NO_GAIN)
            numbers = (self.sigma, self.shape, self.weight, self.apart, self.steep, self.cut)
            return follows_gain_logpdf(np.asarray(x), np.asarray(gain) ** 2, *numbers)
        from scipy.stats import norm, t

        if self.kind == "student-t":
            return t.logpdf(x, self.shape, scale=self.sigma)
        if self.kind == "two-normals":
            a, b = self._means()
            return np.logaddexp(
                np.log1p(-self.weight) + norm.logpdf(x, a, self.sigma), np.log(self.weight) + norm.logpdf(x, b, self.shape)
            )
        return norm.logpdf(x, scale=self.sigma)

    def cdf(self, x: np.ndarray, gain: np.ndarray | None = None) -> np.ndarray:
        """Cumulative distribution, shape of x; arguments as for `logpdf`."""
        from scipy.stats import norm, t

        if self.kind == "table":
            if gain is None:
                raise InputError(_NO_GAIN)
            p = norm.cdf(GRID)
            rows = self._from_table(GRID, np.ravel(gain)[:, None])
            return np.array([np.interp(v, q, p) for v, q in zip(np.ravel(x), rows, strict=True)]).reshape(np.shape(x))
        if self.kind == "follows-gain":
            d, wide = self._given(x, gain)
            return (1 - wide) * self._narrow_cdf(d) + wide * norm.cdf(d, scale=self.shape)
        if self.kind == "student-t":
            return t.cdf(x, self.shape, scale=self.sigma)
        if self.kind == "two-normals":
            a, b = self._means()
            return (1 - self.weight) * norm.cdf(x, a, self.sigma) + self.weight * norm.cdf(x, b, self.shape)
        return norm.cdf(x, scale=self.sigma)

    def transform(self, gaussian: np.ndarray, sigma: float, gain: np.ndarray | None = None) -> np.ndarray:
        """Numbers of this distribution with the quantiles that ``gaussian`` has in a normal of the given sigma; shape kept."""
        from scipy.stats import norm, t

        z = np.clip(np.asarray(gaussian) / sigma, -8, 8)
        if self.kind == "table":
            if gain is None:
                raise InputError(_NO_GAIN)
            return self._from_table(z, gain)
        if self.kind == "follows-gain":
            if gain is None:
                raise InputError(_NO_GAIN)
            odds = np.broadcast_to(self._log_odds(gain), z.shape)
            return self._quantiles(np.stack([odds, z], axis=-1)) + self.apart * (np.asarray(gain) ** 2 - 1)
        if self.kind == "student-t":
            return t.ppf(norm.cdf(z), self.shape, scale=self.sigma)
        if self.kind == "two-normals":
            # On a grid: the mixture's quantile has no closed form. In normal quantiles it is smooth and nearly straight.
            reach = 9 * max(self.sigma, self.shape) + abs(self.apart)
            x = np.linspace(-reach, reach, _GRID)
            below = np.where(x < 0, self.cdf(x), 1 - self.cdf(x))
            q = np.where(x < 0, norm.ppf(np.maximum(below, 1e-300)), -norm.ppf(np.maximum(below, 1e-300)))
            keep = np.concatenate([[True], np.diff(q) > 0])
            return np.interp(z, q[keep], x[keep])
        return z * self.sigma

    @cached_property
    def _quantiles(self) -> RegularGridInterpolator:
        """Deviation from the mean against (log odds of the wide normal, normal quantile), on a grid that no sample decides."""
        from scipy.interpolate import RegularGridInterpolator
        from scipy.special import expit, logit
        from scipy.stats import norm

        low = min(float(logit(self.weight)), SURE)
        odds = np.linspace(low, max(SURE, low + 1), 257)
        z = np.linspace(-8, 8, 1601)
        reach = 9 * max(self.sigma, self.shape)
        x = np.linspace(-reach, 0, _GRID // 2 + 1)
        rows = []
        for share in expit(odds):
            below = (1 - share) * self._narrow_cdf(x) + share * norm.cdf(x, scale=self.shape)
            q = norm.ppf(np.maximum(below, 1e-300))
            keep = np.concatenate([[True], np.diff(q) > 0])
            half = np.interp(z[: len(z) // 2 + 1], q[keep], x[keep])
            # Both are symmetric about the mean.
            rows.append(np.concatenate([half, -half[-2::-1]]))
        return RegularGridInterpolator((odds, z), np.array(rows))

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready dictionary."""
        return asdict(self)


def fit_shift(x: np.ndarray, kind: str, gain: np.ndarray | None = None) -> ShiftDistribution:
    """Maximum-likelihood fit of one kind to centred samples, shape (n,); ``gain`` (n,) as for `ShiftDistribution.logpdf`."""
    from scipy.optimize import minimize
    from scipy.special import expit

    x = np.asarray(x, float) - np.mean(x)
    sigma = float(x.std())
    if kind == "normal":
        return ShiftDistribution("normal", sigma)
    names = [field.name for field in fields(ShiftDistribution)]

    def numbers(p: np.ndarray) -> tuple[float, ...]:
        if kind == "student-t":
            return math.exp(p[0]) * sigma, 2.0 + math.exp(p[1])
        wide = (math.exp(p[0]) + math.exp(p[1])) * sigma
        if kind == "follows-gain":
            return math.exp(p[0]) * sigma, wide, float(expit(p[3])), float(p[2]) * sigma, float(p[4]), 1 + math.exp(p[5])
        return math.exp(p[0]) * sigma, wide, 0.5 / (1 + math.exp(-p[2])), float(p[3]) * sigma

    def loss_of_gain(p: np.ndarray) -> float:
        value = -float(follows_gain_logpdf(x, square, *numbers(p)).sum()) / len(x)
        return value if math.isfinite(value) else 1e6

    def loss_of_any(p: np.ndarray) -> float:
        # Within its bounds a search meets valid numbers alone; the checks would be a fifth of its time.
        tried = object.__new__(ShiftDistribution)
        vars(tried).update(zip(names, (kind, *numbers(p)), strict=False))
        value = -float(np.mean(tried.logpdf(x, gain)))
        return value if math.isfinite(value) else 1e6

    method, starts, bounds = _SEARCH[kind]
    square = np.zeros(0) if gain is None else np.asarray(gain) ** 2
    loss = loss_of_gain if kind == "follows-gain" and gain is not None else loss_of_any
    found = [minimize(loss, np.array(start), method=method, bounds=bounds) for start in starts]
    if method == "Nelder-Mead":
        # A simplex that has collapsed early gets a new one at the place where it stopped.
        found = [minimize(loss, result.x, method=method, bounds=bounds) for result in found]
    best = min(found, key=lambda result: result.fun)
    made: dict[str, Any] = dict(zip(names, (kind, *numbers(best.x)), strict=False))
    return ShiftDistribution(**made)


def choose_shift(x: np.ndarray, sigma: float, gain: np.ndarray | None = None) -> tuple[ShiftDistribution, dict[str, Any]]:
    """The kind that predicts held-out samples best; normal unless another is better by more than its standard error.

    Parameters
    ----------
    x : ndarray (n,)
    sigma : float
        Standard deviation that a normal is given.
    gain : ndarray (n,), optional
        Standardised gain error of each chip; without it no shift can follow it.

    Returns
    -------
    distribution, evidence : ShiftDistribution, dict
    """
    normal = ShiftDistribution("normal", sigma)
    if len(x) < MINIMUM_FOR_TAIL or sigma == 0:
        return normal, {"kind": "normal", "reason": f"{len(x)} samples decide nothing about a tail ({MINIMUM_FOR_TAIL} needed)"}
    kinds = [kind for kind in KINDS if kind != "table" and (kind != "follows-gain" or gain is not None)]
    scores = {kind: np.empty(len(x)) for kind in kinds}
    fits: dict[str, list[ShiftDistribution]] = {kind: [] for kind in kinds}
    for train, test in folds(len(x)):
        centre = np.mean(x[train])
        for kind in kinds:
            known, new = (None, None) if gain is None else (gain[train], gain[test])
            found = fit_shift(x[train], kind, known)
            fits[kind].append(found)
            scores[kind][test] = found.logpdf(x[test] - centre, new)
    best = max(kinds, key=lambda kind: float(scores[kind].mean()))
    better = scores[best] - scores["normal"]
    evidence: dict[str, Any] = {"held_out_log_likelihood": {kind: float(scores[kind].mean()) for kind in kinds}}
    if best != "normal":
        evidence |= {"gain": float(better.mean()), "gain_stderr": float(better.std(ddof=1) / math.sqrt(len(x)))}
        if better.mean() <= evidence["gain_stderr"]:
            best = "normal"
    chosen = normal if best == "normal" else fit_shift(x, best, gain)
    if gain is not None and len(x) >= MINIMUM_FOR_TABLE:
        better = _table_is_better(x, gain, fits[best])
        error = float(better.std(ddof=1) / math.sqrt(len(better)))
        evidence |= {"table_better": float(better.mean()), "table_better_stderr": error}
        if evidence["table_better"] > evidence["table_better_stderr"]:
            best, chosen = "table", fit_table(x, gain)
    return chosen, {"kind": best, **evidence}


def fit_table(x: np.ndarray, gain: np.ndarray) -> ShiftDistribution:
    """Quantiles of samples (n,) among those of a like gain error (n,)."""
    from scipy.special import ndtr

    order = np.argsort(gain, kind="stable")
    edges = [0, *(round(share * len(x)) for share in _EDGES), len(x)]
    # Too few chips join their neighbours, from both ends towards the middle.
    while len(edges) > 2 and edges[1] < _ROW:
        edges.pop(1)
    while len(edges) > 2 and edges[-1] - edges[-2] < _ROW:
        edges.pop(-2)
    bins = [order[a:b] for a, b in pairwise(edges)]
    centred = x - np.mean(x)
    rows = [tuple(np.quantile(centred[b], ndtr(GRID)).tolist()) for b in bins]
    return ShiftDistribution("table", float(centred.std()), gains=tuple(float(gain[b].mean()) for b in bins), table=tuple(rows))


def _table_is_better(x: np.ndarray, gain: np.ndarray, others: list[ShiftDistribution]) -> np.ndarray:
    """By how much a table scores lower (better) at held-out samples than other distributions of the same folds, shape (n,)."""
    from scipy.special import ndtri

    out = np.empty(len(x))
    z = ndtri(SCORED)[:, None]
    for (train, test), other in zip(folds(len(x)), others, strict=True):
        tables = fit_table(x[train], gain[train])
        new = x[test] - np.mean(x[train])
        scores = []
        for d in (other, tables):
            quantiles = d.transform(np.broadcast_to(z, (len(z), len(test))), 1.0, np.broadcast_to(gain[test], (len(z), len(test))))
            scores.append(ranked_score(quantiles.T[:, :, None], new[:, None]))
        out[test] = scores[0] - scores[1]
    return out
