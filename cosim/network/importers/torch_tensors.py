"""Tensors by PyTorch's names: recurrent layers, dense layers and embeddings found among them, and networks written back.

PyTorch (docs of `torch.nn.LSTM`, `torch.nn.GRU`, `torch.nn.RNN`) keeps, for each layer k and direction,

    weight_ih_l{k}  (gates * hidden, in)      bias_ih_l{k}, bias_hh_l{k}  (gates * hidden,)
    weight_hh_l{k}  (gates * hidden, out)     weight_hr_l{k}  (projection, hidden)

with the suffix ``_reverse`` for the direction from the end, and without ``_l{k}`` in an `LSTMCell`. Gates are i, f, g, o in an
LSTM, where g is our candidate a, and r, z, n in a GRU, whose reset gate is behind the state's product. The two biases are added,
except in the GRU's candidate, where the second is behind the reset gate: there they are columns of their own here too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import Any

import numpy as np

from cosim.network.cells import GRU, LSTM, Cell, Vanilla
from netlists.errors import InputError

from ..head import Scaling
from ..layer import DIRECTIONS
from ..metadata import NetworkMetadata
from ..network import Network
from .convention import Convention, build
from .numbers import finite
from .stored import GATES, Direction, Stored, StoredDense, StoredLayer, chained, dense_chain

SUFFIX = {"forward": "", "backward": "_reverse"}
KINDS = {"lstm": "lstm", "gru": "gru", "vanilla": "rnn", "rnn": "rnn"}
OF_GATES = {n: kind for kind, n in GATES.items()}
RECURRENT = re.compile(r"(?P<prefix>.*?)weight_ih(?P<layer>_l\d+)?")
COUNTERS = ("num_batches_tracked",)


def stored_torch(
    tensors: Mapping[str, Any],
    *,
    kind: str | None = None,
    prefix: str | None = None,
    readout: Sequence[str] | None = None,
    embedding: str | None = None,
    ignore: Sequence[str] = (),
    listing: tuple[str, ...] = (),
) -> Stored:
    """Recurrent layers, the dense layers behind them and an embedding among the tensors of a PyTorch module.

    Parameters
    ----------
    kind : str or None
        What the recurrent layers must be: "lstm", "gru" or "rnn".
    prefix, embedding : str or None
        Of the names of the recurrent layers and of the embedding; None: those that there are.
    readout : sequence of str or None
        Prefixes of the dense layers in order; None: all that follow each other.
    ignore : sequence of str
        Prefixes of tensors that the scores do not depend on.

    Raises
    ------
    InputError
        Tensors that are missing, left over, or that fit in several ways; names them.
    """
    if kind is not None and kind not in KINDS:
        raise InputError(f"kind={kind!r}: unknown; allowed are {', '.join(KINDS)}")
    arrays = _computed({name: np.asarray(t) for name, t in tensors.items()})
    arrays = {n: a for n, a in arrays.items() if not n.endswith(COUNTERS) and not any(n.startswith(i) for i in ignore)}
    take = _Taker(finite(arrays, "tensors"))
    found = [m for m in map(RECURRENT.fullmatch, arrays) if m and (prefix is None or m["prefix"] == prefix)]
    if not found:
        wanted = f"{prefix or ''}weight_ih_l0"
        raise InputError(f"{wanted}: missing, there is no recurrent layer; the tensors are {', '.join(sorted(arrays)) or 'none'}")
    order = sorted(found, key=lambda m: ([f["prefix"] for f in found].index(m["prefix"]), int((m["layer"] or "_l0")[2:])))
    layers = chained(tuple(_layer(take, m["prefix"], m["layer"] or "", None if kind is None else KINDS[kind]) for m in order))
    symbols = _embedding(take, embedding, layers[0].forward.n_in)
    scaling = _batch_norm(take, layers[0].forward.n_in, list(arrays), order[0].string)
    dense = _dense(take, layers[-1].n_out, readout)
    scalings = (
        ()
        if take.left and symbols is not None
        else own_scalings({n: arrays[n] for n in arrays if n in take.left}, layers[0].forward.n_in)
    )
    if take.left and not scalings:
        raise InputError(
            f"{sorted(take.left)[0]}: left over; it belongs to neither the recurrent layer, the readout nor the embedding. "
            "If the scores do not depend on it, ignore it by the beginning of its name"
            + _folded(take, layers[0].forward.n_in, order)
        )
    return Stored(
        "PyTorch tensors", layers, dense, symbols, scaling, left=tuple(sorted(take.left)), scalings=scalings, listing=listing
    )


def _computed(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The tensors with those of `torch.nn.utils.prune` multiplied by their masks.

    Raises
    ------
    InputError
        A tensor that its module computes in another way.
    """
    for name in arrays:
        own = re.fullmatch(r"(?P<module>.*?)parametrizations\.(?P<tensor>\w+)\..*|(?P<old>.*weight\w*)_[gv]", name)
        if own is not None:
            way = "torch.nn.utils.remove_weight_norm" if own["old"] else "torch.nn.utils.parametrize.remove_parametrizations"
            raise InputError(
                f"{name}: is what its module computes {own['old'] or own['module'] + own['tensor']} from; undo it before saving "
                f"({way})"
            )
    out = {}
    for name, a in arrays.items():
        pruned = name.removesuffix("_orig")
        if pruned != name and f"{pruned}_mask" in arrays:
            out[pruned] = a * arrays[f"{pruned}_mask"]
        elif not (name.endswith("_mask") and f"{name.removesuffix('_mask')}_orig" in arrays):
            out[name] = a
    return out


