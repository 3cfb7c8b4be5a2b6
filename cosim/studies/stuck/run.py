"""Study of stuck cells: yield of the calibrated converter against the stuck-at-OFF rate and the number of calibration cells.

A cell that is stuck at OFF gives next to no charge: the levels after it are low by a whole step. One-point calibration moves the
ramp as a whole back onto its point, as far as the calibration cells reach; trimming also shares a lost step out over its
neighbours. All chips are simulated in ngspice at level macro; the points of a calibration share the draws of their chips.
"""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field

from characterization.estimates import CONFIDENCE, max_inl, proportion_interval
from characterization.plan import DEFAULT_PROFILE, RampPlan
from characterization.provenance import versions
from characterization.resume import Parts
from characterization.run import characterize, check_counts
from cosim.report import (
    BEFORE,
    IDEAL,
    MEASURED,
    Beside,
    Counts,
    Numbers,
    Page,
    RunOptions,
    Section,
    Study,
    StudySettings,
    Words,
    beside,
    new_figure,
    percent,
    read_table,
    save_figure,
    write_report,
)
from cosim.report.published import published
from netlists.files import make_folder, read_json, write_atomic, write_json
from netlists.technology import load_profile


class Settings(StudySettings):
    """What is simulated."""

    activation: str = Field("sigmoid", description="function of the ramp")
    bits: int = Field(5, ge=1, le=8, description="resolution")
    samples: int = Field(128, ge=1, description="chips of each point, all of them in ngspice")
    seed: int = Field(1, ge=0, description="of the chips")
    profile: str = Field(DEFAULT_PROFILE, description="device profile, or a TOML file of one's own")
    rates: Numbers = Field((0.0, 0.01, 0.02, 0.05), min_length=1, description="probability that a cell is stuck at OFF")
    cells: Counts = Field((3, 5, 8), min_length=1, description="calibration cells of the column")
    calibrations: Words = Field(("one-point", "trim"), min_length=1, description="procedures")
    limits: Numbers = Field((0.5, 1.0), min_length=1, description="largest |INL| of a chip that passes, input LSB")


def run_stuck_study(settings: Settings, out: Path, run: RunOptions) -> dict[str, Any]:
    """Simulate every point; write ``yield.csv``, ``chips.parquet``, a picture and ``summary.json``.

    A chip that fails to simulate does not pass.
    """
    check_counts(settings.samples, run.jobs)
    start = time.perf_counter()
    device = load_profile(settings.profile)
    points = [
        (
            {"calibration": calibration, "cells": count, "stuck_off_rate": rate},
            RampPlan(
                settings.activation,
                settings.bits,
                seed=settings.seed,
                profile=replace(device, stuck_off_rate=rate),
                n_calibration=count,
                calibration=calibration,
                conversions=False,
            ),
        )
        for calibration in settings.calibrations
        for count in settings.cells
        for rate in settings.rates
    ]
    out = make_folder(Path(out))
    parts = Parts(out, settings.model_dump(mode="json"))
    rows, chips, plans = [], [], {}
    for point, plan in points:
        name = f"{point['calibration']}-{point['cells']}-{point['stuck_off_rate']:g}"
        plans[name] = plan.sha256
        chip_run = characterize(plan, settings.samples, parts.file(name), jobs=run.jobs, progress=run.progress)
        inl = {
            "before": max_inl(chip_run.levels(calibrated=False), plan.program()),
            "after": max_inl(chip_run.levels(calibrated=True), plan.program()),
        }
        columns = {"sample": np.arange(settings.samples), **{f"max_inl_{k}": v for k, v in inl.items()}}
        chips.append(pd.DataFrame(point | columns))
        rows += [point | yield_row(inl["after"], limit) for limit in settings.limits]
    table = pd.DataFrame(rows)
    everyone = pd.concat(chips, ignore_index=True)
    write_atomic(out / "yield.csv", lambda p: table.to_csv(p, index=False, float_format="%.6g"))
    write_atomic(out / "chips.parquet", everyone.to_parquet)
    title = f"{settings.activation}, {settings.bits} bits, {settings.samples} chips a point, ngspice level macro"
    draw(out / "pictures" / "stuck", table, title)
    summary = {
        "study": STUDY.name,
        "settings": settings.model_dump(mode="json"),
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
        "plans": plans,
        "versions": versions(),
        "wall_seconds": round(time.perf_counter() - start, 1),
    }
    write_json(out / "summary.json", summary)
    write_report(out)
    parts.done()
    return summary


def yield_row(worst: np.ndarray, limit: float) -> dict[str, Any]:
    """Chips (n,) with max |INL| at or below the limit, their share and its Clopper-Pearson interval; NaN does not pass."""
    passed = int(np.sum(worst <= limit))
    low, high = proportion_interval(passed, len(worst))
    good = worst[np.isfinite(worst)]
    return {
        "limit_lsb": limit,
        "passed": passed,
        "chips": len(worst),
        "yield": passed / len(worst),
        "low": low,
        "high": high,
        "median_max_inl_lsb": float(np.median(good)) if len(good) else None,
    }


