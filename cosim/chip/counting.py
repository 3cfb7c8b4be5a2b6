"""Codes of many pre-activations at once in NumPy: levels below each, by compares, by a table, or with noise at each level."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from netlists.errors import InputError

GRID_CELLS = 512
FEW_LEVELS = 32
"""Levels of a column up to which comparing with all of them takes no longer than a table."""
BLOCK = 2**15
"""Numbers that are compared together, so that they stay in a core's cache."""


def count_levels(x: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Counts the levels below each x.

    Parameters
    ----------
    x : ndarray (columns, sequences)
    thresholds : ndarray (columns, levels)

    Returns
    -------
    ndarray of int (columns, sequences)
    """
    out = np.empty(x.shape, np.int64)
    rows = max(BLOCK // max(x.shape[1], 1), 1)
    for start in range(0, len(x), rows):
        some = slice(start, start + rows)
        seen, levels = x[some], thresholds[some]
        above = np.empty(seen.shape, bool)
        count = np.zeros(seen.shape, np.uint8 if levels.shape[1] < 2**8 else np.uint16)
        for k in range(levels.shape[1]):
            np.greater(seen, levels[:, k : k + 1], out=above)
            count += above.view(np.uint8)
        out[some] = count
    return out


class NoisyLevels:
    """Levels that count if ``x - n sigma_k - m shared_k`` is above them, each operation rounded, n and m drawn.

    That number lies between those with the smallest and the largest products: levels below both count, levels above both do not,
    and only those between are looked at.

    Parameters
    ----------
    thresholds, sigma, shared : ndarray (columns, levels)
    reach : float
        No number that is drawn is larger.
    """

    def __init__(self, thresholds: np.ndarray, sigma: np.ndarray, shared: np.ndarray, reach: float) -> None:
        self.reach = reach
        there = np.isfinite(thresholds)
        self.ends = []
        for s in (sigma, shared):
            high = np.max(s, axis=1, where=there, initial=0.0, keepdims=True)
            self.ends.append((np.minimum(np.min(s, axis=1, where=there, initial=np.inf, keepdims=True), high), high))
        # A level that is never reached ends each column.
        end = np.full((len(thresholds), 1), np.inf, thresholds.dtype)
        self.thresholds = np.concatenate([thresholds, end], axis=1).ravel()
        self.sigma, self.shared = (np.concatenate([s, np.zeros_like(end)], axis=1).ravel() for s in (sigma, shared))
        self.width = thresholds.shape[1] + 1

    def codes(
        self,
        x: np.ndarray,
        own: np.ndarray | None,
        ramp: np.ndarray,
        count: Callable[[np.ndarray], np.ndarray],
        decide: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
    ) -> np.ndarray:
        """Codes of pre-activations (columns, sequences).

        Parameters
        ----------
        own : ndarray (columns, sequences) or None
            The comparators' noise; None: each level is a decision of its own, and the first that does not count ends the ramp.
        ramp : ndarray (columns, sequences)
            The noise of the ramp that each column sees.
        count : callable
            Levels below x.
        decide : callable
            Noise of decisions, from their columns, sequences and levels.
        """
        (low, high), (ramp_low, ramp_high) = self.ends
        if own is None:
            reach = x.dtype.type(self.reach) * high
            bounds = [x - reach, x + reach]
        else:
            one, other = own * low, own * high
            bounds = [x - np.maximum(one, other), x - np.minimum(one, other)]
        if np.any(ramp_high):
            one, other = ramp * ramp_low, ramp * ramp_high
            bounds[0] -= np.maximum(one, other)
            bounds[1] -= np.minimum(one, other)
        out, top = count(bounds[0]), bounds[1].ravel()
        code, seen, n = out.ravel(), x.ravel(), x.shape[1]
        place = (code.reshape(x.shape) + self.width * np.arange(len(x))[:, None]).ravel()
        left = np.flatnonzero(self.thresholds.take(place) < top)
        place = place[left]
        noise, common = None if own is None else own.ravel(), ramp.ravel()
        while len(left):
            if noise is None:
                column = left // n
                number = decide(column, left - column * n, code[left]).astype(x.dtype)
            else:
                number = noise[left]
            level = seen[left] - number * self.sigma[place] - common[left] * self.shared[place]
            above = level > self.thresholds[place]
            code[left] += above
            place += 1
            more = self.thresholds[place] < top[left]
            if noise is None:
                more &= above
            left, place = left[more], place[more]
        return out


class Grid:
    """Codes by table: equal cells over the range of the thresholds, each with the code at its start and the levels inside.

    A cell may hold several levels, each of which is compared with x. The cell of a number is found by the same rounded
    arithmetic for levels and inputs, and that is monotonic: a level in an earlier cell is below x, one in a later cell is not.
    So codes are exact.

    Parameters
    ----------
    thresholds : ndarray (columns, levels)
        Not decreasing along a row; may end in infinities.
    """

    def __init__(self, thresholds: np.ndarray, cells: int = GRID_CELLS) -> None:
        columns, levels = thresholds.shape
        self.cells = cells
        finite = np.isfinite(thresholds)
        if not np.all(finite[:, 0]):
            raise InputError("thresholds: a column has no finite level; every converter needs one at least")
        self.low = thresholds[:, :1]
        span = np.max(thresholds, axis=1, where=finite, initial=-np.inf, keepdims=True) - self.low
        with np.errstate(divide="ignore", over="ignore"):
            scale = np.where(span > 0, thresholds.dtype.type(cells) / span, 1)
        self.scale = np.minimum(scale, np.finfo(thresholds.dtype).max).astype(thresholds.dtype)
        cell = np.where(finite, self._cell(np.where(finite, thresholds, self.low)), cells)
        column = np.repeat(np.arange(columns), levels)
        counts = np.zeros((columns, cells + 1), np.int64)
        np.add.at(counts, (column, cell.ravel()), 1)
        before = np.cumsum(counts, axis=1) - counts
        self.before = before[:, :cells].ravel()
        inside = np.full((columns, cells, max(int(counts[:, :cells].max()), 1)), np.inf, thresholds.dtype)
        place = np.tile(np.arange(levels), columns) - before[column, cell.ravel()]
        keep = finite.ravel()
        inside[column[keep], cell.ravel()[keep], place[keep]] = thresholds.ravel()[keep]
        self.inside = [np.ascontiguousarray(inside[:, :, i]).ravel() for i in range(inside.shape[2])]
        self.first = cells * np.arange(columns)[:, None]

    def _cell(self, x: np.ndarray) -> np.ndarray:
        cell = (x - self.low) * self.scale
        # What is no number is above no level.
        np.fmax(cell, 0, out=cell)
        return np.minimum(cell, self.cells - 1, out=cell).astype(np.int64)

    def codes(self, x: np.ndarray) -> np.ndarray:
        """Number of levels below each x, shape (columns, sequences)."""
        place = self._cell(x)
        place += self.first
        out = self.before.take(place)
        for edges in self.inside:
            out += x > edges.take(place)
        return out
