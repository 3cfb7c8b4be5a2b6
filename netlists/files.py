"""Files that are complete or not there at all; files of users, read with care; digests, and strict JSON."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import stat
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import InputError, ToolkitError

if TYPE_CHECKING:
    import pandas as pd

CHECKSUMS = "checksums"
"""Field of a JSON file that has the checksums of the others."""
LARGEST_TEXT = 64 * 2**20
LARGEST_ARRAYS = 8 * 2**30
"""Bytes that a user's text, or the arrays of an archive when they are unpacked, may have."""
LARGEST_TOML = 4 * 2**20
"""Bytes that a TOML file may have."""
READ_BYTES = 2**20


CACHE = "NLADC_COSIM_CACHE"
"""Environment variable that names the user's cache."""


def cache_folder() -> Path:
    """``$NLADC_COSIM_CACHE``, else ``$XDG_CACHE_HOME/nladc-cosim``, else ``~/.cache/nladc-cosim``."""
    if own := os.environ.get(CACHE):
        return Path(own).expanduser()
    # The XDG specification has relative paths ignored.
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".cache") / "nladc-cosim"


def make_folder(path: Path) -> Path:
    """Creates a folder that results can be written to; `ToolkitError` names it if that is not possible."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise ToolkitError(f"{path}: the folder cannot be created ({e.strerror}); choose another folder") from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise ToolkitError(f"{path}: the folder is not writable; choose another folder")
    return path


def check_place(path: Path, *, folder: bool = False) -> None:
    """Raises `ToolkitError` if something cannot be written at ``path``, before work begins whose results would go there.

    Parameters
    ----------
    path : Path
        File, or ``folder``, to write; nothing is made.
    """
    try:
        above = next(p for p in (path, *path.absolute().parents) if p.exists())
    except OSError as e:
        raise ToolkitError(f"{path}: cannot be written ({e.strerror}); choose another name") from None
    if above == path and not folder and not path.is_file():
        raise ToolkitError(f"{path}: cannot be written (it is {_kind(path)}); choose another name")
    _check_link(path)
    if above.is_dir():
        if not os.access(above, os.W_OK | os.X_OK):
            raise ToolkitError(f"{path}: cannot be written ({above} is read-only); choose another place")
    elif folder or above != path:
        raise ToolkitError(f"{path}: the folder cannot be created ({above} is {_kind(above)}); choose another folder")


def _check_link(path: Path) -> None:
    """Raises `ToolkitError` for a link to nothing, which would be replaced by a file."""
    if path.is_symlink() and not path.exists():
        raise ToolkitError(f"{path}: cannot be written (it is a link that leads nowhere); choose another name")


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
    _check_link(path)
    # A device would be replaced by a file.
    if (path.exists() and not path.is_file()) or Path("/dev") in path.absolute().parents:
        raise ToolkitError(f"{path}: cannot be written (it is {_kind(path)}); choose another name")
    make_folder(path.parent)
    # A file system takes names of 255 bytes.
    short = path.name if len(os.fsencode(path.name)) < 230 else hashlib.sha256(os.fsencode(path.name)).hexdigest()
    temporary = path.with_name(f".{short}.{os.getpid()}.tmp")
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


def write_csv(path: Path, table: pd.DataFrame, **options: Any) -> Path:
    """Writes a table as CSV, complete or not at all; a text that a spreadsheet would take for a formula gets a ``'`` before it.

    ``options`` as of `pandas.DataFrame.to_csv`.
    """
    plain = {i for i, kind in enumerate(table.dtypes) if getattr(kind, "kind", "O") in "biufcmM"}
    columns = [table.iloc[:, i] if i in plain else table.iloc[:, i].map(_as_text) for i in range(table.shape[1])]
    safe = table.copy(deep=False) if not columns else type(table)(dict(enumerate(columns)), index=table.index)
    safe.columns = [_as_text(name) for name in table.columns]
    return write_atomic(path, lambda p: safe.to_csv(p, **options))


def _as_text(value: Any) -> Any:
    if not isinstance(value, str) or not value.startswith(("=", "+", "-", "@", "\t", "\r")) or value == "-":
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value


def read_bytes(path: str | Path, what: str, *, limit: int = LARGEST_ARRAYS) -> bytes:
    """Reads a file of a user; `InputError` says what it was to be and why it cannot be read: missing, a pipe, too large."""
    path = Path(path)
    try:
        # A pipe would keep us waiting, a device never end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise InputError(f"{path}: the {what} cannot be read (it is {_kind(path)})")
        with path.open("rb") as f:
            # A read of so many bytes would take their memory at once, whatever the file has; and no file's size is trusted.
            parts = [f.read(min(limit, os.fstat(f.fileno()).st_size) + 1)]
            while parts[-1] and sum(map(len, parts)) <= limit:
                parts.append(f.read(READ_BYTES))
        data = b"".join(parts)
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such {what}") from None
    except (OSError, ValueError) as e:
        raise InputError(f"{path}: the {what} cannot be read ({getattr(e, 'strerror', None) or e})") from None
    if len(data) > limit:
        raise InputError(f"{path}: is larger than {limit} bytes, too large for a {what}")
    return data


def read_text(path: str | Path, what: str, *, limit: int = LARGEST_TEXT) -> str:
    """Reads UTF-8 text of a user, with or without a byte order mark; `InputError` as `read_bytes`, or other encodings by name."""
    data = read_bytes(path, what, limit=limit)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(f"{path}: not a valid {what} (it is UTF-16 text: save it as UTF-8)")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise InputError(f"{path}: not a valid {what} (byte {data[e.start]:#04x} at {e.start} is not UTF-8 text)") from None


def read_arrays(path: str | Path, what: str, *, limit: int = LARGEST_ARRAYS) -> dict[str, np.ndarray]:
    """Reads all arrays of an ``.npz`` archive, without pickle; `InputError` as `read_bytes`, or says why it is none.

    An archive whose arrays would take more than ``limit`` bytes is not unpacked.
    """
    with opened_archive(path, what, limit=limit) as archive:
        assert archive.fp is not None
        with np.load(archive.fp, allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays.files}
        if no_array := [name for name, value in found.items() if not isinstance(value, np.ndarray)]:
            raise ValueError(f"{no_array[0]!r} is no array")
        return found


@contextmanager
def opened_archive(path: str | Path, what: str, *, limit: int = LARGEST_ARRAYS, advice: str = "") -> Iterator[zipfile.ZipFile]:
    """Opens a zip archive of a user; whatever goes wrong with its members inside becomes an `InputError` that names the file.

    An archive whose members would take more than ``limit`` bytes is refused before any is unpacked.

    Parameters
    ----------
    advice : str
        What to do about a file that is no archive of this kind.
    """
    data = io.BytesIO(read_bytes(path, what, limit=limit))
    try:
        with zipfile.ZipFile(data) as archive:
            if (size := sum(entry.file_size for entry in archive.infolist())) > limit:
                raise InputError(f"its arrays would take {size} bytes, more than the {limit} of a {what}")
            yield archive
    except InputError as e:
        raise InputError(str(e) if str(path) in str(e) else f"{path}: {e}") from None
    # Damage shows in many ways: zipfile, zlib, tokenize, struct, pickle, HDF5 and NumPy each have their own.
    except Exception as e:
        why = f"{type(e).__name__}: {e}" if not isinstance(e, zipfile.BadZipFile | ValueError) else str(e)
        raise InputError(f"{path}: is not a {what} or is damaged ({why[:200]}){advice}") from None


def read_json(path: str | Path, what: str) -> Any:
    """Reads a JSON file; `InputError` says what it was to be and why it cannot be read."""
    text = read_text(path, what)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as e:
        raise InputError(f"{path}: not a valid {what} ({e})") from None


def read_toml(path: str | Path, what: str, *, limit: int = LARGEST_TOML) -> dict[str, Any]:
    """Reads a TOML file; `InputError` names it and what is wrong."""
    return toml_of(read_text(path, what, limit=limit), f"{what} {path}")


def toml_of(text: str, where: str) -> dict[str, Any]:
    """What a TOML text says; `InputError` begins with ``where``."""
    # TOML is loaded where it is read: most commands read none.
    import tomllib

    try:
        return tomllib.loads(text)
    except RecursionError:
        raise InputError(f"{where}: not valid TOML (nested too deep)") from None
    except ValueError as e:
        # A number of more digits than Python reads is no error of the syntax.
        raise InputError(f"{where}: not valid TOML ({str(e).partition('; use sys')[0]})") from None


def column_names(head: str, separator: str, where: str) -> list[str]:
    """Names in the first line of a table, without the blanks around them; `InputError` begins with ``where``."""
    import csv

    try:
        return [name.strip() for name in next(csv.reader([head], delimiter=separator), [])]
    except csv.Error as e:
        raise InputError(f"{where}: its line of names cannot be read ({e})") from None


def named_once(names: Iterable[str], where: str) -> None:
    """Raises `InputError` if two columns have one name, as a reader of tables takes one of them without a word; "" is no name."""
    seen: set[str] = set()
    for name in names:
        if name and name in seen:
            raise InputError(f"{where}: two columns are called {name!r}: which is meant? Give each a name of its own")
        seen.add(name)


def _kind(path: Path) -> str:
    """Says what a path is that is no file."""
    mode = path.stat().st_mode
    kinds = {stat.S_IFREG: "a file", stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")


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
