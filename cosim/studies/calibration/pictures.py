"""Pictures of the calibration study."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cosim.report import BEFORE, IDEAL, MEASURED, band, new_figure, yield_bars

from .settings import AS_PROGRAMMED, BEST_SHIFT

_OTHERS = ("#1b9e77", IDEAL, "#7570b3", "#66a61e")


def _colours(calibrations: list[str]) -> dict[str, str]:
    """Chooses grey before, orange for the first calibration, black for the bound."""
    between = [c for c in calibrations if c not in (AS_PROGRAMMED, BEST_SHIFT)]
    return {AS_PROGRAMMED: BEFORE, BEST_SHIFT: "black", **dict(zip(between, (MEASURED, *_OTHERS), strict=False))}


def draw_ramps(ramps: pd.DataFrame) -> Figure:
    """Draws ramp voltage of some chips of each group as programmed and after calibration, with the ideal on top."""
    names = list(dict.fromkeys(ramps["group"]))
    figure, axes = new_figure(10, 2.3 * len(names), len(names), 2)
    for row, group in zip(axes, names, strict=True):
        here = ramps[ramps["group"] == group]
        calibration = here["calibration"].iloc[0]
        for axis, which, colour, title in (
            (row[0], "before_v", BEFORE, AS_PROGRAMMED),
            (row[1], "after_v", MEASURED, f"after {calibration} calibration"),
        ):
            for _, chip in here.groupby("sample"):
                axis.step(chip["k"], chip[which], where="mid", color=colour, linewidth=0.8, alpha=0.75)
            ideal = here[here["sample"] == here["sample"].iloc[0]]
            axis.step(ideal["k"], ideal["ideal_v"], where="mid", color=IDEAL, linewidth=1.2, label="ideal")
            axis.set_title(f"{group}: {title}", fontsize=9)
        row[0].set_ylabel("V_ramp (V)")
        for axis in row:
            axis.set_ylim(*_limits(here))
    for axis in axes[-1]:
        axis.set_xlabel("ramp step k")
    axes[0, 0].legend(fontsize=8)
    return figure


def _limits(rows: pd.DataFrame) -> tuple[float, float]:
    volts = rows[["ideal_v", "before_v", "after_v"]].to_numpy()
    room = 0.04 * (volts.max() - volts.min() or 1.0)
    return volts.min() - room, volts.max() + room


def draw_inl(inl: pd.DataFrame) -> Figure:
    """Draws INL over k of each group: median and 5-95 % of the chips, a column a calibration over the chips as programmed."""
    names = list(dict.fromkeys(inl["group"]))
    calibrations = [c for c in dict.fromkeys(inl["calibration"]) if c != AS_PROGRAMMED]
    colours = _colours(calibrations)
    figure, axes = new_figure(3.6 * len(calibrations), 2.3 * len(names), len(names), len(calibrations))
    for row, group in zip(axes, names, strict=True):
        here = inl[inl["group"] == group]
        for axis, calibration in zip(row, calibrations, strict=True):
            for which in (AS_PROGRAMMED, calibration):
                rows = here[here["calibration"] == which]
                lines = rows["p05"], rows["median"], rows["p95"]
                band(axis, rows["k"], lines, colours[which], linewidth=1.3, label=which)
            axis.axhline(0, color=IDEAL, linewidth=0.8)
            axis.set_title(f"{group}: {calibration}", fontsize=9)
            axis.set_ylim(*(1.05 * np.array([min(here["p05"].min(), -0.2), max(here["p95"].max(), 0.2)])))
        row[0].set_ylabel("INL (input LSB)")
    for axis in axes[-1]:
        axis.set_xlabel("transition level k")
    axes[0, 0].legend(fontsize=8)
    return figure


def draw_yield(yields: pd.DataFrame) -> Figure:
    """Draws yield of each group as programmed and after each calibration, a panel an activation and limit."""
    names, limits = list(dict.fromkeys(yields["activation"])), sorted(yields["limit_lsb"].unique())
    groups, calibrations = list(dict.fromkeys(yields["group"])), list(dict.fromkeys(yields["calibration"]))
    colours = _colours(calibrations)
    figure, axes = new_figure(5.6 * len(limits), 3.1 * len(names) + 0.4, len(names), len(limits))
    for (name, limit, calibration), rows in yields.groupby(["activation", "limit_lsb", "calibration"], sort=False):
        axis = axes[names.index(name), limits.index(limit)]
        # Side by side: the intervals would hide each other.
        shift = 0.14 * (calibrations.index(calibration) - (len(calibrations) - 1) / 2)
        x = np.array([groups.index(g) for g in rows["group"]]) + shift
        style: dict[str, Any] = {"color": colours[calibration], "marker": "_" if calibration == BEST_SHIFT else "o"}
        yield_bars(axis, x, rows, linestyle="none", markersize=5, capsize=2, label=calibration, **style)
        axis.set_xticks(range(len(groups)))
        axis.set_xticklabels([textwrap.fill(g, 13) for g in groups], fontsize=8)
        axis.set_title(f"{name}: max |INL| up to {limit:g} LSB", fontsize=9)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), fontsize=8, ncols=len(calibrations), loc="outside upper center")
    return figure
