"""Small data sets that come with the package."""

from __future__ import annotations

from importlib.resources import files

import numpy as np

from netlists.errors import ToolkitError


def shipped(name: str) -> dict[str, np.ndarray]:
    """Reads the arrays of one data set; raises `ToolkitError` if its file is missing or damaged."""
    path = files("cosim.tasks") / "data" / f"{name}.npz"
    try:
        with path.open("rb") as f, np.load(f, allow_pickle=False) as arrays:
            return {key: arrays[key] for key in arrays.files}
    except Exception as e:  # NumPy and zipfile raise many kinds for a damaged file.
        raise ToolkitError(f"task {name!r}: {path} cannot be read ({e}); reinstall the package") from None
