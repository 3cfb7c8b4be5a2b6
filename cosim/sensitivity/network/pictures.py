"""Pictures of what moves a network's loss."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cosim.report import BEFORE, IDEAL, MEASURED, new_figure

SHOWN = 14
"""Parameters and comparators that are named."""


def draw_effects(parameters: pd.DataFrame, columns: pd.DataFrame) -> Figure:
    """Draws by how much one sigma of each ramp's parameters, and of each column's comparator, moves the loss."""
    figure, axes = new_figure(10, 4.4, 1, 2)
    left, right = axes[0]
    top = parameters[:SHOWN]
    left.barh(range(len(top)), 1e3 * top["sigma_loss"], color=IDEAL)
    left.set_yticks(range(len(top)), [f"{r.ramp}, {r.parameter}" for r in top.itertuples()], fontsize=8)
    left.invert_yaxis()
    left.set(xlabel="change of the loss by one sigma (1e-3 nats)", title="cells and figures of the ramps")
    for n, (gate, rows) in enumerate(columns.groupby("gate", sort=True)):
        right.plot(np.arange(1, len(rows) + 1), 1e3 * rows["sigma_loss"], ".-", linewidth=1, label=gate, color=f"C{n}")
    right.set(
        xlabel="column, ranked in its gate",
        ylabel="change of the loss by one sigma (1e-3 nats)",
        title="comparators of the columns",
    )
    if columns["gate"].nunique() <= 8:
        right.legend(fontsize=8)
    return figure


def draw_prediction(table: pd.DataFrame) -> Figure:
    """Draws loss and accuracy of evaluated chips against what the gradient foretells."""
    figure, axes = new_figure(9.5, 4.2, 1, 2)
    scatter_prediction(axes[0, 0], table)
    axes[0, 1].plot(1e3 * table["predicted"], 100 * table["accuracy"], "o", color=BEFORE, markersize=4)
    axes[0, 1].set(xlabel="change of the loss by the gradient (1e-3 nats)", ylabel="change of the accuracy, evaluated (%)")
    return figure


def scatter_prediction(axis: Axes, table: pd.DataFrame) -> None:
    """Draws a point a chip, and the line on which prediction and evaluation agree."""
    x, y = 1e3 * table["predicted"], 1e3 * table["loss"]
    ends = np.array([min(x.min(), y.min()), max(x.max(), y.max())])
    axis.plot(ends, ends, color="black", linewidth=0.8, label="equal")
    axis.plot(x, y, "o", color=MEASURED, markersize=4, alpha=0.8, label="chips")
    axis.set(xlabel="change of the loss by the gradient (1e-3 nats)", ylabel="the same, evaluated (1e-3 nats)")
    axis.legend(fontsize=8)
