"""A study of resolution from its settings to its folder: models of ramps, networks, answers, tables, pictures, report."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic

import pandas as pd

from characterization.provenance import versions
from characterization.resume import Parts
from cosim.report import RunOptions, write_report
from cosim.training import TrainingSettings
from netlists.files import make_folder, write_atomic, write_json

from .answers import Judge, collect, gain_rows, result_rows
from .conditions import float_conditions
from .data import Data
from .models import model_rows, ramp_models
from .networks import TRAININGS, courses, network_rows, trained
from .pictures import draw
from .settings import BitsSettings


@dataclass(frozen=True)
class Kind(Generic[Data]):
    """What a classifier and a language model have each in its own way.

    Attributes
    ----------
    study : str
    unit : str
        Of the values in pictures, after multiplying by ``factor``.
    factor : float
    titles : mapping
        Of the tasks' pictures.
    training : callable
        From a task's name and a kind of training to its settings.
    judge : callable
        From a task to how answers to it are judged.
    size : callable
        From a task to what the summary says of its size.
    side_by_side : bool
        As for `bits_networks.trained`.
    """

    study: str
    unit: str
    factor: float
    titles: Mapping[str, str]
    training: Callable[[str, str], TrainingSettings]
    judge: Callable[[Data], Judge]
    size: Callable[[Data], dict[str, int]]
    side_by_side: bool


def run_bits(
    kind: Kind[Data], data: Mapping[str, Data], absent: Mapping[str, str], settings: BitsSettings, out: Path, run: RunOptions
) -> dict[str, Any]:
    """Train and evaluate; write ``results.csv``, ``gains.csv``, ``models.csv``, ``networks.csv``, models, networks and pictures.

    Parameters
    ----------
    data : mapping
        The tasks by name.
    absent : mapping
        Tasks whose data is not here, and why.

    Returns
    -------
    dict
        What ``summary.json`` holds.
    """
    start = time.perf_counter()
    for line in absent.values():
        run.say(line)
    # A device profile that is not there and settings that cannot be trained with are refused before anything is simulated.
    float_conditions(settings)
    options = {(name, training): kind.training(name, training) for name in data for training in TRAININGS}
    out = make_folder(Path(out))
    parts = Parts(out, settings.model_dump(mode="json") | {"data": {n: str(t.provenance) for n, t in data.items()}})
    models = ramp_models(settings, parts, run)
    work = [(course, data[name], options[name, course.training]) for name in data for course in courses(settings, name)]
    networks = trained(settings, work, models, parts, run, side_by_side=kind.side_by_side)
    results, gains = [], []
    for name, task in data.items():
        judge = kind.judge(task)
        answers = collect(settings, name, networks, models, judge, parts, run)
        results += result_rows(name, answers, judge)
        gains += gain_rows(name, answers, judge)
    tables = {"results": results, "gains": gains, "models": model_rows(models), "networks": network_rows(networks)}
    for title, rows in tables.items():
        write_atomic(out / f"{title}.csv", partial(pd.DataFrame(rows).to_csv, index=False))
    for (activation, bits), model in models.items():
        model.save(out / "models" / f"{activation}{bits}.json")
    for course, network in networks.items():
        network.save(out / "networks" / f"{course.name}.npz")
    table = pd.DataFrame(results)
    for name in data:
        draw(out / "pictures" / name, table[table["task"] == name], kind.titles.get(name, name), kind.unit, kind.factor)
    summary = {
        "study": kind.study,
        "settings": settings.model_dump(mode="json"),
        "seed": settings.seed,
        "tasks": {name: str(task.provenance) for name, task in data.items()},
        "sizes": {name: kind.size(task) for name, task in data.items()},
        "absent": dict(absent),
        **tables,
        "versions": versions(),
        "wall_seconds": round(time.perf_counter() - start, 1),
    }
    write_json(out / "summary.json", summary)
    write_report(out)
    parts.done()
    return summary
