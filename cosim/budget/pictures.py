"""Pictures of a budget: the waterfall from float to everything on, and losses against amounts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cosim.report import BEFORE, IDEAL, MEASURED, new_figure


def draw_waterfall(shares: pd.DataFrame, everything: dict[str, Any]) -> Figure:
    """From float accuracy down by each source's Shapley share to the accuracy with everything on."""
    top, end = 100 * everything["float"], 100 * everything["everything"]
    share = 100 * shares["share"].to_numpy()
    after = top - np.cumsum(share)
    before = after + share
    names = ["float", *shares["label"], "everything on"]
    figure, axes = new_figure(10.5, 5.4)
    axis = axes[0, 0]
    low, high = 100 * shares["low"].to_numpy(), 100 * shares["high"].to_numpy()
    # A share's upper end is a lower accuracy.
    error = np.array([high - share, share - low]).clip(0)
    lowest, highest = min(end, float((after - error[0]).min())), max(top, float((after + error[1]).max()))
    margin = 0.08 * max(highest - lowest, 0.5)
    floor, ceiling = max(lowest - margin, 0), highest + margin
    axis.bar([0], [top - floor], bottom=floor, color=IDEAL, width=0.7)
    axis.bar([len(names) - 1], [end - floor], bottom=floor, color=BEFORE, width=0.7)
    at = np.arange(1, len(share) + 1)
    axis.bar(at, -share, bottom=before, color=MEASURED, width=0.7)
    axis.errorbar(at, after, yerr=error, fmt="none", ecolor="black", elinewidth=1, capsize=3)
    for i, level in enumerate([top, *after]):
        axis.plot([i + 0.35, i + 0.65], [level, level], color="black", linewidth=0.7)
    for i, loss in enumerate(share):
        over = max(before[i], after[i] + error[1][i])
        axis.annotate(
            f"{-loss:+.2f}".replace("-0.00", "0.00").replace("+0.00", "0.00"),
            (i + 1, over),
            (0, 3),
            textcoords="offset points",
            ha="center",
            fontsize=8,
        )
    for x, level in ((0, top), (len(names) - 1, end)):
        axis.annotate(f"{level:.1f} %", (x, level), (0, 3), textcoords="offset points", ha="center", fontsize=9)
    axis.set_axisbelow(True)
    axis.set_xticks(range(len(names)), names, rotation=40, ha="right", fontsize=9)
    axis.set(ylabel="accuracy (%)", ylim=(floor, ceiling))
    axis.set_title("Shapley share of each source, percentage points; bars: 95 % over orders, chips and test items", fontsize=9)
    return figure


def draw_tolerances(tolerances: pd.DataFrame, losses: pd.DataFrame, limit: float) -> Figure:
    """Loss of each source alone against the factor of its amount: what was tried, the monotone fit, the tolerance."""
    names = list(tolerances["source"])
    columns = 4
    rows = -(-len(names) // columns)
    figure, axes = new_figure(3.1 * columns, 2.3 * rows, rows, columns)
    for axis in axes.flat[len(names) :]:
        axis.set_visible(False)
    for axis, (_, t) in zip(axes.flat, tolerances.iterrows(), strict=False):
        here = losses[losses["source"] == t["source"]]
        axis.plot(here["factor"], 100 * here["loss"], "o", color=MEASURED, markersize=3.5)
        axis.plot(here["factor"], 100 * here["fit"], color=MEASURED, linewidth=1)
        axis.axhline(100 * limit, color="black", linewidth=0.7, linestyle=":")
        axis.axvline(1.0, color=BEFORE, linewidth=0.8, linestyle="--")
        if t["reached"]:
            low = here["factor"].min() if pd.isna(t["factor_low"]) else t["factor_low"]
            high = here["factor"].max() if pd.isna(t["factor_high"]) else t["factor_high"]
            axis.axvspan(low, high, color=IDEAL, alpha=0.15, linewidth=0)
            axis.axvline(t["factor"], color=IDEAL, linewidth=1.2)
        axis.set_xscale("log", base=2)
        axis.set_yscale("symlog", linthresh=100 * limit, linscale=0.7)
        axis.set_title(f"{t['label']}\n{t['text']} (has {t['shown']})", fontsize=8)
        axis.tick_params(labelsize=7)
    for row in range(rows):
        axes[row, 0].set_ylabel("loss (points)", fontsize=8)
    figure.suptitle(
        f"each source alone: loss against the factor of its amount (of its step for bits); dotted: {100 * limit:g} %, "
        "dashed: the amount of the budget, blue: tolerance and 95 % interval",
        fontsize=9,
    )
    return figure
