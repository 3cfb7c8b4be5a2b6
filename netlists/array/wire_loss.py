"""Loss of signed weights in the wires of an array, and what makes it good: one gain for all columns, or other targets of the cells.

The wires take charge from all cells, more from those far from the row drivers and the columns' ends. Three answers:

``none``   the columns are weaker than designed
``mean``   the integrators' C_f, or the ramp's scale, is smaller by the gain that brings the weights of the whole matrix nearest to
           the asked ones (least squares); what differs from cell to cell stays
``wires``  cells far away get more conductance: targets whose exact transfer matrix is in proportion to the weights. The
           largest target takes the whole conductance range, so that a unit of weight is left less of it than on ideal wires, and
           errors of cells weigh more by as much
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from netlists.checks import Choice, Positive, check
from netlists.errors import InputError
from netlists.technology import DeviceProfile

from .pairs import pair_halves, signed_conductance, weights_to_pairs

COMPENSATIONS = ("none", "mean", "wires")
TOLERANCE = 1e-4
"""Rms error of pre-compensated weights at which the search for targets ends, relative to the weights' rms."""
_MAX_STEPS = 40

Transfer = Callable[[np.ndarray], np.ndarray]
"""From the conductances of all cells to those that the columns' ends see, same shape, siemens."""


@dataclass(frozen=True, eq=False)
class WiredPairs:
    """Conductances that hold a weight matrix behind wires.

    Attributes
    ----------
    conductance : ndarray (R, 2 C) or (2 R, C)
        Targets of the cells, siemens.
    scale : float
        Siemens per unit of weight as the columns' ends are taken to see them: what C_f and the ramp are made for.
    gain : float
        By how much that is below the scale of the same range on ideal wires, 1 or more: what errors of a fixed
        conductance weigh more.
    error : float or None
        Rms difference of the weights that nominal cells show from the asked ones, relative to the rms of these; None: no wires.
    """

    conductance: np.ndarray
    scale: float
    gain: float
    error: float | None


def wired_pairs(
    weights: npt.ArrayLike,
    profile: DeviceProfile,
    transfer: Transfer | None,
    compensate: str = "mean",
    *,
    layout: str = "columns",
    w_max: float | None = None,
    cells: np.ndarray | None = None,
) -> WiredPairs:
    """Map signed weights onto cells behind wires; parameters and errors otherwise as for `weights_to_pairs`.

    Parameters
    ----------
    transfer : callable or None
        None: no wires.
    compensate : {"none", "mean", "wires"}
    cells : ndarray of bool, shape of the conductances, or None
        Crossings that have cells; None: all. Weights of the others are 0.

    Raises
    ------
    InputError
        Wires that no targets within the conductance range make good.
    """
    check(Choice(COMPENSATIONS), compensate, "compensate")
    pairs = weights_to_pairs(weights, profile, layout=layout, w_max=w_max)
    g, w = pairs.conductance, np.asarray(weights, float)
    if transfer is None or not np.any(w):
        return WiredPairs(g, pairs.scale, 1.0, None if transfer is None else 0.0)
    cells = np.ones(g.shape, bool) if cells is None else cells
    # What sneaks through other cells to where there is none is left out.
    there = pair_halves(cells, layout)[0]
    seen = transfer(g)
    if compensate == "wires":
        g, seen = _precompensated(w, pairs.scale, profile, transfer, layout, cells)
    shown = np.where(there, signed_conductance(seen, layout), 0.0)
    scale = pairs.scale if compensate == "none" else check(Positive, float(np.sum(shown**2) / np.sum(shown * w)), "mean wire gain")
    error = float(np.sqrt(np.mean((shown / scale - w) ** 2) / np.mean(w**2)))
    return WiredPairs(g, scale, pairs.scale / scale, error)


def _precompensated(
    w: np.ndarray, full: float, profile: DeviceProfile, transfer: Transfer, layout: str, cells: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Targets whose transfer is in proportion to the weights, and that transfer.

    Fixed point: the difference of each pair is moved by what its weight lacks, over the part of a pair's conductance that
    arrives; then all are scaled so that the largest takes the whole range. The weights' scale falls with the farthest cells.
    """
    there, reach = pair_halves(cells, layout)[0], full * np.abs(w).max()
    span = profile.g_max - profile.g_min
    difference = full * w
    for _ in range(_MAX_STEPS):
        g = weights_to_pairs(np.clip(difference, -span, span), profile, layout=layout, w_max=span).conductance
        seen = transfer(g)
        shown = signed_conductance(seen, layout)
        scale = float(np.sum(shown * w) / np.sum(w**2))
        if scale <= 0:
            break
        lacking = np.where(there, scale * w - shown, 0.0)
        if np.sqrt(np.mean(lacking**2)) < TOLERANCE * scale * np.sqrt(np.mean(w**2)):
            return g, seen
        arrives = sum(pair_halves(np.where(cells, seen / g, 1.0), layout)) / 2
        difference = difference + lacking / arrives
        difference *= reach / np.abs(difference).max()
    raise InputError(
        f"compensate='wires': no targets from {profile.g_min:g} to {profile.g_max:g} S (siemens) make good these wires; take "
        "smaller arrays, wires of less resistance, or compensate='mean'"
    )
