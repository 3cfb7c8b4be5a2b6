"""The networks of a study of resolution: trained plainly and on drawn chips, each a part that a stopped study goes on from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import joblib

from characterization.processes import in_workers
from characterization.progress_bar import progress_bar
from characterization.resume import Parts
from cosim.network import Network
from cosim.report import RunOptions
from cosim.tasks import CharacterTask, Task
from cosim.training import HardwareAware, TrainingSettings, train_task

from .conditions import training_hardware
from .models import Models
from .settings import BitsSettings

PLAIN, AWARE = "plain", "hardware-aware"
TRAININGS = (PLAIN, AWARE)


@dataclass(frozen=True)
class BitsCourse:
    """A training of a network.

    Attributes
    ----------
    task, training : str
    seed : int
    bits : int or None
        Resolution of the chips it is trained on; None: floating point.
    """

    task: str
    training: str
    seed: int
    bits: int | None = None

    @property
    def name(self) -> str:
        bits = "" if self.bits is None else f"-{self.bits}-bits"
        return f"{self.task}-{self.training}{bits}-seed-{self.seed}"


Item = tuple[BitsCourse, Task | CharacterTask, TrainingSettings]
"""A training, its data and its settings."""


def courses(settings: BitsSettings, task: str) -> list[BitsCourse]:
    """Lists all trainings of a task; those on chips take longest and come first."""
    resolutions = settings.bits if settings.aware_bits == "each" else (settings.aware_bits,)
    aware = [BitsCourse(task, AWARE, seed, bits) for seed in settings.seeds for bits in resolutions]
    return aware + [BitsCourse(task, PLAIN, seed) for seed in settings.seeds]


def course_for(settings: BitsSettings, task: str, training: str, seed: int, bits: int) -> BitsCourse:
    """Finds the training whose network is evaluated at a resolution."""
    if training == PLAIN:
        return BitsCourse(task, training, seed)
    return BitsCourse(task, training, seed, bits if settings.aware_bits == "each" else settings.aware_bits)


def trained(
    settings: BitsSettings,
    work: Sequence[Item],
    models: Models,
    parts: Parts,
    options: RunOptions,
    *,
    side_by_side: bool,
) -> dict[BitsCourse, Network]:
    """Trains the networks that are not there yet, and returns all.

    Parameters
    ----------
    side_by_side : bool
        Several trainings at a time, each on one core, or one after another on all cores, which suits large networks.
    """
    kinds = [TRAININGS] if settings.aware_start == "anew" else [(PLAIN,), (AWARE,)]
    for kind in kinds:
        todo = [item for item in work if item[0].training in kind and not _path(parts, item[0]).exists()]
        _train_all(settings, todo, models, parts, options, side_by_side=side_by_side)
    return {course: Network.load(_path(parts, course)) for course, *_ in work}


def _train_all(
    settings: BitsSettings, todo: Sequence[Item], models: Models, parts: Parts, options: RunOptions, *, side_by_side: bool
) -> None:
    workers = min(options.jobs, len(todo)) if side_by_side else 1
    calls = [
        joblib.delayed(_train)(
            _path(parts, course),
            task,
            course.seed,
            training,
            None if course.bits is None else training_hardware(settings, models, course.bits),
            None
            if course.bits is None or settings.aware_start == "anew"
            else _path(parts, replace(course, training=PLAIN, bits=None)),
            1 if workers > 1 else options.jobs,
            options.progress and workers == 1,
        )
        for course, task, training in todo
    ]
    if calls:
        options.say(f"training {len(calls)} networks: {', '.join(course.name for course, *_ in todo)}")
        for _ in progress_bar(in_workers(calls, workers), "training", len(calls), "networks", show=options.progress):
            pass


def _path(parts: Parts, course: BitsCourse) -> Path:
    return parts.file(f"network-{course.name}.npz")


def _train(
    path: Path,
    task: Task | CharacterTask,
    seed: int,
    settings: TrainingSettings,
    aware: HardwareAware | None,
    start: Path | None,
    threads: int,
    progress: bool,
) -> None:
    checkpoint = path.with_suffix(".checkpoint.npz")
    network = train_task(
        task,
        seed=seed,
        settings=settings,
        hardware_aware=aware,
        start=None if start is None else Network.load(start),
        checkpoint=checkpoint,
        resume=checkpoint.exists(),
        threads=threads,
        progress=progress,
    )
    network.save(path)
    checkpoint.unlink(missing_ok=True)
