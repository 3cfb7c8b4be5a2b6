"""Curvature of I-V sweeps: ``I = G (V + b V^3)`` at low voltage, each rising or falling part of a sweep by itself."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from netlists.errors import InputError

from .written import HeldOut

LARGEST_VOLTAGE = 0.3
"""Volts that the fit takes by default: well above the read voltage, well below switching."""


LEAST_POINTS = 6
"""Of a rising or falling part that is fitted."""


@dataclass(frozen=True)
class CurvatureFit:
    """Fit of one part of a sweep: conductance (siemens), b (V^-2), standard errors; ``rms`` relative to its largest current."""

    state: str
    conductance: float
    conductance_stderr: float
    curvature: float
    curvature_stderr: float
    points: int
    rms: float


def parts(voltage: np.ndarray, least: int = LEAST_POINTS) -> list[slice]:
    """Rising and falling parts of a sweep's voltages (points,), those of ``least`` points or more."""
    turns = np.flatnonzero(np.diff(np.sign(np.diff(voltage))) != 0) + 1
    ends = [0, *turns.tolist(), len(voltage) - 1]
    return [slice(a, b + 1) for a, b in pairwise(ends) if b - a + 1 >= least]


def fit_curve_of(
    voltage: np.ndarray, current: np.ndarray, state: str = "sweep", largest: float = LARGEST_VOLTAGE
) -> CurvatureFit | None:
    """Fits one part at voltages up to ``largest`` by least squares; None where fewer than 6 points or 3 voltages are left."""
    low = np.abs(voltage) <= largest
    v, i = voltage[low], current[low]
    if len(v) < LEAST_POINTS or len(np.unique(np.abs(v).round(9))) < 3:
        return None
    basis = np.stack([v, v**3], axis=1)
    found, *_ = np.linalg.lstsq(basis, i, rcond=None)
    rest = i - basis @ found
    covariance = np.linalg.inv(basis.T @ basis) * np.sum(rest**2) / (len(v) - 2)
    g, cubic = found
    if g <= 0:
        raise InputError(f"current: {state} has a conductance of {g:g} S at low voltage; must be above 0")
    b = cubic / g
    # b = c / G: both errors and how they go together.
    variance = (covariance[1, 1] - 2 * b * covariance[0, 1] + b**2 * covariance[0, 0]) / g**2
    rms = float(np.sqrt(np.mean(rest**2)) / np.abs(i).max())
    return CurvatureFit(
        state, float(g), float(np.sqrt(covariance[0, 0])), float(b), float(np.sqrt(max(variance, 0.0))), len(v), rms
    )


def mean_curvature(curves: list[CurvatureFit], low: float, high: float) -> tuple[float, float, int]:
    """Mean b of states between two conductances, the spread from state to state, and their number."""
    own = [c.curvature for c in curves if low <= c.conductance <= high]
    return (float(np.mean(own)), float(np.std(own, ddof=1)) if len(own) > 1 else 0.0, len(own)) if own else (0.0, 0.0, 0)


def check_curves(pieces: list[tuple[np.ndarray, np.ndarray]], largest: float = LARGEST_VOLTAGE, most: float = 0.02) -> HeldOut:
    """Fits every other point of each part and predicts those between.

    The p-value is the share of parts that are met within ``most`` of the largest current: the check fails where almost none is.
    """
    good = total = points = 0
    for v, i in pieces:
        own = np.abs(v) <= largest
        v, i = v[own], i[own]
        if len(v) < 12 or (fit := fit_curve_of(v[::2], i[::2], largest=largest)) is None:
            continue
        rest = i[1::2] - fit.conductance * (v[1::2] + fit.curvature * v[1::2] ** 3)
        good += bool(np.sqrt(np.mean(rest**2)) <= most * np.abs(i).max())
        total += 1
        points += len(rest)
    return HeldOut(
        f"points between those of the I-V fit, within {100 * most:g} % of the largest current",
        good / total if total else 1.0,
        points,
    )
