"""Pictures of the cost study."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cosim.report import BEFORE, IDEAL, MEASURED, new_figure, point_names

BLOCK_COLOURS = (
    "#d95f02", "#0b4f9c", "#8a8a8a", "#1b9e77", "#e6ab02", "#7570b3",
    "#a6761d", "#e7298a", "#66a61e", "#666666", "#a6cee3", "#000000", "#5b8a72", "#b07d2b",
)  # fmt: skip


def pareto(accuracy: pd.DataFrame, rivals: pd.DataFrame) -> Figure:
    """Draws accuracy against energy of an inference, and published keyword spotting against efficiency."""
    figure, axes = new_figure(11.5, 4.6, 1, 2)
    left, right = axes[0]
    for converter, colour, mark, size in (("conventional", BEFORE, "s", 9), ("ramp", MEASURED, "o", 4)):
        rows = accuracy[accuracy["converter"] == converter]
        error = 100 * np.array([rows["accuracy"] - rows["low"], rows["high"] - rows["accuracy"]])
        label = "bent ramp in memory" if converter == "ramp" else "linear ramp, 32 activation units"
        style = {"color": colour, "marker": mark, "markersize": size, "linewidth": 1, "elinewidth": 0.8}
        left.errorbar(1e9 * rows["energy"], 100 * rows["accuracy"], yerr=error, label=label, **style)
        if converter == "ramp":
            point_names(left, [f"{b} b" for b in rows["bits"]], 1e9 * rows["energy"], 100 * rows["accuracy"], (4, -12))
    left.set(xscale="log", xlabel="energy of an inference (nJ)", ylabel="accuracy on voices (%)")
    left.set_title("resolution, 130 nm as simulated, threshold noise", fontsize=9)
    at = rivals["tops_per_watt"], 100 * rivals["accuracy"]
    right.plot(*at, "^", color=IDEAL, markersize=7, label="published, Google Speech Commands")
    point_names(right, rivals["name"], *at, (0, -14), ha="center")
    ours = accuracy[(accuracy["converter"] == "ramp") & accuracy["bits"].isin((3, 4, 5, 6, 8))]
    at = ours["projected_tops_per_watt"], 100 * ours["accuracy"]
    right.plot(*at, "o-", color=MEASURED, markersize=5, linewidth=1, label="ours at 16 nm, voices (other data)")
    point_names(right, [f"{b} b" for b in ours["bits"]], *at, (4, -12))
    right.set(xscale="log", xlabel="energy efficiency (TOPS/W)", ylabel="accuracy (%)")
    right.set_title("keyword spotting: efficiencies compare, accuracies do not", fontsize=9)
    for axis in (left, right):
        axis.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.16))
    return figure


def table1(fitted: pd.DataFrame) -> Figure:
    """Draws deviation from each printed figure: fitted and predicted."""
    names = {"area": "area", "power": "power", "tops": "TOPS", "tops_per_watt": "TOPS/W", "tops_per_mm2": "TOPS/mm$^2$"}
    figure, axes = new_figure(11.5, 4.8, 1, 2)
    for axis, (network, rows) in zip(axes[0], fitted.groupby("network", sort=False), strict=True):
        limit = 100 * rows["limit"].iloc[0]
        axis.axhspan(-limit, limit, color="#1b9e77", alpha=0.12, linewidth=0, label=f"within {limit:.0f} %")
        x = np.arange(len(rows))
        for how, face in (("fitted", "white"), ("predicted", MEASURED)):
            at = (rows["how"] == how).to_numpy()
            style = {"markerfacecolor": face, "color": MEASURED, "markersize": 7, "label": f"six constants: {how}"}
            axis.plot(x[at], 100 * rows["deviation"][at], "o", **style)
        style = {"fmt": "none", "ecolor": BEFORE, "capsize": 3, "label": "rounding of the printed figure"}
        axis.errorbar(x, np.zeros(len(rows)), yerr=100 * rows["rounding"], **style)
        axis.axhline(0, color="black", linewidth=0.8)
        labels = [f"{names[r.quantity]}\n{r.bits} b" if r.quantity != "area" else "area" for r in rows.itertuples()]
        axis.set_xticks(x, labels, fontsize=8)
        axis.set(title=network, ylabel="deviation from Table 1 (%)", ylim=(-32, 32))
        axis.legend(fontsize=8, loc="upper left", ncols=2)
    return figure


def terms(rows: pd.DataFrame) -> Figure:
    """Draws share of each block in energy and in area."""
    figure, axes = new_figure(11.5, 4.4, 1, 2)
    blocks = list(dict.fromkeys(rows["block"]))
    colours = dict(zip(blocks, BLOCK_COLOURS[: len(blocks)], strict=True))
    groups = list(rows.groupby(["where", "converter"], sort=False))
    for axis, quantity in zip(axes[0], ("energy", "area"), strict=True):
        for y, (_, group) in enumerate(groups):
            left = 0.0
            shares = 100 * group[quantity] / group[quantity].sum()
            for block, share in zip(group["block"], shares, strict=True):
                axis.barh(y, share, left=left, color=colours[block], height=0.6)
                left += share
        labels = [f"{where}\n{converter}" for (where, converter), _ in groups] if quantity == "energy" else [""] * len(groups)
        axis.set_yticks(range(len(groups)), labels, fontsize=8)
        axis.set(xlabel=f"share of the {quantity} (%)", xlim=(0, 100))
        axis.invert_yaxis()
    handles = [axes[0, 0].bar([0], [0], color=colours[b]) for b in blocks]
    figure.legend(handles, blocks, loc="outside lower center", ncols=4, fontsize=8)
    return figure


def efficiencies(rows: pd.DataFrame) -> Figure:
    """Draws energy against area efficiency: Table 1, its rivals, our projection."""
    figure, axes = new_figure(7.5, 5)
    axis = axes[0, 0]
    for who, colour, mark in (
        ("Yang et al. 2025", IDEAL, "^"),
        ("rival of its Table 1", BEFORE, "s"),
        ("ours, 16 nm projection", MEASURED, "o"),
    ):
        some = rows[rows["who"] == who]
        axis.plot(some["tops_per_mm2"], some["tops_per_watt"], mark, color=colour, markersize=7, label=who)
        for r in some.itertuples():
            # The 65 nm chips lie close together.
            shift, side = {"ISS": ((-6, -3), "right"), "CIC": ((5, -9), "left")}.get(r.name[:3], ((5, 4), "left"))
            point_names(axis, [r.name], [r.tops_per_mm2], [r.tops_per_watt], shift, fontsize=7, ha=side)
    axis.legend(fontsize=8, loc="upper left")
    return figure


def sweeps(rows: pd.DataFrame) -> Figure:
    """Draws energy of a step over resolution and hidden units; gain over the conventional converter over array size."""
    figure, axes = new_figure(11.5, 4.2, 1, 3)
    first, second, third = axes[0]
    size, hidden, bits = rows["array"].max(), sorted(rows["hidden"].unique()), sorted(rows["bits"].unique())
    for n, shade in zip(hidden, np.linspace(0.25, 1.0, len(hidden)), strict=True):
        some = rows[(rows["hidden"] == n) & (rows["array"] == size)]
        ramp = some[some["converter"] == "ramp"]
        style = {"color": MEASURED, "alpha": shade, "markersize": 4, "label": f"{n} units"}
        first.plot(ramp["bits"], 1e9 * ramp["step_energy"], "o-", **style)
        wide = some.pivot(index="bits", columns="converter", values="step_time")
        second.plot(wide.index, wide["conventional"] / wide["ramp"], "o-", **style)
    first.set(yscale="log", xlabel="bits", ylabel="energy of a time step (nJ)", title=f"bent ramps, arrays of {size}")
    second.set(xlabel="bits", ylabel="time of a step, conventional / ramp", title="32 activation units")
    five = rows[(rows["bits"] == (5 if 5 in bits else bits[-1])) & (rows["converter"] == "ramp")]
    for n, shade in zip(hidden, np.linspace(0.25, 1.0, len(hidden)), strict=True):
        some = five[five["hidden"] == n]
        third.plot(some["array"], some["tops_per_watt"], "o-", color=MEASURED, alpha=shade, markersize=4, label=f"{n} units")
    third.set(xscale="log", xlabel="rows and columns of an array", ylabel="TOPS/W", title="5 bits: smaller arrays")
    for axis in axes[0]:
        axis.title.set_fontsize(9)
    handles, labels = first.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=8)
    return figure
