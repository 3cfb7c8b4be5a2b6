"""One converter as numbers: the transition levels of a drawn chip's column, or of a corner of a fitted model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from characterization.ramp_model import RampDraw, RampModel
from netlists.errors import InputError


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

    name: str
    levels: np.ndarray
    codes: np.ndarray
    values: np.ndarray
    v_cm: float
    volts_per_unit: float
    origin: str

    def __post_init__(self) -> None:
        if not self.name.isidentifier() or not self.name.isascii():
            raise InputError(f"name={self.name!r}: must be letters, digits and underscores, and not begin with a digit")
        levels = np.maximum.accumulate(np.asarray(self.levels, float))
        if levels.ndim != 1 or len(levels) == 0 or not np.all(np.isfinite(levels)):
            raise InputError(f"levels: must be a row of finite numbers, got shape {levels.shape}")
        for field in ("codes", "values"):
            if np.shape(getattr(self, field)) != (len(levels) + 1,):
                raise InputError(f"{field}: has shape {np.shape(getattr(self, field))}, must be ({len(levels) + 1},)")
        object.__setattr__(self, "levels", levels)

    def passed(self, x: np.ndarray) -> np.ndarray:
        """Number of levels below each input (any shape, input units)."""
        return np.searchsorted(self.levels, x, side="left")

    def convert(self, x: np.ndarray) -> np.ndarray:
        """Codes of inputs, shape of x."""
        return np.asarray(self.codes)[self.passed(x)]

    def steps(self, what: str) -> list[tuple[float, float]]:
        """(level in volts above analog ground, change) of each level where ``codes`` or ``values`` change."""
        change = np.diff(np.asarray(getattr(self, what), float))
        volts = self.levels * self.volts_per_unit
        merged: dict[float, float] = {}
        for level, step in zip(volts.tolist(), change.tolist(), strict=True):
            merged[level] = merged.get(level, 0.0) + step
        return [(level, step) for level, step in merged.items() if step]


def _scale(model: RampModel) -> dict[str, Any]:
    plan, program = model.ramp_plan, model.program
    return {
        "codes": np.asarray(program.codes),
        "values": np.asarray(program.values),
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
        name or f"nladc_{model.activation}{model.bits}",
        draw.thresholds[chip] + draw.column_offset[chip, column],
        origin=f"drawn chip {chip}, column {column}; model plan {model.ramp_plan.sha256[:12]}",
        **_scale(model),
    )


def of_corner(model: RampModel, sigmas: float = 0.0, *, name: str | None = None) -> StaticConverter:
    """The mean chip with every level moved by ``sigmas`` of its own standard deviations; 0 is the mean chip.

    Raises
    ------
    InputError
        ``sigmas`` is not finite.
    """
    if not np.isfinite(sigmas):
        raise InputError(f"sigmas={sigmas}: must be a finite number")
    return StaticConverter(
        name or f"nladc_{model.activation}{model.bits}",
        model.mean + sigmas * np.sqrt(np.diag(model.covariance)),
        origin=f"mean of the fitted chips {sigmas:+g} sigma; model plan {model.ramp_plan.sha256[:12]}",
        **_scale(model),
    )
