"""Least squares and maximum likelihood with standard errors.

Standard errors are those of the linearised problem: residual variance times the inverse of J'J for least squares (Seber
and Wild, Nonlinear Regression, 1989, section 5.1), the inverse observed information for maximum likelihood.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from netlists.errors import InputError, ToolkitError

_SINGULAR = 1e-12
_LARGE = 1e100


@dataclass(frozen=True, eq=False)
class Fit:
    """Result of a fit.

    Attributes
    ----------
    values, stderr : ndarray (p,)
    covariance : ndarray (p, p)
    residual_sigma : float
        Standard deviation of the residuals, ``sqrt(sum r^2 / (n - p))``; nan for maximum likelihood.
    """

    values: np.ndarray
    covariance: np.ndarray
    residual_sigma: float

    @property
    def stderr(self) -> np.ndarray:
        return np.sqrt(np.diag(self.covariance))


def fit_curve(
    model: Callable[..., np.ndarray],
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    start: npt.ArrayLike,
    *,
    sigma: npt.ArrayLike = 1.0,
    names: tuple[str, ...] = (),
) -> Fit:
    """Nonlinear least squares of ``y = model(x, *parameters)``.

    Parameters
    ----------
    x, y : array_like (n,)
        ``x`` may have any shape that ``model`` takes.
    start : array_like (p,)
    sigma : array_like, broadcast to (n,)
        Relative size of each point's error; only ratios count, the scale is taken from the residuals.
    names : tuple of str
        Of the parameters, for messages.

    Raises
    ------
    InputError
        Fewer points than parameters, a value that is not finite, or data that do not determine a parameter.
    ToolkitError
        The search did not converge.
    """
    from scipy.optimize import least_squares

    x, y, start = np.asarray(x, float), np.asarray(y, float), np.asarray(start, float)
    names = names or tuple(f"parameter {i}" for i in range(len(start)))
    if y.ndim != 1 or len(y) <= len(start):
        raise InputError(f"y: has shape {y.shape}; a fit of {len(start)} parameters needs more points than that, in one row")
    if not (np.all(np.isfinite(x)) and np.all(np.isfinite(y)) and np.all(np.isfinite(start))):
        raise InputError("x, y, start: hold a value that is not finite")
    weight = 1.0 / np.broadcast_to(np.asarray(sigma, float), y.shape)

    def residual(p: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            r = (model(x, *p) - y) * weight
        # A step into a region where the model overflows must look bad, not stop the search.
        return np.clip(np.where(np.isfinite(r), r, _LARGE), -_LARGE, _LARGE)

    # SciPy's own differences take steps of 6e-6 whatever the size of a parameter below 1, and vanishing ones for one near 0.
    least = 1e-3 * np.where(start == 0, 1.0, np.abs(start))

    def jacobian(p: np.ndarray) -> np.ndarray:
        step = np.finfo(float).eps ** (1 / 3) * np.maximum(np.abs(p), least)
        return np.stack([(residual(p + h) - residual(p - h)) / (2 * h.sum()) for h in np.diag(step)], axis=1)

    common: dict[str, Any] = {"jac": jacobian, "x_scale": "jac"}
    found = least_squares(residual, start, xtol=1e-14, ftol=1e-14, gtol=1e-14, max_nfev=4000, **common)
    # A second search from the first one's end: scaled anew it leaves flat valleys that stopped the first one.
    found = least_squares(residual, found.x, method="lm", xtol=1e-15, ftol=1e-15, gtol=1e-15, **common)
    if found.status <= 0:
        raise ToolkitError(f"the fit did not converge ({found.message}); start it nearer to the answer")
    dof = len(y) - len(start)
    variance = 2 * found.cost / dof
    return Fit(found.x, _inverse(found.jac.T @ found.jac, names) * variance, float(np.sqrt(variance)))


def fit_linear(design: npt.ArrayLike, y: npt.ArrayLike, names: tuple[str, ...]) -> Fit:
    """Linear least squares of ``y = design @ values``.

    Parameters
    ----------
    design : array_like (n, p)
    y : array_like (n,)

    Raises
    ------
    InputError
        Shapes, values that are not finite, or columns of the design that depend on each other.
    """
    a, y = np.asarray(design, float), np.asarray(y, float)
    if a.ndim != 2 or y.shape != a.shape[:1] or a.shape[0] <= a.shape[1] or a.shape[1] != len(names):
        raise InputError(f"design: has shape {a.shape}, y {y.shape}: need (n, {len(names)}) and (n,), n above {len(names)}")
    if not (np.all(np.isfinite(a)) and np.all(np.isfinite(y))):
        raise InputError("design, y: hold a value that is not finite")
    scale = np.linalg.norm(a, axis=0)
    inverse = _inverse(a.T @ a, names)
    values = np.linalg.lstsq(a / scale, y, rcond=None)[0] / scale
    variance = float(np.sum((y - a @ values) ** 2) / (len(y) - a.shape[1]))
    return Fit(values, inverse * variance, float(np.sqrt(variance)))


def fit_likelihood(negative: Callable[[np.ndarray], float], start: npt.ArrayLike, names: tuple[str, ...]) -> Fit:
    """Maximum likelihood: minimise the negative log-likelihood; errors from its curvature at the minimum.

    Parameters should be of order one there: their curvature is taken by finite differences.

    Raises
    ------
    InputError
        The likelihood has no curvature in some direction: the data do not determine a parameter.
    """
    from scipy.optimize import minimize

    start = np.asarray(start, float)
    found = minimize(negative, start, method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-9, "maxiter": 4000})
    return Fit(found.x, _inverse(_hessian(negative, found.x), names), float("nan"))


def fit_probit(drive: npt.ArrayLike, tripped: npt.ArrayLike, trials: npt.ArrayLike) -> Fit:
    """Trip point and noise from decision fractions: ``P(tripped) = Phi((drive - mu) / sigma)``, maximum likelihood.

    Parameters
    ----------
    drive : array_like (m,)
        Volts.
    tripped, trials : array_like (m,)
        Decisions that tripped, and all of them, at each drive.

    Returns
    -------
    Fit
        Values (mu, sigma), volts.

    Raises
    ------
    InputError
        Shapes, counts that cannot be, or fewer than two drives at which decisions differ (no noise can be told).
    """
    from scipy.special import log_ndtr

    v, k, n = (np.asarray(a, float) for a in (drive, tripped, trials))
    if v.ndim != 1 or k.shape != v.shape or n.shape != v.shape or not np.all(np.isfinite(v)):
        raise InputError(f"drive, tripped, trials: have shapes {v.shape}, {k.shape}, {n.shape}; need one row each, equally long")
    if np.any(k < 0) or np.any(k > n) or np.any(n <= 0):
        raise InputError("tripped: must be between 0 and trials, and trials above 0")
    if len(np.unique(v[(k > 0) & (k < n)])) < 2:
        raise InputError("tripped: decisions differ at fewer than two drives; take drives closer together, within the noise")
    fraction = np.clip(k / n, 0.5 / n, 1 - 0.5 / n)
    # Start: the drives' spread around the half point.
    centre, spread = float(np.interp(0.5, np.sort(fraction), v[np.argsort(fraction)])), float(np.ptp(v)) / 4

    def negative(p: np.ndarray) -> float:
        z = (v - centre - spread * p[0]) / (spread * np.exp(p[1]))
        return -float(np.sum(k * log_ndtr(z) + (n - k) * log_ndtr(-z)))

    fit = fit_likelihood(negative, [0.0, 0.0], ("trip point", "noise"))
    sigma = spread * np.exp(fit.values[1])
    slope = np.array([spread, sigma])
    return Fit(np.array([centre + spread * fit.values[0], sigma]), fit.covariance * np.outer(slope, slope), float("nan"))


def _hessian(function: Callable[[np.ndarray], float], at: np.ndarray, step: float = 1e-3) -> np.ndarray:
    """Second derivatives by central differences."""
    n, h = len(at), step * np.maximum(np.abs(at), 1.0)
    out = np.empty((n, n))
    for i in range(n):
        for j in range(i, n):
            a, b = np.eye(n)[i] * h[i], np.eye(n)[j] * h[j]
            value = function(at + a + b) - function(at + a - b) - function(at - a + b) + function(at - a - b)
            out[i, j] = out[j, i] = value / (4 * h[i] * h[j])
    return out


def _inverse(information: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Inverse of an information matrix, scaled to ones on its diagonal first; `InputError` names what is not determined."""
    diagonal = np.diag(information)
    if not np.all(np.isfinite(information)) or np.any(diagonal <= 0):
        worst = int(np.argmin(np.where(np.isfinite(diagonal), diagonal, -np.inf)))
        raise InputError(f"{names[worst]}: the data do not determine it; take samples that depend on it")
    scale = np.sqrt(diagonal)
    unit = information / np.outer(scale, scale)
    eigenvalues, vectors = np.linalg.eigh(unit)
    if eigenvalues[0] < _SINGULAR:
        worst = int(np.argmax(np.abs(vectors[:, 0])))
        raise InputError(f"{names[worst]}: the data do not tell it from the other parameters; take samples of a wider range")
    return np.linalg.inv(unit) / np.outer(scale, scale)
