"""Picture of the gallery of activations."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cosim.report import BEFORE, IDEAL, MEASURED, new_figure
from netlists.function import as_activation
from netlists.ramp import dense_inputs, transfer_error

from .measure import Measurement, Which, name_of
from .tables import LIMIT_LSB


def draw_gallery(measured: list[tuple[Which, Measurement | None]], table: pd.DataFrame) -> Figure:
    """Draws small multiples: each function and the nominal chip's transfer curve in ngspice, and below their difference."""
    columns = 4
    rows = -(-len(measured) // columns)
    figure, axes = new_figure(2.7 * columns, 3.1 * rows, 2 * rows, columns, height_ratios=[2.2, 1] * rows)
    for axis in axes.flat:
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
    return figure


def _draw(top: Axes, bottom: Axes, which: Which, m: Measurement) -> None:
    """Draws one function: transfer curve and its error over the thresholds, a step beyond them and no more than the domain."""
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
        bottom.axhline(limit, color=BEFORE, linewidth=0.8, linestyle="--")
    bottom.plot(x, transfer_error(act, x, m.levels, m.values) / lsb, color=MEASURED, linewidth=0.7)
    bottom.plot(m.x[inside], (m.decoded - act.value(m.x))[inside] / lsb, ".", color="black", markersize=1.2)
    bottom.set_ylim(-0.75, 0.75)
