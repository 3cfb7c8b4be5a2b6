"""The second runner: plain ``ngspice -b deck.cir`` in a process of its own."""

from __future__ import annotations

import os
import re
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from netlists.errors import SimulationError, ToolkitError
from netlists.files import cache_folder
from netlists.machine import tied
from netlists.technology.libraries import readable_folders

from .deck import Deck
from .pyspice import INSTALL_HINT, environment, is_error
from .raw_file import read_raw_plot
from .sandbox import started
from .settings import init_lines, split

TIME_LIMIT = 7200.0
"""Seconds that a simulation may take unless told: more than any on a busy machine, less than a night with one that hangs."""

MEMORY_SHARE = 0.75
"""Part of the computer's memory that an ngspice of its own may take."""
WATCH = 0.2
"""Seconds between two looks at the memory that it takes."""
FILE_LIMIT = 32 * 2**30
"""Bytes that it may write into one file."""
PRINTED_LIMIT = 16_000_000
"""Bytes of what it prints that are kept, from the beginning and from the end."""
PRINTED_MOST = 2 * 2**30
"""Bytes that it may print."""


def transient_vectors(
    deck: Deck, vectors: Sequence[str], *, executable: str = "ngspice", timeout: float = TIME_LIMIT
) -> tuple[dict[str, np.ndarray], str]:
    """Runs a deck's ``.tran`` card without its ``control`` block; ``time`` and the vectors asked for, and what ngspice printed.

    The process works in an empty folder with the deck's settings, and is killed after ``timeout`` seconds.

    Raises
    ------
    ToolkitError
        If the program is missing.
    SimulationError
        If it printed an error, took too long, ran no transient or left a vector out.
    """
    with tempfile.TemporaryDirectory(prefix="batch-") as folder:
        path = replace(deck, control="").write(Path(folder) / "deck.cir")
        # Written also when it is empty: ngspice would read the one in the user's home.
        (path.parent / ".spiceinit").write_text(init_lines(split(deck.settings)[0]))
        printed = run_batch(path, options=("-r", "out.raw"), executable=executable, timeout=timeout, confined=True)
        plot = read_raw_plot(path.parent / "out.raw")
    if plot.name != "Transient Analysis":
        raise SimulationError(f"the simulation produced no transient but {plot.name!r}", printed[-2000:])
    column = {name.removeprefix("v(").removesuffix(")"): j for j, name in enumerate(plot.names)}
    try:
        return {name: plot.values[:, column[name.lower()]].copy() for name in ("time", *vectors)}, printed
    except KeyError as e:
        raise SimulationError(f"the simulation did not produce the vector {e.args[0]!r}", printed[-2000:]) from None


def run_batch(
    path: str | Path,
    *,
    options: Sequence[str] = (),
    executable: str = "ngspice",
    timeout: float = TIME_LIMIT,
    confined: bool = False,
) -> str:
    """Runs a deck file with ``ngspice -b`` in the deck's folder and returns what it printed.

    Parameters
    ----------
    confined : bool
        As of `run_ngspice`.

    Raises
    ------
    ToolkitError
        If the program is missing.
    SimulationError
        If it printed an error, or took longer than ``timeout`` seconds.
    """
    path = Path(path).resolve()
    done = run_ngspice(["-b", *options, path.name], path.parent, executable=executable, timeout=timeout, confined=confined)
    printed = done.stdout + done.stderr
    errors = [line for line in printed.splitlines() if is_error(line)]
    if errors:
        raise SimulationError(f"ngspice -b {path.name} failed", "\n".join(dict.fromkeys(errors)))
    return printed


