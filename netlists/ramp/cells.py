"""Cells of a ramp column: ways to make steps of very different sizes from one conductance range.

The steps between the thresholds of a 5-bit sigmoid span 5.8 to 1, more than the 4 to 1 of a 100-400 uS device, and
those of functions that rise and fall span far more: a flat stretch is one large step. A *scheme* says how:

``pulse``         select pulses of 1..n sub-clock periods, conductance for the fine part (no extra time)
``hrs``           cells below g_min, down to the high-resistance state (no extra time, larger error)
``differential``  G+ - G- with a second cell that lowers the ramp (twice the cells)
``split``         large steps over several clock periods (more cells, more time)
``pulse-split``   short pulses for small steps and several clock periods for large ones (more cells, more time)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from netlists.errors import InputError
from netlists.technology import DeviceProfile

CALIBRATION = -1
"""Value of ``RampProgram.step`` for calibration cells."""
FINE_WIDTH = 0.75
"""Pulse width of the first calibration cell, which trims, in full pulses; the others share the rest."""
WIDTH_GRID = 8
"""Sub-clock periods in a full pulse (doubled up to 64 where the conductance range needs it)."""
GRIDS = (WIDTH_GRID, 2 * WIDTH_GRID, 4 * WIDTH_GRID, 8 * WIDTH_GRID)
MAX_PERIODS = 64
"""Most clock periods that one step may take."""
HEADROOM = 0.9
"""How far within the conductance range programs with large step ratios stay; see `with_headroom`."""


@dataclass(frozen=True)
class Cells:
    """Cells in the order of `RampProgram`'s arrays, and the charge that moves the ramp by one input unit."""

    conductance: np.ndarray
    width: np.ndarray
    polarity: np.ndarray
    slot: np.ndarray
    step: np.ndarray
    unit_charge: float


def _one_a_slot(conductance: np.ndarray, width: np.ndarray | float, step: np.ndarray, unit_charge: float) -> Cells:
    """Cells that lift the ramp one after the other."""
    n = len(conductance)
    return Cells(conductance, np.broadcast_to(width, n).copy(), np.ones(n, int), np.arange(n), step, unit_charge)


def with_headroom(profile: DeviceProfile) -> DeviceProfile:
    """A profile of a somewhat smaller conductance range: allowing for the integrator then does not leave the whole range.

    Raises
    ------
    InputError
        If the range is too narrow for that.
    """
    low, high = profile.g_min / HEADROOM, profile.g_max * HEADROOM
    if low >= high:
        raise InputError(f"g_max is less than {1 / HEADROOM**2:.3g} times g_min: no room to allow for the integrator")
    return replace(profile, g_hrs=profile.g_hrs / HEADROOM, g_min=low, g_max=high)


def calibration_cells(start: float, unit_charge: float, n: int, profile: DeviceProfile) -> Cells:
    """Cells that bring the integrator from analog ground to the ramp's start.

    The first is short, mid-range and trims; the others are long and share the rest. All hang on the same line, unless the
    start is too near to analog ground for that: then the first one pulls the other way.

    Raises
    ------
    InputError
        If no width of pulse brings the cells' conductances into the range.
    """
    charge = abs(start) * unit_charge
    mid = 0.5 * (profile.g_min + profile.g_max)
    sign = 1 if start > 0 else -1
    fine = FINE_WIDTH if n > 1 else 0.0
    coarse = max(n - 1, 1)
    for pull, grids in ((fine, GRIDS[:1]), (-fine, GRIDS)):
        rest = charge - pull * mid
        for grid in grids:
            width = np.ceil(rest / (coarse * mid) * grid) / grid
            if width <= 0 or rest / (coarse * width) < profile.g_min:
                continue
            g = np.full(coarse, rest / (coarse * width))
            w = np.full(coarse, width)
            polarity = np.full(n, sign)
            if fine:
                g, w = np.append(mid, g), np.append(fine, w)
                polarity[0] = sign if pull > 0 else -sign
            return Cells(g, w, polarity, np.arange(n), np.full(n, CALIBRATION), unit_charge)
    raise InputError(f"the start at x = {start:.4g} is too close to 0 for {n} calibration cells of at least {profile.g_min:g} S")


