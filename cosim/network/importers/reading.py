"""Files of networks by what is in them, whatever framework wrote them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from netlists.errors import InputError
from netlists.files import read_arrays

from .numbers import finite
from .safetensors_file import read_safetensors
from .stored import Stored
from .torch_file import listing, read_torch, state_dicts
from .torch_tensors import stored_torch

TORCH = (".pt", ".pth", ".ckpt", ".bin", ".tar")
ENDINGS = (".pt", ".pth", ".ckpt", ".bin", ".safetensors", ".npz", ".keras", ".h5", ".hdf5", ".msgpack", ".onnx")


def read_tensors(path: str | Path, state: str | None = None) -> dict[str, np.ndarray]:
    """Arrays of a ``.safetensors`` file, or of the state dictionary in a file of `torch.save`; nothing in a file is run.

    Parameters
    ----------
    state : str or None
        Which dictionary of a checkpoint, such as ``"ema"``; None: the only one with a recurrent layer.

    Raises
    ------
    InputError
        Another ending, no such file, a damaged one, one without or with several dictionaries of a recurrent layer.
    """
    path = _existing(path)
    if path.suffix == ".safetensors":
        return read_safetensors(path)
    if path.suffix not in TORCH:
        raise InputError(f"{path}: ends in {path.suffix!r}; weights are read from .safetensors, {', '.join(TORCH)}")
    return _state_dict(path, read_torch(path), state)


def read_stored(path: str | Path, *, state: str | None = None, **options: Any) -> Stored:
    """What a file holds of a network; ``options`` as for `stored_torch`.

    Raises
    ------
    InputError
        No such file, an ending that no framework writes, a damaged file, layers that are not known here.
    """
    path = _existing(path)
    if path.suffix in TORCH:
        content = read_torch(path)
        tensors = _state_dict(path, content, state)
        return _named(path, stored_torch, tensors, listing=tuple(listing(content)), **options)
    if path.suffix == ".safetensors":
        return _from_arrays(path, read_safetensors(path), options)
    if path.suffix == ".npz":
        return _from_arrays(path, _npz(path), options)
    if path.suffix in (".keras", ".h5", ".hdf5"):
        from .keras_file import read_keras

        return _named(path, read_keras, path, **options)
    if path.suffix == ".msgpack":
        from .flax_tree import read_msgpack, stored_flax

        return _named(path, stored_flax, read_msgpack(path), **options)
    if path.suffix == ".onnx":
        from .onnx_file import read_onnx

        return _named(path, read_onnx, path, **options)
    raise InputError(f"{path}: ends in {path.suffix!r}; networks are read from {', '.join(ENDINGS)}")


def listing_of(path: str | Path) -> list[str]:
    """What a file holds, a line each, whether or not a network can be made of it."""
    path = _existing(path)
    if path.suffix in TORCH:
        return listing(read_torch(path))
    if path.suffix in (".safetensors", ".npz"):
        arrays = read_safetensors(path) if path.suffix == ".safetensors" else _npz(path)
        return [f"{n}: {a.dtype} {a.shape}" for n, a in arrays.items()]
    return list(read_stored(path).listing)


def _from_arrays(path: Path, arrays: Mapping[str, np.ndarray], options: Mapping[str, Any]) -> Stored:
    """Named arrays, by the names that each framework gives."""
    from .flax_tree import is_flax, stored_flax
    from .tensorflow import is_tensorflow, stored_tensorflow

    lines = tuple(f"{n}: {a.dtype} {a.shape}" for n, a in arrays.items())
    if is_tensorflow(arrays):
        return _named(path, stored_tensorflow, finite(dict(arrays), "arrays"), listing=lines, **options)
    if is_flax(arrays):
        return _named(path, stored_flax, arrays, **options)
    return _named(path, stored_torch, arrays, listing=lines, **options)


def _named(path: Path, read: Any, *given: Any, **options: Any) -> Stored:
    try:
        return read(*given, **options)
    except InputError as e:
        raise InputError(str(e) if str(path) in str(e) else f"{path}: {e}") from None


def _existing(path: str | Path) -> Path:
    path = Path(path)
    if path.suffix not in ENDINGS + TORCH:
        raise InputError(f"{path}: ends in {path.suffix!r}; weights are read from {', '.join(ENDINGS)}")
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    return path


def _npz(path: Path) -> dict[str, np.ndarray]:
    return {n: a for n, a in read_arrays(path, "file of numbers").items() if a.dtype.kind in "fiu"}


def _state_dict(path: Path, content: Any, state: str | None) -> dict[str, np.ndarray]:
    """The dictionary with the recurrent layer."""
    found = dict(state_dicts(content))
    recurrent = [name for name, tensors in found.items() if any("weight_ih" in n for n in tensors)]
    if state is not None:
        if state not in found:
            raise InputError(f"{path}: state={state!r}: there is no such dictionary of tensors; there are {_list(found)}")
        return found[state]
    if len(recurrent) > 1:
        raise InputError(f"{path}: holds several dictionaries with a recurrent layer, {_list(recurrent)}; say which (state)")
    if recurrent:
        return found[recurrent[0]]
    if len(found) == 1:
        return next(iter(found.values()))
    held = "\n  ".join(listing(content)[:40])
    raise InputError(
        f"{path}: holds a {type(content).__name__}, no dictionary with tensors of a recurrent layer. It holds\n  {held}"
    )


def _list(names: Sequence[str] | Mapping[str, Any]) -> str:
    return ", ".join(repr(n) for n in names) or "none"
