"""PyTorch's files, read without PyTorch and without running anything in them.

A file of `torch.save` is a zip archive: a pickle of the objects, and the bytes of each tensor's storage beside it. Here the pickle
is read by an unpickler that knows tensors and plain containers alone. Every other class becomes an inert `Foreign` object, which
keeps the data that it was made from: no function that the file names is ever looked up.
"""

from __future__ import annotations

import io
import math
import pickle
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from netlists.errors import InputError
from netlists.files import LARGEST_ARRAYS, opened_archive

from .numbers import DTYPES, decoded

STORAGES = {
    "DoubleStorage": "F64", "FloatStorage": "F32", "HalfStorage": "F16", "BFloat16Storage": "BF16", "LongStorage": "I64",
    "IntStorage": "I32", "ShortStorage": "I16", "CharStorage": "I8", "ByteStorage": "U8", "BoolStorage": "BOOL",
}  # fmt: skip
TENSORS = ("_rebuild_tensor_v2", "_rebuild_tensor")
DEEPEST = 6


class Foreign:
    """An object of a class that is not known here: its arguments and state, nothing that acts."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.args = list(args)
        self.state: dict[Any, Any] = {}

    def __setstate__(self, state: Any) -> None:
        self.state = state if isinstance(state, dict) else {"state": state}

    def __setitem__(self, key: Any, value: Any) -> None:
        self.state[key] = value

    def append(self, value: Any) -> None:
        self.args.append(value)

    def extend(self, values: Any) -> None:
        self.args.extend(values)


# The one in Python: for a number in the file the one in C makes a table of so many entries.
class _Unpickler(pickle._Unpickler):
    """Reads tensors, plain containers and numbers."""

    def __init__(self, content: bytes, storage: Callable[[str], bytes]) -> None:
        super().__init__(io.BytesIO(content))
        self._storage = storage
        self._left = LARGEST_ARRAYS

    def find_class(self, module: str, name: str) -> Any:
        if module == "collections" and name == "OrderedDict":
            return OrderedDict
        if module == "torch._utils" and name in TENSORS:
            return self._tensor
        if module == "torch._utils" and name.startswith("_rebuild_parameter"):
            return lambda data, *rest: data
        if module == "torch._tensor" and name == "_rebuild_from_type_v2":
            return lambda function, kind, args, state: function(*args)
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        return type(name, (Foreign,), {"__module__": module})

    def persistent_load(self, pid: Any) -> Any:
        _, kind, key, _, _ = pid
        if not isinstance(kind, str):
            raise InputError(
                f"holds a tensor of type {getattr(kind, '__name__', kind)}; floats, halves, bfloat16 and integers are read"
            )
        return kind, self._storage(key)

    def _tensor(
        self, storage: tuple[str, bytes], offset: int, size: tuple[int, ...], stride: tuple[int, ...], *rest: Any
    ) -> np.ndarray:
        kind, content = storage
        flat = decoded(content, kind)
        last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True)) if all(size) else offset - 1
        if min(offset, *size, *stride, 0) < 0 or last >= len(flat):
            raise ValueError("a tensor reaches beyond its storage")
        # Strides of 0, and one storage of many tensors: a small file asks for any amount of memory.
        self._left -= math.prod(size) * flat.itemsize
        if self._left < 0:
            raise InputError(f"its tensors would take more than {LARGEST_ARRAYS} bytes")
        view = np.lib.stride_tricks.as_strided(flat[offset:], size, tuple(s * flat.itemsize for s in stride))
        return np.array(view)


def read_torch(path: Path) -> Any:
    """What `torch.save` wrote, tensors as arrays.

    Raises
    ------
    InputError
        Not such a file, a damaged one, or one of PyTorch before 1.6; names it.
    """
    advice = (
        "; torch.save has written zip archives since PyTorch 1.6: save the state dictionary again, "
        "torch.save(model.state_dict(), 'model.pt'), or as .safetensors"
    )
    with opened_archive(path, "file of torch.save", advice=advice) as archive:
        pickles = [n for n in archive.namelist() if n.endswith("/data.pkl") or n == "data.pkl"]
        if len(pickles) != 1:
            raise InputError(f"{path}: is a zip archive, but not of torch.save (it has no data.pkl)")
        folder = pickles[0].removesuffix("data.pkl")
        if any(n.startswith(f"{folder}code/") for n in archive.namelist()):
            raise InputError(f"{path}: is a TorchScript archive, a program; save torch.jit.load(path).state_dict() with torch.save")
        if f"{folder}byteorder" in archive.namelist() and archive.read(f"{folder}byteorder") != b"little":
            raise InputError(f"{path}: holds numbers with the most significant byte first; save it on another machine")
        read = cache(lambda key: archive.read(f"{folder}data/{key}"))
        return _Unpickler(archive.read(pickles[0]), read).load()


def state_dicts(content: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Every dictionary of tensors in what a file holds, by its place, such as ``state_dict`` or ``ema.model``."""
    if isinstance(content, Foreign):
        if "_modules" in content.state:
            yield path or "model", dict(_module_tensors(content))
            return
        content = content.state
    if not isinstance(content, Mapping) or depth > DEEPEST:
        return
    tensors = {str(k): v for k, v in content.items() if isinstance(v, np.ndarray)}
    if tensors:
        yield path, tensors
    for key, value in content.items():
        yield from state_dicts(value, f"{path}.{key}" if path else str(key), depth + 1)


def _module_tensors(module: Foreign, prefix: str = "") -> Iterator[tuple[str, np.ndarray]]:
    """Parameters and buffers of a whole module that was pickled."""
    for group in ("_parameters", "_buffers"):
        for name, value in (module.state.get(group) or {}).items():
            if isinstance(value, np.ndarray):
                yield prefix + name, value
    for name, inner in (module.state.get("_modules") or {}).items():
        if isinstance(inner, Foreign):
            yield from _module_tensors(inner, f"{prefix}{name}.")


def listing(content: Any, path: str = "", depth: int = 0) -> list[str]:
    """What a file holds, a line each."""
    if isinstance(content, np.ndarray):
        return [f"{path}: {DTYPES.get(content.dtype.str, content.dtype)} {content.shape}"]
    if isinstance(content, Foreign):
        if "_modules" in content.state:
            inside = [f"{path + '.' if path else ''}{n}: {a.dtype} {a.shape}" for n, a in _module_tensors(content)]
            return [f"{path or 'model'}: a whole module, {type(content).__name__}", *inside]
        return [f"{path}: an object of {type(content).__module__}.{type(content).__name__}, not read"]
    if isinstance(content, Mapping) and content and depth < DEEPEST:
        return [line for k, v in content.items() for line in listing(v, f"{path}.{k}" if path else str(k), depth + 1)]
    return [f"{path}: {content!r:.60}"]
