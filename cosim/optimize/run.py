"""The whole job: search on validation sequences, confirm in SPICE, report on test sequences."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from characterization.progress_bar import progress_bar
from characterization.provenance import versions
from characterization.resume import Parts
from characterization.run import weigh_samples
from cosim.chip import (
    Hardware,
    PwmInputs,
    Saturation,
    converted_columns,
    saturation,
    split_biases,
    wire_losses,
)
from cosim.evaluation import weigh_chips
from cosim.network import Network
from cosim.report import Results, Study, Work
from netlists.errors import InputError
from netlists.files import sha256_of
from netlists.technology import load_profile

from ..budget import measured_comparator
from ..cost import Design, NetworkCost, network_cost
from ..cost.terms import STEP
from ..tasks import SequenceSet, load_task
from ..tasks.registry import info
from ..training import held_out_sequences
from .bench import AccuracyLoss, DesignBench
from .confirm import Simulated, simulated_ramps
from .gradient import Guide, run_gradient_search, until_best
from .pictures import draw_front, draw_importances
from .ramps import ramp_plan
from .search import Row, finished_trials, front, importances, main_effects, optuna, run_search
from .settings import OptimizeSettings
from .space import Point, Space, design_of, variables
from .words import describe, verdict

OBJECTIVES = ("energy", "latency", "area", "edp")
JUDGED = {"mean": "loss", "chips": "chips_high", "sequences": "high"}
"""What must not be above the limit: the mean over chips, or the upper end of its 95 % interval over chips or sequences."""
SPICE = ".parts/spice"
"""Where simulations lie until all is done."""
COST_SAMPLES = 2048
"""Designs over the grid whose costs say which variables matter."""
FRESH = 1
"""Added to the seed for chips that the search has not seen."""


class Job:
    """One search: the network, its sequences, the space, and what a design costs and loses."""

    def __init__(self, settings: OptimizeSettings, work: Work) -> None:
        if info(settings.task).kind != "sequences":
            raise InputError(f"task {settings.task!r}: is a text; a design search takes a classification task such as voices")
        self.settings, self.run, self.work = settings, work.options, work
        self._simulated: dict[int, dict[str, Simulated]] = {}
        self.network = Network.load(settings.network)
        self.network.task_name(settings.task)
        self.task, self.profile = load_task(settings.task), load_profile(settings.profile)
        self.notes = list(self.network.check_data(self.task))
        self.comparator: dict[str, float] = {}
        if settings.comparator is not None:
            self.comparator, unmeasured = measured_comparator(settings.comparator)
            self.notes += [*unmeasured, f"{settings.comparator}: energy and area are those of our comparator at its offset"]
        own = {name: value for name, value in self.comparator.items() if name == "comparator_offset"}
        self.space = Space(variables(self.profile), own | settings.fixed)
        held_out = held_out_sequences(self.task, self.network)
        self.validation = self._bench(held_out)

    @cached_property
    def test(self) -> DesignBench:
        """Sequences that nothing is chosen on."""
        return self._bench(self.task.test)

    def _bench(self, data: SequenceSet) -> DesignBench:
        s = self.settings
        return DesignBench(self.network, data, self.profile, s.r_wire, self.run.jobs, s.compensate, s.bias_rows, self.comparator)

    @cached_property
    def clipped(self) -> Saturation | None:
        """Test inputs beyond the range of the pulse widths, which no variable changes."""
        return saturation(self.network, self.task.test, PwmInputs())

    def design(self, point: Mapping[str, float]) -> Design:
        trimmed = self.settings.calibration == "per-column"
        return design_of(point, self.profile, self.network).with_(column_trim=trimmed)

    def cost(self, point: Mapping[str, float]) -> NetworkCost:
        """What the design that is judged costs: its cells behind its wires, with the rows of its bias."""
        design = self.design(point)
        return network_cost(self.validation.shape(design), design)

    def wires(self, point: Mapping[str, float]) -> list[dict[str, Any]]:
        """What the wires leave of each matrix of a design."""
        return wire_losses(self.network, self.hardware(point))

    def hardware(self, point: Mapping[str, float]) -> Hardware:
        """What a design runs on, on ideal ramps."""
        return self.validation.hardware(self.design(point), {})

    def costs(self, point: Mapping[str, float]) -> dict[str, float]:
        """What an inference takes: joules, seconds, square metres, joule seconds."""
        return figures_of(self.cost(point))

    def objective(self, point: Mapping[str, float]) -> float:
        """What is minimised."""
        return self.costs(point)[self.settings.objective]

    def smooth_objective(self, point: Mapping[str, float]) -> float:
        """What is minimised, as a smooth function that is asked often.

        Arrays are solved at the conductances of the grid alone, and the cost between them is interpolated.
        """
        grid = next(v.grid for v in self.space.variables if v.name == "g_max")
        at = point["g_max"]
        ends = sorted({max((g for g in grid if g <= at), default=at), min((g for g in grid if g >= at), default=at)})
        design, own = self.design(point), {"v_read": self.space.default["v_read"]}
        found = []
        for g in ends:
            shape = self.validation.shape(self.design({**point, **own, "g_max": g}))
            cost = network_cost(shape, design)
            found.append(figures_of(cost)[self.settings.objective])
        return float(np.interp(at, ends, found))

    def buildable(self, point: Mapping[str, float]) -> bool:
        """Whether the ramps of a design fit its cells and its op-amp."""
        try:
            for activation in converted_columns(self.network):
                ramp_plan(activation, self.design(point), self.profile, self.settings.seed, self.comparator)
        except InputError:
            return False
        return True

    def blocks(self, point: Mapping[str, float]) -> list[dict[str, Any]]:
        """Energy of an inference (joules) and area (square metres) of each block, the one that takes most first."""
        cost = self.cost(point)
        table = cost.table()
        table["energy"] *= np.where(table["per"] == STEP, cost.steps, 1)
        found = table.groupby("block")[["energy", "area"]].sum().sort_values("energy", ascending=False)
        return found.reset_index().to_dict("records")

    def weighed(self) -> list[str]:
        """What the search and its confirmation take at most; `InputError` if this machine does not have it."""
        s, jobs = self.settings, self.run.jobs
        trials = weigh_chips(f"trials={s.trials}", self.network, self.task, float(s.trials) * s.chips, jobs)
        fresh = weigh_chips(f"confirm_chips={s.confirm_chips}", self.network, self.task, 4.0 * s.tries * s.confirm_chips, jobs)
        ramps = s.tries * len(list(converted_columns(self.network)))
        return [line for line in (trials, fresh, weigh_samples(s.samples, 8, jobs, self.work.place, plans=ramps)) if line]

    def evaluate(self, point: Point) -> Row:
        """A trial's row."""
        row: Row = {**point, **self.costs(point)}
        try:
            loss = self.validation.predicted(self.design(point), self.settings.chips, self.settings.seed)
        except InputError as e:
            return row | dict.fromkeys(AccuracyLoss.__dataclass_fields__) | {"reason": str(e)}
        return row | loss.as_dict() | {"reason": ""}

    def simulated(self, row: Row) -> dict[str, Simulated]:
        """The ramps of a trial in SPICE, on chips that the search has not seen."""
        s, trial = self.settings, row["trial"]
        if trial not in self._simulated:
            self.run.say(f"SPICE: trial {trial}, {s.samples} chips of each ramp")
            self._simulated[trial] = simulated_ramps(
                self.design(row),
                list(converted_columns(self.network)),
                self.profile,
                samples=s.samples,
                seed=s.seed + FRESH,
                folder=self.work.out / SPICE,
                comparator=self.comparator,
                jobs=self.run.jobs,
                progress=self.run.progress,
            )
        return self._simulated[trial]

    def losses(self, row: Row, bench: DesignBench) -> Row:
        """Loss on fresh chips: ``predicted`` by the closed form, ``confirmed`` with models fitted to SPICE."""
        design, chips, seed = self.design(row), self.settings.confirm_chips, self.settings.seed + FRESH
        models = {activation: s.model for activation, s in self.simulated(row).items()}
        return {
            "predicted": bench.predicted(design, chips, seed).as_dict(),
            "confirmed": bench.loss(design, models, chips, seed).as_dict(),
        }


