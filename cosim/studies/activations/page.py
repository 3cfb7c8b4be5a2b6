"""Page of the gallery of activations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from cosim.report import Page, cell, page_of, read_table
from netlists.files import read_json

FIELD = ("sigmoid", "tanh", "softplus", "softsign", "elu", "selu")
"""Functions that nonlinear ramp converters of the field were shown with."""
_COLUMNS = ("function", "bits", "compiles", "cells", "conversion_time_ns", "spice_max_error_lsb", "spice_mean_error_lsb")
_CONVERSIONS = ("spice_conversions", "spice_conversions_max_error_lsb", "spice_codes_as_levels", "why_not")


def page(folder: Path) -> Page:
    """Makes the page of a folder from ``summary.json`` and ``activations.csv``."""
    s = read_json(folder / "summary.json", "study summary")
    table = read_table(folder, "activations.csv", [*_COLUMNS, *_CONVERSIONS])
    bits = s["settings"]["spice_bits"]
    here = table[table["bits"] == bits]
    good = here[here["spice_max_error_lsb"].notna()]
    worst = good[["spice_max_error_lsb", "spice_conversions_max_error_lsb"]].max(axis=1)
    mean, conversions, field = good["spice_mean_error_lsb"], good["spice_conversions"], good["function"].isin(FIELD)
    values: dict[str, Any] = {
        "functions": here["function"].nunique(),
        "of_the_field": int(here["function"].isin(FIELD).sum()),
        "largest": float(worst.max()),
        "largest_of_field": float(worst[field].max()) if field.any() else None,
        "mean": float(mean.max()),
        "mean_of_field": float(mean[field].max()),
        "farthest": good["function"][worst.idxmax()],
        "conversions": int(conversions.sum()),
        "equal": float((good["spice_codes_as_levels"] * conversions).sum() / conversions.sum()),
        "refused": table[~table["compiles"].astype(bool)].to_dict("records"),
    }
    tables = {"by resolution": _by_resolution(table)}
    return page_of(Path(__file__), folder, tables, s=s, bits=bits, field=FIELD, **values)


def _by_resolution(table: pd.DataFrame) -> pd.DataFrame:
    texts = [
        f"{cell(c)} / {cell(round(t))}" if ok else "-"
        for c, t, ok in zip(table["cells"], table["conversion_time_ns"].fillna(0), table["compiles"].astype(bool), strict=True)
    ]
    wide = table.assign(text=texts).pivot(index="function", columns="bits", values="text").reindex(table["function"].unique())
    return wide.rename(columns=lambda b: f"{b} bits").reset_index()
