"""Render a page: one self-contained HTML file with its pictures inside."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from netlists.errors import InputError

from .page import Page, cell, percent


def render(page: Page, folder: Path, summary: dict[str, Any], command: str) -> str:
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
    environment.filters |= {"percent": percent, "cell": cell, "listed": _listed}

    def picture(title: str) -> str:
        return _embedded(folder / "pictures" / f"{title}.png")

    template = environment.get_template(page.template)
    return template.render(page=page, s=summary, command=command, folder=folder, picture=picture, **page.values)


def _embedded(path: Path) -> str:
    try:
        return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
    except OSError as e:
        raise InputError(f"{path}: the picture cannot be read ({e.strerror}); run the study again") from None


def _listed(value: object) -> str:
    """A setting on one line."""
    return ", ".join(_listed(v) for v in value) if isinstance(value, list) else cell(value)
