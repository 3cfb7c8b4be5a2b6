"""Matrices as tiles take them: tables of their converters, packed weights, and products in passes that the nearest cache holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cosim.network.cells import LSTM, Cell

from ..converters import Converters
from ..draw import ChipMatrix
from ..pulses import PwmInputs
from ..units import ConvertedColumns

MOST_ROWS, ROWS = 160, 128
"""Rows that one pass takes at most (40 KiB of numbers), and about so many where it takes several."""


@dataclass(frozen=True, eq=False)
class Tables:
    """Converters of a matrix as `tiles` takes them, columns in whole groups.

    Attributes
    ----------
    thresholds : ndarray (columns, SLOTS)
        In the order of `codes.BISECTION`, filled up with infinity.
    values : ndarray (columns, 32)
        By the code whose bits are in reverse.
    sigma : ndarray (columns, SLOTS) or None
    ends : ndarray (columns, 3)
        Smallest and largest rms noise of a column's thresholds, and 1 if it counts a level only with all before, else 0.
    keys : ndarray of uint32 (columns / 2, 2)
        Of the noise of each two columns, or of each gate of two units.
    """

    thresholds: np.ndarray
    values: np.ndarray
    sigma: np.ndarray | None
    ends: np.ndarray
    keys: np.ndarray

    def convert_rows(self, x: np.ndarray, out: np.ndarray) -> None:
        """Outputs without noise of pre-activations (sequences, columns) that lie sequence by sequence."""
        from . import tiles  # numba is slow to load

        tiles.convert_rows(x, self.thresholds, self.values, out)

    @classmethod
    def of(cls, bank: Converters, order: np.ndarray, columns: int) -> Tables:
        """``columns`` or fewer columns of a bank, in this order."""
        from . import codes  # numba is slow to load

        levels = min(bank.levels, codes.LEVELS)
        natural, own = np.full((columns, 32), np.inf, np.float32), np.zeros((columns, 32), np.float32)
        natural[: len(order), :levels] = bank.thresholds[order, :levels]
        values = np.zeros((columns, 32), np.float32)
        values[: len(order), : levels + 1] = bank.values[order, : levels + 1]
        thresholds, sigma = np.full((columns, codes.SLOTS), np.inf, np.float32), np.zeros((columns, codes.SLOTS), np.float32)
        thresholds[:, :32] = natural[:, codes.BISECTION]
        values = np.ascontiguousarray(values[:, codes.REVERSED])
        if bank.sigma is None:
            return cls(thresholds, values, None, np.zeros((columns, 3), np.float32), bank.keys)
        keys = np.zeros((columns // 2, 2), np.uint32)
        # Of two columns that see one draw of two numbers, the first has an even number.
        firsts = order[order % 2 == 0]
        keys[: len(firsts)] = bank.keys[firsts // 2]
        own[: len(order), :levels] = bank.sigma[order, : levels if bank.sigma.shape[1] > 1 else 1]
        sigma[:, :32] = own[:, codes.BISECTION]
        counts = np.isfinite(natural)
        low, high = (f(own, axis=1, where=counts, initial=start) for f, start in ((np.min, np.inf), (np.max, 0.0)))
        ends = np.stack([np.minimum(low, high), high, _steady(natural, own)], axis=1)
        return cls(thresholds, values, sigma, ends.astype(np.float32), keys)


def _steady(thresholds: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Whether a column that counts a level counts those before, whatever it draws, bool (columns,).

    Level k + 1 counts and level k does not only where ``g (s_k - s_(k+1))`` exceeds the gap between them, but for the rounding of
    three operations on numbers as large as the largest threshold and its noise.
    """
    from ..kernels import REACH  # numba is slow to load

    t, s, reach = thresholds.astype(float), sigma.astype(float), float(REACH)
    finite = np.isfinite(t)
    largest = np.max(np.abs(t), axis=1, where=finite, initial=0.0) + reach * s.max(axis=1)
    with np.errstate(invalid="ignore"):
        gap = np.where(finite[:, 1:], np.diff(t), np.inf)
    change = np.abs(np.diff(s))
    needed = reach * change + 2.0**-21 * largest[:, None]
    same = (gap == 0) & (change == 0)
    return np.all(same | (gap > needed), axis=1)


