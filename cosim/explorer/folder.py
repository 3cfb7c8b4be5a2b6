"""Finds what a folder holds that can be looked at, and reads it: what is not sound is named, and left out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from characterization.chips import COLUMN_SCOPES
from characterization.estimates import proportion_interval
from characterization.ramp_model import RampModel, is_ramp_model
from characterization.run import Run, load_run
from netlists.errors import InputError, ToolkitError
from netlists.files import read_json
from netlists.spice import read_raw_plot

MOST_CHIPS = 1000
"""Chips of a run that a page holds."""
MOST_POINTS = 20_000
"""Points of a waveform that a page holds; of a longer one the extremes of as many intervals."""
MOST_ROWS = 2_000_000
"""Rows of the longest table that is read."""
DEPTH = 4
"""Folders below the one that is looked at."""
NOISE = ("threshold_noise", "r_wire", "v_read", "temperature", "supply", "pwm_bits", "adc_bits")
"""Second variables of a table of accuracies, besides the bits."""


@dataclass
class Found:
    """What a folder holds, as data of a page.

    Attributes
    ----------
    folder : Path
    runs, models, waves, accuracies : list of dict
        Each with its ``name``.
    left_out : list of str
        What could not be read, or is not shown whole, and why.
    """

    folder: Path
    runs: list[dict[str, Any]] = field(default_factory=list)
    models: list[dict[str, Any]] = field(default_factory=list)
    waves: list[dict[str, Any]] = field(default_factory=list)
    accuracies: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        """How many there are of each kind."""
        return {kind: len(getattr(self, kind)) for kind in ("runs", "models", "waves", "accuracies")}


def look_into(folder: Path) -> Found:
    """Reads the runs, models, waveforms and accuracies in a folder and below it.

    Raises
    ------
    InputError
        There is no such folder, or it holds none of them.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"folder={str(folder)!r}: there is no such folder")
    found = Found(folder)
    for path in _files(folder, DEPTH):
        name = str(path.relative_to(folder))
        take = _reader(path)
        if take is None:
            continue
        try:
            take(found, path, name)
        except ToolkitError as e:
            found.left_out.append(f"{name}: {str(e)[:200]}")
    if not any(found.counts.values()):
        raise InputError(
            f"folder={str(folder)!r}: holds no run, ramp model, waveforms of a simulation or accuracies of a sweep that can be read"
            f"{'; ' + found.left_out[0] if found.left_out else ''}"
        )
    return found


def _files(folder: Path, depth: int) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_file():
            yield path
        elif path.is_dir() and depth and not path.name.startswith(".") and path.name != "chunks":
            yield from _files(path, depth - 1)


def _reader(path: Path) -> Callable[[Found, Path, str], None] | None:
    """What reads a file of this name; None: nothing does."""
    if path.name == "manifest.json":
        return _run
    if path.suffix == ".json":
        return _model
    return _table if path.suffix in (".csv", ".parquet", ".raw") and not (path.parent / "manifest.json").exists() else None


def _run(found: Found, path: Path, name: str) -> None:
    found.runs.append(run_data(load_run(path.parent), str(Path(name).parent), found))


def _numbers(values: Any, digits: int = 6) -> list[float]:
    """Numbers with so many digits; NaN, which is not drawn and within no limit, where there is none."""
    return [float(f"{v:.{digits}g}") for v in np.asarray(values, float)]


def run_data(run: Run, name: str, found: Found) -> dict[str, Any]:
    """INL of each chip, its bands, and the figures that a yield is of."""
    program, n = run.plan.program(), len(run.samples)
    shown = min(n, MOST_CHIPS)
    if shown < n:
        found.left_out.append(f"{name}: single chips are the first {shown} of {n}; bands and yields are of all")
    states: dict[str, Any] = {}
    for state, calibrated in (("before", False), ("after", True)):
        levels = run.levels(calibrated=calibrated)
        inl = (levels - program.x) / program.lsb
        good = inl[np.isfinite(inl).all(axis=1)]
        band = np.quantile(good, (0.05, 0.5, 0.95), axis=0) if len(good) else np.full((3, len(program.x)), np.nan)
        states[state] = {
            "inl": [_numbers(row, 5) for row in inl[:shown]],
            "levels": [_numbers(row) for row in levels[:shown]],
            "band": [_numbers(row, 5) for row in band],
        }
    tables = {scope: run.figures(scope) for scope in COLUMN_SCOPES}
    figures: dict[str, Any] = {}
    for scope, table in tables.items():
        figures[scope] = {}
        for state, calibrated in (("before", False), ("after", True)):
            rows = table[(table["calibrated"] == calibrated) & (table["status"] == "ok")]
            figures[scope][state] = {
                "sample": rows["sample"].astype(int).tolist(),
                "inl": _numbers(rows["max_inl_in"], 12),
                "dnl": _numbers(rows["max_dnl"], 12),
                "monotonic": rows["monotonic"].astype(bool).tolist(),
            }
    tested = max(len(f["sample"]) for one in figures.values() for f in one.values())
    ends = np.array([proportion_interval(good, tested) for good in range(tested + 1)]) if tested else np.zeros((1, 2))
    return {
        "name": name,
        "title": run.title,
        "k": list(range(1, len(program.x) + 1)),
        "x_ideal": _numbers(program.x),
        "samples": run.samples["sample"].astype(int).tolist()[:shown],
        "states": states,
        "figures": figures,
        "tested": tested,
        "low": _numbers(ends[:, 0]),
        "high": _numbers(ends[:, 1]),
    }


