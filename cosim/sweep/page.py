"""The page of a sweep, from its folder."""

from __future__ import annotations

from pathlib import Path

from cosim.report import Page, page_of, read_table
from netlists.files import read_json


def page(folder: Path) -> Page:
    """Makes the page of a folder: curves, heatmap, table."""
    s = read_json(folder / "summary.json", "sweep summary")
    table = read_table(folder, "sweep.csv")
    names = list(s["settings"]["variables"])
    columns = {"classes": "balanced_accuracy" in table, "clips": "clipped_inputs" in table}
    # Columns that a sweep may have, so that the words of the page can name them.
    for name in ("balanced_accuracy", "macro_f1", "clipped_inputs", "chips_low", "chips_high", "chip_deviation"):
        if name not in table:
            table[name] = None
    return page_of(Path(__file__), folder, {"points": table}, s=s, names=names, **columns)
