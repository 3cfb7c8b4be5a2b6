"""Picture of a study of resolution: the metric against bits, a panel for each training, a line for each condition."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cosim.report import BEFORE, IDEAL, MEASURED, new_figure

from . import conditions as c
from .networks import PLAIN, TRAININGS

STYLES = {
    c.IDEAL: (IDEAL, "o", "-"),
    c.WEIGHTS: (BEFORE, "s", "-"),
    c.FITTED: (MEASURED, "^", "-"),
    c.FITTED_WEIGHTS: (MEASURED, "v", "--"),
    c.ALL: ("black", "D", "-"),
}
THRESHOLDS = (("#7570b3", "<", ":"), ("#7570b3", ">", "-."), ("#1b9e77", "P", ":"), ("#1b9e77", "X", "-."))


def draw(results: pd.DataFrame, title: str, unit: str, factor: float = 1.0) -> Figure:
    """Draws one task's rows of ``results.csv``; values are multiplied by ``factor``."""
    names = [n for n in dict.fromkeys(results["condition"]) if n not in (c.FLOAT, c.FLOAT_WEIGHTS)]
    groups = [[n for n in names if n in STYLES], [c.IDEAL, *(n for n in names if n not in STYLES)]]
    others = iter(THRESHOLDS * len(names))
    styles = {n: STYLES[n] if n in STYLES else next(others) for n in names}
    # Threshold noise can cost ten times as much as the rest: on a scale of its own.
    groups = [g for g in groups if len(g) > 1]
    figure, axes = new_figure(12, 4.6 * len(groups), len(groups), 2)
    for row, group in zip(axes, groups, strict=True):
        row[1].sharey(row[0])
        for axis, training in zip(row, TRAININGS, strict=True):
            _panel(axis, results, training, {n: styles[n] for n in group}, factor)
            axis.set(xlabel="bits of the ramps", ylabel=unit)
            axis.set_title(f"{training} training", fontsize=10)
        # Where values lie close together, there is room.
        row[1].legend(fontsize=7.5, loc="best")
    figure.suptitle(title, fontsize=11)
    return figure


def _panel(axis: Axes, results: pd.DataFrame, training: str, styles: dict[str, tuple[str, str, str]], factor: float) -> None:
    resolutions = sorted(int(b) for b in results["bits"].dropna().unique())
    reference = results[(results["training"] == PLAIN) & (results["condition"] == c.FLOAT)].iloc[0]
    axis.axhspan(factor * reference["low"], factor * reference["high"], color=IDEAL, alpha=0.08, linewidth=0)
    axis.axhline(factor * reference["value"], color=IDEAL, linewidth=0.9, linestyle=":", label="float, plain training")
    for number, (name, (colour, mark, line)) in enumerate(styles.items()):
        rows = results[(results["training"] == training) & (results["condition"] == name)].sort_values("bits")
        # Shifted a little, or the bars of the conditions would hide each other.
        x = [resolutions.index(int(b)) + 0.05 * (number - (len(styles) - 1) / 2) for b in rows["bits"]]
        style: dict[str, Any] = {"color": colour, "marker": mark, "linestyle": line}
        style |= {"markersize": 4.5, "linewidth": 1.2, "elinewidth": 0.8}
        axis.errorbar(x, factor * rows["value"], yerr=factor * rows["chip_deviation"].fillna(0.0), label=name, **style)
    axis.set_xticks(range(len(resolutions)), [str(b) for b in resolutions])
