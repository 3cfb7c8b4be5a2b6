"""Writes the page: tabs of Bokeh figures whose data, library and behaviour stand in one file, so that nothing is fetched."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from netlists.errors import ToolkitError
from netlists.files import write_text

from .folder import Found

MISSING = "the explorer needs the extra `view`: pip install 'nladc-cosim[view]'"


def write_page(found: Found, out: Path) -> Path:
    """Writes the page of what was found.

    Raises
    ------
    ToolkitError
        Bokeh is not installed, or the file cannot be written.
    """
    return write_text(Path(out), page_text(found))


def page_text(found: Found) -> str:
    """The page as HTML, its library included."""
    try:
        from bokeh.document import Document
        from bokeh.embed import file_html
        from bokeh.models import Div, TabPanel, Tabs
        from bokeh.resources import INLINE
    except ImportError:
        raise ToolkitError(MISSING) from None
    from bokeh.layouts import column

    from . import accuracy_tab, model_tab, run_tab, wave_tab

    makers = (
        ("runs", run_tab.tab, found.runs),
        ("waveforms", wave_tab.tab, found.waves),
        ("accuracy", accuracy_tab.tab, found.accuracies),
        ("models", model_tab.tab, found.models),
    )
    document, panels = Document(title=f"cosim view {found.folder.resolve().name}"), []
    for title, make, items in makers:
        if items:
            child, draws = make(items)
            panels.append(TabPanel(title=f"{title} ({len(items)})", child=child))
            for draw in draws:
                document.js_on_event("document_ready", draw)
    head = f"<h2>{escape(found.folder.resolve().name)}</h2>" + "".join(
        f"<p>left out: {escape(line)}</p>" for line in found.left_out
    )
    document.add_root(
        column(Div(text=head, name="head"), Tabs(tabs=panels, sizing_mode="stretch_width"), sizing_mode="stretch_width")
    )
    return file_html(document, INLINE)


def figure(title: str, x: str, y: str, **more: Any) -> Any:
    """A figure that zooms by wheel and box, with a crosshair."""
    from bokeh.plotting import figure as bokeh_figure

    tools = "pan,wheel_zoom,box_zoom,reset,save,crosshair,tap,hover"
    return bokeh_figure(
        title=title,
        x_axis_label=x,
        y_axis_label=y,
        tools=tools,
        active_scroll="wheel_zoom",
        height=320,
        sizing_mode="stretch_width",
        **more,
    )


def beside(panels: list[Any]) -> Any:
    """Panels beside each other, or one below the other where the window is narrow."""
    from bokeh.layouts import row

    for panel in panels:
        panel.update(min_width=340, styles={"flex": "1 1 340px"})
    return row(*panels, sizing_mode="stretch_width", styles={"flex-wrap": "wrap"})


def select(title: str, items: list[dict[str, Any]], name: str, start: int = 0) -> Any:
    """A choice among items by number."""
    from bokeh.models import Select

    options = [(str(i), str(one["name"])) for i, one in enumerate(items)]
    return Select(title=title, options=options, value=str(min(start, len(items) - 1)), name=name)
