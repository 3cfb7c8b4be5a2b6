"""Activations of one's own: a Python callable, a CSV table, a polynomial or a spline, carried as plain data.

A plan has to be complete in itself: whoever reads it must get the same ramp. So a function that is not built in is
kept as its points and the way to connect them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.polynomial import Polynomial

from netlists.checks import Choice, Items, Name, check, checked
from netlists.errors import InputError
from netlists.files import read_text

from .activations import ACTIVATIONS, Activation, get_activation, increasing_pair
from .thresholds import output_range

INTERPOLATIONS = ("pchip", "cubic")
MAX_POINTS = 20_000
_FIRST_POINTS = 257
_SAMPLING_ERROR = 1e-5
"""Largest error of a sampled callable between its points, as a part of its output range."""
_FINEST_INTERVAL = 2.0**-20
_CSV_BYTES = 4_000_000


@checked
@dataclass(frozen=True)
class ActivationTable:
    """A function by its points.

    Attributes
    ----------
    name : str
        Letters, digits, ``-`` and ``_``; not the name of a built-in activation.
    x, y : tuple of float
        Points, x increasing, at least 4.
    interpolation : {"pchip", "cubic"}
        How they are connected. ``pchip`` stays monotonic between the points (Fritsch and Butland 1984); ``cubic`` is the
        natural cubic spline through them, twice differentiable, as Kolmogorov-Arnold networks use.
    """

    name: Name
    x: Annotated[tuple[float, ...], Items(4, increasing=True)]
    y: tuple[float, ...]
    interpolation: Annotated[str, Choice(INTERPOLATIONS)] = "pchip"

    def __post_init__(self) -> None:
        if self.name in ACTIVATIONS:
            raise InputError(f"activation name={self.name!r}: is built in; take another name for your own")
        if len(self.x) != len(self.y) or len(self.x) > MAX_POINTS:
            raise InputError(
                f"activation {self.name}: has {len(self.x)} x and {len(self.y)} y; must be as many of both, at most {MAX_POINTS}"
            )
        if min(self.y) == max(self.y):
            raise InputError(f"activation {self.name}: y is {self.y[0]:g} at every point; a constant needs no converter")

    def activation(self) -> Activation:
        """The function between the first and last point; constant beyond."""
        return _activation(self)


@lru_cache(maxsize=32)
def _activation(table: ActivationTable) -> Activation:
    from scipy.interpolate import CubicSpline, PchipInterpolator

    x, y = np.array(table.x), np.array(table.y)
    curve = PchipInterpolator(x, y) if table.interpolation == "pchip" else CubicSpline(x, y, bc_type="natural")
    derivative = curve.derivative()

    def value(at: np.ndarray) -> np.ndarray:
        return curve(np.clip(at, x[0], x[-1]))

    def slope(at: np.ndarray) -> np.ndarray:
        return np.where((at < x[0]) | (at > x[-1]), 0.0, derivative(at))

    domain = (table.x[0], table.x[-1])
    return Activation(table.name, value, None, slope, *output_range(table.name, value, domain), *domain)


def as_activation(which: str | ActivationTable | Activation) -> Activation:
    """A built-in activation by its name, a table's, or the one given."""
    if isinstance(which, Activation):
        return which
    return which.activation() if isinstance(which, ActivationTable) else get_activation(which)


def from_callable(name: str, f: Callable[[np.ndarray], np.ndarray], x_min: float, x_max: float) -> ActivationTable:
    """Samples a function of an array on a domain, more finely where it bends or jumps.

    Points are added until the curve through them is within 1e-5 of the output range, or an interval is a millionth of the
    domain: a jump ends as a steep line of that width. What happens within 1/256 of the domain can be missed.

    Raises
    ------
    InputError
        A domain that is none, a function that fails, has another shape or is not finite.
    """
    from scipy.interpolate import PchipInterpolator

    x_min, x_max = increasing_pair("domain", (x_min, x_max))
    x = np.linspace(x_min, x_max, _FIRST_POINTS)
    y = _sample(name, f, x)
    while True:
        middle = 0.5 * (x[1:] + x[:-1])
        true = _sample(name, f, middle)
        scale = max(float(np.ptp(np.append(y, true))), 1e-300)
        poor = np.abs(PchipInterpolator(x, y)(middle) - true) > _SAMPLING_ERROR * scale
        poor &= np.diff(x) > _FINEST_INTERVAL * (x_max - x_min)
        if not poor.any():
            return ActivationTable(name, tuple(x), tuple(y))
        if len(x) + poor.sum() > MAX_POINTS:
            raise InputError(f"activation {name}: needs more than {MAX_POINTS} points between {x_min:g} and {x_max:g}; smooth it")
        order = np.argsort(np.append(x, middle[poor]))
        x, y = np.append(x, middle[poor])[order], np.append(y, true[poor])[order]


def _sample(name: str, f: Callable[[np.ndarray], np.ndarray], x: np.ndarray) -> np.ndarray:
    try:
        y = np.asarray(f(x.copy()), float)
    except Exception as e:
        raise InputError(
            f"activation {name}: the function failed on an array of inputs ({type(e).__name__}: {e}); "
            "a function of one number can be wrapped in numpy.vectorize"
        ) from e
    if y.shape != x.shape:
        raise InputError(
            f"activation {name}: the function gives shape {y.shape} for an array of shape {x.shape}; it must keep the shape"
        )
    if len(bad := np.flatnonzero(~np.isfinite(y))):
        raise InputError(f"activation {name}: is {y[bad[0]]} at x = {x[bad[0]]:g}; it must be finite on its whole domain")
    return y


def polynomial(name: str, coefficients: Sequence[float], x_min: float, x_max: float) -> ActivationTable:
    """The polynomial ``c0 + c1 x + c2 x^2 + ...`` on a domain."""
    c = check(Annotated[tuple[float, ...], Items(2)], coefficients, "coefficients")
    return from_callable(name, Polynomial(c), x_min, x_max)


def cubic_spline(name: str, knots: Sequence[float], values: Sequence[float]) -> ActivationTable:
    """The natural cubic spline through ``values`` at increasing ``knots``."""
    return ActivationTable(name, tuple(knots), tuple(values), "cubic")


def load_table(path: str | Path, *, name: str | None = None) -> ActivationTable:
    """Reads a CSV file of two columns, x and y, comma-separated, with or without one line of headings.

    Parameters
    ----------
    name : str, optional
        The file's own by default.

    Raises
    ------
    InputError
        File that cannot be read, a line that is not two numbers, x that does not increase.
    """
    path = Path(path)
    text = read_text(path, "activation table", limit=_CSV_BYTES)
    rows = [(n, line.split(",")) for n, line in enumerate(text.splitlines(), 1) if line.strip() and not line.startswith("#")]
    if rows and not _numbers(rows[0][1]):
        rows = rows[1:]
    points = []
    for n, cells in rows:
        if not (row := _numbers(cells)):
            raise InputError(f"{path}, line {n}: {','.join(cells)[:60]!r} is not two numbers x,y")
        points.append(row)
    if not points:
        raise InputError(f"{path}: the activation table has no line x,y")
    x, y = zip(*points, strict=True)
    return ActivationTable(path.stem if name is None else name, x, y)


def _numbers(cells: list[str]) -> tuple[float, float] | None:
    try:
        x, y = (float(c) for c in cells)
    except ValueError:
        return None
    return x, y
