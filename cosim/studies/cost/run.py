"""Study of cost: energy from SPICE, energy, time and area of networks, and Table 1 of Yang et al. 2025."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from characterization.transistors import energy
from cosim.chip import Hardware
from cosim.cost import MEASURED, NetworkShape, compare, constants, figure_table, fit
from cosim.evaluation import accuracy_interval, evaluate
from cosim.network import Network
from cosim.report import Results, Study, Takes, Work
from cosim.tasks import load_task
from netlists.errors import InputError
from netlists.technology import RampCircuit, pdk

from . import pictures, table1
from .settings import CostSettings
from .tables import bottleneck_rows, halving_rows, network_summary, package_rows, pareto_rows, sweep_rows, term_rows


def compute(settings: CostSettings, work: Work) -> Results:
    """Simulates and computes; also writes the package's file of measured figures if that is asked for.

    Raises
    ------
    InputError
        A network that is not there or does not fit the task.
    SimulationError, ToolkitError
        As `netlists.spice.engine.simulate`.
    """
    if not Path(settings.network).is_file():
        raise InputError(f"network={settings.network!r}: no such file; `cosim study error-sources` makes it, or name another")
    network, task = Network.load(settings.network), load_task(settings.task)
    network.check(task.test)
    parts = work.parts()
    jobs = _simulations(settings)
    rows = [row for name in work.options.bar(list(jobs), "bench", "energy from SPICE") for row in parts.rows(name, jobs[name])]
    energies = pd.DataFrame(rows)
    work.options.say("accuracy at each resolution")
    found = {b: parts.rows(f"accuracy-{b}", partial(_accuracy, settings, network, task, b))[0] for b in settings.bits}
    model = fit(5)
    shape = NetworkShape.of(network, round(float(np.mean(task.test.lengths))))
    listed: dict[str, list[dict[str, Any]]] = {
        "energy": rows,
        "halving": halving_rows(energies, settings.v_reads),
        "table1": compare(model, 5),
        "table1_from_8_bits": compare(fit(8), 8),
        "table1_bottom_up": table1.bottom_up(),
        "constants": [{"constant": n, "value": v} for n, v in constants(model).items()],
        "implied": table1.implied_rows(),
        "phases": table1.phase_rows(),
        "unknown": table1.unknown_rows(model),
        "terms": term_rows(),
        "bottleneck": bottleneck_rows(),
        "sweep": sweep_rows(settings.bits, settings.hidden, settings.arrays),
        "accuracy": pareto_rows(shape, found),
        "efficiencies": table1.efficiency_rows(),
    }
    tables = {name: pd.DataFrame(rows) for name, rows in listed.items()} | {"figures": figure_table()}
    if settings.write_measured:
        figures = energy.measured_figures([energy.BlockEnergy.from_row(r) for r in rows])
        energy.write_measured(figures, Path(str(files("cosim.cost").joinpath(MEASURED))))
    return Results(
        summary={
            "seed": settings.seed,
            "tasks": {settings.task: str(task.provenance)},
            "table1": table1.verdict(tables["table1"]),
            "table1_bottom_up": table1.verdict(tables["table1_bottom_up"]),
            "constants": dict(constants(model)),
            "bounds_hold": bool(energies["within"].all()),
            "halving": tables["halving"].to_dict("records"),
            "measured": package_rows(energies),
            "network": network_summary(shape),
            "models": pdk.provenance() if "sky130" in settings.levels else None,
        },
        tables={f"{name}.csv": table for name, table in tables.items()},
        pictures={
            "pareto": partial(pictures.pareto, tables["accuracy"], pd.DataFrame(table1.published_keywords())),
            "table1": partial(pictures.table1, tables["table1"]),
            "terms": partial(pictures.terms, tables["terms"]),
            "efficiencies": partial(pictures.efficiencies, tables["efficiencies"]),
            "sweeps": partial(pictures.sweeps, tables["sweep"]),
        },
        float_format="%.7g",
    )


def _simulations(settings: CostSettings) -> dict[str, Callable[[], list[dict[str, Any]]]]:
    """Lists every simulation by the name of its part."""
    circuit = RampCircuit()
    program = energy.default_program(settings.ramp_bits)
    jobs: dict[str, Callable[[], list[energy.BlockEnergy]]] = {}
    for level in settings.levels:
        for n, v in enumerate(settings.v_reads):
            at = circuit.with_(v_read=v)
            jobs[f"mac-{level}-{v:g}"] = partial(energy.measure_mac, level, at)
            for v_mac in energy.V_MACS if level == "sky130" and n == 0 else energy.V_MACS[1:2]:
                jobs[f"ramp-{level}-{v:g}-{v_mac:g}"] = partial(energy.measure_ramp, level, at, program, v_mac)
    if "sky130" in settings.levels:
        jobs["gates"] = partial(energy.measure_gates, circuit)
        if settings.mismatch_chips:
            seeds = range(settings.seed + 1, settings.seed + 1 + settings.mismatch_chips)
            jobs["mismatch"] = partial(energy.measure_mismatch, circuit, seeds)
    return {name: partial(_as_rows, job) for name, job in jobs.items()}


def _as_rows(job: Callable[[], list[energy.BlockEnergy]]) -> list[dict[str, Any]]:
    return [r.as_row() for r in job()]


def _accuracy(settings: CostSettings, network: Network, task: Any, bits: int) -> list[dict[str, Any]]:
    hardware = Hardware(bits=bits, threshold_noise=settings.threshold_noise)
    found = evaluate(network, task.test, hardware, settings.chips, np.random.default_rng(settings.seed))
    # Chips share the test sequences: their number says nothing about the spread over sequences.
    n = len(task.test)
    interval = accuracy_interval(round(float(found.correct.mean()) * n), n)
    return [{"bits": bits, "accuracy": float(found.correct.mean()), "low": interval.low, "high": interval.high, "sequences": n}]


def describe(summary: dict[str, Any]) -> str:
    """Writes a few lines for the terminal."""
    verdict, raw = summary["table1"], summary["table1_bottom_up"]
    lines = [
        f"Table 1, 8 bits predicted from 5 bits: {verdict['predicted_within']} of {verdict['predicted']} figures within the limits"
        f" (six constants fitted to the 5-bit column)",
        f"Table 1, nothing fitted: {raw['predicted_within']} of {raw['predicted']} figures within the limits",
    ]
    for row in summary["halving"]:
        lines.append(f"V_read halved, {row['block']}, {row['level']}: energy x {row['ratio']:.4f}")
    return "\n".join(lines)


STUDY = Study("cost", CostSettings, compute, describe, Takes(41.0, lambda s: s.chips * len(s.bits) + 14 * s.mismatch_chips))
