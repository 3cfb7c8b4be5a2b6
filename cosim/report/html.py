"""Renders a page: one self-contained HTML file with its pictures inside."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Sequence
from html import unescape
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from netlists.errors import InputError

from .page import Page, cell, percent, quantity

LONG = 24
"""Rows of a table that is folded."""
SHOWN = (".csv", ".parquet", ".json", ".toml", ".npz", ".cir", ".svg")
IN_UNIT = re.compile(r"(.*) \((s|F|J|V|A|S|W|Hz|ohm)\)")
"""A heading whose values are in SI units without a prefix."""


def render(page: Page, folder: Path, summary: dict[str, Any], command: str, warnings: Sequence[str] = ()) -> str:
    """Renders the page of a study's folder.

    Raises
    ------
    InputError
        A picture is missing.
    """
    environment = Environment(
        loader=PackageLoader("cosim.report"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": percent,
        "cell": cell,
        "quantity": quantity,
        "listed": _listed,
        "in_unit": in_unit,
        "without_unit": without_unit,
    }
    environment.globals |= {"LONG": LONG}

    def picture(title: str) -> str:
        return _embedded(folder / "pictures" / f"{title}.png")

    template = environment.get_template(page.template)
    # Hidden folders hold what goes when the work is done.
    inside = {p.relative_to(folder): p for p in sorted(folder.rglob("*")) if p.is_file() and p.suffix in SHOWN}
    files = [(str(name), _size(p)) for name, p in inside.items() if not any(part.startswith(".") for part in name.parts)]
    return _with_contents(
        template.render(
            page=page, s=summary, command=command, folder=folder, picture=picture, warnings=warnings, files=files, **page.values
        )
    )


def in_unit(value: object, column: str) -> str:
    """Writes a value of a column; one of a column headed ``name (s)`` with the prefix of its size, ``16 ns``."""
    unit = IN_UNIT.fullmatch(column)
    return quantity(value, unit[2]) if unit and isinstance(value, (int, float)) and math.isfinite(value) and value else cell(value)


def without_unit(column: str) -> str:
    """The heading of a column whose values say their unit themselves."""
    unit = IN_UNIT.fullmatch(column)
    return unit[1] if unit else column


def _with_contents(html: str) -> str:
    """Gives headings an anchor, the page its contents and each table a box to scroll in."""
    headings: dict[str, str] = {}

    def heading(found: re.Match[str]) -> str:
        name = re.sub(r"[^a-z0-9]+", "-", unescape(re.sub("<.*?>", "", found[1])).lower()).strip("-")
        headings[name] = found[1]
        return f'<h2 id="{name}"><a href="#{name}">{found[1]}</a></h2>'

    html = re.sub(r"<h2>(.*?)</h2>", heading, html)
    html = html.replace("<table", '<div class="wide" tabindex="0"><table').replace("</table>", "</table></div>")
    items = "".join(f'<li><a href="#{name}">{text}</a></li>' for name, text in headings.items())
    return html.replace('<nav aria-label="Contents">', f'<nav aria-label="Contents"><ul>{items}</ul>')


def _size(path: Path) -> str:
    size = path.stat().st_size
    return f"{size} bytes" if size < 1000 else f"{size / 1e3:.0f} kB" if size < 1e6 else f"{size / 1e6:.1f} MB"


def _embedded(path: Path) -> str:
    try:
        return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
    except OSError as e:
        raise InputError(f"{path}: the picture cannot be read ({e.strerror}); run the study again") from None


def _listed(value: object) -> str:
    """Writes a setting on one line."""
    return ", ".join(_listed(v) for v in value) if isinstance(value, list) else cell(value)
