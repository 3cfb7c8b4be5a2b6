"""The tab of models: the fitted law of each level, of two models side by side, with what validation said."""

from __future__ import annotations

from typing import Any

from .page import beside, figure, select

CODE = """
const model = models[Number(pick.value)], s = model.states[when.active === 0 ? 'before' : 'after'];
title.text = model.title;
const low = s.mean.map((m, i) => m - 2 * s.sigma[i]), high = s.mean.map((m, i) => m + 2 * s.sigma[i]);
band.data = {k: model.k, mean: s.mean, low, high};
sigma.data = {k: model.k, sigma: s.sigma};
"""


def tab(models: list[dict[str, Any]]) -> tuple[Any, list[Any]]:
    """Two panels beside each other."""
    panels = [_panel(models, side, start) for start, side in enumerate("AB")]
    return beside([panel for panel, _ in panels]), [draw for _, draw in panels]


def _panel(models: list[dict[str, Any]], side: str, start: int) -> tuple[Any, Any]:
    from bokeh.layouts import column
    from bokeh.models import ColumnDataSource, CustomJS, Div, RadioButtonGroup

    pick = select(f"model {side}", models, f"model{side}", start)
    when = RadioButtonGroup(labels=["as programmed", "calibrated"], active=1)
    title = Div(text="", name=f"modeltitle{side}")
    band = ColumnDataSource({"k": [], "mean": [], "low": [], "high": []}, name=f"law{side}")
    sigma = ColumnDataSource({"k": [], "sigma": []})
    first = figure("fitted levels against their targets: mean and two standard deviations", "level k", "LSB")
    first.varea("k", "low", "high", source=band, fill_alpha=0.25)
    first.line("k", "mean", source=band, line_width=2)
    second = figure("standard deviation of each level", "level k", "LSB")
    second.line("k", "sigma", source=sigma, line_width=2)
    draw = CustomJS(args={"models": models, "pick": pick, "when": when, "title": title, "band": band, "sigma": sigma}, code=CODE)
    pick.js_on_change("value", draw)
    when.js_on_change("active", draw)
    return column(pick, title, when, first, second, sizing_mode="stretch_width"), draw
