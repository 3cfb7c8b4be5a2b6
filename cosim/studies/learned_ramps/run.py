"""Study of learned ramps: uniform, fitted and learned ones, by training, on ideal converters and on chips."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from characterization.plan import RampPlan
from characterization.resume import Parts
from cosim.chip import Arrays, CircuitRamp, Hardware
from cosim.evaluation import accuracy_interval, evaluate
from cosim.network import Network
from cosim.report import Results, Study, Takes, Work
from cosim.tasks import Task, load_task
from cosim.training import HardwareAware, TrainingSettings, fit_ramps, train_task
from netlists.function import FITS
from netlists.technology import load_profile

from .pictures import draw_accuracy, draw_staircases
from .settings import LearnedRampsSettings
from .tables import gain_rows, headline_bits, saved_rows

FLOAT, PLAIN, TUNED, AWARE = "float", "none", "on ideal ramps", "hardware-aware"
UNIFORM, LEARNED = "uniform", "learned"
IDEAL = "ideal"
COURSES = (
    *((PLAIN, ramps) for ramps in (UNIFORM, *FITS)),
    *((TUNED, ramps) for ramps in (UNIFORM, "lloyd-max", LEARNED)),
    *((AWARE, ramps) for ramps in (UNIFORM, LEARNED)),
)
"""Training on ramps, and what ramps: thresholds of all but learned ones stay as they are."""


def compute(settings: LearnedRampsSettings, work: Work) -> Results:
    """Trains in floating point, then on ramps of each kind, and evaluates each network on ideal ramps and on chips."""
    s, parts = settings, work.parts()
    rows: list[dict[str, Any]] = []
    answers: dict[tuple[Any, ...], np.ndarray] = {}
    stairs: list[dict[str, Any]] = []
    for name in s.tasks:
        task = load_task(name)
        network = _trained(parts, f"network-{name}", partial(_float, task, s))
        key = (name, FLOAT, FLOAT, 0, FLOAT)
        answers[key] = parts.array(f"answers-{name}", partial(_answers, network, task, Hardware(), s))
        for bits in work.options.bar(s.bits, "resolutions", name):
            for training, ramps in COURSES:
                what = f"{name}-{training}-{ramps}-{bits}".replace(" ", "-")
                own = _trained(parts, f"network-{what}", partial(_on_ramps, network, task, training, ramps, bits, s))
                stairs += _stairs(own, name, training, ramps, bits)
                for condition, hardware in _conditions(bits, s):
                    compute_answers = partial(_answers, own, task, hardware, s)
                    found = parts.array(f"answers-{what}-{condition}".replace(" ", "-").replace(",", ""), compute_answers)
                    answers[name, training, ramps, bits, condition] = found
    for (name, training, ramps, bits, condition), correct in answers.items():
        i = accuracy_interval(round(float(correct.mean(axis=0).sum())), correct.shape[1])
        row = {"task": name, "training": training, "ramps": ramps, "bits": bits, "on": condition, "chips": len(correct)}
        deviation = float(correct.mean(axis=1).std(ddof=1)) if len(correct) > 1 else float("nan")
        rows.append(row | {"accuracy": float(correct.mean()), "low": i.low, "high": i.high, "chip_deviation": deviation})
    table = pd.DataFrame(rows)
    gains, saved = pd.DataFrame(gain_rows(answers, s)), pd.DataFrame(saved_rows(answers, s))
    shown = pd.DataFrame(stairs)
    ideal = gains[(gains["on"] == IDEAL) & (gains["training"] == TUNED) & (gains["bits"] == headline_bits(s.bits)[0])]
    return Results(
        summary=_counts(ideal[ideal["ramps"] == LEARNED], "") | _counts(ideal[ideal["ramps"] == UNIFORM], "uniform_"),
        tables={"results.csv": table, "gains.csv": gains, "saved.csv": saved, "ramps.csv": shown},
        pictures={"accuracy": partial(draw_accuracy, table), "staircases": partial(draw_staircases, shown)},
        float_format="%.6g",
    )


def _counts(gains: pd.DataFrame, prefix: str) -> dict[str, int]:
    """On how many tasks fewer bits reach more bits, and where they are not shown to be worse."""
    found = {"reached": int((gains["value"] >= 0).sum()), "no_worse": int((gains["high"] >= 0).sum()), "of": len(gains)}
    return {f"{prefix}{name}": count for name, count in found.items()}


def _trained(parts: Parts, name: str, compute: Any) -> Network:
    path = parts.file(f"{name}.npz".replace(" ", "-"))
    if not path.exists():
        compute().save(path)
    return Network.load(path)


def _float(task: Task, s: LearnedRampsSettings) -> Network:
    return train_task(task, seed=s.seed, settings=TrainingSettings(n_hidden=s.n_hidden, epochs=s.epochs))


def _on_ramps(network: Network, task: Task, training: str, ramps: str, bits: int, s: LearnedRampsSettings) -> Network:
    """The network with its ramps, trained with them unless the training is none; learned ones start from uniform ones."""
    start = fit_ramps(network, task, bits, fit=UNIFORM if ramps == LEARNED else ramps)
    if training == PLAIN:
        return start
    noise, weights = (s.threshold_noise, s.weight_noise) if training == AWARE else (0.0, 0.0)
    aware = HardwareAware(Hardware(bits=bits, threshold_noise=noise), weights, learn_ramps=ramps == LEARNED)
    how = TrainingSettings(n_hidden=s.n_hidden, epochs=s.tuning_epochs, learning_rate=s.tuning_rate)
    return train_task(task, seed=s.seed, settings=how, start=start, hardware_aware=aware)


def _conditions(bits: int, s: LearnedRampsSettings) -> list[tuple[str, Hardware]]:
    """Ideal ramps, and chips: ramps with the offsets and noise of their circuit, ramps and weights with programming error."""
    out = [(IDEAL, Hardware(bits=bits))]
    profile = load_profile(s.profile)
    for error in s.errors:
        # Laws of measured errors are in units of the deviation.
        window = error * profile.program_window
        device = replace(profile, program_sigma=error * profile.program_sigma, program_window=window)
        ramps = {a: CircuitRamp(RampPlan(a, bits, profile=device)) for a in ("sigmoid", "tanh")}
        out.append((f"chips, error x {error:g}", Hardware(ramps=ramps, arrays=Arrays(device))))
    return out


def _answers(network: Network, task: Task, hardware: Hardware, s: LearnedRampsSettings) -> np.ndarray:
    """Which test sequences are right, (chips, sequences), as 0 and 1."""
    chips = s.chips if hardware.random else 1
    return evaluate(network, task.test, hardware, chips, s.seed, dtype=np.float64).correct.astype(np.uint8)


def _stairs(network: Network, task: str, training: str, ramps: str, bits: int) -> list[dict[str, Any]]:
    return [
        {"task": task, "training": training, "ramps": ramps, "bits": bits, "gate": name.rsplit(".", 1)[1], "code": k}
        | {"threshold": r.thresholds[k - 1] if k else float("nan"), "value": v}
        for name, r in network.ramps.items()
        for k, v in enumerate(r.values)
    ]


def describe(summary: dict[str, Any]) -> str:
    """Writes the main figures, for reading."""
    low, high = headline_bits(summary["settings"]["bits"])
    return (
        f"learned at {low} bits against uniform at {high}, both trained on their ramps: as accurate or better on "
        f"{summary['reached']} of {summary['of']} tasks, not shown to be worse on {summary['no_worse']}; "
        f"uniform at {low} bits itself on "
        f"{summary['uniform_reached']} and {summary['uniform_no_worse']}"
    )


def _work(s: LearnedRampsSettings) -> float:
    return len(s.tasks) * _weights(s) * (s.epochs + 4 * len(s.bits) * (s.tuning_epochs + s.chips))


def _weights(s: LearnedRampsSettings) -> float:
    return 4.0 * s.n_hidden * (s.n_hidden + 13)


STUDY = Study("learned-ramps", LearnedRampsSettings, compute, describe, Takes(280.0, _work, lambda s: 48.0 * _weights(s)))
