"""The vanilla recurrent network of Elman: one activation, all of it on the crossbar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .cell import Cell, Datapath, Gate, Matrix, State


@dataclass(frozen=True)
class Vanilla(Cell):
    """``h' = g(W x + U h + b)`` (Elman, Cognitive Science 14, 1990, 179-211).

    Attributes
    ----------
    activation : str
    """

    kind: ClassVar[str] = "vanilla"
    activation: str = "tanh"

    @property
    def matrices(self) -> tuple[Matrix, ...]:
        parts = (("x", self.n_in), ("h", self.n_hidden))
        return (Matrix("weights", parts, (Gate("h", self.activation),), self.n_hidden),)

    @property
    def state_sizes(self) -> dict[str, int]:
        return {"h": self.n_hidden}

    def step(self, x: np.ndarray, state: State, on: Datapath) -> State:
        return {"h": on.product("weights", x, state["h"])["h"]}
