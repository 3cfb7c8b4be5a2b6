"""How a ramp's levels move with read voltage, temperature or supply: tables fitted to runs at other conditions."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema, model_validator

from netlists.errors import InputError

QUANTITIES = {"v_read": "V", "temperature": "deg C", "supply": "V"}


def finite_array(value: Any) -> np.ndarray:
    """A float array; ValueError names what it is not."""
    try:
        array = np.asarray(value, dtype=float)
    except TypeError:
        raise ValueError("is not a list of numbers") from None
    if not np.all(np.isfinite(array)):
        raise ValueError("holds a value that is not finite")
    return array


Array = Annotated[
    np.ndarray,
    BeforeValidator(finite_array),
    PlainSerializer(lambda a: a.tolist()),
    WithJsonSchema({"type": "array", "items": {"anyOf": [{"type": "number"}, {"type": "array", "items": {"type": "number"}}]}}),
]


class ConditionTable(BaseModel):
    """Levels at other values of one quantity, relative to those at the value the model was fitted at.

    Between the values everything is interpolated linearly; outside them nothing is known. Effects of several quantities
    are taken as independent: shifts add, scales multiply (an assumption).

    Attributes
    ----------
    quantity : {"v_read", "temperature", "supply"}
    unit : str
    nominal : float
        Value the model was fitted at; one of ``values``.
    values : ndarray (m,)
        Increasing.
    shift : ndarray (m, levels)
        Mean of the calibrated levels minus that at the nominal value, input units.
    shift_before : ndarray (m, levels)
        The same before calibration.
    scale, scale_before : ndarray (m,)
        Standard deviation of the levels over that at the nominal value, median over the levels.
    offset, noise, read_noise : ndarray (m,)
        Comparator offset and comparator noise (input units) and read noise (siemens) over those at the nominal value.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    quantity: Literal["v_read", "temperature", "supply"]
    unit: str
    nominal: float
    values: Array
    shift: Array
    shift_before: Array
    scale: Array
    scale_before: Array
    offset: Array
    noise: Array
    read_noise: Array

    @model_validator(mode="after")
    def _consistent(self) -> ConditionTable:
        if self.unit != QUANTITIES[self.quantity]:
            raise ValueError(f"unit: {self.unit!r}, must be {QUANTITIES[self.quantity]!r} for {self.quantity}")
        m = len(self.values)
        if self.values.ndim != 1 or m < 2 or np.any(np.diff(self.values) <= 0):
            raise ValueError("values: must be 2 or more increasing numbers")
        if not np.any(np.isclose(self.values, self.nominal)):
            raise ValueError(f"nominal: {self.nominal} is not one of the values")
        for name in ("scale", "scale_before", "offset", "noise", "read_noise"):
            if getattr(self, name).shape != (m,) or np.any(getattr(self, name) < 0):
                raise ValueError(f"{name}: must be {m} numbers, 0 or more")
        for name in ("shift", "shift_before"):
            if getattr(self, name).ndim != 2 or len(getattr(self, name)) != m:
                raise ValueError(f"{name}: has shape {getattr(self, name).shape}, must be ({m}, levels)")
        return self

    def at(self, value: float) -> dict[str, Any]:
        """Shifts and scales at a value of the quantity.

        Raises
        ------
        InputError
            A value outside the table.
        """
        low, high = self.values[0], self.values[-1]
        if not low <= value <= high:
            raise InputError(f"{self.quantity}={value:g} {self.unit}: the model was fitted from {low:g} to {high:g} {self.unit}")
        out: dict[str, Any] = {}
        for name in ("scale", "scale_before", "offset", "noise", "read_noise"):
            out[name] = float(np.interp(value, self.values, getattr(self, name)))
        for name in ("shift", "shift_before"):
            table = getattr(self, name)
            out[name] = np.array([np.interp(value, self.values, column) for column in table.T])
        return out
