"""Layers run over time: many sequences side by side, those that have ended leave.

Sequences are ordered by falling length, so that those still running are always the first. Their number is rounded up to a
multiple of `LANES`: every product then has a shape for which a sequence's result does not depend on its place or its company,
and what the surplus computes is never read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from cosim.network.cells import Cell, Datapath, State
from netlists.function import get_activation

from .head import pool

LANES = 64


class TimedDatapath(Datapath, Protocol):
    """The datapath of one cell, told where in time it is."""

    cell: Cell

    def start(self, lanes: int, dtype: np.dtype | type) -> State:
        """The cell's states before the first step, and what else the path keeps from one step to the next."""
        ...

    def at(self, counters: np.ndarray, step: int, state: State, running: int) -> None:
        """The next products belong to these sequences, of which so many run, and to this step.

        What the path keeps beside the cell's states is changed in place.
        """
        ...


class ExactPath:
    """Floating point, no hardware."""

    def __init__(self, cell: Cell, parameters: Mapping[str, np.ndarray]) -> None:
        self.cell = cell
        self._weights = {m.name: np.ascontiguousarray(parameters[m.name].T) for m in cell.matrices}

    def start(self, lanes: int, dtype: np.dtype | type) -> State:
        return self.cell.start(lanes, dtype)

    def at(self, counters: np.ndarray, step: int, state: State, running: int) -> None:
        pass

    def product(self, matrix: str, *parts: np.ndarray) -> Mapping[str, np.ndarray]:
        m, w = self.cell.matrix(matrix), self._weights[matrix]
        rows = np.concatenate(parts)
        z = w[:, : len(rows)] @ rows
        if m.bias:
            z += w[:, -1:]
        if m.digital:
            return {g.name: z[m.columns(g.name)] for g in m.gates}
        return {g.name: g.exact(z[m.columns(g.name)]) for g in m.gates}

    def activate(self, activation: str, values: np.ndarray) -> np.ndarray:
        return exact_activation(activation, values)


def exact_activation(activation: str, values: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """An activation in floating point, in ``out`` or as a new array."""
    if activation == "tanh":
        return np.tanh(values, out=out)
    result = np.asarray(get_activation(activation).value(values), dtype=values.dtype)
    if out is not None:
        out[...] = result
        return out
    return np.array(result) if np.may_share_memory(result, values) else result


class LayerRun(NamedTuple):
    """Where a layer is.

    Attributes
    ----------
    outputs : ndarray (steps, n_out, lanes)
        h of each step; of no meaning where a sequence does not run.
    last : ndarray (n_out, lanes)
        h after each sequence's last step (its first, if run backwards).
    state : dict
        To go on from.
    """

    outputs: np.ndarray
    last: np.ndarray
    state: State


def padded(n: int) -> int:
    """``n`` rounded up to a multiple of `LANES`."""
    return -(-n // LANES) * LANES


def run_layer(
    path: TimedDatapath,
    x: np.ndarray,
    active: Sequence[int] | np.ndarray,
    counters: np.ndarray,
    *,
    first_step: int = 0,
    state: State | None = None,
    backward: bool = False,
    keep: bool = True,
) -> LayerRun:
    """One direction of a layer.

    Parameters
    ----------
    x : ndarray (steps, n_in, lanes)
        lanes is a multiple of `LANES`.
    active : sequence of int (steps,)
        Sequences that run at each step, not increasing.
    counters : ndarray of uint32 (lanes,)
    first_step : int
        Number of the first step, for the noise.
    state : dict or None
        State to go on from; None: the cell's start.
    keep : bool
        Whether outputs of all steps are needed.
    """
    cell = path.cell
    lanes = x.shape[2]
    state = path.start(lanes, x.dtype) if state is None else state
    own = cell.state_sizes.keys()
    outputs = np.zeros((len(active) if keep else 0, cell.n_out, lanes), x.dtype)
    last = np.zeros((cell.n_out, lanes), x.dtype)
    running = 0
    for t in range(len(active) - 1, -1, -1) if backward else range(len(active)):
        n = int(active[t])
        m = padded(n)
        if backward:
            # Lanes that were only carried along until now begin here.
            fresh = path.start(m, x.dtype)
            for name, values in state.items():
                fresh[name][:, :running] = values[:, :running]
            state = fresh if n > running else state
            running = n
        elif next(iter(state.values())).shape[1] != m:
            state = {name: np.ascontiguousarray(values[:, :m]) for name, values in state.items()}
        path.at(counters[:m], first_step + t, state, n)
        state = cell.step(x[t, :, :m], state, path) | {k: v for k, v in state.items() if k not in own}
        if keep:
            outputs[t, :, :m] = state["h"]
        following = 0 if t + 1 == len(active) else int(active[t + 1])
        if not backward and following < n:
            last[:, following:n] = state["h"][:, following:n]
    if backward:
        last[:, :running] = state["h"][:, :running]
    return LayerRun(outputs, last, state)


def run_network(
    paths: Sequence[Sequence[TimedDatapath]], x: np.ndarray, active: np.ndarray, counters: np.ndarray, pooling: str = "h_n"
) -> np.ndarray:
    """What is read of the top layer, both directions one below the other, shape (features, lanes).

    Parameters
    ----------
    paths : for each layer, the path of its forward direction and, if it has one, of its backward direction
    x, active, counters : as in `run_layer`
    pooling : str
        As in `pool`.
    """
    parts: list[LayerRun] = []
    for depth, layer in enumerate(paths):
        keep = depth < len(paths) - 1 or pooling != "h_n"
        parts = [run_layer(p, x, active, counters, backward=d == 1, keep=keep) for d, p in enumerate(layer)]
        x = parts[0].outputs if len(parts) == 1 else np.concatenate([p.outputs for p in parts], axis=1)
    return pool(parts, active, pooling)
