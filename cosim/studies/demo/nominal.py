"""The nominal chip: both ngspice runners on one deck, the ramp's waveform, and what separates it from the equation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from characterization.chips import SPAN, measure, nominal_deck
from characterization.plan import RampPlan
from netlists.converter import Converter, transition_deck
from netlists.errors import SimulationError
from netlists.files import make_folder
from netlists.ramp import Chips, timing, to_volts, transition_levels
from netlists.spice import read_transitions, run_batch, simulate
from netlists.technology import RampCircuit

REMAINDER = (
    ("finite gain", {"a0": 1e9}),
    ("finite bandwidth", {"gbw": 100e9}),
    ("slew limit", {"slew": 1e12}),
    ("charge injection of the reset switch", {"c_inject": 0.0}),
    ("capacitance of the summing node", {"c_in": 0.0}),
    ("comparator delay", {"comparator_tau": 1e-12}),
)
"""Each imperfection of the macro level, and what takes it away."""


def compare_runners(plan: RampPlan, path: Path) -> dict[str, Any]:
    """Writes the nominal deck, runs it in the shared library and in plain ``ngspice -b``, and compares transition levels.

    Raises
    ------
    SimulationError
        If either runner fails on the nominal chip.
    """
    deck, program = nominal_deck(plan), plan.program()
    make_folder(path.parent)
    deck.write(path)
    printed, _, _ = read_transitions(run_batch(path))
    shared = _levels(plan, plan.circuit)
    difference = np.abs(printed[0] - shared) / np.abs(shared)
    closed = transition_levels(program, plan.circuit, Chips.nominal(program))[0]
    lsb = program.lsb * program.volts_per_unit(plan.circuit)
    return {
        "max_relative_difference_of_runners": float(difference.max()),
        "max_difference_from_closed_form_lsb": float(np.max(np.abs(shared - closed) / lsb)),
    }


def remainder(plan: RampPlan) -> pd.DataFrame:
    """Finds how far the nominal chip in ngspice is from its target and from the closed form, and why, cause by cause.

    Each row in the middle takes one imperfection away and says how far that moves the transition levels; the last
    takes all away and compares with the equation that knows none of them.
    """
    program = plan.program()
    lsb = program.lsb * program.volts_per_unit(plan.circuit)
    nominal = _levels(plan, plan.circuit)
    equation = transition_levels(program, plan.circuit, Chips.nominal(program), first_order=False)[0]
    first_order = transition_levels(program, plan.circuit, Chips.nominal(program))[0]
    rows = [
        ("ngspice minus target x_k", nominal - to_volts(program.x, program, plan.circuit)),
        ("ngspice minus closed form", nominal - first_order),
        ("ngspice minus V_cm + v_read / C_f sum(G w) alone", nominal - equation),
    ]
    perfect: dict[str, float] = {}
    for name, change in REMAINDER:
        rows.append((name, nominal - _levels(plan, plan.circuit.with_(**change))))
        perfect |= change
    rows.append(
        ("without all of these, minus V_cm + v_read / C_f sum(G w)", _levels(plan, plan.circuit.with_(**perfect)) - equation)
    )
    return pd.DataFrame(
        [
            {
                "cause": name,
                "max_lsb": float(np.max(np.abs(d / lsb))),
                "at_k": int(np.argmax(np.abs(d / lsb))) + 1,
                "rms_lsb": float(np.sqrt(np.mean((d / lsb) ** 2))),
            }
            for name, d in rows
        ]
    )


def ramp_waveform(plan: RampPlan) -> dict[str, np.ndarray]:
    """Simulates the nominal chip: ``time``, ``ramp``, sampled ``v_mac``, seconds and volts, and the latching instants ``latch``."""
    program, circuit = plan.program(), plan.circuit
    chips = Chips.nominal(program)
    guess = transition_levels(program, circuit, chips)
    deck = transition_deck(Converter(program, circuit, plan.blocks), chips, guess, span=SPAN, save=("ramp0", "mac0"))
    data = simulate(deck, ["ramp0", "mac0"])
    return {"time": data["time"], "ramp": data["ramp0"], "v_mac": data["mac0"], "latch": timing(program, circuit).latch}


def _levels(plan: RampPlan, circuit: RampCircuit) -> np.ndarray:
    """Measures transition levels of the plan's nominal chip in ngspice on a circuit that may differ from the plan's, volts."""
    program = plan.program()
    measured = measure(replace(plan.converter, circuit=circuit), Chips.nominal(program))
    if measured.status[0] != "ok":
        raise SimulationError(f"the nominal {plan.name} ramp at {plan.bits} bits: {measured.status[0]}", measured.message[0])
    return measured.volts[0]
