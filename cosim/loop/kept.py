"""What was measured of a chip before its loop, kept in a file so that a loop that goes on does not measure it again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from characterization.provenance import write_atomic


class Kept:
    """What was measured, by name; read from a file if it is there, and written to it once all is measured.

    Parameters
    ----------
    store : Path or None
    """

    def __init__(self, store: Path | None) -> None:
        self._store = store
        self._arrays: dict[str, np.ndarray] = {}
        self._complete = store is not None and store.exists()
        if self._complete and store is not None:
            with np.load(store, allow_pickle=False) as data:
                self._arrays = {name: data[name] for name in data.files}

    def array(self, name: str, compute: Callable[[], np.ndarray]) -> np.ndarray:
        """The array of this name; computed if it is not there."""
        if name not in self._arrays:
            self._arrays[name] = compute()
        return self._arrays[name]

    def write(self) -> None:
        if self._store is not None and not self._complete:
            write_atomic(self._store, self._save)

    def _save(self, path: Path) -> None:
        with open(path, "wb") as f:
            np.savez(f, **self._arrays)  # type: ignore[arg-type]
