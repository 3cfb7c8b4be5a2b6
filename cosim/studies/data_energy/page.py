"""Page of the study of the data's energy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cosim.report import Page, page_of, read_table
from cosim.report.html import in_unit
from netlists.files import read_json


def page(folder: Path) -> Page:
    """Makes the page of a folder from ``summary.json`` and the tables."""
    s = read_json(folder / "summary.json", "study summary")
    table = read_table(folder, "energy.csv", ["bits", "driven", "delta", "tile", "measures", "energy", "energy_change", "accuracy"])
    bits, tile = table["bits"].iloc[0], table["tile"].iloc[0]
    here = table[(table["bits"] == bits) & (table["tile"] == tile)]

    def change(measures: str, driven: str = "every row") -> str:
        rows = here[(here["measures"] == measures) & (here["driven"] == driven)]
        return f"{100 * rows['energy_change'].iloc[0]:+.1f} %"

    values: dict[str, Any] = {"bits": bits, "tile": tile, "change": change, "plain": here.iloc[0].to_dict()}
    changed = here[here["driven"] == "changed rows"]
    values["threshold"] = None if changed.empty else changed["delta"].iloc[0]
    values |= {"checks": s["checks"], "energy": lambda joules: in_unit(joules, "energy (J)")}
    return page_of(Path(__file__), folder, s=s, **values)
