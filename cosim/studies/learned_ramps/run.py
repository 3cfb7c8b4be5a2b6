"""Study of learned ramps: uniform, fitted and learned ones, by training, on ideal converters and on chips."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from characterization.plan import RampPlan
from characterization.resume import Parts
from cosim.chip import Arrays, CircuitRamp, Hardware
from cosim.network import Network
from cosim.report import Results, Study, Takes, Work
from cosim.tasks import TASKS
from cosim.training import HardwareAware, fit_ramps
from netlists.function import FITS
from netlists.technology import load_profile

from .gates import gate_rows, spice_warnings
from .pictures import draw_accuracy, draw_staircases
from .settings import LearnedRampsSettings
from .subjects import PUBLISHED, Subject
from .tables import (
    AWARE,
    FITTED,
    FLOAT,
    IDEAL,
    LEARNED,
    PLAIN,
    REFINED,
    STARTS,
    TUNED,
    UNIFORM,
    gain_rows,
    headline_bits,
    order_warnings,
    result_rows,
    saved_rows,
)

COURSES = (
    *((PLAIN, ramps) for ramps in (UNIFORM, *FITS)),
    *((TUNED, ramps) for ramps in (UNIFORM, FITTED, LEARNED, REFINED)),
    *((AWARE, ramps) for ramps in (UNIFORM, LEARNED)),
)
"""Training on ramps, and what ramps: thresholds of all but learned ones stay as they are."""
SPOKEN_WEIGHTS, SPOKEN_STEPS = 8.5e4, 1.6e5
"""Of the published network on its rows, and of the clips that train it further."""


def compute(settings: LearnedRampsSettings, work: Work) -> Results:
    """Trains in floating point, then on ramps of each kind, and evaluates each network on ideal ramps and on chips."""
    s = settings
    subjects = {name: Subject.of(name, s) for name in s.tasks}
    parts = work.parts(data={name: subject.task.sha256 for name, subject in subjects.items()})
    threads = 1 if work.options.jobs > 1 else None
    about = [{"metric": one.task.metric, **one.sizes} for one in subjects.values()]
    exact = {f"about-{name}": partial(_exact_rows, parts, name, one, s, threads) for name, one in subjects.items()}
    networks = [{"task": n} | a | row for n, a, (row,) in zip(subjects, about, work.rows(exact, "networks", "float"), strict=True)]
    courses = [(name, *course, bits) for name in subjects for bits in s.bits for course in COURSES]
    calls = {f"gates-{_named(*c)}": partial(_gate_rows, parts, subjects[c[0]], s, threads, *c) for c in courses}
    gates: list[dict[str, Any]] = []
    for course, each in zip(courses, work.rows(calls, "networks", "on ramps"), strict=True):
        gates += [dict(zip(("task", "training", "ramps", "bits"), course, strict=True)) | row for row in each]
    answers: dict[tuple[str, str, str, int, str], np.ndarray] = {}
    for name, one in subjects.items():
        answers[name, FLOAT, FLOAT, 0, FLOAT] = _exact_answers(parts, name, one, s, threads)
        for _, training, ramps, bits in (c for c in courses if c[0] == name):
            for condition, found in _course_answers(parts, one, s, threads, name, training, ramps, bits).items():
                answers[name, training, ramps, bits, condition] = found
    scores = {name: one.score for name, one in subjects.items()}
    table = pd.DataFrame(result_rows(answers, scores))
    gains, saved = pd.DataFrame(gain_rows(answers, scores, s)), pd.DataFrame(saved_rows(answers, scores, s))
    shown = pd.DataFrame([row for gate in gates for row in _stairs(gate)])
    low, high = headline_bits(s.bits)
    ideal = gains[(gains["on"] == IDEAL) & (gains["training"] == TUNED) & (gains["bits"] == low) & (gains["uniform_bits"] == high)]
    measured = [gate for gate in gates if gate["ramps"] in STARTS]
    uses = pd.DataFrame(gates).drop(columns=["thresholds", "values"]).astype({"spice_lsb": float})
    return Results(
        summary=_counts(ideal[ideal["ramps"] == LEARNED], "")
        | _counts(ideal[ideal["ramps"] == UNIFORM], "uniform_")
        | {"spice_lsb": float(uses["spice_lsb"].max()), "spice_ramps": len(measured)},
        tables={
            "results.csv": table,
            "gains.csv": gains,
            "saved.csv": saved,
            "ramps.csv": shown,
            "gates.csv": uses,
            "networks.csv": pd.DataFrame(networks),
        },
        pictures={"accuracy": partial(draw_accuracy, table), "staircases": partial(draw_staircases, shown)},
        float_format="%.6g",
        warnings=[*spice_warnings(measured), *order_warnings(answers, scores, s)],
    )


def _counts(gains: pd.DataFrame, prefix: str) -> dict[str, int]:
    """On how many tasks fewer bits reach more bits, and where they are not shown to be worse."""
    found = {"reached": int((gains["value"] >= 0).sum()), "no_worse": int((gains["high"] >= 0).sum()), "of": len(gains)}
    return {f"{prefix}{name}": count for name, count in found.items()}


def _named(name: str, training: str, ramps: str, bits: int) -> str:
    return f"{_plain(name)}-{training}-{ramps}-{bits}".replace(" ", "-")


def _plain(name: str) -> str:
    """A name as a part's: tasks of one's own are paths."""
    return re.sub(r"[^A-Za-z0-9._=+-]", "-", name).lstrip("-.")


def _network(parts: Parts, name: str, compute: Callable[[], Network]) -> Network:
    path = parts.file(f"network-{name}.npz")
    if not path.exists():
        compute().save(path)
    return Network.load(path)


def _exact(parts: Parts, name: str, one: Subject, s: LearnedRampsSettings) -> Network:
    return _network(parts, _plain(name), partial(one.trained, s.seed))


def _exact_answers(parts: Parts, name: str, one: Subject, s: LearnedRampsSettings, threads: int | None) -> np.ndarray:
    network = _exact(parts, name, one, s)
    return parts.array(f"answers-{_plain(name)}", partial(_answers, network, one, Hardware(), s, threads))


def _exact_rows(parts: Parts, name: str, one: Subject, s: LearnedRampsSettings, threads: int | None) -> list[dict[str, Any]]:
    """What the network in floating point is; its answers are stored besides."""
    _exact_answers(parts, name, one, s, threads)
    network = _exact(parts, name, one, s)
    about = network.metadata
    row = {"units": network.layers[0].n_out, "rows": network.n_in + network.layers[0].n_out + 1, "weights": network.n_weights}
    return [row | {"epochs": len(about.epochs), "best_epoch": about.best_epoch}]


def _own(parts: Parts, one: Subject, s: LearnedRampsSettings, name: str, training: str, ramps: str, bits: int) -> Network:
    """The network with its ramps, trained with them unless the training is none; learned ones start from uniform or fitted ones."""

    def compute() -> Network:
        start = fit_ramps(_exact(parts, name, one, s), one.task, bits, fit=STARTS.get(ramps, ramps))
        if training == PLAIN:
            return start
        noise, weights = (s.threshold_noise, s.weight_noise) if training == AWARE else (0.0, 0.0)
        aware = HardwareAware(Hardware(bits=bits, threshold_noise=noise), weights, learn_ramps=ramps in STARTS)
        return one.tuned(s.seed, start, aware)

    return _network(parts, _named(name, training, ramps, bits), compute)


def _course_answers(
    parts: Parts, one: Subject, s: LearnedRampsSettings, threads: int | None, name: str, training: str, ramps: str, bits: int
) -> dict[str, np.ndarray]:
    """Answers on each hardware."""
    own, what = _own(parts, one, s, name, training, ramps, bits), _named(name, training, ramps, bits)
    return {
        condition: parts.array(
            f"answers-{what}-{condition}".replace(" ", "-").replace(",", ""), partial(_answers, own, one, hardware, s, threads)
        )
        for condition, hardware in _conditions(bits, s)
    }


def _gate_rows(
    parts: Parts, one: Subject, s: LearnedRampsSettings, threads: int | None, name: str, training: str, ramps: str, bits: int
) -> list[dict[str, Any]]:
    """The ramps of a course's network; its answers are stored besides."""
    _course_answers(parts, one, s, threads, name, training, ramps, bits)
    own = _own(parts, one, s, name, training, ramps, bits)
    return gate_rows(own, one.task, load_profile(s.profile) if ramps in STARTS else None)


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


