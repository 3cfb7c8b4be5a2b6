"""What this machine can hold: work that would not fit is refused before it begins."""

from __future__ import annotations

import shutil
from pathlib import Path

from .errors import InputError

LONG = 60.0
"""Seconds from which on work says beforehand what it will take."""


def require_memory(needed: float, what: str) -> None:
    """Raises `InputError` if ``needed`` bytes are more than the machine has free.

    Parameters
    ----------
    needed : float
        Bytes, estimated from the arguments.
    what : str
        The arguments, as the message names them: ``"n_hidden=100000"``.
    """
    # Imported where it is used: plans and programs need none of it.
    import psutil

    free = psutil.virtual_memory().available
    if needed > free:
        raise InputError(f"{what}: would take about {needed / 2**30:.3g} GiB of memory; {free / 2**30:.3g} GiB are free here")


def require_disk(needed: float, folder: Path, what: str) -> None:
    """Raises `InputError` if ``needed`` bytes are more than the folder's file system has free; the folder need not be there yet."""
    place = Path(folder).absolute()
    while not place.exists():
        place = place.parent
    disk = shutil.disk_usage(place)
    free = disk.free
    # A file system without a size, such as /proc, holds nothing: what is written there fails with its own reason.
    if disk.total and needed > free:
        raise InputError(f"{what}: would take about {needed / 2**30:.3g} GiB in {folder}; {free / 2**30:.3g} GiB are free there")


def foretell(seconds: float, memory: float, disk: float) -> str:
    """A line about what work will take, in minutes, memory and disk; empty where it takes less than `LONG`."""
    if seconds < LONG:
        return ""
    time = f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
    return f"estimate: {time}, {memory / 2**30:.1f} GiB of memory, {disk / 2**20:.0f} MiB on disk"
