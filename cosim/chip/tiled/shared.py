"""Sums of inputs that several chips have in common: those whose weights of the inputs are the same.

Chips of one network without cells of their own differ in their converters alone. A sum is one chain of additions that begins with
the inputs, so that chips which go on from there have the bits that they have by themselves.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from characterization.processes import thread_pool

from ..draw import Chip, ChipCell, ChipMatrix
from .product import by_unit, column_order, packed

SHARED_BYTES = 2**26
"""Sums of a matrix that are kept weigh at most this."""
WORTH_ROWS = 24
"""Rows less for each chip, on average, from which on sums are worth the way from memory."""

Shared = Sequence[dict[str, np.ndarray]]
"""By direction of the first layer, sums (steps, tiles, columns, LANES) by matrix."""


def shared_sums(chips: Sequence[Chip], x: np.ndarray, active: np.ndarray, threads: int) -> Shared:
    """Sums of the inputs of all steps that are the same on all chips; of one chip none, which would gain nothing.

    Parameters
    ----------
    chips : sequence of Chip
        Those that run in tiles.
    x : ndarray (steps, tiles, n_in, LANES)
    active : ndarray of int (steps,)
        Sequences that run at each step, the first so many.
    threads : int
    """
    out: list[dict[str, np.ndarray]] = []
    for direction, cell in enumerate(chips[0].layers[0] if chips else ()):
        others = [chip.layers[0][direction] for chip in chips[1:]]
        alike = [name for name in cell.matrices if all(_alike(cell, other, name) for other in others)]
        worth = [name for name in alike if _worth(cell.matrices[name], x, len(chips))]
        out.append({name: _sums(cell, name, chips[0], x, active, threads) for name in worth})
    return out


def _alike(cell: ChipCell, other: ChipCell, name: str) -> bool:
    m, n = cell.matrices[name], other.matrices[name]
    n_x = m.matrix.parts[0][1]
    same = by_unit(cell.cell, m) == by_unit(other.cell, n) and m.ranges == n.ranges
    return same and np.array_equal(m.sums[0].weights[:, :n_x], n.sums[0].weights[:, :n_x])


def _worth(m: ChipMatrix, x: np.ndarray, chips: int) -> bool:
    part, n_x = m.matrix.parts[0]
    size = x.itemsize * x[:, :, 0].size * m.matrix.shape[1]
    return part == "x" and n_x * (chips - 1) >= WORTH_ROWS * chips and size <= SHARED_BYTES


def _sums(cell: ChipCell, name: str, chip: Chip, x: np.ndarray, active: np.ndarray, threads: int) -> np.ndarray:
    from . import tiles  # numba is slow to load

    m, pwm = cell.matrices[name], chip.hardware.pwm
    weights = packed(m.sums[0].weights[column_order(cell.cell, m), : m.matrix.parts[0][1]])
    out = np.empty((*x.shape[:2], len(weights) * tiles.GROUP, x.shape[3]), np.float32)
    edges = np.zeros(2, np.intp)
    zeros, ones = np.zeros((1, tiles.GROUP, x.shape[3]), np.float32), np.ones((0, x.shape[3]), np.float32)

    def run(t: int) -> None:
        running = slice(0, -(-int(active[t]) // x.shape[3]))
        rows = x[t, running]
        if pwm is not None and m.ranges is not None:
            rows = pwm.quantize(rows, m.ranges[0])
        rows = np.ascontiguousarray(rows)
        tiles.sums(weights, rows, rows[:, :0].copy(), edges, ones, zeros, out[t, running])

    if threads == 1:
        for t in range(len(x)):
            run(t)
    else:
        with thread_pool(threads) as pool:
            list(pool.map(run, range(len(x))))
    return out
