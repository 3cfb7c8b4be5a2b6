"""Study of the read voltage: a ramp made in memory follows it, a ramp from a fixed reference does not.

The array's V_mac is proportional to V_read. So are the steps of a ramp that the same read voltage drives through
memristors; a conventional ramp comes from a reference of its own. Both are calibrated at 0.2 V, then V_read moves
(the sweep of Yang et al. 2025, Fig. 3). What is left of the in-memory ramp is the comparator's offset: the calibration cells took
it out in charge, which follows V_read, while the offset does not.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from matplotlib.ticker import LogLocator
from pydantic import Field
from tqdm import tqdm

from characterization.chips import measure, measure_batch
from characterization.figures import inl_input
from characterization.plan import RampPlan
from characterization.provenance import versions
from characterization.resume import Parts
from characterization.run import BATCH, check_counts
from characterization.workers import in_workers
from cosim.report import (
    BEFORE,
    IDEAL,
    MEASURED,
    Beside,
    Numbers,
    Page,
    RunOptions,
    Section,
    Study,
    StudySettings,
    Words,
    beside,
    new_figure,
    read_table,
    save_figure,
    write_report,
)
from cosim.report.published import published
from netlists.files import make_folder, read_json, write_atomic, write_json
from netlists.ramp import to_input_units
from netlists.technology import RampCircuit

IN_MEMORY, FIXED = "in memory", "fixed reference"
CALIBRATED_AT = RampCircuit().v_read
"""Read voltage of the plan's circuit, volts."""


class Settings(StudySettings):
    """What is simulated."""

    activations: Words = Field(
        ("sigmoid", "identity"),
        min_length=1,
        description="ramps; a tanh ramp is the sigmoid's in other units, and of the same seed gives the same figures",
    )
    bits: int = Field(5, ge=1, le=8, description="resolution")
    samples: int = Field(64, ge=1, description="chips of each activation, the same at every read voltage")
    seed: int = Field(1, ge=0, description="of the chips")
    v_read: Numbers = Field(
        (0.15, 0.16, 0.18, 0.2, 0.22, 0.24, 0.25), min_length=2, description="read voltages, rising; calibrated at 0.2 V"
    )


def run_vread_study(settings: Settings, out: Path, run: RunOptions) -> dict[str, Any]:
    """Simulate calibrated chips over the sweep; write ``levels.parquet``, ``figures.csv``, pictures and ``summary.json``."""
    check_counts(settings.samples, run.jobs)
    start = time.perf_counter()
    plans = [RampPlan(name, settings.bits, seed=settings.seed) for name in settings.activations]
    out = make_folder(Path(out))
    parts = Parts(out, settings.model_dump(mode="json"))
    batches = [np.arange(s, min(s + BATCH, settings.samples)) for s in range(0, settings.samples, BATCH)]
    calls = [
        joblib.delayed(parts.rows)(f"{plan.name}-{batch[0]}", partial(_chips, plan, batch, settings.v_read))
        for plan in plans
        for batch in batches
    ]
    found = tqdm(in_workers(calls, run.jobs), total=len(calls), unit=" batches", desc="V_read", disable=not run.progress)
    order = ["activation", "converter", "v_read", "sample", "k"]
    levels = pd.DataFrame([row for rows in found for row in rows]).astype({"x": float}).sort_values(order, ignore_index=True)
    figures = _figures(levels, plans)
    write_atomic(out / "levels.parquet", levels.to_parquet)
    write_atomic(out / "figures.csv", lambda p: figures.to_csv(p, index=False))
    draw(out / "pictures" / "vread", figures, levels, plans[0])
    summary = {
        "study": STUDY.name,
        "settings": settings.model_dump(mode="json"),
        "bits": settings.bits,
        "samples": settings.samples,
        "failed": int(levels.groupby(["activation", "sample"])["x"].apply(lambda x: x.isna().any()).sum()),
        "seed": settings.seed,
        "plans": {plan.name: plan.sha256 for plan in plans},
        "figures": figures.to_dict("records"),
        "versions": versions(),
        "wall_seconds": round(time.perf_counter() - start, 1),
    }
    write_json(out / "summary.json", summary)
    write_report(out)
    parts.done()
    return summary


def _chips(plan: RampPlan, samples: np.ndarray, v_reads: Sequence[float]) -> list[dict[str, Any]]:
    """Levels of calibrated chips at each read voltage, in the input units that the array's V_mac then has."""
    program = plan.program()
    batch = measure_batch(plan, samples, conversions=False)
    chips = batch.drawn.chips(batch.conductance)
    rows = []
    for v_read in v_reads:
        circuit = plan.circuit.with_(v_read=v_read)
        moved = measure(plan.converter, chips).volts
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
    """Mean and 5-95 % of max |INL| over the chips, and the mean gain, for each activation, converter and read voltage."""
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


