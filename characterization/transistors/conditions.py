"""Figures at a process corner, a temperature and a supply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from netlists.testbench import At


@dataclass(frozen=True)
class FiguresAt:
    """Figures of a block and the conditions they were measured at; temperature in degrees Celsius, supply in volts."""

    corner: str
    temperature: float
    v_dd: float

    @classmethod
    def at(cls, conditions: At, *figures: Any) -> Self:
        """Figures in the order of the fields after the conditions."""
        return cls(conditions.corner, conditions.temperature, conditions.v_dd, *figures)
