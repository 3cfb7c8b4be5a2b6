"""The kernel's fence round an ngspice of its own: Landlock (Linux 5.13 and later), by its system calls, without a library.

A program inside reads its own installation, the system's libraries and the models of PDKs, writes in its work folder and, where the
kernel knows that (6.7 and later), opens no TCP connection; of `TEMPORARY` it opens files whose names it knows. The fence holds for
the thread that raises it and what that starts, for good: so each ngspice is started by a thread of its own.
"""

from __future__ import annotations

import ctypes
import os
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_PR_SET_NO_NEW_PRIVS = 38
_EXECUTE, _WRITE, _READ, _READ_DIR, _TRUNCATE, _IOCTL = 1, 2, 4, 8, 1 << 14, 1 << 15
_OF_FILES = _EXECUTE | _WRITE | _READ | _TRUNCATE | _IOCTL
_LOOK = _EXECUTE | _READ | _READ_DIR
_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
"""Rights on files that each version of Landlock first handles."""
SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/ld.so.preload", "/proc/meminfo", "/dev/urandom")
"""What any program reads as it starts."""
TEMPORARY = "/tmp"
"""Where ngspice opens a file without a name as it starts, whatever TMPDIR says: files there can be opened, not made or listed."""
ENVIRONMENT = ("SPICE_LIB_DIR", "SPICE_EXEC_DIR", "SPICE_SCRIPTS", "LD_LIBRARY_PATH")
"""Variables that name folders of ngspice's own."""


@cache
def version() -> int:
    """Landlock's version here; 0 where there is none."""
    if sys.platform != "linux":
        return 0
    return max(ctypes.CDLL(None).syscall(_CREATE, None, ctypes.c_size_t(0), 1), 0)


def describe_sandbox() -> str:
    """What an ngspice of its own is kept from; empty where the kernel offers nothing."""
    if not version():
        return ""
    network = "" if version() < 4 else ", no TCP"
    return f"Landlock {version()}: no files outside its folder and those of PDKs{network}"


@contextmanager
def started(
    line: Sequence[str], folder: Path, readable: Sequence[Path] | None, **options: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a folder, behind the fence if ``readable`` says which other folders it may read; None starts it without one.

    The thread that starts it lasts as long as this context: the kernel ends what dies with its parent together with that thread.
    """
    if readable is None or not version():
        yield subprocess.Popen(line, cwd=folder, **options)
        return
    made: list[subprocess.Popen[bytes] | BaseException] = []
    there, over = threading.Event(), threading.Event()

    def start() -> None:
        try:
            restrict_thread([folder], [*readable, *_own(line)])
            made.append(subprocess.Popen(line, cwd=folder, **options))
        except BaseException as e:
            made.append(e)
        there.set()
        over.wait()

    threading.Thread(target=start, daemon=True).start()
    there.wait()
    try:
        if isinstance(made[0], BaseException):
            raise made[0]
        yield made[0]
    finally:
        over.set()


def restrict_thread(writable: Sequence[Path], readable: Sequence[Path]) -> None:
    """Keeps the calling thread, and what it starts from now on, from all other files; there is no way back.

    Raises
    ------
    OSError
        The kernel refused.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    known = version()
    rights = next(r for v, r in sorted(_RIGHTS.items(), reverse=True) if v <= known)
    # Each version takes a longer table: files, TCP (bind, connect), abstract sockets and signals.
    table = struct.pack("=QQQ", rights, 3, 3)[: 8 if known < 4 else 16 if known < 6 else 24]
    fence = _checked(libc.syscall(_CREATE, table, ctypes.c_size_t(len(table)), 0))
    try:
        for path in writable:
            _allow(libc, fence, path, rights)
        for path in [*map(Path, SYSTEM), *readable]:
            _allow(libc, fence, path, _LOOK & rights)
        _allow(libc, fence, Path(TEMPORARY), _READ | _WRITE)
        _allow(libc, fence, Path(os.devnull), (_READ | _WRITE | _TRUNCATE | _IOCTL) & rights)
        _checked(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        _checked(libc.syscall(_RESTRICT, fence, 0))
    finally:
        os.close(fence)


def _allow(libc: ctypes.CDLL, fence: int, path: Path, rights: int) -> None:
    """Lets a file, or all below a folder, be used; what is not there needs no leave."""
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        allowed = rights if path.is_dir() else rights & _OF_FILES
        _checked(libc.syscall(_ADD, fence, 1, struct.pack("=Qi", allowed, place), 0))
    finally:
        os.close(place)


def _own(line: Sequence[str]) -> list[Path]:
    """Files that a command line names, and where its programs are at home: ``/opt/ngspice`` of ``/opt/ngspice/bin/ngspice``."""
    named = [Path(p) for name in ENVIRONMENT for p in os.environ.get(name, "").split(os.pathsep) if p]
    files = [Path(word).resolve() for word in line if os.path.isabs(word) and os.path.isfile(word)]
    homes = [p.parent.parent for p in files if p.parent.name == "bin" and p.parent.parent != Path("/")]
    return [*named, *files, *homes]


def _checked(result: int) -> int:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result
