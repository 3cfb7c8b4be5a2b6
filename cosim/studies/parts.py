"""Finished parts of a study, kept beside it until it is done: a study that was stopped goes on with the part it was at."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from characterization.provenance import make_folder, read_json, write_json
from netlists.errors import InputError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=+-]*")


class Parts:
    """Parts of one study with one set of settings, in ``FOLDER/.parts``.

    Parameters
    ----------
    folder : Path
        The study's folder.
    settings : mapping
        All that the parts depend on, as JSON has it.

    Raises
    ------
    InputError
        The folder holds parts of other settings; the message names the difference.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self.folder = make_folder(Path(folder) / ".parts")
        manifest = self.folder / "settings.json"
        if not manifest.exists():
            write_json(manifest, dict(settings))
            return
        stored = read_json(manifest, "settings of a study")
        if different := _differences(stored, settings):
            raise InputError(
                f"{folder}: holds the parts of a stopped study with other settings ({different}); "
                f"go on with those, choose another --out, or delete {self.folder}"
            )

    def rows(self, name: str, compute: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
        """Rows of a table: those stored under this name, or those computed now, which are stored.

        A stored row holds what JSON holds: None, not NaN.
        """
        path = self.file(f"{name}.json")
        if not path.exists():
            write_json(path, compute())
        # Also what was computed now is read back: a study that goes on sees the same bits.
        rows: list[dict[str, Any]] = read_json(path, "part of a study")
        return rows

    def file(self, name: str) -> Path:
        """Where a part that is a file of its own lies; whoever makes it writes it atomically."""
        if not NAME.fullmatch(name):
            raise InputError(f"part {name!r}: must be letters, digits and . _ = + - only")
        return self.folder / name

    def done(self) -> None:
        """Remove the parts: the study's own files hold everything."""
        shutil.rmtree(self.folder)


def _differences(stored: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    names = [n for n in {**stored, **asked} if stored.get(n) != asked.get(n)]
    return ", ".join(f"{n}: {stored.get(n)!r} there, {asked.get(n)!r} now" for n in names)
