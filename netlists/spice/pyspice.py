"""What the toolkit knows of ngspice without loading it: where it is, its version, which of its lines are errors.

`shared_instance` loads it, with PySpice, when the first simulation starts: one instance a process, as a second load fails
inside cffi; it keeps the first, or its error. ngspice is not made for threads: `LOCK` lets one simulation at a time run in a
process.

ngspice's BSIM4 code spawns OpenMP threads that slow down 20-fold when another job shares the cores. So ngspice runs on one
thread unless the user has set ``OMP_THREAD_LIMIT``: in this process by its own variable (`thread_settings`), which holds
whoever loaded OpenMP before, and in processes of its own by that variable of their environment alone (`environment`).
"""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import glob
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from netlists.errors import SimulationError, ToolkitError

if TYPE_CHECKING:
    from .shared_library import NgSpice

LOCK = threading.RLock()
"""Held by the thread whose simulation runs in this process."""
MINIMUM_VERSION = 39
INSTALL_HINT = (
    "install it with `apt-get install ngspice libngspice0` (Debian, Ubuntu), `dnf install ngspice libngspice` (Fedora) "
    "or `brew install ngspice libngspice` (macOS)"
)


def find_library() -> str | None:
    """Path or soname of the ngspice shared library: ``NGSPICE_LIBRARY_PATH`` if set, else the system's."""
    if path := os.environ.get("NGSPICE_LIBRARY_PATH"):
        return os.path.abspath(path) if os.path.exists(path) else path
    if sys.platform == "darwin":
        places = ["/opt/homebrew/lib/libngspice*.dylib", "/usr/local/lib/libngspice*.dylib"]
    else:
        places = [
            "/usr/lib/*/libngspice.so.0",
            "/usr/lib64/libngspice.so.0",
            "/usr/lib/libngspice.so.0",
            "/usr/local/lib/libngspice.so*",
        ]
    for pattern in places:
        if found := sorted(glob.glob(pattern)):
            return found[0]
    return ctypes.util.find_library("ngspice")


_CLONE_FS = 0x200
"""Of Linux's ``unshare``: the current folder."""
_ERROR = re.compile(
    r"^\s*(fatal )?error\b|simulation\(s\) aborted|timestep too small|singular matrix|iteration limit reached"
    r"|no such (vector|subcircuit|device|model)|unknown (subckt|model|parameter)|undefined parameter|can't find (model|subckt)"
    r"|circuit not parsed|too few|could not find|no convergence|not enough",
    re.IGNORECASE,
)


_TABLE_ROW = re.compile(r"\s*\S+\s+(?:=\s+)?[-+]?\d[-+.\de]*(?:\s+[-+]?\d[-+.\de]*(?:\s+\*)?)?\s*")
"""A node and its voltage; a node may be called ``error``."""


def is_error(line: str) -> bool:
    """Whether a line ngspice printed reports a failure; titles, notes and warnings do not."""
    if re.match(r"\s*(Circuit|Note|Warning|Doing analysis|Title)\b", line, re.IGNORECASE) or _TABLE_ROW.fullmatch(line):
        return False
    return bool(_ERROR.search(line))


_IGNORED = re.compile(r"\bignored\b", re.IGNORECASE)
# A source of a waveform has no value at rest: every deck here has some, and ngspice takes its first value.
_EXPECTED = re.compile(r"no DC value|has no value, DC 0 assumed", re.IGNORECASE)


def warning_lines(printed: Iterable[str]) -> list[str]:
    """What ngspice warned of, each once: a warning that ends with a colon with the lines that it announces."""
    found: dict[str, None] = {}
    lines = [line.strip() for line in printed if line.strip()]
    at = 0
    while at < len(lines):
        line, at = lines[at], at + 1
        if not re.match(r"warning\b", line, re.IGNORECASE) and not _IGNORED.search(line):
            continue
        if line.rstrip().endswith(":"):
            while at < len(lines) and len(line) < 300 and not re.match(r"(warning|note|circuit|doing)\b", lines[at], re.IGNORECASE):
                line, at = f"{line} {lines[at]}", at + 1
                if _IGNORED.search(line):
                    break
        if not _EXPECTED.search(line):
            found[re.sub(r"^warning:\s*", "", line, flags=re.IGNORECASE)] = None
    return list(found)


def thread_settings() -> tuple[str, ...]:
    """ngspice's settings for one thread; none where the user's ``OMP_THREAD_LIMIT`` says how many it may take."""
    return () if "OMP_THREAD_LIMIT" in os.environ else ("num_threads=1",)


def environment() -> dict[str, str]:
    """The environment of an ngspice in a process of its own: the user's, and one thread where that says nothing."""
    return {"OMP_THREAD_LIMIT": "1", **os.environ}


@cache
def _load() -> NgSpice | Exception:
    library = find_library()
    if library is None:
        return ToolkitError(f"the ngspice shared library was not found: {INSTALL_HINT}, or set NGSPICE_LIBRARY_PATH")
    from .shared_library import NgSpice

    NgSpice.LIBRARY_PATH = library
    try:
        instance = _in_empty_folder(NgSpice.new_instance)
    except Exception as e:
        return ToolkitError(
            f"the ngspice shared library {library} could not be loaded ({e}): {INSTALL_HINT}, or set NGSPICE_LIBRARY_PATH"
        )
    version = instance.ngspice_version
    if version is None or version < MINIMUM_VERSION:
        return ToolkitError(f"ngspice {version} is too old: this toolkit needs {MINIMUM_VERSION} or newer; {INSTALL_HINT}")
    return instance


def _in_empty_folder(load: Callable[[], NgSpice]) -> NgSpice:
    """``load()`` where ngspice finds no commands to run, in a thread of its own, whose current folder is nobody else's.

    ngspice runs the ``.spiceinit`` of the current folder as it loads, or the one in the user's home where there is none.
    """

    def work(folder: str) -> NgSpice:
        # Linux gives this thread a current folder of its own; elsewhere it is the process's for that moment.
        if hasattr(libc := ctypes.CDLL(None), "unshare"):
            libc.unshare(_CLONE_FS)
        with contextlib.chdir(folder):
            return load()

    with tempfile.TemporaryDirectory(prefix="ngspice-") as folder, ThreadPoolExecutor(1) as thread:
        Path(folder, ".spiceinit").touch()
        return thread.submit(work, folder).result()


def shared_instance() -> NgSpice:
    """This process's ngspice.

    Raises
    ------
    ToolkitError
        If the library is missing, does not load or is too old. The same error comes back at each call.
    """
    with LOCK:
        found = _load()
    if isinstance(found, Exception):
        raise found
    return found


def find_executable_version(executable: str = "ngspice") -> int | None:
    """Major version of the ``ngspice`` program, or None if it is not there."""
    try:
        done = subprocess.run([executable, "--version"], capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"ngspice-(\d+)", done.stdout + done.stderr)
    return int(match.group(1)) if match else None


def failure(ngspice: NgSpice, what: str) -> SimulationError:
    """A `SimulationError` that keeps what ngspice printed."""
    return SimulationError(what, "\n".join(line for line in ngspice.messages if line.strip())[-2000:])
