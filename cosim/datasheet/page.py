"""The page of a datasheet, from the files in its folder."""

from __future__ import annotations

from pathlib import Path

from cosim.report import Page, page_of, read_table
from netlists.files import read_json


def page(folder: Path) -> Page:
    """Makes the page of a folder from ``summary.json`` and the tables."""
    s = read_json(folder / "summary.json", "datasheet")
    limited = bool(read_table(folder, "datasheet.csv", ("verdict",))["verdict"].notna().any())
    return page_of(Path(__file__), folder, s=s, at=s["nominal"], opamp=s["settings"]["role"] == "opamp", limited=limited)
