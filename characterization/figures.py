"""Figures of merit of a ramp converter, nonlinear or linear.

Definitions: the INL of a nonlinear converter is measured against the target inverse function, never against a
straight line; no gain or offset is removed. A linear ramp also has the end-point and best-fit INL and DNL of IEEE
Std 1241.
"""

from __future__ import annotations

import numpy as np

from netlists.activations import get_activation
from netlists.errors import InputError
from netlists.program import RampProgram


def _levels(x: np.ndarray, program: RampProgram) -> np.ndarray:
    x = np.asarray(x, float)
    if x.shape[-1:] != program.x.shape:
        raise InputError(f"transition levels: last axis is {x.shape[-1:]}, must be {program.x.shape} for {program.bits} bits")
    return x


def inl_input(x: np.ndarray, program: RampProgram) -> np.ndarray:
    """Input-referred INL in local LSB: ``(T[k] - x_k) / (x_{k+1} - x_k)``; shapes (..., 2**bits - 1)."""
    return (_levels(x, program) - program.x) / program.lsb


def inl_output(x: np.ndarray, program: RampProgram) -> np.ndarray:
    """Output-referred INL in LSB of the code: ``g'(x_k) (T[k] - x_k) / output step``; shapes (..., 2**bits - 1)."""
    act = get_activation(program.activation)
    step = (act.y_max - act.y_min) / 2**program.bits
    return act.slope(program.x) * (_levels(x, program) - program.x) / step


def dnl(x: np.ndarray, program: RampProgram) -> np.ndarray:
    """DNL in local LSB: ``(T[k+1] - T[k]) / (x_{k+1} - x_k) - 1``; shapes (..., 2**bits - 1) -> (..., 2**bits - 2)."""
    return np.diff(_levels(x, program), axis=-1) / np.diff(program.x) - 1.0


def is_monotonic(x: np.ndarray) -> np.ndarray:
    """Whether every transition level lies above the one before; shapes (..., n) -> (...)."""
    return np.all(np.diff(np.asarray(x, float), axis=-1) > 0, axis=-1)


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
