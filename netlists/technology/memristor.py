"""Static memristor models as pure functions on arrays: what a programmed cell conducts, and how far that is from its target.

One cell goes through four stages, each a function here:

    target -> programmed (`truncated_gaussian`, `law_quantile` or `resampled`; `stuck_at`)
           -> relaxed (`relaxation_sigma`, `relaxation_mean`) -> read (`interpolated`, `current`)

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


def interpolated(conductance: np.ndarray | float, table: Sequence[Sequence[float]], column: int = 1) -> np.ndarray:
    """A quantity by state from a table of rows (conductance, ...): linear between its rows, constant beyond its ends."""
    rows = np.asarray(table, float)
    return np.interp(np.asarray(conductance, float), rows[:, 0], rows[:, column])


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
    sigma = np.stack([polynomial_sigma(target, c, reference) for c in coefficients])
    total = np.maximum(_in_log_time(sigma, time, times), 0.0)
    return np.sqrt(np.maximum(total**2 - sigma[0] ** 2, 0.0))


def relaxation_mean(
    target: np.ndarray | float, time: float, times: Sequence[float], coefficients: Sequence[Sequence[float]], reference: float
) -> np.ndarray:
    """Mean change of a cell between the first tabulated time and ``time``, siemens; parameters as of `relaxation_sigma`."""
    x = np.clip(np.asarray(target, float) / reference, 0.0, 1.0)
    mean = np.stack([np.polynomial.polynomial.polyval(x, np.asarray(c, float)) for c in coefficients])
    return _in_log_time(mean, time, times) - mean[0]


def _in_log_time(values: np.ndarray, time: float, times: Sequence[float]) -> np.ndarray:
    """Values (times, ...) at ``time``: linear in its logarithm, beyond the last at the mean slope from first to last."""
    if not np.isfinite(time) or time < times[0]:
        raise InputError(f"time={time} s: the relaxation data start {times[0]:g} s after programming; give {times[0]:g} s or more")
    log_time, log_times = np.log10(time), np.log10(np.asarray(times, float))
    if time >= times[-1]:
        slope = (values[-1] - values[0]) / (log_times[-1] - log_times[0])
        return np.asarray(values[-1] + slope * (log_time - log_times[-1]))
    k = int(np.searchsorted(log_times, log_time, side="right")) - 1
    part = (log_time - log_times[k]) / (log_times[k + 1] - log_times[k])
    return np.asarray(values[k] + part * (values[k + 1] - values[k]))


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


def law_probabilities(n: int) -> np.ndarray:
    """Probabilities at which a law of ``n`` quantiles is given: ``sin^2(pi i / (2 n - 2))``, from 0 to 1, close at both ends."""
    return np.sin(np.pi * np.arange(n) / (2 * n - 2)) ** 2


def law_quantile(u: np.ndarray, target: np.ndarray, law: Sequence[tuple[float, Sequence[float]]]) -> np.ndarray:
    """Quantile function of a law that is given at some targets, at probabilities ``u``; shape of ``u``.

    Parameters
    ----------
    target : ndarray
        Broadcast to ``u``, siemens; between two rows quantiles are linear in it, beyond the ends constant.
    law : sequence of (conductance, quantiles)
        Conductances increasing, siemens; quantiles at `law_probabilities`, linear between them.
    """
    rows = np.array([np.interp(u, law_probabilities(len(q)), q) for _, q in law])
    place = np.interp(np.broadcast_to(target, u.shape), [g for g, _ in law], np.arange(len(law)))
    low = np.minimum(place.astype(int), max(len(law) - 2, 0))
    first, second = (np.take_along_axis(rows, np.minimum(low + i, len(law) - 1)[None], axis=0)[0] for i in (0, 1))
    return first + (place - low) * (second - first)


def law_moments(quantiles: Sequence[float]) -> tuple[float, float, float]:
    """Mean, standard deviation and kurtosis (3 for a Gaussian) of a law of quantiles as in `law_quantile`, exact."""
    q, p = np.asarray(quantiles, float), np.diff(law_probabilities(len(quantiles)))
    mean = float(np.sum(p * (q[:-1] + q[1:]) / 2))
    a, b = q[:-1] - mean, q[1:] - mean
    # Uniform between two quantiles: its k-th moment is the sum of a^i b^(k-i) over k + 1.
    second, fourth = (float(np.sum(p * sum(a**i * b ** (k - i) for i in range(k + 1))) / (k + 1)) for k in (2, 4))
    return mean, float(np.sqrt(second)), fourth / second**2 if second > 0 else 3.0


def resampled(u: np.ndarray, target: np.ndarray, table: Sequence[tuple[float, Sequence[float]]]) -> np.ndarray:
    """One of the values that were measured at a target next to each cell's own, shape of ``u``.

    Between two measured targets the nearer one is taken more often, in proportion; beyond the ends the last one always. One
    uniform number chooses target and value, so that the same cell gets the same draw whatever the table holds.

    Parameters
    ----------
    u : ndarray
        Uniform in 0..1.
    target : ndarray
        Broadcast to ``u``, siemens.
    table : sequence of (conductance, values)
        Conductances increasing, siemens; values in any order, in the unit of the result.
    """
    targets = np.array([row[0] for row in table])
    target = np.broadcast_to(target, u.shape)
    upper = np.clip(np.searchsorted(targets, target, side="right"), 1, max(len(targets) - 1, 1))
    if len(targets) == 1:
        chosen, rest = np.zeros(u.shape, int), u
    else:
        share = np.clip((target - targets[upper - 1]) / (targets[upper] - targets[upper - 1]), 0.0, 1.0)
        above = u >= 1.0 - share
        with np.errstate(divide="ignore", invalid="ignore"):
            rest = np.where(above, (u - (1.0 - share)) / share, u / (1.0 - share))
        chosen = np.where(above, upper, upper - 1)
    out = np.empty(u.shape)
    for i, (_, values) in enumerate(table):
        here = chosen == i
        ordered = np.sort(np.asarray(values, float))
        out[here] = ordered[np.minimum((rest[here] * len(ordered)).astype(int), len(ordered) - 1)]
    return out


def stuck_at(
    conductance: np.ndarray,
    *,
    off_rate: float,
    on_rate: float,
    g_off: float,
    g_on: float,
    rng: np.random.Generator,
    rate: float = 0.0,
    values: Sequence[float] = (),
) -> np.ndarray:
    """Replaces stuck cells: OFF by ``g_off`` with probability ``off_rate``, ON by ``g_on`` with ``on_rate``; siemens.

    With probability ``rate`` a cell is stuck at one of ``values``, each as likely.
    """
    u = rng.uniform(size=np.shape(conductance))
    out = np.where(u < off_rate, g_off, conductance)
    if rate > 0:
        part = (u - off_rate) / rate
        own = np.asarray(values, float)[np.clip((part * len(values)).astype(int), 0, len(values) - 1)]
        out = np.where((part >= 0) & (part < 1), own, out)
    return np.where(u > 1.0 - on_rate, g_on, out)
