"""Pictures of two results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from matplotlib.figure import Figure

from characterization.ramp_model import RampModel
from characterization.run import Run
from cosim.report import IDEAL, MEASURED, draw_inl_bands, new_figure

from .differences import Difference
from .result import StoredResult

SHOWN = 30
"""Differences in a picture."""


def draw_differences(differences: Sequence[Difference], labels: tuple[str, str]) -> Figure:
    """Draws differences in units of their interval: those beyond the band are clear."""
    rows = differences[:SHOWN][::-1]
    figure, axes = new_figure(8, 1.2 + 0.28 * len(rows))
    axis = axes[0, 0]
    axis.axvspan(-1, 1, color=IDEAL, alpha=0.1, label="95 % interval")
    for y, d in enumerate(rows):
        assert d.low is not None
        assert d.high is not None
        half = max((d.high - d.low) / 2, 1e-300)
        axis.plot(np.clip(d.value / half, -20, 20), y, "o", color=MEASURED if d.clear else IDEAL)
    axis.axvline(0, color="black", linewidth=0.8)
    axis.set_yticks(range(len(rows)), [d.name for d in rows], fontsize=7)
    axis.set(xlabel=f"{labels[1]} minus {labels[0]}, in half widths of the interval (cut at 20)")
    return figure


def draw_models(a: RampModel, b: RampModel, labels: tuple[str, str]) -> Figure:
    """Draws the mean error and the deviation of each level of two models."""
    figure, axes = new_figure(9, 3.6, 1, 2)
    for model, label, colour in zip((a, b), labels, (MEASURED, IDEAL), strict=True):
        k = np.arange(1, len(model.lsb) + 1)
        error = 1.96 * model.mean_stderr / model.lsb
        axes[0, 0].errorbar(
            k, (model.mean - model.x_ideal) / model.lsb, yerr=error, fmt="o-", markersize=3, color=colour, label=label
        )
        sigma = np.sqrt(np.diag(model.covariance)) / model.lsb
        axes[0, 1].errorbar(k, sigma, yerr=1.96 * model.sigma_stderr / model.lsb, fmt="o-", markersize=3, color=colour, label=label)
    axes[0, 0].set(xlabel="level", ylabel="mean - ideal (LSB)")
    axes[0, 1].set(xlabel="level", ylabel="sigma (LSB)")
    axes[0, 0].legend(fontsize=8)
    return figure


def pictures_of(
    a: StoredResult, b: StoredResult, ranked: Sequence[Difference], labels: tuple[str, str]
) -> dict[str, Callable[[], Figure]]:
    """Names what can be drawn of two results."""
    out: dict[str, Callable[[], Figure]] = {}
    if isinstance(a.content, Run) and isinstance(b.content, Run):
        out["inl"] = partial(draw_inl_bands, {labels[0]: a.content, labels[1]: b.content})
    if isinstance(a.content, RampModel) and isinstance(b.content, RampModel):
        out["levels"] = partial(draw_models, a.content, b.content, labels)
    if ranked:
        out["differences"] = partial(draw_differences, ranked, labels)
    return out
