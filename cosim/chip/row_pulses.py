"""Pulses on the rows, counted: how many rows are driven, and for how long."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock

import numpy as np

from netlists.checks import Share, checked


@checked
@dataclass(frozen=True)
class RowPulses:
    """What drives the rows of a matrix at a step, on average.

    Attributes
    ----------
    driven : float
        Part of the rows that are driven at all.
    width : float
        Mean pulse of all rows, as a part of the longest pulse of an input; differences reach twice that.
    delta : bool
        Whether pulses are differences from what a row was last driven with.
    """

    driven: Share
    width: Share
    delta: bool = False


@dataclass
class PulseCount:
    """Pulses on the rows of every matrix, added up while sequences run.

    Attributes
    ----------
    tallies : dict of (matrix, part) to list of float
        Rows times steps, those that were driven, and the sum of their pulses. Matrices are named ``layer.direction.matrix``.
    """

    tallies: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def add(self, matrix: str, part: str, pulses: np.ndarray, full_scale: float) -> None:
        """Counts the pulses (rows, sequences) of a step."""
        found = (float(pulses.size), float(np.count_nonzero(pulses)), float(np.abs(pulses).sum(dtype=np.float64)) / full_scale)
        with self._lock:
            tally = self.tallies.setdefault((matrix, part), [0.0, 0.0, 0.0])
            for i, value in enumerate(found):
                tally[i] += value

    def shares(self) -> list[dict[str, str | float]]:
        """For each matrix and part: the share of rows driven at a step, and the mean pulse as a part of the longest."""
        return [
            {"matrix": matrix, "part": part, "driven": driven / total, "width": width / total}
            for (matrix, part), (total, driven, width) in self.tallies.items()
        ]

    def of(self, matrix: str, *, delta: bool) -> RowPulses:
        """All rows of a matrix together, its bias included."""
        total, driven, width = np.sum([t for (m, _), t in self.tallies.items() if m == matrix], axis=0)
        return RowPulses(float(driven / total), float(min(width / total, 1.0)), delta)
