"""Commands around the circuit: doctor, netlist."""

from __future__ import annotations

import typer

from characterization.chips import nominal_deck
from characterization.plan import DEFAULT_PROFILE

from . import options as o
from .app import answer, app, netlist_app
from .doctor import examine


@app.command()
def doctor(json: o.Json = False) -> None:
    """Say which versions were found, what is missing and how to get it.

    Example: cosim doctor
    """
    checks = examine()
    lines = [
        f"{'ok' if c.ok else 'MISSING' if c.required else 'no':<8}{c.name:<20}{c.found}{'  -> ' + c.remedy if c.remedy else ''}"
        for c in checks
    ]
    missing = [c.name for c in checks if c.required and not c.ok]
    lines.append(f"missing: {', '.join(missing)}" if missing else "everything needed is here")
    answer({"ok": not missing, "checks": [vars(c) for c in checks]}, "\n".join(lines), json)
    if missing:
        raise typer.Exit(1)


@netlist_app.command("ramp")
def ramp(
    context: typer.Context,
    out: o.Out,
    activation: o.Activation = "sigmoid",
    bits: o.Bits = 5,
    profile: o.Profile = DEFAULT_PROFILE,
    scheme: o.Scheme = "auto",
    calibration_cells: o.CalibrationCells = 5,
    level: o.Level = "macro",
    cells: o.Cells = "selected",
    comparator: o.Comparator = None,
    opamp: o.Opamp = None,
    allow_files: o.AllowFiles = False,
    set_: o.Set = None,
    json: o.Json = False,
) -> None:
    """Write the ramp converter of a nominal chip as a deck that prints its transition levels.

    Example: cosim netlist ramp --activation sigmoid --bits 5 --out deck.cir && ngspice -b deck.cir
    """
    plan = o.plan_from(context)
    deck, program = nominal_deck(plan, locate=True), plan.program()
    deck.write(out)
    duration, c_f = program.conversion_time(plan.circuit), program.feedback_capacitance(plan.circuit)
    data = {
        "path": str(out),
        "sha256": deck.sha256,
        "activation": activation,
        "bits": bits,
        "level": level,
        "scheme": program.scheme,
        "cells": program.n_cells,
        "conversion_time_s": duration,
        "volts_per_unit": program.volts_per_unit(plan.circuit),
        "c_f": c_f,
        "alternatives": program.alternatives,
    }
    text = (
        f"{out}: {activation}, {bits} bits, level {level}, scheme {program.scheme}, {program.n_cells} cells, "
        f"conversion {duration * 1e9:.0f} ns, C_f {c_f * 1e12:.3g} pF; run it with `ngspice -b {out}`"
    )
    answer(data, text, json)
