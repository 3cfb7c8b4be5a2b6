"""Study of published networks on real speech: floating point, ideal ramps, parts of the circuit alone, whole chips, cost."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from characterization.resume import Parts
from characterization.streams import network_chips_stream
from cosim.chip import Hardware, saturation
from cosim.cost import Design, NetworkShape, network_cost
from cosim.evaluation import accuracy_change, accuracy_interval, chip_interval, evaluate
from cosim.loop.run import run_loop
from cosim.loop.settings import LoopSettings
from cosim.network import Network
from cosim.report import Results, RunOptions, Study, Takes, Work
from cosim.tasks import Task
from netlists.errors import InputError
from netlists.technology import load_profile

from .conditions import ALONE, CURVES, FLOAT, IDEAL, CircuitPart, part_hardware
from .pictures import draw
from .placement import Placement, place_rows
from .settings import KwsRealSettings
from .speech import CLASSES, SILENCE, load_published, load_speech
from .tuning import tuning_rows


def compute(settings: KwsRealSettings, work: Work) -> Results:
    """Reads data and networks, evaluates every condition, and prices the networks."""
    if unknown := [f for f in settings.chip_files if f not in settings.files]:
        raise InputError(f"chip_files: {unknown[0]!r} is not among files, {', '.join(settings.files)}")
    networks = load_published(settings.networks, settings.files)
    if settings.tuning_epochs and settings.chip_files and not Path(settings.data).expanduser().is_dir():
        raise InputError(
            f"tuning_epochs={settings.tuning_epochs}: fine-tuning parts the clips by speaker, whom the names of "
            f"the recordings tell; data must be their folder, not {settings.data}, or tuning_epochs 0"
        )
    work.options.say("features of the recordings")
    task = load_speech(settings.data)
    parts = work.parts(data=task.sha256, networks={name: n.sha256 for name, n in networks.items()})
    rows: list[dict[str, Any]] = []
    placements: list[dict[str, Any]] = []
    costs: list[dict[str, Any]] = []
    loops: list[dict[str, Any]] = []
    tuned = pd.DataFrame()
    warnings: list[str] = []
    for name, network in networks.items():
        units = network.layers[0].cell.n_hidden
        judge = _Judge(name, units, task, settings, work)
        answers = {FLOAT: judge.answers(parts, network, Hardware(), FLOAT, None)}
        rows.append(judge.row(FLOAT, None, answers[FLOAT], None))
        for bits in settings.bits:
            own = judge.answers(parts, network, Hardware(bits=bits), IDEAL, bits)
            rows.append(judge.row(IDEAL, bits, own, answers[FLOAT][0]))
        placed = place_rows(network, task.test, deviations=settings.deviations, largest=settings.largest)
        several = name in settings.chip_files
        resolutions = settings.chip_bits if several else (settings.alone_bits,) if settings.slow_chips else ()
        wanted = [(bits, p) for bits in resolutions for p in CURVES]
        alone = ALONE if several and settings.parts_alone else ()
        wanted += [(settings.alone_bits, p) for p in alone if (settings.alone_bits, p) not in wanted]
        for bits, part in work.options.bar(wanted, "conditions", f"{units} units: chips"):
            chips = settings.chips if several and part.compensate != "wires" else max(settings.slow_chips, 1)
            own = judge.chips(parts, placed, part, bits, chips)
            rows.append(judge.row(part.name, bits, own, answers[FLOAT][0]))
        hardware = part_hardware(ALONE[-1], placed, load_profile(settings.profile), settings.alone_bits)
        clipped = saturation(placed.network, placed.data, hardware.pwm)
        warnings += [f"{name}: {line}" for line in (*(clipped.warnings if clipped else ()), *hardware.warnings)]
        if settings.spice_clips and name == next(iter(settings.chip_files), None):
            loops = parts.rows(f"loop-{Path(name).stem}", partial(_in_spice, placed, task, settings, parts, work.options))
        if settings.tuning_epochs and name == next(iter(settings.chip_files), None):
            tuned = tuning_rows(name, placed, settings, work.options, parts)
        placements.append(_placed_row(name, units, placed, network))
        costs += [_cost_row(units, placed, task, bits) for bits in settings.bits]
        warnings += network.warnings
    table = pd.DataFrame(rows)
    return Results(
        summary={
            "tasks": {task.name: str(task.provenance)},
            "data_sha256": task.sha256,
            "clips": len(task.test),
            "loop": loops[0] if loops else None,
            "networks": {name: {"sha256": n.sha256, "units": n.layers[0].cell.n_hidden} for name, n in networks.items()},
        },
        tables={
            "results.csv": table,
            "placement.csv": pd.DataFrame(placements),
            "cost.csv": pd.DataFrame(costs),
        }
        | ({"tuning.csv": tuned} if len(tuned) else {}),
        pictures={"bits": partial(draw, table)},
        float_format="%.6g",
        warnings=warnings,
    )


class _Judge:
    """Answers of one network on the task, and what they say."""

    def __init__(self, name: str, units: int, task: Task, settings: KwsRealSettings, work: Work) -> None:
        self.name, self.units, self.task, self.settings, self.work = name, units, task, settings, work
        self.heard = task.test.labels != CLASSES.index(SILENCE)

    def answers(self, parts: Parts, network: Network, hardware: Hardware, condition: str, bits: int | None) -> np.ndarray:
        """Whether each clip is answered correctly, bool (1, clips), without any randomness."""
        # Double precision: a code that a rounding error moves would be an answer that another machine does not give.
        ours = partial(evaluate, network, self.task.test, hardware, dtype=np.float64, threads=self.work.options.jobs)
        return parts.array(self._part(condition, bits), lambda: ours().correct)

    def chips(self, parts: Parts, placed: Placement, part: CircuitPart, bits: int, chips: int) -> np.ndarray:
        """The same of each drawn chip, bool (chips, clips)."""

        def ours() -> np.ndarray:
            hardware = part_hardware(part, placed, load_profile(self.settings.profile), bits)
            # Chips of all conditions of a network are the same: their differences are those of the conditions.
            rng = network_chips_stream(self.settings.seed, self.units)
            many = chips if hardware.random else 1
            return evaluate(placed.network, placed.data, hardware, many, rng, threads=self.work.options.jobs).correct

        return parts.array(self._part(part.name, bits), ours)

    def _part(self, condition: str, bits: int | None) -> str:
        return f"{Path(self.name).stem}-{condition.replace(' ', '-').replace(',', '')}-{bits or 'float'}"

    def row(self, condition: str, bits: int | None, correct: np.ndarray, reference: np.ndarray | None) -> dict[str, Any]:
        """Accuracy with the test set's interval, its spread from chip to chip, and the paired change to floating point."""
        i = accuracy_interval(round(float(correct.sum(axis=1).mean())), correct.shape[1])
        over = chip_interval(correct.mean(axis=1))
        out = {"network": self.name, "units": self.units, "condition": condition, "bits": bits, "chips": len(correct)}
        out |= {"accuracy": float(correct.mean()), "low": i.low, "high": i.high, "chip_deviation": over.deviation}
        out |= {"without_silence": float(correct[:, self.heard].mean())}
        out |= {"silence": float(correct[:, ~self.heard].mean()) if not self.heard.all() else None}
        if reference is None:
            return out
        change = accuracy_change(correct, reference).columns()
        return out | {"change": change.pop("change")} | {n if "_" in n else f"change_{n}": v for n, v in change.items()}


