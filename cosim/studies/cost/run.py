"""Study of cost: energy from SPICE, energy, time and area of networks, and Table 1 of Yang et al. 2025."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field

from characterization.provenance import versions
from characterization.resume import Parts
from characterization.transistors import energy
from cosim.chip import Hardware
from cosim.cost import CHIPS, MEASURED, Design, NetworkShape, all_figures, compare, constants, figure_table, fit, network_cost
from cosim.evaluation import accuracy_interval, evaluate
from cosim.network import Network
from cosim.report import RunOptions, Study, StudySettings, write_report
from cosim.tasks import load_task
from netlists.errors import InputError
from netlists.files import make_folder, write_atomic, write_json
from netlists.technology import LEVELS, RampCircuit, pdk

from . import pictures as cost_pictures
from .page import QUANTITY, page
from .tables import (
    bottleneck_rows,
    bottom_up,
    implied_rows,
    phase_rows,
    projection,
    rivals,
    sweep_rows,
    table1_shape,
    term_rows,
    unknown_rows,
)

__all__ = ["STUDY", "CostSettings", "page", "run_cost_study"]


class CostSettings(StudySettings):
    """What is simulated and swept."""

    task: str = Field("voices", description="classification task of the accuracies")
    network: str = Field(
        "results/error-sources/networks/voices-plain.npz", description="network of the accuracies, from `cosim study error-sources`"
    )
    bits: tuple[int, ...] = Field((2, 3, 4, 5, 6, 7, 8), min_length=1, description="resolutions")
    threshold_noise: float = Field(0.5, ge=0, description="of the accuracies, LSB rms")
    chips: int = Field(8, ge=2, description="of the accuracies")
    hidden: tuple[int, ...] = Field((16, 32, 64, 128, 256, 512, 2016), min_length=1, description="units of the swept layers")
    arrays: tuple[int, ...] = Field(
        (32, 64, 128, 256, 1024), min_length=1, description="rows and columns of the largest array swept"
    )
    levels: tuple[str, ...] = Field(LEVELS, min_length=1, description="levels of detail whose energies are simulated")
    v_reads: tuple[float, ...] = Field(
        (0.2, 0.1), min_length=2, description="read voltages, volts; the first is compared with the others"
    )
    ramp_bits: int = Field(5, ge=2, le=5, description="resolution of the ramp that is simulated; level sky130 counts to 5 bits")
    mismatch_chips: int = Field(4, ge=0, description="chips of foundry mismatch at level sky130")
    seed: int = Field(1, ge=0, description="of the accuracies' chips; the mismatch takes the numbers that follow it")
    write_measured: bool = Field(False, description="also write the package's file of measured figures")


def run_cost_study(settings: CostSettings, out: Path, run: RunOptions) -> dict[str, Any]:
    """Simulate, compute, draw; write tables, pictures, ``summary.json`` and the report.

    Raises
    ------
    InputError
        Settings that cannot be, a network that is not there.
    SimulationError, ToolkitError
        As `netlists.spice.engine.simulate`.
    """
    started = time.perf_counter()
    if unknown := [level for level in settings.levels if level not in LEVELS]:
        raise InputError(f"levels: {unknown[0]!r} is unknown; allowed are {', '.join(LEVELS)}")
    if not Path(settings.network).is_file():
        raise InputError(f"network={settings.network!r}: no such file; `cosim study error-sources` makes it, or name another")
    network, task = Network.load(settings.network), load_task(settings.task)
    network.check(task.test)
    out = make_folder(Path(out))
    parts = Parts(out, settings.model_dump(mode="json"))
    jobs = _simulations(settings)
    rows = [row for name in run.bar(list(jobs), "bench", "energy from SPICE") for row in parts.rows(name, jobs[name])]
    energies = pd.DataFrame(rows)
    run.say("accuracy at each resolution")
    found = {b: parts.rows(f"accuracy-{b}", partial(_accuracy, settings, network, task, b)) for b in settings.bits}
    model = fit(5)
    shape = NetworkShape.of(network, task.test.inputs.shape[1])
    tables = {
        "energy": energies,
        "halving": pd.DataFrame(_halving(energies, settings)),
        "figures": figure_table(),
        "table1": pd.DataFrame(compare(model, 5)),
        "table1_from_8_bits": pd.DataFrame(compare(fit(8), 8)),
        "table1_bottom_up": pd.DataFrame(bottom_up()),
        "constants": pd.DataFrame([{"constant": n, "value": v} for n, v in constants(model).items()]),
        "implied": pd.DataFrame(implied_rows()),
        "phases": pd.DataFrame(phase_rows()),
        "unknown": pd.DataFrame(unknown_rows(model)),
        "terms": pd.DataFrame(term_rows()),
        "bottleneck": pd.DataFrame(bottleneck_rows()),
        "sweep": pd.DataFrame(sweep_rows(settings.bits, settings.hidden, settings.arrays)),
        "accuracy": pd.DataFrame(_pareto(shape, {b: rows[0] for b, rows in found.items()})),
        "efficiencies": pd.DataFrame(_efficiencies()),
    }
    for name, table in tables.items():
        write_atomic(out / f"{name}.csv", partial(table.to_csv, index=False, float_format="%.7g"))
    pictures = out / "pictures"
    cost_pictures.pareto(pictures / "pareto", tables["accuracy"], pd.DataFrame(_published_keywords()))
    cost_pictures.table1(pictures / "table1", tables["table1"])
    cost_pictures.terms(pictures / "terms", tables["terms"])
    cost_pictures.efficiencies(pictures / "efficiencies", tables["efficiencies"])
    cost_pictures.sweeps(pictures / "sweeps", tables["sweep"])
    summary = {
        "study": "cost",
        "settings": settings.model_dump(mode="json"),
        "seed": settings.seed,
        "tasks": {settings.task: str(task.provenance)},
        "table1": _verdict(tables["table1"]),
        "table1_bottom_up": _verdict(tables["table1_bottom_up"]),
        "constants": dict(constants(model)),
        "bounds_hold": bool(energies["within"].all()),
        "halving": tables["halving"].to_dict("records"),
        "measured": _against_package(energies),
        "network": _network_summary(shape),
        "models": pdk.provenance() if "sky130" in settings.levels else None,
        "versions": versions(),
        "wall_seconds": round(time.perf_counter() - started, 1),
    }
    if settings.write_measured:
        figures = energy.measured_figures([energy.BlockEnergy.from_row(r) for r in rows])
        energy.write_measured(figures, Path(str(files("cosim.cost").joinpath(MEASURED))))
    write_json(out / "summary.json", summary)
    parts.done()
    write_report(out)
    return summary


def describe(summary: dict[str, Any]) -> str:
    """A few lines for the terminal."""
    verdict, raw = summary["table1"], summary["table1_bottom_up"]
    lines = [
        f"Table 1, 8 bits predicted from 5 bits: {verdict['predicted_within']} of {verdict['predicted']} figures within the limits"
        f" (six constants fitted to the 5-bit column)",
        f"Table 1, nothing fitted: {raw['predicted_within']} of {raw['predicted']} figures within the limits",
    ]
    for row in summary["halving"]:
        lines.append(f"V_read halved, {row['block']}, {row['level']}: energy x {row['ratio']:.4f}")
    return "\n".join(lines)


STUDY = Study("cost", CostSettings, run_cost_study, describe)


def _simulations(settings: CostSettings) -> dict[str, Callable[[], list[dict[str, Any]]]]:
    """Every simulation by the name of its part."""
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


def _halving(energies: pd.DataFrame, settings: CostSettings) -> list[dict[str, Any]]:
    """Energy at each other read voltage over that at the first, in SPICE and in the model: V^2."""
    base, out = settings.v_reads[0], []
    cells = energies[energies["block"].isin(("cells", "ramp cells")) & np.isclose(energies["bound"], energies["bound"])]
    for (block, level, window), rows in cells.groupby(["block", "level", "window"], sort=False):
        mean = rows.groupby("v_read")["energy"].mean()
        for v in settings.v_reads[1:]:
            model = network_ratio(v / base)
            out.append(
                {
                    "block": f"{block}, {window}",
                    "level": level,
                    "v_read": v,
                    "against": base,
                    "ratio": float(mean[v] / mean[base]),
                    "model": model,
                }
            )
    return out


def network_ratio(factor: float) -> float:
    """Energy of the array's cells in the cost model when V_read is multiplied by a factor, over what it was."""
    design, shape = Design(), table1_shape(CHIPS[0])

    def cells(v_read: float) -> float:
        return sum(
            t.energy for t in network_cost(shape, design.with_(v_read=v_read)).terms if t.block in ("weight cells", "ramp cells")
        )

    return cells(design.v_read * factor) / cells(design.v_read)


