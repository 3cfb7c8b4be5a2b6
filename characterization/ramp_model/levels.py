"""Distribution of the transition levels of drawn chips: mean, structured covariance, and a tail where the data ask for one.

Cell errors make the steps of a ramp nearly independent, so the covariance is written as low rank plus diagonal, of the
steps or of the levels; both, and the unstructured sample covariance, are compared by the likelihood of samples they were
not fitted to. What calibration writes moves all levels of a chip together. That common shift is the sum of few writes
and need not be Gaussian: chips whose error takes a coarse cell as well end with a wider one, and a gain error leaves a part of
the offset uncorrected. It is tested for a tail, and given a Student t, a mixture of two normals or a dependence on the gain where
held-out likelihood asks for it. What each step misses by itself has the law of written cells, which
write-verify bounds (`step_law`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Annotated, Any

import numpy as np

from netlists.check_rules import Array, Choice, Whole
from netlists.checks import checked, made_of
from netlists.errors import InputError

from .shift import ShiftDistribution, choose_shift
from .step_law import FOLDS, KNOTS, draw_steps, fit_law, folds

BASES = ("levels", "steps")
_STRUCTURES = (("steps", 1), ("steps", 2), ("steps", 3), ("levels", 2), ("levels", 4))
_TINY = 1e-9
_SMALL_VARIANCE = 1e-12
_FACTOR_ROUNDS, _FACTOR_GAIN = 1000, 0.01
"""Deviations below this share of the largest one are rounding."""


@checked
@dataclass(frozen=True)
class LevelDistribution:
    """Transition levels of a chip: ``mean + common shift + B (loadings z + sqrt(diagonal) e)``, z standard normal, e of ``law``.

    B is the identity (``basis="levels"``) or sums up steps outwards from the level ``anchor`` (``"steps"``), where a
    calibrated ramp is known best.

    Attributes
    ----------
    mean : ndarray (levels,)
        Input units.
    basis : {"levels", "steps"}
    loadings : ndarray (levels, rank)
    diagonal : ndarray (levels,)
        Variances, input units squared, 0 or more.
    shift : ShiftDistribution
        Distribution of the common shift of all levels, in place of the Gaussian that loadings and diagonal give it.
    anchor : int
        Index of the level that the steps start from.
    evidence : dict
        How the choice was made: held-out log-likelihood per sample of each candidate, and the tests for a tail and for a law.
    law : ndarray (0 or levels, KNOTS)
        Quantiles of e (`step_law.draw_steps`); without rows e is standard normal.
    """

    mean: Annotated[np.ndarray, Array(("levels",))]
    basis: Annotated[str, Choice(BASES)]
    loadings: Annotated[np.ndarray, Array(("levels", "rank"))]
    diagonal: Annotated[np.ndarray, Array(("levels",), low=0)]
    shift: ShiftDistribution
    anchor: Annotated[int, Whole(0)] = 0
    evidence: dict[str, Any] = field(default_factory=dict, compare=False)
    law: Annotated[np.ndarray, Array()] = field(default_factory=lambda: np.zeros((0, KNOTS)))

    def __post_init__(self) -> None:
        levels = len(self.mean)
        if self.anchor >= levels:
            raise InputError(f"anchor={self.anchor!r}: must be the index of one of {levels} levels")
        if len(self.loadings) != levels:
            raise InputError(f"loadings: have shape {self.loadings.shape}, must be ({levels}, rank)")
        if len(self.diagonal) != levels:
            raise InputError(f"diagonal: must be {levels} variances, 0 or more")
        if self.law.size and self.law.shape != (levels, KNOTS):
            raise InputError(f"law: has shape {self.law.shape}, must be ({levels}, {KNOTS}) or empty")

    @classmethod
    def fit(cls, levels: np.ndarray) -> LevelDistribution:
        """Fits to the levels of chips, shape (n, levels), input units; 8 chips or more.

        Raises
        ------
        InputError
            Fewer than 8 chips, or a value that is not finite.
        """
        from scipy.stats import kurtosistest

        levels = np.asarray(levels, float)
        if levels.ndim != 2 or len(levels) < 8 or not np.all(np.isfinite(levels)):
            raise InputError(f"levels: need 8 or more chips with finite levels, got shape {levels.shape}")
        mean = levels.mean(axis=0)
        if np.max(levels.std(axis=0)) <= _TINY * max(float(np.max(np.abs(mean))), 1e-300):
            nothing = ShiftDistribution("normal", 0.0)
            return cls(mean, "levels", np.zeros((len(mean), 1)), np.zeros(len(mean)), nothing, 0, {"structure": "no variation"})
        anchor = int(np.argmin(levels.std(axis=0)))
        scores = {name: _held_out(levels, *name, anchor) for name in _candidates(levels)}
        best = max(scores, key=lambda name: float(np.mean(scores[name])))
        basis, rank = best
        loadings, diagonal = _factors(levels, basis, rank, anchor)
        gaussian = cls(mean, basis, loadings, diagonal, ShiftDistribution("normal", 0.0), anchor)
        shifts = gaussian.common_shift(levels)
        shift, tail = choose_shift(shifts, gaussian.shift_sigma, gaussian.gain(levels - mean))
        evidence: dict[str, Any] = {
            "structure": f"{basis}, {'full' if rank == 0 else f'rank {rank} + diagonal'}",
            "held_out_log_likelihood": {
                f"{b}, {'full' if r == 0 else f'rank {r}'}": float(np.mean(v)) for (b, r), v in scores.items()
            },
            "shift": tail,
        }
        if len(levels) >= 20:
            evidence["shift"]["kurtosis_p_value"] = float(kurtosistest(shifts).pvalue)
        law, evidence["steps"] = gaussian._fit_law(levels)
        return cls(mean, basis, loadings, diagonal, shift, anchor, evidence, law)

    def _fit_law(self, levels: np.ndarray) -> tuple[np.ndarray, dict[str, Any]]:
        """Law of the steps, what their factors explain taken out; where levels, not steps, are independent: normal."""
        if self.basis != "steps" or not np.all(self.diagonal > 0):
            return np.zeros((0, KNOTS)), {"kind": "normal", "reason": "the steps are not independent"}
        x = _to_basis(levels - self.mean, self.basis, self.anchor)
        weighted = self.loadings.T / self.diagonal
        left = np.eye(len(self.mean)) - self.loadings @ np.linalg.lstsq(weighted @ self.loadings, weighted, rcond=None)[0]
        k = np.arange(len(self.mean))
        sign = np.where(k < self.anchor, -1.0, 1.0)
        return fit_law(x @ left.T, left * np.sqrt(self.diagonal), sign, k == self.anchor)

    @classmethod
    def gaussian(cls, mean: np.ndarray, covariance: np.ndarray, evidence: dict[str, Any]) -> LevelDistribution:
        """A Gaussian of given mean (levels,) and covariance (levels, levels), input units."""
        normal = ShiftDistribution("normal", 0.0)
        return cls(mean, "levels", _root(covariance), np.zeros(len(mean)), normal, evidence=evidence)

    @cached_property
    def covariance(self) -> np.ndarray:
        """Covariance of the levels, shape (levels, levels), that of the tail included."""
        # The shift's own variance in place of the Gaussian one: its estimate is uncorrelated with the rest.
        return self._gaussian + (self.shift.variance - self.shift_sigma**2 if self.shift.kind != "normal" else 0.0)

    @cached_property
    def _gaussian(self) -> np.ndarray:
        root = _from_basis(np.concatenate([self.loadings, np.diag(np.sqrt(self.diagonal))], axis=1), self.basis, self.anchor)
        return root @ root.T

    @cached_property
    def _weights(self) -> np.ndarray:
        """Weights of the generalised least-squares estimate of a common shift; they sum to 1."""
        one = np.ones(len(self.mean))
        solved = np.linalg.lstsq(self._gaussian, one, rcond=1e-12)[0]
        total = one @ solved
        return solved / total if total > 0 else one / len(one)

    @property
    def shift_sigma(self) -> float:
        """Standard deviation of the common shift in the Gaussian part, input units."""
        return float(np.sqrt(max(self._weights @ self._gaussian @ self._weights, 0.0)))

    def common_shift(self, levels: np.ndarray) -> np.ndarray:
        """Common shift of chips with the given levels (n, levels) -> (n,), input units (generalised least squares)."""
        return np.einsum("...l,l->...", np.asarray(levels) - self.mean, self._weights)

    def gain(self, deviation: np.ndarray) -> np.ndarray | None:
        """Gain error of chips whose levels deviate from the mean by (..., levels), standardised: the span's deviation, (...,).

        The common shift is not part of it. None where the span does not vary.
        """
        span = np.array([-1.0, *np.zeros(len(self.mean) - 2), 1.0]) if len(self.mean) > 1 else np.zeros(1)
        variance = float(span @ self._gaussian @ span)
        return np.einsum("...l,l->...", deviation, span) / np.sqrt(variance) if variance > 0 else None

    def draw(self, z: np.ndarray) -> np.ndarray:
        """Levels from standard normal numbers ``z`` (..., rank + levels): one chip a row; (..., levels)."""
        rank = self.loadings.shape[1]
        deviation = _from_basis(
            (z[..., :rank] @ self.loadings.T + draw_steps(self.law, z[..., rank:]) * np.sqrt(self.diagonal)).T,
            self.basis,
            self.anchor,
        ).T
        if self.shift.kind != "normal":
            gaussian = np.einsum("...l,l->...", deviation, self._weights)
            shift = self.shift.transform(gaussian, self.shift_sigma, self.gain(deviation))
            deviation = deviation + (shift - gaussian)[..., None]
        return self.mean + deviation

    @property
    def normals(self) -> int:
        """Standard normal numbers that `draw` takes for a chip."""
        return self.loadings.shape[1] + len(self.mean)

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Levels of ``n`` chips, shape (n, levels), input units."""
        return self.draw(rng.standard_normal((n, self.normals)))

    def moved(self, shift: np.ndarray, scale: float) -> LevelDistribution:
        """The distribution with its mean moved by ``shift`` (levels,), input units, and deviations ``scale`` times as large."""
        tail = self.shift.scaled(scale)
        return replace(self, mean=self.mean + shift, loadings=self.loadings * scale, diagonal=self.diagonal * scale**2, shift=tail)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready dictionary."""
        arrays = {name: getattr(self, name).tolist() for name in ("mean", "loadings", "diagonal", "law")}
        return {f.name: getattr(self, f.name) for f in fields(self)} | arrays | {"shift": self.shift.as_dict()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> LevelDistribution:
        """What `as_dict` wrote; `InputError` names a field that is missing, unknown or wrong."""
        return made_of(cls, data, "level distribution")


def _to_basis(levels: np.ndarray, basis: str, anchor: int) -> np.ndarray:
    """Levels (n, levels) in the basis: as they are, or the anchor's level and the steps away from it on both sides."""
    if basis == "levels":
        return levels
    steps = np.diff(levels, axis=1)
    return np.concatenate([-steps[:, :anchor], levels[:, [anchor]], steps[:, anchor:]], axis=1)


