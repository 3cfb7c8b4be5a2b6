"""A datasheet from a block's netlist: measured, fitted, held against the block itself, written with its block file."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from characterization.chips import without_randomness
from characterization.provenance import versions
from characterization.transistors import (
    check_macro,
    fit_opamp,
    macro_of,
    measure_own_comparator,
    measure_own_opamp,
)
from cosim.report import Results, RunOptions, Study, Work
from netlists.errors import InputError, SimulationError
from netlists.files import write_text
from netlists.machine import weigh
from netlists.outside import BlockFile, ComparatorMacro, Macro
from netlists.technology import MEASURED_STATISTICS, RampCircuit, libraries

from . import pictures
from .figures import datasheet, markdown, odd_limits
from .settings import DatasheetSettings

BLOCK = "block.json"
CHIP_SECONDS = 0.5
"""Of a converter on which macro-model and block are held against each other, one of few transistors."""
ALLOWED_LSB = 0.1
"""How far the macro-model may be from the block at a level."""
SHOWN_LEVELS = 4
"""Levels where it is farther that a warning names, the worst of them."""


@dataclass(frozen=True)
class _Found:
    """What the benches of either kind of block give: rows, macro-model, its fit, tables of their own."""

    figures: list[dict[str, Any]]
    offsets: list[dict[str, Any]]
    mismatch: dict[str, Any] | None
    warnings: tuple[str, ...]
    macro: Macro
    fit: dict[str, float]
    tables: dict[str, pd.DataFrame]


def _measure(settings: DatasheetSettings, options: RunOptions) -> _Found:
    how: dict[str, Any] = {"samples": settings.samples, "seed": settings.seed, "jobs": options.jobs, "say": options.say}
    if settings.role == "opamp":
        opamp = measure_own_opamp(settings.own, settings.nominal, settings.others, **how)
        macro, fit = fit_opamp(opamp)
        tables = {"response.csv": pd.DataFrame(opamp.response)}
        return _Found(opamp.figures, opamp.offsets, opamp.mismatch, opamp.warnings, macro, fit, tables)
    found = measure_own_comparator(settings.own, settings.nominal, settings.others, noise=settings.noise is None, **how)
    simple, fit = macro_of(found, settings.nominal)
    tables = {"common_modes.csv": pd.DataFrame(found.common_modes), "delays.csv": pd.DataFrame(found.delays)}
    return _Found(found.figures, found.offsets, found.mismatch, found.warnings, simple, fit, tables)


def compute(limits: dict[str, dict[str, float]], settings: DatasheetSettings, work: Work) -> Results:
    """Measures a block and writes its block file; see `make_datasheet`."""
    own, nominal, say = settings.own, settings.nominal, work.options.say
    if line := weigh(f"chips={settings.chips}", seconds=CHIP_SECONDS * settings.chips, folder=work.place):
        say(line)
    measured = _measure(settings, work.options)
    macro, warnings = measured.macro, [*measured.warnings, *odd_limits(limits, settings.role)]
    sigma = measured.mismatch["sigma"] if measured.mismatch else 0.0
    check: dict[str, Any] = {"chips": 0}
    rows: list[dict[str, Any]] = []
    if settings.chips:
        say(f"macro-model against the block on {settings.chips} chips")
        circuit = RampCircuit(v_dd=settings.v_dd, v_cm=settings.v_cm)
        try:
            found = check_macro(without_randomness(own), macro, circuit, sigma, chips=settings.chips, seed=settings.seed)
        except SimulationError as e:
            warnings.append(f"the macro-model was not held against the block in a converter: {e}".partition("\n")[0])
        else:
            macro, rows = found.macro, found.rows
            check = {"chips": settings.chips, "largest_lsb": found.largest, "held": found.held}
            warnings += [*_where_it_differs(rows), *_beyond_range(macro, measured.figures[0])]
    noise = measured.figures[0].get("noise", math.nan)
    if settings.noise is not None:
        if math.isfinite(noise):
            raise InputError(f"noise={settings.noise:g}: the noise of {own.name} is measured, {noise:g} V; leave it out")
        noise = measured.figures[0]["noise"] = settings.noise
        warnings.append(f"the noise of {own.name}, {noise:g} V, is as given, not measured")
    elif settings.role == "comparator" and not math.isfinite(noise):
        ours = MEASURED_STATISTICS["comparator_noise_sigma"]
        warnings.append(f"block file: has no noise: runs draw that of our comparator, {ours:g} V, and say so; noise= gives another")
    statistics = {"comparator_noise": noise} if math.isfinite(noise) else {}
    statistics |= {f"{settings.role}_offset": sigma} if measured.mismatch else {}
    table = datasheet(pd.DataFrame(measured.figures), measured.mismatch, check.get("largest_lsb"), limits, settings.role)
    models = libraries.provenance(own.pdk) if own.pdk else {}
    figures = {k: v for k, v in measured.figures[0].items() if not (isinstance(v, float) and math.isnan(v))}
    BlockFile(
        role=settings.role,
        own=without_randomness(own),
        macro=macro,
        statistics=statistics,
        figures=figures | ({"mismatch": measured.mismatch} if measured.mismatch else {}),
        conditions=asdict(nominal),
        checks=check,
        provenance={"seed": settings.seed, "models": models, "versions": versions()},
    ).save(work.out / BLOCK)
    summary = {
        "block": own.name,
        "wiring": own.wiring,
        "conditions": len(measured.figures),
        "nominal": asdict(nominal),
        "figures": figures,
        "mismatch": measured.mismatch,
        "macro": asdict(macro),
        "fit_error": measured.fit["worst"] if math.isfinite(measured.fit["worst"]) else None,
        "check": check,
        "limits": limits,
        "failed": [r["figure"] for r in table.to_dict("records") if r["verdict"] == "fail"],
        "passed": table["verdict"].tolist().count("pass"),
        "models": models,
    }
    write_text(work.out / "datasheet.md", _markdown(summary, settings.role, table, warnings))
    tables = {"datasheet.csv": table, "conditions.csv": pd.DataFrame(measured.figures), **measured.tables}
    drawn: dict[str, Any] = {}
    if isinstance(macro, ComparatorMacro):
        drawn["delay"] = partial(pictures.draw_delay, tables["delays.csv"], macro.gain, macro.tau, macro.limit)
        ends = figures["input_low"], figures["input_high"]
        drawn["common_mode"] = partial(pictures.draw_common_mode, tables["common_modes.csv"], *ends)
    else:
        drawn["response"] = partial(pictures.draw_response, tables["response.csv"], asdict(macro))
    if measured.mismatch:
        tables["offsets.csv"] = pd.DataFrame(measured.offsets)
        drawn["offsets"] = partial(pictures.draw_offsets, tables["offsets.csv"], sigma)
    if rows:
        tables["macro.csv"] = pd.DataFrame(rows)
        drawn["macro"] = partial(pictures.draw_macro, tables["macro.csv"])
    return Results(summary, tables, drawn, "%.6g", warnings)


def _where_it_differs(rows: list[dict[str, Any]]) -> list[str]:
    """Levels at which the macro-model is farther from the block than allowed."""
    worst: dict[int, tuple[float, float]] = {}
    for r in rows:
        if abs(r["difference_lsb"]) > max(ALLOWED_LSB, worst.get(r["k"], (0.0, 0.0))[0]):
            worst[r["k"]] = (abs(r["difference_lsb"]), r["block"])
    if not worst:
        return []
    most = sorted(sorted(worst, key=lambda k: -worst[k][0])[:SHOWN_LEVELS])
    where = ", ".join(f"{k} (V_mac near {worst[k][1]:.3g} V: {worst[k][0]:.2g} LSB)" for k in most)
    more = f" and {len(worst) - len(most)} more, all in macro.csv" if len(worst) > len(most) else ""
    return [
        f"the macro-model is more than {ALLOWED_LSB:g} LSB from the block at level {where}{more}: simulate the block itself there"
    ]


def _beyond_range(macro: Macro, figures: dict[str, Any]) -> list[str]:
    """Levels at which the converter takes a comparator out of its input range."""
    if not isinstance(macro, ComparatorMacro):
        return []
    low, high = figures["input_low"], figures["input_high"]
    out = [o - figures["offset"] for v, o in zip(macro.common_modes, macro.offsets, strict=True) if not low <= v <= high]
    if not out:
        return []
    ends = f"{macro.common_modes[0]:.3g}..{macro.common_modes[-1]:.3g} V"
    return [
        f"{len(out)} of {len(macro.common_modes)} levels of a 5-bit converter ({ends}) lie outside its input range, {low:.3g}.."
        f"{high:.3g} V: its offset there is up to {1e3 * max(map(abs, out)):.3g} mV from that at analog ground, which is INL"
    ]


def _markdown(s: dict[str, Any], role: str, table: pd.DataFrame, warnings: list[str]) -> str:
    at = s["nominal"]
    corner = "" if at["corner"] == "-" else f"{at['corner']}, "
    over = f"min and max over {s['conditions']} conditions" if s["conditions"] > 1 else "measured there only"
    lines = [
        f"# {'Op-amp' if role == 'opamp' else 'Comparator'} {s['block']}",
        f"{s['wiring']}.",
        f"Typical at {corner}{at['temperature']:g} C, {at['v_dd']:g} V, analog ground {at['v_cm']:g} V; {over}.",
        markdown(table),
        *(f"- {line}" for line in warnings),
    ]
    return "\n\n".join(lines) + "\n"


def make_datasheet(
    settings: DatasheetSettings,
    out: Path,
    options: RunOptions | None = None,
    *,
    limits: dict[str, dict[str, float]] | None = None,
) -> dict[str, Any]:
    """Makes a block's datasheet: a folder with ``report.html``, ``datasheet.md``, tables, pictures and ``block.json``.

    Parameters
    ----------
    limits : dict
        From `figures.load_limits`.

    Returns
    -------
    dict
        What ``summary.json`` holds; ``failed`` names the figures beyond their limits.

    Raises
    ------
    SimulationError
        A block that does not work at nominal conditions; says what to look at.
    """
    computed = partial(compute, limits or {})
    return Study(settings.role, DatasheetSettings, computed, describe, networks=False).run(settings, out, options)


def describe(s: dict[str, Any]) -> str:
    """A few lines for the terminal."""
    f, m = s["figures"], s["mismatch"]
    sigma = f"{1e3 * m['sigma']:.3g} mV ({1e3 * m['sigma_low']:.3g}..{1e3 * m['sigma_high']:.3g})" if m else "not known"
    error = f"{s['check']['largest_lsb']:.3g} LSB" if "largest_lsb" in s["check"] else "not measured"
    spread = f"offset {1e3 * f['offset']:.3g} mV, sigma {sigma}"
    if s["settings"]["role"] == "opamp":
        speed = f"GBW {1e-6 * f['gbw']:.4g} MHz, phase margin {f['phase_margin']:.3g} deg, slew {1e-6 * f['slew']:.3g} V/us"
        swing = f"output {f['swing_low']:.3g}..{f['swing_high']:.3g} V"
        line = f"op-amp {s['block']}: gain {f['gain']:.4g}, {speed}, {swing}; {spread}"
    else:
        noise = f"{1e3 * f['noise']:.3g} mV" if "noise" in f else "not measured"
        line = (
            f"comparator {s['block']}: {spread}; noise {noise}; delay at 10 mV {1e9 * f['delay_10mv']:.3g} ns; "
            f"inputs {f['input_low']:.3g}..{f['input_high']:.3g} V"
        )
    lines = [line, f"macro-model against the block: {error}"]
    if s["limits"]:
        lines.append(
            f"limits: {s['passed']} passed, {len(s['failed'])} failed{': ' if s['failed'] else ''}{', '.join(s['failed'])}"
        )
    return "\n".join(lines)
