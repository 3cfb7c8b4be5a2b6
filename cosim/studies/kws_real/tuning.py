"""Fine-tuning on two thirds of the speakers, in floating point and on drawn chips, judged on the other third."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd

from characterization.resume import Parts
from characterization.streams import network_chips_stream
from cosim.chip import Hardware
from cosim.evaluation import accuracy_change, accuracy_interval, evaluate
from cosim.network import Network
from cosim.report import RunOptions
from cosim.tasks import Task
from cosim.tasks.speech import clip_speakers
from cosim.training import HardwareAware, TrainingSettings, train_task
from netlists.errors import InputError
from netlists.technology import load_profile

from .conditions import ALONE, EVERYTHING, FLOAT, part_hardware
from .placement import Placement, place_rows
from .settings import KwsRealSettings
from .speech import load_published, load_speech

PUBLISHED, IN_FLOAT, ON_CHIPS = "as published", "fine-tuned in float", "fine-tuned on whole chips"
JUDGED = 1 / 3
SILENCE = 0
"""Number of the class of silence."""


def judged_clips(speakers: list[str]) -> np.ndarray:
    """Which clips judge, bool: a third of them, those of the speakers that come first by a hash of their names."""
    count, judging, taken = Counter(speakers), set(), 0
    for speaker in sorted(count, key=lambda s: sha256(s.encode()).digest()):
        if taken >= JUDGED * len(speakers):
            break
        judging.add(speaker)
        taken += count[speaker]
    return np.array([s in judging for s in speakers])


def tuning_rows(name: str, placed: Placement, settings: KwsRealSettings, options: RunOptions, parts: Parts) -> pd.DataFrame:
    """Accuracy of each training, in floating point and on the same chips, on the clips of the speakers that judge."""
    judges = judged_clips(clip_speakers(Path(settings.data).expanduser()))
    hardware = part_hardware(
        next(p for p in ALONE if p.name == EVERYTHING), placed, load_profile(settings.profile), settings.alone_bits
    )
    found: dict[tuple[str, str], np.ndarray] = {}
    for training in options.bar((PUBLISHED, IN_FLOAT, ON_CHIPS), "trainings", "fine-tuning"):
        own = partial(_answers, training, placed, judges, hardware, settings, options)
        answers = parts.array(f"{Path(name).stem}-{training.replace(' ', '-')}", own)
        found |= {(training, FLOAT): answers[:1], (training, EVERYTHING): answers[1:]}
    heard = placed.data.labels[judges] != SILENCE
    rows = []
    for (training, on), correct in found.items():
        i = accuracy_interval(round(float(correct.sum(axis=1).mean())), correct.shape[1])
        before = found[PUBLISHED, on]
        change = accuracy_change(correct, before).columns()
        rows.append(
            {"network": name, "training": training, "on": on, "bits": settings.alone_bits, "chips": len(correct)}
            | {"train_clips": int((~judges).sum()), "clips": int(judges.sum()), "accuracy": float(correct.mean())}
            | {"low": i.low, "high": i.high, "without_silence": float(correct[:, heard].mean())}
            | {"change": change["change"], "change_low": change["low"], "change_high": change["high"]}
        )
    return pd.DataFrame(rows)


def speaker_task(placed: Placement, judges: np.ndarray, classes: Sequence[str]) -> Task:
    """Clips of two thirds of the speakers train, those of the others test."""
    clips = [placed.data.select(np.flatnonzero(chosen)) for chosen in (judges, ~judges)]
    arrays = [a for one in clips for a in (one.inputs, one.labels)]
    return Task.from_arrays("kws-real", *arrays, classes=classes)


def tuned_network(settings: KwsRealSettings) -> tuple[Task, Network]:
    """The task of the fine-tuning, and the network that it starts from, on its rows: the first of ``chip_files``.

    Raises
    ------
    InputError
        As `load_speech` and `load_published`; data without speakers.
    """
    name = settings.chip_files[0]
    network = load_published(settings.networks, (name,))[name]
    if not Path(settings.data).expanduser().is_dir():
        raise InputError(
            f"data={settings.data!r}: the clips are parted by speaker, whom the names of the recordings tell; give their folder"
        )
    task = load_speech(settings.data)
    placed = place_rows(network, task.test, deviations=settings.deviations, largest=settings.largest)
    judges = judged_clips(clip_speakers(Path(settings.data).expanduser()))
    return speaker_task(placed, judges, task.classes), placed.network


def _answers(
    training: str, placed: Placement, judges: np.ndarray, hardware: Hardware, settings: KwsRealSettings, options: RunOptions
) -> np.ndarray:
    """Whether each clip that judges is answered correctly, bool (1 + chips, clips): in floating point, then on each chip."""
    network, test = placed.network, placed.data.select(np.flatnonzero(judges))
    if training != PUBLISHED:
        network = _trained(placed, judges, hardware if training == ON_CHIPS else None, settings)
    exact = evaluate(network, test, dtype=np.float64, threads=options.jobs).correct
    rng = network_chips_stream(settings.seed, network.layers[0].cell.n_hidden)
    return np.concatenate([exact, evaluate(network, test, hardware, settings.chips, rng, threads=options.jobs).correct])


def _trained(placed: Placement, judges: np.ndarray, hardware: Hardware | None, settings: KwsRealSettings) -> Network:
    task = speaker_task(placed, judges, [str(k) for k in range(placed.network.n_classes)])
    how = TrainingSettings(
        epochs=settings.tuning_epochs,
        batch=settings.tuning_batch,
        learning_rate=settings.tuning_rate,
        # The last epoch is kept: nothing is chosen by clips that judge, nor by fewer that train.
        validation_fraction=0.0,
    )
    aware = None if hardware is None else HardwareAware(hardware)
    return train_task(task, seed=settings.seed, settings=how, hardware_aware=aware, start=placed.network)
