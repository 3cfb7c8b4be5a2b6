"""Study of the read voltage: a ramp made in memory follows it, a ramp from a fixed reference does not.

The array's V_mac is proportional to V_read. So are the steps of a ramp that the same read voltage drives through
memristors; a conventional ramp comes from a reference of its own. Both are calibrated at 0.2 V, then V_read moves
(the sweep of Yang et al. 2025, Fig. 3). What is left of the in-memory ramp is the comparator's offset: the calibration cells took
it out in charge, which follows V_read, while the offset does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from characterization.chips import measure, measure_batch
from characterization.figures import inl_input
from characterization.plan import RampPlan
from characterization.run import BATCH, check_counts
from cosim.report import Results, Study, Takes, Work
from netlists.ramp import to_input_units

from .pictures import draw
from .settings import FIXED, IN_MEMORY, VreadSettings


def compute(settings: VreadSettings, work: Work) -> Results:
    """Simulates calibrated chips over the sweep."""
    check_counts(settings.samples, work.options.jobs)
    plans = [RampPlan(name, settings.bits, seed=settings.seed) for name in settings.activations]
    batches = [np.arange(s, min(s + BATCH, settings.samples)) for s in range(0, settings.samples, BATCH)]
    jobs = {f"{plan.name}-{batch[0]}": partial(_chips, plan, batch, settings.v_read) for plan in plans for batch in batches}
    found = work.rows(jobs, "batches", "V_read")
    order = ["activation", "converter", "v_read", "sample", "k"]
    levels = pd.DataFrame([row for rows in found for row in rows]).astype({"x": float}).sort_values(order, ignore_index=True)
    figures = _figures(levels, plans)
    failed = levels.groupby(["activation", "sample"])["x"].apply(lambda x: x.isna().any()).sum()
    return Results(
        summary={
            "bits": settings.bits,
            "samples": settings.samples,
            "failed": int(failed),
            "seed": settings.seed,
            "plans": {plan.name: plan.sha256 for plan in plans},
            "figures": figures.to_dict("records"),
        },
        tables={"levels.parquet": levels, "figures.csv": figures},
        pictures={"vread": partial(draw, figures, levels, plans[0])},
    )


def _chips(plan: RampPlan, samples: np.ndarray, v_reads: Sequence[float]) -> list[dict[str, Any]]:
    """Measures levels of calibrated chips at each read voltage, in the input units that the array's V_mac then has."""
    program = plan.program()
    batch = measure_batch(plan, samples, conversions=False)
    chips = batch.drawn.chips(batch.conductance)
    rows = []
    for v_read in v_reads:
        circuit = plan.circuit.with_(v_read=v_read)
        moved = measure(replace(plan.converter, circuit=circuit), chips).volts
        # The conventional ramp keeps the levels it had at the nominal read voltage; only the scale of V_mac moves.
        for converter, volts in ((IN_MEMORY, moved), (FIXED, batch.after.volts)):
            labels = {"activation": plan.name, "converter": converter, "v_read": v_read}
            for sample, x in zip(samples, to_input_units(volts, program, circuit), strict=True):
                rows += [
                    labels | {"sample": int(sample), "k": k, "x": float(level) if np.isfinite(level) else None}
                    for k, level in enumerate(x, 1)
                ]
    return rows


def _figures(levels: pd.DataFrame, plans: Sequence[RampPlan]) -> pd.DataFrame:
    """Finds mean and 5-95 % of max |INL| over the chips, and the mean gain, for each activation, converter and read voltage."""
    programs = {plan.name: plan.program() for plan in plans}
    rows = []
    for (activation, converter, v_read), group in levels.groupby(["activation", "converter", "v_read"]):
        program = programs[activation]
        x = group["x"].to_numpy().reshape(-1, len(program.x))
        x = x[np.isfinite(x).all(axis=1)]
        worst = np.abs(inl_input(x, program)).max(axis=1)
        low, high = np.quantile(worst, [0.05, 0.95])
        gain = (x[:, -1] - x[:, 0]) / (program.x[-1] - program.x[0])
        rows.append(
            {
                "activation": activation,
                "converter": converter,
                "v_read": v_read,
                "chips": len(x),
                "max_inl_lsb": float(worst.mean()),
                "max_inl_p05": float(low),
                "max_inl_p95": float(high),
                "gain": float(gain.mean()),
            }
        )
    return pd.DataFrame(rows)


def describe(summary: dict[str, Any]) -> str:
    """Writes the summary for reading."""
    return "\n".join(
        f"{row['activation']}, {row['converter']}, {row['v_read']:g} V: mean max |INL| {row['max_inl_lsb']:.3f} LSB,"
        f" gain {row['gain']:.4f}"
        for row in summary["figures"]
    )


STUDY = Study(
    "vread", VreadSettings, compute, describe, Takes(12.0, lambda s: s.samples * len(s.activations) * len(s.v_read)), networks=False
)
