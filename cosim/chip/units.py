"""What turns the sums of columns into outputs: converters, an activation that is computed, or a ramp without steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cosim.network.cells import Gate

from .converters import NO_KEYS, Converters
from .hardware import quantized_activation

_NO_COUNTERS = np.zeros(0, np.uint32)


@dataclass(frozen=True, eq=False)
class ConvertedColumns:
    """Columns that go through converters."""

    columns: slice
    bank: Converters


@dataclass(frozen=True, eq=False)
class Exact:
    """Columns of one gate whose activation is computed: exactly, or rounded to ``bits``."""

    columns: slice
    gate: Gate
    bits: int | None = None

    def compute(self, z: np.ndarray) -> np.ndarray:
        if self.bits is None:
            return self.gate.exact(z)
        s = z.dtype.type(self.gate.full_scale)
        return s * quantized_activation(self.gate.activation, self.bits, z / s)


@dataclass(frozen=True, eq=False)
class UnquantizedColumns(Exact):
    """Columns whose activation is computed exactly, from what a ramp without steps would make of the pre-activation.

    Attributes
    ----------
    slope, offset : Converters or None
        A sum z is taken for ``slope z + offset``, each a number for every piece between two levels; None: for itself.
    """

    slope: Converters | None = None
    offset: Converters | None = None

    @classmethod
    def through(cls, columns: slice, gate: Gate, levels: np.ndarray, ideal: np.ndarray, dtype: type) -> UnquantizedColumns:
        """A sum at ``levels[j, k]`` is taken for ``ideal[k]``, linearly in between and one to one beyond.

        Parameters
        ----------
        levels : ndarray (columns, thresholds), not decreasing along a row
        ideal : ndarray (thresholds,)
        """
        if np.all(levels == ideal):
            return cls(columns, gate)
        run, ones = np.diff(levels, axis=1), np.ones((len(levels), 1))
        slope = np.divide(np.diff(ideal), run, out=np.zeros(run.shape), where=run > 0)
        slope = np.concatenate([ones, slope, ones], axis=1)
        offset = np.append(ideal, ideal[-1]) - slope * np.concatenate([levels, levels[:, -1:]], axis=1)
        banks = [Converters.build(levels, np.zeros(()), pieces, NO_KEYS, dtype) for pieces in (slope, offset)]
        return cls(columns, gate, None, *banks)

    def compute(self, z: np.ndarray) -> np.ndarray:
        if self.slope is not None and self.offset is not None:
            seen, offset = np.empty_like(z), np.empty_like(z)
            self.slope.convert_compiled(z, seen, _NO_COUNTERS, 0)
            self.offset.convert_compiled(z, offset, _NO_COUNTERS, 0)
            seen *= z
            seen += offset
            z = seen
        return self.gate.exact(z)
