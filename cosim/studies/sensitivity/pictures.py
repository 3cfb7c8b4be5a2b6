"""The picture of the study of sensitivities."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cosim.report import BEFORE, IDEAL, MEASURED, new_figure
from cosim.sensitivity.network.pictures import scatter_prediction


def draw_study(
    trimming: pd.DataFrame, yields: pd.DataFrame, prediction: pd.DataFrame, searches: pd.DataFrame, limit: float, max_loss: float
) -> Figure:
    """Draws the four uses of the gradient, a panel each."""
    figure, axes = new_figure(10, 7.6, 2, 2)
    _draw_trimming(axes[0, 0], trimming, limit)
    _draw_yields(axes[0, 1], yields)
    scatter_prediction(axes[1, 0], prediction)
    axes[1, 0].set_title("c  loss of drawn chips", loc="left", fontsize=10)
    _draw_searches(axes[1, 1], searches, max_loss)
    return figure


def _draw_trimming(axis: Axes, table: pd.DataFrame, limit: float) -> None:
    styles = {
        "ranked": (IDEAL, "by the gradient"),
        "largest error": (BEFORE, "largest error first"),
        "random": (MEASURED, "random"),
    }
    for order, (colour, label) in styles.items():
        rows = table[table["order"] == order]
        axis.plot(rows["writes"], 100 * rows["within"], ".-", color=colour, label=label)
    axis.set(xlabel="cells written to their targets", ylabel=f"chips with max |INL| within {limit:g} LSB (%)", ylim=(0, 100))
    axis.set_title("a  which cells to trim first", loc="left", fontsize=10)
    axis.legend(fontsize=8)


def _draw_yields(axis: Axes, table: pd.DataFrame) -> None:
    linear = table[(table["by"] == "linear")]
    axis.plot(linear["limit"], 100 * linear["value"], "-", color=IDEAL, label="linear, one gradient")
    for by, mark, colour in (("closed form", "o", BEFORE), ("ngspice", "D", MEASURED)):
        rows = table[table["by"] == by]
        error = 100 * np.array([rows["value"] - rows["low"], rows["high"] - rows["value"]])
        label = f"{by}, {int(rows['chips'].max())} chips" if len(rows) else by
        if len(rows):
            axis.errorbar(rows["limit"], 100 * rows["value"], error, fmt=mark, color=colour, mfc="none", capsize=2, label=label)
    axis.set(xlabel="limit of max |INL|, calibrated (LSB)", ylabel="yield (%)", ylim=(0, 103))
    axis.set_title("b  yield", loc="left", fontsize=10)
    axis.legend(fontsize=8, loc="lower right")


def _draw_searches(axis: Axes, table: pd.DataFrame, max_loss: float) -> None:
    styles = {"gradient": (IDEAL, "gradient steps"), "tpe": (MEASURED, "without gradients (TPE)")}
    for (method, seed), rows in table.groupby(["method", "seed"], sort=False):
        colour, label = styles[str(method)]
        best = rows["energy"].where(rows["loss"] <= max_loss).cummin().ffill()
        first = seed == table["seed"].iloc[0]
        axis.step(rows["evaluation"], 1e6 * best, where="post", color=colour, alpha=0.9, label=label if first else None)
        axis.plot(rows["evaluation"].iloc[-1:], 1e6 * best.iloc[-1:], "o", color=colour, markersize=4)
    axis.set(xlabel="evaluations of the network", ylabel=f"least energy within {100 * max_loss:g} % loss (uJ)", yscale="log")
    axis.yaxis.set_major_formatter("{x:g}")
    axis.yaxis.set_minor_formatter("{x:g}")
    axis.set_title("d  design search", loc="left", fontsize=10)
    axis.legend(fontsize=8)
