"""Models and weights of Keras: ``.keras``, ``.h5`` and ``.weights.h5``, read without Keras (extra ``import``).

Keras keeps ``kernel`` (inputs, gates * units), ``recurrent_kernel`` (units, gates * units) and ``bias``. Gates of an LSTM are i,
f, c, o, where c is our candidate a; the unit forget bias is part of ``bias``. Gates of a GRU are z, r, h; with ``reset_after``
its bias is (2, 3 units): beside the input's product and beside the state's. A model says what it does; weights alone do not.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from netlists.errors import InputError, ToolkitError
from netlists.files import opened_archive, read_bytes

from ..head import Scaling
from .numbers import finite
from .stored import GATES, Direction, Stored, StoredDense, StoredLayer, chained, dense_chain

KINDS = {"LSTM": "lstm", "GRU": "gru", "SimpleRNN": "rnn"}
ACTIVATIONS = {
    "linear": "linear", None: "linear", "relu": "relu", "tanh": "tanh", "sigmoid": "sigmoid", "elu": "elu", "selu": "selu",
    "softplus": "softplus", "softsign": "softsign", "gelu": "gelu", "silu": "silu", "swish": "silu", "mish": "mish",
    "softmax": "linear", "log_softmax": "linear",
}  # fmt: skip
"""Of dense layers; a softmax changes no answer."""
CELL_ACTIVATIONS = {"tanh": "tanh", "sigmoid": "sigmoid", "relu": "relu", "softsign": "softsign", "hard_sigmoid": "hard-sigmoid"}
POOLINGS = {"GlobalAveragePooling1D": "mean", "GlobalMaxPooling1D": "max", "GlobalMaxPool1D": "max", "GlobalAvgPool1D": "mean"}
NOTHING = (
    "InputLayer", "Dropout", "SpatialDropout1D", "GaussianNoise", "GaussianDropout", "AlphaDropout", "ActivityRegularization",
    "Softmax", "Masking",
)  # fmt: skip
"""Layers that leave what they get as it is once a model is trained, or only scale its scores; masks are lengths here."""


def read_keras(
    path: Path,
    *,
    kind: str | None = None,
    prefix: str | None = None,
    readout: Sequence[str] | None = None,
    embedding: str | None = None,
    ignore: Sequence[str] = (),
) -> Stored:
    """A model with its description, or weights alone, of which the shapes must say what they are.

    Raises
    ------
    InputError
        A damaged file, or a layer that is not known here; names it.
    """
    config, arrays = _read(path)
    arrays = finite(arrays, "weights")
    lines = tuple(f"{n}: {a.shape}" for n, a in arrays.items())
    if config is None:
        return _alone(arrays, kind, prefix, readout, ignore, lines)
    if any((kind, prefix, readout, embedding, ignore)):
        raise InputError("kind, prefix, readout, embedding, ignore: the file describes its layers; leave them away")
    return _Model(config, arrays).stored(lines)


def _read(path: Path) -> tuple[Any, dict[str, np.ndarray]]:
    try:
        import h5py
    except ImportError:
        raise ToolkitError(
            f"{path}: reading needs the package h5py; install the extra: pip install 'nladc-cosim[import]'"
        ) from None
    config, content = None, io.BytesIO()
    if path.suffix == ".keras":
        with opened_archive(path, "file of Keras") as archive:
            config = json.loads(archive.read("config.json"))
            content.write(archive.read("model.weights.h5"))
    else:
        content.write(read_bytes(path, "file of Keras"))
    try:
        with h5py.File(content, "r") as file:
            if "model_config" in file.attrs:
                text = file.attrs["model_config"]
                config = json.loads(text if isinstance(text, str) else text.decode())
            return config, _arrays(file, h5py)
    except Exception as e:  # h5py raises errors of many kinds
        raise InputError(f"{path}: is not a file of Keras, or is damaged ({type(e).__name__}: {e})"[:400]) from None


def _arrays(file: Any, h5py: Any) -> dict[str, np.ndarray]:
    """Arrays of numbers by ``layer.part`` or ``layer.direction.part``; a part is a number or a name such as ``kernel``."""
    out: dict[str, np.ndarray] = {}

    def visit(name: str, item: Any) -> None:
        if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "fiu" or name.startswith("optimizer"):
            return
        parts = name.split("/")
        if parts[0] in ("model_weights", "layers", "_layer_checkpoint_dependencies"):
            parts = parts[1:]
        direction = next((d for p in parts for d in ("forward", "backward") if p.startswith(d)), None)
        out[".".join([parts[0], *([direction] if direction else []), parts[-1].removesuffix(":0")])] = np.asarray(item)

    file.visititems(visit)
    return out


class _Model:
    """A model's layers with their arrays."""

    def __init__(self, config: Any, arrays: dict[str, np.ndarray]) -> None:
        self.arrays, self.config, self.counts = arrays, config, dict[str, int]()
        self.by_name = any(n.rsplit(".", 1)[-1] == "kernel" for n in arrays)
        self.layers: list[StoredLayer] = []
        self.dense: list[StoredDense] = []
        self.pooling: str | None = None
        self.sequence = True
        self.scaling: Scaling | None = None
        self.embedding: np.ndarray | None = None

    def stored(self, lines: tuple[str, ...]) -> Stored:
        if self.config.get("class_name") not in ("Sequential", "Functional", "Model"):
            raise InputError(f"model of class {self.config.get('class_name')!r}: Sequential and Functional models are read")
        self._chain(self.config["config"])
        for layer in self.config["config"]["layers"]:
            self._add(layer["class_name"], layer["config"])
        if not self.layers or not self.dense:
            raise InputError("the model has no recurrent layer, or no dense layer behind it")
        if self.sequence:
            raise InputError("the model answers at every step (return_sequences and no pooling): one answer a sequence is read")
        chain = dense_chain(self.dense, self.layers[-1].n_out, tuple(d.name for d in self.dense))
        return Stored(
            "Keras model", chained(tuple(self.layers)), chain, self.embedding, self.scaling, self.pooling, True, listing=lines
        )

    def _chain(self, config: Any) -> None:
        """Raises `InputError` if the layers of a functional model do not follow one another."""
        previous: str | None = None
        for layer in config["layers"]:
            nodes = layer.get("inbound_nodes") or []
            before = set(_inputs(nodes))
            if len(nodes) > 1 or (before and before != {previous}):
                raise InputError(f"layer {layer['config']['name']!r}: does not follow the one before it alone; a chain is read")
            previous = layer["config"]["name"]

    def _add(self, kind: str, config: Any) -> None:
        name = self._name(kind, config)
        if kind in KINDS or kind == "Bidirectional":
            self._recurrent(kind, name, config)
        elif kind in POOLINGS:
            self._before_dense(name)
            self.pooling, self.sequence = POOLINGS[kind], False
        elif kind == "Dense":
            if not self.layers or self.sequence:
                raise InputError(f"layer {name!r}: a dense layer at every step is not read")
            bias = self._take(name, "bias", 1) if config.get("use_bias", True) else None
            w = self._take(name, "kernel", 0)
            self.dense.append(StoredDense(name, w, np.zeros(w.shape[1]) if bias is None else bias, self._function(name, config)))
        elif kind == "Activation" and self.dense:
            last = self.dense[-1]
            if last.activation != "linear":
                raise InputError(f"layer {name!r}: a second activation behind {last.name!r} is not read")
            self.dense[-1] = StoredDense(last.name, last.weights, last.bias, self._function(name, config))
        elif kind in ("Normalization", "Rescaling", "BatchNormalization"):
            self._scale(kind, name, config)
        elif kind == "Embedding" and not self.layers:
            self.embedding = self._take(name, "embeddings", 0)
        elif kind not in NOTHING:
            raise InputError(f"layer {name!r} of class {kind!r}: is not known here")

    def _name(self, kind: str, config: Any) -> str:
        """The layer's name among the arrays: its own, or its class's with a number, as Keras 3 has it."""
        snake = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", kind)).lower()
        number = self.counts[kind] = self.counts.get(kind, -1) + 1
        if self.by_name:
            return config["name"]
        return snake + (f"_{number}" if number else "")

    def _take(self, name: str, part: str, index: int) -> np.ndarray:
        for spelled in (f"{name}.{part}", f"{name}.{index}"):
            if spelled in self.arrays:
                return self.arrays[spelled]
        raise InputError(f"layer {name!r}: has no {part}; the arrays are {', '.join(self.arrays)}")

    def _before_dense(self, name: str) -> None:
        if not self.layers or self.dense or not self.sequence:
            raise InputError(f"layer {name!r}: is not behind a recurrent layer that gives all its steps")

    def _function(self, name: str, config: Any) -> str:
        given = config.get("activation")
        given = given.get("class_name", given.get("config")) if isinstance(given, dict) else given
        known = ACTIVATIONS.get(given)
        if known is None:
            raise InputError(f"layer {name!r}: activation {given!r} is not known here")
        return known

    def _recurrent(self, kind: str, name: str, config: Any) -> None:
        if not self.sequence or self.dense:
            raise InputError(f"layer {name!r}: the layer below gives its last step alone")
        if kind != "Bidirectional":
            made = self._one(name, KINDS[kind], config)
            if config.get("go_backwards"):
                raise InputError(f"layer {name!r}: go_backwards is read in a Bidirectional layer alone")
            self.layers.append(made)
            self.sequence = bool(config["return_sequences"])
        else:
            inner = config["layer"]
            if config.get("merge_mode", "concat") != "concat" or inner["class_name"] not in KINDS:
                raise InputError(
                    f"layer {name!r}: merge_mode {config.get('merge_mode')!r} of {inner['class_name']}; 'concat' is read"
                )
            a, b = (self._one(f"{name}.{d}", KINDS[inner["class_name"]], inner["config"]) for d in ("forward", "backward"))
            self.layers.append(StoredLayer(name, a.kind, a.forward, b.forward, a.activation, a.gate, a.reset))
            self.sequence = bool(inner["config"]["return_sequences"])
        if not self.sequence:
            self.pooling = "h_n"

    def _one(self, name: str, kind: str, config: Any) -> StoredLayer:
        function, gate = config.get("activation", "tanh"), config.get("recurrent_activation", "sigmoid")
        if function not in CELL_ACTIVATIONS or gate not in CELL_ACTIVATIONS or (function == "relu" and kind != "rnn"):
            raise InputError(f"layer {name!r}: activations {function!r} and {gate!r} are not known here")
        after = bool(config.get("reset_after", True))
        bias = self._take(name, "bias", 2) if config.get("use_bias", True) else None
        d = _direction(kind, after, self._take(name, "kernel", 0), self._take(name, "recurrent_kernel", 1), bias)
        return StoredLayer(
            name, kind, d, None, CELL_ACTIVATIONS[function], CELL_ACTIVATIONS[gate], "after" if after or kind != "gru" else "before"
        )

    def _scale(self, kind: str, name: str, config: Any) -> None:
        if self.layers:
            raise InputError(f"layer {name!r} of class {kind}: is read before the first recurrent layer alone")
        if self.scaling is not None:
            raise InputError(f"layer {name!r}: is a second scaling of the inputs")
        if kind == "Rescaling":
            gain, shift = np.atleast_1d(np.asarray(config["scale"], float)), np.atleast_1d(np.asarray(config["offset"], float))
            width = max(len(gain), len(shift))
            gain, shift = np.broadcast_to(gain, width), np.broadcast_to(shift, width)
            self.scaling = Scaling(-shift / gain, gain)
        elif kind == "Normalization":
            given = [config.get("mean"), config.get("variance")]
            mean, variance = (
                self._take(name, part, i) if v is None else np.asarray(v, float)
                for i, (part, v) in enumerate(zip(("mean", "variance"), given, strict=True))
            )
            self.scaling = Scaling(mean.ravel(), 1 / np.maximum(np.sqrt(variance.ravel()), 1e-7))
        else:
            names = [n for n, on in (("gamma", config.get("scale", True)), ("beta", config.get("center", True))) if on]
            names += ["moving_mean", "moving_variance"]
            v = {n: self._take(name, n, i) for i, n in enumerate(names)}
            gain = v.get("gamma", 1.0) / np.sqrt(v["moving_variance"] + config.get("epsilon", 1e-3))
            self.scaling = Scaling(v["moving_mean"] - v.get("beta", 0.0) / gain, np.asarray(gain))


