"""A bank of converters, one a column: thresholds, noise and the output value of each code; conversion in NumPy.

Column j latches the number of ramp steps before the first whose level is not below the pre-activation x. On a ramp that dips,
later and lower levels never decide, so the running maximum of the levels gives the same code: the number of levels below x.

Noise is one Gaussian number n a conversion, in units of the rms noise of each threshold: level k counts if ``x > T_k + n sigma_k``.
Noise of a ramp itself is one more number m a conversion of that ramp, which all its columns see: ``x > T_k + n sigma_k + m s_k``.

One number a conversion is right while the noise is well below a step. Beyond `PASSAGE` of a step the comparator decides anew at
each: it draws a number n_k at every step, and the column latches at the first k with ``x <= T_k + n_k sigma_k + m s_k``. A ramp
that starts far below x has many chances to trip early.

`Converters.convert` is the reference; `Converters.convert_compiled` gives the same codes, faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np

from cosim.compiled import numba_fault

from .counting import FEW_LEVELS, Grid, NoisyLevels, count_levels

NO_KEYS = np.zeros((0, 2), np.uint32)
"""Of converters without noise."""
PASSAGE = 0.4
"""Rms noise of a column, as a part of the median step, from which on each step is a decision of its own."""
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
    shared : ndarray (columns, levels) or None
        Rms noise of the ramp that a column compares with.
    ramp_keys : ndarray of uint32 (columns, 2)
        Keys of that noise: columns with the same key see the same.
    passage : bool
        Whether each step is a decision of its own.
    """

    thresholds: np.ndarray
    sigma: np.ndarray | None
    values: np.ndarray
    keys: np.ndarray
    shared: np.ndarray | None = None
    ramp_keys: np.ndarray = field(default_factory=lambda: NO_KEYS)
    passage: bool = False

    @classmethod
    def build(
        cls,
        thresholds: np.ndarray,
        sigma: np.ndarray,
        values: np.ndarray,
        keys: np.ndarray,
        dtype: type,
        *,
        shared: np.ndarray | None = None,
        ramp_key: np.ndarray | None = None,
    ) -> Converters:
        """Converters from levels in the order of the ramp's steps, dips and all.

        Parameters
        ----------
        thresholds : ndarray (columns, levels)
        sigma : ndarray, scalar or (levels,)
        values : ndarray (levels + 1,) or (columns, levels + 1)
        shared : ndarray, scalar or (levels,), or None
            Rms noise of the ramp; with the key of its noise, uint32 (2,).
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
        ramps: np.ndarray | None = None
        ramp_keys = NO_KEYS
        if shared is not None and ramp_key is not None and np.any(shared > 0):
            ramps = np.broadcast_to(shared, (columns, levels))[np.arange(columns)[:, None], leader].astype(dtype)
            ramp_keys = np.repeat(ramp_key[None], columns, axis=0)
        passage = bool(np.max(sigma) > PASSAGE * np.median(np.diff(rising, axis=1))) if levels > 1 else False
        own: np.ndarray | None = None if noise is None else noise.astype(dtype)
        return cls(cast[0], own, cast[1], keys, ramps, ramp_keys, passage)._filled(-levels % MULTIPLE)

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
        shared, ramp_keys = None, NO_KEYS
        if any(b.shared is not None for b in banks):
            shared = np.concatenate([np.zeros_like(b.thresholds) if b.shared is None else b.shared for b in banks])
            ramp_keys = np.concatenate([np.zeros((b.columns, 2), np.uint32) if b.shared is None else b.ramp_keys for b in banks])
        thresholds, values = np.concatenate([b.thresholds for b in banks]), np.concatenate([b.values for b in banks])
        return cls(thresholds, noise, values, keys, shared, ramp_keys, any(b.passage for b in banks))

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
        ramps = None if self.shared is None else np.pad(self.shared, ((0, 0), (0, more)))
        return Converters(t, s, v, self.keys, ramps, self.ramp_keys, self.passage)

    @cached_property
    def _whole(self) -> tuple[np.ndarray, np.ndarray]:
        """Rms noise of the columns and of their ramps, each (columns, levels)."""
        zero = np.zeros_like(self.thresholds)
        return (zero if self.sigma is None else _spread(self.sigma, self.levels)), (zero if self.shared is None else self.shared)

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
        if self.sigma is None and self.shared is None:
            return self._counted(x)
        from . import kernels  # numba is slow to load

        own: np.ndarray | None = None
        if self.sigma is None:
            own = np.zeros_like(x)
        elif not self.passage:
            own = kernels.normals(self.keys, counters, step)[: self.columns].astype(x.dtype)
            if self.shared is None and self.sigma.shape[1] == 1:
                return self._counted(x - own * self.sigma)
        keys, which = self._ramps
        ramp = kernels.normals(keys, counters, step)[::2].astype(x.dtype)[which]
        decide = partial(kernels.decisions, self.keys, counters, step)
        return self._noisy_levels.codes(x, own, ramp, self._counted, decide)

    @cached_property
    def _ramps(self) -> tuple[np.ndarray, np.ndarray]:
        """Keys of the ramps, and which of them each column compares with: columns of one ramp see the same noise, drawn once."""
        if self.shared is None:
            return np.zeros((1, 2), np.uint32), np.zeros(self.columns, np.int64)
        keys, which = np.unique(self.ramp_keys, axis=0, return_inverse=True)
        return keys, which.ravel()

    def _counted(self, x: np.ndarray) -> np.ndarray:
        """Levels below x: of few all are compared with, of many those of a cell."""
        return count_levels(x, self.thresholds) if self.levels <= FEW_LEVELS else self.grid.codes(x)

    @cached_property
    def _noisy_levels(self) -> NoisyLevels:
        from .kernels import REACH  # numba is slow to load

        return NoisyLevels(self.thresholds, *self._whole, float(REACH))

    def convert(self, x: np.ndarray, counters: np.ndarray, step: int) -> np.ndarray:
        """Outputs for pre-activations (columns, sequences), as `codes`."""
        place = self.codes(x, counters, step)
        place += self.values.shape[1] * np.arange(self.columns)[:, None]
        return self.values.take(place)

    def convert_compiled(self, x: np.ndarray, out: np.ndarray, counters: np.ndarray, step: int) -> np.ndarray:
        """The same into ``out``, which may be ``x``; by compiled code, but `convert` where numba cannot be used."""
        if numba_fault():
            out[:] = self.convert(x, counters, step)
            return out
        from . import kernels  # numba is slow to load

        t, s, v = self.thresholds, self.sigma, self.values
        if self.shared is not None or (self.passage and s is not None):
            sigma, shared = self._whole
            ramp_keys = self.ramp_keys if len(self.ramp_keys) else np.zeros((self.columns, 2), np.uint32)
            kernels.convert_by_step(x, t, sigma, shared, v, self.keys, ramp_keys, counters, np.uint32(step), self.passage, out)
        elif s is None:
            kernels.convert(x, t, v, out)
        elif s.shape[1] == 1:
            kernels.convert_noisy(x, t, s, v, self.keys, counters, np.uint32(step), out)
        else:
            kernels.convert_noisy_levels(x, t, s, v, self.keys, counters, np.uint32(step), out)
        return out


def _spread(sigma: np.ndarray, width: int) -> np.ndarray:
    return sigma if sigma.shape[1] == width else np.repeat(sigma, width, axis=1)