def _accuracy(settings: CostSettings, network: Network, task: Any, bits: int) -> list[dict[str, Any]]:
    hardware = Hardware(bits=bits, threshold_noise=settings.threshold_noise)
    found = evaluate(network, task.test, hardware, settings.chips, np.random.default_rng(settings.seed))
    # Chips share the test sequences: their number says nothing about the spread over sequences.
    n = len(task.test)
    interval = accuracy_interval(round(float(found.correct.mean()) * n), n)
    return [{"bits": bits, "accuracy": float(found.correct.mean()), "low": interval.low, "high": interval.high, "sequences": n}]


def _pareto(shape: NetworkShape, accuracy: dict[int, dict[str, Any]]) -> list[dict[str, Any]]:
    out = []
    for bits, row in accuracy.items():
        for converter in ("ramp", "conventional"):
            cost = network_cost(shape, Design(bits=bits, converter=converter))
            projected = network_cost(shape, projection(bits).with_(converter=converter))
            out.append(
                {
                    "converter": converter,
                    **row,
                    "energy": cost.energy,
                    "latency": cost.latency,
                    "area": cost.area,
                    "projected_energy": projected.energy,
                    "projected_latency": projected.latency,
                    "projected_area": projected.area,
                    "projected_tops_per_watt": projected.tops_per_watt,
                }
            )
    return out


