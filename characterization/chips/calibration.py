"""Targets of the cells that a calibration writes again: one point, two points, step by step.

Each function takes what the converter itself showed (its transition levels) and what write-verify knows (conductances,
cells that do not move), and gives targets; `recalibrate` writes them and measures again.
"""

from __future__ import annotations

import numpy as np

from netlists.ramp import CALIBRATION, RampProgram, standing_conductance
from netlists.technology import DeviceProfile


def error_at(point: float, x: np.ndarray, program: RampProgram) -> np.ndarray:
    """Error of measured transition levels ``x`` (n, thresholds) at an input, interpolated between its neighbours.

    Outside the thresholds the nearest one counts. Returns shape (n,), activation input units.
    """
    error = np.asarray(x) - program.x
    return np.array([np.interp(point, program.x, row) for row in error])


def one_point_targets(
    program: RampProgram,
    profile: DeviceProfile,
    conductance: np.ndarray,
    x: np.ndarray,
    *,
    point: float = 0.0,
    stuck: np.ndarray | None = None,
    share: np.ndarray | None = None,
) -> np.ndarray:
    """New targets of the calibration cells that move the ramp onto ``point``.

    The converter's own measured error at the point is turned into charge and given to as few calibration cells as
    can hold it, the trimming cell first, each within g_min..g_max (Yang et al. 2025: bias cells set V_init). The
    write starts from each cell's verified conductance.

    Parameters
    ----------
    conductance : ndarray (n, cells)
        Verified conductances, siemens.
    x : ndarray (n, thresholds)
        Transition levels measured before calibration, activation input units; rows with NaN are left alone.
    stuck : ndarray of bool (n, cells), optional
        Cells that write-verify found not to move: they are given nothing.
    share : ndarray (n, cells), optional
        Share of its charge that a cell delivers (`netlists.ramp.closed_form.charge_share`); all by default.

    Returns
    -------
    ndarray (n, cells)
        Target of each cell to be written again, siemens; NaN for cells that stay.
    """
    targets = np.full(conductance.shape, np.nan)
    rest = -error_at(point, x, program) * program.unit_charge
    for cell in program.calibration_cells:
        # A change of conductance loses its share twice: the cell's own current, and its load on the op-amp.
        weight = program.polarity[cell] * program.width[cell] * (1.0 if share is None else share[:, cell] ** 2)
        old = conductance[:, cell]
        new = np.clip(old + np.nan_to_num(rest) / weight, profile.g_min, profile.g_max)
        movable = True if stuck is None else ~stuck[:, cell]
        moved = movable & (np.abs(new - old) > 0) & np.isfinite(rest) & (np.abs(rest) > 1e-12 * program.unit_charge)
        targets[moved, cell] = new[moved]
        rest = np.where(moved, rest - (new - old) * weight, rest)
    return targets


def two_point_targets(
    program: RampProgram,
    profile: DeviceProfile,
    conductance: np.ndarray,
    x: np.ndarray,
    *,
    stuck: np.ndarray | None = None,
) -> np.ndarray:
    """New targets of the ramp cells that make the span from the first to the last level right.

    Every ramp cell is scaled by what the measured span lacks: it takes out a gain error common to all cells. The point
    is set afterwards by `one_point_targets`. Parameters and result as there; a single level has no span and keeps its cells.
    """
    targets = np.full(conductance.shape, np.nan)
    if len(program.x) < 2:
        return targets
    x = np.asarray(x)
    lacking = (program.x[-1] - program.x[0]) / (x[:, -1] - x[:, 0])
    possible = np.isfinite(lacking) & (lacking > 0.5) & (lacking < 2)
    ramp = program.step != CALIBRATION
    # The programmed target is scaled, not the last write's miss. Of a pair that is selected together only the net step is.
    standing = standing_conductance(program)
    wanted = standing + (program.conductance - standing) * lacking[:, None]
    wanted = np.clip(wanted, min(profile.g_min, program.conductance.min()), profile.g_max)
    movable = ramp & (program.conductance > standing) & possible[:, None] & (np.abs(lacking - 1) > 1e-12)[:, None]
    if stuck is not None:
        movable &= ~stuck
    targets[movable] = wanted[movable]
    return targets


