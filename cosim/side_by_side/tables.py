"""Figures of the tables in a folder: a row is named by its first columns, a figure by its row and its column."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from netlists.errors import InputError

from .differences import KnownFigure, joined_figure

ROWS = 5000
"""Rows of the longest table that is still taken for one of figures; longer ones are samples."""


def table_figures(folder: Path) -> tuple[dict[str, KnownFigure], list[str]]:
    """Reads the CSV tables of a folder as figures with their intervals; and notes of what was left out."""
    out: dict[str, KnownFigure] = {}
    notes: list[str] = []
    for path in sorted([*folder.glob("*.csv"), *folder.glob("tables/*.csv")]):
        try:
            table = pd.read_csv(path)
        except (OSError, ValueError) as e:
            raise InputError(f"{path}: not a valid table ({e})") from None
        if not 0 < len(table) <= ROWS:
            notes.append(f"{path.name}: has {len(table)} rows; tables of 1 to {ROWS} rows are compared")
            continue
        keys = key_columns(table)
        if keys is None:
            notes.append(f"{path.name}: its first columns do not name a row; it is not compared")
            continue
        out |= _figures(path.name, table, keys)
    return out, notes


def key_columns(table: pd.DataFrame) -> list[str] | None:
    """Names the first columns that tell every row from the others, as few as do; None if none do before the last column."""
    for n in range(1, table.shape[1]):
        keys = list(table.columns[:n])
        if not table.duplicated(keys).any():
            return keys
    return None


def interval_columns(name: str, columns: list[str]) -> tuple[str, str] | None:
    """Columns that hold the interval of a column: ``NAME_low``, the plain ``low`` behind it, or a mean's ``test_low``."""
    found = [(f"{name}_low", f"{name}_high")]
    at = columns.index(name)
    if columns[at + 1 : at + 3] == ["low", "high"]:
        found.append(("low", "high"))
    if name == "mean":
        found.append(("test_low", "test_high"))
    return next((pair for pair in found if set(pair) <= set(columns)), None)


def _figures(file: str, table: pd.DataFrame, keys: list[str]) -> dict[str, KnownFigure]:
    columns = list(table.columns)
    numbers = [c for c in columns if c not in keys and pd.api.types.is_numeric_dtype(table[c]) and table[c].dtype != bool]
    ends = {c: interval_columns(c, columns) for c in numbers}
    of_intervals = {end for pair in ends.values() if pair for end in pair} | {c for c in numbers if c.endswith(("_low", "_high"))}
    out = {}
    for row in table.to_dict("records"):
        named = ", ".join(f"{k} {_shown(row[k])}" for k in keys if not pd.isna(row[k]))
        for c in numbers:
            if c in of_intervals or not np.isfinite(row[c]):
                continue
            low, high = (row[e] for e in ends[c] or (c, c))
            sure = ends[c] is not None and np.isfinite(low) and np.isfinite(high)
            chips = _over_chips(c, row) if sure else None
            out[f"{file}: {named}: {c}"] = joined_figure(float(row[c]), (low, high), chips) if sure else KnownFigure(float(row[c]))
    return out


def _over_chips(name: str, row: dict[str, float]) -> tuple[float, float] | None:
    """The interval over chips of a sweep's mean, or of what it is below floating point; None where the row has none."""
    low, high, mean = (row.get(end, np.nan) for end in ("chips_low", "chips_high", "mean"))
    if name not in ("mean", "minus_float") or not np.isfinite([low, high, mean]).all():
        return None
    return low - mean + row[name], high - mean + row[name]


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
