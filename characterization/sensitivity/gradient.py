"""What moves the levels, max |INL| and offset of a converter, and by how much: every cell, op-amp and comparator, the wire."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated

import numpy as np

from characterization.chips import POINT, DrawnChips, draw, point_weights, through_wire, wire_resistance
from characterization.figures import inl_input, offset_and_gain
from characterization.plan import RampPlan
from netlists.checks import Whole, check
from netlists.errors import InputError
from netlists.ramp import PARAMETERS, Chips, level_derivatives
from netlists.technology import RampCircuit

if TYPE_CHECKING:
    import pandas as pd

OF_THE_CHIP = ("conductance_gain", "wire_resistance")
"""Parameters beside cells and circuit: a common relative error of all conductances, and the wire's resistance per cell."""
_UNITS = {row["name"]: row["unit"] for row in RampCircuit.describe()} | {
    "c_f": "F",
    "conductance_gain": "1",
    "wire_resistance": "ohm",
}


@dataclass(frozen=True, eq=False)
class Sensitivities:
    """Levels of one chip and their derivatives.

    Attributes
    ----------
    plan : RampPlan
    sample : int or None
        The drawn chip; None: the nominal one.
    calibrated : bool
        Whether of the levels that one-point calibration leaves: without what they have in common at its point.
    names : tuple of str
        Parameters: ``cell 0``..., then those of circuit and chip.
    values, sigmas : ndarray (parameters,)
        SI units; a sigma is 0 where the plan does not vary a parameter.
    levels : ndarray (levels,)
        Activation input units.
    jacobian : ndarray (levels, parameters)
        Input units per SI unit of the parameter.
    """

    plan: RampPlan
    sample: int | None
    calibrated: bool
    names: tuple[str, ...]
    values: np.ndarray
    sigmas: np.ndarray
    levels: np.ndarray
    jacobian: np.ndarray

    @property
    def n_cells(self) -> int:
        return self.plan.program().n_cells

    @cached_property
    def inl(self) -> np.ndarray:
        """Input-referred INL, LSB, shape (levels,)."""
        return inl_input(self.levels, self.plan.program())

    @cached_property
    def inl_jacobian(self) -> np.ndarray:
        """Derivatives of the INL, LSB per SI unit, shape (levels, parameters)."""
        return self.jacobian / self.plan.program().lsb[:, None]

    @property
    def worst_level(self) -> int:
        """Position of the level with the largest |INL|."""
        return int(np.argmax(np.abs(self.inl)))

    @property
    def max_inl_gradient(self) -> np.ndarray:
        """Derivatives of max |INL|, LSB per SI unit, shape (parameters,): those of the level that has it now."""
        k = self.worst_level
        gradient: np.ndarray = np.sign(self.inl[k]) * self.inl_jacobian[k]
        return gradient

    @property
    def offset_gradient(self) -> np.ndarray:
        """Derivatives of the offset of the least-squares line, input units per SI unit, shape (parameters,)."""
        x = self.plan.program().x
        if len(x) == 1:
            return self.jacobian[0]
        # The line's offset is linear in the levels: what each of them adds to it.
        weights = offset_and_gain(np.eye(len(x)), self.plan.program())[0]
        return weights @ self.jacobian

    def smooth_range(self) -> np.ndarray:
        """How far each parameter can move before another level has the largest |INL|, SI units, shape (parameters,).

        There max |INL| has a kink, and its gradient is another level's. Infinite where no other level overtakes.
        """
        k = self.worst_level
        sign, top = np.sign(self.inl[k]), abs(self.inl[k])
        reach = np.full(len(self.names), np.inf)
        for rival in np.flatnonzero(np.arange(len(self.inl)) != k):
            for side in (1.0, -1.0):
                gap, slope = top - side * self.inl[rival], sign * self.inl_jacobian[k] - side * self.inl_jacobian[rival]
                with np.errstate(divide="ignore", invalid="ignore"):
                    reach = np.minimum(reach, np.where(slope == 0, np.inf, gap / np.abs(slope)))
        return reach

    def table(self) -> pd.DataFrame:
        """A row a parameter, the one whose sigma moves a level farthest first.

        Columns: ``parameter``, ``value``, ``unit``, ``sigma``, ``sigma_lsb`` (largest move of a level by one sigma), ``level`` (the
        one it moves, from 1), ``percent_lsb`` (largest move of a level by 1 % of the value), ``max_inl``, ``offset`` (derivatives
        per SI unit), ``smooth_to`` (`smooth_range`).
        """
        import pandas as pd

        moves = np.abs(self.inl_jacobian)
        most = moves.max(axis=0)
        rows = {
            "parameter": self.names,
            "value": self.values,
            "unit": ["S" if n.startswith("cell ") else _UNITS[n] for n in self.names],
            "sigma": self.sigmas,
            "sigma_lsb": most * self.sigmas,
            "level": moves.argmax(axis=0) + 1,
            "percent_lsb": 0.01 * most * np.abs(self.values),
            "max_inl": self.max_inl_gradient,
            "offset": self.offset_gradient,
            "smooth_to": self.smooth_range(),
        }
        return pd.DataFrame(rows).sort_values(["sigma_lsb", "percent_lsb"], ascending=False, kind="stable", ignore_index=True)

    def moved(self, change: np.ndarray) -> np.ndarray:
        """Levels (n, levels) of the linear model after changes of the parameters (n, parameters)."""
        moved: np.ndarray = self.levels + change @ self.jacobian.T
        return moved


