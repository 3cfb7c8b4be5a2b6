"""The ramp in closed form: what the column would do by its equations, for thousands of chips at once.

It predicts, it never measures: it places the probes of `netlists.converter.transition_deck`, checks ngspice, and is
a million times faster. Nothing that is reported as simulated comes from here.

It takes complex conductances, and circuits with complex values, as `netlists.ramp.sensitivity` differentiates it by complex steps.
"""

from __future__ import annotations

import math
from functools import cache, lru_cache

import numpy as np

from netlists.technology import RampCircuit, TwoStageOpamp

from .cells import CALIBRATION
from .chips import Chips
from .program import RampProgram


def transition_levels(program: RampProgram, circuit: RampCircuit, chips: Chips, *, first_order: bool = True) -> np.ndarray:
    """Transition levels of each chip, volts, shape (n, thresholds).

    The ramp's level after each step plus the comparator's offset and, where drawn, noise. No delays, no slew limit.
    Parameters as for `ramp_levels`; to first order the offset follows V_mac too.
    """
    ramp = ramp_levels(program, circuit, chips, first_order=first_order)[:, 1:-1]
    offset = circuit.comparator_offset + np.asarray(chips.comparator_offset, float)
    noise = 0.0 if chips.comparator_noise is None else chips.comparator_noise[:, :-1]
    level = ramp + offset[:, None] + noise
    if first_order:
        # The level where the two meet, which the offset hardly moves: two steps leave less than 1 nV.
        level = level + circuit.comparator_shift(level + circuit.comparator_shift(level))
    return circuit.v_cm + level


def ramp_levels(program: RampProgram, circuit: RampCircuit, chips: Chips, *, first_order: bool = True) -> np.ndarray:
    """Level of each chip's ramp above analog ground: after calibration and after each ramp step, volts.

    Parameters
    ----------
    first_order : bool
        False: charge over capacitance only, ``V_cm + V_os + sum(v G w) / C_f`` (Yang et al. 2025), with
        ``v = v_read +- V_os``: the op-amp's offset moves the virtual ground that the cells see.
        True: adds to first order the op-amp's finite gain (the virtual ground moves by ``-V_out / a0``), its
        bandwidth (a slope ``s`` at the output needs ``s / (2 pi gbw)`` at the input, which the cell's voltage
        lacks, but for the time constant after the pulse's start), the comparators that it drives, and the reset switch's charge.

    Returns
    -------
    ndarray (n, thresholds + 2)
    """
    c_f = program.feedback_capacitance(circuit)
    v_os = (circuit.opamp_offset + np.asarray(chips.opamp_offset, float))[:, None]
    g, width, sign = chips.conductance, program.width * circuit.t_pulse, program.polarity
    drive = circuit.v_read + sign * v_os
    out = np.broadcast_to(v_os, (len(chips), 1))
    if first_order:
        drive = drive * charge_share(program, circuit, g)
        out = out + circuit.c_inject * circuit.v_dd / c_f
    # One packet of charge per cell, in the order of the slots; the packets of one slot add.
    packet = sign * g * width * drive / c_f
    per_slot = np.zeros((len(chips), program.n_slots), packet.dtype)
    np.add.at(per_slot.T, program.slot, packet.T)
    level = out + np.cumsum(per_slot, axis=1)
    if first_order:
        # What the pulse itself moves is in `charge_share`; the output that stood before it holds the virtual ground off too.
        before = np.concatenate([np.broadcast_to(out, (len(chips), 1)), level[:, :-1]], axis=1)
        slot_g = np.zeros_like(per_slot)
        np.add.at(slot_g.T, program.slot, (g * width).T)
        level = level - np.cumsum(slot_g * before, axis=1) / (c_f * circuit.a0)
        level = out + (level - out) / (1 + (1 + circuit.c_in / c_f) / circuit.a0)
    steps = [CALIBRATION, *range(1, program.n_steps + 1)]
    return level[:, [program.slot[program.step == k].max() for k in steps]]


