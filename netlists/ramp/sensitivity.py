"""Derivatives of transition levels with respect to each cell and each parameter of the circuit, by complex steps.

``f(p + i h) = f(p) + i h f'(p) + O(h**2)``: the imaginary part of the closed form, evaluated a small step off the real axis, is its
derivative without the cancellation of a difference of two values (Squire and Trapp, SIAM Review 40, 1998). One pass through
`transition_levels` for each parameter gives the derivatives of all levels, also through the modes of the op-amp.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np

from netlists.errors import InputError
from netlists.technology import RampCircuit
from netlists.technology.opamp import TwoStageOpamp, two_stage_elements
from netlists.technology.parameters import OPAMP_STAGES

from .chips import Chips
from .closed_form import to_input_units, transition_levels
from .program import RampProgram

PARAMETERS = ("v_read", "c_f", "opamp_offset", "comparator_offset", "a0", "gbw", "slew", *OPAMP_STAGES, "c_in", "c_inject")
"""Parameters beside the cells. ``v_read`` is shared by ramp and V_mac; ``c_f`` is the ramp's capacitor alone."""
STEP = 1e-6
"""Complex step as a part of a value. Its error is the step's square; a smaller one drowns in the rounding of the op-amp's modes."""
_OFFSET_STEP = 1e-6
"""The same for offsets, volts: they may be 0."""
_NOT_OF_IDEAL = ("a0", "gbw", "slew", *OPAMP_STAGES, "c_in", "c_inject")

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class LevelDerivatives:
    """Transition levels of a chip and what moves them.

    Attributes
    ----------
    levels : ndarray (levels,)
        Activation input units.
    cells : ndarray (levels, cells)
        Derivatives with respect to each cell's conductance, input units per siemens.
    parameters : dict of str to ndarray (levels,)
        With respect to each of `PARAMETERS`, input units per SI unit of the parameter.
    """

    levels: np.ndarray
    cells: np.ndarray
    parameters: dict[str, np.ndarray]


def level_derivatives(program: RampProgram, circuit: RampCircuit, chips: Chips, *, first_order: bool = True) -> LevelDerivatives:
    """Differentiates the transition levels of one chip in closed form.

    Parameters
    ----------
    chips : Chips
        A single one.
    first_order : bool
        As for `netlists.ramp.closed_form.ramp_levels`; without it the op-amp's figures have the derivative 0.

    Raises
    ------
    InputError
        Not one chip, or one that does not fit the program.

    Examples
    --------
    >>> from netlists import load_profile, program_ramp
    >>> program = program_ramp("sigmoid", 3, load_profile("taox-100-400"))
    >>> found = level_derivatives(program, RampCircuit(), Chips.nominal(program))
    >>> bool(np.allclose(found.parameters["comparator_offset"], 1 / program.volts_per_unit(RampCircuit())))
    True
    """
    if len(chips) != 1:
        raise InputError(f"chips: are {len(chips)}; derivatives are taken at one chip")
    chips.check(program)
    scale = program.volts_per_unit(circuit)
    volts = transition_levels(program, circuit, chips, first_order=first_order)[0]
    parameters = {}
    for name in PARAMETERS:
        slope = _slope(program, circuit, chips, name, first_order) / scale
        # V_mac follows the read voltage; it does not follow the ramp's own capacitor.
        parameters[name] = slope - (volts - circuit.v_cm) / scale / circuit.v_read if name == "v_read" else slope
    cells = _cell_slopes(program, circuit, chips, first_order) / scale
    return LevelDerivatives(to_input_units(volts, program, circuit), cells, parameters)


def _cell_slopes(program: RampProgram, circuit: RampCircuit, chips: Chips, first_order: bool) -> np.ndarray:
    n = program.n_cells
    step = STEP * chips.conductance[0]
    moved = Chips(chips.conductance + 1j * np.diag(step), np.repeat(chips.opamp_offset, n), np.repeat(chips.comparator_offset, n))
    slopes: np.ndarray = transition_levels(program, circuit, moved, first_order=first_order).imag.T / step
    return slopes


def _slope(program: RampProgram, circuit: RampCircuit, chips: Chips, name: str, first_order: bool) -> np.ndarray:
    if not first_order and name in _NOT_OF_IDEAL:
        return np.zeros(len(program.x))
    if name == "c_f":
        # The capacitor is made for a swing: C_f v_swing is constant.
        c_f = program.feedback_capacitance(circuit)
        return _slope(program, circuit, chips, "v_swing", first_order) * -circuit.v_swing / c_f
    value = getattr(circuit, name)
    step = _OFFSET_STEP if name.endswith("offset") else STEP * (value or 1e-15)
    moved = transition_levels(program, _off_axis(circuit, name, step), chips, first_order=first_order)
    slopes: np.ndarray = moved[0].imag / step
    return slopes


def _off_axis(circuit: RampCircuit, name: str, step: float) -> RampCircuit:
    """The circuit with complex values, one of them a step off the real axis; for the closed form alone."""
    values: dict[str, Any] = {f.name: getattr(circuit, f.name) for f in fields(circuit)}
    stepped = {parameter: complex(values[parameter]) for parameter in (*PARAMETERS, "v_swing", "t_pulse") if parameter in values}
    values |= stepped | {name: values[name] + 1j * step}
    stages = {stage.removeprefix("opamp_"): values[stage] for stage in OPAMP_STAGES}
    elements = two_stage_elements(values["a0"], values["gbw"], values["slew"], **stages)
    loaded = elements | {"c_out": elements["c_out"] + circuit.ramp_load}
    opamps = {"opamp": _unchecked(TwoStageOpamp, elements), "ramp_opamp": _unchecked(TwoStageOpamp, loaded)}
    return _unchecked(RampCircuit, values | opamps)


def _unchecked(kind: type[T], values: dict[str, Any]) -> T:
    """An object of a dataclass with values that its checks, which are of real numbers, would refuse."""
    made = object.__new__(kind)
    vars(made).update(values)
    return made
