"""Levels of a drawn ramp column: what the cells' errors leave after one-point calibration."""

from __future__ import annotations

import numpy as np

from cosim.chip import late_levels, leaked_levels
from netlists.ramp import Chips, RampProgram, to_input_units, transition_levels
from netlists.technology import DeviceProfile, RampCircuit

from .device_errors import budget_profile, drawn_curvature, read_through
from .sources import RELAXED, Amounts


def ramp_levels(
    program: RampProgram, circuit: RampCircuit, profile: DeviceProfile, amounts: Amounts, rng: np.random.Generator
) -> np.ndarray:
    """Levels that a chip's columns compare with, shape (thresholds,), input units; the columns' own offsets are not in them.

    The column is written, calibrated at x = 0 as it reads (stuck cells, curvature and transistors included), and then relaxes.
    The write of the calibration leaves the programming error of one cell. Charge alone counts (Yang et al. 2025), as
    `netlists.ramp.closed_form` sums it: the ramp program allows for its own integrator.
    """
    program_rng, stuck_rng, relaxation_rng, curve_rng, trim_rng = rng.spawn(5)
    cells, target, levels = budget_profile(profile, amounts), program.conductance, program.x
    written = cells.programmed(target, program_rng)
    dead = cells.stuck(np.full(target.shape, np.nan), stuck_rng)
    b = drawn_curvature(amounts.get("iv_curvature", 0.0), target.shape, curve_rng)

    def charged(g: np.ndarray) -> np.ndarray:
        """Levels by the charge of cells, input units."""
        seen = read_through(np.where(np.isnan(dead), g, dead), b, amounts.get("access", 0.0), circuit.v_read)
        chip = Chips(seen[None], np.zeros(1), np.zeros(1))
        return to_input_units(transition_levels(program, circuit, chip, first_order=False)[0], program, circuit)

    if any(amounts.get(name, 0.0) for name in ("programming", "stuck", "iv_curvature", "access")):
        error = charged(written) - program.x
        levels = levels + error - np.interp(0.0, program.x, error)
    if cells.program_sigma:
        cell = program.calibration_cells[0]
        miss = cells.programmed(target[cell : cell + 1], trim_rng)[0] - target[cell]
        levels = levels + program.polarity[cell] * program.width[cell] * miss / program.unit_charge
    if amounts.get("relaxation", 0.0):
        levels = levels + charged(cells.relaxed(written, target, RELAXED, relaxation_rng)) - charged(written)
    if tau := amounts.get("comparator_delay", 0.0):
        levels = levels - late_levels(program, circuit, tau)
    if rate := amounts.get("integrator_leak", 0.0):
        levels = leaked_levels(levels, program, circuit, rate)
    return levels
