"""Programs that allow for the integrator they run on.

An op-amp of finite bandwidth takes part of the read voltage away from the selected cell, the more the more
conductance it has, and finite gain makes a charge leak back. To first order both are known before anything is
built (`closed_form`), so the targets can be set such that the ramp is right with them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from netlists.checks import NonNegative, Positive, Siemens, checked
from netlists.errors import InputError
from netlists.technology import DeviceProfile, RampCircuit

from .cells import CALIBRATION
from .chips import Chips
from .closed_form import ramp_levels
from .program import RampProgram

_ITERATIONS = 30
_TOLERANCE = 1e-9


@checked
@dataclass(frozen=True)
class Targets:
    """What to program where the closed form does not decide, but a transient of the nominal ramp did.

    Attributes
    ----------
    conductance : tuple of float (cells,)
        Siemens, in the order of the program.
    unit_charge : float
        As `RampProgram.unit_charge`, siemens.
    error_lsb : float
        Largest error of a level that was left, local LSB.
    """

    conductance: tuple[Siemens, ...]
    unit_charge: Positive
    error_lsb: NonNegative

    def __repr__(self) -> str:
        return f"Targets({len(self.conductance)} cells, {self.error_lsb:.2g} LSB left)"

    def on(self, program: RampProgram) -> RampProgram:
        """The program with these targets.

        Raises
        ------
        InputError
            Another number of cells, or a cell beyond the program's range.
        """
        if len(self.conductance) != program.n_cells:
            raise InputError(f"targets: are those of {len(self.conductance)} cells; the program has {program.n_cells}")
        if max(self.conductance) > program.g_max * (1 + 1e-9):
            raise InputError(f"targets: {max(self.conductance):g} S is above the largest conductance, {program.g_max:g} S")
        return replace(program, conductance=np.array(self.conductance), unit_charge=self.unit_charge)


def compensate(program: RampProgram, circuit: RampCircuit, profile: DeviceProfile) -> RampProgram:
    """Changes a program's targets such that the first-order ramp of a nominal chip meets every threshold.

    The ramp's scale in volts gives way where a conductance would pass g_max: `RampProgram.unit_charge` shrinks.

    Raises
    ------
    InputError
        If a target would leave the conductance range of the program, or the integrator is too slow to compensate.
    """
    low = profile.g_hrs if program.scheme == "hrs" else profile.g_min
    for _ in range(_ITERATIONS):
        changed, ratio = reprogrammed(program, circuit, ramp_levels(program, circuit, Chips.nominal(program))[0])
        if np.max(np.abs(ratio - 1)) < _TOLERANCE:
            break
        if not np.all((ratio > 0.5) & (ratio < 2)):
            raise _too_slow(circuit)
        program = changed
    else:
        raise _too_slow(circuit)
    if program.conductance.min() < low * (1 - 1e-9):
        raise InputError(
            f"allowing for the integrator takes a cell to {program.conductance.min():g} S, below the {low:g} S of its range; "
            "take a longer t_pulse, a faster op-amp or another scheme"
        )
    return program


def wanted_levels(program: RampProgram) -> np.ndarray:
    """Where the ramp has to be: the start before step 1, each threshold, the level that ends the conversion; input units."""
    last = 2 * program.x[-1] - (program.x[-2] if len(program.x) > 1 else program.start)
    return np.concatenate([[program.start], program.x, [last]])


def wanted_volts(program: RampProgram, circuit: RampCircuit) -> np.ndarray:
    """The same above analog ground, volts: as far off as the nominal comparator's offset there, which follows V_mac."""
    volts = wanted_levels(program) * program.volts_per_unit(circuit)
    return volts - circuit.comparator_shift(volts)


def reprogrammed(program: RampProgram, circuit: RampCircuit, levels: np.ndarray) -> tuple[RampProgram, np.ndarray]:
    """The program with each step scaled by what it lacks, and the factors of calibration and steps (steps + 1,).

    Parameters
    ----------
    levels : ndarray (steps + 1,)
        Where its nominal ramp is after calibration and after each step, volts above analog ground.
    """
    base, held, wanted = standing_conductance(program), _held(program), wanted_volts(program, circuit)
    calibration = _calibration_ratio(program, wanted[0], levels[0], program.volts_per_unit(circuit))
    ratio = np.append(calibration, np.diff(wanted) / np.diff(levels))
    swing = (program.conductance - base) * np.where(held, 1.0, ratio[np.where(program.step == CALIBRATION, 0, program.step)])
    shrink = min(1.0, float(np.min((program.g_max - base)[swing > 0] / swing[swing > 0])))
    return replace(program, conductance=base + swing * shrink, unit_charge=program.unit_charge * shrink), ratio


def standing_conductance(program: RampProgram) -> np.ndarray:
    """Part of each cell's conductance that compensation leaves alone, shape (cells,).

    Of a differential pair, the whole cell that lowers the ramp and as much of its partner; of others nothing.
    """
    base = np.zeros(program.n_cells)
    ramp = program.step != CALIBRATION
    for cell in np.flatnonzero(ramp & (program.polarity < 0)):
        base[ramp & (program.slot == program.slot[cell])] = program.conductance[cell]
    return base


def _held(program: RampProgram) -> np.ndarray:
    """Calibration cells that pull against the others, shape (cells,) of bool: the others make up for them."""
    cells = program.calibration_cells
    held = np.zeros(program.n_cells, bool)
    held[cells] = program.polarity[cells] != program.polarity[cells[-1]]
    return held


def _calibration_ratio(program: RampProgram, wanted: float, level: float, scale: float) -> float:
    """Factor on the calibration cells that takes the start from ``level`` to ``wanted``, volts above analog ground."""
    held = _held(program)
    if not held.any():
        return wanted / level
    cells = program.calibration_cells[~held[program.calibration_cells]]
    charge = float(np.sum((program.conductance * program.width * program.polarity)[cells]))
    return 1 + (wanted - level) * program.unit_charge / (charge * scale)


def _too_slow(circuit: RampCircuit) -> InputError:
    return InputError(
        f"gbw={circuit.gbw:g} Hz, a0={circuit.a0:g}: the integrator is too slow or too weak for t_pulse={circuit.t_pulse:g} s; "
        "take a longer t_pulse or a better op-amp"
    )
