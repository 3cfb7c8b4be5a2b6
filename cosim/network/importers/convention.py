"""What a model's ``forward`` does beyond its weights: said by the user or the file, never guessed in silence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Annotated

import numpy as np

from netlists.check_rules import Choice
from netlists.checks import Positive, checked
from netlists.errors import InputError

from ..head import DENSE, POOLINGS, DenseLayer, Scaling
from ..layer import Layer
from ..metadata import ImportOrigin, NetworkMetadata
from ..network import Network
from .stored import Stored, StoredDense, cell_of

RNN = ("tanh", "relu")
READS = {
    "h_n": "h_n, the state after each direction's own last step",
    "last": "out[:, -1], the outputs at the last step",
    "mean": "out.mean(1), the mean of the outputs over the steps",
    "max": "out.max(1), the largest outputs over the steps",
}


@checked
@dataclass(frozen=True, eq=False)
class Convention:
    """What was said of a forward; None: nothing.

    Attributes
    ----------
    pooling : {"h_n", "last", "mean", "max"} or None
        What of the top layer's outputs is read.
    activation : {"tanh", "relu"} or None
        Of plain RNNs.
    hidden_activation : str or None
        Between the dense layers.
    scaling : Scaling or None
        Of the inputs.
    full_scale : float
        The ramp of a ReLU covers 0..3 of these; floating point has no end.
    """

    pooling: Annotated[str, Choice(POOLINGS)] | None = None
    activation: Annotated[str, Choice(RNN)] | None = None
    hidden_activation: Annotated[str, Choice(DENSE)] | None = None
    scaling: Scaling | None = None
    full_scale: Positive = 1.0

    def alternatives(self, stored: Stored) -> Iterator[Convention]:
        """Every convention that agrees with what was said and with what the file says."""
        poolings = [self.pooling or stored.pooling] if self.pooling or stored.pooling else list(POOLINGS)
        if not stored.bidirectional and len(poolings) > 1:
            poolings.remove("h_n")  # the same as last
        rnn = any(layer.kind == "rnn" and layer.activation is None for layer in stored.layers)
        hidden = any(d.activation is None for d in stored.dense[:-1])
        activations = RNN if rnn and self.activation is None else [self.activation]
        between = DENSE if hidden and self.hidden_activation is None else [self.hidden_activation]
        scalings = stored.scalings if stored.scalings and self.scaling is None else [self.scaling]
        for p, a, h, s in product(poolings, activations, between, scalings):
            yield replace(self, pooling=p, activation=a, hidden_activation=h, scaling=s)

    def describe(self, stored: Stored) -> str:
        """For messages."""
        pooling = self.pooling or stored.pooling or "last"
        parts = [f"reading {READS[pooling]}"]
        if any(layer.kind == "rnn" and layer.activation is None for layer in stored.layers):
            parts.append(f"RNN with {self.activation or 'tanh'}")
        if len(stored.dense) > 1:
            names = ", ".join(str(d.activation or self.hidden_activation) for d in stored.dense[:-1])
            parts.append(f"hidden readout layers with {names}")
        scaled = self.scaling is not None or stored.scaling is not None
        own = "" if self.scaling is None or not self.scaling.said else f", {self.scaling.said}"
        parts.append(f"inputs scaled{own}" if scaled else "inputs as they are")
        if stored.dense[-1].weights.shape[1] == 1:
            parts.append("one score: class 1 where it is above 0")
        return "; ".join(parts)


def build(
    stored: Stored, said: Convention, *, source: str, metadata: NetworkMetadata | None = None, checked_against: str = ""
) -> Network:
    """A network from what a file holds and what was said of its forward.

    Parameters
    ----------
    source : str
        File or package, for messages.
    checked_against : str
        What the network was held against, if it was.

    Raises
    ------
    InputError
        Something must be said that is neither in the file nor in ``said``.
    """
    if said.pooling is None and stored.pooling is None and stored.bidirectional:
        what = "; ".join(f"{name!r} = {text}" for name, text in READS.items())
        raise InputError(
            f"pooling=None: what does forward read of the bidirectional layer? Say one of {what}; or give outputs to check"
        )
    if said.hidden_activation is None and (open_ := [d for d in stored.dense[:-1] if d.activation is None]):
        raise InputError(
            f"hidden_activation=None: what follows the dense layer {open_[0].name}? Say one of {', '.join(DENSE)}; "
            "or give outputs to check"
        )
    if said.scaling is None and stored.scalings:
        what = "; ".join(s.said for s in stored.scalings)
        raise InputError(
            f"scaling=None: what does forward do with {', '.join(stored.left)}? They allow {what}. Say which scaling, or ignore "
            "them if the scores do not depend on them; or give outputs to check"
        )
    layers = []
    for layer in stored.layers:
        cell, parameters = cell_of(layer, said.activation, said.full_scale)
        layers.append(Layer(cell, *parameters))
    hidden = [DenseLayer(_with_bias(d), d.activation or str(said.hidden_activation)) for d in stored.dense[:-1]]
    readout = _with_bias(stored.dense[-1])
    if readout.shape[1] == 1:
        readout = np.hstack([np.zeros_like(readout), readout])
    origin = ImportOrigin(source=source, convention=said.describe(stored), checked=checked_against)
    about = (metadata or NetworkMetadata(cell=layers[0].cell.kind)).model_copy(update={"imported": origin})
    return Network.of(
        layers,
        readout,
        stored.embedding,
        about,
        pooling=said.pooling or stored.pooling or "last",
        hidden=hidden,
        scaling=_joined(said.scaling, stored.scaling, stored.layers[0].forward.n_in),
    )


def _with_bias(d: StoredDense) -> np.ndarray:
    return np.vstack([d.weights, d.bias])


def _joined(first: Scaling | None, second: Scaling | None, n_in: int) -> Scaling | None:
    """One scaling after the other; a single number is that of all features."""
    given = [s for s in (first, second) if s is not None]
    wide = [s if len(s.gain) != 1 else Scaling(np.repeat(s.offset, n_in), np.repeat(s.gain, n_in)) for s in given]
    if len(wide) < 2:
        return wide[0] if wide else None
    a, b = wide
    return Scaling(a.offset + b.offset / a.gain, a.gain * b.gain)