def _inputs(node: Any) -> Iterator[str]:
    """Names of the layers whose outputs a node takes, as Keras 3 and Keras 2 write them."""
    if isinstance(node, dict):
        if "keras_history" in node:
            yield node["keras_history"][0]
        for value in node.values():
            yield from _inputs(value)
    elif isinstance(node, list):
        if len(node) == 4 and isinstance(node[0], str) and isinstance(node[1], int):
            yield node[0]
        for value in node:
            yield from _inputs(value)


def _direction(kind: str, after: bool, w_x: np.ndarray, w_h: np.ndarray, bias: np.ndarray | None) -> Direction:
    """Columns in our order of the gates: z, r, h of a GRU become r, z, n; those of an LSTM are in order."""

    def ordered(a: np.ndarray) -> np.ndarray:
        if kind != "gru":
            return a
        z, r, n = np.split(a, 3, axis=-1)
        return np.concatenate([r, z, n], axis=-1)

    columns = w_h.shape[1]
    if w_h.shape[1] != GATES[kind] * len(w_h) or w_x.shape[1] != columns:
        raise InputError(f"kernels have shapes {w_x.shape} and {w_h.shape}, must be (inputs, {GATES[kind]} units) and (units, ...)")
    b = np.zeros(columns) if bias is None else bias
    b_x, b_h = (b[0], b[1]) if b.ndim == 2 else (b, np.zeros(columns))
    if b.ndim == 2 and not (kind == "gru" and after):
        raise InputError(f"bias has shape {b.shape}, must be ({columns},)")
    return Direction(ordered(w_x), ordered(w_h), ordered(b_x), ordered(b_h))