def sensitivities(plan: RampPlan, sample: int | None = None, *, calibrated: bool = False) -> Sensitivities:
    """Differentiates a converter's levels in closed form.

    Parameters
    ----------
    sample : int, optional
        The drawn chip of this number; the nominal one by default.
    calibrated : bool
        Of the levels that one-point calibration leaves.

    Raises
    ------
    InputError
        Blocks that the closed form does not describe.

    Examples
    --------
    >>> found = sensitivities(RampPlan("sigmoid", 3))
    >>> found.jacobian.shape, found.names[0]
    ((7, 30), 'cell 0')
    """
    if plan.level == "sky130" or plan.comparator is not None or plan.opamp is not None:
        given = {"comparator": plan.comparator, "opamp": plan.opamp}
        what = next((f"{role}={own.name!r}" for role, own in given.items() if own is not None), f"level={plan.level!r}")
        raise InputError(
            f"{what}: derivatives are those of the closed form, which describes our blocks at levels ideal and macro; take level "
            "macro with the figures of the block"
        )
    program, drawn = plan.program(), None
    if sample is not None:
        drawn = draw(plan, np.array([check(Annotated[int, Whole(0)], sample, "sample")]))
    g = program.conductance if drawn is None else drawn.conductance[0]
    gain = 0.0 if drawn is None else float(drawn.conductance_gain[0])
    offsets = (0.0, 0.0) if drawn is None else (float(drawn.opamp_offset[0]), float(drawn.comparator_offset[0]))
    wire = wire_resistance(plan)
    chips = Chips(through_wire(g * (1 + gain), wire)[None], np.array(offsets[:1]), np.array(offsets[1:]))
    found = level_derivatives(program, plan.circuit, chips, first_order=plan.level != "ideal")

    # Conductance as seen is 1 / (1 / ((1 + gain) G) + R).
    by_gain = found.cells / (1 + g * (1 + gain) * wire) ** 2
    more = {
        "conductance_gain": by_gain @ g,
        "wire_resistance": -(found.cells * chips.conductance[0] ** 2) @ np.arange(1, program.n_cells + 1),
    }
    columns = [*(by_gain * (1 + gain)).T, *found.parameters.values(), *more.values()]
    circuit = plan.circuit.as_dict() | {"c_f": program.feedback_capacitance(plan.circuit)}
    circuit["opamp_offset"] += offsets[0]
    circuit["comparator_offset"] += offsets[1]
    v = plan.variation
    varied = {n: getattr(v, n) for n in ("opamp_offset", "comparator_offset", "conductance_gain")}
    names = (*(f"cell {m}" for m in range(program.n_cells)), *PARAMETERS, *OF_THE_CHIP)
    values = [*g, *(circuit[n] for n in PARAMETERS), gain, plan.wire_resistance]
    sigmas = [*plan.profile.program_sigma_at(program.conductance), *(varied.get(n, 0.0) for n in (*PARAMETERS, *OF_THE_CHIP))]
    levels, jacobian = found.levels, np.array(columns).T
    if calibrated:
        at_point = point_weights(POINT, program.x)
        levels = levels - at_point @ (levels - program.x)
        jacobian = jacobian - at_point @ jacobian
    return Sensitivities(plan, sample, calibrated, names, np.array(values), np.array(sigmas), levels, jacobian)


def deviations(found: Sensitivities, drawn: DrawnChips, conductance: np.ndarray) -> np.ndarray:
    """Changes of the parameters (n, parameters) that lead from the nominal chip to drawn ones with these conductances."""
    out = np.zeros((len(conductance), len(found.names)))
    out[:, : found.n_cells] = conductance - found.values[: found.n_cells]
    for name in ("opamp_offset", "comparator_offset", "conductance_gain"):
        out[:, found.names.index(name)] = getattr(drawn, name)
    return out


def chip_of(found: Sensitivities, change: np.ndarray) -> Chips:
    """The chip, as the circuit sees it, after a change (parameters,) of its cells, offsets, gain and wire.

    Raises
    ------
    InputError
        A cell that would have no conductance.
    """
    after = dict(zip(found.names, (found.values + change).tolist(), strict=True))
    g = (found.values + change)[: found.n_cells] * (1 + after["conductance_gain"])
    if np.any(g <= 0):
        raise InputError("change: leaves a cell without conductance; take a smaller one")
    wire = after["wire_resistance"] * np.arange(1, found.n_cells + 1)
    circuit = found.plan.circuit
    offsets = [np.array([after[name] - getattr(circuit, name)]) for name in ("opamp_offset", "comparator_offset")]
    return Chips(through_wire(g, wire)[None], *offsets)
