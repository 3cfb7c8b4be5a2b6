"""A co-simulation: the same sequences through the model alone and with ngspice in the loop, and what to make of both."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from characterization.progress_bar import progress_bar
from characterization.streams import LoopSource, loop_stream
from cosim.chip import describe_split_biases, describe_wire_losses, saturation, split_biases, wire_losses
from cosim.evaluation import accuracy_interval, paired_difference
from cosim.network import Network, padded
from cosim.report import Results, RunOptions, Study, Work
from netlists.errors import InputError
from netlists.machine import weigh

from ..tasks import SequenceSet, Task, is_path
from . import agreement as agree, pictures
from .chip import LoopChip, check_columns, describe_chip, loop_hardware, make_chip
from .datapath import StepConversion, Trajectory, Who, run_loop_network
from .settings import ON_FAILURE, LoopSettings
from .simulators import Answer, ResumingSimulator, Simulator, SpiceSimulator

CONVERSION_SECONDS = {"converter": 5.5e-4, "column": 0.29, "tile": 0.2, "sky130": 2.3}
"""Core seconds of a conversion of 5 bits, as the folders under results/ have them."""


@dataclass(frozen=True, eq=False)
class Sequences:
    """The chosen test sequences, side by side, longest first.

    Attributes
    ----------
    numbers : ndarray of int (sequences,)
        Their numbers in the task's test set.
    x : ndarray (steps, features, lanes)
    active : ndarray of int (steps,)
    labels : ndarray of int (sequences,)
    """

    numbers: np.ndarray
    x: np.ndarray
    active: np.ndarray
    labels: np.ndarray

    @property
    def counters(self) -> np.ndarray:
        """Their numbers, shape (lanes,)."""
        out = np.zeros(self.x.shape[2], np.uint32)
        out[: len(self.numbers)] = self.numbers
        return out


def choose_sequences(test: SequenceSet, settings: LoopSettings) -> Sequences:
    """Sequences of the settings' seed; all of them if the test set has no more.

    Raises
    ------
    InputError
        More than there are.
    """
    if settings.utterances > len(test):
        raise InputError(f"utterances={settings.utterances}: the test set has {len(test)} sequences")
    numbers = np.sort(loop_stream(settings.seed, LoopSource.SEQUENCES, 0).permutation(len(test))[: settings.utterances])
    some = test.select(numbers)
    order, active = some.packing()
    x = np.zeros((len(active), test.n_features, padded(len(numbers))))
    x[:, :, : len(numbers)] = some.inputs[order, : len(active)].transpose(1, 2, 0)
    pwm = loop_hardware(settings).pwm
    assert pwm is not None
    return Sequences(numbers[order], pwm.quantize(x, pwm.full_input), active, some.labels[order])


def compute(
    network: Network,
    task: Task,
    on_failure: str,
    simulator: Callable[[LoopChip], Simulator] | None,
    settings: LoopSettings,
    work: Work,
) -> Results:
    """Runs the sequences through the model alone and with ngspice in the loop, and compares every code; see `run_loop`."""
    run = work.options
    if on_failure not in ON_FAILURE:
        raise InputError(f"on_failure={on_failure!r}: unknown; allowed are {', '.join(ON_FAILURE)}")
    if task.name != settings.task and not is_path(settings.task):
        raise InputError(f"task={settings.task!r}: the data is of task {task.name!r}")
    notes = network.check_data(task)
    network.check(task.test)
    if network.formats:
        raise InputError("network: has fixed-point formats of its own; the loop drives rows in the settings' ranges")
    if network.ramps:
        raise InputError(
            "network: has ramps of its own; the loop measures those of activations. Network.with_ramps({}) takes them away"
        )
    check_columns(network, settings)
    digest = network_digest(network)
    sequences = choose_sequences(network.driven(task.test), settings)
    if line := _weighed(network, settings, sequences, run.jobs):
        run.say(line)
    parts = work.parts(network=digest, data_sha256=task.sha256)
    run.say(f"chip: drawing cells, measuring the levels of its columns in ngspice, level {settings.level}")
    chip = make_chip(network, settings, parts)
    clipped = saturation(network, task.test, chip.evaluator.hardware.pwm)
    chosen = {key: len(a.chosen) for key, a in chip.arrays.items()}
    # A backward direction meets each step once, as a forward one does.
    total = int(sum(chosen.values()) * sequences.active.sum())
    steps = len(sequences.active)
    run.say(f"{settings.utterances} sequences, {steps} steps, {sum(chosen.values())} columns: {total} conversions in ngspice")

    model_codes: list[StepConversion] = []
    alone = _run(network, chip, sequences, Who(), model_codes.append)
    spice_codes: list[StepConversion] = []
    made = (simulator or (lambda c: SpiceSimulator(c, run.jobs)))(chip)
    with progress_bar(None, f"{settings.mode} loop, {settings.level}", total, "conversions", show=run.progress) as bar:

        def tell(answer: Answer, there: bool) -> None:
            if there:
                # What an earlier run did is not to count in the rate: the bar shows what is left.
                bar.total -= answer.codes.size
                bar.refresh()
            else:
                bar.update(answer.codes.size)

        who = Who(ResumingSimulator(made, parts, tell), settings.mode == "closed", on_failure)
        looped = _run(network, chip, sequences, who, spice_codes.append)

    tables = {
        "steps": agree.steps_table(spice_codes),
        "disagreements": agree.disagreements_table(chip, spice_codes),
        "failures": agree.failures_table(chip, spice_codes),
    }
    drawn = {"agreement": partial(pictures.draw_agreement, tables["steps"], tables["disagreements"])}
    if settings.mode == "closed":
        tables["travel"] = agree.travel_table(spice_codes, model_codes, looped, alone, sequences.active)
        drawn["travel"] = partial(pictures.draw_travel, tables["travel"])
    # Of a closed loop that the folder may have held before.
    (work.out / "travel.csv").unlink(missing_ok=True)
    return Results(
        summary={
            "seed": settings.seed,
            "on_failure": on_failure,
            **_answers(settings, sequences, alone, looped),
            **agree.agreement(tables["steps"], tables["disagreements"]),
            **_speed(spice_codes),
            **_travelled(tables.get("travel"), len(sequences.numbers)),
            "steps": steps,
            "sequences": sequences.numbers.tolist(),
            "chip": describe_chip(chip),
            "wires": wire_losses(network, loop_hardware(settings)),
            "bias_rows": split_biases(network, loop_hardware(settings)),
            "network": {"cells": [layer.cell.describe() for layer in network.layers], "sha256": digest},
            "data_sha256": task.sha256,
            "saturation": clipped.as_dict() if clipped else None,
            "tasks": {task.name: str(task.provenance)},
        },
        tables={f"{name}.csv": table for name, table in tables.items()},
        pictures=drawn,
        warnings=[
            *notes,
            *network.warnings,
            *(clipped.warnings if clipped else ()),
            *_of_blocks(chip),
            *chip.evaluator.hardware.warnings,
            *_replaced(settings, on_failure, len(tables["failures"])),
        ],
    )


def run_loop(
    network: Network,
    task: Task,
    settings: LoopSettings,
    out: Path,
    options: RunOptions | None = None,
    *,
    on_failure: str = "stop",
    simulator: Callable[[LoopChip], Simulator] | None = None,
) -> dict[str, Any]:
    """Runs a co-simulation and writes its folder, as `cosim.report.Study.run`.

    A loop that was stopped goes on where it was: the same call, the same folder, the same numbers.

    Parameters
    ----------
    on_failure : {"stop", "model"}
        What happens in a closed loop where ngspice fails.
    simulator : callable, optional
        Makes the simulator of a chip, in place of ngspice.

    Returns
    -------
    dict
        What ``summary.json`` holds.

    Raises
    ------
    InputError
        A network that does not fit the task, gates or columns that it does not have, a folder of another loop.
    SimulationError
        A closed loop met a conversion that ngspice could not do.
    """
    computed = partial(compute, network, task, on_failure, simulator)
    return Study("loop", LoopSettings, computed, describe).run(settings, out, options)


def _weighed(network: Network, settings: LoopSettings, sequences: Sequences, jobs: int) -> str:
    """What the conversions in ngspice take, as `netlists.machine.weigh` says it."""
    matrices = sum(len(layer.directions) * len(layer.cell.matrices) for layer in network.layers)
    gates = sum(len(layer.directions) * m.shape[1] for layer in network.layers for m in layer.cell.matrices)
    columns = gates if settings.columns is None else matrices * len(settings.columns)
    kind = "sky130" if settings.level == "sky130" else settings.scope
    seconds = CONVERSION_SECONDS["tile" if settings.latches and kind == "converter" else kind]
    total = columns * int(sequences.active.sum())
    return weigh(f"utterances={settings.utterances}", seconds=seconds * total / jobs, memory=200.0 * total)


def _of_blocks(chip: LoopChip) -> list[str]:
    """What a reader must know of the blocks in ramps and columns, each once."""
    ramps, arrays = (ramp.warnings for ramp in chip.ramps.values()), (array.warnings for array in chip.arrays.values())
    return list(dict.fromkeys(line for lines in (*ramps, *arrays) for line in lines))


def _run(network: Network, chip: LoopChip, s: Sequences, who: Who, tell: Callable[[StepConversion], None]) -> Trajectory:
    return run_loop_network(network, chip, s.x, s.active, s.counters, who, tell)


def network_digest(network: Network) -> str:
    """SHA-256 of a network's weights; of everything that makes its answers where that is more."""
    if not network.plain_head:
        return network.sha256
    digest = hashlib.sha256()
    for layer in network.layers:
        for parameters in layer.directions:
            for name in sorted(parameters):
                digest.update(np.ascontiguousarray(parameters[name]).tobytes())
    digest.update(np.ascontiguousarray(network.readout).tobytes())
    return digest.hexdigest()


