"""Page of the study of error sources."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cosim.report import Page, page_of, read_table
from netlists.files import read_json


def page(folder: Path) -> Page:
    """Makes the page of a folder from ``summary.json`` and the tables."""
    s = read_json(folder / "summary.json", "study summary")
    networks = read_table(folder, "networks.csv", ["task", "training", "float", "low", "high", "test_sequences", "bias_rows"])
    rows = read_table(folder, "sources.csv", ["task", "training", "bits", "source", "amount", "change", "low", "high"])
    shown = networks.drop_duplicates("task").set_index("task")["training"]
    rows = rows[rows["training"] == rows["task"].map(shown)]
    tasks = list(shown.index)
    first = rows[rows["task"] == tasks[0]]
    values = {"networks": networks.to_dict("records"), "worst": first.loc[first["change"].idxmin()].to_dict()}
    values |= {"tasks": tasks, "shown": shown.to_dict(), "bits": sorted(first["bits"].unique(), reverse=True), "points": _points}
    tables = {f"alone {task}": _alone(rows[rows["task"] == task]) for task in tasks}
    return page_of(Path(__file__), folder, tables, s=s, **values)


def _points(share: float) -> str:
    return f"{100 * share:+.2f}"


def _alone(rows: pd.DataFrame) -> pd.DataFrame:
    """A line a source, a column a resolution."""
    texts = [f"{_points(c)} ({_points(low)} to {_points(high)})" for c, low, high in rows[["change", "low", "high"]].to_numpy()]
    wide = rows.assign(text=texts).pivot(index=["source", "amount"], columns="bits", values="text")
    wide = wide.loc[list(dict.fromkeys(zip(rows["source"], rows["amount"], strict=True)))]
    columns = sorted(wide.columns, reverse=True)
    return wide[columns].rename(columns=lambda b: f"{b} bits").reset_index()
