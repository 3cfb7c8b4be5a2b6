"""Sequences of different lengths as rows: one row for each sequence and step, step after step, no row for padding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cosim.tasks import by_length


@dataclass(frozen=True, eq=False)
class Packing:
    """Which rows belong to which step, for sequences ordered by falling length.

    Attributes
    ----------
    active : ndarray of int (steps,)
        Sequences that run at each step, not increasing: the first so many.
    """

    active: np.ndarray

    @classmethod
    def of_lengths(cls, lengths: np.ndarray) -> tuple[np.ndarray, Packing]:
        """The order by falling length, and the packing of sequences in that order."""
        order, active = by_length(lengths)
        return order, cls(active)

    @cached_property
    def starts(self) -> np.ndarray:
        """First row of each step."""
        return np.cumsum(self.active) - self.active

    @cached_property
    def sequences(self) -> int:
        return int(self.active[0])

    @cached_property
    def total(self) -> int:
        """Rows of all steps."""
        return int(self.active.sum())

    def steps(self, *, backward: bool) -> Iterator[tuple[int, slice, int]]:
        """Number, rows and sequences of each step, from the first to the last or the other way round."""
        t = range(len(self.active))
        for i in reversed(t) if backward else t:
            n, start = int(self.active[i]), int(self.starts[i])
            yield i, slice(start, start + n), n

    @cached_property
    def last_rows(self) -> np.ndarray:
        """Row of each sequence's last step."""
        lengths = np.sum(self.active[:, None] > np.arange(self.sequences), axis=0)
        return self.starts[lengths - 1] + np.arange(self.sequences)

    def pack(self, padded: np.ndarray) -> np.ndarray:
        """Rows (total, features) of padded sequences (sequences, steps, features), which are in the packing's order."""
        steps = len(self.active)
        by_step = padded[:, :steps].transpose(1, 0, 2)
        if self.active[-1] == self.sequences:
            return by_step.reshape(-1, padded.shape[2])
        return by_step[np.arange(self.sequences) < self.active[:, None]]
