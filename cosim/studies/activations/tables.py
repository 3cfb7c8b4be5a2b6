"""Table of the gallery of activations: what each function costs at a resolution."""

from __future__ import annotations

from typing import Any

import numpy as np

from netlists.errors import InputError
from netlists.technology import DeviceProfile, RampCircuit

from .measure import Which, compiled, name_of

LIMIT_LSB = 0.6
"""Largest distance between the nominal chip's transfer curve and the function, output LSB."""


def compile_row(which: Which, bits: int, profile: DeviceProfile, circuit: RampCircuit) -> dict[str, Any]:
    """Makes one line of the table: what a function costs at a resolution, or why it does not compile."""
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
