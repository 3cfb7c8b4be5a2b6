"""The tab of runs: INL bands with single chips picked, levels, and the yield against limits, of two runs side by side."""

from __future__ import annotations

from typing import Any

from .page import beside, figure, select

SCOPES = ("calibrating", "any", "all")
CODE = """
const run = runs[Number(pick.value)], state = when.active === 0 ? 'before' : 'after';
const s = run.states[state], f = run.figures[scope.value][state];
title.text = run.title;
band.data = {k: run.k, low: s.band[0], middle: s.band[1], high: s.band[2]};
const chosen = [];
for (const part of chips.value.split(',')) {
  const i = run.samples.indexOf(Number(part.trim()));
  if (part.trim() !== '' && i >= 0 && s.inl[i].some(Number.isFinite)) chosen.push(i);
}
lines.data = {k: chosen.map(() => run.k), inl: chosen.map((i) => s.inl[i]), chip: chosen.map((i) => run.samples[i])};
levels.data = {k: chosen.map(() => run.k), x: chosen.map((i) => s.levels[i]), chip: chosen.map((i) => run.samples[i])};
ideal.data = {k: run.k, x: run.x_ideal};
const within = f.sample.map((_, i) => f.inl[i] <= inl.value && f.dnl[i] <= dnl.value && f.monotonic[i]);
points.data = {chip: f.sample, inl: f.inl, dnl: f.dnl, color: within.map((w) => w ? '#1b6ca8' : '#c0392b')};
const good = within.filter(Boolean).length, n = f.sample.length;
limit_inl.location = inl.value; limit_dnl.location = dnl.value;
const percent = (v) => (100 * v).toFixed(1);
share.text = n ? `yield ${percent(good / n)} % (${good} of ${n}; 95 % interval ` +
  `${percent(run.low[good])}..${percent(run.high[good])} %), monotonic, max |INL| <= ${inl.value} and max |DNL| <= ${dnl.value} LSB`
  : 'no chip was simulated';
"""
PICK = """
const names = points.selected.indices.map((i) => points.data.chip[i]);
if (names.length) chips.value = names.join(',');
"""


def tab(runs: list[dict[str, Any]]) -> tuple[Any, list[Any]]:
    """Two panels beside each other."""
    panels = [_panel(runs, side, start) for start, side in enumerate("AB")]
    return beside([panel for panel, _ in panels]), [draw for _, draw in panels]


def _panel(runs: list[dict[str, Any]], side: str, start: int) -> tuple[Any, Any]:
    from bokeh.layouts import column
    from bokeh.models import ColumnDataSource, CustomJS, Div, RadioButtonGroup, Select, Slider, Span, TextInput

    pick = select(f"run {side}", runs, f"run{side}", start)
    when = RadioButtonGroup(labels=["before calibration", "calibrated"], active=1, name=f"when{side}")
    scope = Select(title="whose figures", options=list(SCOPES), value="calibrating", name=f"scope{side}")
    chips = TextInput(title="chips to draw, or pick points below", value="0", name=f"chips{side}")
    inl = Slider(title="limit of max |INL|, LSB", start=0.0, end=2.0, step=0.005, value=0.5, name=f"inl{side}")
    dnl = Slider(title="limit of max |DNL|, LSB", start=0.0, end=2.0, step=0.005, value=0.5, name=f"dnl{side}")
    title, share = Div(text="", name=f"title{side}"), Div(text="", name=f"yield{side}")
    sources = {
        "band": ColumnDataSource({"k": [], "low": [], "middle": [], "high": []}),
        "lines": ColumnDataSource({"k": [], "inl": [], "chip": []}, name=f"lines{side}"),
        "levels": ColumnDataSource({"k": [], "x": [], "chip": []}),
        "ideal": ColumnDataSource({"k": [], "x": []}),
        "points": ColumnDataSource({"chip": [], "inl": [], "dnl": [], "color": []}, name=f"points{side}"),
    }
    first = figure("INL of the calibrating column: median, 5-95 %, chips picked", "level k", "INL (input LSB)")
    first.varea("k", "low", "high", source=sources["band"], fill_alpha=0.25)
    first.line("k", "middle", source=sources["band"], line_width=2)
    first.multi_line("k", "inl", source=sources["lines"], color="#c0392b")
    second = figure("transition levels: target (points), chips picked (lines)", "level k", "input")
    second.scatter("k", "x", source=sources["ideal"], size=5)
    second.multi_line("k", "x", source=sources["levels"], color="#c0392b")
    third = figure("each chip against the limits", "max |INL| (LSB)", "max |DNL| (LSB)", tooltips=[("chip", "@chip")])
    third.scatter("inl", "dnl", source=sources["points"], color="color", size=6)
    limit_inl, limit_dnl = Span(location=0.5, dimension="height"), Span(location=0.5, dimension="width")
    third.add_layout(limit_inl)
    third.add_layout(limit_dnl)
    args = {"runs": runs, "pick": pick, "when": when, "scope": scope, "chips": chips, "inl": inl, "dnl": dnl, "title": title}
    args |= {"share": share, "limit_inl": limit_inl, "limit_dnl": limit_dnl, **sources}
    draw = CustomJS(args=args, code=CODE)
    for widget in (pick, scope, chips, inl, dnl):
        widget.js_on_change("value", draw)
    when.js_on_change("active", draw)
    sources["points"].selected.js_on_change("indices", CustomJS(args={"points": sources["points"], "chips": chips}, code=PICK))
    return column(pick, title, when, scope, first, chips, second, inl, dnl, share, third, sizing_mode="stretch_width"), draw
