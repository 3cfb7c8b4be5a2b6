"""The tab of accuracies: against bits, with a slider for the second variable, and another table beside."""

from __future__ import annotations

from typing import Any

from .page import figure, select

CODE = """
const draw = (table, source, words, at) => {
  if (!table) {
    source.data = Object.fromEntries(Object.keys(source.data).map((name) => [name, []]));
    words.text = '';
    return 1;
  }
  const i = Math.min(at, table.lines.length - 1), l = table.lines[i];
  source.data = {bits: l.bits, mean: l.mean, low: l.chips_low, high: l.chips_high, float: l.float, ideal: l.ideal};
  words.text = `${table.name}: ` + (table.second ? `${table.second} = ${table.values[i]}; ` : '') + table.whiskers;
  return table.lines.length;
};
const lines = Math.max(
  draw(tables[Number(first.value)], one, words_one, slider.value), draw(tables[Number(other.value)], two, words_two, slider.value));
slider.end = Math.max(1, lines - 1);
slider.disabled = lines < 2;
"""


def tab(tables: list[dict[str, Any]]) -> tuple[Any, list[Any]]:
    """One figure of one table or two."""
    from bokeh.layouts import column, row
    from bokeh.models import ColumnDataSource, CustomJS, Div, SingleIntervalTicker, Slider

    first, other = select("table A", tables, "tableA"), select("table B", [*tables, {"name": "none"}], "tableB", 1)
    slider = Slider(title="step of the second variable (noise, wires, ...)", start=0, end=1, value=0, step=1, name="noise")
    empty: dict[str, list[float]] = {n: [] for n in ("bits", "mean", "low", "high", "float", "ideal")}
    one, two = ColumnDataSource(dict(empty), name="accuracyA"), ColumnDataSource(dict(empty))
    words = [Div(text="", name="wordsA"), Div(text="", name="wordsB")]
    drawn = figure(
        "accuracy against bits", "bits", "accuracy", tooltips=[("bits", "@bits"), ("mean", "@mean"), ("float", "@float")]
    )
    drawn.height = 420
    for source, color, name in ((one, "#1b6ca8", "A"), (two, "#c0392b", "B")):
        drawn.line("bits", "mean", source=source, color=color, legend_label=f"{name}: chips", line_width=2)
        drawn.scatter("bits", "mean", source=source, color=color, size=7)
        drawn.line("bits", "float", source=source, color=color, line_dash="dashed", legend_label=f"{name}: float")
        drawn.line("bits", "ideal", source=source, color=color, line_dash="dotted", legend_label=f"{name}: ideal")
        drawn.segment("bits", "low", "bits", "high", source=source, color=color, line_width=1)
    drawn.legend.update(click_policy="hide", orientation="horizontal", ncols=3)
    drawn.add_layout(drawn.legend[0], "below")
    drawn.xaxis.ticker = SingleIntervalTicker(interval=1)
    args = {"tables": tables, "first": first, "other": other, "slider": slider, "one": one, "two": two}
    draw = CustomJS(args=args | {"words_one": words[0], "words_two": words[1]}, code=CODE)
    for widget in (first, other, slider):
        widget.js_on_change("value", draw)
    return column(row(first, other), slider, *words, drawn, sizing_mode="stretch_width"), [draw]
