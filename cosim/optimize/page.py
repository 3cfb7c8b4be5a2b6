"""The page of a design search, from the files in its folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from cosim.report import Page, page_of, percent, read_table
from netlists.files import read_json

from .pictures import SHOWN

ENTERS = {
    "bits": "ramp levels; steps of a conversion, cells, counters",
    "n_in": "rounding of inputs and states; length of the multiply-accumulate",
    "v_read": "weight of comparator offset and noise against the ramp; energy of cells",
    "t_step": "settling of ramp and comparator; time of a conversion and all energy that goes with time",
    "g_max": "errors of cells as a part of the range, load of the integrators; energy of cells, size of C_f",
    "calibration_cells": "reach and fineness of the one-point calibration; steps of a conversion, cells",
    "comparator_offset": "offset of each column; area and power of comparators as its inverse square",
    "array_size": "IR drop; number of drivers, ramp columns and hold switches",
}


def page(folder: Path) -> Page:
    """Makes the page of a folder: what was searched, what was found, and whether SPICE agrees."""
    s = read_json(folder / "summary.json", "summary of a design search")
    variables = {v["name"]: v for v in s["variables"]}
    compared = {c["name"]: c for c in s["compared"]}
    factor, label = SHOWN[s["settings"]["objective"]]

    def amount(name: str, value: float) -> str:
        return f"{value * variables[name]['shown']:.4g} {variables[name]['unit']}".rstrip()

    def with_design(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
        searched = [name for name, v in variables.items() if not v["fixed"]]
        return pd.DataFrame([r | {"design": ", ".join(f"{n} {amount(n, r[n])}" for n in searched)} for r in rows])

    shown = [
        v | {"values": ", ".join(f"{g * v['shown']:.4g}" for g in v["grid"]), "enters": ENTERS[name]}
        for name, v in variables.items()
    ]
    tables = {
        "variables": pd.DataFrame(shown),
        "costs": _costs(s["compared"]),
        "blocks": _blocks(s["compared"]),
        "tries": with_design(s["tries"]),
        "ramps": pd.DataFrame([{"trial": t["trial"]} | r for t in s["tries"] for r in t["ramps"]]),
        "front": with_design(read_table(folder, "front.csv", list(variables)).to_dict("records")),
    }
    every = [f for c in (*s["tries"], *s["compared"]) for f in c["failures"]]
    values = {"z": s["settings"], "factor": factor, "label": label, "amount": amount, "lost": _lost, "compared": compared}
    values |= {"default": compared.get("default"), "chosen": compared.get("chosen")}
    return page_of(Path(__file__), folder, tables, s=s, failures=[f for n, f in enumerate(every) if f not in every[:n]], **values)


def _costs(compared: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """A line a figure, a column a design."""
    columns = {}
    for c in compared:
        predicted, confirmed = c["test"]["predicted"], c["test"]["confirmed"]
        columns[c["name"]] = {label: factor * c[name] for name, (factor, label) in SHOWN.items()} | {
            "test accuracy, floating point": percent(confirmed["exact"]),
            "test accuracy, ramps from SPICE": percent(confirmed["accuracy"]),
            "loss predicted, closed form": _lost(**predicted),
            "loss with ramps from SPICE": _lost(**confirmed),
            "95 % interval over chips": f"{percent(confirmed['chips_low'])} to {percent(confirmed['chips_high'])}",
        }
    return pd.DataFrame(columns, dtype=object).rename_axis("figure").reset_index()


def _blocks(compared: Sequence[dict[str, Any]]) -> pd.DataFrame:
    rows: dict[str, dict[str, Any]] = {}
    for c in compared:
        for b in c["blocks"]:
            row = rows.setdefault(b["block"], {"block": b["block"]})
            row |= {f"energy, {c['name']} (uJ)": 1e6 * b["energy"], f"area, {c['name']} (mm2)": 1e6 * b["area"]}
    return pd.DataFrame(list(rows.values()))


def _lost(loss: float, low: float, high: float, **_: Any) -> str:
    return f"{percent(loss)} ({percent(low)} to {percent(high)})"
