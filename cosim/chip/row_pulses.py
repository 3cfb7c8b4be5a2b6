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

    def beside(self, other: PulseCount) -> list[dict[str, str | float]]:
        """`shares` with those of ``other`` as ``driven_before`` and ``width_before``."""
        known = {(s["matrix"], s["part"]): s for s in other.shares()}
        return [s | {f"{n}_before": known[s["matrix"], s["part"]][n] for n in ("driven", "width")} for s in self.shares()]

    def of(self, matrix: str, *, delta: bool) -> RowPulses:
        """All rows of a matrix together, its bias included."""
        total, driven, width = np.sum([t for (m, _), t in self.tallies.items() if m == matrix], axis=0)
        return RowPulses(float(driven / total), float(min(width / total, 1.0)), delta)


@dataclass(frozen=True, eq=False)
class RowsDriven:
    """Pulses on the rows, counted over a test set: without delta inputs, and with them."""

    before: PulseCount
    after: PulseCount

    def report(self) -> list[str]:
        """Lines for reading."""
        return [
            f"{s['matrix']} {s['part']}: {100 * float(s['driven']):.1f} % of the rows driven at a step, "
            f"{100 * float(s['driven_before']):.1f} % without delta; mean pulse {float(s['width']):.4f} of the longest, "
            f"{float(s['width_before']):.4f} without"
            for s in self.after.beside(self.before)
        ]