def figures_of(cost: NetworkCost) -> dict[str, float]:
    """What can be minimised of a cost."""
    return {"energy": cost.energy, "latency": cost.latency, "area": cost.area, "edp": cost.energy * cost.latency}


def compute(settings: OptimizeSettings, work: Work) -> Results:
    """Searches, confirms the best designs in SPICE, and compares them on the test sequences.

    Raises
    ------
    InputError
        A task, network, variable or value that does not fit.
    ToolkitError
        Optuna or ngspice is missing. Finished trials and simulations are kept; the same command goes on.
    """
    optuna()
    run = work.options
    job = Job(settings, work)
    digest = sha256_of(Path(settings.network))
    for line in job.weighed():
        run.say(line)
    identity = {"network_sha256": digest, "data_sha256": job.task.sha256, "comparator": job.comparator, "files": work.files()}
    made_by = versions() | {"optuna": optuna().__version__}
    known = finished_trials(work, identity | {"versions": made_by})
    # Trial n depends on those before it alone: how many there will be is no part of what they are.
    parts = work.parts(**identity, trials=None)
    judged = JUDGED[settings.judge]

    most = min(settings.trials, job.space.size)
    run.say(
        f"search: {most} of {job.space.size} designs, {settings.chips} chips each, {len(job.validation.data)} validation sequences"
    )
    with progress_bar(None, "search", most, "designs", show=run.progress) as bar:
        asked: dict[str, Any] = {
            "trials": settings.trials,
            "seed": settings.seed,
            "objective": settings.objective,
            "judged": judged,
            "max_loss": settings.max_loss,
            "known": known,
            "done": lambda _: bar.update(),
        }
        if settings.method == "gradient":
            rows = run_gradient_search(job.space, job.evaluate, parts, guide=Guide.of(job), **asked)
        else:
            rows = run_search(job.space, job.evaluate, parts, **asked)
    if all(row["loss"] is None for row in rows):
        raise InputError(f"no design can be built; the default design: {rows[0]['reason']}")
    for row in rows:
        row["within"] = row[judged] is not None and row[judged] <= settings.max_loss
    best = front(rows, settings.objective, judged)

    unmeasured: list[Row] = []
    tries = _confirm(job, best, judged, parts, unmeasured)
    chosen = next((t for t in tries if t["confirmed"]), None)
    run.say("test sequences")
    compared = _compare(job, {"default": rows[0], "chosen": chosen or (tries[-1] if tries else None)}, parts, unmeasured)
    if chosen is not None:
        for activation, ramp in job.simulated(chosen).items():
            ramp.model.save(work.out / "models" / f"{activation}.json")

    shares = {
        settings.objective: main_effects(job.space, job.objective, COST_SAMPLES, np.random.default_rng(settings.seed)),
        "loss": importances(job.space, rows, "loss", settings.seed),
    }
    table = [{"target": t, "variable": v, "importance": share} for t, found in shares.items() for v, share in found.items()]
    tables = {
        "trials.csv": pd.DataFrame(rows),
        "front.csv": pd.DataFrame([r | {"confirmed": verdict(r, tries)} for r in best]),
        "importances.csv": pd.DataFrame(table, columns=["target", "variable", "importance"]),
    }
    summary = {
        "seed": settings.seed,
        "variables": [
            {
                "name": v.name,
                "what": v.what,
                "unit": v.unit,
                "shown": v.shown,
                "grid": list(v.grid),
                "fixed": v.name in job.space.fixed,
            }
            for v in job.space.variables
        ],
        **identity,
        "taken_over": min(len(known), len(rows)),
        "validation_sequences": len(job.validation.data),
        "test_sequences": len(job.test.data),
        "steps": job.cost(job.space.default).steps,
        "designs": job.space.size,
        "trials": len(rows),
        **({} if settings.method == "tpe" else {"method": settings.method, "until_best": until_best(rows, settings.objective)}),
        "built": sum(r["loss"] is not None for r in rows),
        "within": sum(r["within"] for r in rows),
        "confirmed": chosen is not None,
        "winner": chosen and {v.name: chosen[v.name] for v in job.space.variables},
        "tries": tries,
        "unmeasured": unmeasured,
        "compared": compared,
        "saturation": None if job.clipped is None else job.clipped.as_dict(),
        "wires": {c["name"]: job.wires(c["point"]) for c in compared},
        "bias_rows": {c["name"]: split_biases(job.network, job.hardware(c["point"])) for c in compared},
        "warnings": _warnings(job, rows, tries, unmeasured, compared),
        "tasks": {job.task.name: str(job.task.provenance)},
        "versions": made_by,
    }
    pictures = {
        "front": partial(draw_front, rows, best, tries, settings.objective, judged, settings.max_loss),
        "importance": partial(draw_importances, tables["importances.csv"], settings.objective),
    }
    return Results(summary, tables, pictures)


