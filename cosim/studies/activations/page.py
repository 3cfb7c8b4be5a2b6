"""Picture and page of the gallery of activations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from cosim.report import IDEAL, MEASURED, Beside, Page, Section, beside, cell, percent, read_table, save_figure
from cosim.report.published import published
from netlists.files import read_json
from netlists.function import as_activation
from netlists.ramp import dense_inputs, transfer_error

from .measure import Measurement, Which, name_of

LIMIT_LSB = 0.6
"""Largest distance between the nominal chip's transfer curve and the function, output LSB."""
FIELD = ("sigmoid", "tanh", "softplus", "softsign", "elu", "selu")
"""Functions that nonlinear ramp converters of the field were shown with."""


def draw_gallery(path: Path, measured: list[tuple[Which, Measurement | None]], table: pd.DataFrame) -> None:
    """Small multiples: each function and the nominal chip's transfer curve in ngspice, and below their difference."""
    columns = 4
    rows = -(-len(measured) // columns)
    figure = Figure(figsize=(2.7 * columns, 3.1 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2 * rows, columns, squeeze=False, height_ratios=[2.2, 1] * rows)
    for axis in axes.flat:
        axis.grid(True, color="#e4e4e4", linewidth=0.6)
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=7)
    for i, ((which, m), row) in enumerate(zip(measured, table.to_dict("records"), strict=True)):
        top, bottom = axes[2 * (i // columns) : 2 * (i // columns) + 2, i % columns]
        if m is None:
            top.set_title(f"{name_of(which)}: not measured", fontsize=9)
            continue
        _draw(top, bottom, which, m)
        worst = max(row["spice_max_error_lsb"], row["spice_conversions_max_error_lsb"])
        top.set_title(f"{name_of(which)}: max {worst:.3f} LSB", fontsize=9)
        if i % columns == 0:
            top.set_ylabel("output", fontsize=8)
            bottom.set_ylabel("error (LSB)", fontsize=8)
    for i in range(len(measured), rows * columns):
        for axis in axes[2 * (i // columns) : 2 * (i // columns) + 2, i % columns]:
            axis.set_visible(False)
    figure.suptitle(
        f"{table['bits'].iloc[0]}-bit ramps, nominal chip in ngspice: g(x) (blue), decoded code between measured\n"
        "transition levels (orange), conversions by comparator, latch and counter (dots)",
        fontsize=11,
    )
    save_figure(figure, path, dpi=110)


def _draw(top: Axes, bottom: Axes, which: Which, m: Measurement) -> None:
    """One function: transfer curve and its error over the thresholds, a step beyond them and no more than the domain."""
    act, lsb = as_activation(which), m.program.report.output_lsb
    low = max(act.x_min, m.levels[0] - m.program.lsb[0])
    high = min(act.x_max, m.levels[-1] + m.program.lsb[-1])
    x = dense_inputs(act, m.levels, points=301)
    x = x[(x >= low) & (x <= high)]
    inside = (m.x >= low) & (m.x <= high)
    top.stairs(m.values, np.concatenate([[low], m.levels, [high]]), baseline=None, color=MEASURED, linewidth=1.2)
    top.plot(x, act.value(x), color=IDEAL, linewidth=0.9)
    top.plot(m.x[inside], m.decoded[inside], ".", color="black", markersize=1.2)
    for limit in (-LIMIT_LSB, LIMIT_LSB):
        bottom.axhline(limit, color="#8a8a8a", linewidth=0.8, linestyle="--")
    bottom.plot(x, transfer_error(act, x, m.levels, m.values) / lsb, color=MEASURED, linewidth=0.7)
    bottom.plot(m.x[inside], (m.decoded - act.value(m.x))[inside] / lsb, ".", color="black", markersize=1.2)
    bottom.set_ylim(-0.75, 0.75)


def page(folder: Path) -> Page:
    """The page of a results folder, from ``summary.json`` and ``activations.csv``."""
    s = read_json(folder / "summary.json", "study summary")
    columns = ["function", "bits", "compiles", "thresholds", "falling", "scheme", "cells", "conversion_time_ns", "max_error_lsb"]
    spice = ["spice_max_error_lsb", "spice_conversions_max_error_lsb", "spice_mean_error_lsb", "spice_conversions"]
    table = read_table(folder, "activations.csv", [*columns, *spice, "spice_codes_as_levels", "why_not"])
    bits = s["settings"]["spice_bits"]
    here = table[table["bits"] == bits]
    good = here[here["spice_max_error_lsb"].notna()]
    worst = good[["spice_max_error_lsb", "spice_conversions_max_error_lsb"]].max(axis=1)
    field = good["function"].isin(FIELD)
    largest, mean = float(worst.max()), float(good["spice_mean_error_lsb"].max())
    where = good["function"][worst.idxmax()]
    conversions = int(good["spice_conversions"].sum())
    equal = float((good["spice_codes_as_levels"] * good["spice_conversions"]).sum() / conversions)
    lead = (
        f"{here['function'].nunique()} functions, {int(here['function'].isin(FIELD).sum())} of them those of the field, compiled "
        f"for one ramp column each. At {bits} bits the nominal chip's transfer curve in ngspice stays within {largest:.3f} LSB of "
        f"the function ({where} the farthest); half an LSB is what rounding alone takes. Functions that also fall take a "
        "counter that counts down where they fall."
    )
    highlights = [
        (f"{largest:.3f} LSB", f"largest error at {bits} bits, all functions"),
        (f"{float(worst[field].max()):.3f} LSB" if field.any() else "-", "largest error of the six of the field"),
        (f"{mean:.3f} LSB", "largest mean error over the inputs"),
        (percent(equal), f"of {conversions} conversions as the levels say"),
    ]
    refused = table[~table["compiles"].astype(bool)]
    reasons = [f"{r.function}, {r.bits} bits: {r.why_not}." for r in refused.itertuples()]
    shown = pd.DataFrame(
        {
            "function": here["function"],
            "of the field": here["function"].isin(FIELD),
            "thresholds": here["thresholds"],
            "falling": here["falling"],
            "scheme": here["scheme"],
            "cells": here["cells"],
            "conversion (ns)": here["conversion_time_ns"],
            "levels: max error (LSB)": here["spice_max_error_lsb"],
            "mean (LSB)": here["spice_mean_error_lsb"],
            "conversions: max error (LSB)": here["spice_conversions_max_error_lsb"],
            "conversions": here["spice_conversions"],
            "as the levels say": [percent(v, 0) for v in here["spice_codes_as_levels"]],
        }
    )
    sections = [
        Section(
            f"Transfer curves at {bits} bits",
            picture="gallery",
            caption="Each function, the decoded code between the levels that ngspice measured, and single conversions by "
            "comparator, latch and counter; below, their error with the limit of 0.6 LSB dashed.",
            table=shown,
            notes=[
                f"Nominal chip, level {s['level']}, profile {s['profile']}. Errors are output-referred and include quantisation. "
                "Levels: the curve between the levels that ngspice measured; its mean is over evenly spaced inputs from the first "
                "to the last level. Conversions: single ones in ngspice, each code held against what the levels say."
            ],
        ),
        Section(
            "Cells and time by resolution",
            ["Cells of the ramp column, calibration cells included, and nanoseconds a conversion."],
            table=_by_resolution(table),
            notes=reasons or ["Every function compiles at every resolution."],
        ),
        Section("Beside the published figure", table=beside([_beside(good, worst, field, bits)])),
    ]
    return Page("Activations on a ramp column", lead, highlights, sections)


def _by_resolution(table: pd.DataFrame) -> pd.DataFrame:
    texts = [
        f"{cell(c)} / {cell(round(t))}" if ok else "-"
        for c, t, ok in zip(table["cells"], table["conversion_time_ns"].fillna(0), table["compiles"].astype(bool), strict=True)
    ]
    wide = table.assign(text=texts).pivot(index="function", columns="bits", values="text").reindex(table["function"].unique())
    return wide.rename(columns=lambda b: f"{b} bits").reset_index()


def _beside(good: pd.DataFrame, worst: pd.Series, field: pd.Series, bits: int) -> Beside:
    six = good[field]
    ours = f"mean error at most {cell(float(good['spice_mean_error_lsb'].max()))} LSB, largest {cell(float(worst.max()))} LSB"
    if len(six):
        ours += f"; the six of the field {cell(float(six['spice_mean_error_lsb'].max()))} and {cell(float(worst[field].max()))} LSB"
    return Beside(
        published("average-error-5-bit"),
        f"{ours} ({bits} bits)",
        False,
        "theirs is a measured chip, ours a nominal one in ngspice, without mismatch: rounding to the nearest code alone gives a "
        "mean of a quarter and a largest error of half an LSB. How their average is taken is not known to us",
    )
