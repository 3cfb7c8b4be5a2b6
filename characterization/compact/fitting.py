"""Least squares by lmfit; maximum likelihood with standard errors from the inverse observed information."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from characterization.ramp_model import Fitted
from netlists.errors import InputError, ToolkitError

if TYPE_CHECKING:
    from lmfit import Parameters
    from lmfit.minimizer import MinimizerResult

_SINGULAR = 1e-12
_LARGE = 1e100


@dataclass(frozen=True, eq=False)
class Fit:
    """Result of a maximum-likelihood fit: values and standard errors, each of shape (p,)."""

    values: np.ndarray
    stderr: np.ndarray


def fit_curve(
    model: Callable[..., np.ndarray],
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    start: Mapping[str, float],
    *,
    sigma: npt.ArrayLike = 1.0,
    positive: Collection[str] = (),
) -> MinimizerResult:
    """Nonlinear least squares of ``y = model(x, *parameters)`` by lmfit.

    Parameters
    ----------
    x, y : array_like (n,)
        ``x`` may have any shape that ``model`` takes.
    start : mapping of str to float
        Parameters by name, in the order that ``model`` takes them. One that starts at 0 should be of order one.
    sigma : array_like, broadcast to (n,)
        Relative size of each point's error; only ratios count, the scale is taken from the residuals.
    positive : collection of str
        Parameters above 0, searched by their logarithm.

    Returns
    -------
    lmfit.minimizer.MinimizerResult
        ``params[name].value`` and ``.stderr``; ``redchi`` is the variance of the residuals. `lmfit.fit_report` prints it.

    Raises
    ------
    InputError
        Fewer points than parameters, a value that is not finite, or data that do not determine a parameter.
    ToolkitError
        The search did not converge.
    """
    # Here, as it takes a second to load.
    from lmfit import Minimizer, Parameters

    x, y, first = np.asarray(x, float), np.asarray(y, float), np.array(list(start.values()), float)
    if y.ndim != 1 or len(y) <= len(start):
        raise InputError(f"y: has shape {y.shape}; a fit of {len(start)} parameters needs more points than that, in one row")
    if not (np.all(np.isfinite(x)) and np.all(np.isfinite(y)) and np.all(np.isfinite(first))):
        raise InputError("x, y, start: hold a value that is not finite")
    weight = 1.0 / np.broadcast_to(np.asarray(sigma, float), y.shape)
    parameters = Parameters()
    for name, value in start.items():
        if name in positive:
            parameters.add(f"log_{name}", np.log(value))
            parameters.add(name, expr=f"exp(log_{name})")
        else:
            parameters.add(name, value)
    searched = [name for name in parameters if parameters[name].vary]

    def residual(p: Parameters) -> np.ndarray:
        r = (model(x, *(p[name].value for name in start)) - y) * weight
        # A step into a region where the model overflows must look bad, not stop the search.
        return np.clip(np.where(np.isfinite(r), r, _LARGE), -_LARGE, _LARGE)

    # MINPACK's own differences vanish for a parameter near 0, and SciPy's are 6e-6 whatever the size of one below 1.
    least = {name: 1e-3 * (abs(parameters[name].value) or 1.0) for name in searched}

    def jacobian(p: Parameters) -> np.ndarray:
        columns = []
        for name in searched:
            at = p[name].value
            step = np.finfo(float).eps ** (1 / 3) * max(abs(at), least[name])
            p[name].value = at + step
            above = residual(p)
            p[name].value = at - step
            columns.append((above - residual(p)) / (2 * step))
            p[name].value = at
        return np.stack(columns, axis=1)

    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        search = Minimizer(residual, parameters, Dfun=jacobian)
        found = search.least_squares(x_scale="jac", xtol=1e-14, ftol=1e-14, gtol=1e-14)
        # A second search from the first one's end: scaled anew it leaves flat valleys that stopped the first one.
        found = search.leastsq(found.params, xtol=1e-15, ftol=1e-15, gtol=1e-15)
        if not found.success:
            raise ToolkitError(f"the fit did not converge ({found.message}); start it nearer to the answer")
        columns = jacobian(found.params)
    # Refuses what lmfit would give no errors, or huge ones.
    _inverse(columns.T @ columns, tuple(start))
    return found


def fit_linear(design: npt.ArrayLike, y: npt.ArrayLike, names: tuple[str, ...]) -> MinimizerResult:
    """Linear least squares of ``y = design @ values``, with the result and the errors of `fit_curve`.

    Parameters
    ----------
    design : array_like (n, p)
    y : array_like (n,)
    """
    a, y = np.asarray(design, float), np.asarray(y, float)
    if a.ndim != 2 or y.shape != a.shape[:1] or a.shape[1] != len(names):
        raise InputError(f"design: has shape {a.shape}, y {y.shape}: need (n, {len(names)}) and (n,)")
    length = np.linalg.norm(a, axis=0)
    start = np.linalg.norm(y) / np.where(length > 0, length, 1.0)
    return fit_curve(lambda a, *values: a @ np.array(values), a, y, dict(zip(names, start, strict=True)))


def fitted(result: MinimizerResult, units: Mapping[str, str]) -> dict[str, Fitted]:
    """Parameters of a fit by name, of those whose units are given."""
    return {name: Fitted.of(result.params[name].value, result.params[name].stderr, unit) for name, unit in units.items()}


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
    return Fit(found.x, np.sqrt(np.diag(_inverse(_hessian(negative, found.x), names))))


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
    return Fit(np.array([centre + spread * fit.values[0], sigma]), fit.stderr * slope)


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