def _alone(
    arrays: dict[str, np.ndarray],
    kind: str | None,
    prefix: str | None,
    readout: Sequence[str] | None,
    ignore: Sequence[str],
    lines: tuple[str, ...],
) -> Stored:
    """Weights without a description; layers one on the other as their shapes say, biases of GRUs that of ``reset_after``."""
    groups: dict[str, dict[str, np.ndarray]] = {}
    for name, a in arrays.items():
        owner, _, part = name.rpartition(".")
        if not any(name.startswith(i) for i in ignore):
            groups.setdefault(owner, {})[{"0": "kernel", "1": "recurrent_kernel", "2": "bias"}.get(part, part)] = a
    found: dict[str, list[StoredLayer]] = {}
    dense = []
    for owner, g in groups.items():
        w_h = g.get("recurrent_kernel")
        if w_h is not None and w_h.ndim == 2 and "kernel" in g:
            if not owner.startswith(prefix or ""):
                continue
            own = {n: k for k, n in GATES.items()}.get(w_h.shape[1] // len(w_h), "?")
            if kind not in (None, own, "vanilla" if own == "rnn" else own) or own == "?":
                raise InputError(f"{owner}: kernels have shapes {g['kernel'].shape} and {w_h.shape}, those of no {kind or 'layer'}")
            bias = g.get("bias")
            after = own == "gru" and (bias is None or bias.ndim == 2)
            d = _direction(own, after, g["kernel"], w_h, bias)
            base = re.sub(r"\.(forward|backward)$", "", owner)
            found.setdefault(base, []).append(StoredLayer(owner, own, d, reset="after" if after or own != "gru" else "before"))
        elif "kernel" in g and g["kernel"].ndim == 2:
            bias = g.get("bias", w_h)
            w = g["kernel"]
            dense.append(StoredDense(owner, w, np.zeros(w.shape[1]) if bias is None else bias))
        elif g:
            raise InputError(f"{owner}: is neither a recurrent nor a dense layer; the arrays are {', '.join(arrays)}")
    layers = []
    for base, parts in found.items():
        parts = sorted(parts, key=lambda p: p.name.endswith("backward"))
        backward = parts[1].forward if len(parts) == 2 else None
        layers.append(StoredLayer(base, parts[0].kind, parts[0].forward, backward, None, "sigmoid", parts[0].reset))
    if not layers:
        raise InputError(f"there is no recurrent layer; the arrays are {', '.join(arrays) or 'none'}")
    # Files keep layers by the alphabet; Keras numbers them as they are made.
    layers.sort(key=lambda layer: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", f"{layer.name}_0")])
    chain = chained(tuple(layers))
    head = dense_chain(dense, chain[-1].n_out, None if readout is None else tuple(readout))
    return Stored("Keras weights", chain, head, listing=lines)
