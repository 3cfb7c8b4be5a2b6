"""The vanilla recurrent network of Elman: one activation, all of it on the crossbar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from netlists.checks import Positive, checked
from netlists.function import get_activation

from .cell import Cell, Datapath, Gate, Matrix, State


@checked
@dataclass(frozen=True)
class Vanilla(Cell):
    """``h' = g(W x + U h + b)`` (Elman, Cognitive Science 14, 1990, 179-211).

    Attributes
    ----------
    activation : str
    full_scale : float
        The ramp's input and output are in units of this: a ReLU's ramp covers 0..3 of them.
    unbounded : bool
        Without a ramp the ReLU has no upper end, as in deep-learning frameworks.
    """

    kind: ClassVar[str] = "vanilla"
    activation: str = "tanh"
    full_scale: Positive = 1.0
    unbounded: bool = False

    @property
    def matrices(self) -> tuple[Matrix, ...]:
        parts = (("x", self.n_in), ("h", self.n_hidden))
        gate = Gate("h", self.activation, self.full_scale, self.unbounded)
        return (Matrix("weights", parts, (gate,), self.n_hidden),)

    @property
    def state_range(self) -> float:
        g = get_activation(self.activation)
        return self.full_scale * max(abs(g.y_min), abs(g.y_max))

    @property
    def state_sizes(self) -> dict[str, int]:
        return {"h": self.n_hidden}

    def step(self, x: np.ndarray, state: State, on: Datapath) -> State:
        return {"h": on.product("weights", x, state["h"])["h"]}
