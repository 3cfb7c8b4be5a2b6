"""A converter as data: what runs (program), on what (circuit), made of what (blocks)."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from netlists.checks import checked
from netlists.errors import InputError
from netlists.ramp import RampProgram, Timing, select_pulses, timing
from netlists.technology import RampCircuit

from .blocks import MACRO, Blocks


@checked
@dataclass(frozen=True, eq=False)
class Converter:
    """A ramp program, the circuit that runs it and the blocks in it.

    Attributes
    ----------
    program : RampProgram
    circuit : RampCircuit
    blocks : Blocks
        Which block stands in each place.
    """

    program: RampProgram
    circuit: RampCircuit = field(default_factory=RampCircuit)
    blocks: Blocks = MACRO

    def __str__(self) -> str:
        return f"ramp converter, {self.program.activation}, {self.program.bits} bits, level {self.blocks.level}"

    @cached_property
    def clock(self) -> Timing:
        return timing(self.program, self.circuit)

    @cached_property
    def select(self) -> tuple[np.ndarray, np.ndarray]:
        """`select_pulses`; raises `InputError` if one is too short for its edges."""
        start, stop = select_pulses(self.program, self.circuit)
        if np.any(stop - start < 2 * self.circuit.t_edge):
            raise InputError(
                f"t_edge={self.circuit.t_edge:g} s: the shortest select pulse, {np.min(stop - start):g} s, must be at least twice "
                "as long"
            )
        return start, stop

    @property
    def stop(self) -> float:
        """Time at which the last counter has counted, seconds."""
        return self.clock.stop + 2 * count_time(self.circuit)


def count_time(circuit: RampCircuit) -> float:
    """Length of a count pulse, seconds."""
    return circuit.t_settle / 4