def _confirm(job: Job, found: list[Row], judged: str, parts: Parts, unmeasured: list[Row]) -> list[Row]:
    """Take designs along the front to SPICE, the cheapest within the limit first, until one holds on the validation sequences.

    One whose chips SPICE cannot measure goes to ``unmeasured``.
    """
    tries: list[Row] = []
    for row in [r for r in found if r["within"]][: job.settings.tries]:
        if not _measurable(job, row, unmeasured):
            continue
        losses = parts.rows(f"confirm-{row['trial']:04d}", lambda row=row: [job.losses(row, job.validation)])[0]  # type: ignore[misc]
        ramps, loss = job.simulated(row).values(), losses["confirmed"][judged]
        tries.append(
            row
            | {
                "validation": losses,
                "ramps": [r.row for r in ramps],
                "failures": [f for r in ramps for f in r.failures],
                "confirmed": loss <= job.settings.max_loss,
            }
        )
        if tries[-1]["confirmed"]:
            break
        job.run.say(f"SPICE: trial {row['trial']} loses {100 * loss:.2f} %: not confirmed")
    return tries


def _measurable(job: Job, row: Row, unmeasured: list[Row]) -> bool:
    """Whether enough chips of a trial can be simulated; if not, it is noted, and said."""
    try:
        job.simulated(row)
    except InputError as e:
        unmeasured.append({"trial": row["trial"], "reason": str(e)})
        job.run.say(f"SPICE: trial {row['trial']} cannot be measured: {e}")
        return False
    return True