def _answers(settings: LoopSettings, s: Sequences, alone: Trajectory, looped: Trajectory) -> dict[str, Any]:
    """Accuracy of the model and, in a closed loop, of ngspice, and their difference on the same sequences."""
    model = alone.scores.argmax(axis=1) == s.labels
    out: dict[str, Any] = {"metric": "accuracy", "metric_model": float(model.mean()), "metric_spice": None, "paired": None}
    own = accuracy_interval(int(model.sum()), len(model))
    out["metric_model_interval"] = [own.low, own.high]
    if settings.mode == "closed":
        spice = looped.scores.argmax(axis=1) == s.labels
        d = paired_difference(spice, model)
        out["metric_spice"] = float(spice.mean())
        out["paired"] = {
            "difference": d.value,
            "low": d.low,
            "high": d.high,
            "p": d.p,
            "only_spice": d.only_first,
            "only_model": d.only_second,
            # The closed loop's accuracy less the difference's interval: where the model's must lie.
            "model_from": out["metric_spice"] - d.high,
            "model_to": out["metric_spice"] - d.low,
            "model_within": bool(d.low <= 0.0 <= d.high),
        }
        out["answers_equal"] = float(np.mean(alone.scores.argmax(axis=1) == looped.scores.argmax(axis=1)))
    return out


