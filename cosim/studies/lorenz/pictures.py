"""Pictures of the study of a reconstructed attractor."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cosim.report import IDEAL, MEASURED, new_figure

SHOWN = 4000
"""Points of a panel."""


def draw_attractors(shown: Mapping[str, np.ndarray]) -> Figure:
    """Draws x and z of each trajectory, in deviations."""
    columns = 3
    rows = -(-len(shown) // columns)
    figure, axes = new_figure(3.6 * columns, 3.0 * rows, rows, columns, sharex=True, sharey=True)
    for axis, (name, points) in zip(axes.flat, shown.items(), strict=False):
        axis.plot(points[:SHOWN, 0], points[:SHOWN, 2], linewidth=0.4, color=IDEAL if name in list(shown)[:2] else MEASURED)
        axis.set_title(name, fontsize=9)
    for axis in axes.flat[len(shown) :]:
        axis.set_axis_off()
    first = next(iter(shown.values()))
    low, high = first.min(axis=0), first.max(axis=0)
    axes.flat[0].set(xlim=(1.3 * low[0], 1.3 * high[0]), ylim=(1.3 * low[2], 1.3 * high[2]))
    axes[0, 0].set_ylabel("z")
    axes[-1, 0].set_xlabel("x")
    return figure


def draw_invariants(table: pd.DataFrame) -> Figure:
    """Draws each invariant of each trajectory; the dotted line is the system's."""
    measures = {
        "rate": "divergence of neighbours (1/time)",
        "divergence": "state-space divergence (nats)",
        "spectrum": "spectrum distance",
    }
    figure, axes = new_figure(4.2 * len(measures), 3.6, 1, len(measures))
    label = table["on"] + table["bits"].map(lambda b: "" if pd.isna(b) else f", {b:.0f} bits")
    order = list(dict.fromkeys(label))
    for axis, (name, what) in zip(axes[0], measures.items(), strict=True):
        place = label.map(order.index) + 0.1 * (table["training"] - table["training"].mean())
        axis.plot(table[name], place, "o", markersize=4, color=MEASURED)
        axis.axvline(table[name].iloc[0], color=IDEAL, linestyle=":", linewidth=0.9)
        axis.set(xlabel=what, yticks=range(len(order)), yticklabels=order if axis is axes[0][0] else [])
        axis.invert_yaxis()
    return figure
