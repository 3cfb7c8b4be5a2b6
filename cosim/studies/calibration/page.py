"""Page of the calibration study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from cosim.report import Page, page_of, percent, read_table
from netlists.files import read_json

from .settings import AS_PROGRAMMED, BEST_SHIFT, CASE

_YIELDS = ("limit_lsb", "passed", "chips", "yield", "low", "high", "outside_before", "rescued")


def page(folder: Path) -> Page:
    """Makes the page of a folder from ``summary.json`` and the tables."""
    s = read_json(folder / "summary.json", "study summary")
    figures = read_table(folder, "calibration.csv", [*CASE, "max_inl_median", "max_dnl_median", "point_error_rms"])
    yields = read_table(folder, "yield.csv", [*CASE, *_YIELDS])
    ramps, groups = list(dict.fromkeys(figures["activation"])), list(dict.fromkeys(figures["group"]))
    calibrations = [c for c in dict.fromkeys(figures["calibration"]) if c != AS_PROGRAMMED]
    limits = sorted(yields["limit_lsb"].unique())

    def figure(group: str, calibration: str) -> pd.Series:
        return _one(figures, (ramps[0], group, calibration))

    def row(group: str, calibration: str, limit: float = limits[0]) -> pd.Series:
        return _one(yields[yields["limit_lsb"] == limit], (ramps[0], group, calibration))

    def share(group: str, calibration: str, limit: float = limits[0]) -> str:
        return percent(row(group, calibration, limit)["yield"], 0)

    values: dict[str, Any] = {"figure": figure, "row": row, "share": share, "programmed": AS_PROGRAMMED, "best": BEST_SHIFT}
    values |= {"name": ramps[0], "ramps": ramps, "groups": groups, "limits": limits, "limit": limits[0], "loose": limits[-1]}
    values |= {"first": calibrations[0], "others": calibrations[1:], "plain": groups[0], "stuck": groups[1], "last": groups[-1]}
    return page_of(Path(__file__), folder, {"yields": _yield_table(yields)}, s=s, **values)


def _one(table: pd.DataFrame, case: tuple[str, ...]) -> pd.Series:
    return table[(table[list(CASE)] == list(case)).all(axis=1)].iloc[0]


def _yield_table(yields: pd.DataFrame) -> pd.DataFrame:
    out = yields[["activation", "group", "calibration"]].rename(columns={"activation": "ramp", "group": "chips"})
    for limit in sorted(yields["limit_lsb"].unique()):
        rows = yields[yields["limit_lsb"] == limit].set_index(list(CASE))
        rows = rows.loc[[tuple(r) for r in yields[list(CASE)].itertuples(index=False)]]
        text = [
            f"{percent(y, 1)} ({percent(low, 1)} to {percent(high, 1)})"
            for y, low, high in rows[["yield", "low", "high"]].itertuples(index=False)
        ]
        out[f"within {limit:g} LSB"] = text
        out[f"rescued at {limit:g} LSB"] = [
            "-" if case[-1] == AS_PROGRAMMED else f"{r} of {n}"
            for case, r, n in zip(rows.index, rows["rescued"], rows["outside_before"], strict=True)
        ]
    return out.drop_duplicates(ignore_index=True)
