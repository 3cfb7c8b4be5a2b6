"""Back-propagation through time of one direction of a layer; what is the same for all cells."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from cosim.network.cells import Cell, State

from .activation import ActivationTape
from .packing import Packing
from .tape import NONE, Disturbance, MatrixTape
from .workspace import Workspace


class Backprop(ABC):
    """Forward and backward pass of a cell over all steps; arrays hold a row for each sequence and step (`Packing`).

    A subclass writes one step forth and one step back.

    Attributes
    ----------
    state : dict of ndarray (sequences, rows)
        States before the next step; after a forward pass, those at its end.
    d_state : dict of ndarray (sequences, rows)
        Gradients in them, on the way back.
    """

    kinds: ClassVar[tuple[str, ...]]

    def __init__(self, cell: Cell, workspace: Workspace, place: str, *, backward: bool = False) -> None:
        self.cell = cell
        self.workspace = workspace
        self.place = place
        self.from_the_end = backward
        self.tapes = {m.name: MatrixTape(m, workspace, place) for m in cell.matrices}
        self.units = {a: ActivationTape(a, cell.n_hidden, workspace, place) for a in cell.digital_activations}
        self.disturbance = NONE
        self._arrays: dict[str, np.ndarray] = {}
        self.state: State = {}
        self.d_state: State = {}

    @abstractmethod
    def step(self, now: slice, n: int, t: int) -> None:
        """Takes the first ``n`` rows of `state` one step on; ``now`` are the step's rows, ``t`` its number."""

    @abstractmethod
    def step_back(self, now: slice, n: int) -> None:
        """Takes the first ``n`` rows of `d_state` one step back."""

    def forward(
        self,
        parameters: Mapping[str, np.ndarray],
        x: np.ndarray,
        packing: Packing,
        *,
        start: State | None = None,
        disturbance: Disturbance = NONE,
    ) -> np.ndarray:
        """Outputs h of all steps, (total, n_out), from inputs (total, n_in).

        Parameters
        ----------
        start : dict or None
            State to go on from; None: the cell's own. The gradient does not flow back into it.
        """
        self.packing, self.disturbance = packing, disturbance
        self._arrays.clear()
        self.state = start or {
            k: np.ascontiguousarray(v.T) for k, v in self.cell.start(packing.sequences, self.workspace.dtype).items()
        }
        for name, tape in self.tapes.items():
            tape.begin(parameters[name], packing.total, disturbance, self.state, packing.sequences)
            if tape.takes_inputs:
                tape.drive_inputs(x, packing.steps(backward=self.from_the_end))
        for unit in self.units.values():
            unit.begin(packing.total, disturbance.chip)
        outputs = self.array("outputs", self.cell.n_out)
        for t, now, n in packing.steps(backward=self.from_the_end):
            self.step(now, n, t)
            outputs[now] = self.state["h"][:n]
        return outputs

    def backward(self, d_outputs: np.ndarray) -> dict[str, np.ndarray]:
        """Gradients in the weights, from those in the outputs of all steps (total, n_out)."""
        self.d_state = {k: np.zeros_like(self.state[k]) for k in self.cell.state_sizes}
        d_h = self.d_state["h"]
        for _, now, n in self.packing.steps(backward=not self.from_the_end):
            d_h[:n] += d_outputs[now]
            self.step_back(now, n)
        return {name: tape.gradient() for name, tape in self.tapes.items()}

    def state_sizes(self, *, delta: bool) -> dict[str, int]:
        """Columns of each state after a forward pass, with delta inputs or without."""
        sizes = dict(self.cell.state_sizes)
        for tape in self.tapes.values() if delta else ():
            sizes |= tape.kept_sizes()
        return sizes

    def d_inputs(self) -> np.ndarray:
        """Gradient in the inputs of all steps, after `backward`."""
        return sum(tape.d_inputs() for tape in self.tapes.values() if tape.takes_inputs)  # type: ignore[return-value]

    def array(self, name: str, columns: int) -> np.ndarray:
        """A kept array with a row for each sequence and step, found once a pass."""
        if name not in self._arrays:
            self._arrays[name] = self.workspace.array(f"{self.place}.{name}", self.packing.total, columns)
        return self._arrays[name]
