"""Auto-zero of the columns' integrators: the op-amp's offset is stored on a capacitor while the integrator is reset.

While the hold switch of a column is closed its op-amp drives ``v_os S`` into the column's conductance S, for the whole MAC: the
output is off by ``v_os (1 + S T / C_f)``, tens of times as much. In reset, clock ``az`` puts the op-amp into unity gain and the
capacitor c_az, between summing node and input, takes the offset; ``az`` falls, then the reset ends. Left are the charge that the
switch of c_az leaves on it, ``v_os / a0``, what the end of the reset moves (`netlists.converter.release`), and the capacitor's
noise ``sqrt(k T / c_az)``, another one in each conversion
(input offset storage: B. Razavi and B. A. Wooley, IEEE JSSC 27, 1992, 1916-1926).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from netlists.check_rules import Number
from netlists.checks import Seconds, checked
from netlists.technology import RampCircuit

BOLTZMANN = 1.380649e-23
KELVIN = 300.15
"""Temperature at which the macro-models' defaults were measured."""

Farads = Annotated[float, Number(0, unit="F")]
Above = Annotated[float, Number(above=0, unit="F")]


@checked
@dataclass(frozen=True)
class AutoZero:
    """How a column's integrator stores its offset; the defaults of what the macro-model takes were measured at level ``sky130``
    (`characterization.transistors.measure_autozero`, 16 integrators with mismatch).

    Attributes
    ----------
    c_az : float
        Auto-zero capacitor, farads. Assumption: an eighth of C_f, and a noise of 20 uV.
    t_guard : float
        From the end of the auto-zero to the end of the reset, seconds. Assumption.
    r_az : float
        On-resistance of its switch, ohm (level macro).
    c_inject : float
        Gate-to-channel capacitance of that switch, farads (level macro): leaves ``c_inject v_dd / c_az`` of an offset.
    c_reset, c_far : float
        Net gate-to-channel capacitances of the reset switches at the summing node and at the far plate of C_f, farads (level
        macro); `netlists.converter.release` has what they leave.
    c_gate : float
        Input capacitance of the op-amp, farads (level macro): c_az and it divide the op-amp's gain.
    """

    c_az: Above = 10e-12
    t_guard: Seconds = 2e-9
    r_az: Annotated[float, Number(above=0, unit="ohm")] = 4.3e3
    c_inject: Farads = 0.134e-15
    c_reset: Farads = 11.6e-15
    c_far: Farads = 17.4e-15
    c_gate: Farads = 69e-15

    @property
    def gain(self) -> float:
        """Part of the summing node's voltage that the op-amp sees."""
        return self.c_az / (self.c_az + self.c_gate)

    def residue(self, offset: np.ndarray, circuit: RampCircuit) -> np.ndarray:
        """What is left of op-amps' offsets at the summing nodes, volts, noise not counted."""
        return offset / (1 + circuit.a0) + self.c_inject * circuit.v_dd / self.c_az

    @property
    def noise(self) -> float:
        """Rms noise that a reset leaves on the capacitor, volts."""
        return math.sqrt(BOLTZMANN * KELVIN / self.c_az)
