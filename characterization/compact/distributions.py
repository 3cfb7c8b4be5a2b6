"""The distribution of an offset: normal, Student t or skew-normal, chosen by held-out likelihood."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from characterization.ramp_model import Fitted
from netlists.checks import Count, check
from netlists.errors import InputError

from .compact_model import Part
from .fitting import Fit, fit_likelihood

FAMILIES = ("normal", "student_t", "skew_normal")
FOLDS = 10
MINIMUM_SAMPLES = 30
_MOST_DEGREES = 1e3
_FARTHEST = 50.0
_SHAPE = {"normal": (), "student_t": ("degrees",), "skew_normal": ("skew",)}
_SCIPY = {"normal": "norm", "student_t": "t", "skew_normal": "skewnorm"}


def _log_density(family: str, z: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Log density of a family with location p[0], log scale p[1] and, as `_shape_of` has it, shape p[2]."""
    from scipy.special import gammaln, log_ndtr

    u = (z - p[0]) * np.exp(-p[1])
    if family == "student_t":
        n = _shape_of(family, p[2])
        return gammaln((n + 1) / 2) - gammaln(n / 2) - 0.5 * np.log(np.pi * n) - (n + 1) / 2 * np.log1p(u**2 / n) - p[1]
    out = -0.5 * u**2 - 0.5 * np.log(2 * np.pi) - p[1]
    return out + np.log(2) + log_ndtr(p[2] * u) if family == "skew_normal" else out


def _shape_of(family: str, p: float) -> float:
    """Degrees of freedom from 0 to 1000, beyond which Student's t is the normal; the skewness parameter as it is."""
    return _MOST_DEGREES / (1 + np.exp(-p)) if family == "student_t" else p


def _search(values: np.ndarray, family: str) -> tuple[np.ndarray, Callable[[np.ndarray], float]]:
    """Maximum-likelihood parameters for `_log_density`, and the negative log-likelihood they minimise."""
    from scipy import stats
    from scipy.optimize import minimize

    def negative(p: np.ndarray) -> float:
        if np.any(np.abs(p) > _FARTHEST):
            return 1e9
        return -float(np.sum(_log_density(family, values, p)))

    skew = float(np.cbrt(stats.skew(values)))
    third = {"normal": [], "student_t": [np.log(8 / _MOST_DEGREES)], "skew_normal": [3 * skew]}[family]
    # Azzalini: the skew-normal's location lies off the mean, against the tail.
    start = [-0.8 * skew if family == "skew_normal" else 0.0, 0.0, *third]
    found = minimize(negative, start, method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-9, "maxiter": 4000})
    return found.x, negative


def fit_family(values: np.ndarray, family: str) -> Fit:
    """Maximum likelihood of one family: location, scale, then the shape parameter if there is one; with standard errors."""
    centre, spread = float(np.mean(values)), float(np.std(values))
    start, negative = _search((values - centre) / spread, family)
    fit = fit_likelihood(negative, start, ("location", "scale", *_SHAPE[family]))
    location, scale = fit.values[0], np.exp(fit.values[1])
    found, slope = [centre + spread * location, spread * scale], [spread, spread * scale]
    for p in fit.values[2:]:
        n = _shape_of(family, p)
        found.append(n)
        slope.append(n * (1 - n / _MOST_DEGREES) if family == "student_t" else 1.0)
    return Fit(np.array(found), fit.stderr * slope)


def held_out(values: np.ndarray, family: str, folds: list[np.ndarray]) -> np.ndarray:
    """Log-likelihood of each value under the family fitted without its fold, shape (n,); for values of mean 0, variance 1."""
    out = np.empty(len(values))
    for fold in folds:
        p, _ = _search(np.delete(values, fold), family)
        out[fold] = _log_density(family, values[fold], p)
    return out


@dataclass(frozen=True, eq=False)
class OffsetDraw:
    """Parts of drawn chips: ``offset`` (chips, columns), unit of the distribution."""

    offset: np.ndarray


