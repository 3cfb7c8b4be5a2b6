"""Picture of the study of stuck cells."""

from __future__ import annotations

from itertools import cycle

import pandas as pd
from matplotlib.figure import Figure

from cosim.report import BEFORE, IDEAL, MEASURED, new_figure, yield_bars


def draw(table: pd.DataFrame, title: str) -> Figure:
    """Draws yield against the stuck-at-OFF rate: a panel a limit and calibration, a line a number of calibration cells."""
    limits, calibrations = sorted(table["limit_lsb"].unique()), list(table["calibration"].unique())
    figure, axes = new_figure(4.6 * len(calibrations), 3.2 * len(limits), len(limits), len(calibrations))
    colours = dict(zip(sorted(table["cells"].unique()), cycle((BEFORE, MEASURED, IDEAL)), strict=False))
    for (limit, calibration, cells), rows in table.groupby(["limit_lsb", "calibration", "cells"]):
        axis = axes[limits.index(limit), calibrations.index(calibration)]
        # Side by side: the intervals would hide each other.
        rate = 100 * rows["stuck_off_rate"] + 0.06 * (list(colours).index(cells) - 1)
        style = {"marker": "o", "markersize": 4, "linewidth": 1.2, "capsize": 3, "color": colours[cells]}
        yield_bars(axis, rate, rows, label=f"{cells} calibration cells", **style)
        axis.set_xlabel("cells stuck at OFF (%)")
        axis.set_title(f"{calibration}: max |INL| up to {limit:g} LSB", fontsize=9)
    axes[0, 0].legend(fontsize=8)
    figure.suptitle(f"{title}; 95 % Clopper-Pearson intervals", fontsize=10)
    return figure
