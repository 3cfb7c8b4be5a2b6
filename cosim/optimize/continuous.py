"""Designs between the places of the grids: coordinates in which a step along each variable is one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .space import Point, Space

DIGITS = 6
"""Of a value that lies between two places."""


@dataclass(frozen=True, eq=False)
class Places:
    """Coordinates of a space's free variables: 0 at a grid's first value, 1 at its second, linear in the logarithm between."""

    space: Space

    @property
    def whole(self) -> np.ndarray:
        """Which variables are whole numbers, and stay on their grid: bool (variables,)."""
        return np.array([v.whole for v in self.space.free], bool)

    @property
    def ends(self) -> np.ndarray:
        """Largest coordinates (variables,)."""
        return np.array([len(v.grid) - 1.0 for v in self.space.free])

    @cached_property
    def _logs(self) -> list[np.ndarray]:
        return [np.log(np.array(v.grid, float)) for v in self.space.free]

    @cached_property
    def _steps(self) -> list[np.ndarray]:
        """Step after each place; after the last the one before it, or none."""
        return [np.append(np.diff(g), np.diff(g)[-1:] if len(g) > 1 else 0.0) for g in self._logs]

    def of(self, point: Mapping[str, float]) -> np.ndarray:
        """Coordinates of a point."""
        free = zip(self.space.free, self._logs, strict=True)
        return np.array([np.interp(np.log(point[v.name]), g, np.arange(len(g))) for v, g in free])

    def values(self, at: np.ndarray) -> dict[str, np.ndarray]:
        """Values of all variables at coordinates (..., variables), which may be complex."""
        out: dict[str, np.ndarray] = {}
        # At a place itself the value is exact, and the slope that of the step after it.
        below = at.real.astype(int)
        for i, (v, g, step) in enumerate(zip(self.space.free, self._logs, self._steps, strict=True)):
            k = below[..., i]
            out[v.name] = np.exp(g[k] + (at[..., i] - k) * step[k])
        shape = at.shape[:-1]
        return out | {v.name: np.full(shape, float(self.space.default[v.name])) for v in self.space.variables if v.name not in out}

    def point(self, at: np.ndarray) -> Point:
        """The design at coordinates (variables,), its values with so many digits; whole numbers are the grid's."""
        index = {v.name: round(float(u)) for v, u in zip(self.space.free, at, strict=True)}
        point, values = self.space.point(index), self.values(at)
        for v, u in zip(self.space.free, at, strict=True):
            if not v.whole and abs(u - round(float(u))) > 1e-9:
                point[v.name] = float(f"{float(values[v.name]):.{DIGITS}g}")
        return point