class Distribution(Part):
    """A fitted distribution.

    Attributes
    ----------
    family : {"normal", "student_t", "skew_normal"}
    location, scale : Fitted
        Of the normal: mean and standard deviation. Of the others their own location and scale.
    shape : Fitted or None
        Degrees of freedom of Student's t, skewness parameter of the skew-normal (Azzalini 1985).
    unit : str
    samples : int
        0: given, not fitted.
    advantage, advantage_stderr : dict
        Held-out log-likelihood of each family over the normal, in nats a sample, and the standard error of that mean.
    """

    family: str = "normal"
    location: Fitted
    scale: Fitted
    shape: Fitted | None = None
    unit: str = "V"
    samples: int = 0
    advantage: dict[str, float] = Field(default_factory=dict)
    advantage_stderr: dict[str, float] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> Distribution:
        if self.family not in FAMILIES:
            raise ValueError(f"family: {self.family!r} is unknown; allowed are {', '.join(FAMILIES)}")
        if (self.shape is None) != (self.family == "normal"):
            raise ValueError(f"shape: the {self.family} distribution has {'none' if self.family == 'normal' else 'one'}")
        if self.scale.value < 0:
            raise ValueError(f"scale: {self.scale.value:g} is below 0")
        for name in ("location", "scale"):
            if getattr(self, name).unit != self.unit:
                raise ValueError(f"{name}: unit={getattr(self, name).unit!r}, must be {self.unit!r}")
        if self.family == "student_t" and self.shape is not None and self.shape.value <= 0:
            raise ValueError(f"shape: {self.shape.value:g} degrees of freedom, must be above 0")
        return self

    @classmethod
    def given(cls, mean: float, sigma: float, unit: str = "V") -> Distribution:
        """A normal distribution that was not fitted; ``sigma`` 0: always the mean."""
        return cls(location=Fitted.given(mean, unit), scale=Fitted.given(sigma, unit), unit=unit)

    @classmethod
    def fit(cls, values: npt.ArrayLike, rng: np.random.Generator, unit: str = "V") -> Distribution:
        """Fit all families and keep one.

        The normal stays unless another family's held-out log-likelihood (10 folds) is better by more than two standard
        errors of the difference; of several the best is taken.

        Parameters
        ----------
        values : array_like (n,)
        rng : numpy.random.Generator
            Deals the samples to the folds.

        Raises
        ------
        InputError
            Fewer than 30 values, one that is not finite, or values that are all equal.
        """
        v = np.asarray(values, float)
        if v.ndim != 1 or len(v) < MINIMUM_SAMPLES:
            raise InputError(f"values: have shape {v.shape}; a distribution needs {MINIMUM_SAMPLES} samples or more in one row")
        if len(bad := np.flatnonzero(~np.isfinite(v))):
            raise InputError(f"values[{bad[0]}]={v[bad[0]]}: must be finite")
        if np.ptp(v) == 0:
            raise InputError(f"values: are all {v[0]:g}; use Distribution.given for a constant")
        # Sorted first, so that the fit is one of the values and not of their order.
        v = np.sort(v)
        folds = np.array_split(rng.permutation(len(v)), FOLDS)
        score = {family: held_out((v - v.mean()) / v.std(), family, folds) for family in FAMILIES}
        gain = {f: score[f] - score["normal"] for f in FAMILIES[1:]}
        mean = {f: float(g.mean()) for f, g in gain.items()}
        stderr = {f: float(g.std(ddof=1) / np.sqrt(len(v))) for f, g in gain.items()}
        better = [f for f in mean if mean[f] > 2 * stderr[f]]
        family = max(better, key=mean.__getitem__) if better else "normal"
        fit = fit_family(v, family)
        fitted = [Fitted.of(a, b, u) for a, b, u in zip(fit.values, fit.stderr, (unit, unit, ""), strict=False)]
        return cls(
            family=family,
            location=fitted[0],
            scale=fitted[1],
            shape=fitted[2] if len(fitted) > 2 else None,
            unit=unit,
            samples=len(v),
            advantage=mean,
            advantage_stderr=stderr,
        )

    @property
    def frozen(self) -> Any:
        """The distribution as SciPy has it, with ``cdf``, ``ppf``, ``mean``, ``std``."""
        from scipy import stats

        shape = [self.shape.value] if self.shape else []
        return getattr(stats, _SCIPY[self.family])(*shape, self.location.value, self.scale.value)

    def sample(self, shape: int | tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        """Independent draws, in order: more of them begin with the same ones."""
        if self.scale.value == 0:
            return np.full(shape, self.location.value)
        if self.shape is None:
            unit = rng.standard_normal(shape)
        elif self.family == "student_t":
            unit = rng.standard_t(self.shape.value, shape)
        else:
            # Azzalini 1985: |z0| and z1 in proportions given by the skewness parameter.
            pair = rng.standard_normal((*np.atleast_1d(shape), 2))
            delta = self.shape.value / np.hypot(1.0, self.shape.value)
            unit = delta * np.abs(pair[..., 0]) + np.sqrt(1 - delta**2) * pair[..., 1]
        return np.asarray(self.location.value + self.scale.value * unit)

    def draw(self, n_chips: int, n_columns: int, rng: np.random.Generator) -> OffsetDraw:
        """One offset a column of new chips; chip i does not depend on how many are drawn.

        Raises
        ------
        InputError
            A count that is no whole number of 1 or more.
        """
        for name, n in (("n_chips", n_chips), ("n_columns", n_columns)):
            check(Count, n, name)
        return OffsetDraw(self.sample((n_chips, n_columns), rng))

    @property
    def constant(self) -> bool:
        """Whether every draw is the same."""
        return self.scale.value == 0

    def __str__(self) -> str:
        shape = f", shape {self.shape}" if self.shape else ""
        others = ", ".join(f"{f} {self.advantage[f]:+.4f} +- {self.advantage_stderr[f]:.4f}" for f in self.advantage)
        chosen = f"; held-out nats a sample over normal: {others}" if others else ""
        return f"{self.family}, location {self.location}, scale {self.scale}{shape} (n = {self.samples}{chosen})"