def draw(path: Path, figures: pd.DataFrame, levels: pd.DataFrame, plan: RampPlan) -> None:
    """Max |INL| against V_read of both converters, and the transfer curve of one activation at the ends of the sweep."""
    figure, axes = new_figure(11, 4.6, 1, 2)
    left, right = axes[0]
    colours = {IN_MEMORY: MEASURED, FIXED: BEFORE}
    styles = dict(zip(figures["activation"].unique(), ("-", "--"), strict=False))
    for (activation, converter), rows in figures.groupby(["activation", "converter"]):
        band = rows["max_inl_p05"], rows["max_inl_p95"]
        left.fill_between(rows["v_read"], *band, color=colours[converter], alpha=0.12, linewidth=0)
        left.plot(
            rows["v_read"],
            rows["max_inl_lsb"],
            styles.get(activation, "-"),
            marker="o",
            markersize=3.5,
            color=colours[converter],
            label=f"{activation}, {converter}",
        )
    left.set(xlabel="V_read (V); calibrated at 0.2 V", ylabel="max |INL| (input LSB)", yscale="log")
    left.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    left.yaxis.set_major_formatter("{x:g}")
    left.yaxis.set_minor_formatter("")
    left.set_title("mean over chips, 5-95 % shaded", fontsize=9)
    left.legend(fontsize=8, handlelength=3.5, loc="lower right")
    program = plan.program()
    reach = program.x[[0, -1]] * 1.35
    x = np.linspace(reach[0], reach[1], 400)
    right.plot(x, plan.function.value(x), color=IDEAL, linewidth=1, label=plan.name)
    ends = figures["v_read"].min(), figures["v_read"].max()
    for converter, colour in colours.items():
        for v_read, style in zip(ends, (":", "-"), strict=True):
            rows = levels[(levels["activation"] == plan.name) & (levels["converter"] == converter) & (levels["v_read"] == v_read)]
            mean = rows.groupby("k")["x"].mean().to_numpy()
            passed = np.searchsorted(mean, x, side="left")
            # The in-memory curves lie on each other: the wider one must not hide the narrower.
            width = 2.4 if style == "-" and converter == IN_MEMORY else 1.2
            top = 1 if width > 2 else 2
            label = f"{converter}, {v_read:g} V"
            drawn = "black" if top == 2 and converter == IN_MEMORY else colour
            right.plot(x, program.values[passed], style, color=drawn, linewidth=width, zorder=1 + top, label=label)
    right.set(xlabel="input (as the array means it)", ylabel="output")
    right.set_title("mean transfer curve at the ends of the sweep", fontsize=9)
    right.legend(fontsize=8)
    save_figure(figure, path)


def page(folder: Path) -> Page:
    """The page of a results folder, from ``summary.json`` and ``figures.csv``."""
    s = read_json(folder / "summary.json", "study summary")
    columns = ["activation", "converter", "v_read", "chips", "max_inl_lsb", "max_inl_p05", "max_inl_p95", "gain"]
    figures = read_table(folder, "figures.csv", columns)
    name = s["settings"]["activations"][0]
    here = figures[figures["activation"] == name]
    ends = [here["v_read"].min(), here["v_read"].max()]

    def at(converter: str, v_read: float, column: str) -> str:
        return f"{here[(here['converter'] == converter) & (here['v_read'] == v_read)][column].iloc[0]:.3f}"

    gain = {c: [at(c, v, "gain") for v in ends] for c in (IN_MEMORY, FIXED)}
    lead = (
        f"V_read moves from {ends[0]:g} to {ends[1]:g} V after a calibration at {CALIBRATED_AT:g} V. The ramp made in memory moves "
        f"with it: the gain of {name} is {gain[IN_MEMORY][0]} and {gain[IN_MEMORY][1]} at the ends. That of a ramp from a fixed "
        f"reference is {gain[FIXED][0]} and {gain[FIXED][1]}, and its mean max |INL| {at(FIXED, ends[0], 'max_inl_lsb')} and "
        f"{at(FIXED, ends[1], 'max_inl_lsb')} LSB, against {at(IN_MEMORY, ends[0], 'max_inl_lsb')} and "
        f"{at(IN_MEMORY, ends[1], 'max_inl_lsb')} LSB in memory."
    )
    highlights = [
        (f"{at(c, v, 'max_inl_lsb')} LSB", f"max |INL| at {v:g} V, {c}, {name}, mean over chips")
        for v in ends
        for c in (IN_MEMORY, FIXED)
    ]
    failed = f"Chips that failed to simulate and are left out: {s['failed']}."
    sections = [
        Section(
            "INL and transfer curves over the read voltage",
            picture="vread",
            caption="Left: the largest input-referred |INL| of a chip. Right: output against input as the array means it; a fixed "
            "ramp stretches or squeezes the function.",
            table=pd.DataFrame(
                {
                    "ramp": figures["activation"],
                    "converter": figures["converter"],
                    "V_read (V)": figures["v_read"],
                    "chips": figures["chips"],
                    "max |INL|, mean (LSB)": figures["max_inl_lsb"],
                    "5 % of chips": figures["max_inl_p05"],
                    "95 % of chips": figures["max_inl_p95"],
                    "gain": figures["gain"],
                }
            ),
            notes=[
                f"The same {s['samples']} chips of each ramp at every read voltage, {s['bits']} bits, level macro in ngspice, seed "
                f"{s['seed']}. {failed} Gain is the span from the first to the last level over the ideal one.",
                "What is left of the in-memory ramp is the comparator's offset: calibration took it out in charge, which follows "
                "V_read, while the offset does not.",
            ],
        ),
        Section(
            "Beside the paper",
            table=beside(
                [
                    Beside(
                        published("vread-range"),
                        f"{ends[0]:g} to {ends[1]:g} V: gain {gain[IN_MEMORY][0]} to {gain[IN_MEMORY][1]} in memory, "
                        f"{gain[FIXED][0]} to {gain[FIXED][1]} with a fixed reference",
                        False,
                        "the same behaviour; the paper measured columns, with no number known to us. Ours are simulated chips "
                        "whose memristors are linear in voltage",
                    )
                ]
            ),
        ),
    ]
    return Page("Read voltage: a ramp in memory follows it, a fixed one does not", lead, highlights, sections)


def describe(summary: dict[str, Any]) -> str:
    """The summary for reading."""
    return "\n".join(
        f"{row['activation']}, {row['converter']}, {row['v_read']:g} V: mean max |INL| {row['max_inl_lsb']:.3f} LSB,"
        f" gain {row['gain']:.4f}"
        for row in summary["figures"]
    )


STUDY = Study("vread", Settings, run_vread_study, describe)