def _published_keywords() -> list[dict[str, Any]]:
    """Accuracy and efficiency of keyword spotting as Table 1 has them."""
    kws = CHIPS[0]
    ours = {"name": "Yang et al. 2025, RRAM, 5 b", "tops_per_watt": kws.printed["tops_per_watt", 5][0], "accuracy": 0.885}
    return [
        ours,
        *(
            {"name": r["name"], "tops_per_watt": r["tops_per_watt"], "accuracy": r["result"]}
            for r in rivals()
            if r["task"] == "kws"
        ),
    ]


def _efficiencies() -> list[dict[str, Any]]:
    out = []
    for chip in CHIPS:
        for bits in (5, 8):
            cost = network_cost(table1_shape(chip), projection(bits))
            name = f"{chip.key}, {bits} b"
            out.append(
                {
                    "who": "ours, 16 nm projection",
                    "name": name,
                    "tops_per_watt": cost.tops_per_watt,
                    "tops_per_mm2": cost.tops_per_mm2,
                }
            )
            printed = {q: chip.printed[q, bits][0] for q in ("tops_per_watt", "tops_per_mm2")}
            out.append({"who": "Yang et al. 2025", "name": name, **printed})
    return out + [
        {"who": "rival of its Table 1", "name": r["name"], "tops_per_watt": r["tops_per_watt"], "tops_per_mm2": r["tops_per_mm2"]}
        for r in rivals()
    ]


def _verdict(table: pd.DataFrame) -> dict[str, Any]:
    """How many figures are within the limits, of those that were fitted and of those that were not."""
    fitted = table["how"] == "fitted"
    worst = table.loc[table.loc[~fitted, "deviation"].abs().idxmax()]
    return {
        "fitted": int(fitted.sum()),
        "fitted_within": int(table.loc[fitted, "within"].sum()),
        "predicted": int((~fitted).sum()),
        "predicted_within": int(table.loc[~fitted, "within"].sum()),
        "worst_predicted": f"{worst['network']}, {QUANTITY[worst['quantity']].replace('-', ' ')}, {worst['bits']} bits",
        "worst_deviation": float(worst["deviation"]),
    }


def _against_package(energies: pd.DataFrame) -> list[dict[str, Any]]:
    """Figures measured now beside those in the package; empty without level sky130."""
    if "sky130" not in set(energies["level"]):
        return []
    now = energy.measured_figures([energy.BlockEnergy.from_row(r) for r in energies.to_dict("records")])
    return [
        {
            "figure": name,
            "unit": unit,
            "measured": value,
            "in_package": all_figures()[name].value,
            "ratio": value / all_figures()[name].value,
        }
        for name, (value, unit) in now.items()
    ]


def _network_summary(shape: NetworkShape) -> dict[str, Any]:
    cost = network_cost(shape, Design())
    return {
        "weights": shape.weights,
        "steps": shape.steps,
        "mean_weight": [a.mean_weight for a in shape.arrays],
        "conversion_energy": cost.conversion_energy,
        "step_energy": cost.step_energy,
        "energy": cost.energy,
        "latency": cost.latency,
        "area": cost.area,
    }
