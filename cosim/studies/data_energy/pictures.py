"""Pictures of the study of the data's energy."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cosim.report import BEFORE, IDEAL, MEASURED, new_figure


def pareto(table: pd.DataFrame, tile: int, task: str) -> Figure:
    """Draws accuracy against the energy of an inference, without and with all measures, and the spread over the test set."""
    figure, axes = new_figure(11.5, 4.6, 1, 2)
    left, right = axes[0]
    here = table[table["tile"] == tile]
    marks = "osD^v<>p"
    colours = {"none": BEFORE, "all": MEASURED}
    for (measures, bits), rows in here[here["measures"].isin(colours)].groupby(["measures", "bits"], sort=False):
        rows = rows.sort_values("energy")
        mark = marks[list(here["bits"].unique()).index(bits) % len(marks)]
        error = 100 * np.array([rows["accuracy"] - rows["low"], rows["high"] - rows["accuracy"]]).clip(0)
        label = f"{bits} bits, {'no measure' if measures == 'none' else 'all measures'}"
        style = {"color": colours[measures], "marker": mark, "markersize": 5, "linestyle": ":", "elinewidth": 0.6, "linewidth": 0.8}
        left.errorbar(1e9 * rows["energy"], 100 * rows["accuracy"], yerr=error, label=label, **style)
    left.set(xlabel="mean energy of an inference (nJ)", ylabel=f"accuracy on {task} (%)")
    left.set_title("every row driven, and delta inputs of rising threshold", fontsize=9)
    left.legend(fontsize=7)
    best = here[here["bits"] == here["bits"].iloc[0]]
    columns = best[["driven", "delta", "measures"]].to_numpy()
    names = [f"{d if d == 'every row' else f'changes > {t:g}'}, {m}" for d, t, m in columns]
    y = np.arange(len(best))
    spread = 1e9 * np.array([best["energy"] - best["energy_p05"], best["energy_p95"] - best["energy"]]).clip(0)
    right.errorbar(1e9 * best["energy"], y, xerr=spread, fmt="o", color=IDEAL, markersize=4, linewidth=1)
    right.set_yticks(y, names, fontsize=7)
    right.set(xlabel="energy of an inference (nJ): mean, 5-95 % of the sequences", ylim=(len(best) - 0.5, -0.5))
    right.set_title(f"{best['bits'].iloc[0]} bits, tiles of {tile} columns", fontsize=9)
    return figure
