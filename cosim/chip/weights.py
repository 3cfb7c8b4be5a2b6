"""Effective weights of arrays of memristors: programming error, stuck cells, relaxation, wires, and the variance of reading."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from netlists.array import ArraySolver, Crossbar, WiredPairs, pair_halves, signed_conductance, wired_pairs

from .arrays import Arrays, drawn_curvature, read_through

OPEN = 1e-15
"""Siemens of a crossing without a cell: the solver needs a number above 0."""
MOST_BIAS_ROWS = 64


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
    *,
    bias: bool = False,
    arrives: np.ndarray | None = None,
) -> EffectiveWeights:
    """Program a matrix, read it back through its wires.

    Parameters
    ----------
    weights : ndarray (rows, columns)
    connected : ndarray of bool (rows, columns)
        Crossings that have cells.
    row_scale : ndarray (rows,)
        Input that takes the longest pulse; a row's cells hold the weight times this.
    bias : bool
        Whether the last row is a bias.
    arrives : ndarray or None
        Part of each cell's conductance that the columns' ends see, as `arrival` gives it; None: by the arrays' solution.

    Notes
    -----
    Read noise that lasts is drawn once a chip, the rest once a cell and conversion; a conversion's sum of independent Gaussian
    errors is one Gaussian with the sum of the variances, which is exact. Wires are left out of that variance.
    """
    pairs = placed_cells(weights * row_scale[:, None], connected, arrays, bias=bias, arrives=arrives)
    g = drawn_cells(pairs.conductance, connected, arrays, rng)
    behind = through_wires(g, arrays) if arrays.wired and arrives is None else g * (1.0 if arrives is None else arrives)
    seen = folded(behind, len(weights), arrays.layout)
    unit = pairs.scale * row_scale[:, None]
    effective = np.where(connected, signed_conductance(seen, arrays.layout) / unit, 0.0)
    variance = None
    if arrays.profile.read_sigma > 0:
        squares = np.where(g == OPEN, 0.0, arrays.profile.fresh_sigma_at(g) ** 2)
        variance = sum(pair_halves(folded(squares, len(weights), arrays.layout), arrays.layout)) / unit**2
    return EffectiveWeights(effective, row_blocks(len(weights), arrays), variance)


def folded(cells: np.ndarray, rows: int, layout: str) -> np.ndarray:
    """What the ``rows`` of a matrix have together, shape (2 rows, ...) or (rows, ...): the rows of its bias are driven alike."""
    high = 2 if layout == "rows" else 1
    split = cells[high * (rows - 1) :].reshape(-1, high, cells.shape[1])
    return cells if len(split) == 1 else np.concatenate([cells[: high * (rows - 1)], split.sum(axis=0)])


def bias_rows(scaled: np.ndarray, arrays: Arrays, *, bias: bool = True) -> int:
    """Rows that share the bias, the last row of a matrix (rows, columns) in units of the longest pulse.

    Unless the arrays say how many: so many that each holds at most what the largest of the other weights does, 64 at most.
    """
    if not bias or arrays.partial_sums == "digital":
        return 1
    if arrays.bias_rows is not None:
        return arrays.bias_rows
    others = np.abs(scaled[:-1]).max(initial=0.0)
    if arrays.w_max is not None:
        others = min(others, arrays.w_max)
    # A cell that is full to a part in a million is full.
    return min(max(math.ceil(np.abs(scaled[-1]).max() / others - 1e-6), 1), MOST_BIAS_ROWS) if others > 0 else 1


def _bias_split(matrix: np.ndarray, rows: int, part: float = 1.0) -> np.ndarray:
    """A matrix (rows, ...) with ``rows`` rows for its bias, each ``part`` of it."""
    if rows == 1:
        return matrix
    return np.concatenate([matrix[:-1], np.repeat(matrix[-1:] * part if part != 1 else matrix[-1:], rows, axis=0)])


def _split_cells(connected: np.ndarray, targets: np.ndarray, layout: str) -> np.ndarray:
    """Where cells are, shape of the conductances ``targets``, of a matrix that is connected where ``connected`` says."""
    return _cells(_bias_split(connected, _rows_of_bias(connected, targets, layout)), layout)


def _rows_of_bias(matrix: np.ndarray, cells: np.ndarray, layout: str) -> int:
    """Rows of the bias of a matrix (rows, columns) whose cells these are."""
    return len(cells) // (2 if layout == "rows" else 1) - len(matrix) + 1


def arrival(weights: np.ndarray, connected: np.ndarray, row_scale: np.ndarray, arrays: Arrays, *, bias: bool) -> np.ndarray:
    """Part of each perfect cell's conductance that the columns' ends see behind the wires, shape of the conductances.

    It changes little where the conductances do: one solution serves weights and errors near these.
    """
    targets = placed_cells(weights * row_scale[:, None], connected, arrays, bias=bias).conductance
    g = np.where(_split_cells(connected, targets, arrays.layout), targets, OPEN)
    return through_wires(g, arrays) / g


def placed_cells(
    scaled: np.ndarray, connected: np.ndarray, arrays: Arrays, *, bias: bool = False, arrives: np.ndarray | None = None
) -> WiredPairs:
    """Where the cells of a matrix (rows, columns), in units of the longest pulse, are to be programmed, and what a unit is then.

    Behind wires it takes a solution of the arrays or more, so that the last ones are kept.
    """
    # A solution of the arrays is that of so many rows.
    rows = bias_rows(scaled, arrays, bias=bias) if arrives is None else _rows_of_bias(scaled, arrives, arrays.layout)
    scaled, connected = _bias_split(scaled, rows, 1 / rows), _bias_split(connected, rows)
    if arrays.w_max is not None:
        scaled = np.clip(scaled, -arrays.w_max, arrays.w_max)
    if not arrays.wired:
        return wired_pairs(scaled, arrays.profile, None, layout=arrays.layout, w_max=arrays.w_max)
    if arrives is not None:
        cells = _cells(connected, arrays.layout)
        return wired_pairs(
            scaled,
            arrays.profile,
            lambda g: np.where(cells, g, OPEN) * arrives,
            arrays.compensate,
            layout=arrays.layout,
            w_max=arrays.w_max,
            cells=cells,
        )
    return _placed(
        _Matrix.of(scaled, connected),
        replace(arrays, profile=arrays.profile.without_variation(), drift_time=None, curvature=0.0, access=0.0),
    )


def drawn_cells(targets: np.ndarray, connected: np.ndarray, arrays: Arrays, rng: np.random.Generator) -> np.ndarray:
    """Conductances of a chip's cells as reads see them: written, relaxed, stuck, with the read noise that
    lasts, behind what verification has not seen.

    Siemens, shape of ``targets``; `OPEN` where there is no cell.
    """
    # One stream for each source: switching one off leaves the others' draws alone.
    program, stuck, drift, curve, reading = rng.spawn(5)
    g = arrays.profile.programmed(targets, program)
    if arrays.drift_time is not None:
        g = arrays.profile.relaxed(g, targets, arrays.drift_time, drift)
    g = arrays.profile.stuck(g, stuck)
    g = np.maximum(g + arrays.profile.lasting_noise(g, reading), OPEN)
    if arrays.curvature or arrays.access:
        g = read_through(g, drawn_curvature(arrays.curvature, g.shape, curve), arrays.access, arrays.v_read)
    return np.where(_split_cells(connected, targets, arrays.layout), g, OPEN)


def through_wires(g: np.ndarray, arrays: Arrays) -> np.ndarray:
    """Effective conductances: the transfer matrix of each array by itself, exact for linear cells."""
    out = np.empty_like(g)
    high, wide = (2, 1) if arrays.layout == "rows" else (1, 2)
    for r in row_blocks(len(g) // high, arrays):
        for c in array_blocks(g.shape[1] // wide, arrays.max_columns, wide):
            here = slice(high * r.start, high * r.stop), slice(wide * c.start, wide * c.stop)
            array = Crossbar(g[here], r_row=arrays.r_row, r_col=arrays.r_col, r_driver=arrays.r_driver, r_sense=arrays.r_sense)
            out[here] = ArraySolver(array).transfer
    return out


def row_blocks(rows: int, arrays: Arrays) -> tuple[slice, ...]:
    """Rows of weights in each array."""
    return array_blocks(rows, arrays.max_rows, 2 if arrays.layout == "rows" else 1)


def array_blocks(weights: int, most: int | None, cells: int) -> tuple[slice, ...]:
    """Rows or columns of weights in each array of ``most`` cells, of which a weight takes ``cells``; no weight is split."""
    size = weights if most is None else max(most // cells, 1)
    return tuple(slice(i, min(i + size, weights)) for i in range(0, weights, size))


def _cells(connected: np.ndarray, layout: str) -> np.ndarray:
    return np.repeat(connected, 2, axis=0 if layout == "rows" else 1)


@dataclass(frozen=True)
class _Matrix:
    """A matrix that can be looked up."""

    digest: bytes
    scaled: np.ndarray = field(compare=False)
    connected: np.ndarray = field(compare=False)

    @classmethod
    def of(cls, scaled: np.ndarray, connected: np.ndarray) -> _Matrix:
        content = repr(scaled.shape).encode() + scaled.tobytes() + connected.tobytes()
        return cls(hashlib.sha256(content).digest(), scaled, connected)


@lru_cache(maxsize=16)
def _placed(matrix: _Matrix, arrays: Arrays) -> WiredPairs:
    cells = _cells(matrix.connected, arrays.layout)
    return wired_pairs(
        matrix.scaled,
        arrays.profile,
        lambda g: through_wires(np.where(cells, g, OPEN), arrays),
        arrays.compensate,
        layout=arrays.layout,
        w_max=arrays.w_max,
        cells=cells,
    )