def draw(path: Path, table: pd.DataFrame, title: str) -> None:
    """Yield against the stuck-at-OFF rate: a panel a limit and calibration, a line a number of calibration cells."""
    limits, calibrations = sorted(table["limit_lsb"].unique()), list(table["calibration"].unique())
    figure, axes = new_figure(4.6 * len(calibrations), 3.2 * len(limits), len(limits), len(calibrations))
    colours = dict(zip(sorted(table["cells"].unique()), cycle((BEFORE, MEASURED, IDEAL)), strict=False))
    for (limit, calibration, cells), rows in table.groupby(["limit_lsb", "calibration", "cells"]):
        axis = axes[limits.index(limit), calibrations.index(calibration)]
        # Side by side: the intervals would hide each other.
        rate = 100 * rows["stuck_off_rate"] + 0.06 * (list(colours).index(cells) - 1)
        error = 100 * np.array([rows["yield"] - rows["low"], rows["high"] - rows["yield"]])
        axis.errorbar(
            rate,
            100 * rows["yield"],
            yerr=np.maximum(error, 0),
            marker="o",
            markersize=4,
            linewidth=1.2,
            capsize=3,
            color=colours[cells],
            label=f"{cells} calibration cells",
        )
        axis.set(ylim=(-3, 103), xlabel="cells stuck at OFF (%)", ylabel="yield (%)")
        axis.set_title(f"{calibration}: max |INL| up to {limit:g} LSB", fontsize=9)
    axes[0, 0].legend(fontsize=8)
    figure.suptitle(f"{title}; 95 % Clopper-Pearson intervals", fontsize=10)
    save_figure(figure, path)


def page(folder: Path) -> Page:
    """The page of a results folder, from ``summary.json`` and ``yield.csv``."""
    s = read_json(folder / "summary.json", "study summary")
    columns = [
        "calibration",
        "cells",
        "stuck_off_rate",
        "limit_lsb",
        "passed",
        "chips",
        "yield",
        "low",
        "high",
        "median_max_inl_lsb",
    ]
    table = read_table(folder, "yield.csv", columns)
    tight, loose = table["limit_lsb"].min(), table["limit_lsb"].max()
    calibrations, rates = list(dict.fromkeys(table["calibration"])), sorted(table["stuck_off_rate"].unique())
    cells = 5 if 5 in set(table["cells"]) else int(table["cells"].iloc[0])
    # The smallest rate above zero: cells stuck now and then.
    rate = next((r for r in rates if r > 0), rates[0])

    def share(calibration: str, stuck: float, limit: float) -> str:
        use = (table["calibration"] == calibration) & (table["cells"] == cells) & (table["stuck_off_rate"] == stuck)
        return percent(float(table[use & (table["limit_lsb"] == limit)]["yield"].iloc[0]), 0)

    found = [
        f"{c} {' and '.join(f'{share(c, r, tight)} with {100 * r:g} % of cells stuck' for r in (rate, rates[-1]))}"
        for c in calibrations
    ]
    lead = (
        f"Chips within {tight:g} LSB after calibration, {cells} calibration cells: {'; '.join(found)}. A stuck ramp cell loses a "
        "step. One-point calibration moves the ramp as a whole and cannot give it back, with however many calibration cells; "
        "trimming shares the step out over its neighbours."
    )
    highlights = [
        (share(c, rate, limit), f"{c}, {100 * rate:g} % stuck, {limit:g} LSB") for limit in (tight, loose) for c in calibrations
    ]
    shown = pd.DataFrame(
        {
            "calibration": table["calibration"],
            "calibration cells": table["cells"],
            "stuck at OFF": [percent(r, 1) for r in table["stuck_off_rate"]],
            "limit (LSB)": table["limit_lsb"],
            "passed": [f"{p} of {n}" for p, n in zip(table["passed"], table["chips"], strict=True)],
            "yield": [percent(y, 1) for y in table["yield"]],
            "95 % interval": [f"{percent(a, 1)} to {percent(b, 1)}" for a, b in zip(table["low"], table["high"], strict=True)],
            "max |INL|, median (LSB)": table["median_max_inl_lsb"],
        }
    )
    first = calibrations[0]
    ours = Beside(
        published("calibration-rescues"),
        f"{first}, {100 * rate:g} % stuck: {share(first, rate, tight)} of chips within {tight:g} LSB, "
        f"{share(first, rate, loose)} within {loose:g} LSB",
        False,
        "the paper shows columns that were rescued; no number, rate or limit of it is known to us. Ours are simulated chips",
    )
    sections = [
        Section(
            "Yield",
            picture="stuck",
            caption="Each point is its own set of chips in ngspice; the points of a calibration share the draws of their chips.",
            table=shown,
            notes=[
                f"{s['activation']}, {s['bits']} bits, level {s['level']}, profile {s['profile']}, seed {s['seed']}; "
                f"Clopper-Pearson intervals. Chips that failed to simulate, which do not pass: {s['failed']}.",
                "The rates are assumptions, to be swept: no rate of stuck cells is published for these memristors.",
            ],
        ),
        Section("Beside the paper", table=beside([ours])),
    ]
    return Page("Cells stuck at OFF: what calibration can do", lead, highlights, sections)


def describe(summary: dict[str, Any]) -> str:
    """The summary for reading."""
    return "\n".join(
        f"{row['calibration']}, {row['cells']} cells, {100 * row['stuck_off_rate']:g} % stuck:"
        f" {100 * row['yield']:.1f} % ({100 * row['low']:.1f} to {100 * row['high']:.1f} %) within {row['limit_lsb']:g} LSB"
        for row in summary["yield"]
    )


STUDY = Study("stuck", Settings, run_stuck_study, describe)
