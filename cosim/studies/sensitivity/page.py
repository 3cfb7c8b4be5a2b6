"""The page of the study of sensitivities."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cosim.report import Page, page_of, read_table
from cosim.sensitivity import page as of_a_ramp
from netlists.files import read_json


def page(folder: Path) -> Page:
    """Makes the page of a folder from ``summary.json`` and the tables."""
    s = read_json(folder / "summary.json", "study summary")
    if "plan" in s["settings"]:
        # A folder of `cosim sensitivity` from when it had this name.
        return of_a_ramp.page(folder)
    trimming = read_table(folder, "trimming.csv", ["order", "writes", "within"])
    wide = trimming.pivot_table(index="writes", columns="order", values="within").reset_index()
    tables = {"trimming": wide.rename(columns={"largest error": "largest"}), "yields": read_table(folder, "yield.csv")}
    tables["searches"] = pd.DataFrame(s["searches"])
    return page_of(Path(__file__), folder, tables, s=s, z=s["settings"])
