"""Pictures of a sweep."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.figure import Figure

from cosim.report import IDEAL, new_figure


def draw_curves(table: pd.DataFrame, names: Sequence[str]) -> Figure:
    """Draws the mean over chips against the first variable, a line for each point of the others, with intervals."""
    figure, axes = new_figure(6.0, 4.0)
    axis = axes[0, 0]
    first, others = names[0], list(names[1:])
    groups = list(table.groupby(others, sort=False)) if others else [((), table)]
    for i, (values, rows) in enumerate(groups):
        label = ", ".join(f"{n} {v:g}" for n, v in zip(others, np.atleast_1d(np.asarray(values)), strict=True)) or "chips"
        error = np.maximum([rows["mean"] - rows["test_low"], rows["test_high"] - rows["mean"]], 0)
        colour = colormaps["viridis"](0.85 * i / max(len(groups) - 1, 1))
        axis.errorbar(rows[first], rows["mean"], yerr=error, fmt="o-", color=colour, capsize=2, label=label)
    axis.axhline(table["float"].iloc[0], color=IDEAL, linestyle="--", linewidth=1, label="float")
    axis.set(xlabel=first, ylabel=table["metric"].iloc[0], xticks=sorted(set(table[first])))
    axis.legend(frameon=False, fontsize=8)
    return figure


def draw_heatmap(table: pd.DataFrame, names: Sequence[str]) -> Figure:
    """Draws the mean over chips over the first two variables; the mean over the others, if there are more, which it says."""
    grid = table.pivot_table(index=names[1], columns=names[0], values="mean", sort=True)
    figure, axes = new_figure(1.5 + 0.8 * grid.shape[1], 1.5 + 0.5 * grid.shape[0])
    axis = axes[0, 0]
    axis.grid(False)
    image = axis.imshow(grid, origin="lower", aspect="auto", cmap="viridis")
    middle = (np.nanmin(grid) + np.nanmax(grid)) / 2
    for (i, j), value in np.ndenumerate(grid.to_numpy()):
        axis.text(j, i, f"{value:.3f}", ha="center", va="center", fontsize=8, color="white" if value < middle else "black")
    axis.set_xticks(range(grid.shape[1]), [f"{v:g}" for v in grid.columns])
    axis.set_yticks(range(grid.shape[0]), [f"{v:g}" for v in grid.index])
    axis.set(xlabel=names[0], ylabel=names[1])
    over = f", mean over {', '.join(names[2:])}" if names[2:] else ""
    figure.colorbar(image, ax=axis, label=f"{table['metric'].iloc[0]}{over}")
    return figure