def _replaced(settings: LoopSettings, on_failure: str, failed: int) -> list[str]:
    """That codes of the model stand for some of ngspice's, if they do."""
    if not failed or settings.mode != "closed":
        return []
    return [f"on_failure={on_failure!r}: ngspice could not do {failed} conversions; they took the model's codes"]


def _speed(converted: list[StepConversion]) -> dict[str, Any]:
    answers = [c.answer for c in converted if c.answer is not None]
    wall, busy = sum(a.wall for a in answers), sum(a.busy for a in answers)
    n = sum(a.codes.size for a in answers)
    return {
        "retried": sum(a.retried for a in answers),
        "repeated": sum(a.repeated for a in answers),
        "foretold_wrong": sum(a.foretold_wrong for a in answers),
        "spice_seconds": wall,
        "seconds_per_conversion": wall / n,
        "worker_seconds_per_conversion": busy / n,
        "conversions_per_second": n / wall if wall > 0 else None,
    }


def _travelled(travel: pd.DataFrame | None, sequences: int) -> dict[str, Any]:
    """How many sequences met a disagreement, and how far apart the loops were at most and at the end."""
    if travel is None:
        return {}
    if travel.empty:
        return {"sequences_apart": 0, "sequences_alike": sequences, "distance_largest": 0.0, "distance_last": 0.0}
    last = travel.sort_values("step").groupby("sequence")["distance"].last()
    n = travel["sequence"].nunique()
    return {
        "sequences_apart": int(n),
        "sequences_alike": int(sequences - n),
        "distance_largest": float(travel["distance"].max()),
        "distance_last": float(last.mean()),
    }


def describe(summary: dict[str, Any]) -> str:
    """Writes a few lines for the terminal."""
    s = summary
    lines = [
        *describe_split_biases(s["bias_rows"]),
        *describe_wire_losses(s["wires"]),
        f"{s['conversions']} conversions ({s['failed']} failed), {s['conversions_per_second']:.3g} a second",
        f"codes equal {100 * (s['codes_equal'] or 0):.3f} %, within 1 {100 * (s['codes_within_1'] or 0):.3f} %;"
        f" {s['disagreements']} differ",
    ]
    if s["paired"] is None:
        return "\n".join([*lines, f"accuracy of the model {100 * s['metric_model']:.2f} %"])
    p = s["paired"]
    return "\n".join(
        [
            *lines,
            f"accuracy: ngspice {100 * s['metric_spice']:.2f} %, model {100 * s['metric_model']:.2f} %; difference"
            f" {100 * p['difference']:+.2f} % ({100 * p['low']:+.2f} to {100 * p['high']:+.2f} %), McNemar p = {p['p']:.3g}",
        ]
    )
