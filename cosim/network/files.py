"""Named arrays and JSON texts in one ``.npz`` file, without pickle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError

from netlists import files
from netlists.errors import InputError

Model = TypeVar("Model", bound=BaseModel)

FOREIGN = (".pt", ".pth", ".ckpt", ".bin", ".tar", ".safetensors", ".keras", ".h5", ".hdf5", ".msgpack", ".onnx")
"""Endings of files of other frameworks."""


def write_arrays(path: str | Path, arrays: Mapping[str, np.ndarray]) -> Path:
    """Writes named arrays; under the final name there is never half a file.

    Raises
    ------
    InputError
        The name does not end in .npz.
    ToolkitError
        The folder or the file cannot be written.
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise InputError(f"{path}: a network is saved as .npz; give a name that ends so")
    return files.write_arrays(path, arrays)


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """Reads all arrays of an ``.npz`` archive; `InputError` names the file if it is none."""
    try:
        return files.read_arrays(path, "network")
    except InputError as e:
        raise InputError(f"{e}; make one with `cosim train`") from None


def text(fields: Mapping[str, np.ndarray], name: str) -> str:
    """A text among the arrays; `InputError` names it if it is something else."""
    if fields[name].shape != () or fields[name].dtype.kind != "U":
        raise InputError(f"{name} has shape {fields[name].shape} and type {fields[name].dtype}, must be one string")
    return str(fields[name])


def parse(model: type[Model], json: str, name: str) -> Model:
    """A pydantic model from JSON; `InputError` names the field and what it got."""
    try:
        return model.model_validate_json(json)
    except ValidationError as e:
        first = e.errors()[0]
        where = ".".join(map(str, (name, *first["loc"])))
        raise InputError(f"{where}: {first['msg']}, got {first['input']!r:.80}") from None
