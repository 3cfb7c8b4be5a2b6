"""Chips in closed form: the same chips that ngspice simulates, or very many others, drawn and calibrated in the same way.

They are the control variate of `characterization.estimates.control_variate`. Nothing that is reported as simulated comes from here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from characterization.plan import RampPlan
from characterization.streams import columns_stream, population_stream
from netlists.ramp import to_input_units, transition_levels

from .calibration import one_point_targets
from .columns import scope_shifts
from .recalibrate import POINT, recalibrate
from .sampling import DrawnChips, draw, draw_population, reprogram

BLOCK = 20_000
"""Chips that are drawn at once: bounds the memory."""
FIRST_UNSIMULATED = 2**31
"""Sample numbers from here on are taken for chips that are never simulated."""

LevelsOf = Callable[[RampPlan, DrawnChips, np.ndarray], np.ndarray]
"""Plan, drawn chips, their conductances (n, cells) -> transition levels (n, levels), input units."""


@dataclass(frozen=True)
class ControlLevels:
    """Closed-form transition levels as programmed and after calibration, each (n, levels), input units.

    ``shifts`` (n, 1 or 2) are those of the columns that were asked for, `characterization.chips.columns.scope_shifts`.
    """

    before: np.ndarray
    after: np.ndarray
    shifts: np.ndarray

    def levels(self, *, calibrated: bool) -> np.ndarray:
        """The levels of one of the two states."""
        return self.after if calibrated else self.before


def closed_levels(plan: RampPlan, drawn: DrawnChips, conductance: np.ndarray) -> np.ndarray:
    """Levels of drawn chips with these conductances (n, cells) in closed form, shape (n, levels), input units."""
    program = plan.program()
    volts = transition_levels(program, plan.circuit, drawn.chips(conductance), first_order=plan.level != "ideal")
    return to_input_units(volts, program, plan.circuit)


def same_chips(
    plan: RampPlan,
    samples: np.ndarray,
    columns: str = "calibrating",
    *,
    calibrated: bool = True,
    levels: LevelsOf = closed_levels,
) -> ControlLevels:
    """The chips with the given sample numbers, shape (n,), in closed form: same draws as in ngspice, own calibration.

    ``calibrated`` is of the shifts of ``columns``; ``levels`` stands in the place of the closed form.
    """
    drawn = draw(plan, samples)
    before = levels(plan, drawn, drawn.conductance)
    done = recalibrate(plan, drawn, before, lambda g: levels(plan, drawn, g))
    shifts = scope_shifts(plan, drawn, columns, calibrated=calibrated)
    return ControlLevels(before, levels(plan, drawn, done.conductance), shifts)


def population(
    plan: RampPlan, n: int, columns: str = "calibrating", *, calibrated: bool = True, levels: LevelsOf = closed_levels
) -> ControlLevels:
    """``n`` chips of the plan's distribution that are no sample of any run: a function of the plan and ``n``.

    One-point calibration, trim per column, or none, takes microseconds a chip. The other procedures use random streams of each
    chip, and take about a millisecond. ``levels`` stands in the place of the closed form.
    """
    rng, own = population_stream(plan.seed), columns_stream(plan.seed)
    blocks = []
    for first in range(0, n, BLOCK):
        size = min(BLOCK, n - first)
        if plan.calibration in ("none", "one-point", "per-column"):
            drawn = draw_population(plan, size, rng)
            before, after = _drawn_together(plan, drawn, rng, levels)
            blocks.append(ControlLevels(before, after, scope_shifts(plan, drawn, columns, calibrated=calibrated, rng=own)))
        else:
            chips = FIRST_UNSIMULATED + first + np.arange(size)
            blocks.append(same_chips(plan, chips, columns, calibrated=calibrated, levels=levels))
    return ControlLevels(*(np.concatenate([getattr(b, name) for b in blocks]) for name in ("before", "after", "shifts")))


def _drawn_together(plan: RampPlan, drawn: DrawnChips, rng: np.random.Generator, levels: LevelsOf) -> tuple[np.ndarray, np.ndarray]:
    before = levels(plan, drawn, drawn.conductance)
    if plan.calibration == "none":
        return before, before
    targets = one_point_targets(plan, drawn.conductance, before, point=POINT, stuck=drawn.stuck)
    return before, levels(plan, drawn, reprogram(plan, drawn, targets, rng=rng))
