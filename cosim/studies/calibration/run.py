"""Study of the calibration of a nonlinear ramp: what it gives back to chips with stuck cells or a large programming error.

Yang et al. 2025, Fig. 3: 32 ramp cells and 5 calibration cells, whose one-point calibration must rescue columns with cells stuck
at OFF and with a high programming error. Each chip is measured in ngspice as programmed and after each calibration. Beside
them stands what no calibration that only shifts the ramp can beat.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from pydantic import Field
from tqdm import tqdm

from characterization.chips import POINT, measure_batch, stuck_cells
from characterization.plan import DEFAULT_PROFILE, RampPlan
from characterization.provenance import versions
from characterization.resume import Parts
from characterization.run import BATCH, check_counts
from characterization.workers import in_workers
from cosim.report import Numbers, RunOptions, Study, StudySettings, Words, write_report
from netlists.errors import InputError
from netlists.files import make_folder, write_atomic, write_json
from netlists.ramp import CALIBRATION, RampProgram, to_input_units
from netlists.technology import NOMINAL, DeviceProfile, circuit_at, load_profile

from .page import draw_inl, draw_ramps, draw_yield, page
from .tables import CASE, chip_table, figure_tables, ramp_table

__all__ = ["STUDY", "Group", "Settings", "groups", "page", "plan_of", "run_calibration_study"]


class Settings(StudySettings):
    """What is simulated."""

    activations: Words = Field(("sigmoid", "tanh"), min_length=1, description="functions of the ramps")
    bits: int = Field(5, ge=1, le=8, description="resolution")
    samples: int = Field(256, ge=8, description="chips of each ramp, group and calibration")
    seed: int = Field(1, ge=0, description="of the first function; the next takes the next seed")
    profile: str = Field(DEFAULT_PROFILE, description="device profile, or a TOML file of one's own")
    calibration_cells: int = Field(5, ge=1, le=32, description="cells that set where the ramp starts")
    calibrations: Words = Field(("one-point", "two-point", "trim"), min_length=1, description="procedures")
    stuck_rate: float = Field(0.02, gt=0, lt=1, description="share of cells stuck at OFF in the group with a rate")
    error_factors: Numbers = Field((3.0, 10.0), description="programming error, times the profile's")
    limits: Numbers = Field((0.5, 1.0), min_length=1, description="largest |INL| of a chip that passes, input LSB")
    v_swing: float = Field(1.0, gt=0, description="span of the ramp, volts")


@dataclass(frozen=True)
class Group:
    """Chips of one kind.

    Attributes
    ----------
    name : str
    profile : DeviceProfile
    one_stuck : bool
        Only chips of which exactly one cell is stuck, a ramp cell.
    """

    name: str
    profile: DeviceProfile
    one_stuck: bool = False

    def samples(self, plan: RampPlan, program: RampProgram, count: int) -> np.ndarray:
        """The first ``count`` sample numbers that belong to the group."""
        if not self.one_stuck:
            return np.arange(count)
        found = np.empty(0, int)
        block = 4 * count
        # One chip in three has exactly one stuck ramp cell at a rate of one cell a chip.
        for first in range(0, 100 * block, block):
            numbers = np.arange(first, first + block)
            stuck = stuck_cells(plan, numbers)
            found = np.append(found, numbers[(stuck.sum(axis=1) == 1) & stuck[:, program.step != CALIBRATION].any(axis=1)])
            if len(found) >= count:
                return found[:count]
        raise InputError(
            f"{plan.name}, {plan.bits} bits: fewer than {count} chips in {100 * block} have exactly one stuck ramp cell"
        )


def groups(settings: Settings, cells: int) -> list[Group]:
    """The groups of a column with so many cells, ramp and calibration: as programmed, stuck cells, larger errors."""
    device = load_profile(settings.profile)
    return [
        Group("full variation", device),
        Group("one cell stuck", replace(device, stuck_off_rate=1 / cells), one_stuck=True),
        Group(f"{100 * settings.stuck_rate:g} % of cells stuck", replace(device, stuck_off_rate=settings.stuck_rate)),
        *(
            Group(
                f"{factor:g} x programming error",
                replace(device, program_sigma=factor * device.program_sigma, program_window=factor * device.program_window),
            )
            for factor in settings.error_factors
        ),
    ]


def plan_of(settings: Settings, number: int, calibration: str, group: Group | None = None) -> RampPlan:
    """Plan of the ramp with this number among the activations; the chips of a group are the same for every calibration."""
    base = RampPlan(
        settings.activations[number],
        settings.bits,
        seed=settings.seed + number,
        profile=load_profile(settings.profile),
        circuit=circuit_at(NOMINAL).with_(v_swing=settings.v_swing),
        n_calibration=settings.calibration_cells,
        calibration=calibration,
        conversions=False,
    )
    # The statistics rank the schemes: all groups keep the one of the first.
    return base if group is None else replace(base, profile=group.profile, scheme=base.program().scheme)


def run_calibration_study(settings: Settings, out: Path, run: RunOptions) -> dict[str, Any]:
    """Simulate every group; write ``calibration.csv``, ``yield.csv``, ``inl.csv``, ``ramps.csv``, ``chips.parquet``, pictures."""
    check_counts(settings.samples, run.jobs)
    start = time.perf_counter()
    plans = [plan_of(settings, i, settings.calibrations[0]) for i in range(len(settings.activations))]
    out = make_folder(Path(out))
    parts = Parts(out, settings.model_dump(mode="json"))
    cases = [
        (plan.name, group.name, calibration, plan_of(settings, i, calibration, group), group)
        for i, plan in enumerate(plans)
        for group in groups(settings, plan.program().n_cells)
        for calibration in settings.calibrations
    ]
    calls = []
    for name, group, calibration, plan, kind in cases:
        samples = kind.samples(plan, plan.program(), settings.samples)
        for first in range(0, len(samples), BATCH):
            part = f"{name}-{group}-{calibration}-{first}".replace(" ", "_").replace("%", "percent")
            calls.append(joblib.delayed(_stored)(parts, part, (name, group, calibration), plan, samples[first : first + BATCH]))
    found = tqdm(in_workers(calls, run.jobs), total=len(calls), unit=" batches", desc="chips", disable=not run.progress)
    place = {case[:3]: i for i, case in enumerate(cases)}
    rows = sorted((row for batch in found for row in batch), key=lambda r: (place[tuple(r[c] for c in CASE)], r["sample"]))
    chips, programs = pd.DataFrame(rows), {plan.name: plan.program() for plan in plans}
    tables = figure_tables(chips, programs, settings.limits)
    tables["ramps"] = ramp_table(chips, {plan.name: plan for plan in plans})
    for title, table in tables.items():
        write_atomic(out / f"{title}.csv", partial(table.to_csv, index=False, float_format="%.7g"))
    everyone = chip_table(chips, programs)
    write_atomic(out / "chips.parquet", everyone.to_parquet)
    for name in programs:
        ramps, inl = (tables[t][tables[t]["activation"] == name] for t in ("ramps", "inl"))
        draw_ramps(out / "pictures" / f"ramps-{name}", ramps)
        draw_inl(out / "pictures" / f"inl-{name}", inl)
    draw_yield(out / "pictures" / "yield", tables["yield"])
    failed = everyone[everyone["status"] != "ok"]
    summary = {
        "study": STUDY.name,
        "settings": settings.model_dump(mode="json"),
        "seed": settings.seed,
        "level": "macro",
        "schemes": {name: program.scheme for name, program in programs.items()},
        "ramp_cells": {name: int(np.sum(program.step != CALIBRATION)) for name, program in programs.items()},
        "calibration_cells": {name: len(program.calibration_cells) for name, program in programs.items()},
        "point": POINT,
        "failed": failed[[*CASE, "seed", "sample", "status", "message"]].to_dict("records"),
        "plans": {f"{name}, {group}, {calibration}": plan.sha256 for name, group, calibration, plan, _ in cases},
        **{title: _records(tables[title]) for title in ("calibration", "yield")},
        "versions": versions(),
        "wall_seconds": round(time.perf_counter() - start, 1),
    }
    write_json(out / "summary.json", summary)
    write_report(out)
    parts.done()
    return summary


def _stored(parts: Parts, part: str, labels: tuple[str, str, str], plan: RampPlan, samples: np.ndarray) -> list[dict[str, Any]]:
    return parts.rows(part, partial(_chips, labels, plan, samples))


def _chips(labels: tuple[str, str, str], plan: RampPlan, samples: np.ndarray) -> list[dict[str, Any]]:
    """A row a chip: which cells are stuck, and the transition levels before and after, None where ngspice gave none."""
    program = plan.program()
    batch = measure_batch(plan, samples)
    before, after = (to_input_units(m.volts, program, plan.circuit) for m in (batch.before, batch.after))
    rows = []
    for i, sample in enumerate(samples):
        status = next((m.status[i] for m in (batch.before, batch.after) if m.status[i] != "ok"), "ok")
        rows.append(
            dict(zip(CASE, labels, strict=True))
            | {
                "seed": plan.seed,
                "sample": int(sample),
                "stuck_ramp_cells": int(batch.drawn.stuck[i, program.step != CALIBRATION].sum()),
                "stuck_calibration_cells": int(batch.drawn.stuck[i, program.calibration_cells].sum()),
                "writes": int(batch.writes[i]),
                "status": status,
                "message": " ".join(filter(None, (batch.before.message[i], batch.after.message[i]))),
                "before": before[i].tolist() if np.isfinite(before[i]).all() else None,
                "after": after[i].tolist() if np.isfinite(after[i]).all() else None,
            }
        )
    return rows


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON has them: None, not NaN."""
    return table.astype(object).where(table.notna(), None).to_dict("records")


def describe(summary: dict[str, Any]) -> str:
    """The summary for reading."""
    lines = [
        f"{r['activation']}, {r['group']}, {r['calibration']}: {100 * r['yield']:.1f} %"
        f" ({100 * r['low']:.1f} to {100 * r['high']:.1f} %) within {r['limit_lsb']:g} LSB"
        for r in summary["yield"]
    ]
    return "\n".join([*lines, f"{len(summary['failed'])} measurements failed"])


STUDY = Study("nladc-calibration", Settings, run_calibration_study, describe)
