"""The two-stage Miller op-amp of level macro: its elements, and what an integrator around it does to a pulse of charge."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TwoStageOpamp:
    """Elements of ``opamp_macro``, as ``netlists/circuits/opamp_macro.cir`` derives them.

    Attributes
    ----------
    gm1, r1, c1 : float
        Transconductance of the first stage (S), resistance (ohm) and capacitance (F) at the gate of the second.
    gm2, r_o, c_out : float
        Transconductance of the second stage (S), resistance (ohm) and own capacitance (F) of the output.
    c_c, r_z : float
        Miller capacitor (F) and nulling resistor (ohm) between the two.
    i_max : float
        Largest current of the first stage, A.
    """

    gm1: float
    r1: float
    c1: float
    gm2: float
    r_o: float
    c_out: float
    c_c: float
    r_z: float
    i_max: float

    def integrator_modes(self, c_f: float, c_in: float, load: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """Natural modes of an integrator around it, as its summing node shows them, without slew limit.

        Parameters
        ----------
        c_f, c_in : float
            Feedback capacitor, capacitance of the summing node, farads.
        load : float
            Conductance from the summing node to a fixed voltage, siemens.

        Returns
        -------
        rate, weight : ndarray (4,), complex
            1/s and ohm/s: a charge of 1 C into the summing node moves it by ``sum(weight * exp(rate * t))``.
        """
        # Nodes: summing node, output, gate of the second stage, and the voltage across C_c.
        charge = np.array([[c_in + c_f, -c_f, 0, 0], [-c_f, c_f + self.c_out, 0, 0], [0, 0, self.c1, 0], [0, 0, 0, self.c_c]])
        g_z = 1 / self.r_z
        current = np.array(
            [
                [load, 0, 0, 0],
                [0, 1 / self.r_o + g_z, self.gm2 - g_z, g_z],
                [-self.gm1, -g_z, 1 / self.r1 + g_z, -g_z],
                [0, g_z, -g_z, g_z],
            ]
        )
        rate, vectors = np.linalg.eig(np.linalg.solve(charge, -current))
        start = np.linalg.solve(charge, np.array([1.0, 0, 0, 0]))
        return rate, vectors[0] * np.linalg.solve(vectors, start)

    def is_stable(self) -> bool:
        """Whether it is as a follower without load, the hardest of all feedback through a capacitor."""
        # A feedback capacitor that is large against every other one.
        rate, _ = self.integrator_modes(1e3 * (self.c_c + self.c1 + self.c_out), 0.0)
        return bool(rate.real.max() <= 1e-9 * abs(rate).max())


def two_stage_opamp(
    a0: float, gbw: float, slew: float, *, c_c: float, c_g2: float, c_out: float, gm_ratio: float, gain2: float, rz_gm2: float
) -> TwoStageOpamp:
    """Elements of the op-amp that has these figures; parameters as in ``netlists/circuits/opamp_macro.cir``, SI units.

    ``gm1 = 2 pi gbw c_eff``, where ``c_eff / gm1`` is the first-order coefficient of the unloaded op-amp's denominator over a0.
    """
    c_eff = c_c * (1 + 1 / gain2) + c_g2 / gain2 + (c_c + c_out) * gain2 / (gm_ratio * a0)
    gm1 = 2 * math.pi * gbw * c_eff
    gm2 = gm_ratio * gm1
    return TwoStageOpamp(gm1, a0 / (gm1 * gain2), c_g2, gm2, gain2 / gm2, c_out, c_c, rz_gm2 / gm2, slew * c_c)
