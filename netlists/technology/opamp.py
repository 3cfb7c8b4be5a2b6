"""The two-stage Miller op-amp of level macro: its elements, and what an integrator around it does to a pulse of charge."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from netlists.checks import NonNegative, Number, Positive, Volts, checked


@checked
@dataclass(frozen=True)
class TwoStageOpamp:
    """Elements of a two-stage op-amp with Miller compensation: of ``netlists/circuits/opamp_macro.cir``, as it derives them, or of
    one that was measured. Its output swing is not limited.

    Attributes
    ----------
    gm1, r1, c1 : float
        Transconductance of the first stage (S), resistance (ohm) and capacitance (F) at the gate of the second.
    gm2, r_o, c_out : float
        Transconductance of the second stage (S), resistance (ohm) and own capacitance (F) of the output.
    c_c, r_z : float
        Miller capacitor (F) and nulling resistor (ohm) between the two.
    i_1 : float
        Largest current of the first stage, A.
    offset : float
        Input offset, V; adds to the non-inverting input.
    """

    gm1: Positive
    r1: Positive
    c1: Positive
    gm2: Positive
    r_o: Positive
    c_out: NonNegative
    c_c: Positive
    r_z: Positive
    i_1: Annotated[float, Number(above=0, endless=True, unit="A")]
    offset: Volts = 0.0

    def text(self, name: str) -> str:
        """The SPICE text of its subcircuit, ports ``inp inn out com``."""
        drive = f"{self.gm1 / self.i_1!r}*(v(inp)-v(inn)+{self.offset!r})"
        cards = [
            f".subckt {name} inp inn out com",
            f"b1 d2 com i={self.i_1!r}*tanh({drive})",
            f"r1 d2 com {self.r1!r}",
            f"c1 d2 com {self.c1!r}",
            f"rz d2 z {self.r_z!r}",
            f"cc z out {self.c_c!r}",
            f"g2 out com d2 com {self.gm2!r}",
            f"ro out com {self.r_o!r}",
            f"co out com {self.c_out!r}",
            f".ends {name}",
        ]
        return "\n".join(cards) + "\n"

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
    """Elements of the op-amp that has these figures; parameters as in ``netlists/circuits/opamp_macro.cir``, SI units."""
    stages = {"c_c": c_c, "c_g2": c_g2, "c_out": c_out, "gm_ratio": gm_ratio, "gain2": gain2, "rz_gm2": rz_gm2}
    return TwoStageOpamp(**two_stage_elements(a0, gbw, slew, **stages))


def two_stage_elements(
    a0: float, gbw: float, slew: float, *, c_c: float, c_g2: float, c_out: float, gm_ratio: float, gain2: float, rz_gm2: float
) -> dict[str, float]:
    """Fields of the `TwoStageOpamp` with these figures, also of complex ones.

    ``gm1 = 2 pi gbw c_eff``, where ``c_eff / gm1`` is the first-order coefficient of the unloaded op-amp's denominator over a0.
    """
    c_eff = c_c * (1 + 1 / gain2) + c_g2 / gain2 + (c_c + c_out) * gain2 / (gm_ratio * a0)
    gm1 = 2 * math.pi * gbw * c_eff
    gm2 = gm_ratio * gm1
    first = {"gm1": gm1, "r1": a0 / (gm1 * gain2), "c1": c_g2, "i_1": slew * c_c, "c_c": c_c}
    return first | {"gm2": gm2, "r_o": gain2 / gm2, "c_out": c_out, "r_z": rz_gm2 / gm2, "offset": 0.0}
