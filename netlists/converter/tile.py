"""A tile: crossbar, PWM drivers, one integrator a column, shared ramps, one comparator a column.

    inputs -> pulse widths -> crossbar columns -> V_mac, held -> ramp passes V_mac -> codes

Signed weights are pairs of rows (`netlists.array.pairs`, layout ``rows``), so that a column's current is a weight column's
whole result and needs one integrator:

    V_mac,j = V_cm + v_read / C_f * sum_i (G+_ij - G-_ij) * T_i

Columns share ramps by groups (an LSTM's gates take a sigmoid ramp, its candidate a tanh ramp). C_f puts V_mac on the scale
of its group's ramp: `RampProgram.volts_per_unit` volts per unit of the pre-activation x = sum_i w_ij u_i.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from netlists.array import ArraySolver, Crossbar, Pwm, WiredPairs, chosen_columns, wired_pairs
from netlists.checks import Array, Choice, Number, Positive, Seconds, check, checked
from netlists.errors import InputError
from netlists.ramp import Chips, RampProgram
from netlists.technology import DeviceProfile, RampCircuit

from .autozero import AutoZero

ArrayModel = Annotated[str, Choice(("reduced", "mesh", "ideal"))]
R_HOLD_IDEAL = 1e-3
"""On-resistance of ``hold_switch_ideal``, ohm."""
GATE_OHM_UM = 2.22e3
"""On-resistance times NMOS width of ``transmission_gate_sky130`` at 0.9 V, ohm um; measured with ngspice, tt, 27 C, 1.8 V."""


def charge_capacitance(
    program: RampProgram, circuit: RampCircuit, pwm: Pwm, scale: float, *, full_scale: float = 1.0, input_max: float = 1.0
) -> float:
    """C_f of a column by charge alone, farads: an ideal integrator on ideal wires has V_mac in the ramp's units.

    Parameters
    ----------
    scale : float
        Siemens per unit of weight.
    full_scale : float
        Pre-activation that is one unit of the ramp.
    input_max : float
        Input value of the longest pulse.
    """
    charge = circuit.v_read * scale * pwm.max_code * pwm.periods * pwm.t_unit / input_max
    return charge / (program.volts_per_unit(circuit) / full_scale)


def feedback_capacitance(charge: float, load: float, settling: float, resistance: float) -> float:
    """C_f that makes good what an integrator itself loses, farads: ``(C_charge - S settling) / (1 + S resistance)``.

    While its output moves at a rate s its summing node is ``s (settling + resistance C_f)`` off, which drives charge into the
    conductance S of the column.

    Parameters
    ----------
    charge : float
        C_f by charge alone (`charge_capacitance`).
    load : float
        Conductance of the column, siemens.
    settling : float
        `RampCircuit.opamp_settling`, seconds.
    resistance : float
        `RampCircuit.opamp_resistance` and what is in series with it, such as a hold switch, ohm.
    """
    return (charge - load * settling) / (1 + load * resistance)


def pairs_behind(
    weights: npt.ArrayLike, profile: DeviceProfile, wires: dict[str, Any], compensate: str = "mean", *, w_max: float | None = None
) -> WiredPairs:
    """Pairs of rows that hold a matrix in one array with ``wires``, fields of `Crossbar` such as ``r_row``."""

    return wired_pairs(
        weights, profile, lambda g: ArraySolver(Crossbar(g, **wires)).transfer, compensate, layout="rows", w_max=w_max
    )


@checked
@dataclass(frozen=True, eq=False)
class ColumnGroup:
    """Columns that share a ramp.

    Attributes
    ----------
    program : RampProgram
    columns : tuple of int
    chip : Chips, optional
        The one drawn ramp column of the group (``len(chip) == 1``); default as programmed.
    full_scale : float
        Pre-activation that is one unit of the ramp.
    """

    program: RampProgram
    columns: tuple[int, ...]
    chip: Chips | None = None
    full_scale: Positive = 1.0

    def __post_init__(self) -> None:
        ramp = self.ramp
        if len(ramp) != 1:
            raise InputError(f"chip: holds {len(ramp)} ramps; a group of columns shares one")
        ramp.check(self.program)
        if ramp.comparator_noise is not None:
            raise InputError("chip: comparator_noise belongs to the columns' comparators; a tile's deck has none")

    @property
    def ramp(self) -> Chips:
        """The ramp column that is simulated."""
        return Chips.nominal(self.program) if self.chip is None else self.chip


@checked
@dataclass(frozen=True, eq=False)
class Tile:
    """Everything about a tile that is not its inputs; SI units, immutable.

    Attributes
    ----------
    crossbar : Crossbar (2 R, C)
        Rows 2i and 2i+1 hold the positive and the negative cells of input i; wires, drivers and sense resistors are its.
    scale : float
        Siemens per unit of weight.
    groups : tuple of ColumnGroup
        Every column is in exactly one.
    circuit : RampCircuit
        Integrators and comparators, those of the ramps and those of the columns.
    pwm : Pwm
    input_max : float
        Input value of the largest code, in the units of which x = sum w u is made.
    opamp_offset, comparator_offset : ndarray (C,)
        Of each column's integrator and comparator, volts, added to those of ``circuit``; empty, the default: 0.
    r_hold : float
        On-resistance of the switch that separates column and integrator after the MAC, ohm (levels above ``ideal``); at level
        sky130 it sets the width of a transmission gate. Assumption: 440 um of it.
    wire_gain : float
        Loss in the wires that C_f makes good: charge of a unit of weight on ideal wires over that at the columns' ends.
    tau_driver : float
        Time constant of a row driver's edges at level ``macro``, seconds. Assumption.
    autozero : AutoZero or None
        Auto-zero of the columns' integrators; None: their offsets integrate into the columns for the whole MAC.

    Raises
    ------
    InputError
        Shapes, columns that are missing, not there or in two groups, values that cannot be.
    """

    crossbar: Crossbar
    scale: Positive
    groups: tuple[ColumnGroup, ...]
    circuit: RampCircuit = field(default_factory=RampCircuit)
    pwm: Pwm = field(default_factory=Pwm)
    input_max: Positive = 1.0
    opamp_offset: Annotated[np.ndarray, Array(unit="V")] = field(default_factory=lambda: np.zeros(0))
    comparator_offset: Annotated[np.ndarray, Array(unit="V")] = field(default_factory=lambda: np.zeros(0))
    r_hold: Annotated[float, Number(above=0, unit="ohm")] = 5.0
    tau_driver: Seconds = 0.1e-9
    wire_gain: Positive = 1.0
    autozero: AutoZero | None = field(default_factory=AutoZero)

    def __post_init__(self) -> None:
        if self.crossbar.rows % 2:
            raise InputError(f"crossbar: has {self.crossbar.rows} rows; a tile needs pairs of rows")
        for name in ("opamp_offset", "comparator_offset"):
            if not getattr(self, name).size:
                object.__setattr__(self, name, np.zeros(self.columns))
            check(Array((self.columns,)), getattr(self, name), name)
        taken = [j for group in self.groups for j in group.columns]
        chosen_columns(self.crossbar, taken)
        if missing := sorted(set(range(self.columns)) - set(taken)):
            raise InputError(f"column {missing[0]}: is in no group; each column needs a ramp")

    @classmethod
    def from_weights(
        cls,
        weights: npt.ArrayLike,
        profile: DeviceProfile,
        ramps: Sequence[tuple[RampProgram, Sequence[int]]],
        *,
        w_max: float | None = None,
        wires: dict[str, Any] | None = None,
        compensate: str = "mean",
        **settings: Any,
    ) -> Tile:
        """A tile as programmed without error.

        Parameters
        ----------
        weights : array_like (inputs, columns)
        ramps : sequence of (program, columns)
        w_max : float, optional
            Weight that takes the whole conductance range; default the largest magnitude.
        wires : dict, optional
            Fields of `Crossbar` other than the conductances, such as ``r_row``.
        compensate : {"none", "mean", "wires"}
            What makes good their loss (`netlists.array.wire_loss`).
        **settings
            Fields of `Tile`.
        """
        pairs = pairs_behind(weights, profile, wires or {}, compensate, w_max=w_max)
        crossbar = Crossbar(pairs.conductance, **(wires or {}))
        groups = [ColumnGroup(program, tuple(columns)) for program, columns in ramps]
        return cls(crossbar, pairs.scale * pairs.gain, tuple(groups), wire_gain=pairs.gain, **settings)

    @property
    def inputs(self) -> int:
        return self.crossbar.rows // 2

    @property
    def columns(self) -> int:
        return self.crossbar.cols

    def group_of(self, column: int) -> int:
        """Number of the group a column is in."""
        return next(g for g, group in enumerate(self.groups) if column in group.columns)

    def hold_resistance(self, level: str) -> float:
        """On-resistance of the hold switch, ohm."""
        return R_HOLD_IDEAL if level == "ideal" else self.r_hold

    def charge_capacitance(self) -> np.ndarray:
        """C_f by charge alone, (C,), farads: ideal integrators have V_mac in the ramp's units, as far as `wire_gain` says."""
        out, scale = np.empty(self.columns), self.scale / self.wire_gain
        for group in self.groups:
            out[list(group.columns)] = charge_capacitance(
                group.program, self.circuit, self.pwm, scale, full_scale=group.full_scale, input_max=self.input_max
            )
        return out

    def feedback_capacitance(self, level: str = "macro") -> np.ndarray:
        """C_f of each column, shape (C,), farads; the same in all columns of a group.

        Above level ``ideal`` it makes good what the integrator itself loses. While its output moves at a rate s its summing
        node is s / (2 pi gbw) off, and r_o / a0 times the current of C_f, which drives charge into the conductance S of the
        whole column; the hold switch drops its part too. An auto-zero capacitor takes its part of gbw and a0
        (`AutoZero.gain`). With the group's mean S,

            C_f = (C_charge - S / (2 pi gbw)) / (1 + (r_hold + r_o / a0) S)

        What the wires, drivers and sense resistors drop is in `wire_gain`, as far as it is made good.

        Raises
        ------
        InputError
            If nothing is left: the op-amp is too slow for the array and the unit time.
        """
        charge = self.charge_capacitance()
        if level == "ideal":
            return charge
        settling = self.circuit.opamp_settling / (1.0 if self.autozero is None else self.autozero.gain)
        column_sum = self.crossbar.cell_conductance.sum(axis=0)
        out = np.empty(self.columns)
        for group in self.groups:
            at = list(group.columns)
            if not at:
                continue
            mean = float(column_sum[at].mean())
            out[at] = feedback_capacitance(charge[at[0]], mean, settling, self.r_hold + self.circuit.opamp_resistance)
            if out[at[0]] < 0.1 * charge[at[0]]:
                raise InputError(
                    f"gbw={self.circuit.gbw:g} Hz: too slow for columns of {mean:.3g} S and pulses of t_unit={self.pwm.t_unit:g} s "
                    f"(C_f of {charge[at[0]]:.3g} F by charge would have to be {out[at[0]]:.3g} F); raise t_unit or gbw"
                )
        return out

    def mac_window(self) -> tuple[float, float, float]:
        """Times at which the hold switches close, the first PWM period starts and the hold switches open, seconds."""
        closed = self.circuit.t_reset
        start = closed + 5 * self.circuit.t_edge
        return closed, start, start + self.pwm.duration

    def array(self, array: str = "reduced") -> Crossbar:
        """The crossbar that a closed form or a deck with ideal row sources sees.

        ``ideal`` leaves out wires, drivers and sense resistors.
        """
        if array == "ideal":
            return self.crossbar.with_(r_row=0.0, r_col=0.0, r_driver=0.0, r_sense=0.0, c_row=0.0, c_col=0.0)
        return self.crossbar

    @cached_property
    def _solvers(self) -> dict[str, ArraySolver]:
        return {}

    def solver(self, array: str = "reduced") -> ArraySolver:
        """The array's solver, factored once."""
        kind = "ideal" if array == "ideal" else "wired"
        if kind not in self._solvers:
            self._solvers[kind] = ArraySolver(self.array(array))
        return self._solvers[kind]

    def with_(self, **changes: Any) -> Tile:
        """A copy with some fields changed."""
        return replace(self, **changes)
