"""Yield from one gradient: drawn chips through the linear model of the nominal one, beside the closed form and ngspice."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import numpy as np

from characterization.chips import DrawnChips, closed_levels, measure_batch, population, same_chips
from characterization.estimates import margin, of_columns, yield_of
from characterization.plan import Limits, RampPlan
from characterization.run import LEVEL_SECONDS
from netlists.checks import Whole, check
from netlists.machine import weigh
from netlists.ramp import to_input_units

from .gradient import Sensitivities, deviations, sensitivities

BATCH = 64
"""Chips that ngspice gets at once."""
CHIP_BYTES = 2000.0
"""Memory of a chip: its draws, levels and figures, twice."""


@dataclass(frozen=True)
class YieldEstimate:
    """A share of good chips.

    Attributes
    ----------
    by : str
        ``linear``, ``closed form`` or ``ngspice``.
    value, low, high : float
        Share, and its exact 95 % interval over the chips drawn.
    chips, failed : int
        Drawn and judged; those that ngspice failed on, which are in neither.
    agree : float
        Share of the chips on whose verdict the linear model agrees.
    """

    by: str
    value: float
    low: float
    high: float
    chips: int
    failed: int
    agree: float

    def as_dict(self) -> dict[str, Any]:
        """For tables and JSON."""
        return asdict(self)


def linear_yield(
    plan: RampPlan, limits: Limits, *, columns: str = "calibrating", chips: int = 20_000, spice: int = 0
) -> list[YieldEstimate]:
    """Estimates the yield, after the plan's calibration, by the linear model, by the closed form and in ngspice.

    The linear model takes one gradient of the nominal chip, no simulation. It and the closed form judge the same drawn chips, and
    again the ``spice`` chips with the first sample numbers, which ngspice simulates.

    Parameters
    ----------
    columns : {"calibrating", "any", "all"}
        Whose levels must be within the limits.

    Raises
    ------
    InputError
        No limit at all, or blocks that the closed form does not describe.
    """
    check(Annotated[int, Whole(1)], chips, "chips")
    check(Annotated[int, Whole(0)], spice, "spice")
    weigh(f"chips={chips}", memory=CHIP_BYTES * chips)
    levels = spice * 2**plan.bits * (1 if plan.calibration == "none" else 2)
    if line := weigh(f"spice_chips={spice}", seconds=LEVEL_SECONDS * levels, memory=CHIP_BYTES * spice):
        print(line, file=sys.stderr)
    program, model = plan.program(), _Linear(sensitivities(plan))

    def used(levels: np.ndarray, shifts: np.ndarray) -> np.ndarray:
        return of_columns(margin(limits), shifts.shape[1])(np.hstack([levels, shifts]), program)

    linear, closed = (population(plan, chips, columns, levels=levels) for levels in (model.levels, closed_levels))
    by_linear = used(linear.after, linear.shifts)
    found = [_estimate("linear", by_linear, by_linear), _estimate("closed form", used(closed.after, closed.shifts), by_linear)]
    if spice:
        parts = [np.arange(first, min(first + BATCH, spice)) for first in range(0, spice, BATCH)]
        volts = np.concatenate([measure_batch(plan, samples, conversions=False).after.volts for samples in parts])
        same = same_chips(plan, np.arange(spice), columns, levels=model.levels)
        simulated = used(to_input_units(volts, program, plan.circuit), same.shifts)
        found.append(_estimate("ngspice", simulated, used(same.after, same.shifts)))
    return found


@dataclass(frozen=True, eq=False)
class _Linear:
    """Stands in the place of the closed form."""

    found: Sensitivities

    def levels(self, plan: RampPlan, drawn: DrawnChips, conductance: np.ndarray) -> np.ndarray:
        """Levels of drawn chips, to first order."""
        return self.found.moved(deviations(self.found, drawn, conductance))


def _estimate(by: str, used: np.ndarray, linear: np.ndarray) -> YieldEstimate:
    good = np.isfinite(used)
    share = yield_of(used[good], 1.0)
    agree = float(np.mean((used[good] <= 1) == (linear[good] <= 1)))
    return YieldEstimate(by, share.value, share.low, share.high, int(good.sum()), int((~good).sum()), agree)
