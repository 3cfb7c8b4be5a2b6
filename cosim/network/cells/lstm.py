"""Long short-term memory, without peepholes; with a projection of its output (Sak et al., arXiv 1402.1128) if asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from netlists.checks import Count, Positive, checked
from netlists.errors import InputError

from .cell import Cell, Datapath, Gate, Matrix, State


@checked
@dataclass(frozen=True)
class LSTM(Cell):
    """``c' = f c + i a``, ``h' = o g(c')``; gates i, f, o and candidate a on the crossbar, the two products digital.

    Attributes
    ----------
    gate, candidate, state : str
        Activations of i, f, o, of a, and of c (tanh in the textbook).
    n_projection : int or None
        ``h' = (o g(c')) P`` has so many rows.
    projection_full_scale : float or None
        The projection's product sits on the crossbar, through a linear ramp of this full scale; None computes it digitally.
    """

    kind: ClassVar[str] = "lstm"
    gate: str = "sigmoid"
    candidate: str = "tanh"
    state: str = "tanh"
    n_projection: Count | None = None
    projection_full_scale: Positive | None = None

    def __post_init__(self) -> None:
        if self.n_projection is None and self.projection_full_scale is not None:
            raise InputError(f"projection_full_scale={self.projection_full_scale}: there is no projection; give n_projection")
        super().__post_init__()

    @property
    def matrices(self) -> tuple[Matrix, ...]:
        n = self.n_hidden
        gates = (Gate("i", self.gate), Gate("f", self.gate), Gate("a", self.candidate), Gate("o", self.gate))
        out = (Matrix("weights", (("x", self.n_in), ("h", self.n_projection or n)), gates, n),)
        if self.n_projection is None:
            return out
        scale = self.projection_full_scale
        linear = Gate("h", "identity", 1.0 if scale is None else scale)
        return (*out, Matrix("projection", (("s", n),), (linear,), self.n_projection, bias=False, digital=scale is None))

    @property
    def state_sizes(self) -> dict[str, int]:
        return {"h": self.n_projection or self.n_hidden, "c": self.n_hidden}

    @property
    def digital_activations(self) -> tuple[str, ...]:
        return (self.state,)

    @property
    def state_range(self) -> float:
        return self.projection_full_scale or 1.0

    def step(self, x: np.ndarray, state: State, on: Datapath) -> State:
        g = on.product("weights", x, state["h"])
        c = g["f"] * state["c"]
        c += g["i"] * g["a"]
        h = on.activate(self.state, c)
        h *= g["o"]
        if self.n_projection is not None:
            h = on.product("projection", h)["h"]
        return {"h": h, "c": c}

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """As any cell's, with the forget gate's biases at 1 to remember at first."""
        out = super().initial_parameters(rng)
        out["weights"][-1, self.matrices[0].columns("f")] = 1.0
        return out
