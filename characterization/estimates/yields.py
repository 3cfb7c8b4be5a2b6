"""Figures of merit over the chips of a run, before and after calibration, and yield against limits."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from characterization.chips import COLUMN_SCOPES
from characterization.plan import Limits
from characterization.run import FIGURES, Run
from netlists.errors import InputError

if TYPE_CHECKING:
    import pandas as pd


def transition_noise(run: Run) -> np.ndarray:
    """Input-referred rms noise of one conversion at each level, shape (levels,), input units.

    From the noisy conversion of each chip by another column: the difference to the chip's own levels, without the offsets of
    the two comparators, which were drawn. The mean over a chip's levels would not do in their place: noise that levels share,
    as the read noise of cells passed by all of them, would go with it.
    """
    table = run.samples
    if lacking := [name for name in ("column_offset", "comparator_offset") if name not in table]:
        raise InputError(
            f"samples: have no column {lacking[0]}; the noise of a conversion is what is left beside the drawn offsets"
        )
    offset = (table["column_offset"] - table["comparator_offset"]).to_numpy() / run.plan.program().volts_per_unit(run.plan.circuit)
    difference = run.conversion_levels() - run.levels(calibrated=True) - offset[:, None]
    difference = difference[np.isfinite(difference).all(axis=1)]
    if len(difference) < 2:
        raise InputError(f"noise: needs 2 or more chips, got {len(difference)}")
    return difference.std(axis=0, ddof=1)


def run_yield(table: pd.DataFrame, limits: Limits) -> dict[str, dict[str, Any]]:
    """Share of chips within the limits, with its 95 % Clopper-Pearson interval, before and after calibration.

    A chip that failed to simulate is not within limits and not outside: it is left out here and counted as ``failed``.
    """
    from scipy.stats import binomtest

    out = {}
    for name, calibrated in (("before", False), ("after", True)):
        rows = table[table["calibrated"] == calibrated]
        tested = rows[rows["status"] == "ok"]
        good = (tested["max_inl_in"] <= limits.max_inl) & (tested["max_dnl"] <= limits.max_dnl)
        if limits.monotonic:
            good &= tested["monotonic"]
        entry: dict[str, Any] = {"good": int(good.sum()), "tested": len(tested), "failed": len(rows) - len(tested)}
        if len(tested):
            interval = binomtest(entry["good"], entry["tested"]).proportion_ci(0.95, method="exact")
            entry |= {"value": entry["good"] / entry["tested"], "low": float(interval.low), "high": float(interval.high)}
        out[name] = entry
    return out


def summary(run: Run, limits: Limits | None = None) -> dict[str, Any]:
    """Figures of a run for reading or JSON: mean, standard deviation, median and 95 % quantile of each figure; yield.

    ``columns`` has them three times: of the column that calibrated the ramp, of another one, and of a chip with all its columns.
    Figures that do not apply (ENOB of a ramp that is not linear) are left out.
    """
    program = run.plan.program()
    out: dict[str, Any] = {
        "activation": run.plan.name,
        "bits": run.plan.bits,
        "calibration": run.plan.calibration,
        "columns_of_a_chip": run.plan.columns,
        "samples": len(run.samples),
        "failed": run.failed,
        "failures": run.samples.loc[run.samples["status"] != "ok", "status"].value_counts().to_dict(),
        "conversion_time_s": program.conversion_time(run.plan.circuit),
    }
    try:
        out["noise_rms_lsb"] = (transition_noise(run) / program.lsb).tolist()
    except InputError:
        out["noise_rms_lsb"] = None
    limits = limits or Limits()
    out["limits"] = {k: (v if not isinstance(v, float) or math.isfinite(v) else None) for k, v in asdict(limits).items()}
    out["columns"] = {}
    for columns in COLUMN_SCOPES:
        table = run.figures(columns)
        out["columns"][columns] = {name: _figures(table, c) for name, c in (("before", False), ("after", True))}
        out["columns"][columns]["yield"] = run_yield(table, limits)
    return out


def _figures(table: pd.DataFrame, calibrated: bool) -> dict[str, Any]:
    """Mean, standard deviation, median and 95 % quantile of each figure in one calibration state."""
    rows = table[(table["calibrated"] == calibrated) & (table["status"] == "ok")]
    entry: dict[str, Any] = {"chips": len(rows), "monotonic": int(rows["monotonic"].sum())}
    for figure in FIGURES:
        values = rows[figure].dropna()
        if len(values):
            entry[figure] = {
                "mean": float(values.mean()),
                "std": float(values.std(ddof=1)) if len(values) > 1 else None,
                "median": float(values.median()),
                "p95": float(values.quantile(0.95)),
            }
    return entry
