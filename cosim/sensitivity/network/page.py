"""The page of a folder of a network's sensitivities."""

from __future__ import annotations

from pathlib import Path

from cosim.report import Page, page_of, read_table
from netlists.files import read_json

SHOWN = 20


def page(folder: Path) -> Page:
    """Makes the page of a folder: ranked parameters and comparators, and whether the gradient foretells chips."""
    s = read_json(folder / "summary.json", "summary of a network's sensitivities")
    parameters = read_table(folder, "parameters.csv", ["ramp", "parameter", "sigma_loss"])[:SHOWN]
    columns = read_table(folder, "columns.csv", ["gate", "column", "sigma_loss"])[:SHOWN]
    return page_of(Path(__file__), folder, {"parameters": parameters, "columns": columns}, s=s, shown=SHOWN)