def _in_spice(placed: Placement, task: Task, settings: KwsRealSettings, parts: Parts, options: RunOptions) -> list[dict[str, Any]]:
    """A few clips in closed loop: ngspice converts a column of each gate at every step, on a chip with cells and wires."""
    data, units = placed.data, placed.network.layers[0].cell.n_hidden
    own = Task.from_arrays(task.name, data.inputs, data.labels, classes=task.classes, lengths={"test": data.lengths})
    loop = LoopSettings(
        task=task.name,
        bits=settings.alone_bits,
        utterances=settings.spice_clips,
        columns=tuple(range(0, 4 * units, units)),
        profile=settings.profile,
        r_wire=1.0,
        bias_rows=placed.bias_rows,
        seed=settings.seed,
    )
    found = run_loop(placed.network, own, loop, parts.file("loop"), replace(options, work=None))
    names = ("conversions", "failed", "codes_equal", "codes_within_1", "metric_model", "metric_spice", "spice_seconds")
    return [{"units": units, "clips": settings.spice_clips, "bits": settings.alone_bits} | {n: found[n] for n in names}]


def _placed_row(name: str, units: int, placed: Placement, network: Network) -> dict[str, Any]:
    return {
        "network": name,
        "units": units,
        "weights": network.n_weights,
        "rows_as_trained": network.n_in + units + 1,
        "rows": int(placed.rows.sum()) + units + placed.bias_rows,
        "rows_of_first_feature": int(placed.rows[0]),
        "bias_rows": placed.bias_rows,
    }


def _cost_row(units: int, placed: Placement, task: Task, bits: int) -> dict[str, Any]:
    cost = network_cost(
        NetworkShape.of(placed.network, round(float(np.mean(task.test.lengths)))), Design(bits=bits, max_rows=32, max_columns=64)
    )
    row: dict[str, Any] = {"units": units, "bits": bits, "energy": cost.energy, "latency": cost.latency, "area": cost.area}
    return row | {"power": cost.power, "tops_per_watt": cost.tops_per_watt, "conversions": cost.conversions}


def describe(summary: dict[str, Any]) -> str:
    """Writes where the numbers are, for reading."""
    return f"{summary['clips']} clips, networks of {', '.join(str(n['units']) for n in summary['networks'].values())} units"


def _work(s: KwsRealSettings) -> float:
    """Seconds: chips by resolution, those with slow parts, clips in ngspice, fine-tuning."""
    chips = len(s.chip_files) * s.chips * (len(s.chip_bits) + 5)
    return 50.0 * chips + 500.0 * s.slow_chips + 30.0 * s.spice_clips + 120.0 * s.tuning_epochs


STUDY = Study("kws-real", KwsRealSettings, compute, describe, Takes(3000.0, _work, lambda s: 4e6 * s.tuning_batch))