def charge_share(program: RampProgram, circuit: RampCircuit, conductance: np.ndarray) -> np.ndarray:
    """Share of each cell's charge ``v_read G w`` that the op-amp lets it deliver, shape of ``conductance``.

    While a cell conducts, alone or with others of its slot, the summing node follows it. Its mean impedance over the pulse is
    exact for no conductance and for the largest, its inverse nearly a line between. The first stage's soft limit,
    ``i_1 tanh(gm1 v / i_1)``, adds ``(gm1 / i_1)**2 v**3 / 3`` to what the summing node moves by, to first order.
    """
    opamp, c_f, width = circuit.ramp_opamp, program.feedback_capacitance(circuit), program.width * circuit.t_pulse
    together = (program.slot[:, None] == program.slot).astype(float)
    load, driven = conductance @ together, (conductance * program.polarity) @ together
    largest = program.g_max * together.sum(axis=0).max()
    modes = [_integrator_modes(opamp, c_f, circuit.c_in, g) for g in (0.0, largest)]
    empty, full = (_mean_impedance(*own, width, circuit.t_edge) for own in modes)
    limited = (opamp.gm1 * circuit.v_read / opamp.i_1 * driven) ** 2 / 3 * _mean_cube(*modes[1], width)
    return 1 - load * (1 / (1 / empty + load / largest * (1 / full - 1 / empty)) + limited)


def _mean_impedance(rate: np.ndarray, weight: np.ndarray, width: np.ndarray, edge: float) -> np.ndarray:
    """Mean over pulses (cells,) of what a current of 1 A into the summing node moves it by, ohm.

    Integral of the impulse response times the autocorrelation of the pulse: a triangle, rounded by the pulse's edges.
    """
    turns = rate * width[:, None]
    rounding = _rest_of_exponential(rate * edge, 4), _rest_of_exponential(-rate * edge, 4)
    area = _rest_of_exponential(turns, 2) * width[:, None] ** 2
    area = area + edge**2 * (np.exp(turns) * (rounding[0] + rounding[1]) - 2 * rounding[0])
    return _real_of(area @ weight, width) / width


def _mean_cube(rate: np.ndarray, weight: np.ndarray, width: np.ndarray) -> np.ndarray:
    """Mean over pulses (cells,) of the third power of the summing node's step response, ohm**3."""
    nodes, share = _gauss_legendre(12)
    time = 0.5 * (nodes + 1) * width[:, None]
    response = _real_of((_rest_of_exponential(rate * time[..., None], 1) * time[..., None]) @ weight, width)
    return 0.5 * response**3 @ share


@lru_cache(64)
def _integrator_modes(opamp: TwoStageOpamp, c_f: float, c_in: float, load: float) -> tuple[np.ndarray, np.ndarray]:
    return opamp.integrator_modes(c_f, c_in, load)


@cache
def _gauss_legendre(n: int) -> tuple[np.ndarray, np.ndarray]:
    return np.polynomial.legendre.leggauss(n)


def _real_of(modes: np.ndarray, width: np.ndarray) -> np.ndarray:
    """Sum of an integrator's modes: real but for rounding, unless a complex step is taken, which makes pulse widths complex too."""
    return modes if np.iscomplexobj(width) else np.real(modes)


def _rest_of_exponential(x: np.ndarray, order: int) -> np.ndarray:
    """What is left of ``exp(x)`` after the terms of its series below ``x**order``, over ``x**order``.

    Past the range of floats it stays finite: a mode as fast as that has died out before the pulse ends, and 0 multiplies it.
    """
    terms = [1 / math.factorial(n) for n in range(order + 9)]
    small = np.abs(x) < 0.5
    near = np.polyval(terms[: order - 1 : -1], np.where(small, x, 0.0))
    far = np.where(small, 1.0, np.where(np.real(x) > 700, 700.0, x))
    return np.where(small, near, (np.exp(far) - np.polyval(terms[order - 1 :: -1], far)) / far**order)


def to_input_units(volts: np.ndarray, program: RampProgram, circuit: RampCircuit) -> np.ndarray:
    """V_mac or a transition level in the activation's input units: ``(V - v_cm) / volts_per_unit``."""
    return (np.asarray(volts) - circuit.v_cm) / program.volts_per_unit(circuit)


def to_volts(x: np.ndarray, program: RampProgram, circuit: RampCircuit) -> np.ndarray:
    """The V_mac that stands for ``x`` in the activation's input units, volts."""
    return circuit.v_cm + np.asarray(x) * program.volts_per_unit(circuit)
