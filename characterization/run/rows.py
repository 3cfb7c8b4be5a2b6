"""What is kept of a sample: one row each while a run goes on, and the long tables that are made of them at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from characterization.chips import Calibrated, Measured, draw
from characterization.plan import RampPlan
from netlists.ramp import to_input_units

if TYPE_CHECKING:
    import pyarrow as pa

TABLES = ("transitions", "conversions", "samples")
MEASUREMENTS = ("before", "after", "conversion")
"""Each chip is measured as programmed, after calibration, and in one noisy conversion by another column."""


def measured_rows(plan: RampPlan, batch: Calibrated) -> pa.Table:
    """One row a sample of a measured batch: what was drawn, and the levels of each measurement in input units."""
    measured = dict(zip(MEASUREMENTS, (batch.before, batch.after, batch.conversion), strict=True))
    n = len(batch.drawn.samples)
    # What the plan does not ask for did not fail.
    status = [next((m.status[i] for m in measured.values() if m.status[i] not in ("ok", "not measured")), "ok") for i in range(n)]
    message = ["; ".join(m.message[i] for m in measured.values() if m.message[i]) for i in range(n)]
    drawn = batch.drawn
    return _rows(
        sample=drawn.samples,
        status=status,
        message=message,
        opamp_offset=drawn.opamp_offset,
        comparator_offset=drawn.comparator_offset,
        column_offset=drawn.column_offset,
        cells_reprogrammed=(batch.conductance != drawn.conductance).sum(axis=1),
        retried=[any(m.retried[i] for m in measured.values()) for i in range(n)],
        levels={name: to_input_units(m.volts, plan.program(), plan.circuit) for name, m in measured.items()},
        measured=measured,
    )


def lost_rows(plan: RampPlan, samples: np.ndarray, status: str, message: str) -> pa.Table:
    """The same for samples whose simulation took its process with it, or had to be killed: what was drawn, and no levels."""
    drawn, n = draw(plan, samples), len(samples)
    nothing = np.full((n, len(plan.program().x)), np.nan)
    return _rows(
        sample=drawn.samples,
        status=[status] * n,
        message=[message] * n,
        opamp_offset=drawn.opamp_offset,
        comparator_offset=drawn.comparator_offset,
        column_offset=drawn.column_offset,
        cells_reprogrammed=np.zeros(n, int),
        retried=[True] * n,
        levels=dict.fromkeys(MEASUREMENTS, nothing),
        measured={
            name: Measured(nothing, [status if name == "before" else "not calibrated"] * n, [""] * n) for name in MEASUREMENTS
        },
    )


def _rows(*, levels: dict[str, np.ndarray], measured: dict[str, Measured], **columns: object) -> pa.Table:
    import pyarrow as pa

    arrays = {name: pa.array(values) for name, values in columns.items()}
    for name in MEASUREMENTS:
        arrays[f"{name}_status"] = pa.array(measured[name].status)
        values = np.ascontiguousarray(levels[name], float)
        arrays[name] = pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1])
    return pa.table(arrays)


def levels_of(rows: pa.Table, measurement: str) -> np.ndarray:
    """Levels (samples, thresholds) of one of `MEASUREMENTS`, input units."""
    column = rows[measurement].combine_chunks()
    return column.flatten().to_numpy(zero_copy_only=False).reshape(len(rows), column.type.list_size)


def long_tables(rows: pa.Table, seed: int, x_ideal: np.ndarray) -> dict[str, pa.Table]:
    """The tables of a run from rows in the order of their samples.

    ``transitions`` and ``conversions`` have one row a level, in the order of sample, calibrated (no, yes) and k.
    """
    import pyarrow as pa

    n, levels = len(rows), len(x_ideal)
    sample = rows["sample"].to_numpy()
    k = np.arange(1, levels + 1)

    def table(names: tuple[str, ...]) -> dict[str, pa.Array]:
        m = len(names)
        x = np.stack([levels_of(rows, name) for name in names], axis=1)
        status = pa.concat_arrays([rows[f"{name}_status"].combine_chunks() for name in names])
        # Row i of measurement j stands at j * n + i of ``status``.
        at = np.repeat((np.arange(n)[:, None] + n * np.arange(m)).ravel(), levels)
        return {
            "sample": pa.array(np.repeat(sample, m * levels)),
            "k": pa.array(np.tile(k, n * m)),
            "x_ideal": pa.array(np.tile(x_ideal, n * m)),
            "x": pa.array(x.ravel()),
            "calibrated": pa.array(np.tile(np.repeat(np.arange(m) > 0, levels), n)),
            "status": status.take(pa.array(at)),
        }

    conversions = table(("conversion",))
    del conversions["calibrated"]
    drawn = ("opamp_offset", "comparator_offset", "column_offset", "cells_reprogrammed", "retried")
    samples = {
        "sample": rows["sample"],
        "seed": pa.array(np.full(n, seed, np.int64)),
        **{name: rows[name] for name in ("status", "message", *drawn)},
    }
    return {"transitions": pa.table(table(("before", "after"))), "conversions": pa.table(conversions), "samples": pa.table(samples)}
