"""Derivatives held against central differences in ngspice: chips and circuits nudged either way, each level measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from characterization.chips import measure
from netlists.converter import Converter
from netlists.errors import InputError, SimulationError
from netlists.ramp import PARAMETERS, Chips, to_input_units
from netlists.technology import RampCircuit

from .gradient import Sensitivities, chip_of

if TYPE_CHECKING:
    import pandas as pd

MOVE = 0.05
"""A nudge is as large as moves a level by so much, LSB, by the derivative; within `STEPS`."""
STEPS = 0.01, 0.1
"""Least and largest nudge of a parameter as a part of its value; of one that is 0 as it stands, of `NO_VALUE`."""
NO_VALUE = {"opamp_offset": 0.01, "comparator_offset": 0.01, "wire_resistance": 10.0, "conductance_gain": 0.1}
RESOLVED = 0.005
"""How far a nudge has to move a level for two simulations to tell 1 %, LSB: ngspice's time steps move one by 1e-4."""


def spice_check(found: Sensitivities) -> pd.DataFrame:
    """Measures central differences in ngspice for every parameter, and sets them beside the derivatives.

    Each cell and parameter takes two ramps, ``2 * parameters`` in all; those of cells share transients.

    Returns
    -------
    DataFrame
        A row a parameter: ``parameter``, ``nudge`` (SI units), ``moved_lsb`` (largest move of a level by it), ``error`` (largest
        difference of the two derivatives over the levels, as a part of the largest derivative), ``resolved`` (whether the nudge
        moves a level by at least `RESOLVED`), ``curvature`` (largest even part of the move as a part of the odd part: how far it
        is from a straight line).

    Raises
    ------
    SimulationError
        A nudged chip that ngspice could not measure.
    """
    import pandas as pd

    program = found.plan.program()
    nudges = _nudges(found)
    if found.calibrated:
        raise InputError("calibrated=True: is a shift that the levels are given afterwards; check the derivatives without it")
    here = _measured(found, found.plan.circuit, [np.zeros(len(nudges))])[0]
    of_circuit = [i for i, name in enumerate(found.names) if name in PARAMETERS]
    of_chip = [i for i in range(len(nudges)) if i not in of_circuit]
    changes = np.diag(nudges)[of_chip]
    levels = _measured(found, found.plan.circuit, [*changes, *-changes])
    sides = {i: (levels[row], levels[row + len(of_chip)]) for row, i in enumerate(of_chip)}
    for i in of_circuit:
        sides[i] = _of_circuit(found, i, nudges[i])
    rows = []
    for i, name in enumerate(found.names):
        up, down = ((x - here) / program.lsb for x in sides[i])
        odd, even = 0.5 * (up - down), 0.5 * (up + down)
        expected = found.inl_jacobian[:, i] * nudges[i]
        largest = float(np.abs(odd).max())
        rows.append(
            {
                "parameter": name,
                "nudge": nudges[i],
                "moved_lsb": largest,
                "error": float(np.abs(odd - expected).max()) / max(largest, 1e-300),
                "resolved": largest >= RESOLVED,
                "curvature": float(np.abs(even).max()) / max(largest, 1e-300),
            }
        )
    return pd.DataFrame(rows)


def _nudges(found: Sensitivities) -> np.ndarray:
    scale = np.array([NO_VALUE.get(name, abs(value)) for name, value in zip(found.names, found.values, strict=True)])
    with np.errstate(divide="ignore"):
        share = MOVE / (np.abs(found.inl_jacobian).max(axis=0) * scale)
    return scale * np.clip(share, *STEPS)


def _measured(found: Sensitivities, circuit: RampCircuit, changes: list[np.ndarray]) -> np.ndarray:
    """Levels (n, levels), input units, of the chip after changes of cells, gain and wire, on a circuit."""
    own = [chip_of(found, change) for change in changes]
    parts = ([getattr(chip, name) for chip in own] for name in ("conductance", "opamp_offset", "comparator_offset"))
    chips = Chips(*(np.concatenate(part) for part in parts))
    plan, program = found.plan, found.plan.program()
    measured = measure(Converter(program, circuit, plan.blocks), chips, tight=True)
    if bad := [i for i, status in enumerate(measured.status) if status != "ok"]:
        raise SimulationError(f"a nudged chip: {measured.status[bad[0]]}", measured.message[bad[0]])
    return to_input_units(measured.volts, program, circuit)


def _of_circuit(found: Sensitivities, i: int, nudge: float) -> tuple[np.ndarray, np.ndarray]:
    """Levels with a parameter of the circuit nudged up and down."""
    name, plan = found.names[i], found.plan
    out = []
    for side in (1.0, -1.0):
        if name == "c_f":
            # The capacitor of a ramp is made for a swing; V_mac keeps the scale that it has.
            factor = 1 + side * nudge / found.values[i]
            circuit = plan.circuit.with_(v_swing=plan.circuit.v_swing / factor)
            scale = 1 / factor
        else:
            circuit, scale = plan.circuit.with_(**{name: getattr(plan.circuit, name) + side * nudge}), 1.0
        out.append(_measured(found, circuit, [np.zeros(len(found.names))])[0] * scale)
    return out[0], out[1]