def packed(weights: np.ndarray) -> np.ndarray:
    """Weights (columns, rows) in the order in which a tile's products read them: (groups, rows * GROUP), filled up with zeros."""
    from .tiles import GROUP  # numba is slow to load

    columns, rows = weights.shape
    whole = np.zeros((-(-columns // GROUP) * GROUP, rows), np.float32)
    whole[:columns] = weights
    return np.ascontiguousarray(whole.reshape(-1, GROUP, rows).transpose(0, 2, 1)).reshape(-1, rows * GROUP)


class TileProduct:
    """A matrix made ready for products: packed weights, tables of its converters, and room for results.

    Parameters
    ----------
    cell : Cell
    m : ChipMatrix
    pwm : PwmInputs or None
    shared : ndarray (steps, tiles, columns, LANES) or None
        Sums of the inputs' rows of all steps, if they are known.
    """

    def __init__(self, cell: Cell, m: ChipMatrix, pwm: PwmInputs | None, shared: np.ndarray | None = None) -> None:
        from . import tiles  # numba is slow to load

        self._tiles = tiles
        self.units, self.ranges, self.pwm, self.shared = m.units, m.ranges, pwm, shared
        unit = m.units[0]
        self.by_unit = by_unit(cell, m)
        order = column_order(cell, m)
        weights = m.sums[0].weights[order]
        n_x = m.matrix.parts[0][1]
        self.edges = _edges(0 if shared is not None else n_x, weights.shape[1] - n_x - int(m.matrix.bias))
        self.weights = packed(weights if shared is None else weights[:, n_x:])
        self.columns, self.used = len(self.weights) * tiles.GROUP, len(order)
        self.tables = Tables.of(unit.bank, order, self.columns) if isinstance(unit, ConvertedColumns) else None
        self.ones = np.ones((int(m.matrix.bias), tiles.LANES), np.float32)
        self.zeros = np.zeros((1, tiles.GROUP, tiles.LANES), np.float32)
        self.gates = [(g.name, m.matrix.columns(g.name)) for g in m.matrix.gates]
        self._room: dict[tuple[str, int], np.ndarray] = {}

    def room(self, name: str, count: int, rows: int) -> np.ndarray:
        """An array for so many tiles, the same whenever it is asked for."""
        if (name, count) not in self._room:
            self._room[name, count] = np.zeros((count, rows, self.zeros.shape[2]), np.float32)
        return self._room[name, count]

    def driven(self, parts: Sequence[np.ndarray], step: int, not_in: np.ndarray | None = None) -> tuple[Any, ...]:
        """What a product takes: weights, rows of both parts and the edges of their passes, the bias, and the sums before.

        Parts are as rounded as pulse widths are, and outside of ``not_in``.
        """
        none = self.room("none", len(parts[0]), 0)
        x = none if self.shared is not None else self._rows(parts, 0, not_in)
        h = self._rows(parts, 1, not_in) if len(parts) > 1 else none
        before = self.zeros if self.shared is None else self.shared[step, : len(x)]
        return self.weights, x, h, self.edges, self.ones, before

    def driven_steps(self, x: np.ndarray, h: np.ndarray, step: int) -> tuple[Any, ...]:
        """The same for steps from a number on, x (steps, tiles, rows, LANES); several only without pulse widths."""
        if len(x) == 1:
            weights, one, h, edges, ones, before = self.driven((x[0, : len(h)], h), step)
            return weights, one[None], h, edges, ones, before[None]
        if self.shared is None:
            return self.weights, np.ascontiguousarray(x), h, self.edges, self.ones, self.zeros[None]
        none = np.zeros((len(x), len(h), 0, x.shape[3]), np.float32)
        return self.weights, none, h, self.edges, self.ones, self.shared[step : step + len(x)]

    def _rows(self, parts: Sequence[np.ndarray], number: int, not_in: np.ndarray | None) -> np.ndarray:
        part = parts[number]
        if self.ranges is not None and self.pwm is not None:
            part = self.pwm.quantize(part, self.ranges[number])
        if not_in is not None and np.may_share_memory(part, not_in):
            part = np.array(part)
        return np.ascontiguousarray(part)


def by_unit(cell: Cell, m: ChipMatrix) -> bool:
    """Whether the gates of a unit are neighbours: an LSTM's whose step is one piece of code.

    Noise is drawn for two columns, of two units of a gate: a gate has an even number of them.
    """
    if not isinstance(cell, LSTM) or cell.n_projection is not None or not isinstance(m.units[0], ConvertedColumns):
        return False
    return m.units[0].bank.sigma is None or cell.n_hidden % 2 == 0


def column_order(cell: Cell, m: ChipMatrix) -> np.ndarray:
    """Columns in the order in which tiles have them."""
    order = np.arange(m.matrix.shape[1])
    return order.reshape(len(m.matrix.gates), -1).T.ravel() if by_unit(cell, m) else order


def _edges(n_x: int, n_h: int) -> np.ndarray:
    """Where the rows of the second part are cut into passes, the first of which also has the inputs."""
    rows = n_x + n_h
    passes = 1 if rows <= MOST_ROWS else -(-rows // ROWS)
    edges = [rows * k // passes - n_x for k in range(1, passes)]
    return np.array([0, *(edge for edge in edges if edge > 0), n_h], np.intp)
