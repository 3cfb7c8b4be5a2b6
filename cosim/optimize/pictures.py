"""Pictures of a design search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cosim.report import BEFORE, IDEAL, MEASURED, new_figure

SHOWN = {
    "energy": (1e6, "energy an inference (uJ)"),
    "latency": (1e6, "latency of an inference (us)"),
    "area": (1e6, "area (mm2)"),
    "edp": (1e12, "energy times latency (uJ us)"),
}
"""Factor and label of each objective."""


def draw_front(
    rows: Sequence[Mapping[str, Any]],
    front: Sequence[Mapping[str, Any]],
    tries: Sequence[Mapping[str, Any]],
    objective: str,
    judged: str,
    max_loss: float,
) -> Figure:
    """Loss against the objective: every design, the front, the default, and what SPICE made of the designs tried."""
    factor, label = SHOWN[objective]
    figure, axes = new_figure(8.2, 4.8)
    axis = axes[0, 0]
    built = [r for r in rows if r[judged] is not None]

    def xy(some: Sequence[Mapping[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
        return np.array([factor * r[objective] for r in some]), np.array([100 * r[judged] for r in some])

    axis.plot(*xy(built), "o", color=BEFORE, markersize=4, alpha=0.7, label="designs, closed form")
    axis.step(*xy(front), where="post", color=IDEAL, linewidth=1.3, marker="o", markersize=5, label="front")
    if rows[0][judged] is not None:
        axis.plot(*xy(rows[:1]), "s", color="black", markersize=8, markerfacecolor="none", label="default design")
    for n, t in enumerate(tries):
        x, y = xy([t])
        confirmed = 100 * t["validation"]["confirmed"][judged]
        axis.annotate("", (x[0], confirmed), (x[0], y[0]), arrowprops={"arrowstyle": "->", "color": MEASURED})
        axis.plot(
            x,
            [confirmed],
            "D" if t["confirmed"] else "X",
            color=MEASURED,
            markersize=8,
            label="the same design, ramps from SPICE, fresh chips" if n == 0 else None,
        )
    axis.axhline(100 * max_loss, color="black", linewidth=1, linestyle="--", label=f"limit, {100 * max_loss:g} %")
    # Large losses would press the limit onto the axis.
    axis.set_yscale("symlog", linthresh=max(4 * 100 * max_loss, 1.0))
    axis.yaxis.set_major_formatter("{x:g}")
    losses = xy(built)[1]
    if len(losses):
        axis.set_ylim(min(losses.min(), 0.0) - 0.5, max(1.5 * losses.max(), 300 * max_loss, 1.0))
    axis.set(xlabel=label, ylabel="loss of accuracy on validation sequences (%)")
    axis.legend(fontsize=8, loc="center right")
    return figure


def draw_importances(shares: pd.DataFrame, objective: str) -> Figure:
    """Share of each variable in the objective and in the loss."""
    figure, axes = new_figure(7.2, 3.6)
    axis = axes[0, 0]
    names = list(dict.fromkeys(shares["variable"]))
    for n, (target, colour, label) in enumerate(((objective, IDEAL, objective), ("loss", MEASURED, "loss of accuracy"))):
        rows = shares[shares["target"] == target]
        place = [names.index(v) + 0.38 * (n - 0.5) for v in rows["variable"]]
        axis.barh(place, 100 * rows["importance"], height=0.36, color=colour, label=label)
    axis.set_yticks(range(len(names)), names)
    axis.invert_yaxis()
    axis.set(xlabel="share of the variance over the grid (%)")
    if names:
        axis.legend(fontsize=8)
    return figure
