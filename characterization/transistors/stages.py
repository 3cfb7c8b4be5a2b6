"""The two stages of the transistor-level OTA as the op-amp of level macro has them: from ``.op``, and a fit to ``.ac``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from characterization.compact import fit_curve, fitted
from netlists.technology import Conditions, TwoStageOpamp
from netlists.testbench import R_Z, run_bench, stages_deck

from .conditions import FiguresAt

FEEDBACK = (7e-12, 14e-12)
"""Feedback capacitors of the integrators whose summing nodes are measured, farads: a MAC column's and a ramp's."""
C_IN = 100e-15
"""Capacitance on the summing node that level macro has too, farads; what the OTA's input adds goes into the fit."""


@dataclass(frozen=True)
class StageFigures(FiguresAt):
    """Stages of the OTA at analog ground, without load."""

    gm1: Annotated[float, "transconductance of an input transistor, .op, S"]
    gm2: Annotated[float, "transconductance of the second stage, .op, S"]
    gm_ratio: Annotated[float, "gm2 / gm1"]
    gain2: Annotated[float, "gm2 times the output resistance, .op"]
    rz_gm2: Annotated[float, "nulling resistor times gm2"]
    c_c: Annotated[float, "Miller capacitance, F: fit"]
    c_g2: Annotated[float, "capacitance at the gate of the second stage, F: fit"]
    c_out: Annotated[float, "output capacitance, F: fit"]
    impedance_error: Annotated[float, "rms relative error of the summing node's fitted impedance, 1 to 100 MHz"]


def measure_stages(conditions: Conditions | None = None) -> StageFigures:
    """Measures the stages in one ngspice run.

    The three capacitances are those with which an integrator around `TwoStageOpamp` shows the impedance at its summing node
    that the transistors show, 1 to 100 MHz: what a cell sees while it conducts.

    Raises
    ------
    SimulationError, InputError
        If ngspice fails or the impedance does not determine the capacitances.
    """
    at = conditions or Conditions()
    run = run_bench(stages_deck(at, FEEDBACK), ["op", "ac"])
    gm1, gds2, gds4, gm2, gds6, gds7 = run["op"][0, 1:].tolist()
    r1, r_o = 1 / (gds2 + gds4), 1 / (gds6 + gds7)
    frequency = run["ac"][:, 0]
    measured = np.concatenate([run["ac"][:, 1 + 2 * k] + 1j * run["ac"][:, 2 + 2 * k] for k in range(len(FEEDBACK))])

    def impedance_ratio(_: np.ndarray, c_c: float, c_g2: float, c_out: float) -> np.ndarray:
        opamp = TwoStageOpamp(gm1, r1, c_g2 * 1e-12, gm2, r_o, c_out * 1e-12, c_c * 1e-12, R_Z, np.inf)
        ratio = np.concatenate([summing_node_impedance(opamp, frequency, c_f) for c_f in FEEDBACK]) / measured - 1
        return np.concatenate([ratio.real, ratio.imag])

    zeros = np.zeros(2 * len(measured))
    fit = fit_curve(impedance_ratio, zeros, zeros, {"c_c": 1.0, "c_g2": 1.3, "c_out": 0.3}, positive=("c_c", "c_g2", "c_out"))
    c_c, c_g2, c_out = (1e-12 * found.value for found in fitted(fit, dict.fromkeys(("c_c", "c_g2", "c_out"), "pF")).values())
    error = float(np.sqrt(np.mean(np.square(fit.residual)) * 2))
    return StageFigures.at(at, gm1, gm2, gm2 / gm1, gm2 * r_o, gm2 * R_Z, c_c, c_g2, c_out, error)


def summing_node_impedance(opamp: TwoStageOpamp, frequency: np.ndarray, c_f: float, c_in: float = C_IN) -> np.ndarray:
    """Impedance at an integrator's summing node, ohm, complex (n,), at ``frequency`` (n,), hertz; capacitances in farads."""
    rate, weight = opamp.integrator_modes(c_f, c_in)
    return np.sum(weight / (2j * np.pi * frequency[:, None] - rate), axis=1)
