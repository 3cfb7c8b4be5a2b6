"""Drift after programming: mean and spread of the deviation from the target against time, by state."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netlists.errors import InputError

from .intervals import kurtosis_of, mean_half_width, sigma_interval
from .written import ALARM, LEAST_CELLS, HeldOut

LARGEST_DEGREE = 2
"""Of the polynomials in the conductance: more follows the scatter of a few states."""


@dataclass(frozen=True, eq=False)
class Drift:
    """Deviation from the target at the times of a table, siemens and seconds.

    Attributes
    ----------
    times : ndarray (times,)
    reference : float
        Conductance that the polynomials' argument is divided by.
    sigma_fit, mean_fit : ndarray (times, degree + 1)
        Coefficients of ``sum c_i (G / reference)^i``.
    table : list of dict
        Target, time, cells, mean and standard deviation with standard errors and 95 % intervals.
    """

    times: np.ndarray
    reference: float
    sigma_fit: np.ndarray
    mean_fit: np.ndarray
    table: list[dict[str, float]]

    def shrinking(self) -> list[dict[str, float]]:
        """Rows whose spread is surely below that of their target at the first time: cells drawn from a profile cannot do that."""
        first = {r["target_s"]: r for r in self.table if r["time_s"] == self.times[0]}
        return [r for r in self.table if r["sigma_high_s"] < first[r["target_s"]]["sigma_low_s"]]


def fit_drift(target: np.ndarray, time: np.ndarray, deviation: np.ndarray, reference: float) -> Drift:
    """Fits mean and spread at each time, polynomials in the target weighted by standard errors; shapes (cells x times,).

    Raises
    ------
    InputError
        A time before or at 0, fewer than two times, or fewer than 8 cells of a target at one of them.
    """
    times = np.unique(time)
    if times[0] <= 0:
        raise InputError(f"time={times[0]:g} s: drift goes with the logarithm of time; give the time since programming, above 0")
    if len(times) < 2:
        raise InputError("time: has one value; drift needs two or more")
    targets = np.unique(target)
    table = []
    for t in times:
        kurtosis = kurtosis_of([deviation[(time == t) & (target == g)] for g in targets])
        for g in targets:
            own = deviation[(time == t) & (target == g)]
            if len(own) < LEAST_CELLS:
                raise InputError(
                    f"time={t:g} s: {len(own)} cells at {1e6 * g:g} uS; each target needs {LEAST_CELLS} or more at each time "
                    "(times that differ a little are different times; if rows are reads one after the other, a column must number "
                    "them)"
                )
            n, s = len(own), float(np.std(own, ddof=1))
            spread = float(np.sqrt(np.mean((own - own.mean()) ** 4 - s**4 * (n - 3) / (n - 1)).clip(0) / n)) / (2 * s) if s else 0.0
            row = {"target_s": g, "time_s": t, "cells": n, "mean_s": float(own.mean()), "mean_stderr_s": s / np.sqrt(n)}
            half, (low, high) = float(mean_half_width(s, n)), sigma_interval(s, n, kurtosis)
            row |= {"mean_low_s": row["mean_s"] - half, "mean_high_s": row["mean_s"] + half}
            row |= {"sigma_s": s, "sigma_stderr_s": spread, "sigma_low_s": float(low), "sigma_high_s": float(high)}
            table.append(row)
    degree = min(LARGEST_DEGREE, len(targets) - 1)

    def polynomials(name: str) -> np.ndarray:
        out = []
        for t in times:
            rows = [r for r in table if r["time_s"] == t]
            weight = 1 / np.maximum([r[f"{name}_stderr_s"] for r in rows], 1e-12)
            out.append(np.polynomial.polynomial.polyfit(targets / reference, [r[f"{name}_s"] for r in rows], degree, w=weight))
        return np.array(out)

    return Drift(times, reference, polynomials("sigma"), polynomials("mean"), table)


def check_drift(target: np.ndarray, time: np.ndarray, deviation: np.ndarray, reference: float, rng: np.random.Generator) -> HeldOut:
    """Fits half of the rows of each target and time, and holds the means of the other half against the fit.

    Chi-squared of all means, with the variances of both halves.
    """
    from scipy.stats import chi2

    half = np.zeros(len(target), bool)
    for t in np.unique(time):
        for g in np.unique(target):
            own = rng.permutation(np.flatnonzero((time == t) & (target == g)))
            half[own[: len(own) // 2]] = True
    if min(np.sum(half[(time == t) & (target == g)]) for t in np.unique(time) for g in np.unique(target)) < LEAST_CELLS:
        return HeldOut("drift: too few cells to hold any out", ALARM, 0)
    fit = fit_drift(target[half], time[half], deviation[half], reference)
    total, n = 0.0, 0
    for i, t in enumerate(fit.times):
        for g in np.unique(target):
            own = deviation[~half & (time == t) & (target == g)]
            mean = np.polynomial.polynomial.polyval(g / reference, fit.mean_fit[i])
            total += (own.mean() - mean) ** 2 / (2 * np.var(own, ddof=1) / len(own))
            n += 1
    # The means of one cell at several times go together: as many numbers as targets tell something of their own.
    targets = len(np.unique(target))
    return HeldOut("mean deviation from the target at each time", float(chi2.sf(total * targets / n, targets)), int(np.sum(~half)))
