"""Measures every transistor-level block (SKY130) and writes what came out: summary.json and tables.

Nominal figures, all corners with the extremes of temperature and supply, mismatch statistics. Nothing here is
typed in: `characterization.transistors.macro_fit` turns the summary into the macro-models' parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from characterization.processes import in_workers
from characterization.provenance import versions
from netlists.checks import Seed, check
from netlists.files import write_atomic, write_json
from netlists.machine import weigh
from netlists.technology import CORNERS, Conditions, pdk
from netlists.testbench import COMPARATOR, OTA, access_deck, run_bench

from .autozero import LEVELS, measure_autozero
from .comparator import (
    COMMON_MODES,
    LATCH_OVERDRIVES,
    OVERDRIVES,
    SAMPLE_SECONDS,
    STRONGARM,
    Samples,
    measure_comparator,
    measure_comparator_delay,
    measure_comparator_input,
    measure_offsets,
    measure_strongarm,
)
from .ota import measure_integrator, measure_ota
from .stages import measure_stages

WIDTHS = (0.42e-6, 0.5e-6, 1e-6, 2e-6, 4e-6, 8e-6)
EXTREMES = ((-40.0, 1.62), (-40.0, 1.98), (27.0, 1.8), (125.0, 1.62), (125.0, 1.98))
"""Temperature (C) and supply (V) of the corner runs."""
AUTOZEROED = 16
"""Auto-zeroed integrators at each level."""
CORNER_OVERDRIVES = (1e-3, 10e-3, 100e-3)
"""Of the delays at each corner, volts."""


@dataclass(frozen=True)
class AccessResistance:
    """On-resistance (ohm) of an access transistor of ``width`` (m) at gate level ``select`` and source voltage ``source`` (V)."""

    corner: str
    temperature: float
    width: float
    length: float
    select: float
    source: float
    r_on: float


def measure_access(
    conditions: Conditions | None = None,
    widths: Sequence[float] = WIDTHS,
    *,
    length: float = 0.15e-6,
    selects: Sequence[float] = (1.8, 2.5),
    sources: Sequence[float] = (0.0, 0.7, 0.9),
    v_ds: float = 0.02,
) -> list[AccessResistance]:
    """R_on of ``nfet_01v8`` at a small drain-source voltage, from one ``.op``; sizes in metres.

    Source 0 V is how transistors are usually quoted; 0.7 V and 0.9 V are where a cell sits whose summing node is at
    v_cm = 0.9 V. 2.5 V is a boosted select line (assumption: it leaves 1.6..1.8 V across the gate oxide).
    """
    at = conditions or Conditions()
    for w in widths:
        pdk.check_geometry("nmos_sky130", w=w, length=length)
    count = len(selects) * len(sources) * len(widths)
    names = [f"current{j}" for j in range((count + 31) // 32)]
    run = run_bench(access_deck(at, widths, length=length, selects=selects, sources=sources, v_ds=v_ds), names)
    r_on = iter(v_ds / -np.concatenate([run[n][0, 1:] for n in names]))
    return [
        AccessResistance(at.corner, at.temperature, w, length, select, source, float(next(r_on)))
        for select in selects
        for source in sources
        for w in widths
    ]


def _measure(conditions: Conditions, overdrives: Sequence[float], latch_overdrives: Sequence[float]) -> dict[str, list[dict]]:
    """Rows of every table that is measured at each corner."""
    comparator = measure_comparator(conditions)
    middle = next(c for c in comparator if c.common_mode == COMMON_MODES[1])
    measured = {
        "comparator_sky130": measure_comparator_delay(conditions, tuple(overdrives), offset=middle.offset),
        "strongarm_sky130": measure_strongarm(conditions, tuple(latch_overdrives)),
    }
    return {
        "ota": [asdict(measure_ota(conditions))],
        "stages": [asdict(measure_stages(conditions))],
        "integrator": [asdict(measure_integrator(conditions))],
        "comparator": [asdict(c) for c in comparator],
        "delay": [{"block": block, **asdict(d)} for block, (delays, _) in measured.items() for d in delays],
        "kickback": [{"block": block, **asdict(kick)} for block, (_, kick) in measured.items()],
    }


def _of_block(rows: Iterable[dict], block: str) -> list[dict]:
    return [{name: v for name, v in row.items() if name != "block"} for row in rows if row["block"] == block]


def measure_blocks(
    out: str | Path,
    *,
    samples: int = 300,
    seed: int = 1,
    corners: Sequence[str] = CORNERS,
    extremes: Sequence[tuple[float, float]] = EXTREMES,
    jobs: int = 1,
    progress: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Measures all blocks and writes ``summary.json`` and CSV tables into ``out``.

    Parameters
    ----------
    samples : int
        Mismatch samples of each block and, for the comparator, of each input common mode.
    seed : int
        Of the generator that draws the ngspice seeds.
    corners, extremes : sequences
        Process corners, and (temperature in C, supply in V) pairs; all combinations are run.
    jobs : int
        ngspice processes at a time.
    progress : callable
        Told what is being measured.

    Returns
    -------
    dict
        What ``summary.json`` holds. Tables: ``ota``, ``stages``, ``integrator``, ``comparator``, ``delay``, ``kickback`` (over
        corners), ``offset_samples``, ``offsets``, ``access``, ``autozero_samples``, ``autozero`` (what auto-zeroed integrators
        leave of their offsets, by level).

    Raises
    ------
    InputError, SimulationError, ToolkitError
        Bad settings, a failing bench, no PDK or no ngspice: before anything is written.
    """
    import pandas as pd
    from joblib import delayed

    check(Samples, samples, "samples")
    check(Seed, seed, "seed")
    # Offsets of five blocks and common modes.
    if line := weigh(f"samples={samples}", seconds=5 * SAMPLE_SECONDS * samples, memory=5000.0 * samples, folder=out):
        progress(line)
    models = pdk.provenance()
    points = [Conditions(c, t, v) for c in corners for t, v in extremes]
    nominal = Conditions()
    progress("nominal figures")
    figures = _measure(nominal, OVERDRIVES, LATCH_OVERDRIVES)
    access = [asdict(r) for c in ("tt", "ss", "ff") for r in measure_access(Conditions(c))]

    progress(f"{len(points)} corners")
    parts = list(in_workers((delayed(_measure)(p, CORNER_OVERDRIVES, CORNER_OVERDRIVES) for p in points), jobs))
    corner_tables = {name: [row for part in parts for row in part[name]] for name in figures}

    rng = np.random.default_rng(seed)
    wanted = [*((COMPARATOR, v) for v in COMMON_MODES), (OTA, nominal.v_cm), (STRONGARM, nominal.v_cm)]
    offsets, drawn = [], []
    for block, v in wanted:
        progress(f"{samples} mismatch samples of {block.name} at a common mode of {v:g} V")
        statistics, values = measure_offsets(block, samples, rng, nominal, common_mode=v)
        offsets.append(asdict(statistics))
        drawn += [{"block": block.name, "common_mode": v, "sample": i, "offset": float(x)} for i, x in enumerate(values)]

    progress(f"{AUTOZEROED} auto-zeroed integrators at levels {' and '.join(LEVELS)}")
    autozero, stored = [], []
    for level in LEVELS:
        left, rows = measure_autozero(n=AUTOZEROED, rng=rng, conditions=nominal, level=level)
        autozero.append(asdict(left))
        stored += [{"level": level, "sample": i, **row} for i, row in enumerate(rows)]

    summary = {
        "conditions": asdict(nominal),
        "ota": figures["ota"][0],
        "stages": figures["stages"][0],
        "integrator": figures["integrator"][0],
        "comparator": figures["comparator"],
        "comparator_delay": _of_block(figures["delay"], "comparator_sky130"),
        "comparator_kickback": _of_block(figures["kickback"], "comparator_sky130")[0],
        "comparator_input": asdict(measure_comparator_input(nominal)),
        "strongarm_delay": _of_block(figures["delay"], "strongarm_sky130"),
        "strongarm_kickback": _of_block(figures["kickback"], "strongarm_sky130")[0],
        "offsets": offsets,
        "autozero": autozero,
        "access": [r for r in access if r["corner"] == nominal.corner],
        "corners": _extremes(corner_tables),
        "settings": {"samples": samples, "seed": seed, "corners": list(corners), "extremes": [list(e) for e in extremes]},
        "models": models,
        "versions": versions(),
    }
    folder = Path(out)
    tables = {**corner_tables, "offset_samples": drawn, "offsets": offsets, "access": access}
    tables |= {"autozero": autozero, "autozero_samples": stored}
    for name, rows in tables.items():
        text = pd.DataFrame(rows).to_csv(index=False, float_format="%.6g")
        write_atomic(folder / f"{name}.csv", partial(Path.write_text, data=text))
    write_json(folder / "summary.json", summary)
    return summary


def _extremes(tables: dict[str, list[dict]]) -> dict[str, dict[str, dict[str, Any]]]:
    """Smallest and largest value of each figure over the corners, with where it is."""
    import pandas as pd

    out: dict[str, dict[str, dict[str, Any]]] = {}
    for name, rows in tables.items():
        frame = pd.DataFrame(rows)
        where = [c for c in ("corner", "temperature", "v_dd", "common_mode", "overdrive", "block") if c in frame]
        groups = frame.groupby("block") if "block" in frame else [(name, frame)]
        for block, group in groups:
            figures = group.drop(columns=where).select_dtypes("number")
            key = name if block == name else f"{name} {block}"
            out[key] = {}
            for figure in figures:
                low, high = group.loc[group[figure].idxmin()], group.loc[group[figure].idxmax()]
                out[key][figure] = {
                    "min": float(low[figure]),
                    "min_at": {c: low[c] for c in where},
                    "max": float(high[figure]),
                    "max_at": {c: high[c] for c in where},
                }
    return out