def _folded(take: _Taker, n_in: int, order: Sequence[re.Match[str]]) -> str:
    """What to do about a dense layer in front of the recurrent ones, if there is one."""
    first = order[0]
    names = [n for n in take.left if n.endswith("weight") and take.arrays[n].ndim == 2 and len(take.arrays[n]) == n_in]
    if len(names) != 1:
        return ""
    name, w = names[0], f"{first['prefix']}weight_ih{first['layer'] or ''}"
    return (
        f". A dense layer in front of {w} with nothing between is a part of it: save {w} @ {name} in its place, and add "
        f"{w} @ {name.removesuffix('weight')}bias to its bias_ih"
    )


def own_scalings(left: Mapping[str, np.ndarray], n_in: int) -> tuple[Scaling, ...]:
    """What a forward may do to its inputs with one or two buffers of its own, a number each or one for each feature."""
    if not 1 <= len(left) <= 2 or any(a.size not in (1, n_in) for a in left.values()):
        return ()
    values = {n: np.broadcast_to(np.asarray(a, float).reshape(-1), (n_in,)) for n, a in left.items()}
    zero, one = np.zeros(n_in), np.ones(n_in)
    found: list[tuple[str, np.ndarray, np.ndarray]] = []
    with np.errstate(divide="ignore", invalid="ignore"):
        for a, b in permutations(values, 2):
            u, v = values[a], values[b]
            found += [(f"(x - {a}) / {b}", u, 1 / v), (f"(x - {a}) * {b}", u, v), (f"x * {a} + {b}", -v / u, u)]
            found.append((f"(x - {a}) / sqrt({b})", u, 1 / np.sqrt(v)))
        if len(values) == 1:
            ((a, u),) = values.items()
            found += [(f"x / {a}", zero, 1 / u), (f"x * {a}", zero, u), (f"x - {a}", u, one)]
    fine = [(t, o, g) for t, o, g in found if np.isfinite(o).all() and np.isfinite(g).all() and np.all(g != 0)]
    return tuple(Scaling(offset, gain, said) for said, offset, gain in fine)


class _Taker:
    """Takes tensors by name and shape, and knows which are left."""

    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        self.arrays, self.left = arrays, set(arrays)

    def __call__(self, name: str, shape: tuple[int | None, ...]) -> np.ndarray:
        if name not in self.arrays:
            raise InputError(f"{name}: missing; the tensors are {', '.join(sorted(self.arrays)) or 'none'}")
        a = self.arrays[name]
        if len(a.shape) != len(shape) or any(n is not None and n != m for n, m in zip(shape, a.shape, strict=True)):
            wanted = ", ".join("any" if n is None else str(n) for n in shape)
            raise InputError(f"{name}: has shape {a.shape}, must be ({wanted})")
        self.left.discard(name)
        return a

    def optional(self, name: str, shape: tuple[int | None, ...]) -> np.ndarray | None:
        return self(name, shape) if name in self.arrays else None


def _layer(take: _Taker, prefix: str, number: str, kind: str | None) -> StoredLayer:
    names = {d: f"{prefix}{{}}{number}{suffix}" for d, suffix in SUFFIX.items()}
    there = [d for d in DIRECTIONS if d == "forward" or names[d].format("weight_ih") in take.arrays]
    found = [_direction(take, names[d], kind) for d in there]
    if len({k for k, _ in found}) > 1:
        raise InputError(f"{prefix}weight_ih{number}: its two directions are of different kinds")
    backward = found[1][1] if len(found) == 2 else None
    return StoredLayer(f"{prefix.rstrip('.') or 'rnn'}{number}", found[0][0], found[0][1], backward)


