"""Ramp programs from nominal transients: for any op-amp, load and level, where the closed form knows only its own op-amp."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from characterization.plan import RampPlan
from netlists.converter import Converter, is_stepped, transition_deck
from netlists.errors import InputError, SimulationError
from netlists.ramp import CALIBRATION, Chips, RampProgram, Targets, reprogrammed, wanted_volts
from netlists.spice import simulate
from netlists.technology import as_designed

from .transitions import SPAN

ROUNDS = 2


def program_from_spice(plan: RampPlan, *, rounds: int = ROUNDS) -> tuple[RampPlan, np.ndarray]:
    """Programs a plan's ramp by its own nominal transients: each step is scaled by what its ramp lacked.

    Parameters
    ----------
    plan : RampPlan
        Its op-amp, level and circuit at nominal conditions decide.
    rounds : int
        Transients that change the program; one more says what is left.

    Returns
    -------
    plan : RampPlan
        With ``targets``.
    error : ndarray (rounds + 1,)
        Largest error of a nominal ramp level before each round and in the end, local LSB.

    Raises
    ------
    InputError
        A level ``ideal``, or targets that leave the range of conductances.
    SimulationError
        The transient fails, or the ramp does not climb as programmed.
    """
    if plan.level == "ideal":
        raise InputError("program_from='spice': at level ideal there is nothing to allow for; take closed-form")
    plan = replace(plan, program_from="closed-form", targets=None)
    converter = Converter(plan.program(), as_designed(plan.circuit, plan.conditions), plan.blocks)
    error = []
    for left in range(rounds, -1, -1):
        program, circuit = converter.program, converter.circuit
        levels = nominal_ramp(converter)
        scale = program.volts_per_unit(circuit)
        wanted = wanted_volts(program, circuit)
        error.append(float(np.max(np.abs(levels - wanted)[1:-1] / scale / program.lsb)))
        if not np.all(np.abs(np.diff(levels) / np.diff(wanted) - 1) < 0.5):
            raise SimulationError(
                f"the nominal ramp of {plan.title} does not climb as programmed: it is up to {error[-1]:.3g} LSB off; look at the "
                "op-amp's swing, slew rate and output current"
            )
        if left:
            changed, _ = reprogrammed(program, circuit, levels)
            converter = Converter(changed, circuit, plan.blocks)
    program = converter.program
    low = plan.profile.g_hrs if program.scheme == "hrs" else plan.profile.g_min
    if program.conductance.min() < low * (1 - 1e-9):
        raise InputError(
            f"program_from='spice': takes a cell to {program.conductance.min():g} S, below the {low:g} S of its range; take a "
            "longer t_pulse, a faster op-amp or another scheme"
        )
    targets = Targets(tuple(program.conductance.tolist()), program.unit_charge, error[-1])
    return replace(plan, program_from="spice", targets=targets), np.array(error)


def nominal_ramp(converter: Converter) -> np.ndarray:
    """Levels of the nominal ramp in ngspice after calibration and after each step, (steps + 1,), volts above analog ground."""
    program, clock = converter.program, converter.clock
    chips = Chips.nominal(program)
    guess = converter.circuit.v_cm + program.x[None] * program.volts_per_unit(converter.circuit)
    # Few chips are programmed: short time steps where edges are steep.
    tight = is_stepped(converter.blocks, converter.circuit)
    deck = transition_deck(converter, chips, guess, span=SPAN, save=["ramp0"], control=False, tight=tight)
    data = simulate(deck, ["com", "ramp0"])
    calibrated = clock.slot_end[_last_slot(program)] - converter.circuit.t_aperture
    at = np.concatenate([[calibrated], clock.latch])
    return np.interp(at, data["time"], data["ramp0"] - data["com"])


def _last_slot(program: RampProgram) -> int:
    return int(program.slot[program.step == CALIBRATION].max())
