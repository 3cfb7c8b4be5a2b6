"""Pulse-width modulated inputs: from signed codes to pulses on pairs of crossbar rows.

An input is a sign and a magnitude: a code of n bits runs from -(2**(n-1) - 1) to 2**(n-1) - 1. The magnitude is the length
of a pulse in unit times, the sign is the polarity of the drive: each input has a pair of rows (`pairs`,
layout ``rows``); a positive input takes the row of the positive cells to V_cm - v_read and the row of the negative cells
to V_cm + v_read (the integrator inverts, so V_mac rises), a negative input the other way round. At rest both rows are at
V_cm, held by their drivers: the array stays linear and time-invariant, and its reduced network exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt

from netlists.checks import Array, Positive, PwmBits, Seconds, Whole, check, checked
from netlists.errors import InputError
from netlists.spice import pulses


@checked
@dataclass(frozen=True)
class Pwm:
    """Pulse-width modulation: how inputs become pulses.

    Attributes
    ----------
    n_in : int
        Bits of an input, sign included, 2..12.
    t_unit : float
        Pulse length of one code, seconds. Assumption: with the measured op-amp (136 MHz) a column of 72 inputs at
        100-400 uS loses a quarter of its charge at worst before C_f makes it good (`Tile.feedback_capacitance`).
    t_gap : float
        Rest after the longest pulse of a period, seconds: the integrators settle. Assumption.
    periods : int
        PWM periods of a conversion; every one repeats the inputs.
    """

    n_in: PwmBits = 5
    t_unit: Seconds = 40e-9
    t_gap: Seconds = 20e-9
    periods: Annotated[int, Whole(1, 1024)] = 1

    @property
    def max_code(self) -> int:
        """Largest code, ``2**(n_in - 1) - 1``."""
        return 2 ** (self.n_in - 1) - 1

    @property
    def period(self) -> float:
        """Longest pulse and rest, seconds."""
        return self.max_code * self.t_unit + self.t_gap

    @property
    def duration(self) -> float:
        """All periods, seconds."""
        return self.periods * self.period

    def check_codes(self, codes: npt.ArrayLike, n_inputs: int) -> np.ndarray:
        """Input codes as an int array of shape (..., n_inputs).

        Raises
        ------
        InputError
            Shape, a value that is not a whole number, or one out of range, named by input.
        """
        limits = Array((..., n_inputs), -self.max_code, self.max_code, whole=True, why=f"n_in={self.n_in} bits")
        return check(limits, codes, "inputs")

    def encode(self, values: npt.ArrayLike, value_max: float) -> np.ndarray:
        """Nearest codes of real inputs, ``value_max`` standing for the largest code; beyond it they are clipped."""
        share = check(Array(), values, "values") / check(Positive, value_max, "value_max")
        return np.clip(np.rint(share * self.max_code), -self.max_code, self.max_code).astype(int)

    def pulse_time(self, codes: npt.ArrayLike) -> np.ndarray:
        """Signed pulse length of each code, all periods together, seconds."""
        return np.asarray(codes) * (self.periods * self.t_unit)

    def pulse_middle(self, codes: npt.ArrayLike) -> np.ndarray:
        """Mean time of the middle of a code's pulses after the first period's start, seconds."""
        return 0.5 * np.abs(np.asarray(codes)) * self.t_unit + 0.5 * (self.periods - 1) * self.period

    def breakpoints(self, code: int, start: float, height: float, edge: float) -> tuple[np.ndarray, np.ndarray]:
        """Breakpoints (times, volts) of one code's pulse line, for `waveforms.pwl`.

        Every pulse begins with its period and rises and falls within ``edge``; its area is exactly
        ``height * |code| * t_unit``. A code of 0 has the one breakpoint (0, 0).

        Raises
        ------
        InputError
            If an edge is not shorter than half a unit time.
        """
        if 2 * edge > self.t_unit:
            raise InputError(f"t_unit={self.t_unit:g} s: must be at least two edges long, 2 t_edge = {2 * edge:g} s")
        if code == 0:
            return np.zeros(1), np.zeros(1)
        begin = start + self.period * np.arange(self.periods)
        return pulses(begin, begin + abs(int(code)) * self.t_unit, np.full(self.periods, height), edge)
