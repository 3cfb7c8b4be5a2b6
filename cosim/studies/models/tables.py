"""Tables of the study of trust: tests of further sets of fresh chips, and one calibration procedure against another."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from characterization.chips import draw, error_at, measure, scope_shifts
from characterization.chips.recalibrate import recalibrate
from characterization.estimates import max_inl, of_columns
from characterization.plan import CALIBRATIONS, RampPlan
from characterization.ramp_model import Fresh, GoodnessOfFit, RampModel
from characterization.resume import Parts
from characterization.run import characterize
from characterization.streams import ValidationSource, validation_stream
from cosim.report import RunOptions
from netlists.ramp import to_input_units

from ..ramp_models import HELD_OUT_SEED_OFFSET

_CALIBRATION_BATCH = 64


def further_tests(model: RampModel, sets: int, chips: int, parts: Parts, options: RunOptions) -> list[dict[str, Any]]:
    """Tests further sets of fresh chips against the model, a row a set and test, and all these sets together (set 0)."""
    plan = model.ramp_plan
    found: list[np.ndarray] = []
    rows: list[dict[str, Any]] = []
    first = plan.seed + 2 * HELD_OUT_SEED_OFFSET
    for i in range(sets):
        fresh = replace(plan, seed=first + 10 * i, conversions=False)
        folder = parts.file(f"{plan.name}{plan.bits}-fresh-{i + 1}")
        run = characterize(fresh, chips, folder, jobs=options.jobs, progress=options.progress)
        levels = run.levels(calibrated=True)
        found.append(levels[np.isfinite(levels).all(axis=1)])
    groups = [(0, first, np.concatenate(found))] if found else []
    groups += [(i + 1, first + 10 * i, levels) for i, levels in enumerate(found)]
    tests = GoodnessOfFit(model, validation_stream(first, ValidationSource.REFERENCE))
    for number, seed, levels in groups:
        for test in tests.test(Fresh(np.full_like(levels, np.nan), levels, np.full_like(levels, np.nan)))["tests"]:
            row = {"activation": plan.name, "set": number, "seed": seed, "chips": len(levels)}
            rows.append(
                row | {"test": f"{test['figure']}: {test['asked']}", **{n: test[n] for n in ("effect", "p_value", "adjusted")}}
            )
    return rows


def calibration_table(plan: RampPlan, chips: int) -> pd.DataFrame:
    """Makes a row a procedure: |INL| and error at the point before and after, writes, transients on the way; the same chips."""
    return pd.DataFrame([calibration_row(replace(plan, calibration=name), chips) for name in CALIBRATIONS])


def calibration_row(plan: RampPlan, chips: int) -> dict[str, Any]:
    """Measures one procedure on ``chips`` chips in ngspice; figures over the chips, input LSB.

    They are of the column that calibrated the ramp, and, where a name says so, of any other column or of all of a chip's.

    ``measurements`` counts how often a chip is measured between the measurements as programmed and after calibration; in
    the binary search each is one conversion, otherwise the whole set of levels.
    """
    program, circuit = plan.program(), plan.circuit
    before, after, writes, shifts, measurements = [], [], [], dict[str, list[np.ndarray]](any=[], all=[]), 0
    for first in range(0, chips, _CALIBRATION_BATCH):
        drawn = draw(plan, np.arange(first, min(first + _CALIBRATION_BATCH, chips)))

        def levels(conductance: np.ndarray, drawn: Any = drawn) -> np.ndarray:
            return to_input_units(measure(plan.converter, drawn.chips(conductance)).volts, program, circuit)

        x = levels(drawn.conductance)
        done = recalibrate(plan, drawn, x, levels)
        before.append(x)
        after.append(levels(done.conductance))
        writes.append(done.writes)
        measurements = done.measurements
        for columns, found in shifts.items():
            found.append(scope_shifts(plan, drawn, columns))
    old, new = np.concatenate(before), np.concatenate(after)
    use = np.isfinite(old).all(axis=1) & np.isfinite(new).all(axis=1)
    worst = max_inl(new[use], program)
    others = {}
    for columns, found in shifts.items():
        x = np.concatenate([new, np.concatenate(found)], axis=1)[use]
        others[columns] = of_columns(max_inl, x.shape[1] - new.shape[1])(x, program)
    middle = float(np.interp(0.0, program.x, program.lsb))
    return {
        "calibration": plan.calibration,
        "chips": int(use.sum()),
        "max_inl_before_lsb": float(max_inl(old[use], program).mean()),
        "max_inl_after_lsb": float(worst.mean()),
        "max_inl_after_p95_lsb": float(np.quantile(worst, 0.95)),
        **{f"max_inl_{columns}_after_lsb": float(inl.mean()) for columns, inl in others.items()},
        **{f"within_half_lsb_{columns}": float(np.mean(inl <= 0.5)) for columns, inl in ({"calibrating": worst} | others).items()},
        "offset_sigma_before_lsb": float(np.std(error_at(0.0, old[use], program), ddof=1) / middle),
        "offset_sigma_after_lsb": float(np.std(error_at(0.0, new[use], program), ddof=1) / middle),
        "writes_mean": float(np.concatenate(writes).mean()),
        "writes_max": int(np.concatenate(writes).max()),
        "measurements": measurements,
    }