def _from_basis(columns: np.ndarray, basis: str, anchor: int) -> np.ndarray:
    """The inverse of `_to_basis`; rows are levels or steps, shape (levels, ...)."""
    if basis == "levels":
        return columns
    up = np.cumsum(columns[anchor:], axis=0)
    down = np.cumsum(columns[anchor::-1], axis=0)[::-1]
    return np.concatenate([down[:-1], up])


def _candidates(levels: np.ndarray) -> list[tuple[str, int]]:
    """Structures that so many samples can decide between: (basis, rank), rank 0 for the full covariance."""
    n, width = levels.shape
    train = n - -(-n // FOLDS)
    out = [(basis, r) for basis, r in _STRUCTURES if r < width and 2 * r < train]
    if train > width + 2 or not out:
        out.append(("levels", 0))
    return out


def _factors(levels: np.ndarray, basis: str, rank: int, anchor: int) -> tuple[np.ndarray, np.ndarray]:
    """Loadings and diagonal of one structure."""
    data = _to_basis(levels - levels.mean(axis=0), basis, anchor)
    if not np.ptp(levels, axis=0).any():
        # Where nothing varies, one chip's levels are another's to the bit: rounding is all that could be between them.
        width = data.shape[1]
        return np.zeros((width, rank or width)), np.full(width, (np.finfo(float).eps * np.abs(levels).max()) ** 2)
    if rank == 0:
        return _root(np.atleast_2d(np.cov(data.T))), np.zeros(data.shape[1])
    scale = data.std(axis=0, ddof=1)
    # A step that never varies has no scale of its own.
    scale = np.maximum(scale, _TINY * scale.max())
    loadings, diagonal = factor_analysis(np.cov((data / scale).T), rank)
    return loadings * scale[:, None], diagonal * scale**2


def factor_analysis(covariance: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """Splits a covariance, shape (p, p), into loadings (p, rank) and a diagonal (p,), by maximum likelihood.

    Eigenvectors of the covariance in units of the diagonal give the loadings, what they leave of the variances the next diagonal
    (Barber, Bayesian Reasoning and Machine Learning, 2012, section 21.2.2). It ends when the log-likelihood of 2 p samples gains
    less than 0.01.
    """
    variances, samples = np.diag(covariance), 2 * len(covariance)
    diagonal, likelihood = np.ones(len(covariance)), -np.inf
    for _ in range(_FACTOR_ROUNDS):
        unit = np.sqrt(diagonal) + _SMALL_VARIANCE
        values, vectors = np.linalg.eigh(covariance / np.outer(unit, unit))
        # Eigenvalues of levels that never vary are 0.
        kept, rest = np.maximum(values[: -rank - 1 : -1], np.finfo(float).tiny), values[:-rank]
        loadings = vectors[:, : -rank - 1 : -1] * np.sqrt(np.maximum(kept - 1.0, 0.0)) * unit[:, None]
        before, likelihood = likelihood, -samples / 2 * (np.log(kept).sum() + rest.sum() + np.log(diagonal).sum())
        if likelihood - before < _FACTOR_GAIN:
            break
        diagonal = np.maximum(variances - (loadings**2).sum(axis=1), _SMALL_VARIANCE)
    # The sign of an eigenvector is the library's whim: the largest loading is positive.
    largest = loadings[np.abs(loadings).argmax(axis=0), np.arange(rank)]
    return np.where(largest < 0, -loadings, loadings), diagonal


def _root(covariance: np.ndarray) -> np.ndarray:
    """A matrix whose product with its transpose is the covariance; negative eigenvalues (rounding) count as zero."""
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0.0))


def _held_out(levels: np.ndarray, basis: str, rank: int, anchor: int) -> np.ndarray:
    """Log-likelihood of each sample under the structure fitted to the others' folds, shape (n,); in any basis the same measure."""
    from scipy.linalg import solve_triangular
    from scipy.stats import norm

    out = np.empty(len(levels))
    for train, test in folds(len(levels)):
        loadings, diagonal = _factors(levels[train], basis, rank, anchor)
        covariance = loadings @ loadings.T + np.diag(diagonal)
        ridge = 1e-12 * np.trace(covariance) / len(covariance)
        root = np.linalg.cholesky(covariance + ridge * np.eye(len(covariance)))
        # The change of basis has a determinant of 1 or -1: densities compare.
        z = solve_triangular(root, _to_basis(levels[test] - levels[train].mean(axis=0), basis, anchor).T, lower=True)
        out[test] = np.sum(norm.logpdf(z), axis=0) - np.sum(np.log(np.diag(root)))
    return out
