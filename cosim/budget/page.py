"""The page of a budget, from its folder."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cosim.report import Page, page_of
from netlists.files import read_json


def page(folder: Path) -> Page:
    """Makes the page of a folder: total, waterfall, losses, shares of the parts, tolerances."""
    s = read_json(folder / "summary.json", "study summary")
    tables = {name: pd.DataFrame(s[name]) for name in ("sources", "shapley", "groups", "tolerances")}
    values = {"z": s["settings"], "first": s["shapley"][0], "worst": max(s["sources"], key=lambda row: row["added_loss"])}
    return page_of(Path(__file__), folder, tables, s=s, points=_points, span=_span, **values)


def _points(loss: float) -> str:
    # Adding 0 takes the sign off a rounded 0.
    return f"{round(100 * loss, 2) + 0.0:.2f}"


def _span(low: float, high: float) -> str:
    return f"{_points(low)} to {_points(high)}"
