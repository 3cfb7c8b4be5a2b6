"""One command under test: run undisturbed, disturbed, and again; what it left behind, and whether its answer is the same."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

ROOT = Path(__file__).resolve().parents[2]
MODULE = "cosim"
"""What is disturbed."""
MARK = "NLADC_FAULTS_ROUND"
"""Environment variable by which every process of a round is known."""
GRACE = 3.0
"""Seconds that processes have to end after their parent, on a machine with a core for each process that would run."""
LONGEST = 900.0
COUNTED = ("/simulated_now", "/wall_seconds", "SHA256SUMS")
"""Ends of the names of what a second run must count otherwise: two can have the same seconds, and digests of them, by chance."""


def crowd() -> float:
    """How many processes share a core now, at least 1: a busy machine is slower by so much."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


@dataclass
class Done:
    """How a command ended."""

    code: int | None
    said: str
    seconds: float
    cpu: float
    """CPU seconds of it and of the children that it waited for."""


@dataclass
class Left:
    """What is there after a command that was not there before."""

    processes: list[str] = field(default_factory=list)
    temporary: list[str] = field(default_factory=list)
    shared: list[str] = field(default_factory=list)

    def any(self) -> bool:
        return bool(self.processes or self.temporary or self.shared)


class Round:
    """A folder of its own, with a folder for temporary files; every process in it carries a mark."""

    def __init__(self, name: str, inputs: Path, work: Path) -> None:
        self.mark = f"{os.getpid()}-{name}"
        self.base = Path(tempfile.mkdtemp(prefix="round-", dir=work))
        self.folder, self.tmp = self.base / "here", self.base / "tmp"
        self.tmp.mkdir()
        shutil.copytree(inputs, self.folder)
        self.pids: set[int] = set()

    def environment(self, extra: Mapping[str, str] = {}) -> dict[str, str]:
        own = {MARK: self.mark, "TMPDIR": str(self.tmp), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        return {**os.environ, **own, **extra}

    def start(self, arguments: list[str], *, prefix: tuple[str, ...] = (), extra: Mapping[str, str] = {}) -> subprocess.Popen[str]:
        line = [*prefix, sys.executable, "-m", MODULE, *arguments]
        return subprocess.Popen(
            line, cwd=self.folder, env=self.environment(extra), start_new_session=True, text=True, errors="replace",
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open(self.base / "said", "w+"),
        )  # fmt: skip

    def run(self, arguments: list[str], **options: Any) -> Done:
        """The command, undisturbed."""
        return self.wait(self.start(arguments, **options), time.monotonic())

    def wait(self, process: subprocess.Popen[str], start: float, longest: float = LONGEST) -> Done:
        cpu = 0.0
        end = time.monotonic() + longest
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                process.returncode = os.waitstatus_to_exitcode(status)
                cpu = usage.ru_utime + usage.ru_stime
                break
            if time.monotonic() > end:
                os.killpg(process.pid, signal.SIGKILL)
                end = float("inf")
            time.sleep(0.02)
        return Done(process.returncode, (self.base / "said").read_text(errors="replace"), time.monotonic() - start, cpu)

    def processes(self) -> list[psutil.Process]:
        """All processes of the round that live."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARK) == self.mark:
                    found.append(process)
                    self.pids.add(process.pid)
        return found

    def left(self) -> Left:
        """What is still there after `GRACE`; it is removed."""
        end = time.monotonic() + GRACE * crowd()
        while (alive := self.processes()) and time.monotonic() < end:
            time.sleep(0.05)
        out = Left([f"{p.pid} {' '.join(p.cmdline())[:80]}" for p in alive if p.is_running()])
        for process in alive:
            with suppress(psutil.Error):
                process.kill()
        out.temporary = sorted(p.name for p in self.tmp.iterdir())
        for path in self.tmp.iterdir():
            shutil.rmtree(path, ignore_errors=True)
            path.unlink(missing_ok=True)
        # Names of joblib's and loky's shared memory hold the number of the process that made it.
        names = "|".join(map(str, self.pids)) or "none"
        for path in Path("/dev/shm").iterdir() if Path("/dev/shm").is_dir() else ():
            if re.search(rf"(?<!\d)({names})(?!\d)", path.name) and not path.name.startswith("fuzz-"):
                out.shared.append(path.name)
                shutil.rmtree(path, ignore_errors=True)
                with suppress(OSError):
                    path.unlink(missing_ok=True)
        return out

    def answer(self, names: tuple[str, ...]) -> dict[str, str]:
        """Digests of all files below some names; of JSON a digest of each value."""
        found: dict[str, str] = {}
        for name in names:
            top = self.folder / name
            for path in [top] if top.is_file() else sorted(p for p in top.rglob("*") if p.is_file()):
                place = str(path.relative_to(self.folder))
                if "/." in f"/{place}" or path.suffix in (".log", ".html") or "/chunks/" in place:
                    continue
                if path.suffix == ".json":
                    for at, value in _leaves(json.loads(path.read_text())):
                        found[f"{place}:{at}"] = _digest(json.dumps(value).encode())
                elif path.suffix == ".npz":
                    with np.load(path) as arrays:
                        for at, value in _leaves({n: arrays[n].tolist() for n in arrays.files}):
                            for inner, leaf in _leaves(_json(value), at):
                                found[f"{place}:{inner}"] = _digest(json.dumps(leaf).encode())
                else:
                    found[place] = _digest(path.read_bytes())
        return found

    def close(self) -> None:
        for process in self.processes():
            with suppress(psutil.Error):
                process.kill()
        shutil.rmtree(self.base, ignore_errors=True)


def _leaves(data: Any, at: str = "") -> list[tuple[str, Any]]:
    if isinstance(data, dict) and data:
        return [leaf for k, v in data.items() for leaf in _leaves(v, f"{at}/{k}")]
    if isinstance(data, list) and data and isinstance(data[0], dict | list):
        return [leaf for k, v in enumerate(data) for leaf in _leaves(v, f"{at}/{k}")]
    return [(at, data)]


def _json(value: Any) -> Any:
    """What a text that is JSON holds."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


@dataclass
class Work:
    """A long command: its arguments, where its answer is, and what else it takes to go on after a stop."""

    name: str
    arguments: list[str]
    answer: tuple[str, ...]
    again: Callable[[Path], list[str]] = lambda folder: []
    share: int = 1
    """How often it is killed, against others; those of 0, which take long, one after the other in every 25th round."""


@dataclass
class Reference:
    """Two undisturbed runs: what they have in common, and how long the second took."""

    answer: dict[str, str]
    seconds: float
    cpu: float
    varies: list[str]


def reference(work: Work, inputs: Path, folder: Path) -> Reference:
    """Runs a command twice, undisturbed, in two folders."""
    answers, last = [], None
    for _ in range(2):
        round_ = Round(f"{work.name}-undisturbed", inputs, folder)
        last = round_.run(work.arguments)
        if last.code != 0:
            raise SystemExit(f"{work.name}: fails undisturbed ({last.code}):\n{last.said}")
        if (left := round_.left()).any():
            print(f"{work.name}: undisturbed leaves {left}", file=sys.stderr)
        answers.append(round_.answer(work.answer))
        round_.close()
    first, second = answers
    same = {k: v for k, v in first.items() if second.get(k) == v}
    if not same:
        raise SystemExit(f"{work.name}: has no answer in {work.answer}")
    return Reference(same, last.seconds, last.cpu, sorted({*first, *second} - set(same)))


def compare(found: Mapping[str, str], reference: Reference) -> str:
    """What differs from the undisturbed answer; empty if nothing does."""
    wrong = [k for k, v in reference.answer.items() if found.get(k) != v and not k.endswith(COUNTED)]
    extra = [k for k in found if k not in reference.answer and k not in reference.varies]
    return ", ".join((wrong + extra)[:5])


def one_line(said: str) -> bool:
    """Whether a command that was stopped says so without a traceback."""
    return "Traceback" not in said
