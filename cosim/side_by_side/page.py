"""The page of two results side by side, from its folder."""

from __future__ import annotations

from pathlib import Path

from cosim.report import Page, page_of, read_table
from netlists.files import read_json


def page(folder: Path) -> Page:
    """Makes the page of a folder: settings that differ, pictures, figures."""
    s = read_json(folder / "summary.json", "comparison summary")
    tables = {name: read_table(folder, f"{name}.csv") for name in ("settings", "figures")}
    pictures = {p.stem for p in (folder / "pictures").glob("*.png")}
    return page_of(Path(__file__), folder, tables, s=s, pictures=pictures, settings=len(tables["settings"]))
