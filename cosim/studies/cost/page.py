"""Page of the cost study, made from the tables in its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cosim.report import Page, page_of, read_table
from netlists.files import read_json

from .settings import QUANTITY


def page(folder: Path) -> Page:
    """Makes the page of a folder from ``summary.json`` and the tables."""
    s = read_json(folder / "summary.json", "study summary")
    terms = read_table(folder, "terms.csv", ("block", "kind", "source")).drop_duplicates("block")
    bottleneck = read_table(folder, "bottleneck.csv", ("cycles", "ratio"))
    values: dict[str, Any] = {
        "quantities": QUANTITY,
        "quarter": [r for r in s["halving"] if r["block"].startswith("cells")],
        "table1": read_table(folder, "table1.csv", ("network", "quantity", "bits", "ours", "how")).to_dict("records"),
        "phases": read_table(folder, "phases.csv", ("network", "phases", "off", "taken", "t_fixed")).to_dict("records"),
        "sequences": read_table(folder, "accuracy.csv", ("sequences",))["sequences"].iloc[0],
        "cycles": list(bottleneck[bottleneck["ratio"].between(2, 5)]["cycles"]),
        "span": _span,
    }
    return page_of(Path(__file__), folder, {"sources": terms[["block", "kind", "source"]]}, s=s, **values)


def _span(low: float, high: float) -> str:
    return f"{low:.4g}" if f"{low:.4g}" == f"{high:.4g}" else f"{low:.4g} to {high:.4g}"
