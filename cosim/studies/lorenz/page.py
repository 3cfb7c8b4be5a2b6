"""Page of the study of a reconstructed attractor."""

from __future__ import annotations

from pathlib import Path

from cosim.report import Page, page_of, read_table
from netlists.files import read_json

from .run import FLOAT, RAMPS, SYSTEM

COLUMNS = ["on", "bits", "training", "chip", "steps", "exponent", "rate", "divergence", "spectrum"]


def page(folder: Path) -> Page:
    """Makes the page of a folder from ``summary.json`` and ``invariants.csv``."""
    s = read_json(folder / "summary.json", "study summary")
    table = read_table(folder, "invariants.csv", COLUMNS)
    rows = {name: table[table["on"] == name].iloc[0].to_dict() for name in (SYSTEM, FLOAT)}
    fewest = table[table["on"] == RAMPS].sort_values(["bits", "training"]).iloc[0].to_dict()
    return page_of(Path(__file__), folder, s=s, rows=rows, system=SYSTEM, float=FLOAT, fewest=fewest, number=_number)


def _number(value: float, digits: int = 2) -> str:
    return "-" if value != value else f"{value:.{digits}f}"
