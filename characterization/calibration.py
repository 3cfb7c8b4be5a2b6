"""One-point calibration: reprogram calibration cells so that the ramp is exact at one point."""

from __future__ import annotations

import numpy as np

from netlists.devices import DeviceProfile
from netlists.program import RampProgram


def error_at(point: float, x: np.ndarray, program: RampProgram) -> np.ndarray:
    """Error of measured transition levels ``x`` (n, 2**bits - 1) at an input, interpolated between its neighbours.

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
    x : ndarray (n, 2**bits - 1)
        Transition levels measured before calibration, activation input units; rows with NaN are left alone.
    stuck : ndarray of bool (n, cells), optional
        Cells that write-verify found not to move: they are given nothing.
    share : ndarray (n, cells), optional
        Share of its charge that a cell delivers (`netlists.closed_form.charge_share`); all by default.

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
