"""Figures of merit of a ramp converter, nonlinear or linear.

Definitions: the INL of a nonlinear converter is measured against the target inverse function, never against a
straight line; no gain or offset is removed. A linear ramp also has the end-point and best-fit INL and DNL of IEEE
Std 1241.
"""

from __future__ import annotations

import numpy as np

from netlists.errors import InputError
from netlists.ramp import RampProgram


def _levels(x: np.ndarray, program: RampProgram) -> np.ndarray:
    x = np.asarray(x, float)
    if x.shape[-1:] != program.x.shape:
        raise InputError(f"transition levels: last axis is {x.shape[-1:]}, must be {program.x.shape} for {program.bits} bits")
    return x


def inl_input(x: np.ndarray, program: RampProgram) -> np.ndarray:
    """Input-referred INL in local LSB: ``(T[k] - x_k) / (x_{k+1} - x_k)``; shapes (..., levels)."""
    return (_levels(x, program) - program.x) / program.lsb


def inl_output(x: np.ndarray, program: RampProgram) -> np.ndarray:
    """Output-referred INL in LSB of the code: ``g'(x_k) (T[k] - x_k) / output step``; shapes (..., levels).

    Where the function falls, a level that lies too high has a negative INL.
    """
    return program.slope * (_levels(x, program) - program.x) / program.report.output_lsb


def dnl(x: np.ndarray, program: RampProgram) -> np.ndarray:
    """DNL in local LSB: ``(T[k+1] - T[k]) / (x_{k+1} - x_k) - 1``; shapes (..., levels) -> (..., levels - 1)."""
    return np.diff(_levels(x, program), axis=-1) / np.diff(program.x) - 1.0


def is_monotonic(x: np.ndarray) -> np.ndarray:
    """Whether every transition level lies above the one before; shapes (..., n) -> (...)."""
    return np.all(np.diff(np.asarray(x, float), axis=-1) > 0, axis=-1)


def missing_codes(x: np.ndarray, program: RampProgram) -> np.ndarray:
    """Codes of a program that no input gives, their number; shapes (..., levels) -> (...) of int.

    The ramp trips a comparator at the first level that reaches the input, so nothing stops between levels k and k + 1 where
    level k + 1 lies no higher than an earlier one. A function that is not monotonic gives a code in several such places: it is
    missing where all of them are. Below the first and above the last level there is always an input.
    """
    reached = np.maximum.accumulate(_levels(x, program), axis=-1)
    ends = np.ones((*reached.shape[:-1], 1), bool)
    there = np.concatenate([ends, np.diff(reached, axis=-1) > 0, ends], axis=-1)
    found = [there[..., program.codes == code].any(axis=-1) for code in np.unique(program.codes)]
    return len(found) - np.sum(found, axis=0)


def offset_and_gain(x: np.ndarray, program: RampProgram) -> tuple[np.ndarray, np.ndarray]:
    """Offset and gain of the least-squares line ``T[k] = offset + gain * x_k``; shapes (..., levels) -> (...) each.

    Offset in the activation's input units, gain dimensionless; with a single level the gain is taken as 1. For a
    linear ramp these are the best-fit offset and gain of IEEE Std 1241-2010 section 4.4.
    """
    x = _levels(x, program)
    ideal = program.x
    if len(ideal) == 1:
        return x[..., 0] - ideal[0], np.ones(x.shape[:-1])
    centred = ideal - ideal.mean()
    gain = np.sum(x * centred, axis=-1) / np.sum(centred**2)
    return x.mean(axis=-1) - gain * ideal.mean(), gain


def levels_under_noise(inputs: np.ndarray, found: np.ndarray, levels: int) -> np.ndarray:
    """Transition levels from repeated noisy conversions: where half of the codes are k or higher (IEEE Std 1241-2010, 4.6).

    Parameters
    ----------
    inputs : ndarray (m,)
        Increasing inputs, any unit.
    found : ndarray of int (m, repeats)
        Codes that conversions of each input gave.
    levels : int
        Number of transition levels.

    Returns
    -------
    ndarray (levels,)
        Unit of ``inputs``: interpolated on the normal quantiles of the two fractions beside one half; NaN where the
        inputs do not enclose a level.
    """
    from scipy.stats import norm

    inputs, found = np.asarray(inputs, float), np.asarray(found)
    if inputs.ndim != 1 or len(inputs) < 2 or np.any(~(np.diff(inputs) > 0)):
        raise InputError(f"inputs: must be 2 or more increasing numbers, got shape {inputs.shape}")
    if found.ndim != 2 or len(found) != len(inputs) or found.shape[1] == 0:
        raise InputError(f"codes: have shape {found.shape}, must be ({len(inputs)}, repeats)")
    repeats = found.shape[1]
    out = np.full(levels, np.nan)
    for k in range(1, levels + 1):
        share = np.mean(found >= k, axis=1)
        above = np.flatnonzero(share >= 0.5)
        if len(above) == 0 or above[0] == 0:
            continue
        at = slice(above[0] - 1, above[0] + 1)
        # All and none have no quantile: half a count is what such a fraction is known to.
        z = norm.ppf(np.clip(share[at], 0.5 / repeats, 1 - 0.5 / repeats))
        out[k - 1] = np.interp(0.0, z, inputs[at])
    return out


def linear_inl_dnl(levels: np.ndarray, *, fit: str = "endpoint") -> tuple[np.ndarray, np.ndarray]:
    """INL and DNL of a linear converter against its own line, IEEE Std 1241-2010 section 4.

    Parameters
    ----------
    levels : ndarray (n,)
        Transition levels, any unit, at least 3.
    fit : {"endpoint", "best"}
        The line through the first and last level, or the least-squares line.

    Returns
    -------
    inl (n,), dnl (n - 1,), in LSB of that line
    """
    levels = np.asarray(levels, float)
    if levels.ndim != 1 or len(levels) < 3 or not np.all(np.isfinite(levels)):
        raise InputError(f"levels: need at least 3 finite transition levels in one row, got shape {levels.shape}")
    k = np.arange(len(levels))
    if fit == "endpoint":
        slope, start = (levels[-1] - levels[0]) / (len(levels) - 1), levels[0]
    elif fit == "best":
        slope, start = np.polyfit(k, levels, 1)
    else:
        raise InputError(f"fit={fit!r}: unknown; allowed are endpoint, best")
    return (levels - start - slope * k) / slope, np.diff(levels) / slope - 1.0


def codes(x: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Codes of inputs ``x`` (..., m) on one converter's transition levels (..., n) each: ramp steps before the first trip.

    The ramp trips a comparator at the first level at or above the input, so a level below an earlier one is never
    reached first: the running maximum counts. Shapes broadcast over the leading axes; returns (..., m) of int.
    """
    reached = np.maximum.accumulate(np.asarray(levels, float), axis=-1)
    return np.sum(np.asarray(x)[..., :, None] > reached[..., None, :], axis=-1)
