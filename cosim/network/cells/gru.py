"""Gated recurrent unit, with the reset gate before or after the state's product."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from netlists.check_rules import Choice
from netlists.checks import Positive, checked

from .cell import Cell, Datapath, Gate, Matrix, State

RESET = ("after", "before")


@checked
@dataclass(frozen=True)
class GRU(Cell):
    """``h' = (1 - z) n + z h`` with update gate z and reset gate r; the products with z and r are digital.

    ``reset="after"`` is cuDNN's and PyTorch's: ``n = tanh(W x + b + r (U h + b'))``. The reset gate multiplies a part of the
    candidate's pre-activation, so both parts are converted by linear ramps and the candidate's tanh is digital.
    ``reset="before"`` is Cho et al.'s (arXiv 1406.1078): ``n = tanh(W x + U (r h) + b)``, in a second pass over the crossbar,
    through a tanh ramp.

    Attributes
    ----------
    gate, candidate : str
        Activations of r and z, and of n.
    reset : {"after", "before"}
    linear_full_scale : float
        Full scale of the two linear ramps of ``reset="after"``. Assumption: 4, where tanh is within 0.07 % of its end.
    """

    kind: ClassVar[str] = "gru"
    gate: str = "sigmoid"
    candidate: str = "tanh"
    reset: Annotated[str, Choice(RESET)] = "after"
    linear_full_scale: Positive = 4.0

    @property
    def matrices(self) -> tuple[Matrix, ...]:
        parts = (("x", self.n_in), ("h", self.n_hidden))
        gates = (Gate("r", self.gate), Gate("z", self.gate))
        if self.reset == "before":
            return (
                Matrix("weights", parts, gates, self.n_hidden),
                Matrix("candidate", (("x", self.n_in), ("rh", self.n_hidden)), (Gate("n", self.candidate),), self.n_hidden),
            )
        # The two parts of the candidate are columns of their own; both have a bias, as in PyTorch.
        linear = (Gate("n_x", "identity", self.linear_full_scale), Gate("n_h", "identity", self.linear_full_scale))
        return (Matrix("weights", parts, gates + linear, self.n_hidden, absent=(("h", "n_x"), ("x", "n_h"))),)

    @property
    def state_sizes(self) -> dict[str, int]:
        return {"h": self.n_hidden}

    @property
    def digital_activations(self) -> tuple[str, ...]:
        return (self.candidate,) if self.reset == "after" else ()

    def step(self, x: np.ndarray, state: State, on: Datapath) -> State:
        h = state["h"]
        g = on.product("weights", x, h)
        if self.reset == "after":
            n = on.activate(self.candidate, g["n_x"] + g["r"] * g["n_h"])
        else:
            n = on.product("candidate", x, g["r"] * h)["n"]
        return {"h": n + g["z"] * (h - n)}
