"""The main job: two ramps at three resolutions, from the netlist through ngspice to an LSTM's accuracy on real speech."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import joblib
import pandas as pd

from characterization.chips import nominal_deck
from characterization.plan import RampPlan
from characterization.processes import in_workers
from characterization.progress_bar import progress_bar
from characterization.ramp_model import RampModel
from characterization.resume import Parts
from cosim.chip import Hardware
from cosim.evaluation import compare
from cosim.network import LSTMNetwork
from cosim.report import Results, RunOptions, Study, Takes, Work
from cosim.tasks import load_task
from cosim.training import train_task

from ..ramp_models import HELD_OUT_SEED_OFFSET, ramp_model, simulated_chips
from . import nominal, pictures
from .schematic import draw_column
from .settings import DemoSettings
from .tables import Key, chip_table, figure_row, level_table, model_row

ACTIVATIONS = ("sigmoid", "tanh")
BITS = (3, 4, 5)


def compute(settings: DemoSettings, work: Work) -> Results:
    """Simulates, fits, trains and evaluates; writes decks, models and the network besides."""
    options, parts, out, clock = work.options, work.parts(), work.out, _Clock()
    # Different seeds, or the two ramps of a chip would share their errors.
    plans = {(a, b): RampPlan(a, b, seed=settings.seed + i) for i, a in enumerate(ACTIVATIONS) for b in BITS}
    main = plans["sigmoid", 5]

    options.say("1/4 decks of nominal chips, in the shared library and in plain `ngspice -b`")
    runners = {key: nominal.compare_runners(plan, out / _deck(key)) for key, plan in plans.items()}
    remainder, waves = nominal.remainder(main), nominal.ramp_waveform(main)
    clock.lap("nominal decks")

    options.say(
        f"2/4 {settings.samples} chips of each ramp in ngspice, compact models held against {settings.held_out} fresh chips "
        f"each, and an LSTM on Japanese Vowels; {options.jobs} workers"
    )
    task = load_task("vowels")
    steps: dict[str, Callable[[], Any]] = {
        f"{a}{b}": partial(_fitted, plan, settings, parts, replace(options, jobs=_share(options.jobs, len(plans)), progress=False))
        # The longest first, or one of them is left over at the end.
        for (a, b), plan in sorted(plans.items(), key=lambda item: -item[1].bits)
    } | {"network": partial(train_task, task, seed=settings.seed)}
    calls = [joblib.delayed(step)() for step in steps.values()]
    bar = progress_bar(in_workers(calls, options.jobs), "ramps and network", len(calls), "parts", show=options.progress)
    done = dict(zip(steps, bar, strict=True))
    runs = {key: simulated_chips(plan, settings.samples, parts, options) for key, plan in plans.items()}
    models: dict[Key, RampModel] = {(a, b): done[f"{a}{b}"] for a, b in plans}
    for (a, b), model in models.items():
        model.save(out / "models" / f"{a}{b}.json")
    network = done["network"]
    assert isinstance(network, LSTMNetwork)
    network.save(out / "network.npz")
    clock.lap("Monte Carlo, models, held-out samples and training")

    options.say(f"3/4 the LSTM on {settings.chips} chips")
    fitted = {b: Hardware(ramps={a: models[a, b] for a in ACTIVATIONS}) for b in BITS}
    results = [compare(network, task, fitted[b], chips=settings.chips, seed=settings.seed) for b in BITS]
    clock.lap("evaluation")

    options.say("4/4 tables, pictures, report")
    chips = {key: chip_table(key, run) for key, run in runs.items()}
    rows = {key: model_row(key, model) for key, model in models.items()}
    schemes = pd.DataFrame(_schemes(plans))
    accuracies = [
        {"bits": r.bits[0], "chip": chip, "accuracy": value, "float": r.float_.value, "ideal": r.ideal.value}
        for r in results
        for chip, value in enumerate(r.chips)
    ]
    tables = {
        "levels": pd.concat([level_table(key, runs[key], models[key]) for key in runs], ignore_index=True),
        "chips": pd.concat(chips.values(), ignore_index=True),
        "models": pd.DataFrame(rows.values()),
        "accuracy": pd.DataFrame(accuracies),
        "schemes": schemes,
        "remainder": remainder,
    }
    summary = {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seeds": {a: {"fitted": plans[a, 5].seed, "held_out": plans[a, 5].seed + HELD_OUT_SEED_OFFSET} for a in ACTIVATIONS},
        "jobs": options.jobs,
        "machine": f"{platform.system()} {platform.machine()}",
        "wall_seconds": clock.laps,
        "profile": main.profile.name,
        "level": "macro",
        "columns": main.columns,
        "scheme": {f"{a}{b}": plan.program().scheme for (a, b), plan in plans.items()},
        "conversion_time_s": {f"{a}{b}": plan.program().conversion_time(plan.circuit) for (a, b), plan in plans.items()},
        "variation": asdict(main.variation),
        "volts_per_unit_sigmoid5": main.program().volts_per_unit(main.circuit),
        "decks": [
            {"deck": _deck(key), "sha256": nominal_deck(plan).sha256, "plan_sha256": plan.sha256, **runners[key]}
            for key, plan in plans.items()
        ],
        "figures": [figure_row(key, table) for key, table in chips.items()],
        "remainder": remainder.to_dict("records"),
        "models": list(rows.values()),
        "schemes": schemes[schemes["activation"] == "sigmoid"].to_dict("records"),
        "network": {
            "task": network.metadata.task,
            "seed": network.metadata.seed,
            "hidden": network.n_hidden,
            "data": str(task.provenance),
        },
        "accuracy": [{"bits": r.bits[0]} | {k: v for k, v in r.as_dict().items() if k != "bits"} for r in results],
    }
    return Results(
        summary=summary,
        tables={f"tables/{name}.{suffix}": table for name, table in tables.items() for suffix in ("csv", "parquet")},
        pictures={
            "schematic": partial(draw_column, main),
            "ramp": partial(pictures.ramp, main, waves),
            "transfer": partial(pictures.transfer, {key: (plans[key], runs[key].levels(calibrated=True)) for key in plans}),
            "inl_dnl": partial(pictures.inl_dnl, {key: run for key, run in runs.items() if key[1] == max(BITS)}),
            "accuracy": partial(pictures.accuracy, results),
        },
        warnings=[line for r in results for line in r.warnings],
    )


def _fitted(plan: RampPlan, settings: DemoSettings, parts: Parts, options: RunOptions) -> RampModel:
    """The model of one ramp: chips in ngspice, fit, and fresh chips to hold it against."""
    return ramp_model(plan, settings.samples, parts, options, held_out=settings.held_out, conversions=settings.converting_chips)


def _share(jobs: int, steps: int) -> int:
    """Workers that each of so many steps may take for itself, when all of them run at once."""
    return max(1, jobs // steps)


class _Clock:
    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = round(now - self._last, 2)
        self._last = now


def _deck(key: Key) -> str:
    return f"decks/{key[0]}{key[1]}.cir"


def _schemes(plans: dict[Key, RampPlan]) -> list[dict[str, Any]]:
    return [
        {"activation": a, "bits": b, "scheme": name, "chosen": name == plan.program().scheme, **row}
        for (a, b), plan in plans.items()
        for name, row in plan.program().alternatives.items()
    ]


def describe(summary: dict[str, Any]) -> str:
    """Writes the accuracies for reading."""
    chips = summary["settings"]["chips"]
    return "\n".join(
        f"{row['bits']} bits: float {row['float']:.4f}, ideal {row['ideal']:.4f}, {chips} chips {row['mean']:.4f}"
        for row in summary["accuracy"]
    )


STUDY = Study(
    "demo", DemoSettings, compute, describe, Takes(42.0, lambda s: s.samples + s.held_out + 2 * s.chips + 5 * s.converting_chips)
)
