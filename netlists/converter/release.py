"""End of the reset of an auto-zeroed integrator: the charge that its switches leave, and for how long the summing node is off.

While the reset clock falls, its switches push charge onto both plates of C_f and let go of them: for a tenth of a nanosecond both
are a hundred millivolts off. Most of the charge leaves through the switches; the op-amp, which sees the summing node all the while
but is connected again at the end only, has run away by then, and takes the summing node to the other side until it is back. The
column, whose hold switch has closed, integrates that.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from netlists.technology import RampCircuit

from .autozero import AutoZero

_SETTLED = 60.0
"""Time after which the op-amp has settled, in units of 1 / (2 pi gbw)."""


class Release(NamedTuple):
    """What the end of a reset leaves: a charge on C_f (coulombs), and volt-seconds that the summing node is off (V s)."""

    charge: float
    area: float


@lru_cache(maxsize=256)
def released(circuit: RampCircuit, autozero: AutoZero, c_f: float = 80e-12) -> Release:
    """Ends of auto-zero and reset of ``autozero_integrator_macro`` without a column, from its equations.

    Parameters
    ----------
    c_f : float
        Farads. The charge hardly depends on it, the area by a twentieth between 50 and 120 pF.

    Returns
    -------
    Release
        The area is counted from where the hold switch closes; the residue's, `AutoZero.residue` times the time, is not in it.
    """
    from scipy.integrate import solve_ivp

    op, az, edge = circuit.opamp, autozero, circuit.t_edge
    total, far, inn, amp, gate, across = range(6)
    # Nodes: summing node, far plate of C_f, op-amp's input and output, gate of its second stage; the voltage across C_c.
    c = np.zeros((6, 6))
    for i, j, value in ((total, inn, az.c_az), (total, far, c_f)):
        c[[i, j], [i, j]] += value
        c[[i, j], [j, i]] -= value
    ground = (circuit.c_in + az.c_reset, az.c_far, az.c_gate + az.c_inject, op.c_out, op.c1, op.c_c)
    inverse = np.linalg.inv(c + np.diag(ground))
    stored, released = -az.t_guard - 3 * edge, -3 * edge

    def rates(t: float, v: np.ndarray) -> np.ndarray:
        clock, zeroing = np.clip((np.array([released, stored]) + edge - t) / edge, 0, 1)
        falls, ends = (circuit.v_dd / edge if begin < t < begin + edge else 0.0 for begin in (released, stored))
        reset, joined, loop = clock / circuit.r_reset, (1 - clock) / circuit.r_reset, zeroing / az.r_az
        miller = (v[gate] - v[amp] - v[across]) / op.r_z
        out, back = joined * (v[far] - v[amp]), loop * (v[inn] - v[amp])
        current = [
            -reset * v[total] - az.c_reset * falls,
            -reset * v[far] - out - az.c_far * falls,
            -back - az.c_inject * ends,
            out + back - v[amp] / op.r_o - op.gm2 * v[gate] + miller,
            op.i_1 * np.tanh(op.gm1 / op.i_1 * v[inn]) - v[gate] / op.r1 - miller,
            miller,
        ]
        return np.append(inverse @ current, v[total])

    stop = _SETTLED * circuit.opamp_settling
    at, v = (stored, stored + edge, released, released + edge, 0.0, stop), np.zeros(7)
    for begin, end in pairwise(at):
        if begin == 0.0:
            v[-1] = 0.0
        v = solve_ivp(rates, (begin, end), v, method="LSODA", rtol=1e-6, atol=[1e-9] * 6 + [1e-18]).y[:, -1]
    residue = az.residue(np.zeros(1), circuit)[0]
    return Release(float((v[far] - residue) * c_f), float(v[-1] - residue * stop))
