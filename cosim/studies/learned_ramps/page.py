"""Page of the study of learned ramps."""

from __future__ import annotations

from pathlib import Path

from cosim.report import Page, page_of, read_table
from netlists.files import read_json

from .tables import headline_bits


def page(folder: Path) -> Page:
    """Makes the page of a folder from ``summary.json`` and its tables."""
    s = read_json(folder / "summary.json", "study summary")
    results = read_table(folder, "results.csv", ["task", "training", "ramps", "bits", "on", "accuracy", "low", "high"])
    gains = read_table(folder, "gains.csv", ["task", "training", "ramps", "bits", "uniform_bits", "on", "value", "low", "high"])
    saved = read_table(folder, "saved.csv", ["task", "training", "ramps", "bits", "on", "bound", "saved", "low", "high"])
    shown = gains["ramps"].isin(("learned", "uniform"))
    tables = {"results": results, "gains": gains[shown], "saved": saved[saved["ramps"] == "learned"]}
    low, high = headline_bits(s["settings"]["bits"])
    return page_of(Path(__file__), folder, tables, s=s, low=low, high=high)
