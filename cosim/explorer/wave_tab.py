"""The tab of waveforms: zoom, and two cursors with the values at them."""

from __future__ import annotations

from typing import Any

from .page import figure, select

DRAW = """
const wave = waves[Number(pick.value)], x = wave.values[0], names = wave.names.slice(1);
if (cb_obj === pick || vectors.options.length === 0) {
  vectors.options = names;
  vectors.value = names.slice(0, 4);
  cursors.start = x[0]; cursors.end = x[x.length - 1]; cursors.step = (cursors.end - cursors.start) / 10000;
  cursors.value = [x[0] + (cursors.end - x[0]) / 4, x[0] + 3 * (cursors.end - x[0]) / 4];
}
const shown = vectors.value, colors = ['#1b6ca8', '#c0392b', '#2e8b57', '#8e44ad', '#d68910', '#34495e', '#16a085', '#7f8c8d'];
lines.data = {x: shown.map(() => x), y: shown.map((n) => wave.values[wave.names.indexOf(n)]), name: shown,
              color: shown.map((_, i) => colors[i % colors.length])};
axis.axis_label = wave.names[0];
const at = (values, t) => {
  let high = x.findIndex((v) => v >= t);
  if (high <= 0) high = 1;
  const share = (t - x[high - 1]) / (x[high] - x[high - 1]);
  return values[high - 1] + share * (values[high] - values[high - 1]);
};
const [a, b] = cursors.value, short = (v) => Number(v.toPrecision(6)).toString();
first.location = a; second.location = b;
table.text = `<b>cursors</b> ${short(a)} and ${short(b)}, ${short(b - a)} apart<br>` + shown.map((n) => {
  const v = wave.values[wave.names.indexOf(n)], p = at(v, a), q = at(v, b);
  return `${n}: ${short(p)}, ${short(q)}, difference ${short(q - p)}`;
}).join('<br>');
"""


def tab(waves: list[dict[str, Any]]) -> tuple[Any, list[Any]]:
    """One figure, with a choice of vectors and two cursors."""
    from bokeh.layouts import column
    from bokeh.models import ColumnDataSource, CustomJS, Div, MultiChoice, RangeSlider, Span

    pick = select("waveforms", waves, "wave")
    vectors = MultiChoice(title="vectors", options=[], value=[], name="vectors")
    cursors = RangeSlider(title="cursors", start=0, end=1, value=(0.25, 0.75), step=0.0001, show_value=False, name="cursors")
    lines = ColumnDataSource({"x": [], "y": [], "name": [], "color": []}, name="waves")
    table = Div(text="", name="at")
    drawn = figure("waveforms: wheel or box to zoom", "time", "", tooltips=[("", "@name"), ("at", "$x"), ("value", "$y")])
    drawn.height = 480
    drawn.multi_line("x", "y", source=lines, color="color", legend_field="name", line_width=1.3)
    drawn.legend.update(location="top_left", background_fill_alpha=0.6)
    first, second = Span(dimension="height", line_dash="dashed"), Span(dimension="height", line_dash="dashed")
    drawn.add_layout(first)
    drawn.add_layout(second)
    args = {"waves": waves, "pick": pick, "vectors": vectors, "cursors": cursors, "lines": lines, "table": table}
    draw = CustomJS(args=args | {"first": first, "second": second, "axis": drawn.xaxis[0]}, code=DRAW)
    for widget in (pick, vectors, cursors):
        widget.js_on_change("value", draw)
    return column(pick, vectors, drawn, cursors, table, sizing_mode="stretch_width"), [draw]
