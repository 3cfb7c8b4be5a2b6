"""The main job: two ramps at three resolutions, from the netlist through ngspice to an LSTM's accuracy on real speech."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd

from characterization.chips import nominal_deck
from characterization.figures import inl_dnl as figures
from characterization.plan import RampPlan
from characterization.provenance import versions
from characterization.ramp_model import RampModel, validation
from characterization.run import Run, characterize
from cosim.chip import Hardware
from cosim.evaluation import Comparison, compare
from cosim.network import LSTMNetwork
from cosim.report import pictures as plots, write_report
from cosim.tasks import load_task
from cosim.training import train_task
from netlists.check_rules import Whole
from netlists.checks import Count, Seed, checked
from netlists.files import make_folder, write_atomic, write_json

from . import nominal
from .schematic import draw_column

ACTIVATIONS = ("sigmoid", "tanh")
BITS = (3, 4, 5)
HELD_OUT_SEED_OFFSET = 1000
"""Held-out chips are drawn with the ramp's seed plus this."""


@checked
@dataclass(frozen=True)
class DemoSettings:
    """Size and seed of the study."""

    samples: Annotated[int, Whole(8)] = 208
    held_out: Annotated[int, Whole(8)] = 64
    chips: Count = 16
    converting_chips: Count = 8
    seed: Seed = 1


def run_demo(
    settings: DemoSettings, out: Path, work: Path, *, jobs: int, progress: bool, say: Callable[[str], None]
) -> dict[str, Any]:
    """Run the study and write its report; go on from ``work`` where an earlier run was stopped.

    Returns
    -------
    dict
        What ``out/summary.json`` holds.

    Raises
    ------
    InputError, ToolkitError
        As the steps raise them. Nothing half-written stays under a final name.
    """
    make_folder(out)
    clock = _Clock()
    # Different seeds, or the two ramps of a chip would share their errors.
    plans = {(a, b): RampPlan(a, b, seed=settings.seed + i) for i, a in enumerate(ACTIVATIONS) for b in BITS}

    say("1/5 decks of nominal chips, in the shared library and in plain `ngspice -b`")
    runners = [nominal.compare_runners(plan, out / "decks" / f"{a}{b}.cir") for (a, b), plan in plans.items()]
    remainder = nominal.remainder(plans["sigmoid", 5])
    waves = nominal.ramp_waveform(plans["sigmoid", 5])
    clock.lap("nominal decks")

    say(f"2/5 Monte Carlo: {settings.samples} chips of each ramp, {jobs} workers")
    runs = {
        key: characterize(plan, settings.samples, work / _name(key), jobs=jobs, progress=progress) for key, plan in plans.items()
    }
    clock.lap("Monte Carlo")

    say(f"3/5 compact models, held against {settings.held_out} fresh chips each")
    models = {key: _model(run, work / f"{_name(key)}.json", settings, jobs, progress) for key, run in runs.items()}
    for key, model in models.items():
        model.save(out / "models" / f"{_name(key)}.json")
    clock.lap("models and held-out samples")

    say("4/5 LSTM on Japanese Vowels")
    task = load_task("vowels")
    network = train_task(task, seed=settings.seed, progress=progress)
    assert isinstance(network, LSTMNetwork)
    network.save(out / "network.npz")
    clock.lap("training")
    results = [
        compare(network, task, Hardware(ramps={a: models[a, b] for a in ACTIVATIONS}), chips=settings.chips, seed=settings.seed)
        for b in BITS
    ]
    clock.lap("evaluation")

    say("5/5 tables, pictures, report")
    tables = _tables(runs, models, results, remainder, plans)
    for name, table in tables.items():
        write_atomic(out / "tables" / f"{name}.csv", partial(table.to_csv, index=False))
        write_atomic(out / "tables" / f"{name}.parquet", partial(table.to_parquet, index=False))
    pictures(out, plans, runs, results, waves)
    clock.lap("pictures")
    summary = _summary(settings, plans, runs, models, network, str(task.provenance), results, runners, tables, clock, jobs)
    write_json(out / "summary.json", summary)
    write_report(out)
    return summary


