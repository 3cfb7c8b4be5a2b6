"""Electrical quantities of an array on a design, in closed form: energy of cells, capacitors, size of op-amps."""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise

import numpy as np

from characterization.plan import TRIM_SIGMAS
from netlists.ramp import program_ramp
from netlists.technology import RampCircuit, load_profile

from .design import Design
from .scaling import SIMULATED_NODE
from .shape import ArrayShape


def mac_cell_energy(array: ArrayShape, design: Design) -> float:
    """Energy of all cells of an array in one multiply-accumulate, joules: ``V_read^2 G t`` summed over pairs at the mean input."""
    time = mean_input(array, design) * design.max_code * design.t_unit
    met, filled = (None, None) if array.pulses is None else (array.pulses.weight, array.pulses.filled)
    pair = design.pair_conductance(array.mean_weight if met is None else met, array.filled if filled is None else filled)
    return array.rows * array.columns * design.v_read**2 * pair * time


def mean_input(array: ArrayShape, design: Design) -> float:
    """Mean pulse of the rows as a part of the longest: counted, or the design's assumption."""
    return design.mean_input if array.pulses is None else array.pulses.width


def longest_mac(array: ArrayShape, design: Design) -> float:
    """Longest pulse and the rest after it, seconds; a difference of two inputs may be twice as long as the longest."""
    pulses = array.pulses
    if pulses is not None and pulses.longest is not None:
        return pulses.longest * design.max_code * design.t_unit + design.t_gap
    return design.t_mac + design.max_code * design.t_unit * (pulses is not None and pulses.delta)


def trimming_cell_energy(design: Design) -> float:
    """Energy of the trimming cells of one column in a conversion, joules, at the longest pulse.

    The mean trim is a fifth of the reach: the mean magnitude of a normal number over `characterization.plan.TRIM_SIGMAS`.
    """
    pulse = design.max_code * design.t_unit
    return design.v_read**2 * pulse * design.pair_conductance(math.sqrt(2 / math.pi) / TRIM_SIGMAS)


def ramp_steps(activation: str, bits: int) -> int:
    """Steps of a ramp: ``2**bits`` of a monotonic function, more where it crosses an output level again."""
    return len(_ramp_steps(activation, bits)[0])


def ramp_cell_energy(activation: str, design: Design) -> float:
    """Energy of the cells of one ramp column in a conversion, joules: ``V_read^2 sum G w t``, calibration cells included."""
    steps, start = _ramp_steps(activation, design.bits)
    return design.v_read**2 * _full_pulse(design) * (sum(steps) + abs(start)) / max(steps)


def ramp_charge(activation: str, bits: int) -> np.ndarray:
    """Part of the charge of a ramp's cells, calibration included, that is spent when it stops after 0, 1, ... steps."""
    steps, start = _ramp_steps(activation, bits)
    spent = np.append(0.0, np.cumsum(steps)) + abs(start)
    return spent / spent[-1]


def ramp_capacitance(activation: str, design: Design) -> float:
    """C_f that makes a ramp span ``v_swing``, farads (`RampProgram.feedback_capacitance`)."""
    steps, _ = _ramp_steps(activation, design.bits)
    return design.v_read * _full_pulse(design) * sum(steps) / max(steps) / design.v_swing


def integration_capacitance(
    activation: str, design: Design, *, weight_range: float | None = None, wire_gain: float = 1.0, full_scale: float = 1.0
) -> float:
    """C_f that puts V_mac on the scale of the ramp, farads (`netlists.converter.tile.Tile.charge_capacitance`), inputs of up to 1.

    ``C_f = v_read scale t_max full_scale / (volts per unit)`` with ``scale = (g_max - g_min) / (weight_range wire_gain)``.
    """
    scale = (design.g_max - design.g_min) / ((weight_range or design.weight_range) * wire_gain)
    charge = design.v_read * scale * design.max_code * design.t_unit * full_scale
    return charge * sum(_ramp_steps(activation, design.bits)[0]) / design.v_swing


def opamp_size(array: ArrayShape, design: Design) -> float:
    """How many times the measured op-amp a column's op-amp is, in bandwidth and with it in power and gate area.

    A column of conductance S loses ``S / (2 pi gbw C_f)`` of its charge (`Tile.feedback_capacitance`); the op-amp is
    as large as keeps that at ``charge_loss``, and never smaller than the measured one. Speed goes as 1 / node (assumption).
    """
    gbw = RampCircuit().gbw * SIMULATED_NODE / design.node
    column = array.rows * design.pair_conductance(array.mean_weight, array.filled)
    loss = column / (2 * math.pi * gbw * column_capacitance(array, design))
    return max(1.0, loss / design.charge_loss)


def column_capacitance(array: ArrayShape, design: Design) -> float:
    """C_f of a column, mean over the array's ramps, farads. A linear ramp spans what the bent ones span."""
    scales = array.full_scales or (1.0,) * len(array.activations)
    of_ramps = [
        integration_capacitance(a, design, weight_range=array.weight_range, wire_gain=array.wire_gain, full_scale=scale)
        for a, scale in zip(array.activations, scales, strict=True)
    ]
    return sum(of_ramps) / len(of_ramps)


def _full_pulse(design: Design) -> float:
    """Conductance times time of the largest ramp step: a cell of g_max and a full pulse."""
    return design.g_max * design.t_pulse_share * design.t_step


@lru_cache(maxsize=512)
def _ramp_steps(activation: str, bits: int) -> tuple[tuple[float, ...], float]:
    """Steps of a ramp and where it starts, input units; they do not depend on the cells."""
    program = program_ramp(activation, bits, load_profile("taox-100-400"))
    x = [program.start, *program.x.tolist()]
    steps = [b - a for a, b in pairwise(x)]
    return (*steps, steps[-1]), float(program.start)
