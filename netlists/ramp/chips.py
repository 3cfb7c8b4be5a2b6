"""The drawn values of the chips that share a deck: cells, offsets, noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netlists.checks import Array, check

from .program import RampProgram


@dataclass(frozen=True)
class Chips:
    """The drawn values of n chips; what a Monte Carlo sample changes in the deck.

    Attributes
    ----------
    conductance : ndarray (n, cells)
        Siemens, in the order of ``RampProgram.conductance``.
    opamp_offset, comparator_offset : ndarray (n,)
        Volts, added to those of the `RampCircuit`.
    comparator_noise : ndarray (n, n_steps) or None
        Input-referred noise voltage of the decision at each ramp step, volts.
    """

    conductance: np.ndarray
    opamp_offset: np.ndarray
    comparator_offset: np.ndarray
    comparator_noise: np.ndarray | None = None

    @classmethod
    def nominal(cls, program: RampProgram, n: int = 1) -> Chips:
        """``n`` chips that are exactly as programmed."""
        return cls(np.tile(program.conductance, (n, 1)), np.zeros(n), np.zeros(n))

    def repeated(self, times: int) -> Chips:
        """Each chip ``times`` times, one after the other."""
        noise = None if self.comparator_noise is None else np.repeat(self.comparator_noise, times, axis=0)
        conductance, opamp, comparator = (
            np.repeat(a, times, axis=0) for a in (self.conductance, self.opamp_offset, self.comparator_offset)
        )
        return Chips(conductance, opamp, comparator, noise)

    def __len__(self) -> int:
        return len(self.conductance)

    def check(self, program: RampProgram) -> None:
        """Raises `InputError` naming the array that has the wrong shape or a value that is not possible."""
        n = len(self)
        shapes = {"conductance": (n, program.n_cells), "opamp_offset": (n,), "comparator_offset": (n,)}
        if self.comparator_noise is not None:
            shapes["comparator_noise"] = (n, program.n_steps)
        for name, shape in shapes.items():
            check(Array(shape, above=0, unit="S") if name == "conductance" else Array(shape, unit="V"), getattr(self, name), name)
