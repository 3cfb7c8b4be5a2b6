"""A layer of a network: a cell and its weights, in one direction or both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cosim.network.cells import Cell, Weights
from netlists.checks import checked

DIRECTIONS = ("forward", "backward")


@checked
@dataclass(frozen=True, eq=False)
class Layer:
    """One layer: a cell and its weights, in one direction or both.

    Attributes
    ----------
    cell : Cell
    forward : dict of ndarray
        A matrix for each of the cell's `Matrix`: rows [parts, bias], columns the gates.
    backward : dict of ndarray or None
        The same for the direction from the end to the start; outputs are [forward, backward].
    """

    cell: Cell
    forward: Mapping[str, Weights]
    backward: Mapping[str, Weights] | None = None

    def __post_init__(self) -> None:
        for direction, parameters in zip(DIRECTIONS, self.directions, strict=False):
            self.cell.check_parameters(parameters, direction)

    @property
    def directions(self) -> tuple[dict[str, np.ndarray], ...]:
        """Parameters of the forward direction and, if there is one, of the backward direction."""
        return tuple(dict(p) for p in (self.forward, self.backward) if p is not None)

    @property
    def n_out(self) -> int:
        return self.cell.n_out * len(self.directions)

    @property
    def n_weights(self) -> int:
        return sum(w.size for parameters in self.directions for w in parameters.values())
