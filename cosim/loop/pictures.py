"""Pictures of a co-simulation."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from cosim.report import BEFORE, IDEAL, MEASURED, new_figure

from .agreement import NEAR_LSB


def draw_agreement(steps: pd.DataFrame, found: pd.DataFrame) -> Figure:
    """Draws at which steps and gates codes differ, and how near the input was to the threshold."""
    figure, axes = new_figure(9.0, 3.6, 1, 2)
    left, right = axes[0]
    gates = list(dict.fromkeys(steps["gate"]))
    bottom = np.zeros(int(steps["step"].max()) + 1)
    shades = [IDEAL, MEASURED, BEFORE, "#5aa469", "#9467bd", "#c2a300"]
    for i, gate in enumerate(gates):
        own = found[found["gate"] == gate].groupby("step").size().reindex(range(len(bottom)), fill_value=0).to_numpy(float)
        left.bar(np.arange(len(bottom)), own, bottom=bottom, color=shades[i % len(shades)], label=f"gate {gate}")
        bottom += own
    left.set(xlabel="step", ylabel="codes that differ", title="where ngspice and the model differ")
    left.set_ylim(0, max(bottom.max() * 1.15, 1))
    left.legend(fontsize=8)
    margin = found["margin_lsb"].to_numpy(float)
    if len(margin):
        edges = np.linspace(0, max(margin.max() * 1.02, NEAR_LSB * 1.2), 31)
        right.hist(margin, bins=edges, color=MEASURED)
        right.axvline(NEAR_LSB, color=BEFORE, linestyle="--", linewidth=1, label=f"{NEAR_LSB:g} LSB")
        right.legend(fontsize=8)
    else:
        right.text(0.5, 0.5, "no code differs", ha="center", va="center", transform=right.transAxes)
    right.set(xlabel="distance of the input from the threshold (LSB)", ylabel="codes that differ", title="how near they were")
    _whole(left, "xy")
    _whole(right, "y")
    return figure


def draw_travel(travel: pd.DataFrame) -> Figure:
    """Draws how far the two loops are apart after the first code that differed."""
    figure, axes = new_figure(9.0, 3.6, 1, 2)
    left, right = axes[0]
    for _, rows in travel.groupby("sequence"):
        left.plot(rows["after"], rows["distance"], color=MEASURED, alpha=0.35, linewidth=1)
        right.plot(rows["after"], rows["codes_differ"], color=MEASURED, alpha=0.35, linewidth=1)
    if travel.empty:
        for axis in (left, right):
            axis.text(0.5, 0.5, "no code ever differed", ha="center", va="center", transform=axis.transAxes)
    else:
        middle = travel.groupby("after")[["distance", "codes_differ"]].mean()
        left.plot(middle.index, middle["distance"], color=IDEAL, linewidth=2, label="mean over sequences")
        right.plot(middle.index, middle["codes_differ"], color=IDEAL, linewidth=2, label="mean over sequences")
        left.legend(fontsize=8)
    left.set(xlabel="steps after the first code that differed", ylabel="rms difference of h", title="distance of the two loops")
    right.set(xlabel="steps after the first code that differed", ylabel="columns", title="codes that differ between the loops")
    _whole(left, "x")
    _whole(right, "xy")
    return figure


def _whole(axes: Axes, which: str) -> None:
    """Ticks at whole numbers only."""
    for name in which:
        getattr(axes, f"{name}axis").set_major_locator(MaxNLocator(integer=True))
