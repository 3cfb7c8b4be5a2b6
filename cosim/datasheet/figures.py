"""The table of a datasheet: each figure at nominal conditions and its extremes over all, beside its limits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from netlists.check_rules import near
from netlists.errors import InputError
from netlists.files import read_toml
from netlists.quantities import quantity


@dataclass(frozen=True)
class FigureOfMerit:
    """A line of a datasheet: what it says, its unit, and how many of that unit make one SI unit."""

    text: str
    unit: str
    scale: float


FIGURES = {
    "offset": FigureOfMerit("systematic input offset", "mV", 1e3),
    "offset_sigma": FigureOfMerit("sigma of the offset, mismatch (95 % interval)", "mV", 1e3),
    "noise": FigureOfMerit("input-referred noise, rms", "mV", 1e3),
    "gain": FigureOfMerit("small-signal gain at the trip point", "V/V", 1.0),
    "hysteresis": FigureOfMerit("hysteresis of slow sweeps", "mV", 1e3),
    "input_low": FigureOfMerit("input range, low end", "V", 1.0),
    "input_high": FigureOfMerit("input range, high end", "V", 1.0),
    "delay_1mv": FigureOfMerit("delay at 1 mV of overdrive; 20 fF at the output, none with a clock", "ns", 1e9),
    "delay_10mv": FigureOfMerit("delay at 10 mV of overdrive; 20 fF at the output, none with a clock", "ns", 1e9),
    "delay_100mv": FigureOfMerit("delay at 100 mV of overdrive; 20 fF at the output, none with a clock", "ns", 1e9),
    "kickback": FigureOfMerit("kickback on 1 pF, peak", "mV", 1e3),
    "energy": FigureOfMerit("supply energy of a decision", "pJ", 1e12),
    "power": FigureOfMerit("supply power, mean of both sides", "uW", 1e6),
    "macro_error": FigureOfMerit("macro-model against the block, largest of all levels", "LSB", 1.0),
}
"""Figures of a comparator, in the order of its datasheet."""

OPAMP_FIGURES = {
    "gain": FigureOfMerit("open-loop gain at analog ground", "V/V", 1.0),
    "gbw": FigureOfMerit("gain-bandwidth product", "MHz", 1e-6),
    "crossover": FigureOfMerit("unity-gain frequency of the integrator's loop", "MHz", 1e-6),
    "phase_margin": FigureOfMerit("phase margin there", "deg", 1.0),
    "slew": FigureOfMerit("slew rate, the slower direction; gain -1 through 1 pF, 1 pF at the output", "V/us", 1e-6),
    "swing_low": FigureOfMerit("output swing, low end", "V", 1.0),
    "swing_high": FigureOfMerit("output swing, high end", "V", 1.0),
    "loaded_low": FigureOfMerit("the same with 150 uA either way, low end", "V", 1.0),
    "loaded_high": FigureOfMerit("the same, high end", "V", 1.0),
    "r_out": FigureOfMerit("output resistance, loop open", "kohm", 1e-3),
    "offset": FigureOfMerit("systematic input offset", "mV", 1e3),
    "offset_sigma": FIGURES["offset_sigma"],
    "power": FigureOfMerit("supply power", "uW", 1e6),
    "macro_error": FIGURES["macro_error"],
}
"""Figures of an op-amp."""
HUGE, TINY = 0.1, 1e3
"""Limits of mV, ns, pJ and uW from here on, and of MHz up to here, are hardly meant in SI units."""
ROLE_FIGURES = {"comparator": FIGURES, "opamp": OPAMP_FIGURES}


def load_limits(path: Path | None, role: str = "comparator") -> dict[str, dict[str, float]]:
    """Reads limits: a TOML table a figure, with ``min``, ``max`` or both, SI units.

    Raises
    ------
    InputError
        A file that cannot be read, or a name or value that is no limit.
    """
    if path is None:
        return {}
    data = read_toml(path, "file of limits")
    if not data:
        raise InputError(f"limits {path}: has no limits; allowed are {', '.join(ROLE_FIGURES[role])}")
    for name, table in data.items():
        if name not in ROLE_FIGURES[role]:
            raise InputError(
                f"limits {path}: {name}: unknown; allowed are {', '.join(ROLE_FIGURES[role])}{near(name, ROLE_FIGURES[role])}"
            )
        table = data[name] = {k: _limit(v) for k, v in table.items()} if isinstance(table, dict) else table
        good = isinstance(table, dict) and table and set(table) <= {"min", "max"}
        if not good or any(isinstance(v, bool) or not isinstance(v, int | float) or not math.isfinite(v) for v in table.values()):
            raise InputError(f"limits {path}: {name}={table!r}: must be a table of min, max or both, numbers in SI units")
    return {name: {k: float(v) for k, v in table.items()} for name, table in data.items()}


def odd_limits(limits: dict[str, dict[str, float]], role: str = "comparator") -> list[str]:
    """What to say of limits that are written in the units of the table, it seems, and hold nothing: they are in SI units."""
    said = []
    for name, table in limits.items():
        what = ROLE_FIGURES[role][name]
        for side, value in table.items():
            if (what.scale >= 1e3 and abs(value) >= HUGE) or (what.scale <= 1e-6 and 0 < abs(value) < TINY):
                shown = f"{side} = {value:g}"
                said.append(
                    f"limits: {name}: {shown} is {value * what.scale:g} {what.unit}: limits are in SI units; write {value:g}"
                    f"{'e' + format(-round(math.log10(what.scale)), 'd')} for {value:g} {what.unit}"
                )
    return said


def _limit(value: Any) -> Any:
    """A limit, which may be written with a SPICE suffix."""
    try:
        return quantity(value) if isinstance(value, str) else value
    except InputError:
        return value


def datasheet(
    figures: pd.DataFrame,
    mismatch: dict[str, Any] | None,
    macro_error: float | None,
    limits: dict[str, dict[str, float]],
    role: str = "comparator",
) -> pd.DataFrame:
    """One row a figure: ``figure, meaning, unit, min, typical, max, limit_min, limit_max, verdict``, in the table's units.

    Verdicts are ``pass``, ``fail`` (a value beyond its limit at any condition, or a condition without a value) or empty.
    """
    found: dict[str, tuple[float, float, float, bool]] = {}
    for name in ROLE_FIGURES[role]:
        if name in figures:
            values = figures[name].to_numpy(float)
            good = values[np.isfinite(values)]
            if len(good):
                found[name] = (float(good.min()), float(values[0]), float(good.max()), len(good) == len(values))
    if mismatch:
        found["offset_sigma"] = (mismatch["sigma_low"], mismatch["sigma"], mismatch["sigma_high"], True)
    if macro_error is not None:
        found["macro_error"] = (macro_error, macro_error, macro_error, True)
    rows = []
    for name, what in ROLE_FIGURES[role].items():
        limit = limits.get(name, {})
        if name not in found and not limit:
            continue
        low, typical, high, complete = found.get(name, (math.nan,) * 3 + (False,))
        low_limit, high_limit = limit.get("min", -math.inf), limit.get("max", math.inf)
        # An offset sigma is held against its limit as it was found, not by the ends of its interval.
        ends = (typical, typical) if name == "offset_sigma" else (low, high)
        ok = complete and ends[0] >= low_limit and ends[1] <= high_limit
        rows.append(
            {
                "figure": name,
                "meaning": what.text,
                "unit": what.unit,
                # A supply that gives no current gives -0.
                **{k: v * what.scale + 0.0 for k, v in (("min", low), ("typical", typical), ("max", high))},
                "limit_min": limit["min"] * what.scale if "min" in limit else math.nan,
                "limit_max": limit["max"] * what.scale if "max" in limit else math.nan,
                "verdict": ("pass" if ok else "fail") if limit else "",
            }
        )
    return pd.DataFrame(rows)


def markdown(table: pd.DataFrame) -> str:
    """A table as Markdown; numbers with four digits, nothing where there is none."""

    def cell(value: object) -> str:
        if isinstance(value, float):
            return "" if math.isnan(value) else f"{value:.4g}"
        return str(value).replace("|", "\\|")

    head = [str(c) for c in table.columns]
    lines = [head, ["---"] * len(head), *([cell(v) for v in row] for row in table.itertuples(index=False, name=None))]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
