"""Picture of the study of published networks: accuracy against the bits of the ramps."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from cosim.report import BEFORE, IDEAL, MEASURED, new_figure

from . import conditions as c

STYLES = {c.IDEAL: (IDEAL, "o", "-"), c.MEMRISTORS: (BEFORE, "s", "-"), c.EVERYTHING: (MEASURED, "^", "-")}


def draw(results: pd.DataFrame) -> Figure:
    """Draws a panel for each network."""
    sizes = list(dict.fromkeys(results["units"]))
    figure, axes = new_figure(5.2 * len(sizes), 4.2, 1, len(sizes), sharey=True)
    for axis, units in zip(axes[0], sizes, strict=True):
        own = results[results["units"] == units]
        reference = own[own["condition"] == c.FLOAT].iloc[0]
        axis.axhspan(100 * reference["low"], 100 * reference["high"], color=IDEAL, alpha=0.08, linewidth=0)
        axis.axhline(100 * reference["accuracy"], color=IDEAL, linewidth=0.9, linestyle=":", label="float")
        for name, (colour, mark, line) in STYLES.items():
            rows = own[own["condition"] == name].sort_values("bits")
            if len(rows):
                style: dict[str, Any] = {"color": colour, "marker": mark, "linestyle": line, "markersize": 4.5, "capsize": 2}
                axis.errorbar(
                    rows["bits"], 100 * rows["accuracy"], yerr=100 * rows["chip_deviation"].fillna(0), label=name, **style
                )
        axis.set(xlabel="bits of the ramps", ylabel="accuracy (%)", title=f"{units} units")
        axis.legend(fontsize=8)
    return figure
