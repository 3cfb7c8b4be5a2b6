"""Transfer curve of a nominal chip in ngspice, for any activation: its levels, and codes from comparator, latch and counter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from characterization.chips import measure
from netlists.converter import Converter, conversion_deck, read_codes
from netlists.errors import InputError, SimulationError
from netlists.function import ActivationTable, as_activation
from netlists.ramp import Chips, RampProgram, compensate, dense_inputs, program_ramp, to_input_units, to_volts, transfer_error
from netlists.spice import simulate
from netlists.technology import DeviceProfile, RampCircuit

BESIDE = 0.1
"""Conversions are made in the middle between transition levels and this part of a step beside each."""
EVEN_INPUTS = 4001
"""Inputs of the mean error, evenly spaced from the first to the last level."""
_CONVERTERS_A_DECK = 16
"""ngspice 39 makes no headway at 760.2 ns, a clock's edge, in a deck of 47 converters of SELU."""
_TIME_LIMIT = 600.0
"""Seconds that such a deck may take: some hundred times what it does."""

Which = str | ActivationTable


@dataclass(frozen=True)
class Measurement:
    """Transfer curve of a nominal chip in ngspice, input and output units of the function.

    Attributes
    ----------
    levels : ndarray (n,)
        Measured transition levels.
    values : ndarray (n + 1,)
        Output between them.
    x, decoded : ndarray (m,)
        Inputs that were converted by comparator, latch and counter, and what their codes stand for.
    codes_as_levels : ndarray of bool (m,)
        Whether each code is the one that the measured levels say.
    """

    program: RampProgram
    circuit: RampCircuit
    levels: np.ndarray
    values: np.ndarray
    x: np.ndarray
    decoded: np.ndarray
    codes_as_levels: np.ndarray


def name_of(which: Which) -> str:
    """Names a built-in activation or a table."""
    return which if isinstance(which, str) else which.name


def compiled(which: Which, bits: int, profile: DeviceProfile, circuit: RampCircuit) -> tuple[RampProgram, RampCircuit]:
    """Compiles the program that allows for the integrator, on a circuit whose ramp keeps off the rails.

    Raises
    ------
    InputError
        Why the function does not compile.
    """
    program = program_ramp(which, bits, profile)
    circuit = circuit.with_(v_swing=program.fitting_swing(circuit))
    return compensate(program, circuit, profile), circuit


def measure_transfer(which: Which, bits: int, profile: DeviceProfile, circuit: RampCircuit) -> Measurement:
    """Measures transition levels of the nominal chip and codes of comparators, latches and counters in ngspice, level ``macro``.

    Raises
    ------
    InputError
        The function does not compile.
    SimulationError
        ngspice failed, or a counter ended anywhere but at a code.
    """
    program, circuit = compiled(which, bits, profile, circuit)
    chips = Chips.nominal(program)
    found = measure(Converter(program, circuit), chips)
    if found.status[0] != "ok":
        raise SimulationError(f"{program.activation}, {bits} bits: {found.status[0]}", found.message[0])
    levels = to_input_units(found.volts[0], program, circuit)
    x = _inputs(program, levels)
    codes = np.empty(0, int)
    for part in np.array_split(x, int(np.ceil(len(x) / _CONVERTERS_A_DECK))):
        names = [f"code0_{j}" for j in range(len(part))]
        deck = conversion_deck(Converter(program, circuit), chips, to_volts(part[None], program, circuit))
        # A process of its own: ngspice 39 stops at a clock's edge, for ever, in some decks of many converters.
        data = simulate(deck, names, "batch", timeout=_TIME_LIMIT)
        codes = np.append(codes, read_codes(program, data, names))
    expected = program.codes[np.searchsorted(levels, x)]
    return Measurement(program, circuit, levels, program.values, x, as_activation(which).decode(codes, bits), codes == expected)


def _inputs(program: RampProgram, levels: np.ndarray) -> np.ndarray:
    """Places inputs in the middle between levels and on both sides of each, sorted."""
    edges = np.concatenate([[levels[0] - program.lsb[0]], levels, [levels[-1] + program.lsb[-1]]])
    gap = np.diff(edges)
    return np.sort(np.concatenate([edges[:-1] + gap / 2, levels - BESIDE * gap[:-1], levels + BESIDE * gap[1:]]))


def spice_row(which: Which, bits: int, profile: DeviceProfile, circuit: RampCircuit) -> tuple[dict[str, Any], Measurement | None]:
    """Compares the measured transfer curve with the function, or says why there is none."""
    try:
        m = measure_transfer(which, bits, profile, circuit)
    except (InputError, SimulationError) as e:
        return {"why_not": str(e)}, None
    act, lsb = as_activation(which), m.program.report.output_lsb
    curve = np.abs(transfer_error(act, dense_inputs(act, m.levels), m.levels, m.values)).max() / lsb
    converted = np.abs(m.decoded - act.value(m.x)).max() / lsb
    # Spaced evenly, for a mean; the dense inputs crowd where the curve steps.
    even = np.linspace(m.levels[0], m.levels[-1], EVEN_INPUTS)
    shift = np.abs(m.levels - m.program.x)
    return {
        "spice_max_error_lsb": float(curve),
        "spice_conversions_max_error_lsb": float(converted),
        "spice_conversions": len(m.x),
        "spice_codes_as_levels": float(np.mean(m.codes_as_levels)),
        "spice_level_shift_mean_steps": float(np.max(shift) / np.mean(m.program.lsb)),
        "spice_level_shift_mv": float(1e3 * np.max(shift) * m.program.volts_per_unit(m.circuit)),
        "spice_mean_error_lsb": float(np.abs(transfer_error(act, even, m.levels, m.values)).mean() / lsb),
    }, m
