"""Kills at random moments: a signal to a process of a command, the same command again, and the undisturbed answer bit for bit."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from .bench import Reference, Round, Work, compare, one_line

AIMS = (
    ("parent", "SIGKILL"), ("parent", "SIGTERM"), ("group", "SIGINT"), ("worker", "SIGKILL"), ("group", "SIGHUP"),
    ("ngspice", "SIGKILL"), ("parent", "SIGKILL"), ("worker", "SIGSEGV"), ("parent", "SIGINT"), ("group", "SIGKILL"),
    ("worker", "SIGTERM"),
)  # fmt: skip
"""Who is hit, by what; ``group`` is the terminal's: all processes of the command."""


LONG_EVERY = 25
"""Rounds from one command of `share` 0 to the next."""


def target_of(aim: str, pid: int, at_work: float = 0.0) -> int | None:
    """The number of the process to hit, one that took so many CPU seconds, or None if there is none now."""
    if aim in ("parent", "group"):
        return pid
    with suppress(psutil.Error):
        for child in psutil.Process(pid).children(recursive=True):
            line = " ".join(child.cmdline())
            named = ("ngspice -b" in line or "ngspice -n" in line) if aim == "ngspice" else "loky.backend.popen_loky" in line
            # One that ended and that its parent did not ask for yet has no line.
            if named and child.status() != psutil.STATUS_ZOMBIE and cpu_of(child.pid) >= at_work:
                return child.pid
    return None


def kill(
    work: Work, known: Callable[[Work], Reference], at: float, aim: str, name: str, inputs: Path, folder: Path, label: str
) -> dict[str, Any]:
    """One round. ``at`` is the moment, as a share of the undisturbed time; of workers and ngspice the first one after it."""
    sound = known(work)
    round_ = Round(label, inputs, folder)
    number = getattr(signal, name)
    row: dict[str, Any] = {"work": work.name, "aim": aim, "signal": name, "at": at}
    start = time.monotonic()
    process = round_.start(work.arguments)
    hit = False
    cpu_before = 0.0
    while process.poll() is None and not hit:
        # By the CPU time that it took: a busy machine does not move the moment.
        with suppress(psutil.Error):
            cpu_before = cpu_of(process.pid)
        if cpu_before >= at * sound.cpu and (target := target_of(aim, process.pid)) is not None:
            round_.processes()
            with suppress(ProcessLookupError):
                (os.killpg if aim == "group" else os.kill)(target, number)
                hit = True
            break
        time.sleep(0.005)
    struck = time.monotonic()
    done = round_.wait(process, start) if process.returncode is None else None
    row |= {"hit": hit, "code": process.returncode, "seconds": time.monotonic() - struck, "cpu_before": cpu_before}
    said = done.said if done else (round_.base / "said").read_text(errors="replace")
    row["quiet"] = one_line(said)
    row["said"] = said[-600:] if not row["quiet"] else said.strip().rpartition("\n")[2][:200]
    left = round_.left()
    row["left"] = {"processes": left.processes, "temporary": left.temporary, "shared": left.shared}
    again = None
    if process.returncode != 0:
        again = round_.run([*work.arguments, *work.again(round_.folder)])
        row |= {"again": again.code, "again_cpu": again.cpu, "again_said": again.said[-600:] if again.code else ""}
        after = round_.left()
        row["left_again"] = {"processes": after.processes, "temporary": after.temporary, "shared": after.shared}
    row["differs"] = compare(round_.answer(work.answer), sound) if (again is None or again.code == 0) else "no answer"
    row["share_again"] = again.cpu / sound.cpu if again else 0.0
    round_.close()
    return row


def cpu_of(pid: int) -> float:
    """CPU seconds of a process and all below it, those included that it has waited for."""
    total = 0.0
    root = psutil.Process(pid)
    for process in [root, *root.children(recursive=True)]:
        with suppress(psutil.Error):
            total += sum(process.cpu_times()[: 4 if process.pid == pid else 2])
    return total


def plan(works: list[Work], count: int, seed: int) -> list[tuple[str, Work, float, str, str]]:
    """Label, work, moment, aim and signal of each of ``count`` rounds; each depends on the seed and its number alone."""
    shares = [w for w in works for _ in range(w.share)]
    long = [w for w in works if w.share == 0] or shares
    out = []
    for i in range(count):
        rng = np.random.default_rng([seed, i])
        work = shares[i % len(shares)] if shares and i % LONG_EVERY else long[i // LONG_EVERY % len(long)]
        turn = i // max(len(shares), 1) + i
        aim, name = AIMS[turn % len(AIMS)]
        if aim == "ngspice" and "ngspice" not in work.name and "own" not in work.name and work.name != "blocks":
            aim = "parent"
        if aim == "worker" and work.name in ("fit", "train", "evaluate --out", "budget"):
            aim = "parent"
        out.append((f"kill-{seed}-{i}", work, float(rng.uniform(0.02, 1.0)), aim, name))
    return out
