"""Effective weights of arrays of memristors: programming error, stuck cells, relaxation, wires, and the variance of reading."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from netlists.array import ArraySolver, Crossbar, weights_to_pairs

from .hardware import Arrays

OPEN = 1e-15
"""Siemens of a crossing without a cell: the solver needs a number above 0."""


@dataclass(frozen=True, eq=False)
class EffectiveWeights:
    """What columns compute instead of the weights they were given.

    Attributes
    ----------
    weights : ndarray (rows, columns)
    blocks : tuple of slice
        Rows of each array.
    read_variance : ndarray (rows, columns) or None
        Variance of each weight from one conversion to the next; None: no read noise.
    """

    weights: np.ndarray
    blocks: tuple[slice, ...]
    read_variance: np.ndarray | None


def effective_weights(
    weights: np.ndarray,
    connected: np.ndarray,
    row_scale: np.ndarray,
    arrays: Arrays,
    rng: np.random.Generator,
    seen_as: Callable[[np.ndarray], np.ndarray] | None = None,
) -> EffectiveWeights:
    """Program a matrix, read it back through its wires.

    Parameters
    ----------
    weights : ndarray (rows, columns)
    connected : ndarray of bool (rows, columns)
        Crossings that have cells.
    row_scale : ndarray (rows,)
        Input that takes the longest pulse; a row's cells hold the weight times this.
    seen_as : callable or None
        From the conductances of drawn cells, siemens, to those that reads see, same shape: what verification has not seen.

    Notes
    -----
    Read noise is drawn once a cell and conversion; a conversion's sum of independent Gaussian errors is one Gaussian with the
    sum of the variances, which is exact. Wires are left out of that variance.
    """
    scaled = weights * row_scale[:, None]
    if arrays.w_max is not None:
        scaled = np.clip(scaled, -arrays.w_max, arrays.w_max)
    pairs = weights_to_pairs(scaled, arrays.profile, layout=arrays.layout, w_max=arrays.w_max)
    # One stream for each source: switching one off leaves the others' draws alone.
    program, stuck, drift = rng.spawn(3)
    g = arrays.profile.programmed(pairs.conductance, program)
    if arrays.drift_time is not None:
        g = arrays.profile.relaxed(g, pairs.conductance, arrays.drift_time, drift)
    g = arrays.profile.stuck(g, stuck)
    axis = 0 if arrays.layout == "rows" else 1
    if seen_as is not None:
        g = seen_as(g)
    cells = np.repeat(connected, 2, axis=axis)
    g = np.where(cells, g, OPEN)
    blocks = array_blocks(len(weights), arrays.max_rows, 2 if axis == 0 else 1)
    seen = g if not arrays.wired else _through_wires(g, blocks, arrays)
    unit = pairs.scale * row_scale[:, None]
    effective = np.where(connected, _signed(seen, axis) / unit, 0.0)
    variance = None
    if arrays.profile.read_sigma > 0:
        squares = np.where(cells, arrays.profile.read_sigma_at(g) ** 2, 0.0)
        variance = (squares[0::2] + squares[1::2] if axis == 0 else squares[:, 0::2] + squares[:, 1::2]) / unit**2
    return EffectiveWeights(effective, blocks, variance)


def _signed(g: np.ndarray, axis: int) -> np.ndarray:
    return g[0::2] - g[1::2] if axis == 0 else g[:, 0::2] - g[:, 1::2]


def array_blocks(weights: int, most: int | None, cells: int) -> tuple[slice, ...]:
    """Rows or columns of weights in each array of ``most`` cells, of which a weight takes ``cells``; no weight is split."""
    size = weights if most is None else max(most // cells, 1)
    return tuple(slice(i, min(i + size, weights)) for i in range(0, weights, size))


def _through_wires(g: np.ndarray, row_blocks: tuple[slice, ...], arrays: Arrays) -> np.ndarray:
    """Effective conductances: the transfer matrix of each array by itself, exact for linear cells."""
    out = np.empty_like(g)
    high, wide = (2, 1) if arrays.layout == "rows" else (1, 2)
    for r in row_blocks:
        for c in array_blocks(g.shape[1] // wide, arrays.max_columns, wide):
            here = slice(high * r.start, high * r.stop), slice(wide * c.start, wide * c.stop)
            array = Crossbar(g[here], r_row=arrays.r_row, r_col=arrays.r_col, r_driver=arrays.r_driver, r_sense=arrays.r_sense)
            out[here] = ArraySolver(array).transfer
    return out
