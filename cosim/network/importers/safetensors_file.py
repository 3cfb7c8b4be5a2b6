"""Files of safetensors: eight bytes with the length of a JSON header, the header, the numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from netlists.errors import InputError, ToolkitError
from netlists.files import read_bytes, write_bytes

from .numbers import decoded

LARGEST_HEADER = 100_000_000
EXTRA = "install the extra: pip install 'nladc-cosim[train]'"


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """Arrays by name, bfloat16 as float32; `InputError` names a damaged file."""
    content = read_bytes(path, "safetensors file")
    try:
        length = int.from_bytes(content[:8], "little")
        if not 2 <= length <= min(LARGEST_HEADER, len(content) - 8):
            raise ValueError("its header does not fit in it")
        header = json.loads(content[8 : 8 + length])
        data = memoryview(content)[8 + length :]
        out = {}
        for name, entry in header.items():
            if name != "__metadata__":
                begin, end = entry["data_offsets"]
                if not 0 <= begin <= end <= len(data):
                    raise ValueError(f"{name} reaches beyond its end")
                out[name] = decoded(bytes(data[begin:end]), entry["dtype"]).reshape(entry["shape"])
        return out
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as e:
        raise InputError(f"{path}: is not a safetensors file, or is damaged ({e})") from None
    except InputError as e:
        raise InputError(f"{path}: {e}") from None


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
