"""Picture of the study of the read voltage."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from characterization.plan import RampPlan
from cosim.report import BEFORE, IDEAL, MEASURED, band, new_figure

from .settings import FIXED, IN_MEMORY


def draw(figures: pd.DataFrame, levels: pd.DataFrame, plan: RampPlan) -> Figure:
    """Draws max |INL| against V_read of both converters, and the transfer curve of one activation at the ends of the sweep."""
    figure, axes = new_figure(11, 4.6, 1, 2)
    left, right = axes[0]
    colours = {IN_MEMORY: MEASURED, FIXED: BEFORE}
    styles = dict(zip(figures["activation"].unique(), ("-", "--"), strict=False))
    for (activation, converter), rows in figures.groupby(["activation", "converter"]):
        values = (rows[column] for column in ("v_read", "max_inl_p05", "max_inl_lsb", "max_inl_p95"))
        style = {"marker": "o", "markersize": 3.5, "label": f"{activation}, {converter}"}
        band(left, *values, colours[converter], styles.get(activation, "-"), alpha=0.12, **style)
    left.set(xlabel="V_read (V); calibrated at 0.2 V", ylabel="max |INL| (input LSB)", yscale="log")
    left.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    left.yaxis.set_major_formatter("{x:g}")
    left.yaxis.set_minor_formatter("")
    left.set_title("mean over chips, 5-95 % shaded", fontsize=9)
    left.legend(fontsize=8, handlelength=3.5, loc="lower right")
    program = plan.program()
    reach = program.x[[0, -1]] * 1.35
    x = np.linspace(reach[0], reach[1], 400)
    right.plot(x, plan.function.value(x), color=IDEAL, linewidth=1, label=plan.name)
    ends = figures["v_read"].min(), figures["v_read"].max()
    for converter, colour in colours.items():
        for v_read, style in zip(ends, (":", "-"), strict=True):
            rows = levels[(levels["activation"] == plan.name) & (levels["converter"] == converter) & (levels["v_read"] == v_read)]
            mean = rows.groupby("k")["x"].mean().to_numpy()
            passed = np.searchsorted(mean, x, side="left")
            # The in-memory curves lie on each other: the wider one must not hide the narrower.
            width = 2.4 if style == "-" and converter == IN_MEMORY else 1.2
            top = 1 if width > 2 else 2
            label = f"{converter}, {v_read:g} V"
            drawn = "black" if top == 2 and converter == IN_MEMORY else colour
            right.plot(x, program.values[passed], style, color=drawn, linewidth=width, zorder=1 + top, label=label)
    right.set(xlabel="input (as the array means it)", ylabel="output")
    right.set_title("mean transfer curve at the ends of the sweep", fontsize=9)
    right.legend(fontsize=8)
    return figure
