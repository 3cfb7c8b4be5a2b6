"""Ramps of drawn chips without SPICE: the closed form of the chips that ngspice would simulate, and a late comparator.

The closed form (`characterization.chips.closed_form.same_chips`) draws, programs and calibrates chips as a Monte Carlo run does. It
knows no comparator delay; what that leaves after calibration is added by its law (`cosim.chip.late_levels`). Together they are
within 0.04 LSB rms of ngspice down to steps of 12 ns, and within 0.12 LSB at 4 ns (held by a test).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from characterization.chips import draw, same_chips
from characterization.plan import RampPlan, Variation
from characterization.ramp_model import RampDraw, read_noise_shape
from cosim.chip import late_levels
from netlists.errors import InputError
from netlists.technology import DeviceProfile

from ..cost import Design
from .space import circuit_of, device_of


def ramp_plan(activation: str, design: Design, profile: DeviceProfile, seed: int) -> RampPlan:
    """The ramp of a design as a Monte Carlo run would simulate it.

    Raises
    ------
    InputError
        A design whose ramp does not fit the cells, or whose integrator cannot follow it.
    """
    plan = RampPlan(
        activation,
        design.bits,
        profile=device_of(design, profile),
        circuit=circuit_of(design),
        variation=replace(Variation(), comparator_offset=design.comparator_offset),
        n_calibration=design.calibration_cells,
        seed=seed,
    )
    slope = plan.program().steepest_slope(plan.circuit)
    if slope > plan.circuit.slew:
        raise InputError(
            f"t_step={design.t_step:g}: the {activation} ramp climbs {slope * 1e-6:.3g} V/us, the op-amp "
            f"{plan.circuit.slew * 1e-6:.3g} V/us at most; take a longer step or a lower read voltage"
        )
    return plan


def drawn_ramp(plan: RampPlan, chips: int, columns: int, rng: np.random.Generator) -> RampDraw:
    """The plan's first chips in closed form, calibrated, with own offsets of so many columns' comparators.

    ``rng`` draws the columns; the chips come from the plan's seed.
    """
    program, samples = plan.program(), np.arange(chips)
    volts = program.volts_per_unit(plan.circuit)
    levels = same_chips(plan, samples).after - late_levels(program, plan.circuit, plan.circuit.comparator_tau)
    # Levels are as the comparator sees them that calibrated the ramp; a column's own takes its place.
    calibrating = draw(plan, samples).comparator_offset
    own = plan.variation.comparator_offset * rng.standard_normal((chips, columns))
    read = plan.profile.read_sigma**2 * np.diag(read_noise_shape(program, plan.profile))
    noise = np.sqrt((plan.variation.decision_noise / volts) ** 2 + read)
    return RampDraw(plan.name, plan.bits, levels, (own - calibrating[:, None]) / volts, noise, program.values)