def pictures(out: Path, plans: dict, runs: dict, results: list[Comparison], waves: dict[str, np.ndarray]) -> None:
    """All pictures of the study, PNG and SVG."""
    folder = out / "pictures"
    make_folder(folder)
    draw_column(folder / "schematic", plans["sigmoid", 5])
    plots.ramp(folder / "ramp", plans["sigmoid", 5], waves)
    plots.transfer(folder / "transfer", {key: (plans[key], runs[key].levels(calibrated=True)) for key in plans})
    plots.inl_dnl(folder / "inl_dnl", {key: runs[key] for key in runs if key[1] == max(BITS)})
    plots.accuracy(folder / "accuracy", results)


class _Clock:
    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = round(now - self._last, 2)
        self._last = now


def _name(key: tuple[str, int]) -> str:
    return f"{key[0]}{key[1]}"


def _model(run: Run, path: Path, settings: DemoSettings, jobs: int, progress: bool) -> RampModel:
    """Fit and validate, or take the model that an earlier run of the same study left."""
    seed = run.plan.seed + HELD_OUT_SEED_OFFSET
    fitted = RampModel.fit(run)
    if path.exists():
        old = RampModel.load(path)
        v = old.validation or {}
        same = (old.provenance["plan_sha256"], old.samples, v.get("seed"), v.get("samples")) == (
            run.plan.sha256,
            fitted.samples,
            seed,
            settings.held_out,
        )
        if same and np.array_equal(old.mean, fitted.mean) and np.array_equal(old.covariance, fitted.covariance):
            return old
    result = validation.validate(
        fitted, settings.held_out, seed, jobs=jobs, conversions=settings.converting_chips, progress=progress
    )
    model = fitted.model_copy(update={"validation": result})
    model.save(path)
    return model


def _tables(runs: dict, models: dict, results: list[Comparison], remainder: pd.DataFrame, plans: dict) -> dict[str, pd.DataFrame]:
    return {
        "levels": pd.concat([_level_table(key, runs[key], models[key]) for key in runs], ignore_index=True),
        "chips": pd.concat([_chip_table(key, runs[key]) for key in runs], ignore_index=True),
        "models": pd.DataFrame([_model_row(key, m) for key, m in models.items()]),
        "accuracy": pd.DataFrame(
            [
                {"bits": r.bits[0], "chip": chip, "accuracy": value, "float": r.float_.value, "ideal": r.ideal.value}
                for r in results
                for chip, value in enumerate(r.chips)
            ]
        ),
        "schemes": pd.DataFrame(
            [
                {"activation": a, "bits": b, "scheme": name, "chosen": name == plan.program().scheme, **row}
                for (a, b), plan in plans.items()
                for name, row in plan.program().alternatives.items()
            ]
        ),
        "remainder": remainder,
    }