def run_ngspice(
    arguments: Sequence[str],
    folder: Path,
    *,
    executable: str = "ngspice",
    timeout: float | None = None,
    memory: int | None = None,
    confined: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Runs ngspice in a process of its own, in a folder, and returns what it printed and its exit status.

    It ends with this process, however that ends, takes no more than ``memory`` and writes no file above `FILE_LIMIT`. One that a
    signal ended runs once more.

    Parameters
    ----------
    memory : int, optional
        Bytes; default `MEMORY_SHARE` of this computer's.
    confined : bool
        Keep it from all files but those in ``folder``, its own and the models of PDKs, where the kernel can do that (`sandbox`).

    Raises
    ------
    ToolkitError
        If the program is missing.
    SimulationError
        If it took longer than ``timeout`` seconds, or more memory or disk than it may.
    """
    program = shutil.which(executable)
    if program is None:
        raise ToolkitError(f"the program {executable!r} was not found: {INSTALL_HINT}")
    memory = memory or memory_limit()
    line = tied([program, *arguments])
    # Compiled models are kept in the user's cache.
    readable = [*readable_folders(), cache_folder() / "osdi"] if confined else None
    done = _run_once(line, folder, readable, timeout, memory)
    if done.returncode >= 0:
        return done
    # Killed from outside, perhaps: what depends on the circuit happens again.
    again = _run_once(line, folder, readable, timeout, memory)
    again.stdout = f"Warning: ngspice was ended by signal {-done.returncode} and ran again\n{again.stdout}"
    return again


def _run_once(
    line: list[str], folder: Path, readable: list[Path] | None, timeout: float | None, memory: int
) -> subprocess.CompletedProcess[str]:
    streams: dict[str, Any] = {"env": environment(), "stdin": subprocess.DEVNULL}
    with (
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
        started(line, folder, readable, stdout=out, stderr=err, **streams) as process,
    ):
        try:
            _limit(process.pid)
            status = _watch(process, timeout, memory, (out.fileno(), err.fileno()))
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        printed = [_read(file) for file in (out, err)]
    if status == -signal.SIGXFSZ:
        raise SimulationError(f"ngspice wrote more than {FILE_LIMIT / 2**30:g} GiB into a file", printed[1][-2000:])
    return subprocess.CompletedProcess(line, status, *printed)


def memory_limit() -> int:
    """Bytes that an ngspice of its own may take."""
    import psutil

    return int(MEMORY_SHARE * psutil.virtual_memory().total)


def _watch(process: subprocess.Popen[bytes], timeout: float | None, memory: int, printed: Sequence[int] = ()) -> int:
    """Exit status of a process that has kept to its limits."""
    import psutil

    end = None if timeout is None else time.monotonic() + timeout
    # Waiting by the process's descriptor ends with it at once; `Popen.wait` looks now and then.
    descriptor = os.pidfd_open(process.pid) if hasattr(os, "pidfd_open") else None
    try:
        while True:
            left = WATCH if end is None else min(WATCH, max(end - time.monotonic(), 0.0))
            if descriptor is not None:
                select.select([descriptor], [], [], left)
            with suppress(subprocess.TimeoutExpired):
                return process.wait(0 if descriptor is not None else left)
            if end is not None and time.monotonic() >= end:
                raise SimulationError(f"ngspice took longer than {timeout:g} s")
            if any(os.fstat(file).st_size > PRINTED_MOST for file in printed):
                raise SimulationError(f"ngspice printed more than {PRINTED_MOST / 2**30:g} GiB")
            with suppress(psutil.Error):
                # Not the memory that it asks for: of that it touches a small part.
                if psutil.Process(process.pid).memory_info().rss > memory:
                    raise SimulationError(f"ngspice takes more memory than the {memory / 2**30:.3g} GiB that it may")
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _limit(pid: int) -> None:
    if sys.platform == "linux":
        # It may be over already.
        with suppress(ProcessLookupError, PermissionError):
            for what, limit in ((resource.RLIMIT_FSIZE, FILE_LIMIT), (resource.RLIMIT_CORE, 0)):
                _, hard = resource.prlimit(pid, what)
                limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
                resource.prlimit(pid, what, (limit, limit))


def _read(file: IO[bytes]) -> str:
    """What was printed: the beginning and the end, where it is too much."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    text = file.read(PRINTED_LIMIT)
    if size > PRINTED_LIMIT:
        file.seek(max(PRINTED_LIMIT, size - PRINTED_LIMIT))
        text += b"\n...\n" + file.read()
    return text.decode(errors="replace")


def read_transitions(printed: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Transition levels from what a `transition_deck` prints.

    Returns
    -------
    volts, x : ndarray (chips, thresholds)
        Levels in volts and in activation input units.
    bracketed : ndarray of bool, same shape

    Raises
    ------
    SimulationError
        If the printed text has no complete table of transition levels.
    """
    found = {
        (name, int(chip), int(k)): float(value)
        for name, chip, k, value in re.findall(r"^(t|x|bracketed)_(\d+)_(\d+) = (\S+)", printed, re.MULTILINE)
    }
    chips, levels = (max((key[i] for key in found), default=0) for i in (1, 2))
    try:
        volts, x, bracketed = (
            np.array([[found[name, i, k] for k in range(1, levels + 1)] for i in range(chips + 1)])
            for name in ("t", "x", "bracketed")
        )
    except KeyError as e:
        raise SimulationError(f"ngspice -b printed no value {e.args[0]}", printed[-2000:]) from None
    if levels == 0:
        raise SimulationError("ngspice -b printed no transition levels", printed[-2000:])
    return volts, x, bracketed > 0
