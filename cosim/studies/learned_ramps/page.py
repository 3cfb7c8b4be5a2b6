"""Page of the study of learned ramps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cosim.evaluation import metric_of
from cosim.report import Page, page_of, read_table
from netlists.files import read_json

from .tables import FITTED, IDEAL, LEARNED, PLAIN, REFINED, STARTS, TUNED, UNIFORM, headline_bits

KEY = ["task", "training", "ramps", "bits"]
INTERVAL = ["value", "low", "high"]


def page(folder: Path) -> Page:
    """Makes the page of a folder from ``summary.json`` and its tables."""
    s = read_json(folder / "summary.json", "study summary")
    low, high = headline_bits(s["settings"]["bits"])
    results = read_table(folder, "results.csv", [*KEY, "on", "metric", *INTERVAL])
    gains = read_table(folder, "gains.csv", [*KEY, "on", "uniform_bits", "metric", *INTERVAL])
    saved = read_table(folder, "saved.csv", [*KEY, "on", "bound", "saved", "low", "high"])
    gates = read_table(folder, "gates.csv", [*KEY, "gate", "rms_error", "code_entropy", "spice_lsb"])
    ramps = read_table(folder, "ramps.csv", [*KEY, "gate", "code", "threshold", "value"])
    results["text"] = [metric_of(r.metric).interval(r.value, r.low, r.high) for r in results.itertuples()]
    gains["text"] = [metric_of(r.metric).gain_interval(r.value, r.low, r.high) for r in gains.itertuples()]
    saved["text"] = [_saved(r.bound, r.saved, r.low, r.high) for r in saved.itertuples()]
    learned, equal = gains["ramps"].isin(STARTS), gains["bits"] == gains["uniform_bits"]
    fitted = (saved["ramps"] == FITTED) & (saved["training"] == PLAIN)
    floats = results[results["on"] == "float"].set_index("task")["text"]
    networks = read_table(folder, "networks.csv", ["task", "metric", "units", "weights", "trained_on", "tested_on"])
    tables = {
        "results": results,
        "networks": networks.assign(value=[floats[t] for t in networks["task"]]),
        "gains": gains[(learned | (gains["ramps"] == UNIFORM)) & ~equal],
        "errors": _by_hardware(gains[learned & equal]),
        "saved": _by_hardware(saved[saved["ramps"].isin(STARTS) | fitted]),
        "use": use_table(gates, ramps),
    }
    found = _findings(gains, saved, tables["use"], low, high)
    return page_of(Path(__file__), folder, tables, s=s, low=low, high=high, high_end=max(s["settings"]["bits"]), found=found)


def _saved(bound: object, saved: float, low: float, high: float) -> str:
    return f"{bound if isinstance(bound, str) else ''} {saved:+.2f} ({low:+.2f}..{high:+.2f})".strip()


def _by_hardware(rows: pd.DataFrame) -> pd.DataFrame:
    """The texts of rows, those of each hardware in a column of its own."""
    wide = rows.pivot(index=KEY, columns="on", values="text")[list(dict.fromkeys(rows["on"]))]
    # As the rows come, not by name.
    wide = wide.loc[list(dict.fromkeys(map(tuple, rows[KEY].values)))]
    return wide.reset_index().rename(columns={"training": "training on ramps"})


def use_table(gates: pd.DataFrame, ramps: pd.DataFrame) -> pd.DataFrame:
    """By task and bits: error of outputs and entropy of codes over all gates, of uniform, fitted and learned ramps.

    ``*_moved``: mean distance of thresholds from the uniform ones, in steps of these; ``*_top``: largest output of the forget gate.
    """
    out: list[dict[str, Any]] = []
    for (task, bits), rows in gates.groupby(["task", "bits"], sort=False):
        row: dict[str, Any] = {"task": task, "bits": bits}
        uniform: np.ndarray | None = None
        for kind, name in KINDS.items():
            training = TUNED if kind in STARTS else PLAIN
            of = {"task": task, "bits": bits, "ramps": kind, "training": training}
            each, own = _chosen(rows, of), _chosen(ramps, of).sort_values(["gate", "code"])
            row |= {f"{name}_error": float(np.sqrt((each["rms_error"] ** 2).mean()))}
            row |= {f"{name}_entropy": float(each["code_entropy"].mean())}
            row |= {f"{name}_top": float(own[own["gate"] == "f"]["value"].max())}
            # The first code has no threshold.
            levels = own["threshold"].to_numpy().reshape(-1, 2**bits)[:, 1:]
            uniform = levels if uniform is None else uniform
            row |= {f"{name}_moved": float(np.abs((levels - uniform) / np.gradient(uniform, axis=1)).mean())}
        out.append(row)
    return pd.DataFrame(out)


KINDS = {UNIFORM: "uniform", FITTED: "fitted", LEARNED: "learned", REFINED: "refined"}


def _findings(gains: pd.DataFrame, saved: pd.DataFrame, use: pd.DataFrame, low: int, high: int) -> list[dict[str, Any]]:
    """Of each task, on ideal ramps and on chips: bits that learned ramps save, and their gain over more uniform bits."""
    out = []
    for task in dict.fromkeys(saved["task"]):
        of = {"task": task, "training": TUNED, "bits": low}
        ideal = {r: _rows(gains, of | {"ramps": r, "uniform_bits": high}).loc[IDEAL] for r in STARTS}
        bits = {r: _rows(saved, of | {"ramps": r})["text"] for r in STARTS}
        row: dict[str, Any] = {"task": task, "reached": ideal[LEARNED]["high"] >= 0, "gain": ideal[LEARNED]["text"]}
        row |= {"refined": ideal[REFINED]["text"], "saved": {r: dict(found) for r, found in bits.items()}}
        moved = _chosen(use, {"task": task, "bits": low}).iloc[0]
        out.append(row | {name: moved[name] for name in ("fitted_moved", "learned_moved", "refined_moved")})
    return out


def _rows(table: pd.DataFrame, chosen: dict[str, Any]) -> pd.DataFrame:
    return _chosen(table, chosen).set_index("on")


def _chosen(table: pd.DataFrame, chosen: dict[str, Any]) -> pd.DataFrame:
    return table[np.logical_and.reduce([table[name] == value for name, value in chosen.items()])]