def _direction(take: _Taker, name: str, kind: str | None) -> tuple[str, Direction]:
    w_ih, w_hh = take(name.format("weight_ih"), (None, None)), take(name.format("weight_hh"), (None, None))
    w_hr = take.optional(name.format("weight_hr"), (len(w_hh[0]), None))
    n = w_hh.shape[1] if w_hr is None else w_hr.shape[1]
    if kind is None:
        kind = OF_GATES.get(len(w_ih) // n if len(w_ih) % n == 0 else 0)
    if kind is None or len(w_ih) % GATES[kind]:
        per = "4, 3 or 1" if kind is None else str(GATES[kind])
        raise InputError(
            f"{name.format('weight_ih')}: has {len(w_ih)} rows, must be {per} for each hidden unit of a {kind or 'layer'}"
        )
    n = len(w_ih) // GATES[kind]
    take(name.format("weight_hh"), (len(w_ih), n if w_hr is None else len(w_hr)))
    if w_hr is not None:
        take(name.format("weight_hr"), (w_hh.shape[1], n))
        if kind != "lstm":
            raise InputError(f"{name.format('weight_hr')}: only LSTMs have a projection")
    given = [take.optional(name.format(b), (len(w_ih),)) for b in ("bias_ih", "bias_hh")]
    b_x, b_h = (np.zeros(len(w_ih)) if b is None else b for b in given)
    return kind, Direction(w_ih.T, w_hh.T, b_x, b_h, None if w_hr is None else w_hr.T)


def _dense(take: _Taker, n_in: int, readout: Sequence[str] | None) -> tuple[StoredDense, ...]:
    """Dense layers among what is left: matrices with the bias of the same name."""
    found = []
    for name in [n for n in take.arrays if n in take.left and n.endswith("weight") and take.arrays[n].ndim == 2]:
        w = take.arrays[name]
        bias = take.arrays.get(name.removesuffix("weight") + "bias")
        if bias is not None and bias.shape != (len(w),):
            raise InputError(f"{name.removesuffix('weight')}bias: has shape {bias.shape}, must be ({len(w)})")
        found.append(StoredDense(name.removesuffix("weight").rstrip("."), w.T, np.zeros(len(w)) if bias is None else bias))
    chain = dense_chain(found, n_in, None if readout is None else tuple(r.rstrip(".") for r in readout))
    for d in chain:
        head = f"{d.name}." if f"{d.name}.weight" in take.arrays else d.name
        take.left -= {f"{head}weight", f"{head}bias"}
    return chain


def _embedding(take: _Taker, name: str | None, n_in: int) -> np.ndarray | None:
    """The embedding that is named."""
    return take(f"{name}weight", (None, n_in)) if name else None


def _batch_norm(take: _Taker, n_in: int, names: list[str], recurrent: str) -> Scaling | None:
    """A `torch.nn.BatchNorm1d` over the features, defined before the recurrent layer, as scaling (its eps at the default 1e-5)."""
    for name in names[: names.index(recurrent)]:
        if name in take.left and name.endswith("running_mean") and take.arrays[name].shape == (n_in,):
            head = name.removesuffix("running_mean")
            mean, variance = take(name, (n_in,)), take(f"{head}running_var", (n_in,))
            weight, bias = take.optional(f"{head}weight", (n_in,)), take.optional(f"{head}bias", (n_in,))
            gain = (1.0 if weight is None else weight) / np.sqrt(variance + 1e-5)
            shift = np.zeros(n_in) if bias is None else bias
            if np.any(gain == 0):
                raise InputError(f"{head}weight: has a 0; a feature that is multiplied by 0 cannot be shifted")
            return Scaling(mean - shift / gain, gain)
    return None


def from_torch(
    tensors: Mapping[str, Any],
    kind: str | None = None,
    *,
    prefix: str | None = None,
    readout: str | Sequence[str] | None = None,
    embedding: str = "",
    pooling: str | None = None,
    activation: str | None = None,
    hidden_activation: str | None = None,
    scaling: Scaling | None = None,
    ignore: Sequence[str] = (),
    metadata: NetworkMetadata | None = None,
) -> Network:
    """A network from the tensors of a PyTorch module. What its forward does is not among them: say it, or it is asked for.

    Parameters
    ----------
    tensors : mapping of arrays
        A state dictionary, or what `read_tensors` gives.
    kind : {"lstm", "gru", "vanilla"} or None
        `torch.nn.LSTM`, `torch.nn.GRU`, or `torch.nn.RNN`; None: what the shapes say.
    prefix : str or None
        Of the recurrent layer's names, such as ``"rnn."``; None: all recurrent layers, one on the other.
    readout : str, sequence of str or None
        Prefix of the linear layer that reads the classes, such as ``"fc."``, or of several in order; None: those that fit.
    embedding : str
        Prefix of the `torch.nn.Embedding`, if there is one.
    pooling : {"h_n", "last", "mean", "max"} or None
        What forward reads; see `cosim.network.POOLINGS`. None: the last step, where that is all there is to say.
    activation : {"tanh", "relu"} or None
        ``nonlinearity`` of a `torch.nn.RNN`; None: tanh, with a warning.
    hidden_activation : str or None
        Between the linear layers, if there are several.
    scaling : Scaling or None
        Of the inputs before the first layer.
    ignore : sequence of str
        Beginnings of the names of tensors that the scores do not depend on.

    Returns
    -------
    Network
        An `LSTMNetwork` if it is one plain LSTM layer on features. Its metadata and `warnings` say what was taken for its forward;
        `cosim.network.import_network` also holds it against the model's own outputs.

    Raises
    ------
    InputError
        A tensor that is missing, left over or of the wrong shape; names it. Something about forward that must be said.
    """
    names = None if readout is None else [readout] if isinstance(readout, str) else list(readout)
    stored = stored_torch(tensors, kind=kind, prefix=prefix, readout=names, embedding=embedding or None, ignore=ignore)
    said = Convention(pooling=pooling, activation=activation, hidden_activation=hidden_activation, scaling=scaling)
    return build(stored, said, source="PyTorch tensors", metadata=metadata)


def to_torch(
    network: Network, *, prefix: str = "rnn.", readout: str = "fc.", embedding: str = "embedding."
) -> dict[str, np.ndarray]:
    """Tensors for `torch.nn.LSTM`, `torch.nn.GRU` or `torch.nn.RNN` (tanh), a linear readout and an embedding, float32.

    All of a bias goes into ``bias_ih``, except the part of a GRU's candidate that is behind the reset gate.

    Raises
    ------
    InputError
        A cell that PyTorch has no layer for, or hidden readout layers or scaled inputs, which need a forward of your own.
    """
    if network.hidden or network.scaling is not None:
        raise InputError("network: has hidden readout layers or scaled inputs; tensors are for a recurrent and a linear layer")
    out: dict[str, np.ndarray] = {}
    for k, layer in enumerate(network.layers):
        _check_exportable(layer.cell)
        for direction, parameters in zip(DIRECTIONS, layer.directions, strict=False):
            name = f"{prefix}{{}}_l{k}{SUFFIX[direction]}"
            w_ih, w_hh, b_ih, b_hh = _split(layer.cell, parameters["weights"])
            out |= {name.format("weight_ih"): w_ih.T, name.format("weight_hh"): w_hh.T}
            out |= {name.format("bias_ih"): b_ih, name.format("bias_hh"): b_hh}
            if "projection" in parameters:
                out[name.format("weight_hr")] = parameters["projection"].T
    out |= {f"{readout}weight": network.readout[:-1].T, f"{readout}bias": network.readout[-1]}
    if network.embedding is not None:
        out[f"{embedding}weight"] = network.embedding
    return {name: np.ascontiguousarray(a, np.float32) for name, a in out.items()}


def _split(cell: Cell, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Input weights, state weights and the two biases, gates along the columns."""
    n_in, n = cell.n_in, cell.n_hidden
    w_x, w_h, b = weights[:n_in], weights[n_in:-1], weights[-1]
    if not isinstance(cell, GRU):
        return w_x, w_h, b, np.zeros_like(b)
    b_hh = np.concatenate([np.zeros(2 * n), b[3 * n :]])
    return w_x[:, : 3 * n], np.hstack([w_h[:, : 2 * n], w_h[:, 3 * n :]]), b[: 3 * n], b_hh


def _check_exportable(cell: Cell) -> None:
    projection = cell.n_projection if isinstance(cell, LSTM) else None
    n = cell.n_in, cell.n_hidden
    relu = isinstance(cell, Vanilla) and cell.activation == "relu" and cell.unbounded
    if not relu and cell not in (LSTM(*n, n_projection=projection), GRU(*n), Vanilla(*n)):
        raise InputError(
            f"cell {cell.describe()}: PyTorch has no such layer; it has LSTMs and GRUs with their textbook activations, the "
            "GRU's reset gate behind the product, and vanilla layers with tanh or an unbounded ReLU"
        )
