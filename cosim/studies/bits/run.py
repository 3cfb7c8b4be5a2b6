"""A study of resolution from its settings to its results: models of ramps, networks, answers, tables, pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

import pandas as pd

from cosim.report import Results, Work
from cosim.tasks import TASKS, CharacterTask, Task, get_task, is_here
from cosim.training import TrainingSettings
from netlists.errors import InputError

from .conditions import cells, conditions, float_conditions
from .models import ramp_models
from .networks import TRAININGS, courses, trained
from .pictures import draw
from .settings import BitsSettings
from .tables import Judge, collect, gain_rows, model_rows, network_rows, result_rows

Data = TypeVar("Data", Task, CharacterTask)


@dataclass(frozen=True)
class Kind(Generic[Data]):
    """What a classifier and a language model have each in its own way.

    Attributes
    ----------
    unit : str
        Of the values in pictures, after multiplying by ``factor``.
    factor : float
    titles : mapping
        Of the tasks' pictures.
    training : callable
        From a task's name and a kind of training to its settings.
    learned : callable
        From a task and a kind of training to the task whose training data is learned.
    judge : callable
        From a task to how answers to it are judged.
    size : callable
        From a task to what the summary says of its size.
    side_by_side : bool
        As for `networks.trained`.
    """

    unit: str
    factor: float
    titles: Mapping[str, str]
    training: Callable[[str, str], TrainingSettings]
    learned: Callable[[Data, str], Data]
    judge: Callable[[Data], Judge]
    size: Callable[[Data], dict[str, int]]
    side_by_side: bool


def run_bits(kind: Kind[Data], data: Mapping[str, Data], absent: Mapping[str, str], settings: BitsSettings, work: Work) -> Results:
    """Trains and evaluates; writes models and networks besides.

    Parameters
    ----------
    data : mapping
        The tasks by name.
    absent : mapping
        Tasks whose data is not here, and why.
    """
    options = work.options
    for line in absent.values():
        options.say(line)
    # A device profile that is not there and settings that cannot be trained with are refused before anything is simulated.
    float_conditions(settings)
    trainings = {(name, training): kind.training(name, training) for name in data for training in TRAININGS}
    parts = work.parts(data={name: str(task.provenance) for name, task in data.items()})
    models = ramp_models(settings, parts, options)
    todo = [
        (course, kind.learned(data[name], course.training), trainings[name, course.training])
        for name in data
        for course in courses(settings, name)
    ]
    networks = trained(settings, todo, models, parts, options, side_by_side=kind.side_by_side)
    results, gains = [], []
    for name, task in data.items():
        judge = kind.judge(task)
        answers = collect(settings, name, networks, models, judge, parts, options)
        results += result_rows(name, answers, judge)
        gains += gain_rows(name, answers, judge)
    for (activation, bits), model in models.items():
        model.save(work.out / "models" / f"{activation}{bits}.json")
    for course, network in networks.items():
        network.save(work.out / "networks" / f"{course.name}.npz")
    hardware = [h for bits in settings.bits for h in conditions(settings, models, bits).values()]
    tables = {"results": results, "gains": gains, "models": model_rows(models), "networks": network_rows(networks, cells(settings))}
    table = pd.DataFrame(results)
    return Results(
        summary={
            "seed": settings.seed,
            "tasks": {name: str(task.provenance) for name, task in data.items()},
            "sizes": {name: kind.size(task) for name, task in data.items()},
            "absent": dict(absent),
            **tables,
        },
        tables={f"{title}.csv": pd.DataFrame(rows) for title, rows in tables.items()},
        pictures={
            name: partial(draw, table[table["task"] == name], kind.titles.get(name, name), kind.unit, kind.factor) for name in data
        },
        warnings=[line for h in hardware for line in h.warnings],
    )


def where_present(name: str, folder: str, setting: str, kind: type[Data]) -> tuple[Data | None, str]:
    """Loads a task that needs data of the user's own, from the folder or from the cache; without it None, and why.

    Raises
    ------
    InputError, ToolkitError
        A folder was named and does not hold the data.
    """
    if not folder and not is_here(name):
        return None, f"task {name!r}: not here, not run; it needs {TASKS[name].fetching}, or the setting {setting}"
    data = get_task(name, Path(folder).expanduser() if folder else None)
    assert isinstance(data, kind)
    return data, ""


def check_tasks(names: tuple[str, ...], kind: str) -> None:
    """Raises `InputError` unless the tasks are of the kind, each named once."""
    if len(set(names)) != len(names):
        raise InputError(f"tasks={list(names)}: must name each task once")
    for name in names:
        if name not in TASKS or TASKS[name].kind != kind:
            known = ", ".join(n for n, t in TASKS.items() if t.kind == kind)
            raise InputError(f"tasks={list(names)}: {name!r} is no task of this study; it takes {known}")