def _pulse(steps: np.ndarray, profile: DeviceProfile) -> Cells:
    relative = steps / steps.max()
    for grid in GRIDS:
        # The narrowest pulse that carries the step keeps the conductance high and the relative error small.
        width = np.ceil(relative * grid * (1 - 1e-12)) / grid
        g = profile.g_max * relative / width
        if np.all(g >= profile.g_min):
            return _one_a_slot(g, width, np.arange(1, len(steps) + 1), profile.g_max / steps.max())
    raise InputError(f"no pulse grid of up to {GRIDS[-1]} sub-clock periods keeps every cell above g_min")


def _hrs(steps: np.ndarray, profile: DeviceProfile) -> Cells:
    g = profile.g_max * steps / steps.max()
    if g.min() < profile.g_hrs:
        raise InputError(
            f"the smallest step needs {g.min() * 1e6:.3g} uS, below the high-resistance state of {profile.g_hrs * 1e6:g} uS"
        )
    return _one_a_slot(g, 1.0, np.arange(1, len(steps) + 1), profile.g_max / steps.max())


def _differential(steps: np.ndarray, profile: DeviceProfile) -> Cells:
    span = profile.g_max - profile.g_min
    g_plus = profile.g_min + span * steps / steps.max()
    n = len(steps)
    slots = np.arange(n)
    return Cells(
        np.concatenate([g_plus, np.full(n, profile.g_min)]),
        np.ones(2 * n),
        np.repeat([1, -1], n),
        np.concatenate([slots, slots]),
        np.concatenate([slots + 1, slots + 1]),
        span / steps.max(),
    )


def _split(steps: np.ndarray, profile: DeviceProfile) -> Cells:
    unit = profile.g_min / steps.min()
    periods = np.ceil(unit * steps / profile.g_max * (1 - 1e-12)).astype(int)
    if periods.max() > MAX_PERIODS:
        raise InputError(f"the largest step would take {periods.max()} clock periods (at most {MAX_PERIODS})")
    g = np.repeat(unit * steps / periods, periods)
    if g.min() < profile.g_min * (1 - 1e-12):
        raise InputError("a step just above g_max does not divide into cells above g_min")
    return _one_a_slot(g, 1.0, np.repeat(np.arange(1, len(steps) + 1), periods), unit)


def _pulse_split(steps: np.ndarray, profile: DeviceProfile) -> Cells:
    low, high = profile.g_min, profile.g_max
    # A step of more than a quarter of the ramp takes several periods in any case: the op-amp has to follow it.
    parts = np.ceil(4 * steps.max() / steps.sum())
    for grid in GRIDS:
        # The smallest step is one sub-clock period of the lowest conductance, or the largest as much as g_max can carry.
        charge = steps * max(low / (grid * steps.min()), parts * high / steps.max())
        periods = np.ceil(charge / high * (1 - 1e-12)).astype(int)
        # The coarsest grid that does not more than double the conversion: short pulses suffer most from slow edges.
        if periods.sum() > 2 * len(steps) and grid != GRIDS[-1]:
            continue
        each = charge / periods
        width = np.where(periods > 1, 1.0, np.ceil(each / high * grid * (1 - 1e-12)) / grid)
        g = each / width
        if periods.max() > MAX_PERIODS:
            raise InputError(f"the largest step would take {periods.max()} clock periods (at most {MAX_PERIODS})")
        if np.all(g >= low * (1 - 1e-12)):
            step = np.repeat(np.arange(1, len(steps) + 1), periods)
            return _one_a_slot(np.repeat(g, periods), np.repeat(width, periods), step, float(charge[0] / steps[0]))
    raise InputError(f"no pulse grid of up to {GRIDS[-1]} sub-clock periods keeps every cell above g_min")


SCHEMES: dict[str, Callable[[np.ndarray, DeviceProfile], Cells]] = {
    "pulse": _pulse,
    "hrs": _hrs,
    "differential": _differential,
    "split": _split,
    "pulse-split": _pulse_split,
}
"""Cells of a ramp's steps (input units) in a conductance range, by scheme; each raises `InputError` where they do not fit."""