def _model(found: Found, path: Path, name: str) -> None:
    if not is_ramp_model(read_json(path, "file")):
        return
    model = RampModel.load(path)
    states = {}
    for state, law in (("before", model.before), ("after", model.after)):
        sigma = np.sqrt(np.diag(law.covariance))
        states[state] = {
            "mean": _numbers((law.mean - model.x_ideal) / model.lsb, 5),
            "sigma": _numbers(sigma / model.lsb, 5),
        }
    found.models.append(
        {
            "name": name,
            "title": f"{model.title}; {model.validated()}",
            "k": list(range(1, len(model.lsb) + 1)),
            "states": states,
        }
    )


def _table(found: Found, path: Path, name: str) -> None:
    if path.suffix == ".raw":
        plot = read_raw_plot(path)
        if np.iscomplexobj(plot.values):
            raise InputError("holds complex numbers, as of an AC analysis, which are not drawn")
        found.waves.append(_wave(found, name, list(plot.names), plot.values))
        return
    try:
        table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, nrows=MOST_ROWS + 1)
    except (ValueError, OSError) as e:
        raise InputError(f"cannot be read ({str(e)[:120]})") from None
    if len(table) > MOST_ROWS:
        raise InputError(f"has more than {MOST_ROWS} rows")
    if "bits" in table and ({"mean", "float"} <= set(table) or {"accuracy", "chip"} <= set(table)):
        _add(found.accuracies, _accuracy(table, name))
    elif len(table.columns) and (scale := "time" if "time" in table else "frequency" if "frequency" in table else ""):
        parts = list(table.groupby("analysis", sort=False)) if "analysis" in table else [("", table)]
        for label, part in parts:
            numbers = part.select_dtypes("number").dropna(axis=1, how="all")
            order = [scale, *(c for c in numbers if c != scale and not str(c).startswith("step "))]
            if scale in numbers and len(order) > 1:
                found.waves.append(_wave(found, f"{name} {label}".strip(), order, numbers[order].to_numpy(float)))


def _add(shown: list[dict[str, Any]], one: dict[str, Any]) -> None:
    """Adds a table, unless it is the same to the digits shown as one that only its ending tells apart."""
    stem = Path(one["name"]).with_suffix("")
    alike = [other for other in shown if Path(other["name"]).with_suffix("") == stem]
    # As text, in which what is no number equals itself.
    if not any(json.dumps(one | {"name": other["name"]}, sort_keys=True) == json.dumps(other, sort_keys=True) for other in alike):
        shown.append(one)


def _wave(found: Found, name: str, names: Sequence[str], values: np.ndarray) -> dict[str, Any]:
    if len(values) > MOST_POINTS:
        found.left_out.append(f"{name}: drawn by the extremes of {MOST_POINTS // 2} intervals of its {len(values)} points")
        parts = np.array_split(values, MOST_POINTS // 2)
        values = np.concatenate([np.stack([p[0, :1].repeat(p.shape[1]), p[-1, :1].repeat(p.shape[1])]) for p in parts])
        for k, part in enumerate(parts):
            values[2 * k, 1:], values[2 * k + 1, 1:] = part[:, 1:].min(axis=0), part[:, 1:].max(axis=0)
    return {"name": name, "names": list(names), "values": [_numbers(column, 7) for column in values.T]}


def _accuracy(table: pd.DataFrame, name: str) -> dict[str, Any]:
    """Accuracies by bits, for each value of a second variable."""
    if "chip" in table:
        grouped = table.groupby("bits")["accuracy"]
        table = pd.DataFrame(
            {
                "mean": grouped.mean(),
                "chips_low": grouped.min(),
                "chips_high": grouped.max(),
                **{c: table.groupby("bits")[c].first() for c in ("float", "ideal") if c in table},
            }
        ).reset_index()
        whiskers = "whiskers: lowest and highest chip"
    else:
        whiskers = "whiskers: 95 % over chips"
    second = next((c for c in NOISE if c in table and table[c].nunique() > 1), "")
    values = sorted(table[second].unique()) if second else [0.0]
    lines = []
    for value in values:
        rows = (table[table[second] == value] if second else table).groupby("bits", as_index=False).first().sort_values("bits")
        drawn = rows.reindex(columns=["bits", "mean", "chips_low", "chips_high", "float", "ideal"])
        lines.append({str(c): _numbers(drawn[c]) for c in drawn})
    return {"name": name, "second": second, "values": _numbers(values), "lines": lines, "whiskers": whiskers}