def _answers(network: Network, one: Subject, hardware: Hardware, s: LearnedRampsSettings, threads: int | None) -> np.ndarray:
    """Whether test sequences are right, or bits of surprise of a text's characters: (chips, items)."""
    chips = s.chips if hardware.random else 1
    return one.score.judge(network, hardware, chips, s.seed, kept=False, threads=threads)


def _stairs(gate: dict[str, Any]) -> list[dict[str, Any]]:
    own = {name: gate[name] for name in ("task", "training", "ramps", "bits", "gate")}
    levels = zip([float("nan"), *gate["thresholds"]], gate["values"], strict=True)
    return [own | {"code": k, "threshold": x, "value": v} for k, (x, v) in enumerate(levels)]


def describe(summary: dict[str, Any]) -> str:
    """Writes the main figures, for reading."""
    low, high = headline_bits(summary["settings"]["bits"])
    return (
        f"learned at {low} bits against uniform at {high}, both trained on their ramps: as good or better on "
        f"{summary['reached']} of {summary['of']} tasks, not shown to be worse on {summary['no_worse']}; "
        f"uniform at {low} bits itself on "
        f"{summary['uniform_reached']} and {summary['uniform_no_worse']}"
    )


def _work(s: LearnedRampsSettings) -> float:
    """Seconds on two cores: small tasks by what they took, a text and speech by weights and steps in training and on chips."""
    texts = sum(name in TASKS and TASKS[name].kind == "characters" for name in s.tasks)
    spoken = PUBLISHED in s.tasks
    small = (len(s.tasks) - texts - spoken) * _weights(s.n_hidden) * (s.epochs + 4 * len(s.bits) * (s.tuning_epochs + s.chips))
    courses, judged = len(COURSES) * len(s.bits), 1 + len(s.errors) * s.chips
    read, heard = s.train_characters or 10**7, s.test_characters or 10**6
    text = _weights(s.text_hidden) * (read * (s.text_epochs + 2 * courses * s.text_tuning_epochs) + heard * courses * judged)
    steps = SPOKEN_STEPS * (s.speech_epochs * (1 + 2 * courses) + courses * judged / 2)
    return 1.4e-4 * small + 3.5e-11 * (texts * text + spoken * SPOKEN_WEIGHTS * steps)


def _weights(n_hidden: int) -> float:
    return 4.0 * n_hidden * (n_hidden + 13)


STUDY = Study(
    "learned-ramps",
    LearnedRampsSettings,
    compute,
    describe,
    Takes(100.0, _work, lambda s: 48.0 * _weights(s.n_hidden + s.text_hidden)),
)
