"""Study of the data's energy: what each sequence of a test set drives, converts and waits for, priced and held against ngspice.

Counted: the pulses on every row at every step, the ramp steps until a column latches and until the last of its tile does.
Priced: the terms of `cosim.cost` with these counts. Held against ngspice: a column's cells over steps of sequences at level macro,
all its blocks over single steps at level sky130.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cosim.cost import count_sequences, design_of
from cosim.network import Network
from cosim.report import Results, Study, Takes, Work
from cosim.tasks import load_task
from netlists.errors import InputError

from . import pictures
from .settings import DataEnergySettings
from .spice import LIMIT, ColumnBench, sequence_row
from .tables import energy_rows, hardware_of, with_savings


def compute(settings: DataEnergySettings, work: Work) -> Results:
    """Counts, prices and simulates.

    Raises
    ------
    InputError
        A network that is not there or does not fit the task.
    """
    if not Path(settings.network).is_file():
        raise InputError(f"network={settings.network!r}: no such file; `cosim study error-sources` makes it, or name another")
    network, task = Network.load(settings.network), load_task(settings.task)
    rows, blocks = [], []
    for bits in settings.bits:
        for delta in (None, *settings.deltas):
            work.options.say(f"{bits} bits, {'every row' if delta is None else f'delta inputs above {delta:g}'}")
            hardware = hardware_of(bits, settings.pwm_bits, delta)
            more, each = energy_rows(network, task.test, hardware, bits, settings.tiles)
            rows += more
            blocks += each
    table = with_savings(rows)
    checks = pd.DataFrame(_simulated(settings, network, task.test, work))
    tile = settings.tiles[0]
    return Results(
        summary={
            "tasks": {settings.task: str(task.provenance)},
            "seed": settings.seed,
            "sequences": len(task.test),
            "steps": [int(task.test.lengths.min()), int(task.test.lengths.max())],
            "limit": LIMIT,
            "savings": table[(table["bits"] == settings.bits[0])].to_dict("records"),
            "checks": _verdict(checks),
        },
        tables={"energy.csv": table, "blocks.csv": pd.DataFrame(blocks), "spice.csv": checks},
        pictures={"pareto": partial(pictures.pareto, table, tile, settings.task)},
        float_format="%.6g",
    )


def _simulated(settings: DataEnergySettings, network: Network, data: Any, work: Work) -> list[dict[str, Any]]:
    """Compares sequences at level macro and single steps at level sky130, with and without delta inputs in turn."""
    rng, bits = np.random.default_rng(settings.seed), settings.bits[0]
    some = rng.permutation(len(data))[: max(settings.sequences, settings.transistor_steps)]
    if len(some) == 0:
        return []
    picked, jobs = data.select(some), {}
    traces = {
        delta: count_sequences(network, picked, hardware_of(bits, settings.pwm_bits, delta), bits, trace=True)
        for delta in (None, *settings.deltas[:1])
    }
    for n, level in [(settings.sequences, "macro"), (settings.transistor_steps, "sky130")]:
        for i in range(min(n, len(some))):
            delta = list(traces)[i % len(traces)]
            job = partial(_compared, network, traces[delta], level, i, int(some[i]), delta, settings.steps_each)
            jobs[f"{level}-{i}"] = job
    return [row for rows in work.rows(jobs, "sequences", "ngspice") for row in rows]


def _compared(network: Network, used: Any, level: str, i: int, number: int, delta: float | None, each: int) -> list[dict[str, Any]]:
    design, length = design_of(used.hardware), int(used.lengths[i])
    columns = network.layers[0].cell.matrices[0].shape[1]
    bench = ColumnBench.of(network, used, (37 * i) % columns, design)
    several = np.unique(np.linspace(0, length - 1, each).round().astype(int)).tolist()
    steps = several if level == "macro" else [length // 2]
    row = sequence_row(bench, level, used, i, steps)
    return [row | {"sequence": number, "delta": -1.0 if delta is None else delta}]


def _verdict(checks: pd.DataFrame) -> dict[str, Any]:
    return {
        level: {
            "compared": len(rows),
            "steps": int(rows["steps"].sum()),
            "within": int(rows["within"].sum()),
            "lowest": float(rows["ratio"].min()),
            "highest": float(rows["ratio"].max()),
        }
        for level, rows in (checks.groupby("level") if len(checks) else ())
    }


def describe(summary: dict[str, Any]) -> str:
    """Writes what the measures save and how far the model is from ngspice, for reading."""
    lines = []
    for r in summary["savings"]:
        driven = r["driven"] if r["driven"] == "every row" else f"changes above {r['delta']:g}"
        lines.append(
            f"{r['bits']} bits, {driven}, tiles of {r['tile']}, {r['measures']}: {1e9 * r['energy']:.4g} nJ "
            f"({1e9 * r['energy_p05']:.4g}..{1e9 * r['energy_p95']:.4g}), {100 * r['energy_change']:+.2f} %; "
            f"{1e6 * r['time']:.4g} us; accuracy {100 * r['accuracy']:.2f} %"
        )
    lines += [
        f"ngspice, {level}: model {c['lowest']:.4f} to {c['highest']:.4f} times, {c['within']} of {c['compared']} within "
        f"{100 * summary['limit']:g} %"
        for level, c in summary["checks"].items()
    ]
    return "\n".join(lines)


STUDY = Study(
    "data-energy",
    DataEnergySettings,
    compute,
    describe,
    Takes(60.0, lambda s: 200 + s.sequences * s.steps_each + 45 * s.transistor_steps),
)
