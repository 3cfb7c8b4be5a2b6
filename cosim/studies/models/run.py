"""Study of trust: fitted ramp models against held-out SPICE, level macro against transistors, one calibration against another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from characterization.chips import draw, error_at, measure
from characterization.chips.recalibrate import recalibrate
from characterization.estimates import max_inl
from characterization.plan import CALIBRATIONS, RampPlan
from characterization.provenance import versions
from characterization.ramp_model import INPUTS_PER_CHIP, RampModel, level_tests, validate
from characterization.resume import Parts
from characterization.run import characterize, check_counts
from cosim.report import BEFORE, IDEAL, MEASURED, new_figure, save_figure, write_report
from netlists.files import make_folder, write_atomic, write_json
from netlists.ramp import to_input_units

from .transistors import simulate_both_levels, what_macro_misses

ACTIVATIONS = ("sigmoid", "tanh")
HELD_OUT_SEED_OFFSET = 1000
FURTHER_SETS = 8
TRANSISTOR_CHIPS = {3: (208, 8), 5: (208, 0)}
"""Chips at level ``sky130`` by bits, and how many of them are calibrated too: 4 s of one core a chip at 3 bits, 12 s at 5."""
_CALIBRATION_BATCH = 64


def run_models_study(
    out: Path,
    work: Path,
    *,
    activations: Sequence[str] = ACTIVATIONS,
    bits: int = 5,
    samples: int = 16_384,
    held_out: int = 1250,
    conversions: int = 1250,
    further_sets: int = FURTHER_SETS,
    transistor_chips: Mapping[int, tuple[int, int]] = TRANSISTOR_CHIPS,
    calibration_chips: int = 256,
    seed: int = 1,
    jobs: int = 1,
    progress: bool = True,
) -> dict[str, Any]:
    """Fit, validate and compare; write models, tables, a picture and ``summary.json``.

    Parameters
    ----------
    work : path
        Folder of runs, validated models and batches; a stopped study goes on from there.
    samples, held_out : int
        Chips that each model is fitted to, and fresh chips it is held against.
    conversions : int
        Of the fresh chips, those that also convert 16 inputs each to codes.
    further_sets : int
        Further sets of as many fresh chips, whose levels alone are held against the model: whether a test that one set fails
        was chance. 0: none.
    transistor_chips : mapping of bits to (chips, of them calibrated)
        Sigmoid ramps at level ``sky130``.
    calibration_chips : int
        Chips of each calibration procedure.
    """
    check_counts(samples, jobs, held_out=held_out, conversions=conversions, calibration_chips=calibration_chips)
    out, work = make_folder(Path(out)), make_folder(Path(work))
    held, sets = {}, []
    for i, name in enumerate(activations):
        # A tanh ramp is the sigmoid's in other units: with the same seed it would repeat the same chips.
        plan = RampPlan(name, bits, seed=seed + i)
        model = validated_model(plan, samples, held_out, conversions, work, jobs=jobs, progress=progress)
        model.save(out / f"{name}{bits}.json")
        sets += further_tests(model, further_sets, held_out, work, jobs=jobs, progress=progress)
        held[name] = {**(model.validation or {}), "tail": model.after.shift.kind, "structure": model.after.evidence["structure"]}
    transistors, levels = {}, []
    for count, (chips, calibrated) in transistor_chips.items():
        plan = RampPlan("sigmoid", count, seed=seed + 10, level="sky130")
        both = simulate_both_levels(plan, chips, work / "transistors", calibrated=calibrated, progress=progress)
        found, table = what_macro_misses(both, work / "transistors")
        transistors[str(count)] = found
        levels.append(table.assign(bits=count))
    further = pd.DataFrame(sets, columns=["activation", "set", "seed", "chips", "test", "statistic", "p_value"])
    write_atomic(out / "fresh_sets.csv", lambda p: further.to_csv(p, index=False, float_format="%.6g"))
    plan = RampPlan("sigmoid", bits, seed=seed)
    procedures = calibration_table(plan, calibration_chips, work)
    write_atomic(out / "calibration.csv", lambda p: procedures.to_csv(p, index=False, float_format="%.6g"))
    summary = {
        "study": "models",
        "bits": bits,
        "samples": samples,
        "held_out": held_out,
        "seed": seed,
        "macro": held,
        "further_sets": further.to_dict("records"),
        "sky130": transistors,
        "calibration": procedures.to_dict("records"),
        "versions": versions(),
    }
    if levels:
        everything = pd.concat(levels, ignore_index=True)
        write_atomic(out / "sky130_levels.csv", lambda p: everything.to_csv(p, index=False, float_format="%.6g"))
        draw_levels(out / "pictures" / "sky130", everything)
    write_json(out / "summary.json", summary)
    write_report(out)
    return summary


def validated_model(
    plan: RampPlan, samples: int, held_out: int, conversions: int, work: Path, *, jobs: int, progress: bool
) -> RampModel:
    """The model of a plan, fitted and validated; kept in ``work`` with its validation, which takes longest."""
    path = work / f"{plan.name}{plan.bits}.json"
    seed = plan.seed + HELD_OUT_SEED_OFFSET
    if path.exists():
        model = RampModel.load(path)
        done = model.validation or {}
        same = model.ramp_plan.sha256 == plan.sha256 and model.samples + model.failed == samples
        known = tuple(done.get(name) for name in ("samples", "seed", "conversions"))
        if same and known == (held_out, seed, INPUTS_PER_CHIP * min(conversions, held_out)):
            return model
    model = RampModel.fit(characterize(plan, samples, work / f"{plan.name}{plan.bits}", jobs=jobs, progress=progress))
    found = validate(model, held_out, seed, jobs=jobs, conversions=conversions, progress=progress)
    model = model.model_copy(update={"validation": found})
    model.save(path)
    return model


def further_tests(model: RampModel, sets: int, chips: int, work: Path, *, jobs: int, progress: bool) -> list[dict[str, Any]]:
    """Kolmogorov-Smirnov tests of further sets of fresh chips, a row a set and test, and of all these sets together (set 0)."""
    plan = model.ramp_plan
    found: list[np.ndarray] = []
    rows: list[dict[str, Any]] = []
    first = plan.seed + 2 * HELD_OUT_SEED_OFFSET
    for i in range(sets):
        fresh = replace(plan, seed=first + 10 * i, conversions=False)
        run = characterize(fresh, chips, work / f"{plan.name}{plan.bits}-fresh-{i + 1}", jobs=jobs, progress=progress)
        levels = run.levels(calibrated=True)
        found.append(levels[np.isfinite(levels).all(axis=1)])
    groups = [(0, first, np.concatenate(found))] if found else []
    groups += [(i + 1, first + 10 * i, levels) for i, levels in enumerate(found)]
    for number, seed, levels in groups:
        for test, result in level_tests(levels, model, seed).items():
            row = {"activation": plan.name, "set": number, "seed": seed, "chips": len(levels), "test": test}
            rows.append(row | {"statistic": result["statistic"], "p_value": result["p_value"]})
    return rows


def calibration_table(plan: RampPlan, chips: int, work: Path) -> pd.DataFrame:
    """A row a procedure: |INL| and error at the point before and after, writes, and transients on the way; the same chips."""

    def table() -> pd.DataFrame:
        return pd.DataFrame([calibration_row(replace(plan, calibration=name), chips) for name in CALIBRATIONS])

    return Parts(work, {}).table(f"calibration-{plan.sha256[:12]}-{chips}", table)


def calibration_row(plan: RampPlan, chips: int) -> dict[str, Any]:
    """One procedure on ``chips`` chips in ngspice; figures over the chips, input LSB.

    ``measurements`` counts how often a chip is measured between the measurements as programmed and after calibration; in
    the binary search each is one conversion, otherwise the whole set of levels.
    """
    program, circuit = plan.program(), plan.circuit
    before, after, writes, measurements = [], [], [], 0
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
    old, new = np.concatenate(before), np.concatenate(after)
    use = np.isfinite(old).all(axis=1) & np.isfinite(new).all(axis=1)
    worst = max_inl(new[use], program)
    middle = float(np.interp(0.0, program.x, program.lsb))
    return {
        "calibration": plan.calibration,
        "chips": int(use.sum()),
        "max_inl_before_lsb": float(max_inl(old[use], program).mean()),
        "max_inl_after_lsb": float(worst.mean()),
        "max_inl_after_p95_lsb": float(np.quantile(worst, 0.95)),
        "offset_sigma_before_lsb": float(np.std(error_at(0.0, old[use], program), ddof=1) / middle),
        "offset_sigma_after_lsb": float(np.std(error_at(0.0, new[use], program), ddof=1) / middle),
        "writes_mean": float(np.concatenate(writes).mean()),
        "writes_max": int(np.concatenate(writes).max()),
        "measurements": measurements,
    }


def draw_levels(path: Path, table: pd.DataFrame) -> None:
    """Level ``sky130`` minus macro of each transition level, and the comparator's delay at both."""
    figure, axes = new_figure(10, 4.2, 1, 2)
    left, right = axes[0]
    for (bits, rows), colour in zip(table.groupby("bits"), (BEFORE, MEASURED, IDEAL), strict=False):
        share = (rows["k"] - 0.5) / len(rows)
        mean, sigma = rows["difference_mv"], rows["difference_sigma_mv"]
        left.fill_between(share, mean - 2 * sigma, mean + 2 * sigma, color=colour, alpha=0.3, linewidth=0)
        left.plot(share, mean, "o-", color=colour, markersize=3, linewidth=1, label=f"{bits} bits, transition level")
        left.plot(share, rows["ramp_difference_mv"], "--", color=colour, linewidth=1, label=f"{bits} bits, of it the ramp")
        for level, style in (("macro", "--"), ("sky130", "-")):
            right.plot(share, rows[f"delay_{level}_ns"], style, color=colour, linewidth=1.2, label=f"{bits} bits, {level}")
    left.set(xlabel="place on the ramp, first to last level", ylabel="sky130 - macro (mV)")
    left.set_title("mean over chips, 2 sigma shaded; as programmed", fontsize=9)
    right.set(xlabel="place on the ramp, first to last level", ylabel="delay after the step (ns)")
    right.set_title("comparator, nominal chip, V_mac 3 mV below the level", fontsize=9)
    for axis in (left, right):
        axis.legend(fontsize=8)
    save_figure(figure, path)


def describe_models(summary: dict[str, Any]) -> str:
    """The summary for reading."""
    lines = []
    for name, v in summary["macro"].items():
        tests = ", ".join(f"{test} p = {ks['p_value']:.3f}" for test, ks in v["ks"].items())
        lines.append(
            f"{name}, {summary['bits']} bits, macro: {v['conversions']} codes, {100 * v['codes_equal']:.3f} % equal"
            f" ({100 * v['codes_equal_near']:.3f} % near levels), {100 * v['codes_within_1']:.2f} % within 1; KS {tests}"
        )
    for bits, v in summary["sky130"].items():
        lines.append(
            f"sigmoid, {bits} bits, sky130: {v['chips']} chips, {v['conversions']} codes, {100 * v['codes_equal']:.2f} % equal"
            f" given the chip's own levels, {100 * v['codes_equal_macro']:.2f} % given its levels at macro"
        )
    for row in summary["calibration"]:
        lines.append(
            f"{row['calibration']}: max |INL| {row['max_inl_before_lsb']:.3f} -> {row['max_inl_after_lsb']:.3f} LSB,"
            f" {row['writes_mean']:.1f} writes"
        )
    return "\n".join(lines)
