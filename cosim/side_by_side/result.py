"""What a path holds: a run, a model of a ramp, the folder of a study or of an evaluation, or the JSON answer of one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from characterization.chips import COLUMN_SCOPES
from characterization.plan import Limits
from characterization.ramp_model import RampModel, is_ramp_model
from characterization.run import FIGURES, Run, load_run
from cosim.report import EVALUATION
from netlists.errors import InputError
from netlists.files import read_json

from .differences import KnownFigure, joined_figure, normal_figure
from .tables import table_figures

NOT_FIGURES = ("settings", "versions", "command", "wall_seconds", "study", "tasks", "warnings", "created", "seed")
"""Entries of a summary that are not figures of it."""


@dataclass(frozen=True, eq=False)
class StoredResult:
    """What is set beside another of its kind.

    Attributes
    ----------
    path : Path
    kind : str
        "run", "model", "evaluation", or "study NAME".
    title : str
    settings : mapping
        What it was made with, value by name; parts of a setting as ``name.part``.
    figures : mapping of str to KnownFigure
    seed : int or None
        Items of results with the same seed are the same.
    content : Run, RampModel or None
        For pictures.
    notes : tuple of str
        What could not be taken.
    """

    path: Path
    kind: str
    title: str
    settings: Mapping[str, Any]
    figures: Mapping[str, KnownFigure]
    seed: int | None = None
    content: Run | RampModel | None = None
    notes: tuple[str, ...] = field(default=())


def load_result(path: str | Path, limits: Limits | None = None) -> StoredResult:
    """Reads a result.

    Parameters
    ----------
    limits : Limits or None
        Of the yield of a run.

    Raises
    ------
    InputError
        Nothing there, or something else; the message says what it may be.
    """
    path = Path(path)
    if (path / "manifest.json").is_file():
        return _run(path, limits or Limits())
    if (path / "summary.json").is_file():
        return _folder(path)
    if (path / EVALUATION).is_file():
        return _answer(path, read_json(path / EVALUATION, "evaluation"))
    if path.suffix == ".json" and path.is_file():
        data = read_json(path, "result")
        if is_ramp_model(data):
            return _model(path)
        if isinstance(data, dict) and {"metric", "chips", "mean", "paired"} <= set(data):
            return _answer(path, data)
    raise InputError(
        f"{path}: is not a result; take a run's folder, a model file (.json), the folder of a study, evaluation, sweep, budget, "
        "loop or search, or an evaluation's answer in JSON, in a file that ends in .json"
    )


def flat(values: Any, name: str = "") -> dict[str, Any]:
    """Returns nested mappings as one, ``outer.inner``; lists and texts stay as they are."""
    if not isinstance(values, Mapping):
        return {name: values}
    out: dict[str, Any] = {}
    for key, value in values.items():
        out |= flat(value, f"{name}.{key}" if name else str(key))
    return out


def _run(path: Path, limits: Limits) -> StoredResult:
    run = load_run(path)
    figures: dict[str, KnownFigure] = {}
    for scope in COLUMN_SCOPES:
        table = run.figures(scope).sort_values("sample")
        for state, calibrated in (("before", False), ("after", True)):
            rows = table[table["calibrated"] == calibrated]
            for name in FIGURES:
                values = rows[name].to_numpy(float)
                if np.isfinite(values).any():
                    figures[f"{name}, {scope}, {state}"] = KnownFigure(float(np.nanmean(values)), each=values)
            good = (rows["max_inl_in"] <= limits.max_inl) & (rows["max_dnl"] <= limits.max_dnl)
            good &= rows["monotonic"] | (not limits.monotonic)
            tested = (rows["status"] == "ok").to_numpy()
            if tested.any():
                # A chip that failed is neither good nor bad: items are the same again only where none did.
                each = good.to_numpy(bool)[tested]
                figures[f"yield, {scope}, {state}"] = KnownFigure(float(each.mean()), each=each)
    settings = flat(json.loads(json.dumps(run.plan.as_dict(), default=str))) | {"samples": len(run.samples)}
    seed = None if run.failed else run.plan.seed
    return StoredResult(path, "run", run.title, settings, figures, seed, run)


def _model(path: Path) -> StoredResult:
    model = RampModel.load(path)
    figures: dict[str, KnownFigure] = {}
    shift, sigma = (model.mean - model.x_ideal) / model.lsb, np.sqrt(np.diag(model.covariance)) / model.lsb
    for k, lsb in enumerate(model.lsb):
        figures[f"mean - ideal (LSB), level {k + 1}"] = normal_figure(shift[k], model.mean_stderr[k] / lsb)
        figures[f"sigma (LSB), level {k + 1}"] = normal_figure(sigma[k], model.sigma_stderr[k] / lsb)
    for name in ("comparator_offset", "comparator_noise", "read_noise"):
        estimate = getattr(model, name)
        figures[name] = normal_figure(estimate.value, estimate.stderr)
    for name, value in flat(model.validation or {}).items():
        if _is_number(value) and "seed" not in name:
            figures[f"held out, {name}"] = KnownFigure(float(value))
    settings = flat(json.loads(json.dumps(model.plan, default=str))) | {"samples": model.samples}
    return StoredResult(path, "model", model.title, settings, figures, None, model)


def _folder(path: Path) -> StoredResult:
    summary = read_json(path / "summary.json", "study summary")
    name = summary.get("study") if isinstance(summary, dict) else None
    if not isinstance(name, str):
        raise InputError(f"{path / 'summary.json'}: does not say of which study it is; run it again")
    figures = _summary_figures({k: v for k, v in summary.items() if k not in NOT_FIGURES})
    found, notes = table_figures(path)
    versions = {f"version of {n}": v for n, v in flat(summary.get("versions", {})).items()}
    settings = flat(summary.get("settings", {})) | versions
    return StoredResult(path, f"study {name}", f"{name}, {path.name}", settings, figures | found, None, None, tuple(notes))


def _answer(path: Path, data: dict[str, Any]) -> StoredResult:
    figures: dict[str, KnownFigure] = {}
    for name in ("float", "ideal", "mean"):
        # Chips of one seed are the same ones only on the same hardware: which chip got what is not compared item by item.
        chips = data.get("ci95") if name == "mean" else None
        figures[f"{data['metric']}, {name}"] = joined_figure(float(data[name]), data["test_set_ci95"][name], chips)
    figures["chip to chip deviation"] = KnownFigure(float(data["chip_deviation"] or 0.0))
    for name, one in data.get("classes", {}).items():
        for figure in ("balanced_accuracy", "macro_f1"):
            figures[f"{figure}, {name}"] = KnownFigure(float(one[figure]))
    if data.get("saturation"):
        figures["share of inputs clipped"] = KnownFigure(float(data["saturation"]["share"]))
    taken = ("task", "metric", "bits", "seed", "data_sha256")
    settings = {n: data[n] for n in taken if n in data} | {"chips": len(data["chips"])}
    return StoredResult(path, "evaluation", f"{data['task']}, {path.name}", settings, figures)


def _summary_figures(summary: Mapping[str, Any]) -> dict[str, KnownFigure]:
    """Numbers of a summary; ``x.low`` and ``x.high`` are the interval of ``x.value``; what a clock says is none of them."""
    numbers = {n: float(v) for n, v in flat(summary).items() if _is_number(v) and "second" not in n}
    out = {}
    for name, value in numbers.items():
        place, _, last = name.rpartition(".")
        if last in ("low", "high") or last.endswith(("_low", "_high")):
            continue
        low, high = (numbers.get(f"{place}.{end}") if last == "value" else None for end in ("low", "high"))
        out[name] = KnownFigure(value, low, high)
    return out


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and np.isfinite(value)
