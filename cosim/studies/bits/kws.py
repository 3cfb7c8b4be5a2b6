"""Study of resolution, keyword spotting: accuracy at several bits, on ideal ramps, noisy weights and fitted chips, by training.

The counterpart of Yang et al. 2025, Fig. 4d. An LSTM with 32 units is trained plainly and on drawn chips; each network is
evaluated on every condition, on the same test sequences.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from cosim.chip import Hardware
from cosim.evaluation import accuracy_change, accuracy_interval, evaluate
from cosim.network import Network
from cosim.report import Page, RunOptions, Study, percent
from cosim.studies.error_sources import COMMON, OTHER_TRAININGS, TRAININGS
from cosim.tasks import Task, load_task
from cosim.training import TrainingSettings

from .answers import Judge
from .data import check_tasks, where_present
from .networks import PLAIN
from .page import Reader, bits_page, describe
from .run import Kind, run_bits
from .settings import BitsSettings

TITLES = {
    "voices": "voices (real recordings: who speaks which language)",
    "keywords-synthetic": "keywords-synthetic (SYNTHETIC speech)",
    "keywords": "keywords (Google Speech Commands, real recordings)",
}
ON_OTHER_DATA = (
    "Not the same data: Google Speech Commands there; other recordings and classes, or synthetic speech, here. An accuracy on one "
    "set of data says nothing about one on another."
)
ON_THE_SAME = "The same data set, 12 classes; features, training and the choice of unknown words are ours, the chips are simulated."


class Settings(BitsSettings):
    """What is trained, and on what it is evaluated."""

    tasks: tuple[str, ...] = Field(("voices", "keywords-synthetic"), min_length=1, description="tasks of labelled sequences")
    keywords_folder: str = Field(
        "", description="folder of Google Speech Commands; empty: task keywords is run if it is in the cache"
    )
    epochs: int = Field(20, ge=1, description="of each training")
    aware_weight_decay: float = Field(0.1, ge=0, le=1, description="weight decay of hardware-aware training")


def run_kws_bits(settings: Settings, out: Path, run: RunOptions) -> dict[str, Any]:
    """Load the tasks, and `run_bits`."""
    check_tasks(settings.tasks, "sequences")
    data: dict[str, Task] = {name: load_task(name) for name in settings.tasks if name != "keywords"}
    real, absent = where_present("keywords", settings.keywords_folder, "keywords_folder", Task)
    if real is not None:
        data["keywords"] = real
    kind = Kind[Task](
        study="kws-bits",
        unit="accuracy (%)",
        factor=100.0,
        titles=TITLES,
        training=lambda task, training: training_settings(settings, task, training),
        judge=lambda task: accuracy_judge(task, run.jobs),
        size=lambda task: {"training sequences": len(task.train), "test sequences": len(task.test)},
        side_by_side=True,
    )
    return run_bits(kind, data, {} if real is not None else {"keywords": absent}, settings, out, run)


def training_settings(settings: Settings, task: str, training: str) -> TrainingSettings:
    """An LSTM of 32 units; plain training has the weight decay that the study of error sources found best."""
    plain = TRAININGS.get(task, OTHER_TRAININGS)["plain"]
    options = plain if training == PLAIN else {"weight_decay": settings.aware_weight_decay}
    return TrainingSettings(**COMMON | options | {"epochs": settings.epochs})


def accuracy_judge(task: Task, threads: int) -> Judge:
    """Answers of a classifier: which test sequences are right; Wilson's interval; Agresti and Min's for paired changes."""

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


READER = Reader(
    title="Accuracy against bits: keyword spotting",
    question="How many bits does an in-memory ramp need for keyword spotting?",
    unit="accuracy (%)",
    titles=TITLES,
    value=lambda v: f"{100 * v:.1f}",
    headline=lambda v: percent(v, 1),
    beside=lambda v: f"{v:.3f}",
)


def page(folder: Path) -> Page:
    """The page of a folder that `run_kws_bits` wrote."""
    published = {
        "kws-accuracy": "",
        "kws-accuracy-follow-up": " Another circuit, in SRAM.",
        "kws-accuracy-ibm": " Another circuit and another network.",
    }

    def differences(summary: dict[str, Any]) -> dict[str, str]:
        common = ON_THE_SAME if "keywords" in summary["tasks"] else ON_OTHER_DATA
        return {key: common + more for key, more in published.items()}

    return bits_page(folder, READER, "keywords", differences, lambda summary: f"LSTM of {COMMON['n_hidden']} units")


STUDY = Study("kws-bits", Settings, run_kws_bits, describe)
