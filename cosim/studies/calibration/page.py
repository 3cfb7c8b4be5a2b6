"""Pictures and page of the calibration study."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cosim.report import BEFORE, IDEAL, MEASURED, Beside, Page, Section, beside, cell, new_figure, percent, read_table, save_figure
from cosim.report.published import published
from netlists.files import read_json

from .tables import AS_PROGRAMMED, BEST_SHIFT, CASE

_OTHERS = ("#1b9e77", IDEAL, "#7570b3", "#66a61e")


def _colours(calibrations: list[str]) -> dict[str, str]:
    """Grey before, orange for the first calibration, black for the bound."""
    between = [c for c in calibrations if c not in (AS_PROGRAMMED, BEST_SHIFT)]
    return {AS_PROGRAMMED: BEFORE, BEST_SHIFT: "black", **dict(zip(between, (MEASURED, *_OTHERS), strict=False))}


def draw_ramps(path: Path, ramps: pd.DataFrame) -> None:
    """Ramp voltage of some chips of each group as programmed and after calibration, with the ideal on top."""
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
    save_figure(figure, path)


def _limits(rows: pd.DataFrame) -> tuple[float, float]:
    volts = rows[["ideal_v", "before_v", "after_v"]].to_numpy()
    room = 0.04 * (volts.max() - volts.min() or 1.0)
    return volts.min() - room, volts.max() + room


def draw_inl(path: Path, inl: pd.DataFrame) -> None:
    """INL over k of each group: median and 5-95 % of the chips, a column a calibration over the chips as programmed."""
    names = list(dict.fromkeys(inl["group"]))
    calibrations = [c for c in dict.fromkeys(inl["calibration"]) if c != AS_PROGRAMMED]
    colours = _colours(calibrations)
    figure, axes = new_figure(3.6 * len(calibrations), 2.3 * len(names), len(names), len(calibrations))
    for row, group in zip(axes, names, strict=True):
        here = inl[inl["group"] == group]
        for axis, calibration in zip(row, calibrations, strict=True):
            for which in (AS_PROGRAMMED, calibration):
                rows = here[here["calibration"] == which]
                axis.fill_between(rows["k"], rows["p05"], rows["p95"], color=colours[which], alpha=0.3, linewidth=0)
                axis.plot(rows["k"], rows["median"], color=colours[which], linewidth=1.3, label=which)
            axis.axhline(0, color=IDEAL, linewidth=0.8)
            axis.set_title(f"{group}: {calibration}", fontsize=9)
            axis.set_ylim(*(1.05 * np.array([min(here["p05"].min(), -0.2), max(here["p95"].max(), 0.2)])))
        row[0].set_ylabel("INL (input LSB)")
    for axis in axes[-1]:
        axis.set_xlabel("transition level k")
    axes[0, 0].legend(fontsize=8)
    save_figure(figure, path)


def draw_yield(path: Path, yields: pd.DataFrame) -> None:
    """Yield of each group as programmed and after each calibration, a panel an activation and limit."""
    names, limits = list(dict.fromkeys(yields["activation"])), sorted(yields["limit_lsb"].unique())
    groups, calibrations = list(dict.fromkeys(yields["group"])), list(dict.fromkeys(yields["calibration"]))
    colours = _colours(calibrations)
    figure, axes = new_figure(5.6 * len(limits), 3.1 * len(names) + 0.4, len(names), len(limits))
    for (name, limit, calibration), rows in yields.groupby(["activation", "limit_lsb", "calibration"], sort=False):
        axis = axes[names.index(name), limits.index(limit)]
        # Side by side: the intervals would hide each other.
        shift = 0.14 * (calibrations.index(calibration) - (len(calibrations) - 1) / 2)
        x = np.array([groups.index(g) for g in rows["group"]]) + shift
        error = 100 * np.array([rows["yield"] - rows["low"], rows["high"] - rows["yield"]]).clip(0)
        style: dict[str, Any] = {"color": colours[calibration], "marker": "_" if calibration == BEST_SHIFT else "o"}
        axis.errorbar(x, 100 * rows["yield"], yerr=error, linestyle="none", markersize=5, capsize=2, label=calibration, **style)
        axis.set(ylim=(-3, 103), ylabel="yield (%)", xticks=range(len(groups)))
        axis.set_xticklabels([textwrap.fill(g, 13) for g in groups], fontsize=8)
        axis.set_title(f"{name}: max |INL| up to {limit:g} LSB", fontsize=9)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), fontsize=8, ncols=len(calibrations), loc="outside upper center")
    save_figure(figure, path)


def page(folder: Path) -> Page:
    """The page of a results folder, from ``summary.json`` and the tables."""
    s = read_json(folder / "summary.json", "study summary")
    keys = list(CASE)
    columns = ["chips", "failed", "max_inl_median", "max_inl_p95", "max_dnl_median", "point_error_rms", "point_error_worst"]
    figures = read_table(folder, "calibration.csv", [*keys, *columns, "writes_mean"])
    yields = read_table(
        folder, "yield.csv", [*keys, "limit_lsb", "passed", "chips", "yield", "low", "high", "outside_before", "rescued"]
    )
    names, groups = list(dict.fromkeys(figures["activation"])), list(dict.fromkeys(figures["group"]))
    first = next(c for c in figures["calibration"] if c != AS_PROGRAMMED)
    name, limit, loose = names[0], yields["limit_lsb"].min(), yields["limit_lsb"].max()

    def share(group: str, calibration: str, bound: float = limit) -> str:
        row = _one(yields, name, group, calibration, limit_lsb=bound)
        return percent(row["yield"], 0)

    plain, stuck = groups[0], groups[1]
    last = groups[-1]
    offsets = [_one(figures, name, plain, c)["point_error_rms"] for c in (AS_PROGRAMMED, first)]
    lead = (
        f"{s['ramp_cells'][name]} ramp cells and {s['calibration_cells'][name]} calibration cells, {s['settings']['bits']} bits, "
        f"level {s['level']} in ngspice. After {first} calibration the ramp is right again at x = {s['point']:g}: the error there "
        f"falls from {cell(offsets[0])} to {cell(offsets[1])} LSB rms. The ramp moves as a whole, so a lost step stays lost: with "
        f"one ramp cell stuck at OFF, {share(stuck, first)} of the {name} chips are within {limit:g} LSB "
        f"({share(stuck, AS_PROGRAMMED)} before), {share(stuck, first, loose)} within {loose:g} LSB "
        f"({share(stuck, AS_PROGRAMMED, loose)} before)."
    )
    highlights = [
        (f"{share(plain, AS_PROGRAMMED)} → {share(plain, first)}", f"{name} chips within {limit:g} LSB, {plain}"),
        (f"{share(stuck, AS_PROGRAMMED)} → {share(stuck, first)}", f"the same, {stuck}"),
        (f"{share(stuck, AS_PROGRAMMED, loose)} → {share(stuck, first, loose)}", f"within {loose:g} LSB, {stuck}"),
        (f"{share(last, AS_PROGRAMMED)} → {share(last, first)}", f"within {limit:g} LSB, {last}"),
    ]
    sections = [
        section
        for name_ in names
        for section in (
            Section(
                f"Ramp voltage, {name_}",
                picture=f"ramps-{name_}",
                caption=f"Transition levels of some chips in ngspice, comparator included: as programmed (grey), after {first} "
                "calibration (orange), ideal on top (blue).",
            ),
            Section(
                f"INL, {name_}",
                picture=f"inl-{name_}",
                caption="Median and 5-95 % of the chips: as programmed (grey) and after each calibration. INL is measured against "
                "the target inverse function, in local LSB, without removing gain or offset.",
                table=_figure_table(figures[figures["activation"] == name_]),
            ),
        )
    ]
    sections += [
        Section(
            "Yield",
            [
                "Chips whose largest |INL| stays within a limit, with 95 % Clopper-Pearson intervals; a chip that failed to "
                "simulate does not pass. Rescued are the chips outside the limit as programmed that are within it afterwards.",
                "Best shift is no calibration but a bound, computed from the levels as programmed: of each chip the one shift, "
                "common to all levels, that leaves the smallest max |INL|. A calibration that only moves the ramp cannot beat it.",
            ],
            picture="yield",
            table=_yield_table(yields),
            notes=[_failures(s["failed"])],
        ),
        Section("What calibration can and cannot do", _honest(figures, yields, name, groups, first, limit)),
        Section("Beside the paper", table=beside(_beside(s, figures, yields, name, groups, first))),
    ]
    return Page("A nonlinear ramp before and after calibration", lead, highlights, sections)


def _one(table: pd.DataFrame, activation: str, group: str, calibration: str, **more: Any) -> pd.Series:
    use = (table["activation"] == activation) & (table["group"] == group) & (table["calibration"] == calibration)
    for column, value in more.items():
        use &= table[column] == value
    return table[use].iloc[0]


def _figure_table(figures: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "chips": figures["group"],
            "calibration": figures["calibration"],
            "measured": figures["chips"],
            "failed": figures["failed"],
            "max |INL|, median (LSB)": figures["max_inl_median"],
            "95 % of chips (LSB)": figures["max_inl_p95"],
            "max |DNL|, median (LSB)": figures["max_dnl_median"],
            "error at x = 0, rms (LSB)": figures["point_error_rms"],
            "largest (LSB)": figures["point_error_worst"],
            "cells written, mean": figures["writes_mean"],
        }
    )


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


def _failures(failed: list[dict[str, Any]]) -> str:
    if not failed:
        return "No chip failed to simulate."
    rows = [f"{f['activation']}, {f['group']}, seed {f['seed']}, sample {f['sample']}: {f['status']}" for f in failed[:10]]
    return f"Failed to simulate: {len(failed)}; summary.json lists them with ngspice's messages. The first: {'; '.join(rows)}."


def _honest(figures: pd.DataFrame, yields: pd.DataFrame, name: str, groups: list[str], first: str, limit: float) -> list[str]:
    """What the numbers say, in words, for the first activation."""
    stuck = groups[1]
    before, after = (_one(figures, name, stuck, c) for c in (AS_PROGRAMMED, first))
    row = _one(yields, name, stuck, first, limit_lsb=limit)
    bound = _one(yields, name, stuck, BEST_SHIFT, limit_lsb=limit)
    large, shifted = (_one(yields, name, groups[-1], c, limit_lsb=limit) for c in (first, BEST_SHIFT))
    rest = {g: cell(_one(figures, name, g, first)["point_error_rms"]) for g in groups}
    text = [
        f"The point. After {first} calibration the error at x = 0 is what one write of the trimming cell misses: "
        f"{'; '.join(f'{g}, {value} LSB rms' for g, value in rest.items())}. It is more where calibration cells are stuck or out "
        "of reach, and a larger programming error also hits the cell that calibrates: of chips with "
        f"{groups[-1]} {percent(large['yield'], 0)} are within {limit:g} LSB, and the best shift would bring "
        f"{percent(shifted['yield'], 0)} there.",
        "The step. A cell stuck at OFF leaves a step short, and all levels beyond it are off by what it lacks: the median of max "
        f"|DNL| is {cell(before['max_dnl_median'])} LSB before and {cell(after['max_dnl_median'])} after. The calibration "
        f"rescues {row['rescued']} of the {row['outside_before']} chips outside {limit:g} LSB, chiefly those whose lost step lies "
        f"before the first or after the last level. The best shift would rescue {bound['rescued']}, by giving up the point at x = "
        "0 and leaving half of the lost step on either side of it. The others need the step itself, which no shift holds.",
    ]
    others = [c for c in dict.fromkeys(yields["calibration"]) if c not in (AS_PROGRAMMED, BEST_SHIFT, first)]
    for calibration in others:
        shares = [
            f"{g}: {percent(_one(yields, name, g, calibration, limit_lsb=limit)['yield'], 0)} instead of "
            f"{percent(_one(yields, name, g, first, limit_lsb=limit)['yield'], 0)}"
            for g in groups[1:]
        ]
        text.append(
            f"{_ADDS.get(calibration, calibration)} Within {limit:g} LSB, {calibration} against {first}: {'; '.join(shares)}."
        )
    return text


_ADDS = {
    "two-point": "Two points. All ramp cells are written again, scaled by what the span lacks, which takes a gain error out.",
    "trim": "Trimming. The worst ramp cells are written again, and the neighbours of a stuck cell share its lost step: the levels "
    "beside it are then off by half a step instead of all levels beyond it by a whole one.",
}


def _beside(
    s: dict[str, Any], figures: pd.DataFrame, yields: pd.DataFrame, name: str, groups: list[str], first: str
) -> list[Beside]:
    cells = f"{s['ramp_cells'][name]} and {s['calibration_cells'][name]}"
    same = (s["ramp_cells"][name], s["calibration_cells"][name]) == (32, 5)
    limits = sorted(yields["limit_lsb"].unique())
    rows = [(g, [_one(yields, name, g, first, limit_lsb=limit) for limit in limits]) for g in groups]
    rescued = f"{name}, chips outside {' and '.join(f'{limit:g}' for limit in limits)} LSB that are rescued: "
    rescued += "; ".join(f"{g} {' and '.join(f'{r.rescued} of {r.outside_before}' for r in found)}" for g, found in rows)
    error = _one(figures, name, groups[1], first)["max_inl_median"]
    return [
        Beside(
            published("calibration-cells"),
            cells,
            False,
            "none: the same column, simulated" if same else f"another resolution or scheme ({s['settings']['bits']} bits)",
        ),
        Beside(
            published("calibration-rescues"),
            rescued,
            False,
            "the paper shows ramps of measured columns; no number, rate of stuck cells or limit of it is known to us. Ours are "
            f"simulated chips of profile {s['settings']['profile']}; with {groups[1]} the median of max |INL| is {cell(error)} LSB "
            f"after {first} calibration",
        ),
    ]
