"""Targets of the cells that a calibration writes again: one point, two points, step by step.

Each function takes what the converter itself showed (its transition levels) and what write-verify knows (conductances,
cells that do not move), and gives targets; `recalibrate` writes them and measures again. All of them take:

plan : RampPlan
conductance : ndarray (n, cells)
    Verified conductances, siemens.
x : ndarray (n, thresholds)
    Transition levels measured before calibration, activation input units; rows with NaN are left alone.
stuck : ndarray of bool (n, cells), optional
    Cells that write-verify found not to move: they are given nothing.

and return an ndarray (n, cells): the target of each cell to be written again, siemens, and NaN for cells that stay.
"""

from __future__ import annotations

import numpy as np

from characterization.plan import RampPlan
from netlists.ramp import CALIBRATION, RampProgram, charge_share, standing_conductance


def error_at(point: float, x: np.ndarray, program: RampProgram) -> np.ndarray:
    """Error of measured transition levels ``x`` (n, thresholds) at an input, interpolated between its neighbours.

    Outside the thresholds the nearest one counts. Returns shape (n,), activation input units.
    """
    error = np.asarray(x) - program.x
    return np.array([np.interp(point, program.x, row) for row in error])


def point_weights(point: float, x: np.ndarray) -> np.ndarray:
    """Weights (thresholds,) with which errors of levels at ``x`` (thresholds,) give the error at an input, as `error_at` has it."""
    return np.array([np.interp(point, x, row) for row in np.eye(len(x))])


def one_point_targets(
    plan: RampPlan, conductance: np.ndarray, x: np.ndarray, *, point: float = 0.0, stuck: np.ndarray | None = None
) -> np.ndarray:
    """New targets of the calibration cells that move the ramp onto ``point``.

    The converter's own measured error at the point is turned into charge and given to as few calibration cells as
    can hold it, the trimming cell first, each within g_min..g_max (Yang et al. 2025: bias cells set V_init). The
    write starts from each cell's verified conductance.
    """
    program, at = plan.program(), conductance
    rest = -error_at(point, x, program) * program.unit_charge
    lowest = np.full(program.n_cells, plan.profile.g_min)
    least = 1e-12 * program.unit_charge
    # What a change moves is taken half way between, as a cell loads the op-amp by its square.
    for _ in range(2):
        targets = np.full(conductance.shape, np.nan)
        _share_out(plan, rest, program.calibration_cells, conductance, _weight(plan, at), lowest, stuck, targets, least)
        at = 0.5 * (conductance + np.where(np.isfinite(targets), targets, conductance))
    return targets