def _compare(job: Job, designs: Mapping[str, Row | None], parts: Parts, unmeasured: list[Row]) -> list[Row]:
    """Designs side by side on the test sequences; nothing is chosen by them. One that cannot be built or measured is left out."""
    out = []
    for name, row in designs.items():
        if row is None or row["loss"] is None or not _measurable(job, row, unmeasured):
            continue
        losses = parts.rows(f"test-{row['trial']:04d}", lambda row=row: [job.losses(row, job.test)])[0]  # type: ignore[misc]
        out.append(
            {
                "name": name,
                "trial": row["trial"],
                "point": {v.name: row[v.name] for v in job.space.variables},
                **{k: row[k] for k in OBJECTIVES},
                "test": losses,
                "blocks": job.blocks(row),
                "failures": [f for r in job.simulated(row).values() for f in r.failures],
            }
        )
    return out


def _warnings(job: Job, rows: list[Row], tries: list[Row], unmeasured: list[Row], compared: list[Row]) -> list[str]:
    """What stands between the search and a design to rely on; ramps that are used outside their fit."""
    limit = f"max_loss={job.settings.max_loss:g}"
    out = [
        *job.notes,
        *job.network.warnings,
        *(job.clipped.warnings if job.clipped else ()),
        *(f"trial {u['trial']}: SPICE cannot measure it: {u['reason']}" for u in unmeasured),
    ]
    if not any(r["within"] for r in rows):
        out.append(f"{limit}: no design tried is within; allow more loss, try more designs, or train the network with noise")
    elif not any(t["confirmed"] for t in tries):
        out.append(f"{limit}: SPICE confirmed no design that the closed form had within")
    n = len(job.validation.data)
    if any(r["within"] for r in rows) and (one := 1 / n) > job.settings.max_loss:
        out.append(f"{limit}: a single one of the {n} validation sequences is {one:.3g}; they cannot tell designs that near apart")
    for design in compared:
        loss = design["test"]["confirmed"][JUDGED[job.settings.judge]]
        if design["name"] == "chosen" and loss > job.settings.max_loss:
            out.append(f"{limit}: the design chosen on the validation sequences loses {loss:.3g} on the test sequences")
    for trial in tries:
        models = {a: s.model for a, s in job.simulated(trial).items()}
        out += [f"trial {trial['trial']}: {line}" for line in job.validation.hardware(job.design(trial), models).warnings]
    return out


STUDY = Study("optimize", OptimizeSettings, compute, describe)
run_optimize = STUDY.run
