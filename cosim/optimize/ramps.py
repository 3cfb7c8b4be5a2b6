"""The ramps of a design as a Monte Carlo run would simulate them; in closed form they are `cosim.chip.CircuitRamp`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from characterization.plan import RampPlan, Variation
from netlists.errors import InputError
from netlists.technology import DeviceProfile

from ..cost import Design
from .space import circuit_of, device_of


def ramp_plan(
    activation: str, design: Design, profile: DeviceProfile, seed: int, comparator: Mapping[str, float] | None = None
) -> RampPlan:
    """The ramp of a design as a Monte Carlo run would simulate it.

    Parameters
    ----------
    comparator : mapping or None
        Noise (V) and time constant (s) of one that was measured, as `cosim.budget.block_amounts` names them; None: ours.

    Raises
    ------
    InputError
        A design whose ramp does not fit the cells, or whose integrator cannot follow it.
    """
    own, circuit, ours = comparator or {}, circuit_of(design), Variation()
    plan = RampPlan(
        activation,
        design.bits,
        profile=device_of(design, profile),
        circuit=replace(circuit, comparator_tau=own.get("comparator_delay", circuit.comparator_tau)),
        variation=replace(
            ours,
            comparator_offset=design.comparator_offset,
            comparator_noise=own.get("comparator_noise", ours.comparator_noise),
        ),
        n_calibration=design.calibration_cells,
        calibration="per-column" if design.column_trim else "one-point",
        seed=seed,
    )
    slope = plan.program().steepest_slope(plan.circuit)
    if slope > plan.circuit.slew:
        raise InputError(
            f"t_step={design.t_step:g}: the {activation} ramp climbs {slope * 1e-6:.3g} V/us, the op-amp "
            f"{plan.circuit.slew * 1e-6:.3g} V/us at most; take a longer step or a lower read voltage"
        )
    return plan
