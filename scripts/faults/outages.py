"""What a run relies on goes away or goes mad: the clock, ngspice, a network folder, a Dask worker, the Dask scheduler."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from .bench import GRACE, Done, Reference, Round, Work, crowd
from .kills import cpu_of, target_of
from .places import Meet, interrupted

NINE_YEARS = 9 * 365 * 86400
HANG_LIMIT = "20"
"""Seconds that a batch has, given to a command whose ngspice hangs: enough for one that does not, on a busy machine."""
FS_IOC_SHUTDOWN, NO_LOG_FLUSH = 0x8004587D, 2
"""Of Linux: the file system answers nothing more, and what was not synced is lost, as when a server goes away."""
WORKER_LOADED = 1.0
"""CPU seconds after which a worker has loaded ngspice and simulates."""


def _again(round_: Round, work: Work, **options: Any) -> Done:
    return round_.run([*work.arguments, *work.again(round_.folder)], **options)


def clock(round_: Round, work: Work, sound: Reference) -> Any:
    """Killed half-way while the clock jumps nine years to and fro, and the same command again, the clock still jumping."""
    # In /tmp, where an ngspice behind its fence may read files that it knows.
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        library = Path(folder) / "clock.so"
        source = Path(__file__).with_name("clock.c")
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", source, "-o", library, "-ldl"], check=True)
        jumping = {"LD_PRELOAD": str(library), "NLADC_CLOCK": str(NINE_YEARS)}
        kill = lambda pid: os.killpg(pid, signal.SIGKILL)  # noqa: E731
        first = interrupted(round_, work, sound, kill, extra=jumping)
        return first, _again(round_, work, extra=jumping | {"NLADC_CLOCK": str(-NINE_YEARS)}), None


def _hit(number: signal.Signals, work: Work) -> Any:
    """Sends a signal to the process in which ngspice runs, as soon as there is one."""

    def act(pid: int) -> None:
        # A worker that simulates: how long one may take to start is another limit, of ten minutes.
        target = target_of("ngspice", pid) if "ngspice -b" in work.name else target_of("worker", pid, WORKER_LOADED)
        if target is None:
            raise LookupError
        os.kill(target, number)

    return act


def hang(round_: Round, work: Work, sound: Reference) -> Any:
    """A process of ngspice stops and never goes on."""
    limited = Work(work.name, [*work.arguments, "--timeout", HANG_LIMIT], work.answer)
    return interrupted(round_, limited, sound, _hit(signal.SIGSTOP, work)), _again(round_, work), None


def crash(round_: Round, work: Work, sound: Reference) -> Any:
    """A process of ngspice crashes."""
    return interrupted(round_, work, sound, _hit(signal.SIGSEGV, work)), _again(round_, work), None


def network_folder(round_: Round, work: Work, sound: Reference) -> Any:
    """The file system of the folder answers nothing more, half-way; it comes back with what had been synced."""
    image, copy = round_.base / "disk", round_.folder.with_name("copy")
    round_.folder.rename(copy)
    round_.folder.mkdir()
    with open(image, "wb") as f:
        f.truncate(256 * 2**20)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    mount = lambda: subprocess.run(["mount", "-o", "loop", image, round_.folder], check=True)  # noqa: E731
    mount()
    try:
        shutil.copytree(copy, round_.folder, dirs_exist_ok=True)
        os.sync()
        door = os.open(round_.folder, os.O_RDONLY)
        gone = lambda _: fcntl.ioctl(door, FS_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))  # noqa: E731
        first = interrupted(round_, work, sound, gone)
        os.close(door)
        # Workers that end with their parent hold the folder until they do.
        psutil.wait_procs(round_.processes(), timeout=GRACE * crowd())
        subprocess.run(["umount", round_.folder], check=True)
        mount()
        second = _again(round_, work)
        return first, second, round_.answer(work.answer)
    finally:
        subprocess.run(["umount", "-l", round_.folder], check=True)
        round_.folder.rmdir()
        copy.rename(round_.folder)


@contextmanager
def _cluster(round_: Round) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """Address and processes of a Dask scheduler with two workers."""
    folder = round_.base / "dask"
    folder.mkdir()
    file = folder / "scheduler.json"
    common = ["--scheduler-file", str(file), "--no-dashboard"]
    parts = (
        ("dask_scheduler", "--host", "127.0.0.1", "--port", "0"),
        *[("dask_worker", "--host", "127.0.0.1", "--nthreads", "1", "--no-nanny")] * 2,
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{name}", *common, *options], cwd=folder, env=round_.environment(),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )
        for name, *options in parts
    ]  # fmt: skip
    try:
        while not file.exists():
            if processes[0].poll() is not None:
                raise RuntimeError("the Dask scheduler does not start")
            time.sleep(0.05)
        yield json.loads(file.read_text())["address"], processes
    finally:
        for process in processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _busy(process: subprocess.Popen[bytes]) -> bool:
    """Whether a Dask worker has a process that simulates."""
    with suppress(psutil.Error):
        return any(cpu_of(c.pid) > WORKER_LOADED for c in psutil.Process(process.pid).children() if "loky" in " ".join(c.cmdline()))
    return False


def dask(lost: int) -> Meet:
    """The scheduler (0) or a worker (1) is killed while workers simulate."""

    def meet(round_: Round, work: Work, sound: Reference) -> Any:
        with _cluster(round_) as (address, processes):

            def act(_: int) -> None:
                busy = [p for p in processes[1:] if _busy(p)]
                if not busy:
                    raise LookupError
                os.killpg((busy[0] if lost else processes[0]).pid, signal.SIGKILL)

            on_cluster = Work(work.name, [*work.arguments, "--cluster", address], work.answer)
            first = interrupted(round_, on_cluster, sound, act, share=0.0)
        return first, _again(round_, work), None

    return meet


FAULTS: dict[str, Meet] = {
    "clock jumps nine years": clock,
    "ngspice hangs": hang,
    "ngspice crashes": crash,
    "network folder vanishes": network_folder,
    "Dask worker lost": dask(1),
    "Dask scheduler lost": dask(0),
}


def applies(fault: str, work: Work) -> bool:
    """Whether a fault can meet a command on this machine."""
    if fault.startswith("ngspice"):
        return work.name.startswith("characterize") and (fault != "ngspice hangs" or "own" not in work.name)
    if fault.startswith("Dask"):
        return work.name == "characterize"
    return not fault.startswith("clock") or shutil.which("cc") is not None
