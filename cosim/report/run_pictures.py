"""Pictures of a Monte Carlo run: levels, INL, DNL, and yield against the limit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from characterization.estimates import proportion_interval
from characterization.figures import dnl, inl_input
from characterization.plan import Limits
from characterization.run import Run
from netlists.errors import InputError

from .pictures import BEFORE, IDEAL, MEASURED, band, new_figure

QUANTILES = (0.05, 0.5, 0.95)
COLOURS = (MEASURED, IDEAL, "#1b9e77", "#7570b3")
SCOPES = {"calibrating": "-", "any": "--", "all": ":"}


def draw_run(run: Run, limits: Limits | None = None) -> Figure:
    """Draws transition levels, INL and DNL of a run's chips (median, 5 to 95 %), and its yield against the limit of max |INL|.

    Raises
    ------
    InputError
        No chip was measured.
    """
    limits, program = limits or Limits(), run.plan.program()
    k = np.arange(1, len(program.x) + 1)
    states = {"as programmed": (False, BEFORE), "calibrated": (True, MEASURED)}
    levels = {label: good_levels(run, calibrated) for label, (calibrated, _) in states.items()}
    figure, axes = new_figure(10, 6.5, 2, 2)
    (above, inl), (below, share) = axes
    for label, (_, colour) in states.items():
        x = levels[label]
        band(above, k, np.quantile(x, QUANTILES, axis=0), colour, label=label)
        draw_band(inl, inl_input(x, program), label, colour)
        if len(k) > 1:
            draw_band(below, dnl(x, program), label, colour)
    above.plot(k, program.x, "o", color=IDEAL, markersize=3, label="target")
    above.set(xlabel="level", ylabel="input at which the code changes", title=run.title)
    for axis, limit, name in ((inl, limits.max_inl, "INL"), (below, limits.max_dnl, "DNL")):
        for end in (-limit, limit):
            axis.axhline(end, color="black", linestyle=":", linewidth=0.8)
        axis.set(xlabel="level", ylabel=f"{name} (LSB), median and 5 to 95 %")
    for scope, line in SCOPES.items():
        whose = f"all {run.plan.columns} columns" if scope == "all" else f"{scope} column"
        table = run.figures(scope)
        for label, (calibrated, colour) in states.items():
            chips = table[(table["calibrated"] == calibrated) & (table["status"] == "ok")]
            draw_yield_curve(share, chips["max_inl_in"].to_numpy(), limits.max_inl, f"{label}, {whose}", colour, line)
    share.axvline(limits.max_inl, color="black", linestyle=":", linewidth=0.8)
    share.set(xlabel="limit of max |INL| (LSB)", ylabel="chips within it (%)", ylim=(-3, 103), xlim=(0, None))
    above.legend(fontsize=8)
    share.legend(fontsize=7)
    return figure


def draw_inl_bands(runs: Mapping[str, Run], limits: Limits | None = None) -> Figure:
    """Draws INL after calibration and yield against its limit of several runs, one over the other.

    Raises
    ------
    InputError
        More than four runs, or one of which no chip was measured.
    """
    limits = limits or Limits()
    figure, axes = new_figure(10, 3.6, 1, 2)
    inl, share = axes[0]
    if len(runs) > len(COLOURS):
        raise InputError(f"runs: are {len(runs)}; at most {len(COLOURS)} are told apart in one picture")
    for (label, run), colour in zip(runs.items(), COLOURS, strict=False):
        draw_band(inl, inl_input(good_levels(run, True), run.plan.program()), label, colour)
        table = run.figures()
        chips = table[table["calibrated"] & (table["status"] == "ok")]
        draw_yield_curve(share, chips["max_inl_in"].to_numpy(), limits.max_inl, label, colour)
    inl.set(xlabel="level", ylabel="INL (LSB), median and 5 to 95 %")
    share.axvline(limits.max_inl, color="black", linestyle=":", linewidth=0.8)
    share.set(xlabel="limit of max |INL| (LSB)", ylabel="chips within it (%)", ylim=(-3, 103), xlim=(0, None))
    share.legend(fontsize=8)
    return figure


def good_levels(run: Run, calibrated: bool) -> np.ndarray:
    """Returns the levels of the chips that were measured, (chips, levels).

    Raises
    ------
    InputError
        There is none.
    """
    x = run.levels(calibrated=calibrated)
    x = x[np.isfinite(x).all(axis=1)]
    if not len(x):
        raise InputError(f"run: none of its {len(run.samples)} chips was measured; there is nothing to draw")
    return x


def draw_band(axis: Axes, values: np.ndarray, label: str, colour: str) -> None:
    """Draws the median and the middle 90 % of the chips (chips, places) over the levels."""
    band(axis, np.arange(1, values.shape[1] + 1), np.quantile(values, QUANTILES, axis=0), colour, label=label)


def draw_yield_curve(axis: Axes, worst: np.ndarray, limit: float, label: str, colour: str, line: str = "-") -> None:
    """Draws the share of chips whose worst figure is within each limit, with its 95 % interval at the one that counts."""
    at = np.sort(worst)
    axis.step(np.r_[0, at], 100 * np.arange(len(at) + 1) / len(at), line, where="post", color=colour, linewidth=1.2, label=label)
    if np.isfinite(limit):
        good = int(np.count_nonzero(at <= limit))
        low, high = proportion_interval(good, len(at))
        value = good / len(at)
        error = 100 * np.maximum([[value - low], [high - value]], 0)
        axis.errorbar([limit], [100 * value], yerr=error, fmt="o", color=colour, markersize=4, capsize=2)
