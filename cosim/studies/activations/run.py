"""The gallery of activations: each compiled at 3 to 8 bits, and its transfer curve measured in ngspice at 5 bits."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from pydantic import Field, model_validator
from tqdm import tqdm

from characterization.plan import DEFAULT_PROFILE
from characterization.provenance import versions
from characterization.resume import Parts
from characterization.workers import in_workers
from cosim.report import Counts, RunOptions, Study, StudySettings, Words, write_report
from netlists.errors import InputError
from netlists.files import make_folder, write_atomic, write_json
from netlists.function import ACTIVATIONS, ActivationTable, as_activation, cubic_spline, from_callable, load_table, polynomial
from netlists.technology import DeviceProfile, RampCircuit, load_profile

from .measure import Measurement, Which, compiled, name_of, spice_row
from .page import LIMIT_LSB, draw_gallery, page

__all__ = ["STUDY", "Settings", "page", "run_activations_study"]


class Settings(StudySettings):
    """What is compiled and simulated."""

    activations: Words = Field(tuple(ACTIVATIONS), description="built-in functions")
    examples: bool = Field(True, description="also a polynomial, a spline, a callable and a CSV table")
    bits: Counts = Field((3, 4, 5, 6, 7, 8), min_length=1, description="resolutions to compile for")
    spice_bits: int = Field(5, ge=1, le=8, description="of them, the resolution that ngspice measures")
    profile: str = Field(DEFAULT_PROFILE, description="device profile, or a TOML file of one's own")

    @model_validator(mode="after")
    def _consistent(self) -> Settings:
        if self.spice_bits not in self.bits:
            raise ValueError(f"spice_bits={self.spice_bits}: must be one of bits, {', '.join(map(str, self.bits))}")
        if not self.activations and not self.examples:
            raise ValueError("activations: none, and no examples: there is nothing to compile")
        return self


def run_activations_study(settings: Settings, out: Path, run: RunOptions) -> dict[str, Any]:
    """Compile every function, measure those of one resolution in ngspice; write table, picture and summary.

    ``activations.csv``, ``pictures/gallery``, ``summary.json``, and the example of a CSV table, ``hard-swish.csv``.
    """
    start = time.perf_counter()
    profile, circuit = load_profile(settings.profile), RampCircuit()
    for name in settings.activations:
        as_activation(name)
    out = make_folder(Path(out))
    parts = Parts(out, settings.model_dump(mode="json"))
    functions: list[Which] = [*settings.activations, *(examples(out) if settings.examples else [])]
    calls = [
        joblib.delayed(parts.rows)(name_of(which), partial(_function_rows, which, settings, profile, circuit))
        for which in functions
    ]
    found = tqdm(in_workers(calls, run.jobs), total=len(calls), unit=" functions", desc="ngspice", disable=not run.progress)
    by_name = {rows[0]["function"]: rows for rows in found}
    curves = {name: rows[-1]["curve"] for name, rows in by_name.items()}
    table = pd.DataFrame([row for which in functions for row in by_name[name_of(which)][:-1]])
    write_atomic(out / "activations.csv", partial(table.to_csv, index=False, float_format="%.6g"))
    measured = [(which, _measurement(which, settings.spice_bits, profile, circuit, curves[name_of(which)])) for which in functions]
    draw_gallery(out / "pictures" / "gallery", measured, table[table["bits"] == settings.spice_bits])
    summary = _summary(table, settings) | {"versions": versions(), "wall_seconds": round(time.perf_counter() - start, 1)}
    write_json(out / "summary.json", summary)
    write_report(out)
    parts.done()
    return summary


def examples(folder: Path) -> list[ActivationTable]:
    """One of each other kind of activation: polynomial, spline, callable, CSV table (written to ``folder``)."""
    x = np.linspace(-4, 4, 33)
    hard_swish = pd.DataFrame({"x": x, "y": x * np.clip(x + 3, 0, 6) / 6})
    path = write_atomic(folder / "hard-swish.csv", partial(hard_swish.to_csv, index=False))
    return [
        polynomial("cubic-polynomial", [0.0, -1.0, 0.0, 1.0], -1.25, 1.25),
        cubic_spline("kan-spline", np.linspace(-2, 2, 9).tolist(), [0.1, 0.6, 0.5, -0.2, -0.7, -0.3, 0.4, 0.3, 0.8]),
        from_callable("sine", np.sin, -np.pi, np.pi),
        load_table(path),
    ]


def compile_row(which: Which, bits: int, profile: DeviceProfile, circuit: RampCircuit) -> dict[str, Any]:
    """One line of the table: what a function costs at a resolution, or why it does not compile."""
    row: dict[str, Any] = {"function": name_of(which), "bits": bits}
    try:
        program, used = compiled(which, bits, profile, circuit)
    except InputError as e:
        return row | {"compiles": False, "why_not": str(e)}
    report = program.report
    return row | {
        "compiles": True,
        "thresholds": len(program.x),
        "falling": int(np.sum(program.code_step < 0)),
        "scheme": program.scheme,
        "cells": program.n_cells,
        "extra_periods": report.extra_periods,
        "conversion_time_ns": 1e9 * program.conversion_time(used),
        "v_swing": used.v_swing,
        "step_ratio": report.step_ratio,
        "smallest_step_mv": 1e3 * report.smallest_step * program.volts_per_unit(used),
        "max_error_lsb": report.max_error_lsb,
        "rms_error_lsb": report.rms_error_lsb,
        "programming_error_rms_steps": program.alternatives[program.scheme]["error_rms_lsb"],
        "given_up": "; ".join(report.given_up),
        "why_not": "",
    }


def _function_rows(which: Which, settings: Settings, profile: DeviceProfile, circuit: RampCircuit) -> list[dict[str, Any]]:
    """Lines of the table of one function, one a resolution, and last the measured curve."""
    rows = [compile_row(which, bits, profile, circuit) for bits in settings.bits]
    found, m = spice_row(which, settings.spice_bits, profile, circuit)
    for row in rows:
        if row["bits"] == settings.spice_bits:
            row.update(found)
    arrays = ("levels", "x", "decoded", "codes_as_levels")
    curve = None if m is None else {name: getattr(m, name).tolist() for name in arrays}
    return [*rows, {"function": name_of(which), "curve": curve}]


def _measurement(
    which: Which, bits: int, profile: DeviceProfile, circuit: RampCircuit, curve: dict[str, list] | None
) -> Measurement | None:
    """A stored curve with the program that it belongs to."""
    if curve is None:
        return None
    program, used = compiled(which, bits, profile, circuit)
    return Measurement(program, used, values=program.values, **{name: np.array(values) for name, values in curve.items()})


def _summary(table: pd.DataFrame, settings: Settings) -> dict[str, Any]:
    spice = table[table["bits"] == settings.spice_bits].set_index("function")
    error = spice[["spice_max_error_lsb", "spice_conversions_max_error_lsb"]].max(axis=1, skipna=False)
    refused = table[~table["compiles"]]
    return {
        "study": STUDY.name,
        "settings": settings.model_dump(mode="json"),
        "functions": list(spice.index),
        "bits": list(settings.bits),
        "profile": settings.profile,
        "circuit": RampCircuit().as_dict(),
        "level": "macro",
        "refused": [{"function": r.function, "bits": int(r.bits), "why": r.why_not} for r in refused.itertuples()],
        "compile_max_error_lsb": float(table["max_error_lsb"].max()),
        "spice_bits": settings.spice_bits,
        "spice_limit_lsb": LIMIT_LSB,
        "spice_max_error_lsb": {name: None if np.isnan(e) else float(e) for name, e in error.items()},
        "spice_within_limit": bool((error <= LIMIT_LSB).all()),
        "spice_conversions": int(spice["spice_conversions"].sum()),
        "spice_codes_as_levels": float(
            (spice["spice_codes_as_levels"] * spice["spice_conversions"]).sum() / spice["spice_conversions"].sum()
        ),
    }


def describe(summary: dict[str, Any]) -> str:
    """The summary for reading."""
    return "\n".join(
        f"{name}: {'not measured' if error is None else f'{error:.3f} LSB'}"
        for name, error in summary["spice_max_error_lsb"].items()
    )


STUDY = Study("activations", Settings, run_activations_study, describe)
