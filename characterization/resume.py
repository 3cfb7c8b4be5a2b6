"""Resume long work: its finished parts lie in a folder until it is done, and work that was stopped goes on after them.

Three things are stored otherwise, each for a reason. The chunks of a run (`characterization.run.chunks`) stay for good, and many
computers write them. A training's checkpoint is one state that the next replaces. The task cache is the user's, for all work,
replaced whole.
"""

from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from netlists.errors import InputError
from netlists.files import make_folder, read_json, sha256_of, write_bytes, write_json

if TYPE_CHECKING:
    import pandas as pd

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=+-]*")
DIGITS = 16


class Parts:
    """Finished parts of one piece of work with one set of settings, in ``FOLDER/.parts``.

    A part's file is named ``NAME.DIGEST.SUFFIX``, with the first digits of its SHA-256: file and checksum appear in the same
    rename. A part that is not what was written is computed again. Also what was computed now is read back: work that goes on
    sees the same bits.

    Parameters
    ----------
    folder : Path
        The work's folder.
    settings : mapping
        All that the parts depend on beside their names, as JSON has it.

    Raises
    ------
    InputError
        The folder holds parts of other settings; the message names the difference.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self.folder = make_folder(Path(folder) / ".parts")
        manifest = self.folder / "settings.json"
        if not manifest.exists():
            if foreign := sorted(p.name for p in self.folder.iterdir() if not p.name.startswith(".lock")):
                raise InputError(f"{self.folder}: holds {foreign[0]}, which is no part of ours; choose another folder")
            write_json(manifest, dict(settings))
            return
        stored = read_json(manifest, "settings of a study")
        if different := _differences(stored, settings):
            raise InputError(
                f"{folder}: holds the parts of a stopped study with other settings ({different}); "
                f"go on with those, choose another folder, or delete {self.folder}"
            )

    def rows(self, name: str, compute: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
        """Reads the rows of a table, or computes and stores them; they hold what JSON holds: None, not NaN."""
        return json.loads(self._part(name, ".json", lambda: json.dumps(compute(), allow_nan=False).encode()))

    def arrays(self, name: str, compute: Callable[[], Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """Reads named arrays, or computes and stores them."""

        def packed() -> bytes:
            buffer = io.BytesIO()
            np.savez(buffer, allow_pickle=False, **compute())
            return buffer.getvalue()

        with np.load(io.BytesIO(self._part(name, ".npz", packed)), allow_pickle=False) as archive:
            return dict(archive)

    def array(self, name: str, compute: Callable[[], np.ndarray]) -> np.ndarray:
        """Reads one array, or computes and stores it."""
        return self.arrays(name, lambda: {"array": compute()})["array"]

    def table(self, name: str, compute: Callable[[], pd.DataFrame]) -> pd.DataFrame:
        """Reads a table with its types, or computes and stores it."""
        import pandas as pd

        # Without a path `to_parquet` returns the bytes.
        return pd.read_parquet(io.BytesIO(self._part(name, ".parquet", lambda: compute().to_parquet())))

    def file(self, name: str) -> Path:
        """Names the place of a part that is a file or folder of its own; whoever makes it writes it atomically.

        Raises
        ------
        InputError
            A name that is no file's name.
        """
        if not NAME.fullmatch(name):
            raise InputError(f"part {name!r}: must be letters, digits and . _ = + - only")
        return self.folder / name

    def done(self) -> None:
        """Removes the parts: the work's own files hold everything."""
        shutil.rmtree(self.folder)

    def _part(self, name: str, suffix: str, compute: Callable[[], bytes]) -> bytes:
        """Reads the bytes of a part if they are sound, or computes and stores them."""
        place = self.file(name)
        for path in self.folder.glob(f"{place.name}.{'[0-9a-f]' * DIGITS}{suffix}"):
            data = path.read_bytes()
            if path.name == _name(name, data, suffix):
                return data
            path.unlink()
        data = compute()
        write_bytes(place.with_name(_name(name, data, suffix)), data)
        return data


def _name(name: str, data: bytes, suffix: str) -> str:
    return f"{name}.{sha256_of(data)[:DIGITS]}{suffix}"


def _differences(stored: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    names = [n for n in {**stored, **asked} if stored.get(n) != asked.get(n)]
    return ", ".join(f"{n}: {stored.get(n)!r} there, {asked.get(n)!r} now" for n in names)
