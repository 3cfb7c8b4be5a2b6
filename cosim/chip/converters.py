"""A bank of converters, one a column: thresholds, noise and the output value of each code; conversion in NumPy.

Column j latches the number of ramp steps before the first whose level is not below the pre-activation x. On a ramp that dips,
later and lower levels never decide, so the running maximum of the levels gives the same code: the number of levels below x.

Noise is one Gaussian number n a conversion, in units of the rms noise of each threshold: level k counts if ``x > T_k + n sigma_k``.

`Converters.convert` is the reference; `Converters.convert_compiled` gives the same codes, faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from netlists.errors import InputError

NO_KEYS = np.zeros((0, 2), np.uint32)
"""Of converters without noise."""
GRID_CELLS = 512
MULTIPLE = 8
"""Levels are filled up with infinity to a multiple of this, so that compares can be unrolled."""


def ramp_codes(thresholds: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Number of ramp steps before the first whose level reaches ``x``.

    Parameters
    ----------
    thresholds : ndarray (levels,), in the order of the ramp's steps, increasing or not
    x : ndarray, any shape

    Returns
    -------
    ndarray of int, shape of x, 0..levels
    """
    return np.searchsorted(np.maximum.accumulate(thresholds), x, side="left")


@dataclass(frozen=True, eq=False)
class Converters:
    """Converters of a number of columns on one chip.

    Attributes
    ----------
    thresholds : ndarray (columns, levels)
        Not decreasing along a row; rows with fewer levels are filled up with infinity.
    sigma : ndarray (columns, 1), (columns, levels) or None
        Rms noise of a conversion: one for all thresholds of a column, or one for each; None: no noise.
    values : ndarray (columns, levels + 1)
        Output of each code.
    keys : ndarray of uint32 (ceil(columns / 2), 2)
        Keys of the noise, one for each two columns.
    """

    thresholds: np.ndarray
    sigma: np.ndarray | None
    values: np.ndarray
    keys: np.ndarray

    @classmethod
    def build(cls, thresholds: np.ndarray, sigma: np.ndarray, values: np.ndarray, keys: np.ndarray, dtype: type) -> Converters:
        """Converters from levels in the order of the ramp's steps, dips and all.

        Parameters
        ----------
        thresholds : ndarray (columns, levels)
        sigma : ndarray, scalar or (levels,)
        values : ndarray (levels + 1,) or (columns, levels + 1)
        """
        columns, levels = thresholds.shape
        rising = np.maximum.accumulate(thresholds, axis=1)
        # Where a ramp dips, the level that decides is the earlier, higher one, and so is its noise.
        leader = np.maximum.accumulate(np.where(rising == thresholds, np.arange(levels), 0), axis=1)
        noise: np.ndarray | None = None
        if np.any(sigma > 0):
            uniform = sigma.ndim == 0 or np.ptp(sigma) == 0
            noise = np.full((columns, 1), sigma.flat[0]) if uniform else sigma[leader]
        cast: list[np.ndarray] = [np.ascontiguousarray(a, dtype) for a in (rising, np.broadcast_to(values, (columns, levels + 1)))]
        return cls(cast[0], None if noise is None else noise.astype(dtype), cast[1], keys)._filled(-levels % MULTIPLE)

    @classmethod
    def join(cls, banks: Sequence[Converters], keys: np.ndarray) -> Converters:
        """One bank from several, whose columns follow each other."""
        levels = max(b.levels for b in banks)
        banks = [b._filled(levels - b.levels) for b in banks]
        noise: np.ndarray | None = None
        if any(b.sigma is not None for b in banks):
            widths = {1 if b.sigma is None else b.sigma.shape[1] for b in banks}
            width = max(widths)
            noise = np.concatenate(
                [np.zeros((b.columns, width), b.thresholds.dtype) if b.sigma is None else _spread(b.sigma, width) for b in banks]
            )
        return cls(np.concatenate([b.thresholds for b in banks]), noise, np.concatenate([b.values for b in banks]), keys)

    @property
    def columns(self) -> int:
        return len(self.thresholds)

    @property
    def levels(self) -> int:
        """Levels of a row, those at infinity included."""
        return self.thresholds.shape[1]

    def _filled(self, more: int) -> Converters:
        """The same converters with ``more`` levels that are never reached."""
        if more == 0:
            return self
        t = np.pad(self.thresholds, ((0, 0), (0, more)), constant_values=np.inf)
        v = np.pad(self.values, ((0, 0), (0, more)), mode="edge")
        s = self.sigma
        if s is not None and s.shape[1] > 1:
            s = np.pad(s, ((0, 0), (0, more)))
        return Converters(t, s, v, self.keys)

    @cached_property
    def grid(self) -> Grid:
        return Grid(self.thresholds)

    def codes(self, x: np.ndarray, counters: np.ndarray, step: int) -> np.ndarray:
        """Codes of pre-activations (columns, sequences): the reference.

        Parameters
        ----------
        counters : ndarray of uint32 (sequences,)
            Which sequence each is, and ``step`` when: the counter of the noise.
        """
        if self.sigma is None:
            return self.grid.codes(x)
        from . import kernels  # numba is slow to load

        noise = kernels.normals(self.keys, counters, step)[: self.columns].astype(x.dtype)
        if self.sigma.shape[1] == 1:
            return self.grid.codes(x - noise * self.sigma)
        out = np.zeros(x.shape, np.int64)
        for k in range(self.levels):
            out += x - noise * self.sigma[:, k : k + 1] > self.thresholds[:, k : k + 1]
        return out

    def convert(self, x: np.ndarray, counters: np.ndarray, step: int) -> np.ndarray:
        """Outputs for pre-activations (columns, sequences), as `codes`."""
        return np.take_along_axis(self.values, self.codes(x, counters, step), axis=1)

    def convert_compiled(self, x: np.ndarray, out: np.ndarray, counters: np.ndarray, step: int) -> np.ndarray:
        """The same into ``out``, which may be ``x``."""
        from . import kernels  # numba is slow to load

        t, s, v = self.thresholds, self.sigma, self.values
        if s is None:
            kernels.convert(x, t, v, out)
        elif s.shape[1] == 1:
            kernels.convert_noisy(x, t, s, v, self.keys, counters, np.uint32(step), out)
        else:
            kernels.convert_noisy_levels(x, t, s, v, self.keys, counters, np.uint32(step), out)
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
        self.before = before[:, :cells]
        inside = np.full((columns, cells, max(int(counts[:, :cells].max()), 1)), np.inf, thresholds.dtype)
        place = np.tile(np.arange(levels), columns) - before[column, cell.ravel()]
        keep = finite.ravel()
        inside[column[keep], cell.ravel()[keep], place[keep]] = thresholds.ravel()[keep]
        self.inside = inside

    def _cell(self, x: np.ndarray) -> np.ndarray:
        return np.clip((x - self.low) * self.scale, 0, self.cells - 1).astype(np.int64)

    def codes(self, x: np.ndarray) -> np.ndarray:
        """Number of levels below each x, shape (columns, sequences)."""
        cell = self._cell(x)
        column = np.arange(len(x))[:, None]
        out = self.before[column, cell]
        edges = self.inside[column, cell]
        for i in range(edges.shape[2]):
            out += x > edges[:, :, i]
        return out


def _spread(sigma: np.ndarray, width: int) -> np.ndarray:
    return sigma if sigma.shape[1] == width else np.repeat(sigma, width, axis=1)
