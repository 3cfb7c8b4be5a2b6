"""The page of a co-simulation, from the files in its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from cosim.report import Page, page_of, percent, read_table
from netlists.files import read_json

from .agreement import DISAGREEMENTS, FAILURES, STEPS

SHOWN = 40
"""Disagreements that the page lists; the table has all."""


def page(folder: Path) -> Page:
    """Makes the page of a folder from ``summary.json`` and the tables."""
    s = read_json(folder / "summary.json", "study summary")
    found = read_table(folder, "disagreements.csv", DISAGREEMENTS)
    failed = read_table(folder, "failures.csv", FAILURES)
    steps = read_table(folder, "steps.csv", STEPS).groupby("step", as_index=False).sum(numeric_only=True)
    closed = s["settings"]["mode"] == "closed"
    tables = {
        "gates": pd.DataFrame([{"gate": gate} | of for gate, of in [*s["gates"].items(), ("all", s)]]),
        "disagreements": found.sort_values("margin_lsb", ascending=False).head(SHOWN),
        "steps": steps,
        "failures": failed.head(SHOWN),
    }
    if closed:
        tables["answers"] = _answers(s)
    values = {"z": s["settings"], "closed": closed, "differ": len(found), "most": SHOWN, "failures": len(failed)}
    return page_of(Path(__file__), folder, tables, s=s, **values)


def _answers(s: dict[str, Any]) -> pd.DataFrame:
    p, (low, high) = s["paired"], s["metric_model_interval"]
    rows = [
        ("model alone", percent(s["metric_model"]), f"{percent(low)} to {percent(high)} (one test set, Wilson)"),
        ("ngspice in the loop", percent(s["metric_spice"]), ""),
        ("ngspice less model, paired", percent(p["difference"]), f"{percent(p['low'])} to {percent(p['high'])}"),
    ]
    return pd.DataFrame(rows, columns=["accuracy", "value", "95 % interval"])
