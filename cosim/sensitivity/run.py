"""Differentiates a converter, uses the derivatives three times, and writes the folder."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd

from characterization.chips import ColumnScope
from characterization.plan import Limits, RampPlan
from characterization.sensitivity import linear_yield, sensitivities, spice_check, trimming_table, worst_case
from cosim.report import Results, RunOptions, Study
from netlists.checks import Number, Whole, checked

from .pictures import draw_derivatives, draw_trimming

WRITES = (0, 1, 2, 3, 5, 8, 12, 20, 32)
"""Numbers of cells written of the table of trimming, as far as there are cells."""
SPICE_CHIPS = 20
"""Chips whose trimming ngspice confirms."""


@checked
@dataclass(frozen=True)
class SensitivitySettings:
    """What is asked of a converter.

    Attributes
    ----------
    plan : RampPlan
    sample : int or None
        Drawn chip whose figures are differentiated; None: the nominal one.
    limits : Limits
        Of the yield.
    columns : {"calibrating", "any", "all"}
        Whose yield.
    k_sigma : float
        Distance of the worst case.
    chips : int
        Drawn for the linear yield and the closed form beside it.
    trim_chips : int
        Drawn for the order of trimming.
    spice : bool
        Whether ngspice checks derivatives, worst case and trimming.
    spice_chips : int
        Chips that it simulates for the yield; 0: none.
    """

    plan: RampPlan
    sample: int | None = None
    limits: Limits = field(default_factory=lambda: Limits(max_inl=0.5, max_dnl=0.5))
    columns: ColumnScope = "calibrating"
    k_sigma: Annotated[float, Number(above=0)] = 3.0
    chips: Annotated[int, Whole(100, 10**7)] = 20_000
    trim_chips: Annotated[int, Whole(8, 10**4)] = 50
    spice: bool = False
    spice_chips: Annotated[int, Whole(0, 10**6)] = 0

    def as_dict(self) -> dict[str, Any]:
        """Returns the settings as JSON has them."""
        data = {
            name: getattr(self, name) for name in ("sample", "columns", "k_sigma", "chips", "trim_chips", "spice", "spice_chips")
        }
        limits = {name: value for name, value in asdict(self.limits).items() if np.isfinite(value)}
        return {"plan": json.loads(json.dumps(self.plan.as_dict())), "limits": limits, **data}


def analyse(settings: SensitivitySettings) -> Results:
    """Differentiates a converter and uses the derivatives: the order of trimming, the worst case, the yield.

    Raises
    ------
    InputError
        Blocks that the closed form does not describe, or a plan in which nothing varies.
    SimulationError
        A chip that ngspice could not measure.
    """
    plan, spice = settings.plan, settings.spice
    found = sensitivities(plan, settings.sample)
    table, ramps = found.table(), 0
    parameters = len(found.names)
    if spice:
        checks = spice_check(found)
        table = table.merge(checks, on="parameter")
        ramps += 2 * parameters + 1
    calibrated = plan.calibration != "none"
    corner = worst_case(plan, settings.k_sigma, calibrated=calibrated, spice=spice)
    writes = [n for n in WRITES if n < found.n_cells] + [found.n_cells]
    trimming = trimming_table(plan, range(settings.trim_chips), writes)
    if spice:
        few = min(SPICE_CHIPS, settings.trim_chips)
        trimming = pd.concat([trimming, trimming_table(plan, range(few), writes, spice=True)], ignore_index=True)
        ramps += 1 + 3 * few * len(writes)
    shares = linear_yield(plan, settings.limits, columns=settings.columns, chips=settings.chips, spice=settings.spice_chips)
    ramps += settings.spice_chips * (2 if calibrated else 1)

    k, gap = found.worst_level, _gap(found.inl)
    warnings = list(corner.warnings)
    if gap < 0.01:
        warnings.append(
            f"max |INL| has a kink here: level {k + 1} has {abs(found.inl[k]):.3g} LSB and another one {gap:.2g} less; its "
            "derivatives hold as far as smooth_to says; give a sample to differentiate a drawn chip"
        )
    if spice and len(faint := table[~table["resolved"]]):
        warnings.append(f"ngspice's time steps are too coarse to check what hardly moves a level: {', '.join(faint['parameter'])}")
    summary = {
        "activation": plan.name,
        "bits": plan.bits,
        "parameters": parameters,
        "levels": found.levels.tolist(),
        # What is not finite, as a range without an end, is null.
        "sensitivities": json.loads(table.to_json(orient="records", double_precision=15)),
        "max_inl": float(abs(found.inl[k])),
        "worst_level": k + 1,
        "gap": gap,
        "cost": {
            "simulations_of_a_gradient": 0,
            "closed_form_chips_of_a_gradient": parameters - 1,
            "ngspice_ramps_of_central_differences": 2 * parameters,
            "ngspice_ramps_taken": ramps,
        },
        "check": _check(table) if spice else None,
        "worst_case": {
            "k_sigma": corner.k_sigma,
            "calibrated": calibrated,
            "level": corner.level + 1,
            "inl": corner.inl,
            "deviation": {n: d for n, d in zip(found.names, corner.deviation.tolist(), strict=True) if d},
        },
        "yield": [share.as_dict() for share in shares],
    }
    jacobian = pd.DataFrame(found.jacobian.T, columns=[f"level_{i + 1}" for i in range(len(found.levels))])
    jacobian.insert(0, "parameter", found.names)
    tables = {
        "sensitivities.csv": table,
        "derivatives.csv": jacobian,
        "trimming.csv": trimming,
        "yield.csv": pd.DataFrame(summary["yield"]),
    }
    pictures = {"derivatives": partial(draw_derivatives, found), "trimming": partial(draw_trimming, trimming)}
    return Results(summary, tables, pictures, "%.8g", warnings)


def _gap(inl: np.ndarray) -> float:
    """How much less the second largest |INL| is than the largest."""
    largest = np.sort(np.abs(inl))[-2:]
    return float(largest[-1] - largest[0]) if len(inl) > 1 else float("inf")


def _check(table: pd.DataFrame) -> dict[str, Any]:
    """How the derivatives that a nudge resolves compare with ngspice."""
    seen = table[table["resolved"]]
    cells = seen[seen["parameter"].str.startswith("cell ")]
    others = seen.drop(cells.index)
    return {
        "resolved": len(seen),
        "within_1_percent": int((seen["error"] <= 0.01).sum()),
        "worst_cell": float(cells["error"].max()),
        "beyond_1_percent": {r.parameter: float(r.error) for r in others.itertuples() if r.error > 0.01},
    }


def run_sensitivity(settings: SensitivitySettings, out: Path, options: RunOptions | None = None) -> dict[str, Any]:
    """Writes what `analyse` finds to a folder: ``sensitivities.csv`` and other tables, pictures, page, ``summary.json``.

    Returns
    -------
    dict
        What ``summary.json`` holds.

    Raises
    ------
    InputError, SimulationError
        As `analyse`; a folder of something else.
    """

    return Study("ramp-sensitivity", SensitivitySettings, lambda given, _: analyse(given), describe, networks=False).run(
        settings, Path(out), options
    )


def describe(s: dict[str, Any]) -> str:
    """Writes the answers in a few lines, for the terminal."""
    cost, corner = s["cost"], s["worst_case"]
    worst = f"max |INL| {s['max_inl']:.4g} LSB at level {s['worst_level']}"
    lines = [
        f"{s['activation']}, {s['bits']} bits: {s['parameters']} parameters; {worst}",
        f"a gradient: {cost['closed_form_chips_of_a_gradient']} chips in closed form, no simulation; central differences in "
        f"ngspice take {cost['ngspice_ramps_of_central_differences']} ramps",
    ]
    if c := s["check"]:
        beyond = ", ".join(f"{n} {100 * e:.2g} %" for n, e in c["beyond_1_percent"].items())
        lines.append(
            f"against ngspice: {c['within_1_percent']} of {c['resolved']} within 1 %, worst cell {100 * c['worst_cell']:.2g} %"
            + (f"; beyond: {beyond}" if beyond else "")
        )
    inl = ", ".join(f"{by} {value:.4g}" for by, value in corner["inl"].items())
    lines.append(f"worst case at {corner['k_sigma']:g} sigma: level {corner['level']}, INL (LSB) {inl}")
    lines += [
        f"yield, {y['by']}: {100 * y['value']:.2f} % ({100 * y['low']:.2f}..{100 * y['high']:.2f} %) of {y['chips']} chips"
        for y in s["yield"]
    ]
    return "\n".join(lines)
