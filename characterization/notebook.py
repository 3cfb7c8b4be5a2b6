"""Tables and pictures that objects show of themselves in a notebook."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable, Iterable
from typing import Any


def page(title: str, header: Iterable[str], rows: Iterable[Iterable[Any]], draw: Callable[[Any], None] | None = None) -> str:
    """HTML of a table and, below it, of a small picture that ``draw`` makes on a Matplotlib axes."""
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    table = f"<table><caption>{html.escape(title)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return table if draw is None else table + _picture(draw)


def _picture(draw: Callable[[Any], None]) -> str:
    # Without pyplot: a notebook's own figures and backend stay as they are.
    from matplotlib.figure import Figure

    figure, data = Figure(figsize=(4.5, 2.4), layout="constrained"), io.BytesIO()
    draw(figure.subplots())
    figure.savefig(data, format="png", dpi=90)
    return f'<img alt="" src="data:image/png;base64,{base64.b64encode(data.getvalue()).decode()}" />'