def two_point_targets(plan: RampPlan, conductance: np.ndarray, x: np.ndarray, *, stuck: np.ndarray | None = None) -> np.ndarray:
    """New targets of the ramp cells that make the span from the first to the last level right.

    Every ramp cell is scaled by what the measured span lacks: it takes out a gain error common to all cells. The point
    is set afterwards by `one_point_targets`. A single level has no span and keeps its cells.
    """
    program, profile, x = plan.program(), plan.profile, np.asarray(x)
    targets = np.full(conductance.shape, np.nan)
    if len(program.x) < 2:
        return targets
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
    plan: RampPlan, conductance: np.ndarray, x: np.ndarray, *, cells: int = 8, stuck: np.ndarray | None = None
) -> np.ndarray:
    """New targets of the ramp cells whose steps are farthest off, and of the neighbours of stuck cells.

    The step between two levels shows what its cell delivers. The ``cells`` worst steps are written again, where their
    error is beyond the sigma of a write. A step whose cells are stuck cannot be mended: half of what it lacks is given to
    the steps before it and half to those after, the nearest first, so that the levels beside it are off by half and all
    beyond are right.
    """
    program, x = plan.program(), np.asarray(x)
    targets, levels = np.full(conductance.shape, np.nan), len(program.x)
    if levels < 2:
        return targets
    stuck = np.zeros(conductance.shape, bool) if stuck is None else stuck
    # Step m leads from level m - 1 to level m; the first and the last of the ramp lie outside the levels.
    inner = range(2, levels + 1)
    error = np.diff(x, axis=1) - np.diff(program.x)
    members = {m: np.flatnonzero(program.step == m) for m in inner}
    spread = plan.profile.program_sigma_at(program.conductance) * program.width
    sigma = {m: float(np.sqrt(np.sum(spread[cells_of] ** 2))) for m, cells_of in members.items()}
    lowest, weight = np.minimum(plan.profile.g_min, program.conductance), _weight(plan, conductance)
    ends = charge_range(plan, conductance, weight, lowest)

    def room(row: int, cells: np.ndarray) -> tuple[float, float]:
        """Least and most charge that cells can add."""
        low, high = ends[row, cells].sum(axis=0).tolist()
        return min(low, 0.0), max(high, 0.0)

    for row in np.flatnonzero(np.isfinite(x).all(axis=1)).tolist():
        rest = dict(zip(inner, (-error[row] * program.unit_charge).tolist(), strict=True))
        moving = {m: cells_of[~stuck[row, cells_of]] for m, cells_of in members.items()}
        dead = [m for m in inner if len(moving[m]) < len(members[m])]
        beside = set(dead)
        for m in dead:
            if not len(moving[m]):
                beside |= _hand_on(m, rest, {n: room(row, moving[n]) for n in rest if n not in dead})
        worst = sorted((m for m in rest if len(moving[m])), key=lambda m: (m not in beside, -abs(rest[m])))
        for m in worst[: max(cells, sum(m in beside for m in worst))]:
            if abs(rest[m]) > sigma[m]:
                one = slice(row, row + 1)
                _share_out(plan, np.array([rest[m]]), moving[m], conductance[one], weight[one], lowest, None, targets[one])
    return targets


def charge_range(plan: RampPlan, conductance: np.ndarray, weight: np.ndarray, lowest: np.ndarray) -> np.ndarray:
    """Least and most charge that each cell adds at the ends of its range, ``lowest`` (cells,) to g_max: shape (n, cells, 2)."""
    ends = [weight * (g - conductance) for g in (lowest, np.full_like(lowest, plan.profile.g_max))]
    return np.sort(np.stack(ends, axis=2), axis=2)


def _weight(plan: RampPlan, conductance: np.ndarray) -> np.ndarray:
    """Charge that a change of a cell's conductance moves, per siemens: (n, cells), signed."""
    program = plan.program()
    # A change of conductance loses its share twice: the cell's own current, and its load on the op-amp.
    gain = 1.0 if plan.level == "ideal" else charge_share(program, plan.circuit, conductance) ** 2
    return np.broadcast_to(program.polarity * program.width * gain, conductance.shape)


def _hand_on(m: int, rest: dict[int, float], rooms: dict[int, tuple[float, float]]) -> set[int]:
    """Gives what step ``m`` lacks to the steps on both sides of it, as far as they have room; the steps that took some."""
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
    plan: RampPlan,
    charge: np.ndarray,
    cells: np.ndarray,
    conductance: np.ndarray,
    weight: np.ndarray,
    lowest: np.ndarray,
    stuck: np.ndarray | None,
    targets: np.ndarray,
    least: float = 0.0,
) -> None:
    """Gives the charge of each chip (n,), NaN for none, to some cells in their order, within their ranges: fills ``targets``.

    A charge below ``least`` is left over.
    """
    rest = charge
    for cell in cells:
        old = conductance[:, cell]
        new = np.clip(old + np.nan_to_num(rest) / weight[:, cell], lowest[cell], plan.profile.g_max)
        moved = (new != old) & np.isfinite(rest) & (np.abs(rest) >= least)
        if stuck is not None:
            moved &= ~stuck[:, cell]
        targets[moved, cell] = new[moved]
        rest = np.where(moved, rest - (new - old) * weight[:, cell], rest)
