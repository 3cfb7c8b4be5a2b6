"""Columns without quantisation: the activation of what a ramp with errors, but without steps, makes of a pre-activation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cosim.chip import NO_KEYS, Converters, Exact
from cosim.network.cells import Gate

_NO_COUNTERS = np.zeros(0, np.uint32)


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
        """A sum at ``levels[k]`` is taken for ``ideal[k]``, linearly in between and one to one beyond; shapes (thresholds,)."""
        if np.array_equal(levels, ideal):
            return cls(columns, gate)
        run = np.diff(levels)
        slope = np.concatenate([[1.0], np.divide(np.diff(ideal), run, out=np.zeros(len(run)), where=run > 0), [1.0]])
        ends = np.append(levels, levels[-1]), np.append(ideal, ideal[-1])
        offset = ends[1] - slope * ends[0]
        width = columns.stop - columns.start
        banks = [
            Converters.build(np.repeat(levels[None], width, axis=0), np.zeros(()), pieces, NO_KEYS, dtype)
            for pieces in (slope, offset)
        ]
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
