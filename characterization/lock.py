"""One process at a time in a folder. The operating system holds the lock: it ends with the process, however that ends."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from netlists.errors import ToolkitError
from netlists.files import write_json

LOCK, HOLDER = ".lock", ".lock-holder.json"


def now() -> str:
    """The date and time, UTC. Durations never come from it: clocks are set back and forth."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Be the only process that works in a folder.

    Raises
    ------
    ToolkitError
        Another process does; its host and number are named.
    """
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise ToolkitError(
            f"{folder}: {describe_holder(folder)} is at work in this folder; wait for it, or choose another folder"
        ) from None
    except OSError as e:
        raise ToolkitError(f"{folder}: cannot be locked ({e.strerror or e}); choose another folder") from None
    try:
        write_json(folder / HOLDER, {"host": socket.gethostname(), "pid": os.getpid(), "since": now()})
        yield
    finally:
        with suppress(OSError):
            (folder / HOLDER).unlink(missing_ok=True)
        lock.release()


def describe_holder(folder: Path) -> str:
    """Who holds the lock, as far as they said."""
    try:
        holder = json.loads((folder / HOLDER).read_text())
        return f"process {holder['pid']} on {holder['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def lock_holder(folder: Path) -> str | None:
    """Who works in the folder now, or None."""
    if not (folder / LOCK).exists():
        return None
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        return describe_holder(folder)
    except OSError:
        # Another user's folder: the holder's own word is all there is.
        return describe_holder(folder) if (folder / HOLDER).exists() else None
    lock.release()
    return None
