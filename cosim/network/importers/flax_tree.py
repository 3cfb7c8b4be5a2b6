"""Parameters of Flax: of `flax.linen` and `flax.nnx` cells, as a tree in msgpack or as arrays with the path in their names.

`flax.linen` (and `nnx.LSTMCell`) has a dense layer for each gate: ``ii if ig io`` on the input, ``hi hf hg ho`` on the state with
the biases; a GRU ``ir iz in`` with the biases and ``hr hz hn``, the last with a bias of its own, behind the reset gate; a
`SimpleCell` ``i`` and ``h``. `nnx.OptimizedLSTMCell` and `nnx.GRUCell` have ``dense_i`` and ``dense_h`` with the gates i, f, g, o
or r, z, n side by side. Kernels are (inputs, outputs).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from netlists.errors import InputError, ToolkitError
from netlists.files import read_bytes

from .numbers import finite
from .stored import GATES, Direction, Stored, StoredDense, StoredLayer, chained, dense_chain

GATE_NAMES = {"lstm": "ifgo", "gru": "rzn"}
_ARRAY = 1


def read_msgpack(path: Path) -> dict[str, np.ndarray]:
    """Arrays by path of what ``flax.serialization.to_bytes`` wrote."""
    try:
        import msgpack
    except ImportError:
        raise ToolkitError(
            f"{path}: reading needs the package msgpack; install the extra: pip install 'nladc-cosim[import]'"
        ) from None

    def array(code: int, data: bytes) -> Any:
        if code != _ARRAY:
            raise InputError(f"{path}: holds an object of msgpack type {code}; arrays are read")
        shape, kind, content = msgpack.unpackb(data)
        if kind == "bfloat16":
            return (np.frombuffer(content, "<u2").astype("<u4") << 16).view("<f4").reshape(shape)
        return np.frombuffer(content, kind).reshape(shape)

    try:
        return flat(msgpack.unpackb(read_bytes(path, "tree of flax"), ext_hook=array, strict_map_key=False))
    except InputError:
        raise
    except Exception as e:  # msgpack raises many kinds
        raise InputError(f"{path}: is not a tree that flax wrote, or is damaged ({type(e).__name__}: {e})"[:400]) from None


def flat(tree: Any, path: str = "") -> dict[str, np.ndarray]:
    """Arrays of a tree of dictionaries by their path, parted by dots."""
    if isinstance(tree, Mapping):
        return {n: a for k, v in tree.items() for n, a in flat(v, f"{path}.{k}" if path else str(k)).items()}
    return {path: np.asarray(tree)} if isinstance(tree, np.ndarray | np.generic) and np.asarray(tree).ndim else {}


def _paths(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Names with dots for slashes, without what states of training add."""
    out = {}
    for name, a in arrays.items():
        path = name.replace("/", ".").replace("']['", ".").strip("[']").removesuffix(".value")
        if a.dtype.kind in "fiu" and path.split(".")[0] not in ("opt_state", "step", "rngs") and ".rngs." not in f".{path}.":
            out[path.removeprefix("params.")] = a
    return out


def is_flax(arrays: Mapping[str, np.ndarray]) -> bool:
    """Whether there is a cell of Flax among named arrays."""
    return any(p.split(".")[-2:] in ([g, "kernel"] for g in ("hf", "hf_", "hz", "dense_h", "h")) for p in _paths(arrays))


