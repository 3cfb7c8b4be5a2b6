"""sLSTM: exponential gates with a normaliser and a stabiliser, without peepholes, as FlashRNN computes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from netlists.check_rules import Choice
from netlists.checks import Positive, checked

from .cell import Cell, Datapath, Gate, Matrix, State

FORGET_GATES = ("exponential", "sigmoid")


@checked
@dataclass(frozen=True)
class SLSTM(Cell):
    """``c' = f c + i a``, ``n' = f n + i``, ``h' = o c' / n'`` with ``i = exp(z_i)`` (Beck et al., arXiv 2405.04517; arXiv
    2412.07752).

    The stabiliser ``m' = max(log f + m, z_i)`` divides both gates by exp(m'), which cancels in c / n. Candidate and output gate go
    through their ramps. The pre-activations z_i and z_f go through linear ramps; exponentials and stabiliser are digital.

    Attributes
    ----------
    gate, candidate : str
        Activations of o and of a.
    forget : {"exponential", "sigmoid"}
        ``f = exp(z_f)`` or ``f = sigmoid(z_f)``, whose logarithm is digital.
    linear_full_scale : float
        Full scale of the linear ramps of z_i and z_f. Assumption: 8, a ratio of exp(16) between the largest and smallest gate.
    """

    kind: ClassVar[str] = "slstm"
    gate: str = "sigmoid"
    candidate: str = "tanh"
    forget: Annotated[str, Choice(FORGET_GATES)] = "sigmoid"
    linear_full_scale: Positive = 8.0

    @property
    def matrices(self) -> tuple[Matrix, ...]:
        linear = [Gate(name, "identity", self.linear_full_scale) for name in ("i", "f")]
        gates = (*linear, Gate("a", self.candidate), Gate("o", self.gate))
        return (Matrix("weights", (("x", self.n_in), ("h", self.n_hidden)), gates, self.n_hidden),)

    @property
    def state_sizes(self) -> dict[str, int]:
        return dict.fromkeys(("h", "c", "n", "m"), self.n_hidden)

    def start(self, sequences: int, dtype: np.dtype | type) -> State:
        """Zero but for m: minus infinity, so that the first step's input gate is 1 whatever its pre-activation."""
        state = super().start(sequences, dtype)
        state["m"].fill(-np.inf)
        return state

    def step(self, x: np.ndarray, state: State, on: Datapath) -> State:
        g = on.product("weights", x, state["h"])
        log_f = g["f"] if self.forget == "exponential" else -np.logaddexp(0, -g["f"])
        kept = log_f + state["m"]
        m = np.maximum(kept, g["i"])
        i, f = np.exp(g["i"] - m), np.exp(kept - m)
        c = f * state["c"] + i * g["a"]
        n = f * state["n"] + i
        return {"h": g["o"] * c / n, "c": c, "n": n, "m": m}
