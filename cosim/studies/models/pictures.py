"""Picture of the study of trust in the ramp models."""

from __future__ import annotations

from itertools import cycle

import pandas as pd
from matplotlib.figure import Figure

from cosim.report import BEFORE, IDEAL, MEASURED, band, new_figure

OTHERS = ("#1b9e77", "#7570b3", "#e7298a")
"""Colours of a fourth resolution and more."""


def draw_levels(table: pd.DataFrame) -> Figure:
    """Draws level ``sky130`` minus macro of each transition level, and the comparator's delay at both."""
    figure, axes = new_figure(10, 4.2, 1, 2)
    left, right = axes[0]
    for (bits, rows), colour in zip(table.groupby("bits"), cycle((BEFORE, MEASURED, IDEAL, *OTHERS)), strict=False):
        share = (rows["k"] - 0.5) / len(rows)
        mean, sigma = rows["difference_mv"], rows["difference_sigma_mv"]
        lines = mean - 2 * sigma, mean, mean + 2 * sigma
        band(left, share, lines, colour, "o-", markersize=3, linewidth=1, label=f"{bits} bits, transition level")
        left.plot(share, rows["ramp_difference_mv"], "--", color=colour, linewidth=1, label=f"{bits} bits, of it the ramp")
        for level, style in (("macro", "--"), ("sky130", "-")):
            right.plot(share, rows[f"delay_{level}_ns"], style, color=colour, linewidth=1.2, label=f"{bits} bits, {level}")
    left.set(xlabel="place on the ramp, first to last level", ylabel="sky130 - macro (mV)")
    left.set_title("mean over chips, 2 sigma shaded; as programmed", fontsize=9)
    right.set(xlabel="place on the ramp, first to last level", ylabel="delay after the step (ns)")
    right.set_title("comparator, nominal chip, V_mac 3 mV below the level", fontsize=9)
    for axis in (left, right):
        axis.legend(fontsize=8)
    return figure
