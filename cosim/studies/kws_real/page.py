"""Page of the study of published networks on real speech."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cosim.report import Page, page_of, read_table
from netlists.files import read_json

from .conditions import ALONE, EVERYTHING, FLOAT, IDEAL, WIRES

COLUMNS = ["network", "units", "condition", "bits", "accuracy", "low", "high", "without_silence", "silence", "change"]


TUNING = ["training", "on", "chips", "train_clips", "clips", "accuracy", "low", "high", "without_silence", "change"]


def page(folder: Path) -> Page:
    """Makes the page of a folder from ``summary.json`` and the tables."""
    s = read_json(folder / "summary.json", "study summary")
    results = read_table(folder, "results.csv", COLUMNS)

    def row(units: int, condition: str, bits: int | None = None) -> dict[str, Any]:
        own = results[(results["units"] == units) & (results["condition"] == condition)]
        own = own if bits is None else own[own["bits"] == bits]
        return own.iloc[0].to_dict()

    sizes = [n["units"] for n in s["networks"].values()]
    at = results[results["bits"] == s["settings"]["alone_bits"]]
    whole, wires = ([u for u in sizes if u in at["units"][at["condition"] == name].unique()] for name in (EVERYTHING, WIRES))
    order = [p.name for p in ALONE]
    alone = results[results["condition"].isin(order) & (results["bits"] == s["settings"]["alone_bits"])]
    alone = alone.assign(place=alone["condition"].map(order.index)).sort_values(["units", "place"])
    tables = {"alone": alone, "ideal": results[results["condition"].isin([FLOAT, IDEAL])]}
    tables["curves"] = results[results["condition"].isin([order[1], EVERYTHING])].sort_values(["units", "condition", "bits"])
    if (folder / "tuning.csv").exists():
        tables["tuning"] = read_table(folder, "tuning.csv", TUNING)
    names = {"float": FLOAT, "ideal": IDEAL, "everything": EVERYTHING, "wires": WIRES}
    return page_of(
        Path(__file__),
        folder,
        tables,
        s=s,
        row=row,
        sizes=sizes,
        whole=whole,
        wires=wires,
        names=names,
        points=_points,
        tuned=tables.get("tuning"),
    )


def _points(share: float | None) -> str:
    return "-" if share is None or share != share else f"{100 * share:+.2f}"
