"""Page of the study of trust in the ramp models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from cosim.report import Page, page_of, percent, read_table
from netlists.files import read_json


def page(folder: Path) -> Page:
    """Makes the page of a folder from ``summary.json`` and the tables."""
    s = read_json(folder / "summary.json", "study summary")
    s["macro"] = {name: v if "decks" in v else _earlier(v) for name, v in s["macro"].items()}
    tables = {"held out": _held_out(s["macro"])} if s["macro"] else {}
    if s.get("further_sets"):
        tables["further"] = _further(read_table(folder, "fresh_sets.csv", ["activation", "set", "chips", "test", "p_value"]))
    if s["sky130"]:
        columns = ["bits", "k", "difference_mv", "difference_lsb", "difference_sigma_lsb"]
        tables["transistors"] = _transistors(s["sky130"], read_table(folder, "sky130_levels.csv", columns))
    return page_of(Path(__file__), folder, tables, s=s)


def _held_out(macro: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "ramp": name,
            "fresh chips": v["samples"],
            "failed": v["failed"],
            "model": ("rejected" if v["fit"]["rejected"] else "not rejected") if "fit" in v else "",
            "smallest p, adjusted": min(t["adjusted"] for t in v["fit"]["tests"]) if "fit" in v else float("nan"),
            "level error, rms (LSB)": v["rms_dt_lsb"],
            "expected of sampling": v["rms_dt_lsb_expected"],
            "two decks: codes": v["decks"]["conversions"],
            "equal": percent(v["decks"]["equal"]),
            "near levels": percent(v["decks"]["equal_near"]),
            "within 1": percent(v["decks"]["within_1"]),
        }
        for name, v in macro.items()
    )


def _earlier(v: dict[str, Any]) -> dict[str, Any]:
    """A summary of before 2.0, whose tests are not shown; it had the agreement of the decks beside them."""
    names = {"equal": "codes_equal", "equal_near": "codes_equal_near", "within_1": "codes_within_1", "conversions": "conversions"}
    return {**v, "decks": {new: v[old] for new, old in names.items()}}


def _further(sets: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for (ramp, test), tests in sets.groupby(["activation", "test"], sort=False):
        p = tests.loc[tests["set"] > 0, "p_value"]
        together = tests[tests["set"] == 0].iloc[0]
        rows.append(
            {
                "ramp": ramp,
                "test": str(test).replace("_", " "),
                "sets": len(p),
                "below p = 0.01": int((p < 0.01).sum()),
                "smallest p": float(p.min()),
                "median p": float(p.median()),
                "chips in all sets": int(together["chips"]),
                "p of these": float(together["p_value"]),
            }
        )
    return pd.DataFrame(rows)


def _transistors(transistors: dict[str, Any], levels: pd.DataFrame) -> pd.DataFrame:
    """Adds the level where the two differ most to the figures of each resolution."""
    rows = []
    for count, v in transistors.items():
        own = levels[levels["bits"] == int(count)]
        worst = own.loc[own["difference_lsb"].abs().idxmax()]
        row = {"bits": count, **v, "k": int(worst["k"]), "sigma_lsb": float(own["difference_sigma_lsb"].max())}
        rows.append(row | {name: float(worst[name]) for name in ("difference_mv", "difference_lsb")})
    return pd.DataFrame(rows)
