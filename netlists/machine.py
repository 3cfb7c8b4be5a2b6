"""What this machine can hold: work that would not fit is refused before it begins."""

from __future__ import annotations

import math
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from .errors import InputError

LONG = 60.0
"""Seconds from which on work says beforehand what it will take."""
HOURS = "NLADC_COSIM_HOURS"
"""With a number in this environment variable, work that would take more hours is refused; without it more than `MOST_HOURS`."""
MOST_HOURS = 720.0


def weigh(what: str, *, seconds: float = 0.0, memory: float = 0.0, disk: float = 0.0, folder: str | Path | None = None) -> str:
    """Weighs work by what its arguments ask for: the one rule of every long command, before it creates anything.

    Parameters
    ----------
    what : str
        The argument that asks for most, as the message names it: ``"samples=100000"``.
    seconds, memory, disk : float
        Estimates: seconds on this machine, bytes, bytes in ``folder``.

    Returns
    -------
    str
        A line about long work, as `foretell` says it.

    Raises
    ------
    InputError
        More than the machine has free, or than `HOURS` allows.
    """
    require_memory(memory, what)
    if folder is not None:
        require_disk(disk, Path(folder), what)
    hours = _most_hours()
    if seconds > 3600 * hours:
        raise InputError(
            f"{what}: would take about {seconds / 3600:.3g} h; {hours:g} h are allowed ({HOURS}=HOURS in the environment)"
        )
    return foretell(seconds, memory, disk)


def tied(line: Sequence[str]) -> list[str]:
    """A command line whose process ends with the thread that starts it, however that ends (Linux, where setpriv is there)."""
    # A thread of this process may not change itself between fork and exec, so that a program sets the life line.
    guard = shutil.which("setpriv") if sys.platform == "linux" else None
    return [guard, "--pdeathsig", "KILL", *line] if guard else [*line]


def _most_hours() -> float:
    try:
        hours = float(said := os.environ.get(HOURS, str(MOST_HOURS)))
    except ValueError:
        hours = math.nan
    if not hours > 0:
        raise InputError(f"{HOURS}={said!r}: must be a number of hours above 0")
    return hours


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
    room = f", {memory / 2**30:.1f} GiB of memory" * (memory > 0) + f", {disk / 2**20:.0f} MiB on disk" * (disk > 0)
    return f"estimate: {time}{room}"
