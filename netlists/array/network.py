"""Nodal equations of a wired crossbar: which nodes there are, in which order to eliminate them, and the sparse matrix.

Unknowns are the wire nodes of the cells: one on the row and one on the column of each cell. Zero resistance is exact
because it changes the set of unknowns, not their coefficients: a row without wire resistance has one node; one
without driver resistance either has none, it *is* its source. Columns alike.

The order of elimination is geometric nested dissection (A. George, SIAM J. Numer. Anal. 10, 345, 1973). A cut
between two columns severs only row wires, so that the R row nodes beside it separate the array; the column nodes
there hang on them alone. Such a separator is half as large as the 2 R nodes of a column of cells, and the factors
have fewer entries than minimum degree leaves. The nodes next to the terminals come last: see `port_conductance`.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from .crossbar import Crossbar

if TYPE_CHECKING:
    import scipy.sparse as sp

LEAF = 8
"""Cells of a block that is not cut further."""
DIRECT = -1
"""Node number of a line that is its own source or terminal."""


@cache
def _path_order(n: int) -> np.ndarray:
    """Nested dissection of n nodes in a line: both halves, then the node between them."""
    if n <= 2:
        return np.arange(n)
    m = n // 2
    return np.concatenate([_path_order(m), m + 1 + _path_order(n - m - 1), [m]])


@lru_cache(maxsize=4)
def elimination_order(rows: int, cols: int) -> np.ndarray:
    """Nested dissection of the 2 R C wire nodes: row node (i, j) is i*C + j, column node (i, j) is R*C + i*C + j."""
    cell = np.arange(rows * cols).reshape(rows, cols)
    order: list[np.ndarray] = []

    def dissect(block: np.ndarray) -> None:
        height, width = block.shape
        if block.size <= LEAF or min(height, width) == 1:
            order.extend([block.ravel(), rows * cols + block.ravel()])
        elif height >= width:
            m = height // 2
            dissect(block[:m])
            dissect(block[m + 1 :])
            order.extend([block[m][_path_order(width)], rows * cols + block[m]])
        else:
            m = width // 2
            dissect(block[:, :m])
            dissect(block[:, m + 1 :])
            order.extend([rows * cols + block[:, m][_path_order(height)], block[:, m]])

    dissect(cell)
    out = np.concatenate(order)
    out.setflags(write=False)
    return out


class _Structure:
    """Structure that the equations of crossbars of one shape share, whatever their conductances.

    Every entry of the matrix is a sum of values with signs; the values are the conductances of the row ends, column
    ends, row segments, column segments and then of each cell.
    """

    def __init__(
        self, rows: int, cols: int, row_has: tuple[bool, bool], col_has: tuple[bool, bool], driven: str, sensed: str
    ) -> None:
        (row_wire, row_end), (col_wire, col_end) = row_has, col_has
        cell = np.arange(rows * cols).reshape(rows, cols)
        row_label = cell if row_wire else np.broadcast_to(cell[:, :1], cell.shape)
        col_label = rows * cols + (cell if col_wire else np.broadcast_to(cell[:1, :], cell.shape))
        row_at = [row_label[:, j] for j in ((0, cols - 1) if driven == "both" else (0,))] if row_end else []
        col_at = [col_label[i] for i in ((rows - 1, 0) if sensed == "both" else (rows - 1,))] if col_end else []

        exists, last = np.zeros((2, 2 * rows * cols), bool)
        exists[row_label] = row_end
        exists[col_label] = col_end
        if row_end and col_end:
            last[np.concatenate(row_at + col_at)] = True
        order = elimination_order(rows, cols)
        self.label = np.concatenate([order[(exists & ~last)[order]], np.flatnonzero(last)])
        self.size = len(self.label)
        number = np.full(2 * rows * cols, DIRECT, dtype=np.int32)  # SuperLU's index type
        number[self.label] = np.arange(self.size)
        self.row, self.col = number[row_label], number[col_label]
        self.port = np.arange(self.size - int(last.sum()), self.size)
        self.row_ends, self.col_ends = [number[at] for at in row_at], [number[at] for at in col_at]

        i, j, value, sign = [], [], [], []

        def add(a: np.ndarray, b: np.ndarray, which: np.ndarray | int, minus: bool = False) -> None:
            i.append(a.ravel())
            j.append(b.ravel())
            value.append(np.broadcast_to(which, a.shape).ravel())
            sign.append(np.full(a.size, -1.0 if minus else 1.0))

        for which, ends in enumerate((self.row_ends, self.col_ends)):
            for at in ends:
                add(at, at, which)
        for which, (a, b), there in (
            (2, (self.row[:, :-1], self.row[:, 1:]), row_wire),
            (3, (self.col[:-1], self.col[1:]), col_wire),
        ):
            if there:
                add(a, a, which)
                add(b, b, which)
                add(a, b, which, minus=True)
                add(b, a, which, minus=True)
        if row_end:
            add(self.row, self.row, 4 + cell)
        if col_end:
            add(self.col, self.col, 4 + cell)
        if row_end and col_end:
            add(self.row, self.col, 4 + cell, minus=True)
            add(self.col, self.row, 4 + cell, minus=True)
        self._compress(*(np.concatenate(part) if part else np.empty(0, int) for part in (i, j, value, sign)))

    def _compress(self, i: np.ndarray, j: np.ndarray, value: np.ndarray, sign: np.ndarray) -> None:
        """Sorts the entries by column and row; entries at one place follow each other and start at ``self.start``."""
        by_place = np.lexsort((i, j))
        i, j = i[by_place], j[by_place]
        # Small types: at 1024 x 1024 there are ten million entries, and they are kept.
        self.value, self.sign = value[by_place].astype(np.int32), sign[by_place].astype(np.int8)
        new = np.ones(len(i), bool)
        new[1:] = (np.diff(i) != 0) | (np.diff(j) != 0)
        self.start = np.flatnonzero(new)
        self.indices = i[new].astype(np.int32)
        self.indptr = np.searchsorted(j[new], np.arange(self.size + 1)).astype(np.int32)


_structure = lru_cache(maxsize=4)(_Structure)


class NodalNetwork:
    """Unknown nodes of a crossbar and its equations, with the sources and the terminals as the given voltages.

    Attributes
    ----------
    size : int
        Number of unknowns.
    row, col : ndarray of int (R, C)
        Unknown at the row end and at the column end of each cell, or `DIRECT`.
    row_direct, col_direct : bool
        The rows are their sources, or the columns their terminals: no resistance at all.
    port : ndarray of int (p,)
        Unknowns next to a source or terminal, the last p in the order of elimination; none if a side is direct.
    port_link : ndarray (p, R + C)
        Conductance from each of those unknowns to each source and terminal, siemens.
    wires : csc_matrix (size, size)
        Equations without the cells: wire segments, drivers and sense resistors.
    """

    def __init__(self, crossbar: Crossbar) -> None:
        self.crossbar = crossbar
        rows, cols = crossbar.rows, crossbar.cols
        resistances = crossbar.row_end, crossbar.col_end, crossbar.r_row, crossbar.r_col
        self._line_values = [1.0 / r if r > 0 else 0.0 for r in resistances]
        self.row_direct, self.col_direct = crossbar.row_end == 0, crossbar.col_end == 0
        row_has, col_has = (crossbar.r_row > 0, not self.row_direct), (crossbar.r_col > 0, not self.col_direct)
        self._structure = _structure(rows, cols, row_has, col_has, crossbar.driven, crossbar.sensed)
        self.size, self.port = self._structure.size, self._structure.port
        self.row, self.col = self._structure.row, self._structure.col
        self.port_link = np.zeros((len(self.port), rows + cols))
        if len(self.port):
            for at in self._structure.row_ends:
                self.port_link[at - self.port[0], np.arange(rows)] += self._line_values[0]
            for at in self._structure.col_ends:
                self.port_link[at - self.port[0], rows + np.arange(cols)] += self._line_values[1]
        self.wires = self.matrix(np.zeros((rows, cols)))

    def matrix(self, cell_conductance: np.ndarray) -> sp.csc_matrix:
        """Conductance matrix with the given small-signal conductance of each cell (R, C), in the order of elimination.

        Symmetric, diagonal positive and no smaller than the rest of its row: a diagonally dominant M-matrix, whose
        elimination needs no pivoting.
        """
        import scipy.sparse as sp

        s = self._structure
        values = np.concatenate([self._line_values, cell_conductance.ravel()])
        entries = s.sign * values[s.value]
        data = np.add.reduceat(entries, s.start) if self.size else entries
        return sp.csc_matrix((data, s.indices, s.indptr), shape=(self.size, self.size))

    def cell_voltage(self, x: np.ndarray) -> np.ndarray:
        """Row node minus column node of each cell, shape (n, R, C), for unknowns of shape (n, size)."""
        out = np.zeros((len(x), *self.row.shape))
        if not self.row_direct:
            out += x[:, self.row]
        if not self.col_direct:
            out -= x[:, self.col]
        return out

    def leaving(self, cell_current: np.ndarray) -> np.ndarray:
        """Current that the cells take out of each unknown, shape (n, size), for cell currents (n, R, C) row to column."""
        out = np.zeros((len(cell_current), self.size))
        if not self.row_direct:
            if self.crossbar.r_row > 0:
                out[:, self.row] += cell_current
            else:
                out[:, self.row[:, 0]] += cell_current.sum(axis=2)
        if not self.col_direct:
            if self.crossbar.r_col > 0:
                out[:, self.col] -= cell_current
            else:
                out[:, self.col[0]] -= cell_current.sum(axis=1)
        return out

    def name(self, unknown: int) -> str:
        """Names the place of an unknown, for messages: ``row wire at row 3, column 0``."""
        side, cell = divmod(int(self._structure.label[unknown]), self.crossbar.rows * self.crossbar.cols)
        i, j = divmod(cell, self.crossbar.cols)
        return f"{'column' if side else 'row'} wire at row {i}, column {j}"
