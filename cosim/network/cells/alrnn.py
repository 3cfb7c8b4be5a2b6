"""Almost-linear RNN: a linear recurrence with a few rectified units, for the reconstruction of dynamical systems."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from netlists.checks import Count, Positive, checked
from netlists.errors import InputError

from .cell import Cell, Datapath, Gate, Matrix, State


@checked
@dataclass(frozen=True)
class ALRNN(Cell):
    """``z' = a z + W r(z) + b``, r rectifies the last ``n_relu`` units and leaves the others (Brenner et al., arXiv 2410.14240).

    The first ``n_in`` units are what is observed, and the input stands in their place: data, which forces them, or their own
    values, with which the network runs by itself. ``W r(z) + b`` lies on the crossbar and goes through linear ramps; a is
    diagonal, its product digital, and so are the rectified units, unless the hardware has ramps for them (``state_unit="ramp"``).

    Attributes
    ----------
    n_relu : int
        Rectified units, the last ones; none of them is observed.
    full_scale : float
        A linear ramp covers -full_scale..full_scale: what one step adds to a unit.
    state_full_scale : float
        Magnitude of a unit that takes the longest pulse. Assumption: 4 deviations of what is observed.
    """

    kind: ClassVar[str] = "alrnn"
    n_relu: Count = 2
    full_scale: Positive = 1.0
    state_full_scale: Positive = 4.0

    def __post_init__(self) -> None:
        if self.n_in + self.n_relu > self.n_hidden:
            raise InputError(
                f"n_hidden={self.n_hidden}: must hold {self.n_in} observed and n_relu={self.n_relu} rectified units; give more"
            )
        super().__post_init__()

    @property
    def matrices(self) -> tuple[Matrix, ...]:
        n = self.n_hidden
        parts = (("x", self.n_in), ("h", n - self.n_in))
        kept = Matrix("decay", (("z", n),), (Gate("z", "identity"),), n, bias=False, diagonal=("z",), digital=True)
        return (Matrix("weights", parts, (Gate("z", "identity", self.full_scale),), n), kept)

    @property
    def state_sizes(self) -> dict[str, int]:
        return {"h": self.n_hidden}

    @property
    def digital_activations(self) -> tuple[str, ...]:
        return ("relu",)

    @property
    def state_range(self) -> float:
        return self.state_full_scale

    def step(self, x: np.ndarray, state: State, on: Datapath) -> State:
        # Units are the last axis but one: sequences may come in tiles, whose axis is the first.
        hidden = np.array(state["h"][..., self.n_in :, :])
        z = np.concatenate([x, hidden], axis=-2)
        # The ramp of a ReLU ends at 3 of its units.
        top, unit = hidden[..., -self.n_relu :, :], self.state_full_scale / 3.0
        hidden[..., -self.n_relu :, :] = unit * on.activate("relu", top / unit)
        return {"h": on.product("decay", z)["z"] + on.product("weights", x, hidden)["z"]}
