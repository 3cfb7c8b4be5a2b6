"""Page of the study of learned ramps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cosim.evaluation import metric_of
from cosim.report import Page, page_of, read_table
from netlists.files import read_json

from .tables import IDEAL, LEARNED, PLAIN, TUNED, UNIFORM, headline_bits

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
    learned, equal = gains["ramps"] == LEARNED, gains["bits"] == gains["uniform_bits"]
    fitted = (saved["ramps"] == "lloyd-max") & (saved["training"] == PLAIN)
    floats = results[results["on"] == "float"].set_index("task")["text"]
    networks = read_table(folder, "networks.csv", ["task", "metric", "units", "weights", "trained_on", "tested_on"])
    tables = {
        "results": results,
        "networks": networks.assign(value=[floats[t] for t in networks["task"]]),
        "gains": gains[(learned | (gains["ramps"] == UNIFORM)) & ~equal],
        "errors": _by_hardware(gains[learned & equal], {"task": "task", "training": "training on ramps", "bits": "bits"}),
        "saved": _by_hardware(
            saved[(saved["ramps"] == LEARNED) | fitted],
            {"task": "task", "training": "training on ramps", "ramps": "ramps", "bits": "bits"},
        ),
        "use": use_table(gates, ramps),
    }
    found = _findings(gains, saved, tables["use"], low, high)
    return page_of(Path(__file__), folder, tables, s=s, low=low, high=high, high_end=max(s["settings"]["bits"]), found=found)


def _saved(bound: object, saved: float, low: float, high: float) -> str:
    return f"{bound if isinstance(bound, str) else ''} {saved:+.2f} ({low:+.2f}..{high:+.2f})".strip()


def _by_hardware(rows: pd.DataFrame, columns: dict[str, str]) -> pd.DataFrame:
    """The texts of rows, those of each hardware in a column of its own."""
    wide = rows.pivot(index=list(columns), columns="on", values="text")[list(dict.fromkeys(rows["on"]))]
    # As the rows come, not by name.
    return wide.loc[list(dict.fromkeys(map(tuple, rows[list(columns)].values)))].reset_index().rename(columns=columns)


def use_table(gates: pd.DataFrame, ramps: pd.DataFrame) -> pd.DataFrame:
    """By task and bits: error of outputs and entropy of codes over all gates, of uniform, fitted and learned ramps.

    ``*_moved``: mean distance of thresholds from the uniform ones, in steps of these; ``*_top``: largest output of the forget gate.
    """
    out: list[dict[str, Any]] = []
    for (task, bits), rows in gates.groupby(["task", "bits"], sort=False):
        row: dict[str, Any] = {"task": task, "bits": bits}
        uniform: np.ndarray | None = None
        for kind, name in KINDS.items():
            training = TUNED if kind == LEARNED else PLAIN
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


KINDS = {UNIFORM: "uniform", "lloyd-max": "fitted", LEARNED: "learned"}


def _findings(gains: pd.DataFrame, saved: pd.DataFrame, use: pd.DataFrame, low: int, high: int) -> list[dict[str, Any]]:
    """Of each task, on ideal ramps and on chips: bits that learned ramps save, and their gain over more uniform bits."""
    out = []
    for task in dict.fromkeys(saved["task"]):
        of = {"task": task, "training": TUNED, "ramps": LEARNED, "bits": low}
        one, bits = _rows(gains, of | {"uniform_bits": high}), _rows(saved, of)
        ideal = one.loc[IDEAL]
        out.append(
            {
                "task": task,
                "reached": ideal["high"] >= 0,
                "gain": ideal["text"],
                **_chosen(use, {"task": task, "bits": low}).iloc[0][["fitted_moved", "learned_moved"]],
                "saved": {on: bits.loc[on, "text"] for on in bits.index},
            }
        )
    return out


def _rows(table: pd.DataFrame, chosen: dict[str, Any]) -> pd.DataFrame:
    return _chosen(table, chosen).set_index("on")


def _chosen(table: pd.DataFrame, chosen: dict[str, Any]) -> pd.DataFrame:
    return table[np.logical_and.reduce([table[name] == value for name, value in chosen.items()])]
