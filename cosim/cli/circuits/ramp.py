"""``cosim netlist ramp``: the deck of a ramp converter."""

from __future__ import annotations

from .. import options as o
from ..output import answer
from ..ramp_options import RampOptions


def ramp(out: o.Out, options: RampOptions, json: o.Json = False) -> None:
    """Write the ramp converter of a nominal chip as a deck that prints its transition levels.

    Example: cosim netlist ramp --activation sigmoid --bits 5 --out deck.cir && ngspice -b deck.cir
    """
    from characterization.chips import examine, nominal_deck

    o.check_ending("--out", out, o.DECKS, "as decks do")
    plan, warnings = examine(options.plan())
    deck, program = nominal_deck(plan, locate=True), plan.program()
    deck.write(out)
    duration, c_f = program.conversion_time(plan.circuit), program.feedback_capacitance(plan.circuit)
    data = {
        "path": str(out),
        "sha256": deck.sha256,
        "command": deck.command(out),
        "activation": options.activation,
        "bits": options.bits,
        "level": options.level,
        "scheme": program.scheme,
        "cells": program.n_cells,
        "conversion_time_s": duration,
        "volts_per_unit": program.volts_per_unit(plan.circuit),
        "c_f": c_f,
        "alternatives": program.alternatives,
        "warnings": list(warnings),
    }
    text = (
        f"{out}: {options.activation}, {options.bits} bits, level {options.level}, scheme {program.scheme}, "
        f"{program.n_cells} cells, conversion {duration * 1e9:.0f} ns, C_f {c_f * 1e12:.3g} pF; run it with `{deck.command(out)}`"
    )
    answer(data, text, json)
