"""Pictures of the study of learned ramps."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cosim.evaluation import metric_of
from cosim.report import BEFORE, IDEAL, MEASURED, new_figure

COLOURS = {
    "uniform": IDEAL,
    "quantile": "#7570b3",
    "k-means": "#1b9e77",
    "lloyd-max": BEFORE,
    "learned": MEASURED,
    "learned from lloyd-max": "#a6761d",
}
LINES = {"none": ":", "on ideal ramps": "-", "hardware-aware": "--"}


def draw_accuracy(table: pd.DataFrame) -> Figure:
    """Draws scores against bits: a row for each task, a column for each hardware, a line for each kind of ramp and training."""
    on = [c for c in dict.fromkeys(table["on"]) if c != "float"]
    tasks = list(dict.fromkeys(table["task"]))
    figure, axes = new_figure(4.4 * len(on), 3.4 * len(tasks), len(tasks), len(on))
    for row, task in zip(axes, tasks, strict=True):
        own = table[table["task"] == task]
        metric = metric_of(own["metric"].iloc[0])
        exact = metric.factor * own[own["on"] == "float"]["value"].iloc[0]
        for axis, condition in zip(row, on, strict=True):
            rows = own[own["on"] == condition]
            for (training, ramps), line in rows.groupby(["training", "ramps"], sort=False):
                style = {"color": COLOURS[ramps], "linestyle": LINES[training], "linewidth": 1.1, "markersize": 3.5}
                axis.plot(line["bits"], metric.factor * line["value"], "o", label=f"{ramps}, training: {training}", **style)
            axis.axhline(exact, color="black", linewidth=0.6)
            axis.set(xticks=sorted(rows["bits"].unique()))
            axis.set_title(f"{task}, {condition}", fontsize=9)
            axis.sharey(row[0])
        # An axis shared late keeps the limits of its first panel, which would cut the others' lines off.
        shown = metric.factor * own["value"]
        margin = 0.05 * (shown.max() - shown.min())
        row[0].set(ylabel=metric.label, ylim=(shown.min() - margin, shown.max() + margin))
    for axis in axes[-1]:
        axis.set_xlabel("bits of the ramps")
    lines, labels = axes[0, -1].get_legend_handles_labels()
    figure.legend(lines, labels, fontsize=7, ncols=3, loc="outside lower center")
    return figure


def draw_staircases(ramps: pd.DataFrame) -> Figure:
    """Draws, for the last task and 3 bits, each gate's staircase: uniform, fitted to data, learned."""
    bits = 3 if 3 in set(ramps["bits"]) else int(ramps["bits"].max())
    rows = ramps[(ramps["task"] == ramps["task"].iloc[-1]) & (ramps["bits"] == bits)]
    kinds = [
        ("none", "uniform"),
        ("none", "lloyd-max"),
        ("on ideal ramps", "learned"),
        ("on ideal ramps", "learned from lloyd-max"),
    ]
    gates = list(dict.fromkeys(rows["gate"]))
    figure, axes = new_figure(3.2 * len(gates), 3.0, 1, len(gates))
    for axis, gate in zip(axes[0], gates, strict=True):
        for training, kind in kinds:
            one = rows[(rows["training"] == training) & (rows["ramps"] == kind) & (rows["gate"] == gate)].sort_values("code")
            at = one["threshold"].to_numpy()[1:]
            edges = np.concatenate([[at[0] - 1.0], at, [at[-1] + 1.0]])
            axis.stairs(one["value"].to_numpy(), edges, baseline=None, color=COLOURS[kind], label=kind, linewidth=1.2)
        axis.set(xlabel="pre-activation", title=f"gate {gate}")
    axes[0, 0].set_ylabel("output")
    axes[0, 0].legend(fontsize=7)
    return figure
