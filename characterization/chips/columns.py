"""Columns that share a calibrated ramp: how far their levels lie from those of the column that calibrated it, and their trim.

A comparator's input offset moves all levels of its column by the same voltage, so that one measured ramp and the drawn offsets give
the levels of every column. Calibration ``per-column`` gives each column a pair of trimming cells in the bias row of its array,
which is driven with the same pulse in every conversion:

    V_mac,j = V_mac,j + v_read T_trim / C_f (G+_j - G-_j)        reach = v_read T_trim / C_f (g_max - g_min)

Both cells are written to g_min, the column is measured, and the cell of the sign that is missing is written once more. What is left
is that write's error: its standard deviation is the programming error's times ``reach / (g_max - g_min)``.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np

from characterization.plan import RampPlan
from characterization.streams import SampleSource, sample_stream
from netlists.check_rules import Choice
from netlists.checks import check
from netlists.technology import DeviceProfile

from .sampling import DrawnChips, column_offsets, normal_numbers, prepared, uniform_numbers

COLUMN_SCOPES = ("calibrating", "any", "all")
"""Whose levels a figure is of: the column that calibrated the ramp; another column, taken at random; or the chip's worst column."""
TRIM_NUMBERS = 5
"""Uniform numbers of a column's trim: its two cells, whether each is stuck, and the write."""

ColumnScope = Annotated[str, Choice(COLUMN_SCOPES)]


def trimmed(profile: DeviceProfile, wanted: np.ndarray, reach: float, uniform: np.ndarray) -> np.ndarray:
    """What is left of the shift of each column after its trimming cells were written, unit of ``wanted``; as `trimming_pairs`."""
    return trimming_pairs(profile, wanted, reach, uniform)[0]


def trimming_pairs(profile: DeviceProfile, wanted: np.ndarray, reach: float, uniform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is left of the shift of each column after its trimming cells were written, and these cells.

    Parameters
    ----------
    wanted : ndarray (..., columns)
        Shift that is to be made good.
    reach : float
        Largest shift that the cells can make, either way; the same unit.
    uniform : ndarray (..., columns, 5)
        Numbers in 0..1 that decide errors and stuck cells.

    Returns
    -------
    left : ndarray (..., columns)
        Unit of ``wanted``.
    pair : ndarray (..., columns, 2)
        Siemens.
    """
    each = reach / (profile.g_max - profile.g_min)
    pair = profile.programmed(np.full((*wanted.shape, 2), profile.g_min), prepared(uniform[..., :2]))
    stuck = profile.stuck(np.full(pair.shape, np.nan), prepared(uniform[..., 2:4]))
    dead = ~np.isnan(stuck)
    pair = np.where(dead, stuck, pair)
    rest = wanted - each * (pair[..., 0] - pair[..., 1])
    cell = np.where(rest > 0, 0, 1)[..., None]
    old, change = np.take_along_axis(pair, cell, -1)[..., 0], np.abs(rest) / each
    target = np.minimum(old + change, profile.g_max)
    new = profile.programmed(target, prepared(uniform[..., 4]))
    # A change that is smaller than a write's error is left alone.
    stays = np.take_along_axis(dead, cell, -1)[..., 0] | (change <= profile.program_sigma_at(target))
    np.put_along_axis(pair, cell, np.where(stays, old, new)[..., None], -1)
    return rest - np.sign(rest) * each * np.where(stays, 0.0, new - old), pair


def column_shifts(
    plan: RampPlan, drawn: DrawnChips, *, calibrated: bool = True, rng: np.random.Generator | None = None
) -> np.ndarray:
    """How much higher the levels of every column lie than the calibrating column's, shape (n, ``plan.columns``), input units.

    Parameters
    ----------
    calibrated : bool
        After calibration, hence after the columns' own trim if the plan has it.
    rng : Generator, optional
        For chips of `draw_population`; numbered samples have their own streams.
    """
    volts_per_unit = plan.program().volts_per_unit(plan.circuit)
    n = len(drawn.samples)

    def generators(source: SampleSource) -> list[np.random.Generator]:
        return [rng] if rng else [sample_stream(plan.seed, int(i), source) for i in drawn.samples]

    normal = normal_numbers(generators(SampleSource.COLUMN_OFFSET), (n, plan.columns))
    offsets = column_offsets(plan, drawn, normal)
    wanted = (offsets - drawn.comparator_offset[:, None]) / volts_per_unit
    if not calibrated or plan.column_trim_reach == 0:
        return wanted
    uniform = uniform_numbers(generators(SampleSource.COLUMN_TRIM), (n, plan.columns * TRIM_NUMBERS))
    reach = plan.column_trim_reach / volts_per_unit
    return trimmed(plan.profile, wanted, reach, uniform.reshape(n, plan.columns, TRIM_NUMBERS))


def scope_shifts(
    plan: RampPlan, drawn: DrawnChips, columns: str, *, calibrated: bool = True, rng: np.random.Generator | None = None
) -> np.ndarray:
    """Shifts whose levels decide a figure of the columns asked for, shape (n, 1 or 2), input units.

    Of all columns these are the lowest and the highest: a figure that grows with the distance from the ideal levels, such as
    max |INL|, is largest at one of them.
    """
    check(ColumnScope, columns, "columns")
    if columns == "calibrating":
        return np.zeros((len(drawn.samples), 1))
    shifts = column_shifts(plan, drawn, calibrated=calibrated, rng=rng)
    return shifts[:, :1] if columns == "any" else np.stack([shifts.min(axis=1), shifts.max(axis=1)], axis=1)
