"""Samples for an integrator model from ngspice, and its error against pulses that the fit has not seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from characterization.compact.integrator import SETTLED, IntegratorModel, IntegratorSamples
from netlists.converter import Blocks
from netlists.errors import InputError
from netlists.spice import simulate
from netlists.technology import MEASURED_STATISTICS, RampCircuit
from netlists.testbench import T_PULSE, integrator_pulse_deck

from .comparator import read_offsets
from .errors import in_volts, rms

WIDTH = 16e-9
C_F = 7e-12
TIMES = np.array([0.5e-9, 1e-9, 1.5e-9, 2e-9, 3e-9, 4e-9, 6e-9, 10e-9, 20e-9, 50e-9, 100e-9, 200e-9])


def characterize_integrator(
    level: str,
    rng: np.random.Generator,
    *,
    circuit: RampCircuit | None = None,
    swing: float = 0.6,
    pulses: int = 16,
    chips: int = 200,
    blocks_folder: str | Path | None = None,
) -> IntegratorSamples:
    """Outputs after pulses of one length and charges evenly from ``-swing`` to ``swing`` (volts over C_f).

    Parameters
    ----------
    chips : int
        Drawn op-amp offsets (`MEASURED_STATISTICS`); with ``blocks_folder`` those of foundry mismatch that `cosim blocks` wrote.

    Raises
    ------
    InputError
        Unknown level, fewer than 8 pulses, a folder without the table.
    SimulationError
        ngspice.
    """
    Blocks(level)
    circuit = circuit or RampCircuit()
    if pulses < 8:
        raise InputError(f"pulses={pulses}: a fit needs 8 or more")
    if blocks_folder is not None:
        offset = read_offsets(blocks_folder, "ota_sky130")
    else:
        offset = MEASURED_STATISTICS["opamp_offset_sigma"] * rng.standard_normal(chips)
    # An even number of pulses leaves out zero, whose lag says nothing.
    charge, current, time, output = _outputs(level, circuit, np.linspace(-swing, swing, pulses))
    about = f"{pulses} pulses of {WIDTH:g} s, {len(TIMES)} times each, C_f {C_F:g} F; {len(offset)} op-amp offsets"
    return IntegratorSamples(charge, current, time, output, offset, level=level, about=about)


def held_out_integrator(
    model: IntegratorModel, level: str, rng: np.random.Generator, *, circuit: RampCircuit | None = None, pulses: int = 12
) -> dict[str, float]:
    """Error against fresh pulses of random charges within the fitted range: rms and largest, volts; settled (20 ns on) too."""
    circuit = circuit or RampCircuit()
    low, high = model.ranges["charge"]
    charge, current, time, output = _outputs(level, circuit, rng.uniform(low, high, pulses))
    error = model.apply(charge, current=current, time=time) - output
    return in_volts(error) | {"settled_rms_v": rms(error[time >= SETTLED * (1 - 1e-9)])}


def _outputs(level: str, circuit: RampCircuit, charge: np.ndarray) -> tuple[np.ndarray, ...]:
    """Charge, current, time and output of each pulse at each of `TIMES`, flat."""
    currents = charge * C_F / WIDTH
    end = T_PULSE + WIDTH + circuit.t_edge
    deck = integrator_pulse_deck(level, circuit, currents, c_f=C_F, width=WIDTH, stop=end + TIMES[-1] + 1e-9)
    run = simulate(deck, [f"out{k}" for k in range(len(charge))])
    out = np.array([np.interp(end + TIMES, run["time"], run[f"out{k}"]) for k in range(len(charge))]) - circuit.v_cm
    grid = np.broadcast_arrays(charge[:, None], currents[:, None], TIMES[None, :])
    return (*(g.ravel().copy() for g in grid), out.ravel())
