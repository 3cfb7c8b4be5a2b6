"""Pictures of a datasheet."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cosim.report import BEFORE, IDEAL, MEASURED, new_figure

WHERE = ["corner", "temperature", "v_dd"]
NOMINAL: dict[str, Any] = {"color": MEASURED, "marker": "o", "label": "nominal", "zorder": 3}
OTHER: dict[str, Any] = {"color": BEFORE, "alpha": 0.5, "linewidth": 0.8, "zorder": 2}


def draw_delay(delays: pd.DataFrame, gain: float, tau: float, limit: float) -> Figure:
    """Draws delay against overdrive at every condition, and the macro-model's."""
    from characterization.transistors import macro_delay

    figure, axes = new_figure(5.2, 3.6)
    axis = axes[0, 0]
    for i, (_, rows) in enumerate(delays.groupby(WHERE, sort=False)):
        mean = 1e9 * (rows["delay_rise"] + rows["delay_fall"]) / 2
        axis.plot(1e3 * rows["overdrive"], mean, **(OTHER if i else NOMINAL))
    v = np.geomspace(delays["overdrive"].min(), delays["overdrive"].max(), 50)
    axis.plot(1e3 * v, 1e9 * macro_delay(v, gain, tau, limit), "--", color=IDEAL, label="macro-model")
    low, high = axis.get_ylim()
    axis.set(xscale="log", yscale="log" if high > 10 * low > 0 else "linear", xlabel="overdrive (mV)", ylabel="delay (ns)")
    axis.xaxis.set_major_formatter("{x:g}")
    axis.legend(frameon=False, fontsize=8)
    return figure


def draw_common_mode(over: pd.DataFrame, low: float, high: float) -> Figure:
    """Draws the offset against the common mode, with the input range at nominal conditions."""
    figure, axes = new_figure(5.2, 3.6)
    axis = axes[0, 0]
    for i, (_, rows) in enumerate(over.groupby(WHERE, sort=False)):
        axis.plot(rows["common_mode"], 1e3 * rows["offset"], **(OTHER if i else NOMINAL))
    axis.axvspan(low, high, color=IDEAL, alpha=0.1, label="input range")
    axis.set(xlabel="common mode (V)", ylabel="offset (mV)")
    axis.legend(frameon=False, fontsize=8)
    return figure


def draw_offsets(offsets: pd.DataFrame, sigma: float) -> Figure:
    """Draws the histogram of the offsets."""
    figure, axes = new_figure(5.2, 3.2)
    axis = axes[0, 0]
    axis.hist(1e3 * offsets["offset"], bins=max(10, int(np.sqrt(len(offsets)))), color=MEASURED)
    axis.set(xlabel="offset (mV)", ylabel="instances", title=f"{len(offsets)} instances, sigma {1e3 * sigma:.3g} mV")
    return figure


def draw_macro(check: pd.DataFrame) -> Figure:
    """Draws how far the macro-model's levels are from those of the block, every chip."""
    figure, axes = new_figure(5.2, 3.2)
    axis = axes[0, 0]
    axis.plot(check["k"], check["difference_lsb"], ".", color=MEASURED, markersize=3)
    for end in (-0.1, 0.1):
        axis.axhline(end, color=IDEAL, linestyle="--", linewidth=0.8)
    axis.set(xlabel="level", ylabel="macro-model - block (LSB)")
    return figure


def draw_response(response: pd.DataFrame, macro: dict[str, Any]) -> Figure:
    """Draws open-loop gain and output impedance over frequency, and those of a two-stage macro-model."""
    from characterization.transistors import two_stage_response
    from netlists.technology import TwoStageOpamp

    figure, axes = new_figure(9.0, 3.6, 1, 2)
    f = response["frequency"].to_numpy()
    measured = [np.hypot(response[f"{n}_re"], response[f"{n}_im"]) for n in ("gain", "z")]
    fitted = two_stage_response(TwoStageOpamp(**macro), f) if "gm2" in macro else None
    for k, (axis, label) in enumerate(zip(axes[0], ("open-loop gain (V/V)", "output impedance (ohm)"), strict=True)):
        axis.plot(f, measured[k], color=MEASURED, label="block")
        if fitted is not None:
            axis.plot(f, np.abs(fitted[k]), "--", color=IDEAL, label="macro-model")
        axis.set(xscale="log", yscale="log", xlabel="frequency (Hz)", ylabel=label)
        axis.legend(frameon=False, fontsize=8)
    return figure
