"""Study of the calibration of a nonlinear ramp: what it gives back to chips with stuck cells or a large programming error.

Yang et al. 2025, Fig. 3: 32 ramp cells and 5 calibration cells, whose one-point calibration must rescue columns with cells stuck
at OFF and with a high programming error. Each chip is measured in ngspice as programmed and after each calibration. Beside
them stands what no calibration that only shifts the ramp can beat.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from characterization.chips import POINT, measure_batch, stuck_cells
from characterization.plan import RampPlan
from characterization.run import BATCH, check_counts
from cosim.report import Results, Study, Takes, Work
from netlists.errors import InputError
from netlists.ramp import CALIBRATION, RampProgram, to_input_units
from netlists.technology import NOMINAL, DeviceProfile, circuit_at, load_profile

from .pictures import draw_inl, draw_ramps, draw_yield
from .settings import CASE, CalibrationSettings
from .tables import chip_table, figure_tables, ramp_table


@dataclass(frozen=True)
class CalibrationGroup:
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
        """Finds the first ``count`` sample numbers that belong to the group."""
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


def groups(settings: CalibrationSettings, cells: int) -> list[CalibrationGroup]:
    """Lists the groups of a column with so many cells, ramp and calibration: as programmed, stuck cells, larger errors."""
    device = load_profile(settings.profile)
    return [
        CalibrationGroup("full variation", device),
        CalibrationGroup("one cell stuck", replace(device, stuck_off_rate=1 / cells), one_stuck=True),
        CalibrationGroup(f"{100 * settings.stuck_rate:g} % of cells stuck", replace(device, stuck_off_rate=settings.stuck_rate)),
        *(
            CalibrationGroup(
                f"{factor:g} x programming error",
                replace(device, program_sigma=factor * device.program_sigma, program_window=factor * device.program_window),
            )
            for factor in settings.error_factors
        ),
    ]


def plan_of(settings: CalibrationSettings, number: int, calibration: str, group: CalibrationGroup | None = None) -> RampPlan:
    """Plans the ramp with this number among the activations; the chips of a group are the same for every calibration."""
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


def compute(settings: CalibrationSettings, work: Work) -> Results:
    """Simulates every group as programmed and after each calibration."""
    check_counts(settings.samples, work.options.jobs)
    plans = {p.name: p for p in (plan_of(settings, i, settings.calibrations[0]) for i in range(len(settings.activations)))}
    cases = {
        (name, group.name, calibration): (plan_of(settings, i, calibration, group), group)
        for i, (name, plan) in enumerate(plans.items())
        for group in groups(settings, plan.program().n_cells)
        for calibration in settings.calibrations
    }
    jobs = {}
    for labels, (plan, group) in cases.items():
        samples = group.samples(plan, plan.program(), settings.samples)
        for first in range(0, len(samples), BATCH):
            part = f"{'-'.join(labels)}-{first}".replace(" ", "_").replace("%", "percent")
            jobs[part] = partial(_chips, labels, plan, samples[first : first + BATCH])
    chips = pd.DataFrame([row for batch in work.rows(jobs, "batches", "chips") for row in batch])
    programs = {name: plan.program() for name, plan in plans.items()}
    tables = figure_tables(chips, programs, settings.limits) | {"ramps": ramp_table(chips, plans)}
    everyone = chip_table(chips, programs)
    pictures: dict[str, Any] = {"yield": partial(draw_yield, tables["yield"])}
    for name in programs:
        ramps, inl = (tables[t][tables[t]["activation"] == name] for t in ("ramps", "inl"))
        pictures |= {f"ramps-{name}": partial(draw_ramps, ramps), f"inl-{name}": partial(draw_inl, inl)}
    failed = everyone[everyone["status"] != "ok"]
    return Results(
        summary={
            "seed": settings.seed,
            "level": "macro",
            "schemes": {name: program.scheme for name, program in programs.items()},
            "ramp_cells": {name: int(np.sum(program.step != CALIBRATION)) for name, program in programs.items()},
            "calibration_cells": {name: len(program.calibration_cells) for name, program in programs.items()},
            "point": POINT,
            "failed": failed[[*CASE, "seed", "sample", "status", "message"]].to_dict("records"),
            "plans": {", ".join(labels): plan.sha256 for labels, (plan, _) in cases.items()},
            **{title: _records(tables[title]) for title in ("calibration", "yield")},
        },
        tables={f"{title}.csv": table for title, table in tables.items()} | {"chips.parquet": everyone},
        pictures=pictures,
        float_format="%.7g",
    )


def _chips(labels: tuple[str, str, str], plan: RampPlan, samples: np.ndarray) -> list[dict[str, Any]]:
    """Makes a row a chip: which cells are stuck, and the transition levels before and after, None where ngspice gave none."""
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
    """Makes rows as JSON has them: None, not NaN."""
    return table.astype(object).where(table.notna(), None).to_dict("records")


def describe(summary: dict[str, Any]) -> str:
    """Writes the summary for reading."""
    lines = [
        f"{r['activation']}, {r['group']}, {r['calibration']}: {100 * r['yield']:.1f} %"
        f" ({100 * r['low']:.1f} to {100 * r['high']:.1f} %) within {r['limit_lsb']:g} LSB"
        for r in summary["yield"]
    ]
    return "\n".join([*lines, f"{len(summary['failed'])} measurements failed"])


STUDY = Study(
    "nladc-calibration",
    CalibrationSettings,
    compute,
    describe,
    Takes(480.0, lambda s: s.samples * len(s.activations) * len(s.calibrations) * (3 + len(s.error_factors))),
    networks=False,
)