def stored_flax(
    arrays: Mapping[str, np.ndarray],
    *,
    kind: str | None = None,
    prefix: str | None = None,
    readout: Sequence[str] | None = None,
    embedding: str | None = None,
    ignore: Sequence[str] = (),
) -> Stored:
    """Cells in the order of the tree, and the dense layers behind them.

    Two cells on the same inputs are the two directions of a layer if the layer above, or the readout, takes both their outputs.

    Raises
    ------
    InputError
        Arrays that are missing, left over or of the wrong shape; names them.
    """
    given = _paths(arrays)
    lines = tuple(f"{n}: {a.dtype} {a.shape}" for n, a in given.items())
    left = finite({n: a for n, a in given.items() if not any(n.startswith(i) for i in ignore)}, "arrays")
    tails = ("hi.kernel", "hr.kernel", "dense_h.kernel", "h.kernel")
    heads = [n.removesuffix(t) for n in left for t in tails if n == t or n.endswith(f".{t}")]
    cells = [_cell(left, h, kind) for h in dict.fromkeys(heads) if h.startswith(prefix or "")]
    if not cells:
        raise InputError(f"there is no cell of Flax; the arrays are {', '.join(given) or 'none'}")
    symbols = left.pop(f"{(embedding or 'Embed_0').rstrip('.')}.embedding", None)
    dense = []
    for name in [n for n in left if n.endswith("kernel") and left[n].ndim == 2]:
        w, own = left[name], name.removesuffix("kernel")
        bias = left.pop(f"{own}bias", None)
        dense.append(StoredDense(own.rstrip("."), left.pop(name), np.zeros(w.shape[1]) if bias is None else bias))
    layers = chained(_layers(cells, [len(d.weights) for d in dense]))
    chain = dense_chain(dense, layers[-1].n_out, None if readout is None else tuple(r.rstrip(".") for r in readout))
    unused = [d.name for d in dense if d not in chain]
    if over := sorted([*left, *unused]):
        raise InputError(f"{over[0]}: left over; it belongs to neither a cell, the readout nor the embedding")
    return Stored("Flax parameters", layers, chain, symbols, listing=lines)


def _layers(cells: list[StoredLayer], dense: list[int]) -> tuple[StoredLayer, ...]:
    """Cells one on the other; two on the same inputs whose outputs are taken together are one layer."""
    out: list[StoredLayer] = []
    i = 0
    while i < len(cells):
        a, b = cells[i], cells[i + 1] if i + 1 < len(cells) else None
        if b is not None and a.kind == b.kind and a.forward.w_x.shape == b.forward.w_x.shape:
            above = [cells[i + 2].forward.n_in] if i + 2 < len(cells) else dense
            if 2 * a.forward.n_out in above:
                if "backward" in a.name and "backward" not in b.name:
                    a, b = b, a
                out.append(StoredLayer(f"{a.name}, {b.name}", a.kind, a.forward, b.forward))
                i += 2
                continue
        out.append(a)
        i += 1
    return tuple(out)


def _cell(left: dict[str, np.ndarray], head: str, wanted: str | None) -> StoredLayer:
    """One cell; its arrays are taken out."""

    def take(name: str, optional: bool = False) -> np.ndarray | None:
        for spelled in (name, name.replace(".", "_.", 1)):
            if head + spelled in left:
                return left.pop(head + spelled)
        if optional:
            return None
        raise InputError(f"{head}{name}: missing; there are {', '.join(sorted(left))}")

    def part(names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        kernels = [take(f"{n}.kernel") for n in names]
        joined = np.hstack([k for k in kernels if k is not None])
        widths = [k.shape[1] for k in kernels if k is not None]
        biases = [take(f"{n}.bias", optional=True) for n in names]
        return joined, np.concatenate([np.zeros(w) if b is None else b for b, w in zip(biases, widths, strict=True)])

    if f"{head}dense_h.kernel" in left:
        (w_x, b_x), (w_h, b_h) = part(["dense_i"]), part(["dense_h"])
        kind = {n: k for k, n in GATES.items()}.get(w_h.shape[1] // len(w_h), "rnn")
    elif f"{head}h.kernel" in left:
        (w_x, b_x), (w_h, b_h), kind = part(["i"]), part(["h"]), "rnn"
    else:
        kind = "lstm" if f"{head}hi.kernel" in left else "gru"
        gates = GATE_NAMES[kind]
        (w_x, b_x), (w_h, b_h) = part([f"i{g}" for g in gates]), part([f"h{g}" for g in gates])
    if wanted not in (None, kind):
        raise InputError(f"kind={wanted!r}: {head or 'the cell'} is of kind {kind!r}")
    if w_x.shape[1] != w_h.shape[1]:
        raise InputError(f"{head}: input and state weights have {w_x.shape[1]} and {w_h.shape[1]} columns")
    return StoredLayer(head.rstrip(".") or "cell", kind, Direction(w_x, w_h, b_x, b_h))
