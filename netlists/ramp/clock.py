"""The clock of a conversion: when each cell is selected, and when each step is latched."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netlists.technology import RampCircuit

from .cells import CALIBRATION
from .program import RampProgram


@dataclass(frozen=True)
class Timing:
    """Clock of a conversion, seconds.

    Attributes
    ----------
    slot_start, slot_end : ndarray (n_slots,)
    latch : ndarray (n_steps,)
        Latching instant of each ramp step: ``t_aperture`` before the end of its last slot.
    step_start : ndarray (n_steps,)
        Start of each ramp step's first slot.
    stop : float
    """

    slot_start: np.ndarray
    slot_end: np.ndarray
    latch: np.ndarray
    step_start: np.ndarray
    stop: float


def timing(program: RampProgram, circuit: RampCircuit) -> Timing:
    """Clock periods of a program: reset, calibration slots, ramp slots."""
    length = program.slot_width() * circuit.t_pulse + circuit.t_settle
    end = circuit.t_reset + np.cumsum(length)
    start = end - length
    ramp = program.step != CALIBRATION
    first, last = np.full(program.n_steps, program.n_slots), np.zeros(program.n_steps, int)
    np.minimum.at(first, program.step[ramp] - 1, program.slot[ramp])
    np.maximum.at(last, program.step[ramp] - 1, program.slot[ramp])
    return Timing(start, end, end[last] - circuit.t_aperture, start[first], float(end[-1] + circuit.t_edge))


def select_pulses(program: RampProgram, circuit: RampCircuit) -> tuple[np.ndarray, np.ndarray]:
    """Start and end of each cell's select pulse, seconds, shapes (cells,)."""
    start = timing(program, circuit).slot_start[program.slot]
    return start, start + program.width * circuit.t_pulse


def tick_times(program: RampProgram, circuit: RampCircuit) -> np.ndarray:
    """Start and end of every select pulse, seconds, increasing: the times a stepped deck must have a time point at."""
    # Pulses of one slot that end together must not be told apart by rounding.
    return np.unique(np.round(np.concatenate(select_pulses(program, circuit)), 15))
