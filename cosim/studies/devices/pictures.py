"""Picture of the study of measured cells: what was measured, and what the profile makes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from characterization.devices import DeviceFit, MeasuredCells
from cosim.report import BEFORE, IDEAL, MEASURED, new_figure
from netlists.technology import memristor

MOST_POINTS = 5000
"""Cells that a panel shows."""


def draw(fit: DeviceFit, cells: MeasuredCells) -> Figure:
    """Draws a panel for each thing that was fitted."""
    panels: list[Callable[[Axes, DeviceFit, MeasuredCells], None]] = []
    if fit.written is not None:
        panels += [_errors, _law]
    panels += [_drift] if fit.drift is not None else []
    panels += [_noise] if fit.reads else []
    panels += [_trace] if cells.reads else []
    panels += [_curvature] if fit.curves else []
    columns = min(len(panels), 3) or 1
    rows = -(-len(panels) // columns) or 1
    figure, axes = new_figure(4.4 * columns, 3.4 * rows, rows, columns)
    for axis, panel in zip(axes.flat, panels, strict=False):
        panel(axis, fit, cells)
    for axis in axes.flat[len(panels) :]:
        axis.set_visible(False)
    figure.suptitle(f"{fit.profile.name}: measured cells and what is drawn from the profile", fontsize=10)
    return figure


def _errors(axis: Axes, fit: DeviceFit, cells: MeasuredCells) -> None:
    law = fit.written
    assert law is not None
    target, error = 1e6 * cells.written["target"], 1e6 * cells.written["error"]
    every = -(-len(error) // MOST_POINTS)
    label = "cells" if every == 1 else f"one cell in {every}"
    axis.plot(target[::every], error[::every], ".", color=MEASURED, markersize=3, alpha=0.5, label=label)
    style: dict[str, Any] = {"color": IDEAL, "capsize": 3, "fmt": "o-", "markersize": 4, "linewidth": 1}
    axis.errorbar(1e6 * law.targets, 1e6 * law.mean, yerr=1e6 * law.sigma, label="law: mean and spread", **style)
    axis.set(xlabel="target (uS)", ylabel="error (uS)", title="left after write-verify")
    axis.legend(fontsize=7)


def _law(axis: Axes, fit: DeviceFit, cells: MeasuredCells) -> None:
    law = fit.written
    assert law is not None
    error = np.sort(1e6 * cells.written["error"].to_numpy())
    below = np.arange(1, len(error) + 1) / len(error)
    some = np.unique(np.linspace(0, len(error) - 1, MOST_POINTS).astype(int))
    axis.step(error[some], below[some], color=MEASURED, label="cells")
    rows = [(t, e) for t, e in zip(law.targets, law.quantiles(), strict=True)]
    u = np.linspace(0, 1, 2001)
    drawn = np.sort(np.concatenate([1e6 * memristor.law_quantile(u, np.full(u.shape, t), rows) for t in law.targets]))
    axis.plot(drawn, np.linspace(0, 1, len(drawn)), color=IDEAL, label="law, all targets")
    axis.set(xlabel="error (uS)", ylabel="share of cells below", title="distribution")
    axis.legend(fontsize=7)


def _drift(axis: Axes, fit: DeviceFit, cells: MeasuredCells) -> None:
    drift = fit.drift
    assert drift is not None
    for target in sorted({row["target_s"] for row in drift.table}):
        rows = [r for r in drift.table if r["target_s"] == target]
        mean, sigma = (1e6 * np.array([r[name] for r in rows]) for name in ("mean_s", "sigma_s"))
        axis.errorbar([r["time_s"] for r in rows], mean, yerr=sigma, capsize=2, linewidth=1, label=f"{1e6 * target:g} uS")
    axis.set(xscale="log", xlabel="time since programming (s)", ylabel="deviation (uS)", title="drift: mean and spread")
    axis.legend(fontsize=7)


def _noise(axis: Axes, fit: DeviceFit, cells: MeasuredCells) -> None:
    g = 1e6 * np.array([r.conductance for r in fit.reads])
    for name, colour, label in (("sigma", MEASURED, "all"), ("white", BEFORE, "new at each read")):
        axis.semilogy(g, [max(1e6 * getattr(r, name), 1e-6) for r in fit.reads], "o", color=colour, markersize=4, label=label)
    grid = np.linspace(fit.profile.g_min, fit.profile.g_max, 200)
    axis.plot(1e6 * grid, 1e6 * fit.profile.read_sigma_at(grid), color=IDEAL, label="profile")
    axis.set(xlabel="conductance (uS)", ylabel="read noise (uS)", title="read noise by state")
    axis.legend(fontsize=7)


def _trace(axis: Axes, fit: DeviceFit, cells: MeasuredCells) -> None:
    worst = int(np.argmax([r.lasting_share * r.sigma for r in fit.reads]))
    label, _, series = cells.reads[worst]
    axis.plot(1e6 * series, color=MEASURED, linewidth=0.6)
    axis.set(xlabel="read", ylabel="conductance (uS)", title=f"most lasting noise: {label}, {fit.reads[worst].kind}")


def _curvature(axis: Axes, fit: DeviceFit, cells: MeasuredCells) -> None:
    g, b, e = ([getattr(c, n) for c in fit.curves] for n in ("conductance", "curvature", "curvature_stderr"))
    axis.errorbar(1e6 * np.array(g), b, yerr=e, fmt="o", color=MEASURED, markersize=4, capsize=2)
    axis.axhline(fit.profile.iv_curvature, color=IDEAL, linewidth=1)
    axis.axvspan(1e6 * fit.profile.g_min, 1e6 * fit.profile.g_max, color=IDEAL, alpha=0.08)
    axis.set(xlabel="conductance (uS)", ylabel="b (V^-2)", title="curvature: I = G (V + b V^3)")
