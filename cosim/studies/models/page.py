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
    tables = {"held out": _held_out(s["macro"])}
    if "further_sets" in s:
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
            "conversions": v["conversions"],
            "codes equal": percent(v["codes_equal"]),
            "near levels": percent(v["codes_equal_near"]),
            "within 1": percent(v["codes_within_1"]),
            "level error, rms (LSB)": v["rms_dt_lsb"],
            "expected of sampling": v["rms_dt_lsb_expected"],
            **{f"{test.replace('_', ' ')}, p": ks["p_value"] for test, ks in v["ks"].items()},
        }
        for name, v in macro.items()
    )


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
