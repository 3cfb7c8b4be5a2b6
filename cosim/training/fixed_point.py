"""Training in fixed-point formats whose binary points are learned with the weights, by gradients straight through the roundings."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cosim.network import DIRECTIONS, FixedPoint
from cosim.network.cells import Cell, Matrix
from cosim.training.gradients import learned_format
from netlists.checks import Positive, PwmBits, checked

WEIGHT_POINT = 1.0
"""Where the binary point of weights starts: they reach almost 2."""


@checked
@dataclass(frozen=True)
class FixedPointTraining:
    """Formats of a training: a binary point of each matrix's weights, inputs and states, as real numbers that are rounded in use.

    Attributes
    ----------
    bits : int
        Of every format, sign included.
    learned : bool
        Else the points stay where they start.
    largest_input : float
        That formats of inputs hold at the start.
    """

    bits: PwmBits
    learned: bool = True
    largest_input: Positive = 4.0

    def start(self, cells: Sequence[Cell], directions: Sequence[Sequence[str]]) -> dict[str, np.ndarray]:
        """Points by ``formats.layer.direction.matrix``: the exponent of the weights, then of each part."""
        out: dict[str, np.ndarray] = {}
        for i, d, m in _places(cells, directions):
            states, below = cells[i].state_range, cells[i - 1].state_range if i else self.largest_input
            points = [WEIGHT_POINT, *(math.ceil(math.log2(below if name == "x" else states)) for name, _ in m.parts)]
            out[f"formats.{i}.{d}.{m.name}"] = np.array([points], float)
        return out

    def formats(
        self, parameters: Mapping[str, np.ndarray], cells: Sequence[Cell], directions: Sequence[Sequence[str]]
    ) -> dict[str, FixedPoint]:
        """The formats that points stand for, as a network has them."""
        out: dict[str, FixedPoint] = {}
        for i, d, m in _places(cells, directions):
            points = parameters[f"formats.{i}.{d}.{m.name}"].ravel()
            names = [f"{i}.{d}.{m.name}", *(f"{i}.{d}.{m.name}.{part}" for part, _ in m.parts)]
            out |= {n: learned_format(self.bits, p) for n, p in zip(names, points, strict=True)}
        return out

    def rounded(self, parameters: Mapping[str, np.ndarray], formats: Mapping[str, FixedPoint]) -> dict[str, np.ndarray]:
        """Weights as numbers of their formats, by their names among the parameters."""
        out = {}
        for name, fixed in formats.items():
            if len(place := name.split(".")) == 3:
                own = f"layers.{place[0]}.{DIRECTIONS[int(place[1])]}.{place[2]}"
                out[own] = fixed.round(parameters[own].astype(np.float64))
        return out


def _places(cells: Sequence[Cell], directions: Sequence[Sequence[str]]) -> Iterator[tuple[int, int, Matrix]]:
    """Layer, direction and matrix of everything on arrays."""
    for i, cell in enumerate(cells):
        for d in range(len(directions[i])):
            yield from ((i, d, m) for m in cell.matrices if not m.digital)
