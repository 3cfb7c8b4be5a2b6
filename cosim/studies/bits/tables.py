"""What each network answers on each condition, as parts of a study, and the tables made of all answers together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from characterization.resume import Parts
from characterization.streams import network_chips_stream
from cosim.chip import Arrays, Hardware, split_biases
from cosim.network import Network
from cosim.report import RunOptions

from .conditions import FLOAT, Conditions, conditions, float_conditions
from .models import Models
from .networks import AWARE, PLAIN, TRAININGS, BitsCourse, course_for
from .settings import BitsSettings

Key = tuple[str, str, int | None]
"""Training, condition, bits; None: exact activations."""


@dataclass(frozen=True)
class Judge:
    """How answers are judged.

    Attributes
    ----------
    answers : callable
        From a network, hardware, number of chips and a generator to an array (chips, items): whether each sequence was
        answered correctly, or the bits of each character.
    interval : callable
        From answers (chips, items) to the interval that the size of the test set leaves to their mean over chips: low and high.
    change : callable
        From answers and those of a reference, of the same shape, to the mean difference on the same items: value, low, high.
    """

    answers: Callable[[Network, Hardware, int, np.random.Generator], np.ndarray]
    interval: Callable[[np.ndarray], tuple[float, float]]
    change: Callable[[np.ndarray, np.ndarray], tuple[float, float, float]]


Answers = dict[Key, list[np.ndarray]]
"""Answers (chips, items) of the network of each seed, in the order of the seeds."""


def collect(
    settings: BitsSettings,
    task: str,
    networks: Mapping[BitsCourse, Network],
    models: Models,
    judge: Judge,
    parts: Parts,
    options: RunOptions,
) -> Answers:
    """Collects all answers of the networks of a task; those that are stored are read.

    Notes
    -----
    Networks of different seeds run on different chips; all conditions, resolutions and trainings of a seed on the same.
    """
    grids: dict[int | None, Conditions] = {None: float_conditions(settings)}
    grids |= {bits: conditions(settings, models, bits) for bits in settings.bits}
    out: Answers = {}
    jobs = [(t, bits, seed) for t in TRAININGS for bits in grids for seed in settings.seeds]
    for training, bits, seed in options.bar(jobs, "resolutions", f"{task}: evaluation"):
        # In floating point the network trained for the highest resolution stands for those trained for each.
        course = course_for(settings, task, training, seed, bits or max(settings.bits))
        for number, (name, hardware) in enumerate(grids[bits].items()):
            chips = settings.chips if hardware.random else 1
            rng = network_chips_stream(settings.seed, seed)
            part = f"answers-{task}-{training}-{seed}-{bits or 'float'}-{number}"
            own = parts.array(part, partial(judge.answers, networks[course], hardware, chips, rng))
            out.setdefault((training, name, bits), []).append(own)
    return out


def result_rows(task: str, answers: Answers, judge: Judge) -> list[dict[str, Any]]:
    """Finds value, intervals and spreads of each training, condition and resolution, and the change to the plain network in float.

    Notes
    -----
    ``low`` and ``high`` are the test set's, for these networks and chips. ``chip_deviation`` is from chip to chip of one
    network, ``seed_low`` and ``seed_high`` are the means over chips of the lowest and the highest network.
    """
    reference = answers[PLAIN, FLOAT, None]
    rows = []
    for (training, condition, bits), each in answers.items():
        stack = np.concatenate(each)
        means = [float(a.mean(dtype=np.float64)) for a in each]
        deviations = [a.mean(axis=1, dtype=np.float64).var(ddof=1) for a in each if len(a) > 1]
        low, high = judge.interval(stack)
        change, change_low, change_high = judge.change(stack, _beside(reference, each))
        rows.append(
            {
                "task": task,
                "training": training,
                "condition": condition,
                "bits": bits,
                "networks": len(each),
                "chips": len(each[0]),
                "value": float(np.mean(means)),
                "low": low,
                "high": high,
                "chip_deviation": float(np.mean(deviations) ** 0.5) if deviations else None,
                "seed_low": min(means),
                "seed_high": max(means),
                "change": change,
                "change_low": change_low,
                "change_high": change_high,
            }
        )
    return rows


def gain_rows(task: str, answers: Answers, judge: Judge) -> list[dict[str, Any]]:
    """Finds what hardware-aware training changes: its network minus the plain one, on the same items, chips and seeds."""
    rows = []
    for (training, condition, bits), plain in answers.items():
        if training == PLAIN:
            value, low, high = judge.change(np.concatenate(answers[AWARE, condition, bits]), np.concatenate(plain))
            rows.append({"task": task, "condition": condition, "bits": bits, "change": value, "low": low, "high": high})
    return rows


def _beside(reference: Sequence[np.ndarray], each: Sequence[np.ndarray]) -> np.ndarray:
    """Repeats the reference of each network for each of its chips."""
    return np.concatenate([np.repeat(r, len(a), axis=0) for r, a in zip(reference, each, strict=True)])


def model_rows(models: Models) -> list[dict[str, Any]]:
    """Lists what was fitted, a row each."""
    rows = []
    for (activation, bits), m in models.items():
        sigma = np.sqrt(np.diag(m.covariance)) / m.lsb
        row: dict[str, Any] = {"activation": activation, "bits": bits, "samples": m.samples, "failed": m.failed}
        row |= {"sigma_lsb": float(sigma.max()), "mean_error_lsb": float(np.abs((m.mean - m.x_ideal) / m.lsb).max())}
        row |= {"offset": m.comparator_offset.value, "offset_stderr": m.comparator_offset.stderr}
        rows.append(row | {"offset_lsb": m.comparator_offset.value / float(m.lsb.min()), "seed": m.provenance["seed"]})
    return rows


def network_rows(networks: Mapping[BitsCourse, Network], arrays: Arrays) -> list[dict[str, Any]]:
    """Lists how each training went, and the rows of the bias in those arrays, the most of any matrix."""
    rows = []
    for course, network in networks.items():
        log = network.metadata
        best = next(e for e in log.epochs if e.epoch == log.best_epoch)
        row: dict[str, Any] = {"task": course.task, "training": course.training, "trained_bits": course.bits, "seed": course.seed}
        row |= {"epochs": len(log.epochs), "best_epoch": log.best_epoch, "validation_loss": best.validation_loss}
        row |= {"validation_accuracy": best.validation_accuracy, "seconds": round(log.seconds or 0.0, 1)}
        rows.append(row | {"bias_rows": max(split_biases(network, Hardware(arrays=arrays)).values(), default=1)})
    return rows
