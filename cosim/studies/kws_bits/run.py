"""Study of resolution, keyword spotting: accuracy at several bits, on ideal ramps, noisy weights and fitted chips, by training.

The counterpart of Yang et al. 2025, Fig. 4d. An LSTM with 32 units is trained plainly and on drawn chips; each network is
evaluated on every condition, on the same test sequences.
"""

from __future__ import annotations

import numpy as np

from cosim.chip import Hardware
from cosim.evaluation import accuracy_change, accuracy_interval, evaluate
from cosim.network import Network
from cosim.report import Results, Study, Takes, Work
from cosim.tasks import Task, load_task
from cosim.training import TrainingSettings

from ..bits import PLAIN, Judge, Kind, check_tasks, describe, run_bits, where_present
from ..error_sources import COMMON, OTHER_TRAININGS, TRAININGS
from .settings import TITLES, KwsSettings


def compute(settings: KwsSettings, work: Work) -> Results:
    """Loads the tasks, and `run_bits`."""
    check_tasks(settings.tasks, "sequences")
    data: dict[str, Task] = {name: load_task(name) for name in settings.tasks if name != "keywords"}
    real, absent = where_present("keywords", settings.keywords_folder, "keywords_folder", Task)
    if real is not None:
        data["keywords"] = real
    kind = Kind[Task](
        unit="accuracy (%)",
        factor=100.0,
        titles=TITLES,
        training=lambda task, training: training_settings(settings, task, training),
        learned=lambda task, training: task,
        judge=lambda task: accuracy_judge(task, work.options.jobs),
        size=lambda task: {"training sequences": len(task.training), "test sequences": len(task.test)},
        side_by_side=True,
    )
    return run_bits(kind, data, {} if real is not None else {"keywords": absent}, settings, work)


def training_settings(settings: KwsSettings, task: str, training: str) -> TrainingSettings:
    """Sets an LSTM of 32 units; plain training has the weight decay that the study of error sources found best."""
    plain = TRAININGS.get(task, OTHER_TRAININGS)["plain"]
    options = plain if training == PLAIN else {"weight_decay": settings.aware_weight_decay}
    chosen = TrainingSettings(**COMMON | options | {"epochs": settings.epochs})
    return chosen if training == PLAIN else settings.of_aware(chosen)


def accuracy_judge(task: Task, threads: int) -> Judge:
    """Judges answers of a classifier: which test sequences are right; Wilson's interval; Agresti and Min's for paired changes."""

    def answers(network: Network, hardware: Hardware, chips: int, rng: np.random.Generator) -> np.ndarray:
        # Double precision: a code that a rounding error moves would be an answer that another machine does not give.
        return evaluate(network, task.test, hardware, chips, rng, dtype=np.float64, threads=threads).correct

    def interval(correct: np.ndarray) -> tuple[float, float]:
        i = accuracy_interval(round(float(correct.sum(axis=1).mean())), correct.shape[1])
        return i.low, i.high

    def change(correct: np.ndarray, reference: np.ndarray) -> tuple[float, float, float]:
        c = accuracy_change(correct, reference)
        return c.value, c.low, c.high

    return Judge(answers, interval, change)


def _work(s: KwsSettings) -> float:
    """Core seconds: trainings, evaluations, chips in ngspice."""
    return len(s.tasks) * len(s.seeds) * (3.0 * s.epochs + 2.0 * s.chips * len(s.bits)) + 0.012 * s.samples * len(s.bits)


STUDY = Study("kws-bits", KwsSettings, compute, describe, Takes(340.0, _work))
