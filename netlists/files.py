"""Files that are complete or not there at all, their digests, and strict JSON."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .errors import InputError, ToolkitError

CHECKSUMS = "checksums"
"""Field of a JSON file that has the checksums of the others."""


def make_folder(path: Path) -> Path:
    """Creates a folder that results can be written to; `ToolkitError` names it if that is not possible."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise ToolkitError(f"{path}: the folder cannot be created ({e.strerror}); choose another folder") from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise ToolkitError(f"{path}: the folder is not writable; choose another folder")
    return path


def write_atomic(path: Path, write: Callable[[Path], Any], *, sync: bool = True) -> Path:
    """Lets ``write`` fill a temporary file beside ``path``, and gives it the final name.

    Parameters
    ----------
    sync : bool
        Wait until the file and its name would survive a power cut.

    Raises
    ------
    ToolkitError
        The folder cannot be made, or the file not be written; what was there before is still there.
    """
    make_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        if sync:
            with open(temporary, "rb+") as f:
                os.fsync(f.fileno())
        os.replace(temporary, path)
        if sync:
            sync_folder(path.parent)
    except OSError as e:
        raise ToolkitError(f"{path}: cannot be written ({e.strerror or e})") from None
    finally:
        temporary.unlink(missing_ok=True)
    return path


def sync_folder(path: Path) -> None:
    """Makes the names in a folder survive a power cut, where the file system can do that."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    except OSError as e:
        if e.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(fd)


def write_bytes(path: Path, data: bytes) -> Path:
    """Writes bytes, complete or not at all."""
    return write_atomic(path, lambda p: p.write_bytes(data))


def write_text(path: Path, text: str) -> Path:
    """Writes text in UTF-8, complete or not at all."""
    return write_bytes(path, text.encode())


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> Path:
    """Writes named arrays as ``.npz``, complete or not at all."""

    def write(temporary: Path) -> None:
        # An open file, because savez adds .npz to a name that does not end so.
        with open(temporary, "wb") as file:
            np.savez(file, allow_pickle=False, **arrays)

    return write_atomic(path, write)


def write_json(path: Path, data: Any) -> Path:
    """Writes strict JSON (no NaN), complete or not at all."""
    return write_text(path, json.dumps(data, indent=1, allow_nan=False) + "\n")


def read_json(path: Path, what: str) -> Any:
    """Reads a JSON file; `InputError` says what it was to be and why it cannot be read."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such {what}") from None
    except OSError as e:
        raise InputError(f"{path}: the {what} cannot be read ({e.strerror})") from None
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as e:
        raise InputError(f"{path}: not a valid {what} ({e})") from None


def sha256_of(what: Path | bytes) -> str:
    """Computes the SHA-256 of a file or of bytes, as hexadecimal digits."""
    if isinstance(what, bytes):
        return hashlib.sha256(what).hexdigest()
    with open(what, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def field_checksum(value: Any) -> str:
    """SHA-256 of a JSON value in canonical form (sorted keys, no spaces)."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def with_checksums(data: dict[str, Any]) -> dict[str, Any]:
    """The data with ``checksums`` of all other fields."""
    fields = {name: value for name, value in data.items() if name != CHECKSUMS}
    return {**fields, CHECKSUMS: {name: field_checksum(value) for name, value in fields.items()}}


def without_checksums(data: dict[str, Any], where: str) -> dict[str, Any]:
    """The data after each field was held against its checksum.

    Raises
    ------
    InputError
        The first field that was changed, lost or added since the file was written.
    """
    sums = data.get(CHECKSUMS)
    if not isinstance(sums, dict):
        raise InputError(f"{where}; field {CHECKSUMS}: Field required: the file was not written by this toolkit")
    fields = {name: value for name, value in data.items() if name != CHECKSUMS}
    for name in [*sums, *fields]:
        if name not in fields:
            raise InputError(f"{where}; field {name}: Field required: it was taken out of the file")
        if sums.get(name) != field_checksum(fields[name]):
            raise InputError(
                f"{where}; field {name}: does not match its checksum: the file was edited by hand or damaged; make it again"
            )
    return fields
