"""Arrays of TensorFlow's BasicLSTMCell, as checkpoints of TensorFlow 1 name them.

``kernel`` (inputs + hidden, 4 hidden) has the rows of the input first, then those of the state; its columns are i, j, f, o, j the
candidate. The forget gate is computed with ``forget_bias`` on top of ``bias``: it is in no array, and 1.0 by default (documentation
of ``tf.compat.v1.nn.rnn_cell.BasicLSTMCell``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from netlists.errors import InputError

from .stored import Direction, Stored, StoredDense, StoredLayer, chained, dense_chain

KERNEL, BIAS = "basic_lstm_cell/kernel", "basic_lstm_cell/bias"
ORDER = (0, 2, 1, 3)
"""Places of i, f, a, o among i, j, f, o."""


def is_tensorflow(arrays: Mapping[str, np.ndarray]) -> bool:
    """Whether there is a BasicLSTMCell among named arrays."""
    return any(n.endswith(KERNEL) for n in arrays)


def stored_tensorflow(
    arrays: Mapping[str, np.ndarray],
    *,
    kind: str | None = None,
    prefix: str | None = None,
    readout: Sequence[str] | None = None,
    embedding: str | None = None,
    ignore: Sequence[str] = (),
    listing: tuple[str, ...] = (),
    forget_bias: float = 1.0,
) -> Stored:
    """BasicLSTMCells and the dense layers behind them: a matrix and the vector of as many columns that follows it.

    Raises
    ------
    InputError
        Arrays that are missing, left over or of the wrong shape; names them.
    """
    if kind not in (None, "lstm") or embedding:
        raise InputError("kind, embedding: these are arrays of BasicLSTMCell, an LSTM without an embedding")
    left = {n: a for n, a in arrays.items() if not any(n.startswith(i) for i in ignore)}
    layers = []
    for name in [n for n in left if n.endswith(KERNEL) and n.startswith(prefix or "")]:
        head = name.removesuffix(KERNEL)
        w, b = left.pop(name), left.pop(head + BIAS, None)
        n = w.shape[1] // 4 if w.ndim == 2 else 0
        if not n or w.shape[1] % 4 or len(w) <= n or b is None or b.shape != (4 * n,):
            raise InputError(f"{name}: has shape {w.shape}, must be (inputs + hidden, 4 hidden), and {head + BIAS} (4 hidden,)")
        bias = _ordered(b + np.repeat([0.0, 0.0, forget_bias, 0.0], n))
        split = len(w) - n
        layers.append(
            StoredLayer(head.rstrip("/") or "lstm", "lstm", Direction(_ordered(w[:split]), _ordered(w[split:]), bias, 0 * bias))
        )
    chain = chained(tuple(layers))
    dense = dense_chain(_dense(left), chain[-1].n_out, None if readout is None else tuple(readout))
    return Stored(f"TensorFlow BasicLSTMCell, forget bias {forget_bias:g}", chain, dense, left=tuple(left), listing=listing)


def _dense(left: Mapping[str, np.ndarray]) -> list[StoredDense]:
    """Matrices with the vectors of as many columns: ``W_o`` with ``b_o``, ``dense/kernel`` with ``dense/bias``."""
    out = []
    for name, w in left.items():
        if w.ndim == 2:
            own = {name.replace("W_", "b_"), name.replace("kernel", "bias"), name.replace("weights", "biases")} - {name}
            bias = next((left[b] for b in own if b in left and left[b].shape == (w.shape[1],)), None)
            if bias is None:
                raise InputError(f"{name}: has no bias beside it; there are {', '.join(left)}")
            out.append(StoredDense(name, w, bias))
    return out


def _ordered(columns: np.ndarray) -> np.ndarray:
    """Columns (or numbers) in our order of the gates."""
    blocks = np.split(columns, 4, axis=-1)
    return np.concatenate([blocks[i] for i in ORDER], axis=-1)
