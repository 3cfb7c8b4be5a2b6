"""Slope of an activation as a table: what a straight-through gradient puts in place of the staircase's."""

from __future__ import annotations

import numpy as np

from characterization.ramp_model import RampDraw, RampModel
from netlists.errors import InputError

POINTS = 2049


def check_chip(model: RampModel, draw: RampDraw, chip: int) -> None:
    """Raises `InputError` for a chip that was not drawn, or a draw of another activation."""
    if not 0 <= chip < draw.n_chips:
        raise InputError(f"chip={chip}: drawn were {draw.n_chips} chips")
    if draw.activation != model.activation:
        raise InputError(f"draw: is of {draw.activation}, the model of {model.activation}")


def slope_table(model: RampModel) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and slopes of the model's activation, shapes (POINTS,): from below the first level to above the last.

    By central differences of the activation itself. Outside the table the outermost slope counts.
    """
    x = model.x_ideal
    reach = max(float(x[-1] - x[0]), float(model.lsb.max()))
    at = np.linspace(x[0] - reach, x[-1] + reach, POINTS)
    h = (at[1] - at[0]) / 2
    g = model.function.value
    return at, (g(at + h) - g(at - h)) / (2 * h)
