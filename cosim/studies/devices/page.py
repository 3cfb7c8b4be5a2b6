"""Page of the study of measured cells."""

from __future__ import annotations

from pathlib import Path

from cosim.report import Page, page_of
from netlists.files import read_json


def page(folder: Path) -> Page:
    """Makes the page of a folder from ``summary.json`` and its tables."""
    s = read_json(folder / "summary.json", "study summary")
    have = {name: (folder / f"{name}.csv").exists() for name in ("written", "reads", "drift", "curves", "faults")}
    return page_of(Path(__file__), folder, s=s, have=have)
