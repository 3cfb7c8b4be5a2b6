"""Tables of the calibration study: figures, yield and INL of each group of chips before and after each calibration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from characterization.chips import POINT, error_at
from characterization.estimates import max_dnl, max_inl
from characterization.figures import inl_input
from characterization.plan import RampPlan
from cosim.studies.stuck import yield_row
from netlists.ramp import RampProgram, to_volts

from .settings import AS_PROGRAMMED, BEST_SHIFT, CASE

DRAWN_CHIPS = 12
BAND = (0.05, 0.5, 0.95)


def least_max_inl(x: np.ndarray, program: RampProgram) -> np.ndarray:
    """Finds the smallest max |INL| (input LSB) that a shift common to all levels can leave; shapes (n, levels) -> (n,).

    |e_k + s| <= t lsb_k for every k has a solution s where each two of the intervals meet, e_i - e_j <= t (lsb_i + lsb_j): the
    least t is the largest of the ratios.
    """
    e = np.asarray(x) - program.x
    ratio = (e[:, :, None] - e[:, None, :]) / (program.lsb[:, None] + program.lsb)
    return ratio.max(axis=(1, 2))


def figure_tables(chips: pd.DataFrame, programs: dict[str, RampProgram], limits: Sequence[float]) -> dict[str, pd.DataFrame]:
    """Makes figures, yields and INL of each ramp, group and calibration, with the chips as programmed and the bound of a shift.

    Parameters
    ----------
    chips : DataFrame
        A row a chip and calibration: the columns `CASE`, ``sample``, ``writes``, ``before`` and ``after``, levels in input
        units or None.
    programs : dict
        Of each activation.
    limits : sequence of float
        Largest |INL| of a chip that passes, input LSB.

    Returns
    -------
    dict
        ``calibration``, ``yield`` and ``inl``.
    """
    figures, yields, bands = [], [], []
    for (name, group), everyone in chips.groupby(["activation", "group"], sort=False):
        program = programs[name]
        cases = {calibration: rows for calibration, rows in everyone.groupby("calibration", sort=False)}
        first = next(iter(cases.values()))
        before = levels(first, "before", program)
        old = max_inl(before, program)
        measured = [(AS_PROGRAMMED, before, np.zeros(len(before)))]
        measured += [(c, levels(rows, "after", program), rows["writes"].to_numpy()) for c, rows in cases.items()]
        worst = {}
        for calibration, x, writes in measured:
            labels = dict(zip(CASE, (name, group, calibration), strict=True))
            worst[calibration] = max_inl(x, program)
            figures.append(labels | _figures(x, worst[calibration], writes, program))
            bands += [labels | row for row in _band(x, program)]
        worst[BEST_SHIFT] = least_max_inl(before, program)
        for calibration, inl in worst.items():
            labels = dict(zip(CASE, (name, group, calibration), strict=True))
            yields += [labels | yield_row(inl, limit) | _rescued(old, inl, limit) for limit in limits]
    return {"calibration": pd.DataFrame(figures), "yield": pd.DataFrame(yields), "inl": pd.DataFrame(bands)}


def levels(rows: pd.DataFrame, which: str, program: RampProgram) -> np.ndarray:
    """Returns levels (chips, levels) in the order of the rows; a row of NaN for a chip that failed."""
    nothing = [np.nan] * len(program.x)
    return np.array([nothing if x is None else x for x in rows[which]], float)


def _rescued(before: np.ndarray, after: np.ndarray, limit: float) -> dict[str, Any]:
    """Counts chips outside the limit before, and how many of them are within it after, with the interval of their share."""
    outside = before > limit
    if not outside.any():
        return {"outside_before": 0, "rescued": 0, "rescued_low": None, "rescued_high": None}
    row = yield_row(after[outside], limit)
    return {"outside_before": row["chips"], "rescued": row["passed"], "rescued_low": row["low"], "rescued_high": row["high"]}


def _figures(x: np.ndarray, worst: np.ndarray, writes: np.ndarray, program: RampProgram) -> dict[str, Any]:
    """Averages figures over the chips that were measured, input LSB; the error at the point in LSB at that point."""
    good = np.isfinite(worst)
    if not good.any():
        names = ("max_inl_mean", "max_inl_median", "max_inl_p95", "max_inl_worst", "max_dnl_median")
        return {"chips": 0, "failed": len(x)} | dict.fromkeys((*names, "point_error_rms", "point_error_worst", "writes_mean"))
    x, worst = x[good], worst[good]
    error = error_at(POINT, x, program) / np.interp(POINT, program.x, program.lsb)
    return {
        "chips": len(x),
        "failed": int(np.sum(~good)),
        "max_inl_mean": float(worst.mean()),
        "max_inl_median": float(np.median(worst)),
        "max_inl_p95": float(np.quantile(worst, 0.95)),
        "max_inl_worst": float(worst.max()),
        "max_dnl_median": float(np.median(max_dnl(x, program))),
        "point_error_rms": float(np.sqrt(np.mean(error**2))),
        "point_error_worst": float(np.abs(error).max()),
        "writes_mean": float(writes[good].mean()),
    }


def _band(x: np.ndarray, program: RampProgram) -> list[dict[str, Any]]:
    """Finds quantiles of the INL over the chips at each level, LSB."""
    x = x[np.isfinite(x).all(axis=1)]
    if not len(x):
        return []
    low, median, high = np.quantile(inl_input(x, program), BAND, axis=0)
    rows = zip(low, median, high, strict=True)
    return [{"k": k, "p05": float(a), "median": float(b), "p95": float(c)} for k, (a, b, c) in enumerate(rows, 1)]


def ramp_table(chips: pd.DataFrame, plans: dict[str, RampPlan]) -> pd.DataFrame:
    """Tabulates levels in volts of the first chips of each group, as programmed and after the first calibration."""
    first = chips["calibration"].iloc[0]
    tables = []
    for (name, group), rows in chips[chips["calibration"] == first].groupby(["activation", "group"], sort=False):
        plan = plans[name]
        program = plan.program()
        ideal = to_volts(program.x, program, plan.circuit)
        good = rows[rows["after"].notna()].head(DRAWN_CHIPS)
        before, after = (to_volts(levels(good, which, program), program, plan.circuit) for which in ("before", "after"))
        for i, sample in enumerate(good["sample"]):
            labels = dict(zip(CASE, (name, group, first), strict=True)) | {"sample": sample}
            volts = {"k": np.arange(1, len(ideal) + 1), "ideal_v": ideal, "before_v": before[i], "after_v": after[i]}
            tables.append(pd.DataFrame(labels | volts))
    return pd.concat(tables, ignore_index=True)


def chip_table(chips: pd.DataFrame, programs: dict[str, RampProgram]) -> pd.DataFrame:
    """Makes a row a chip and calibration: largest |INL| before and after, what a shift could leave, and its status."""
    tables = []
    for (name, _, _), rows in chips.groupby(list(CASE), sort=False):
        program = programs[name]
        before, after = (levels(rows, which, program) for which in ("before", "after"))
        inl = {"max_inl_before": max_inl(before, program), "max_inl_after": max_inl(after, program)}
        tables.append(rows.drop(columns=["before", "after"]).assign(**inl, least_max_inl=least_max_inl(before, program)))
    return pd.concat(tables, ignore_index=True)
