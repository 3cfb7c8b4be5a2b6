"""PySpice 1.5 with today's ngspice and NumPy: what must be mended, in one place.

Each mend says what it mends and does nothing where it is not needed:

* the library: PySpice looks for ``libngspice.so``, which only development packages install;
  ``NGSPICE_LIBRARY_PATH`` is set to the versioned file, before PySpice is imported.
* OpenMP: ngspice's BSIM4 code spawns threads that slow down 20-fold when another job shares the cores;
  ``OMP_THREAD_LIMIT=1`` unless the user has set it.
* messages: PySpice takes any ``Note:`` on stderr, and any title with the word "error", for a failure;
  `NgSpice` decides by `is_error` instead and keeps every line.
* the warning "Unsupported Ngspice version" is cosmetic and silenced with the rest of PySpice's own log.
* one instance a process: a second load fails inside cffi; `shared_instance` keeps the first, or its error.

PySpice's subprocess mode (whose raw-file reader breaks on NumPy 2.3) is not used: see `netlists.batch`.
"""

from __future__ import annotations

import contextlib
import ctypes.util
import glob
import logging
import os
import re
import subprocess
import sys
import tempfile
from functools import cache
from typing import Any

from .errors import SimulationError, ToolkitError

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


_library = find_library()
if _library:
    os.environ["NGSPICE_LIBRARY_PATH"] = _library
os.environ.setdefault("OMP_THREAD_LIMIT", "1")
logging.getLogger("PySpice").setLevel(logging.CRITICAL + 1)
logging.getLogger("PySpice.Spice.NgSpice.Shared.NgSpiceShared").setLevel(logging.CRITICAL + 1)

from PySpice.Spice.Netlist import Circuit  # noqa: E402
from PySpice.Spice.NgSpice.Shared import NgSpiceShared, ffi, ffi_string_utf8  # noqa: E402

__all__ = ["Circuit", "NgSpice", "find_executable_version", "find_library", "is_error", "shared_instance"]

_ERROR = re.compile(
    r"^\s*(fatal )?error\b|simulation\(s\) aborted|timestep too small|singular matrix|iteration limit reached"
    r"|no such (vector|subcircuit|device|model)|unknown (subckt|model|parameter)|undefined parameter|can't find (model|subckt)"
    r"|circuit not parsed|too few|could not find|no convergence|not enough",
    re.IGNORECASE,
)


def is_error(line: str) -> bool:
    """Whether a line ngspice printed reports a failure; titles, notes and warnings do not."""
    if re.match(r"\s*(Circuit|Note|Warning|Doing analysis|Title)\b", line, re.IGNORECASE):
        return False
    return bool(_ERROR.search(line))


class NgSpice(NgSpiceShared):
    """PySpice's shared-library interface with `is_error` as the judge of what ngspice prints."""

    @staticmethod
    def _send_char(message_c: Any, ngspice_id: int, user_data: Any) -> int:
        self = ffi.from_handle(user_data)
        stream, _, line = ffi_string_utf8(message_c).partition(" ")
        (self._stderr if stream == "stderr" else self._stdout).append(line)
        if is_error(line):
            self._error_in_stderr = True
        return 0

    @property
    def messages(self) -> list[str]:
        """What ngspice printed since the last command, errors last."""
        return [*self._stdout, *self._stderr]

    @property
    def failed(self) -> bool:
        return bool(self._error_in_stderr)

    def release_history(self) -> None:
        """Free the history of commands, which ngspice keeps for ever: call it every hundred runs."""
        self._ngspice_shared.ngSpice_Command(ffi.NULL)


@cache
def _load() -> NgSpice | Exception:
    if find_library() is None:
        return ToolkitError(f"the ngspice shared library was not found: {INSTALL_HINT}, or set NGSPICE_LIBRARY_PATH")
    try:
        # ngspice runs the commands of a .spiceinit in the current folder as it loads: it gets an empty one.
        with tempfile.TemporaryDirectory(prefix="ngspice-") as empty, contextlib.chdir(empty):
            instance = NgSpice.new_instance()
    except Exception as e:
        return ToolkitError(
            f"the ngspice shared library {find_library()} could not be loaded ({e}): {INSTALL_HINT}, or set NGSPICE_LIBRARY_PATH"
        )
    version = instance.ngspice_version
    if version is None or version < MINIMUM_VERSION:
        return ToolkitError(f"ngspice {version} is too old: this toolkit needs {MINIMUM_VERSION} or newer; {INSTALL_HINT}")
    return instance


def shared_instance() -> NgSpice:
    """This process's ngspice.

    Raises
    ------
    ToolkitError
        If the library is missing, does not load or is too old. The same error comes back at each call.
    """
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
