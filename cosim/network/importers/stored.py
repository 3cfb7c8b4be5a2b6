"""What a file of another framework holds of a network, in one form: gates in our order, biases apart, nothing guessed."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise, permutations

import numpy as np

from cosim.network.cells import GRU, LSTM, Cell, Vanilla
from netlists.errors import InputError

from ..head import Scaling

GATES = {"lstm": 4, "gru": 3, "rnn": 1}
"""Gates of each kind: i, f, a, o of an LSTM; r, z, n of a GRU; one of a plain RNN."""
MOST = 6
"""Recurrent layers of which every order is tried."""


@dataclass(frozen=True, eq=False)
class Direction:
    """One direction of a recurrent layer.

    Attributes
    ----------
    w_x, w_h : ndarray (inputs, gates * hidden), (outputs, gates * hidden)
    b_x, b_h : ndarray (gates * hidden,)
        Beside the input's and beside the state's product. They are added, except in the candidate of a GRU with its reset gate
        behind the product.
    projection : ndarray (hidden, outputs) or None
    """

    w_x: np.ndarray
    w_h: np.ndarray
    b_x: np.ndarray
    b_h: np.ndarray
    projection: np.ndarray | None = None

    @property
    def n_in(self) -> int:
        return len(self.w_x)

    @property
    def n_out(self) -> int:
        return len(self.w_h)


@dataclass(frozen=True, eq=False)
class StoredLayer:
    """A recurrent layer.

    Attributes
    ----------
    name : str
    kind : {"lstm", "gru", "rnn"}
    forward, backward : Direction, Direction or None
    activation : str or None
        Of a plain RNN; of the candidate and state of the others. None: the file does not say.
    gate : str
    reset : {"after", "before"}
        Of a GRU.
    """

    name: str
    kind: str
    forward: Direction
    backward: Direction | None = None
    activation: str | None = None
    gate: str = "sigmoid"
    reset: str = "after"

    @property
    def n_out(self) -> int:
        return self.forward.n_out * (1 if self.backward is None else 2)

    def describe(self) -> str:
        """For listings."""
        both = "" if self.backward is None else ", both directions"
        return f"{self.name}: {self.kind} {self.forward.n_in} -> {self.forward.n_out}{both}"


@dataclass(frozen=True, eq=False)
class StoredDense:
    """A dense layer: ``weights`` (inputs, outputs), ``bias`` (outputs,); ``activation`` is None where the file does not say."""

    name: str
    weights: np.ndarray
    bias: np.ndarray
    activation: str | None = None


@dataclass(frozen=True, eq=False)
class Stored:
    """A network as a file holds it.

    Attributes
    ----------
    form : str
        Kind of the file.
    layers : tuple of StoredLayer
        From the input upwards.
    dense : tuple of StoredDense
        Between the top layer and the scores, in order.
    embedding : ndarray (symbols, inputs) or None
    scaling : Scaling or None
    pooling : str or None
        None: the file does not say what its forward reads.
    says_all : bool
        Whether the file says what its forward does, so that nothing has to be asked.
    left : tuple of str
        What else is in the file.
    scalings : tuple of Scaling
        What forward may do to its inputs with numbers that are in the file, one of which it does.
    listing : tuple of str
        All that is in it, a line each.
    """

    form: str
    layers: tuple[StoredLayer, ...]
    dense: tuple[StoredDense, ...]
    embedding: np.ndarray | None = None
    scaling: Scaling | None = None
    pooling: str | None = None
    says_all: bool = False
    left: tuple[str, ...] = ()
    scalings: tuple[Scaling, ...] = ()
    listing: tuple[str, ...] = field(default=())

    @property
    def bidirectional(self) -> bool:
        return self.layers[-1].backward is not None


def cell_of(layer: StoredLayer, activation: str | None, full_scale: float) -> tuple[Cell, list[dict[str, np.ndarray]]]:
    """The cell of a layer and its parameters in each direction.

    Parameters
    ----------
    activation : str or None
        Of a plain RNN, where the file does not say.
    full_scale : float
        Of the ramp of a ReLU, in thirds of its upper end.
    """
    made = [_direction(layer, d, activation, full_scale) for d in (layer.forward, layer.backward) if d is not None]
    if len(made) == 2 and made[0][0] != made[1][0]:
        raise InputError(f"{layer.name}: its two directions have different shapes")
    return made[0][0], [parameters for _, parameters in made]


def _direction(layer: StoredLayer, d: Direction, activation: str | None, full_scale: float) -> tuple[Cell, dict[str, np.ndarray]]:
    columns = d.w_x.shape[1]
    n_in, n, both = d.n_in, columns // GATES[layer.kind], d.b_x + d.b_h
    joined = np.vstack([d.w_x, d.w_h, both])
    own = layer.activation or "tanh"
    if layer.kind == "rnn":
        function = layer.activation or activation or "tanh"
        if function == "relu":
            return Vanilla(n_in, n, "relu", full_scale, unbounded=True), {"weights": joined}
        return Vanilla(n_in, n, function), {"weights": joined}
    if layer.kind == "lstm":
        cell = LSTM(n_in, n, gate=layer.gate, candidate=own, state=own, n_projection=None if d.projection is None else d.n_out)
        return cell, {"weights": joined} | ({} if d.projection is None else {"projection": d.projection})
    if layer.reset == "before":
        parts = {"weights": joined[:, : 2 * n], "candidate": joined[:, 2 * n :]}
        return GRU(n_in, n, gate=layer.gate, candidate=own, reset="before"), parts
    weights = np.zeros((n_in + n + 1, 4 * n))
    weights[:n_in, : 3 * n] = d.w_x
    weights[n_in:-1, : 2 * n], weights[n_in:-1, 3 * n :] = d.w_h[:, : 2 * n], d.w_h[:, 2 * n :]
    weights[-1, : 2 * n], weights[-1, 2 * n : 3 * n], weights[-1, 3 * n :] = both[: 2 * n], d.b_x[2 * n :], d.b_h[2 * n :]
    return GRU(n_in, n, gate=layer.gate, candidate=own), {"weights": weights}


def chained(layers: tuple[StoredLayer, ...]) -> tuple[StoredLayer, ...]:
    """The layers in an order in which each takes what the one below gives: that of the file if it does.

    Raises
    ------
    InputError
        There is none; names a layer that does not fit.
    """

    def unfit(order: tuple[StoredLayer, ...]) -> list[tuple[StoredLayer, StoredLayer]]:
        return [(a, b) for a, b in pairwise(order) if b.forward.n_in != a.n_out]

    if not unfit(layers):
        return layers
    if len(layers) <= MOST and (found := next((p for p in permutations(layers) if not unfit(p)), None)):
        return found
    below, layer = unfit(layers)[0]
    raise InputError(
        f"{layer.name}: takes {layer.forward.n_in} inputs, {below.name} below it has {below.n_out} outputs; "
        "name the recurrent layers that belong together (prefix)"
    )


def dense_chain(found: list[StoredDense], n_in: int, wanted: tuple[str, ...] | None) -> tuple[StoredDense, ...]:
    """The dense layers that lead from ``n_in`` outputs to the scores.

    Parameters
    ----------
    wanted : tuple of str or None
        Names of the layers in order; None: all that follow each other, which must leave no choice.

    Raises
    ------
    InputError
        None fits, or several do; names those there are.
    """
    there = ", ".join(f"{d.name} {d.weights.shape[0]} -> {d.weights.shape[1]}" for d in found) or "none"
    if wanted is not None:
        by_name = {d.name: d for d in found}
        if missing := [name for name in wanted if name not in by_name]:
            raise InputError(f"readout={missing[0]!r}: there is no such dense layer; found: {there}")
        chain = [by_name[name] for name in wanted]
    else:
        # The order of a file is that of the definition, mostly that of the forward too.
        chain = list(found)
        if not _follow(chain, n_in):
            chain = [d for d in found if len(d.weights) == n_in]
            if len(chain) > 1:
                raise InputError(f"readout: {', '.join(d.name for d in chain)} take {n_in} inputs; say which is read, of: {there}")
            while further := [d for d in found if chain and d not in chain and len(d.weights) == chain[-1].weights.shape[1]]:
                chain.append(further[0])
    if not chain:
        raise InputError(f"readout: no dense layer takes the {n_in} outputs of the top layer; found: {there}")
    if not _follow(chain, n_in):
        raise InputError(
            f"readout={', '.join(d.name for d in chain)}: do not follow each other from {n_in} outputs; found: {there}"
        )
    return tuple(chain)


def _follow(chain: list[StoredDense], n_in: int) -> bool:
    """Whether each layer takes what the one before gives, the first ``n_in`` numbers."""
    widths = [n_in, *(d.weights.shape[1] for d in chain)]
    return all(len(d.weights) == n for d, n in zip(chain, widths, strict=False))
