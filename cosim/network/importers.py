"""Weights of PyTorch's recurrent layers: read from safetensors files or state dictionaries, and written back.

PyTorch (docs of `torch.nn.LSTM`, `torch.nn.GRU`, `torch.nn.RNN`) keeps, for each layer k and direction,

    weight_ih_l{k}  (gates * hidden, in)      bias_ih_l{k}, bias_hh_l{k}  (gates * hidden,)
    weight_hh_l{k}  (gates * hidden, out)     weight_hr_l{k}  (projection, hidden)

with the suffix ``_reverse`` for the direction from the end. Gates are i, f, g, o in an LSTM, where g is our candidate a, and
r, z, n in a GRU, whose reset gate is behind the state's product. The two biases are added, except in the GRU's candidate, where the
second is behind the reset gate: there they are columns of their own here too.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cosim.network.cells import GRU, LSTM, Cell, Vanilla
from netlists.errors import InputError, ToolkitError
from netlists.files import write_bytes

from .network import DIRECTIONS, Layer, Network, NetworkMetadata

SUFFIX = {"forward": "", "backward": "_reverse"}
GATES = {"lstm": 4, "gru": 3, "vanilla": 1}
EXTRA = "install the extra: pip install 'nladc-cosim[train]'"


def read_tensors(path: str | Path) -> dict[str, np.ndarray]:
    """Arrays of a ``.safetensors`` file, or of a state dictionary in a ``.pt`` or ``.pth`` file.

    A state dictionary is loaded with ``weights_only=True``: nothing in the file is run.

    Raises
    ------
    InputError
        Another ending, no such file, a damaged one, or one that holds other things than tensors.
    ToolkitError
        The package that reads it is not installed.
    """
    path = Path(path)
    if path.suffix not in (".safetensors", ".pt", ".pth"):
        raise InputError(f"{path}: ends in {path.suffix!r}; weights are read from .safetensors, .pt and .pth")
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    return _read_safetensors(path) if path.suffix == ".safetensors" else _read_state_dict(path)


def write_safetensors(tensors: Mapping[str, np.ndarray], path: str | Path) -> Path:
    """Writes arrays as ``.safetensors``, complete or not at all."""
    path = Path(path)
    if path.suffix != ".safetensors":
        raise InputError(f"{path}: tensors are written as .safetensors; give a name that ends so")
    try:
        from safetensors.numpy import save
    except ImportError:
        raise ToolkitError(f"{path}: writing needs the package safetensors; {EXTRA}") from None
    content = save({name: np.ascontiguousarray(a) for name, a in tensors.items()})
    return write_bytes(path, content)


def from_torch(
    tensors: Mapping[str, Any],
    kind: str,
    *,
    prefix: str = "",
    readout: str = "",
    embedding: str = "",
    metadata: NetworkMetadata | None = None,
) -> Network:
    """A network from the tensors of a PyTorch module.

    Parameters
    ----------
    tensors : mapping of arrays
        A state dictionary, or what `read_tensors` gives.
    kind : {"lstm", "gru", "vanilla"}
        `torch.nn.LSTM`, `torch.nn.GRU`, or `torch.nn.RNN` with its tanh: its nonlinearity is not among the tensors.
    prefix : str
        Of the recurrent layer's names, such as ``"rnn."``.
    readout : str
        Prefix of the linear layer that reads the classes, such as ``"fc."``.
    embedding : str
        Prefix of the `torch.nn.Embedding`, if there is one.

    Returns
    -------
    Network
        An `LSTMNetwork` if it is one plain LSTM layer on features.

    Raises
    ------
    InputError
        A tensor that is missing, left over or of the wrong shape; names it.
    """
    if kind not in GATES:
        raise InputError(f"kind={kind!r}: unknown; allowed are {', '.join(GATES)}")
    arrays = {name: np.asarray(t) for name, t in tensors.items()}
    left = set(arrays)

    def take(name: str, shape: tuple[int | None, ...], optional: bool = False) -> np.ndarray | None:
        if name not in arrays:
            if optional:
                return None
            raise InputError(f"{name}: missing; the tensors are {', '.join(sorted(arrays)) or 'none'}")
        a = arrays[name]
        if len(a.shape) != len(shape) or any(n is not None and n != m for n, m in zip(shape, a.shape, strict=True)):
            wanted = ", ".join("any" if n is None else str(n) for n in shape)
            raise InputError(f"{name}: has shape {a.shape}, must be ({wanted})")
        left.discard(name)
        return a.astype(np.float64)

    layers: list[Layer] = []
    k = 0
    while f"{prefix}weight_ih_l{k}" in arrays or k == 0:
        found: dict[str, tuple[Cell, dict[str, np.ndarray]]] = {}
        for direction, suffix in SUFFIX.items():
            if direction == "forward" or f"{prefix}weight_ih_l{k}{suffix}" in arrays:
                found[direction] = _direction(take, f"{prefix}{{}}_l{k}{suffix}", kind)
        cell, forward = found["forward"]
        if "backward" in found and found["backward"][0] != cell:
            raise InputError(f"{prefix}weight_ih_l{k}_reverse: has another shape than {prefix}weight_ih_l{k}")
        layers.append(Layer(cell, forward, found["backward"][1] if "backward" in found else None))
        k += 1
    w_out = take(f"{readout}weight", (None, layers[-1].n_out))
    assert w_out is not None
    b_out = take(f"{readout}bias", (len(w_out),), optional=True)
    read = np.vstack([w_out.T, np.zeros(len(w_out)) if b_out is None else b_out])
    symbols = take(f"{embedding}weight", (None, layers[0].cell.n_in)) if embedding else None
    if left:
        raise InputError(f"{sorted(left)[0]}: left over; it belongs to neither the recurrent layer, the readout nor the embedding")
    return Network.of(layers, read, symbols, metadata or NetworkMetadata(cell=kind))


def to_torch(
    network: Network, *, prefix: str = "rnn.", readout: str = "fc.", embedding: str = "embedding."
) -> dict[str, np.ndarray]:
    """Tensors for `torch.nn.LSTM`, `torch.nn.GRU` or `torch.nn.RNN` (tanh), a linear readout and an embedding, float32.

    All of a bias goes into ``bias_ih``, except the part of a GRU's candidate that is behind the reset gate.

    Raises
    ------
    InputError
        A cell that PyTorch has no layer for.
    """
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


def _direction(take: Any, name: str, kind: str) -> tuple[Cell, dict[str, np.ndarray]]:
    """Cell and parameters of one direction of a layer."""
    gates = GATES[kind]
    w_ih = take(name.format("weight_ih"), (None, None))
    if len(w_ih) % gates:
        raise InputError(f"{name.format('weight_ih')}: has {len(w_ih)} rows, must be {gates} for each hidden unit of a {kind}")
    n_in, n_hidden = w_ih.shape[1], len(w_ih) // gates
    w_hr = take(name.format("weight_hr"), (None, n_hidden), optional=True) if kind == "lstm" else None
    n_out = n_hidden if w_hr is None else len(w_hr)
    w_hh = take(name.format("weight_hh"), (len(w_ih), n_out))
    given = [take(name.format(b), (len(w_ih),), optional=True) for b in ("bias_ih", "bias_hh")]
    b_ih, b_hh = (np.zeros(len(w_ih)) if b is None else b for b in given)
    if kind == "gru":
        return GRU(n_in, n_hidden), {"weights": _joined_gru(w_ih, w_hh, b_ih, b_hh)}
    weights = np.vstack([w_ih.T, w_hh.T, b_ih + b_hh])
    if kind == "vanilla":
        return Vanilla(n_in, n_hidden), {"weights": weights}
    if w_hr is None:
        return LSTM(n_in, n_hidden), {"weights": weights}
    return LSTM(n_in, n_hidden, n_projection=n_out), {"weights": weights, "projection": w_hr.T}


def _joined_gru(w_ih: np.ndarray, w_hh: np.ndarray, b_ih: np.ndarray, b_hh: np.ndarray) -> np.ndarray:
    """Columns r, z, n_x, n_h."""
    n = w_hh.shape[1]
    n_in = w_ih.shape[1]
    out = np.zeros((n_in + n + 1, 4 * n))
    out[:n_in, : 3 * n] = w_ih.T
    out[n_in:-1, : 2 * n], out[n_in:-1, 3 * n :] = w_hh.T[:, : 2 * n], w_hh.T[:, 2 * n :]
    out[-1, : 2 * n] = (b_ih + b_hh)[: 2 * n]
    out[-1, 2 * n : 3 * n], out[-1, 3 * n :] = b_ih[2 * n :], b_hh[2 * n :]
    return out


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
    if cell not in (LSTM(*n, n_projection=projection), GRU(*n), Vanilla(*n)):
        raise InputError(
            f"cell {cell.describe()}: PyTorch has no such layer; it has LSTMs and GRUs with their textbook activations, the "
            "GRU's reset gate behind the product, and vanilla layers with tanh"
        )


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    try:
        from safetensors import SafetensorError
        from safetensors.numpy import load_file
    except ImportError:
        raise ToolkitError(f"{path}: reading needs the package safetensors; {EXTRA}") from None
    try:
        return load_file(path)
    except (SafetensorError, KeyError, ValueError, OSError) as e:
        raise InputError(f"{path}: is not a safetensors file of numbers that NumPy has, or is damaged ({e})") from None


def _read_state_dict(path: Path) -> dict[str, np.ndarray]:
    try:
        # Not needed otherwise, and large: whoever has such a file has it.
        import torch
    except ImportError:
        raise ToolkitError(
            f"{path}: reading a state dictionary needs PyTorch; install it, or save the weights as .safetensors"
        ) from None
    # torch raises errors of many kinds for files that are no state dictionaries.
    try:
        found = torch.load(os.fspath(path), map_location="cpu", weights_only=True)
    except Exception as e:
        raise InputError(f"{path}: is not a state dictionary of weights alone ({type(e).__name__}: {e})"[:400]) from None
    if not isinstance(found, Mapping) or not all(isinstance(t, torch.Tensor) for t in found.values()):
        raise InputError(f"{path}: holds a {type(found).__name__}, must be a state dictionary: names and tensors")
    return {name: t.detach().to(torch.float64).numpy() for name, t in found.items()}
