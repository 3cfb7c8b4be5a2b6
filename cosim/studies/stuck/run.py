"""Study of stuck cells: yield of the calibrated converter against the stuck-at-OFF rate and the number of calibration cells.

A cell that is stuck at OFF gives next to no charge: the levels after it are low by a whole step. One-point calibration moves the
ramp as a whole back onto its point, as far as the calibration cells reach; trimming also shares a lost step out over its
neighbours. All chips are simulated in ngspice at level macro; the points of a calibration share the draws of their chips.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from characterization.estimates import CONFIDENCE, max_inl
from characterization.plan import RampPlan
from characterization.run import characterize, check_counts
from cosim.report import Results, Study, Takes, Work
from netlists.technology import load_profile

from .pictures import draw
from .settings import StuckSettings
from .tables import yield_row


def compute(settings: StuckSettings, work: Work) -> Results:
    """Simulates every point; a chip that fails to simulate does not pass."""
    options = work.options
    check_counts(settings.samples, options.jobs)
    points = {
        f"{calibration}-{count}-{rate:g}": (
            {"calibration": calibration, "cells": count, "stuck_off_rate": rate},
            _plan(settings, calibration, count, rate),
        )
        for calibration in settings.calibrations
        for count in settings.cells
        for rate in settings.rates
    }
    parts = work.parts()
    rows, chips = [], []
    for name, (point, plan) in points.items():
        run = characterize(plan, settings.samples, parts.file(name), jobs=options.jobs, progress=options.progress)
        before, after = (max_inl(run.levels(calibrated=calibrated), plan.program()) for calibrated in (False, True))
        columns = {"sample": np.arange(settings.samples), "max_inl_before": before, "max_inl_after": after}
        chips.append(pd.DataFrame(point | columns))
        rows += [point | yield_row(after, limit) for limit in settings.limits]
    table, everyone = pd.DataFrame(rows), pd.concat(chips, ignore_index=True)
    title = f"{settings.activation}, {settings.bits} bits, {settings.samples} chips a point, ngspice level macro"
    return Results(
        summary={
            "activation": settings.activation,
            "bits": settings.bits,
            "level": "macro",
            "profile": settings.profile,
            "samples": settings.samples,
            "failed": int(everyone["max_inl_after"].isna().sum()),
            "seed": settings.seed,
            "confidence": CONFIDENCE,
            "limits_lsb": list(settings.limits),
            "yield": rows,
            "plans": {name: plan.sha256 for name, (_, plan) in points.items()},
        },
        tables={"yield.csv": table, "chips.parquet": everyone},
        pictures={"stuck": partial(draw, table, title)},
        float_format="%.6g",
    )


def _plan(settings: StuckSettings, calibration: str, cells: int, rate: float) -> RampPlan:
    return RampPlan(
        settings.activation,
        settings.bits,
        seed=settings.seed,
        profile=replace(load_profile(settings.profile), stuck_off_rate=rate),
        n_calibration=cells,
        calibration=calibration,
        conversions=False,
    )


def describe(summary: dict[str, Any]) -> str:
    """Writes the summary for reading."""
    return "\n".join(
        f"{row['calibration']}, {row['cells']} cells, {100 * row['stuck_off_rate']:g} % stuck:"
        f" {100 * row['yield']:.1f} % ({100 * row['low']:.1f} to {100 * row['high']:.1f} %) within {row['limit_lsb']:g} LSB"
        for row in summary["yield"]
    )


STUDY = Study(
    "stuck",
    StuckSettings,
    compute,
    describe,
    Takes(260.0, lambda s: s.samples * len(s.rates) * len(s.cells) * len(s.calibrations)),
    networks=False,
)
