"""Pictures of what moves a converter."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from characterization.sensitivity import Sensitivities
from cosim.report import BEFORE, IDEAL, MEASURED, new_figure

SHOWN = 12
"""Parameters beside the cells whose derivatives are drawn."""


def draw_derivatives(found: Sensitivities) -> Figure:
    """Draws what one sigma of each cell, and 1 % or one sigma of each other parameter, moves every level by."""
    moves, n = found.inl_jacobian, found.n_cells
    figure, axes = new_figure(10, 4.2, 1, 2)
    left, right = axes[0]
    k = np.arange(1, len(moves) + 1)
    largest = float(np.abs(moves[:, :n] * found.sigmas[:n]).max()) or 1.0
    image = left.imshow(
        moves[:, :n] * found.sigmas[:n],
        aspect="auto",
        origin="lower",
        cmap="RdBu",
        vmin=-largest,
        vmax=largest,
        extent=(-0.5, n - 0.5, 0.5, len(k) + 0.5),
    )
    left.grid(False)
    left.set(xlabel="cell", ylabel="level", title="one sigma of each cell")
    figure.colorbar(image, ax=left, label="LSB")
    steps = np.where(found.sigmas > 0, found.sigmas, 0.01 * np.abs(found.values))[n:]
    others = moves[:, n:] * steps
    order = np.argsort(-np.abs(others).max(axis=0))[:SHOWN]
    for position in order:
        name = found.names[n + position]
        if others[:, position].any():
            size = "1 sigma" if found.sigmas[n + position] > 0 else "1 %"
            right.plot(k, np.abs(others[:, position]), ".-", linewidth=1, label=f"{name}, {size}")
    right.set(xlabel="level", ylabel="|move| (LSB)", yscale="log", title="the other parameters")
    right.legend(fontsize=7, ncols=2)
    return figure


def draw_trimming(table: pd.DataFrame) -> Figure:
    """Draws the largest |INL| that is left against the number of cells written, and what is saved beside random orders."""
    figure, axes = new_figure(10, 4, 1, 2)
    left, right = axes[0]
    colours = {"ranked": IDEAL, "largest error": BEFORE, "random": MEASURED}
    for (by, order), rows in table.groupby(["by", "order"], sort=False):
        line = "o" if by == "ngspice" else "-"
        style = {"color": colours[order], "mfc": "none", "markersize": 5, "label": f"{order}, {by}"}
        left.plot(rows["writes"], rows["max_inl"], line, **style)
        if order != "random":
            error = np.array([rows["saved"] - rows["saved_low"], rows["saved_high"] - rows["saved"]])
            right.errorbar(rows["writes"], rows["saved"], yerr=error, fmt=line, capsize=2, **style)
    left.set(xlabel="cells written to their targets", ylabel="max |INL| left (LSB), mean over chips", ylim=(0, None))
    right.set(xlabel="cells written to their targets", ylabel="less than by random orders (LSB), 95 %")
    right.axhline(0, color="black", linewidth=0.8)
    left.legend(fontsize=8)
    return figure