def trim_targets(
    program: RampProgram,
    profile: DeviceProfile,
    conductance: np.ndarray,
    x: np.ndarray,
    *,
    cells: int = 8,
    stuck: np.ndarray | None = None,
    share: np.ndarray | None = None,
) -> np.ndarray:
    """New targets of the ramp cells whose steps are farthest off, and of the neighbours of stuck cells.

    The step between two levels shows what its cell delivers. The ``cells`` worst steps are written again, where their
    error is beyond the sigma of a write. A step whose cells are stuck cannot be mended: half of what it lacks is given to
    the steps before it and half to those after, the nearest first, so that the levels beside it are off by half and all
    beyond are right. Parameters and result as for `one_point_targets`.
    """
    x, targets = np.asarray(x), np.full(conductance.shape, np.nan)
    levels = len(program.x)
    if levels < 2:
        return targets
    stuck = np.zeros(conductance.shape, bool) if stuck is None else stuck
    gain = np.ones(conductance.shape) if share is None else share**2
    # Step m leads from level m - 1 to level m; the first and the last of the ramp lie outside the levels.
    inner = range(2, levels + 1)
    error = np.diff(x, axis=1) - np.diff(program.x)
    members = {m: np.flatnonzero(program.step == m) for m in inner}
    spread = profile.program_sigma_at(program.conductance) * program.width
    sigma = {m: float(np.sqrt(np.sum(spread[cells_of] ** 2))) for m, cells_of in members.items()}
    lowest = np.minimum(profile.g_min, program.conductance)

    def room(row: int, cells: np.ndarray) -> tuple[float, float]:
        """Least and most charge that cells can add."""
        weight = (program.polarity * program.width * gain[row])[cells]
        ends = [weight * (g[cells] - conductance[row, cells]) for g in (lowest, np.full(len(lowest), profile.g_max))]
        return min(float(np.minimum(*ends).sum()), 0.0), max(float(np.maximum(*ends).sum()), 0.0)

    for row in range(len(x)):
        if not np.all(np.isfinite(x[row])):
            continue
        rest = dict(zip(inner, (-error[row] * program.unit_charge).tolist(), strict=True))
        moving = {m: cells_of[~stuck[row, cells_of]] for m, cells_of in members.items()}
        dead = [m for m in inner if len(moving[m]) < len(members[m])]
        beside = set(dead)
        for m in dead:
            if not len(moving[m]):
                beside |= _hand_on(m, rest, {n: room(row, moving[n]) for n in rest if n not in dead})
        worst = sorted((m for m in rest if len(moving[m])), key=lambda m: (m not in beside, -abs(rest[m])))
        for m in worst[: max(cells, sum(m in beside for m in worst))]:
            if abs(rest[m]) <= sigma[m]:
                continue
            _share_out(rest[m], moving[m], program, profile, conductance[row], gain[row], targets[row])
    return targets


def _hand_on(m: int, rest: dict[int, float], rooms: dict[int, tuple[float, float]]) -> set[int]:
    """Give what step ``m`` lacks to the steps on both sides of it, as far as they have room; the steps that took some."""
    took = set()
    sides = [range(m - 1, min(rest) - 1, -1), range(m + 1, max(rest) + 1)]
    sides = [side for side in sides if any(n in rooms for n in side)]
    for side in sides:
        amount = rest[m] / len(sides)
        for n in side:
            if n not in rooms:
                continue
            low, high = rooms[n]
            part = float(np.clip(rest[n] + amount, low, high)) - rest[n]
            # A step that is itself beyond its room takes nothing in the other direction.
            part = max(part, 0.0) if amount > 0 else min(part, 0.0)
            if part:
                rest[n] += part
                amount -= part
                took.add(n)
            if abs(amount) < 1e-12 * abs(rest[m]):
                break
    return took


def _share_out(
    charge: float,
    cells: np.ndarray,
    program: RampProgram,
    profile: DeviceProfile,
    conductance: np.ndarray,
    gain: np.ndarray,
    targets: np.ndarray,
) -> None:
    """Give a charge to the cells of one step of a chip, each within the device's range: fills ``targets`` (cells,)."""
    for cell in cells:
        weight = program.polarity[cell] * program.width[cell] * gain[cell]
        old = conductance[cell]
        low = min(profile.g_min, program.conductance[cell])
        new = float(np.clip(old + charge / weight, low, profile.g_max))
        if new != old:
            targets[cell] = new
            charge -= (new - old) * weight
