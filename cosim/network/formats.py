"""Fixed-point formats of weights, inputs and states: so many bits, and where the binary point is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from netlists.check_rules import Whole
from netlists.checks import PwmBits, checked
from netlists.errors import InputError

from .cells import Cell

EXPONENTS = (-12, 12)


@checked
@dataclass(frozen=True)
class FixedPoint:
    """Multiples of ``2**(exponent + 1 - bits)`` up to almost ``2**exponent``, alike on both sides of 0.

    Attributes
    ----------
    bits : int
        Sign included, as pulse widths count them (`netlists.array.Pwm`).
    exponent : int
    """

    bits: PwmBits
    exponent: Annotated[int, Whole(*EXPONENTS)]

    @property
    def step(self) -> float:
        return 2.0 ** (self.exponent + 1 - self.bits)

    @property
    def largest(self) -> float:
        return (2 ** (self.bits - 1) - 1) * self.step

    def round(self, values: np.ndarray) -> np.ndarray:
        """The nearest number of the format, type kept."""
        codes = np.clip(np.rint(values / self.step), 1 - 2 ** (self.bits - 1), 2 ** (self.bits - 1) - 1)
        return codes * values.dtype.type(self.step)


Formats = Mapping[str, FixedPoint]
"""By ``layer.direction.matrix`` for weights, and ``layer.direction.matrix.part`` for what drives its rows."""


def format_names(layers: Sequence[tuple[Cell, int]]) -> Iterator[str]:
    """Names of all formats of layers with so many directions: each matrix on arrays, followed by its parts."""
    for i, (cell, directions) in enumerate(layers):
        for d in range(directions):
            for m in cell.matrices:
                if not m.digital:
                    yield f"{i}.{d}.{m.name}"
                    yield from (f"{i}.{d}.{m.name}.{part}" for part, _ in m.parts)


def formats_text(formats: Formats) -> str:
    """JSON of formats."""
    return json.dumps({name: [f.bits, f.exponent] for name, f in formats.items()})


def formats_of(text: str) -> dict[str, FixedPoint]:
    """Formats from `formats_text`; `InputError` if it is damaged."""
    try:
        found: dict[str, Any] = json.loads(text)
        return {str(name): FixedPoint(*pair) for name, pair in found.items()}
    except (json.JSONDecodeError, TypeError, AttributeError, ValueError) as e:
        raise InputError(f"formats: is damaged ({e})") from None


def check_formats(formats: Formats, layers: Sequence[tuple[Cell, int]]) -> None:
    """Raises `InputError` for a name that is missing or unknown."""
    names = list(format_names(layers))
    if unfit := sorted(set(formats) ^ set(names)):
        what = "unknown" if unfit[0] in formats else "missing"
        raise InputError(f"formats: {unfit[0]} is {what}; the network has {', '.join(names)}")


def check_weights(name: str, fixed: FixedPoint, weights: np.ndarray) -> None:
    """Raises `InputError` for a weight that is no number of its format."""
    if len(bad := np.argwhere(np.abs(fixed.round(weights) - weights) > 1e-6 * fixed.step)):
        raise InputError(
            f"formats: weight {name}[{bad[0][0]}, {bad[0][1]}]={weights[tuple(bad[0])]:g} is no multiple of {fixed.step:g} up to "
            f"{fixed.largest:g}"
        )
