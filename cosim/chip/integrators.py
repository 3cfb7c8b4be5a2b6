"""The integrators under the columns of arrays: what they lose, shift and add to a charge."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from netlists.array import Pwm
from netlists.checks import NonNegative, Ohms, Positive, checked
from netlists.converter import AutoZero, released
from netlists.technology import MEASURED_STATISTICS, RampCircuit

from .circuit_ramps import Time


@checked
@dataclass(frozen=True)
class Integrators:
    """What the op-amps of the columns' integrators take from columns that differ from the mean one, and add to each.

    C_f makes good what the mean column loses. An offset at the summing node drives charge into the column for the whole MAC
    (`cosim.chip.column_effects.offset_outputs`); `measured` are those of the transistors, with auto-zero or without.

    Attributes
    ----------
    settling : float
        1 / (2 pi gbw) of the op-amp, seconds; 0: at once.
    resistance : float
        r_o / a0 of the op-amp, ohm: the current of C_f passes r_o, and the summing node lags by C_f r_o / a0 more.
    inverse_gain : float
        1 / a0 of the op-amp; 0: infinite gain.
    circuit : RampCircuit
    pwm : Pwm
        Times of the pulses; the longest fixes C_f.
    opamp_noise : float
        Rms noise of an op-amp at unity gain, volts: what a column's integrates (`integrator_noise`). What is added at a decision
        belongs to the ramp, as the comparator's.
    heat : float
        Kelvin, of the cells' thermal noise and of the reset's kT/C; 0: none.
    faster : tuple of float
        How many times as fast the op-amps of each matrix are, in the network's order; empty: once.
    offset : float
        Standard deviation, from column to column, of the offset at the summing node, volts.
    common_offset : float
        Offset that all columns have alike, volts: the charge that auto-zero switches leave.
    offset_noise : float
        Rms of what each reset leaves anew at the summing node, volts: noise of the auto-zero capacitor.
    reset_charge, reset_area : float
        What the end of a reset leaves: a charge on C_f, coulombs, and volt-seconds at the summing node, which a column integrates.
    """

    settling: Time = 0.0
    inverse_gain: NonNegative = 0.0
    circuit: RampCircuit = field(default_factory=RampCircuit)
    pwm: Pwm = field(default_factory=Pwm)
    faster: tuple[Positive, ...] = ()
    opamp_noise: NonNegative = 0.0
    heat: NonNegative = 0.0
    resistance: Ohms = 0.0
    offset: NonNegative = 0.0
    common_offset: float = 0.0
    offset_noise: NonNegative = 0.0
    reset_charge: float = 0.0
    reset_area: float = 0.0

    @classmethod
    def measured(
        cls, autozero: AutoZero | None, circuit: RampCircuit | None = None, *, offset: float | None = None, **others: Any
    ) -> Integrators:
        """Op-amps of a circuit, whose offsets auto-zero stores, or integrate where it is None.

        Parameters
        ----------
        offset : float, optional
            Standard deviation of the op-amps' offsets, volts; default that of the SKY130 op-amp.
        others
            Other attributes.
        """
        circuit = circuit or RampCircuit()
        sigma = MEASURED_STATISTICS["opamp_offset_sigma"] if offset is None else offset
        given: dict[str, Any] = {"settling": circuit.opamp_settling, "inverse_gain": 1 / circuit.a0}
        given |= {"resistance": circuit.opamp_resistance} | others
        if autozero is None:
            return cls(circuit=circuit, offset=sigma, reset_charge=circuit.c_inject * circuit.v_dd, **given)
        left = released(circuit, autozero)
        common, spread = autozero.residue(np.zeros(1), circuit)[0], autozero.residue(np.full(1, sigma), circuit)[0]
        return cls(
            circuit=circuit,
            offset=float(spread - common),
            common_offset=float(common),
            offset_noise=autozero.noise,
            reset_charge=left.charge,
            reset_area=left.area,
            **given,
        )

    @property
    def offset_rms(self) -> float:
        """Rms of all offsets at a summing node, volts."""
        return math.hypot(self.offset, self.common_offset, self.offset_noise)

    def with_offset_rms(self, rms: float) -> Integrators:
        """The same with all offsets, and what the reset leaves, scaled to an rms, volts."""
        factor = rms / self.offset_rms if self.offset_rms else 0.0
        names = ("offset", "common_offset", "offset_noise", "reset_charge", "reset_area")
        return replace(self, **{name: factor * getattr(self, name) for name in names})

    @property
    def shifting(self) -> bool:
        """Whether columns are shifted at all."""
        return any((self.offset, self.common_offset, self.reset_charge, self.reset_area))
