"""Calibration of drawn chips: measure, write, measure again, as the plan's procedure says.

``none``           the chips stay as programmed
``one-point``      one transition level is measured and the calibration cells take its error (Yang et al. 2025, Fig. 3)
``binary-search``  the same with nothing but the converter's own decisions: the input sits at the point, the calibration
                   cells are written again and again, and each conversion says only whether the code is too high or too low
``two-point``      the ramp cells take the error of the span, then one-point
``trim``           the ramp cells whose steps are worst are written again, then one-point
``per-column``     one-point, and a trimming cell a column takes the offset of that column's comparator (`columns`)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from characterization.plan import RampPlan
from characterization.streams import SampleSource, sample_stream

from .calibration import charge_range, error_at, one_point_targets, trim_targets, two_point_targets
from .sampling import DrawnChips, reprogram, write

Levels = Callable[[np.ndarray], np.ndarray]
"""Conductances (n, cells) -> transition levels (n, levels) in input units, NaN where a chip could not be measured."""

SEARCH_STEPS = 8
"""Conversions of the binary search after its bracket is found: the trimming cell's range to one part in 256."""
POINT = 0.0
"""Input at which the ramp is set, activation input units."""


@dataclass(frozen=True)
class Recalibrated:
    """Chips after calibration.

    Attributes
    ----------
    conductance : ndarray (n, cells), siemens
    writes : ndarray of int (n,)
        Write operations (one cell each) that the calibration took.
    measurements : int
        Times that the chips were measured on the way, the measurement as programmed not counted.
    measured : ndarray of bool (n,)
        Chips whose every measurement on the way succeeded; the others are not calibrated.
    """

    conductance: np.ndarray
    writes: np.ndarray
    measurements: int
    measured: np.ndarray


def recalibrate(plan: RampPlan, drawn: DrawnChips, x: np.ndarray, levels: Levels) -> Recalibrated:
    """Calibrate drawn chips by the procedure ``plan.calibration``.

    Parameters
    ----------
    x : ndarray (n, levels)
        Transition levels as programmed, input units; chips with NaN stay as they are.
    levels : callable
        Measures the chips with other conductances.
    """
    measured = np.isfinite(x).all(axis=1)
    if plan.calibration == "none":
        return Recalibrated(drawn.conductance.copy(), np.zeros(len(x), int), 0, measured)
    if plan.calibration == "binary-search":
        return _binary_search(plan, drawn, x, levels)
    stuck = drawn.stuck
    conductance, writes, measurements = drawn.conductance, np.zeros(len(x), int), 0
    if plan.calibration in ("two-point", "trim"):
        targets_of = two_point_targets if plan.calibration == "two-point" else trim_targets
        targets = targets_of(plan, conductance, x, stuck=stuck)
        generators = [sample_stream(plan.seed, int(i), SampleSource.TRIMMING) for i in drawn.samples]
        conductance = write(plan, conductance, targets, stuck, generators)
        writes = writes + np.sum(~np.isnan(targets), axis=1)
        x, measurements = levels(conductance), 1
        measured = measured & np.isfinite(x).all(axis=1)
    targets = one_point_targets(plan, conductance, x, point=POINT, stuck=stuck)
    written = reprogram(plan, drawn, targets, conductance)
    return Recalibrated(written, writes + np.sum(~np.isnan(targets), axis=1), measurements, measured)


def _binary_search(plan: RampPlan, drawn: DrawnChips, x: np.ndarray, levels: Levels) -> Recalibrated:
    """Bisects the charge of the calibration cells on the sign of the error at the point."""
    program, conductance, stuck, n = plan.program(), drawn.conductance, drawn.stuck, len(x)
    generators = [sample_stream(plan.seed, int(i), SampleSource.SEARCHING) for i in drawn.samples]
    writes = np.zeros(n, int)
    too_high = error_at(POINT, x, program) > 0
    measured = np.isfinite(x).all(axis=1)
    reach = _reach(plan, drawn)
    # Ends of the bracket, charge added to the drawn cells: nothing, and the reach of the trimming cell or of all.
    trim = np.where(too_high, reach[:, 0, 0], reach[:, 0, 1])
    full = np.where(too_high, reach[:, :, 0].sum(axis=1), reach[:, :, 1].sum(axis=1))
    aimed = drawn.conductance.copy()

    def decide(charge: np.ndarray) -> np.ndarray:
        nonlocal conductance, writes
        targets = _allocate(charge, plan, drawn.conductance, reach)
        targets[~measured] = np.nan
        # A cell that already has its target is left alone.
        targets[np.isclose(targets, aimed, rtol=1e-9, atol=0)] = np.nan
        aimed[~np.isnan(targets)] = targets[~np.isnan(targets)]
        conductance = write(plan, conductance, targets, stuck, generators)
        writes = writes + np.sum(~np.isnan(targets), axis=1)
        found = levels(conductance)
        measured[:] &= np.isfinite(found).all(axis=1)
        return error_at(POINT, found, program) > 0

    within = decide(trim) != too_high
    near, far = np.where(within, 0.0, trim), np.where(within, trim, full)
    for _ in range(SEARCH_STEPS):
        middle = 0.5 * (near + far)
        same = decide(middle) == too_high
        near, far = np.where(same, middle, near), np.where(same, far, middle)
    return Recalibrated(np.where(measured[:, None], conductance, drawn.conductance), writes, SEARCH_STEPS + 1, measured)


def _reach(plan: RampPlan, drawn: DrawnChips) -> np.ndarray:
    """Least and most charge that each calibration cell can add to what it gives as drawn, shape (n, calibration cells, 2)."""
    program = plan.program()
    cal, lowest = program.calibration_cells, np.full(program.n_cells, plan.profile.g_min)
    ends = charge_range(plan, drawn.conductance, program.polarity * program.width, lowest)[:, cal]
    return np.where(drawn.stuck[:, cal, None], 0.0, np.stack([np.minimum(ends[..., 0], 0), np.maximum(ends[..., 1], 0)], axis=2))


def _allocate(charge: np.ndarray, plan: RampPlan, conductance: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """Targets that add a charge to the drawn calibration cells, the trimming cell first; shape (n, cells), NaN elsewhere."""
    program, targets = plan.program(), np.full(conductance.shape, np.nan)
    rest = charge.copy()
    for position, cell in enumerate(program.calibration_cells):
        part = np.clip(rest, reach[:, position, 0], reach[:, position, 1])
        rest = rest - part
        targets[:, cell] = conductance[:, cell] + part / (program.polarity[cell] * program.width[cell])
    return targets