def _level_table(key: tuple[str, int], run: Run, model: RampModel) -> pd.DataFrame:
    program = run.plan.program()
    parts = []
    for calibrated in (False, True):
        inl = figures.inl_input(run.levels(calibrated=calibrated), program)
        low, median, high = np.nanquantile(inl, [0.05, 0.5, 0.95], axis=0)
        fitted = model.after if calibrated else model.before
        mean, covariance = fitted.mean, fitted.covariance
        parts.append(
            pd.DataFrame(
                {
                    "activation": key[0],
                    "bits": key[1],
                    "calibrated": calibrated,
                    "k": np.arange(1, len(program.x) + 1),
                    "x_ideal": program.x,
                    "lsb": program.lsb,
                    "mean": mean,
                    "sigma": np.sqrt(np.diag(covariance)),
                    "inl_p05": low,
                    "inl_median": median,
                    "inl_p95": high,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _chip_table(key: tuple[str, int], run: Run) -> pd.DataFrame:
    program = run.plan.program()
    table = run.samples.assign(activation=key[0], bits=key[1])
    for calibrated, name in ((False, "before"), (True, "after")):
        x = run.levels(calibrated=calibrated)
        table[f"max_inl_input_lsb_{name}"] = np.abs(figures.inl_input(x, program)).max(axis=1)
        table[f"max_inl_output_lsb_{name}"] = np.abs(figures.inl_output(x, program)).max(axis=1)
        table[f"max_dnl_lsb_{name}"] = np.abs(figures.dnl(x, program)).max(axis=1)
        table[f"monotonic_{name}"] = figures.is_monotonic(x)
    return table


def _model_row(key: tuple[str, int], model: RampModel) -> dict[str, Any]:
    fitted: dict[str, float] = {}
    for name in ("comparator_offset", "comparator_noise", "read_noise"):
        value = getattr(model, name)
        fitted |= {name: value.value, f"{name}_stderr": value.stderr}
    held_out = {f"held_out_{k}" if k in ("samples", "failed", "seed") else k: v for k, v in (model.validation or {}).items()}
    return {"activation": key[0], "bits": key[1], "samples_fitted": model.samples, "failed": model.failed, **fitted, **held_out}


def _summary(
    settings: DemoSettings,
    plans: dict,
    runs: dict,
    models: dict,
    network: LSTMNetwork,
    provenance: str,
    results: list[Comparison],
    runners: list[dict],
    tables: dict[str, pd.DataFrame],
    clock: _Clock,
    jobs: int,
) -> dict[str, Any]:
    chips = tables["chips"]
    figures_by_ramp = []
    for a, b in plans:
        rows = chips[(chips["activation"] == a) & (chips["bits"] == b)]
        row: dict[str, Any] = {"activation": a, "bits": b, "samples": len(rows), "failed": runs[a, b].failed}
        good = rows[rows["status"] == "ok"]
        for name in ("before", "after"):
            for figure in ("max_inl_input_lsb", "max_inl_output_lsb", "max_dnl_lsb"):
                row[f"{figure}_{name}"] = float(good[f"{figure}_{name}"].mean())
            row[f"monotonic_{name}"] = float(good[f"monotonic_{name}"].mean())
        figures_by_ramp.append(row)
    program = plans["sigmoid", 5].program()
    return {
        "study": "demo",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": asdict(settings),
        "seeds": {a: {"fitted": plans[a, 5].seed, "held_out": plans[a, 5].seed + HELD_OUT_SEED_OFFSET} for a in ACTIVATIONS},
        "jobs": jobs,
        "machine": f"{platform.system()} {platform.machine()}",
        "versions": versions(),
        "wall_seconds": clock.laps,
        "profile": plans["sigmoid", 5].profile.name,
        "level": "macro",
        "scheme": {f"{a}{b}": plan.program().scheme for (a, b), plan in plans.items()},
        "conversion_time_s": {f"{a}{b}": plan.program().conversion_time(plan.circuit) for (a, b), plan in plans.items()},
        "variation": asdict(plans["sigmoid", 5].variation),
        "volts_per_unit_sigmoid5": program.volts_per_unit(plans["sigmoid", 5].circuit),
        "decks": [
            {"deck": f"decks/{a}{b}.cir", "sha256": nominal_deck(p).sha256, "plan_sha256": p.sha256, **r}
            for ((a, b), p), r in zip(plans.items(), runners, strict=True)
        ],
        "figures": figures_by_ramp,
        "remainder": tables["remainder"].to_dict("records"),
        "models": [_model_row(key, m) for key, m in models.items()],
        "schemes": tables["schemes"][(tables["schemes"]["activation"] == "sigmoid")].to_dict("records"),
        "network": {"task": network.metadata.task, "seed": network.metadata.seed, "hidden": network.n_hidden, "data": provenance},
        "accuracy": [{"bits": r.bits[0]} | {k: v for k, v in r.as_dict().items() if k != "bits"} for r in results],
    }
