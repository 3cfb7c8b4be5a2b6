"""The worst corner of a chip at so many sigma: where the linear model puts it, and what is really there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from characterization.chips import error_at, measure
from characterization.figures import inl_input
from characterization.plan import RampPlan
from netlists.checks import Number, check
from netlists.errors import InputError, SimulationError
from netlists.ramp import to_input_units, transition_levels

from .gradient import chip_of, sensitivities


@dataclass(frozen=True, eq=False)
class WorstCase:
    """A corner of a converter.

    Attributes
    ----------
    k_sigma : float
        Distance from the mean chip: root of the sum of squares of all deviations, in sigma.
    level : int
        Position of the level that is farthest off there, from 0.
    deviation : ndarray (parameters,)
        Of each parameter from its mean, in sigma.
    inl : dict of str to float
        INL of that level in LSB, ``linear``, ``closed form`` and, if asked for, ``ngspice``.
    bound : ndarray (levels,)
        Largest |INL| of each level within the distance, linear, LSB.
    warnings : tuple of str
    """

    k_sigma: float
    level: int
    deviation: np.ndarray
    inl: dict[str, float]
    bound: np.ndarray
    warnings: tuple[str, ...]


def worst_case(plan: RampPlan, k_sigma: float = 3.0, *, calibrated: bool = False, spice: bool = False) -> WorstCase:
    """Finds the corner within ``k_sigma`` that moves a level farthest, to first order, and looks what is there.

    Of all chips at that distance in the sigmas of cells and offsets, the INL of level k is largest along its gradient:
    ``mean + k_sigma |J_k sigma|``. The corner of the level where this is most is evaluated in closed form, and in ngspice.

    Parameters
    ----------
    calibrated : bool
        Without what all levels have in common at the calibration point.
    spice : bool
        Simulate the corner.

    Raises
    ------
    InputError
        Nothing varies.
    SimulationError
        ngspice could not measure the corner.
    """
    k_sigma = check(Number(above=0), k_sigma, "k_sigma")
    found = sensitivities(plan, calibrated=calibrated)
    program, sigmas = plan.program(), found.sigmas
    by_sigma = found.inl_jacobian * sigmas
    length = np.linalg.norm(by_sigma, axis=1)
    if not length.any():
        raise InputError("variation: nothing varies in this plan, so that it has no corner; give a device profile with errors")
    mean = np.zeros(len(found.names))
    mean[: found.n_cells] = plan.profile.program_mean_at(program.conductance)
    centre = found.inl + found.inl_jacobian @ mean
    bound = np.abs(centre) + k_sigma * length
    k = int(np.argmax(bound))
    side = 1.0 if centre[k] >= 0 else -1.0
    deviation = side * k_sigma * by_sigma[k] / length[k]
    linear = float(centre[k] + by_sigma[k] @ deviation)

    chips, warnings = chip_of(found, mean + deviation * sigmas), _unlike_the_plan(plan)
    volts = {"closed form": transition_levels(program, plan.circuit, chips, first_order=plan.level != "ideal")}
    if spice:
        measured = measure(plan.converter, chips)
        if measured.status[0] != "ok":
            raise SimulationError(f"the corner at {k_sigma:g} sigma: {measured.status[0]}", measured.message[0])
        volts["ngspice"] = measured.volts
    inl = {"linear": linear}
    for by, v in volts.items():
        x = to_input_units(v, program, plan.circuit)
        inl[by] = float(inl_input(x - error_at(0.0, x, program)[:, None] if calibrated else x, program)[0, k])
    return WorstCase(k_sigma, k, deviation, inl, bound, warnings)


def _unlike_the_plan(plan: RampPlan) -> tuple[str, ...]:
    """What the corner leaves out of a plan's variation."""
    lines = []
    if plan.variation.correlations or plan.variation.programming_length:
        lines.append("worst case: sources are taken as independent, though the plan correlates them")
    if plan.profile.stuck_off_rate + plan.profile.stuck_on_rate + plan.profile.stuck_rate:
        lines.append("worst case: a stuck cell is no small deviation; the corner has none")
    return tuple(lines)
