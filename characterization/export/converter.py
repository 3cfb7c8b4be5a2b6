"""One converter as numbers: the transition levels of a drawn chip's column, or of a corner of a fitted model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np

from characterization.ramp_model import RampDraw, RampModel
from characterization.streams import chip_ramp_stream
from netlists.checks import Array, Finite, Text, Whole, check, checked
from netlists.errors import InputError

Identifier = Annotated[str, Text("letters, digits and underscores, and not begin with a digit", "[A-Za-z_][A-Za-z0-9_]*")]
Steps = Annotated[np.ndarray, Array(("steps",))]


@checked
@dataclass(frozen=True, eq=False)
class StaticConverter:
    """A noise-free converter: input -> number of levels passed -> code and output value.

    Attributes
    ----------
    name : str
        Made of letters, digits and underscores; the name of the subcircuit or module.
    levels : ndarray (n,)
        Transition levels, activation input units, never decreasing: a ramp trips at the first level that reaches the input,
        so a level below an earlier one counts as that one.
    codes : ndarray of int (n + 1,)
        Code after 0, 1, ... n levels were passed.
    values : ndarray (n + 1,)
        Output of the activation that each of them stands for.
    v_cm, volts_per_unit : float
        Input voltage that stands for 0, and volts per input unit.
    origin : str
        Where the numbers come from, for the header.
    """

    name: Identifier
    levels: Steps
    codes: Steps
    values: Steps
    v_cm: float
    volts_per_unit: float
    origin: str

    def __post_init__(self) -> None:
        for field in ("codes", "values"):
            if len(row := getattr(self, field)) != len(self.levels) + 1:
                raise InputError(f"{field}: has shape {row.shape}, must be ({len(self.levels) + 1},)")
        object.__setattr__(self, "levels", np.maximum.accumulate(self.levels))
        object.__setattr__(self, "codes", self.codes.astype(int))

    def passed(self, x: np.ndarray) -> np.ndarray:
        """Number of levels below each input (any shape, input units)."""
        return np.searchsorted(self.levels, x, side="left")

    def convert(self, x: np.ndarray) -> np.ndarray:
        """Codes of inputs, shape of x."""
        return self.codes[self.passed(x)]

    def steps(self, what: str) -> list[tuple[float, float]]:
        """(level in volts above analog ground, change) of each level where ``codes`` or ``values`` change."""
        change = np.diff(getattr(self, what).astype(float))
        volts = self.levels * self.volts_per_unit
        merged: dict[float, float] = {}
        for level, step in zip(volts.tolist(), change.tolist(), strict=True):
            merged[level] = merged.get(level, 0.0) + step
        return [(level, step) for level, step in merged.items() if step]


def _scale(model: RampModel) -> dict[str, Any]:
    plan, program = model.ramp_plan, model.program
    return {
        "codes": program.codes,
        "values": program.values,
        "v_cm": plan.circuit.v_cm,
        "volts_per_unit": program.volts_per_unit(plan.circuit),
    }


def of_chip(model: RampModel, draw: RampDraw, chip: int = 0, column: int = 0, *, name: str | None = None) -> StaticConverter:
    """Column ``column`` of drawn chip ``chip``, its comparator's offset included.

    Raises
    ------
    InputError
        A chip or column that was not drawn, or a draw of another ramp.
    """
    if draw.thresholds.shape[1] != len(model.x_ideal) or draw.activation != model.activation:
        raise InputError(f"draw: is of {draw.activation} with {draw.thresholds.shape[1]} levels, the model of {model.activation}")
    columns = draw.column_offset.shape[1]
    if not 0 <= chip < draw.n_chips or not 0 <= column < columns:
        raise InputError(f"chip={chip}, column={column}: drawn were {draw.n_chips} chips of {columns} columns")
    return StaticConverter(
        f"nladc_{model.activation}{model.bits}" if name is None else name,
        draw.thresholds[chip] + draw.column_offset[chip, column],
        origin=f"drawn chip {chip}, column {column}; model plan {model.ramp_plan.sha256[:12]}",
        **_scale(model),
    )


def of_numbered_chip(model: RampModel, seed: int, chip: int, column: int = 0, *, name: str | None = None) -> StaticConverter:
    """Column ``column`` of the chip that a seed and a number alone give: all columns asked for are of the same chip.

    Raises
    ------
    InputError
        Of columns that are trimmed, one beyond the plan's.
    """
    plan = model.ramp_plan
    check(Annotated[int, Whole(0)], chip, "chip")
    check(Annotated[int, Whole(0)], column, "column")
    if plan.column_trim_reach and column >= plan.columns:
        raise InputError(f"column={column}: a chip of this plan has {plan.columns} trimmed columns, 0..{plan.columns - 1}")
    # Always all columns of a chip: what is drawn for one depends on how many there are.
    draw = model.sample(1, max(plan.columns, column + 1), chip_ramp_stream(seed, chip, 0))
    origin = f"drawn chip {chip}, column {column}; seed {seed}; model plan {plan.sha256[:12]}"
    return replace(of_chip(model, draw, 0, column, name=name), origin=origin)


def of_corner(model: RampModel, sigmas: float = 0.0, *, name: str | None = None) -> StaticConverter:
    """The mean chip with every level moved by ``sigmas`` of its own standard deviations; 0 is the mean chip.

    Raises
    ------
    InputError
        ``sigmas`` is not finite.
    """
    check(Finite, sigmas, "sigmas")
    return StaticConverter(
        f"nladc_{model.activation}{model.bits}" if name is None else name,
        model.mean + sigmas * np.sqrt(np.diag(model.covariance)),
        origin=f"mean of the fitted chips {sigmas:+g} sigma; model plan {model.ramp_plan.sha256[:12]}",
        **_scale(model),
    )
