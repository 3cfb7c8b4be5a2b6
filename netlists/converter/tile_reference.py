"""The tile in closed form: V_mac and codes from the exact transfer matrix, for many input vectors at once.

With its rows held by their drivers the array is a linear network that does not change in time, so that charges obey the
same equations as currents. For each column, with phi the time integral of its summing node over the MAC,

    charge into C_f:   -(C_f + (C_f + C_in)/a0) dV = [B Phi - L phi]        B, L: array behind the hold switches
    op-amp:            phi = v_os T - dV / (2 pi gbw) - C_f dV r_o / a0 - integral(V) / a0

Phi is the volt-seconds of the rows, B the transfer matrix, L the columns' own conductances. Exact but for the integral of V,
which a0 divides (taken of the answer without it), for slewing, and for the charge of the hold switch. With auto-zero the op-amp
sees ``c_az / (c_az + c_gate)`` of the summing node, v_os is the residue, and the end of the reset leaves a charge on C_f and
volt-seconds in phi (`netlists.converter.release`). An early charge leaks longer than a late one: V_mac is a line of the charge
and of its first moment.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from netlists.array import Pwm
from netlists.checks import check
from netlists.ramp import transition_levels
from netlists.technology import check_level

from .release import released
from .tile import ArrayModel, Tile

IDEAL_GAIN = 1e6
"""Gain of the amplifier in ``integrator_ideal``."""


@dataclass(frozen=True, eq=False)
class TileResult:
    """Held voltages and codes that a tile makes of input vectors.

    Attributes
    ----------
    v_mac : ndarray (..., k)
        Held integrator outputs of the chosen columns, volts.
    code : ndarray of int (..., k)
    """

    v_mac: np.ndarray
    code: np.ndarray


def predict(tile: Tile, inputs: npt.ArrayLike, *, level: str = "macro", array: str = "reduced") -> TileResult:
    """V_mac and codes of all columns for input codes of shape (..., inputs).

    At level ``sky130`` it takes the macro-model's parameters.

    Raises
    ------
    InputError
        Inputs, level or array that cannot be.
    """
    v_mac = mac_voltages(tile, inputs, level=level, array=array)
    return TileResult(v_mac, codes(tile, v_mac, level=level))


@dataclass(frozen=True, eq=False)
class MacResponse:
    """Held integrator outputs of a tile as a function of its inputs.

    Attributes
    ----------
    pwm : Pwm
    opened : float
        From the start of the pulses to the end of the MAC, seconds.
    rest : ndarray (C,)
        Outputs without any pulse, volts.
    charge, moment : ndarray (inputs, C)
        What a pulse adds, for each second that it lasts, and for each second times those from its middle to the end.
    """

    pwm: Pwm
    opened: float
    rest: np.ndarray
    charge: np.ndarray
    moment: np.ndarray

    def volts(self, codes: np.ndarray) -> np.ndarray:
        """Held outputs (..., C) for input codes (..., inputs)."""
        lasts = self.pwm.pulse_time(codes)
        before = self.opened - self.pwm.pulse_middle(codes)
        return self.rest + lasts @ self.charge + (lasts * before) @ self.moment


def mac_response(tile: Tile, *, level: str = "macro", array: str = "reduced") -> MacResponse:
    """The closed form of a tile's integrators."""
    check_level(level)
    check(ArrayModel, array, "array")
    circuit, rows = tile.circuit, tile.crossbar.rows
    closed, start_time, opened = tile.mac_window()
    w = tile.solver(array).port_conductance
    own = np.diag(w[rows:].sum(axis=1)) - w[rows:, rows:]
    behind = np.eye(tile.columns) + tile.hold_resistance(level) * own
    transfer, own = np.linalg.solve(behind, w[rows:, :rows]), np.linalg.solve(behind, own)

    c_f = tile.feedback_capacitance(level)
    ideal = level == "ideal"
    a0, c_in, omega = (IDEAL_GAIN, 0.0, math.inf) if ideal else (circuit.a0, circuit.c_in, 2 * math.pi * circuit.gbw)
    v_os, injected = circuit.opamp_offset + tile.opamp_offset, 0.0 if ideal else circuit.c_inject * circuit.v_dd / c_f
    area = np.zeros(tile.columns)
    if tile.autozero is not None:
        stored, v_os = v_os, np.zeros(tile.columns)
        if not ideal:
            az = tile.autozero
            left = [released(circuit, az, value) for value in c_f.tolist()]
            v_os, a0, omega = az.residue(stored, circuit), a0 * az.gain, omega * az.gain
            injected = np.array([r.charge for r in left]) / c_f
            # The op-amp goes from its own offset, where it was in reset, to where it integrates.
            area = np.array([r.area for r in left]) + stored / omega
    lag = np.zeros(tile.columns) if ideal else 1 / omega + c_f * circuit.opamp.r_o / a0
    time = opened - closed

    held = np.linalg.inv(np.diag(c_f + (c_f + c_in) / a0) + own * lag)
    leak = held @ own / a0
    # Row voltages against V_cm: the positive row of a positive input goes down.
    charge = circuit.v_read * held @ (transfer[:, 0::2] - transfer[:, 1::2])
    start = v_os + injected
    rest = start + held @ own @ (v_os * time + area) - leak @ (held @ own @ (v_os * time**2 / 2 + area * time) + start * time)
    return MacResponse(tile.pwm, opened - start_time, circuit.v_cm + rest, charge.T, -(leak @ charge).T)


def mac_voltages(tile: Tile, inputs: npt.ArrayLike, *, level: str = "macro", array: str = "reduced") -> np.ndarray:
    """Held integrator outputs of all columns, shape (..., C), volts, for input codes of shape (..., inputs)."""
    codes = tile.pwm.check_codes(inputs, tile.inputs)
    return mac_response(tile, level=level, array=array).volts(codes)


def thresholds(tile: Tile, column: int, *, level: str = "macro") -> np.ndarray:
    """V_mac at which a column's code changes, shape (thresholds,), volts."""
    group = tile.groups[tile.group_of(column)]
    levels = transition_levels(group.program, tile.circuit, group.ramp, first_order=level != "ideal")[0]
    return levels + tile.comparator_offset[column]


def codes(tile: Tile, v_mac: npt.ArrayLike, *, level: str = "macro") -> np.ndarray:
    """Codes of held integrator outputs of all columns, shape (..., C)."""
    v = np.asarray(v_mac, float)
    out = np.zeros(v.shape, int)
    for j in range(tile.columns):
        group = tile.groups[tile.group_of(j)]
        # Counting stops at the first step that passes V_mac, whatever the order of the levels after it.
        climbed = np.maximum.accumulate(thresholds(tile, j, level=level))
        out[..., j] = group.program.codes[np.searchsorted(climbed, v[..., j], side="right")]
    return out
