"""Study of trust: fitted ramp models against held-out SPICE, level macro against transistors, one calibration against another."""

from __future__ import annotations

from functools import partial
from typing import Any

import pandas as pd

from characterization.plan import RampPlan
from characterization.run import check_counts
from cosim.report import Results, Study, Takes, Work

from ..ramp_models import ramp_model
from .pictures import draw_levels
from .settings import ModelsSettings
from .tables import calibration_table, further_tests
from .transistors import simulate_both_levels, what_macro_misses

FRESH_SETS = ["activation", "set", "seed", "chips", "test", "effect", "p_value", "adjusted"]


def compute(settings: ModelsSettings, work: Work) -> Results:
    """Fits, validates and compares; writes the models besides."""
    options, bits, held_out = work.options, settings.bits, settings.held_out
    check_counts(settings.samples, options.jobs)
    parts, macro, sets = work.parts(), {}, []
    for i, name in enumerate(settings.activations):
        # A tanh ramp is the sigmoid's in other units: with the same seed it would repeat the same chips.
        plan = RampPlan(name, bits, seed=settings.seed + i)
        model = ramp_model(plan, settings.samples, parts, options, held_out=held_out, conversions=settings.conversions)
        model.save(work.out / f"{name}{bits}.json")
        sets += further_tests(model, settings.further_sets, held_out, parts, options)
        macro[name] = {**(model.validation or {}), "tail": model.after.shift.kind, "structure": model.after.evidence["structure"]}
    transistors, levels = {}, []
    for count, chips, calibrated in settings.transistors:
        plan = RampPlan("sigmoid", count, seed=settings.seed + 10, level="sky130")
        both = simulate_both_levels(plan, chips, parts, calibrated=calibrated, progress=options.progress)
        transistors[str(count)], table = what_macro_misses(both, parts)
        levels.append(table.assign(bits=count))
    further = pd.DataFrame(sets, columns=FRESH_SETS)
    plan = RampPlan("sigmoid", bits, seed=settings.seed)
    tables, pictures, procedures = {"fresh_sets.csv": further}, {}, pd.DataFrame()
    if settings.calibration_chips:
        procedures = parts.table("calibration", partial(calibration_table, plan, settings.calibration_chips))
        tables["calibration.csv"] = procedures
    if levels:
        tables["sky130_levels.csv"] = pd.concat(levels, ignore_index=True)
        pictures["sky130"] = partial(draw_levels, tables["sky130_levels.csv"])
    return Results(
        summary={
            "bits": bits,
            "samples": settings.samples,
            "held_out": held_out,
            "seed": settings.seed,
            "macro": macro,
            "further_sets": further.to_dict("records"),
            "sky130": transistors,
            "calibration": procedures.to_dict("records"),
        },
        tables=tables,
        pictures=pictures,
        float_format="%.6g",
    )


def describe(summary: dict[str, Any]) -> str:
    """Writes the summary for reading."""
    lines = []
    for name, v in summary["macro"].items():
        decks, fit = v["decks"], v["fit"]
        verdict = f"rejected ({'; '.join(fit['rejected'])})" if fit["rejected"] else "not rejected"
        lines.append(
            f"{name}, {summary['bits']} bits, macro: {len(fit['tests'])} tests of {fit['chips']} fresh chips: {verdict};"
            f" two decks: {decks['conversions']} codes, {100 * decks['equal']:.3f} % equal, {decks['differ']} differ"
        )
    for bits, v in summary["sky130"].items():
        lines.append(
            f"sigmoid, {bits} bits, sky130: {v['chips']} chips, {v['conversions']} codes, {100 * v['codes_equal']:.2f} % equal"
            f" given the chip's own levels, {100 * v['codes_equal_macro']:.2f} % given its levels at macro; worst level"
            f" {v['worst_level_lsb']:.3f} LSB off on average"
        )
    for row in summary["calibration"]:
        lines.append(
            f"{row['calibration']}: max |INL| {row['max_inl_before_lsb']:.3f} -> {row['max_inl_after_lsb']:.3f} LSB,"
            f" {row['writes_mean']:.1f} writes"
        )
    return "\n".join(lines)


def _work(s: ModelsSettings) -> float:
    """Core seconds: chips at level macro, their conversions, procedures, and chips of transistors."""
    chips = s.samples + s.held_out * (1 + s.further_sets)
    macro = len(s.activations) * (0.006 * chips + 0.4 * s.conversions) + 0.1 * s.calibration_chips
    return macro + sum(n * 2 ** (bits - 1) for bits, n, _ in s.transistors)


STUDY = Study("models", ModelsSettings, compute, describe, Takes(900.0, _work), networks=False)
