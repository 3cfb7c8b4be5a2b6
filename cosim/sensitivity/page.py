"""The page of a folder of sensitivities."""

from __future__ import annotations

from pathlib import Path

from cosim.report import Page, page_of, read_table
from netlists.files import read_json


def page(folder: Path) -> Page:
    """Makes the page of a folder: derivatives, trimming, worst case, yield."""
    s = read_json(folder / "summary.json", "sensitivity summary")
    table = read_table(folder, "sensitivities.csv", ["parameter", "sigma_lsb"])
    for name in ("moved_lsb", "error", "resolved"):
        if name not in table:
            table[name] = None
    tables = {name: read_table(folder, f"{name}.csv") for name in ("trimming", "yield")}
    inl = [f"{by} {value:.4g} LSB" for by, value in s["worst_case"]["inl"].items()]
    return page_of(Path(__file__), folder, {"parameters": table, **tables}, s=s, inl=inl)
