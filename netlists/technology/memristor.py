"""Static memristor models as pure functions on arrays: what a programmed cell conducts, and how far that is from its target.

One cell goes through four stages, each a function here:

    target -> programmed (`truncated_gaussian`, `stuck_at`) -> relaxed (`relaxation_sigma`)
           -> read (`interpolated_sigma`, `current`)

`netlists.technology.profile.DeviceProfile` carries the numbers and calls these functions; nothing here knows a technology. Units
are SI: siemens, volts, amperes, seconds. Random numbers come only from the generator handed in, one draw per cell
whatever the parameters, so that a sweep of a parameter keeps the same underlying draws.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from netlists.checks import Number, check
from netlists.errors import InputError

Curvature = Number(0, unit="V^-2", why="I = G (V + b V^3) is monotonic only then")


def current(voltage: np.ndarray | float, conductance: np.ndarray | float, *, curvature: float = 0.0) -> np.ndarray:
    """Cell current ``I = G (V + b V^3)``.

    Parameters
    ----------
    voltage : array
        Volts across the cell; broadcast against ``conductance``.
    conductance : array
        Low-field conductance ``dI/dV`` at V = 0, siemens.
    curvature : float
        b, V^-2, 0 or more. 0.3-0.75 for the low-resistance states of the TaOx cells in ReADC Fig. 3b
        (doi 10.1038/s41467-025-65233-w), derived from that figure.

    Returns
    -------
    ndarray, amperes
    """
    check(Curvature, curvature, "curvature")
    v = np.asarray(voltage, float)
    return np.asarray(conductance, float) * (v + curvature * v**3)


def low_field_conductance(verified: np.ndarray | float, *, v_read: float, curvature: float = 0.0) -> np.ndarray:
    """Low-field G of a cell that was verified as ``I(v_read) / v_read``: ``G = G_verified / (1 + b v_read^2)``, siemens."""
    check(Curvature, curvature, "curvature")
    return np.asarray(verified, float) / (1.0 + curvature * v_read**2)


def polynomial_sigma(conductance: np.ndarray | float, coefficients: Sequence[float], reference: float) -> np.ndarray:
    """State-dependent standard deviation ``sigma(G) = sum_i c_i (G / reference)^i``, at least 0.

    Parameters
    ----------
    conductance : array
        Siemens. The fit holds for 0..``reference``; above it the value at ``reference`` is used, because a polynomial
        means nothing outside its data.
    coefficients : sequence of float
        c_0, c_1, ... in siemens, or as multiples of a sigma.
    reference : float
        Siemens.

    Returns
    -------
    ndarray, unit of the coefficients, shape of ``conductance``
    """
    x = np.clip(np.asarray(conductance, float) / reference, 0.0, 1.0)
    return np.maximum(np.polynomial.polynomial.polyval(x, np.asarray(coefficients, float)), 0.0)


def interpolated_sigma(conductance: np.ndarray | float, table: Sequence[Sequence[float]]) -> np.ndarray:
    """Standard deviation by state from a table of (conductance, sigma): linear between its rows, constant beyond its ends."""
    rows = np.asarray(table, float)
    return np.interp(np.asarray(conductance, float), rows[:, 0], rows[:, 1])


def relaxation_sigma(
    target: np.ndarray | float, time: float, times: Sequence[float], coefficients: Sequence[Sequence[float]], reference: float
) -> np.ndarray:
    """Spread that a cell gains between the first tabulated time and ``time`` after programming.

    The data are polynomials of the *total* deviation from the target at a few times, as aihwkit's ``reram.py`` gives them
    for Wan et al. 2022 (doi 10.1038/s41586-022-04992-8). The deviation at the first time is what programming leaves, so
    the gain is ``sqrt(max(sigma(time)^2 - sigma(times[0])^2, 0))``: drawn on top of the programming error it
    reproduces the published total.

    Between tabulated times sigma is linear in log(time), and after the last it goes on at its mean slope per decade from
    the first time to the last: both are assumptions.

    Parameters
    ----------
    target : array
        Target conductance, siemens.
    time : float
        Seconds since programming, ``times[0]`` or more.
    times : sequence of float (n,)
        Increasing, seconds, at least two.
    coefficients : sequence of n sequences
        As in `polynomial_sigma`, one for each time.
    reference : float
        Siemens, as in `polynomial_sigma`.

    Raises
    ------
    InputError
        If ``time`` is before the first tabulated time or not finite.
    """
    if not np.isfinite(time) or time < times[0]:
        raise InputError(f"time={time} s: the relaxation data start {times[0]:g} s after programming; give {times[0]:g} s or more")
    sigma = np.stack([polynomial_sigma(target, c, reference) for c in coefficients])
    log_time, log_times = np.log10(time), np.log10(np.asarray(times, float))
    if time >= times[-1]:
        slope = (sigma[-1] - sigma[0]) / (log_times[-1] - log_times[0])
        total = np.maximum(sigma[-1] + slope * (log_time - log_times[-1]), 0.0)
    else:
        k = int(np.searchsorted(log_times, log_time, side="right")) - 1
        part = (log_time - log_times[k]) / (log_times[k + 1] - log_times[k])
        total = sigma[k] + part * (sigma[k + 1] - sigma[k])
    return np.sqrt(np.maximum(total**2 - sigma[0] ** 2, 0.0))


def truncated_gaussian(sigma: np.ndarray | float, window: float, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Errors of write-verified cells: Gaussian, truncated at ``+-window``.

    Source of the model: ReADC (doi 10.1038/s41467-025-65233-w), 64 devices x 7 targets.

    Parameters
    ----------
    sigma : float or array broadcasting to ``shape``
        Of the Gaussian before truncation, siemens.
    window : float
        Siemens.

    Returns
    -------
    ndarray, siemens
    """
    u = rng.uniform(size=shape)
    spread = np.broadcast_to(np.asarray(sigma, float), shape)
    with np.errstate(over="ignore"):  # a vanishing sigma: no truncation
        limit = np.divide(window, spread, out=np.full(shape, np.inf), where=spread > 0)
    return spread * _truncated_quantile(u, limit)


def _truncated_quantile(u: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """Quantile of the standard normal truncated at ``+-limit``: scipy.stats.truncnorm's own formula, to the bit.

    Written out because loading scipy.stats takes half the start of every worker process.
    """
    from scipy.special import log1p, log_ndtr, logsumexp, ndtr, ndtri_exp

    with np.errstate(divide="ignore"):
        inside = np.log(u) + log1p(-2.0 * ndtr(-limit))
    return ndtri_exp(logsumexp([log_ndtr(-limit), inside], axis=0))


def stuck_at(
    conductance: np.ndarray, *, off_rate: float, on_rate: float, g_off: float, g_on: float, rng: np.random.Generator
) -> np.ndarray:
    """Replace stuck cells: OFF by ``g_off`` with probability ``off_rate``, ON by ``g_on`` with ``on_rate``; siemens, shape kept."""
    u = rng.uniform(size=np.shape(conductance))
    out = np.where(u < off_rate, g_off, conductance)
    return np.where(u > 1.0 - on_rate, g_on, out)
