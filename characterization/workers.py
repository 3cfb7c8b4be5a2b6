"""Worker processes, one ngspice each, that may crash, hang or grow without harm to a run.

A thread of the run owns each worker. So a process that dies takes one call with it, and it is known which. A worker
that was lost is replaced at the next call; one whose memory grew is replaced before it.
"""

from __future__ import annotations

import faulthandler
import os
import re
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, suppress
from multiprocessing import process
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from netlists.errors import ToolkitError
from netlists.spice import watched

from .processes import leave_with, parallel, start_tracker

if TYPE_CHECKING:
    from joblib.externals.loky import ProcessPoolExecutor
    from joblib.externals.loky.process_executor import TerminatedWorkerError

T = TypeVar("T")

MEMORY_GROWTH = 256 * 2**20
"""A worker whose resident memory grew by so many bytes since its first result is replaced."""
START_LIMIT = 600.0
"""Seconds a process may take to load ngspice."""
STALL = 60.0
"""Seconds without any processor time after which a process that starts is taken for one that hangs."""
LAST_WORDS = 2000
WORDS_LIMIT = 3.0
"""Seconds in which a process that hangs may say where."""
FOLDER = ".work"
"""A worker works in the folder of this name beside its stderr, which is empty at first."""


class Lost(Exception):
    """A call that never came back.

    Attributes
    ----------
    status : str
        "crashed" or "timed out".
    message : str
        How the process ended, and the last it wrote to stderr.
    """

    def __init__(self, status: str, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status, self.message = status, message


class Worker:
    """One worker process; each call finds it running, or starts it.

    Parameters
    ----------
    load : callable
        What a new process does before its first call, outside any time limit; returns the versions it found.
    """

    def __init__(self, load: Callable[[], dict[str, str]]) -> None:
        self._load = load
        self._pool: ProcessPoolExecutor | None = None
        self._stderr: Path | None = None
        self._pid = 0
        self._first_rss: int | None = None
        self.closed = False
        self.versions: dict[str, str] = {}
        self.events: list[str] = []

    def call(self, work: Callable[..., T], *arguments: Any, limit: float) -> T:
        """``work(*arguments)`` in the process.

        Raises
        ------
        Lost
            The process died, or gave no result within ``limit`` seconds and was killed.
        Exception
            Whatever ``work`` raised.
        """
        from joblib.externals.loky.process_executor import TerminatedWorkerError

        try:
            future = (self._pool or self._start()).submit(_measured_call, work, arguments)
        except TerminatedWorkerError as e:
            # No call is lost.
            self.recycle(f"it died between two calls{_code(e)}")
            future = self._start().submit(_measured_call, work, arguments)
        try:
            result, rss = future.result(timeout=limit)
        except TerminatedWorkerError as e:
            if self.closed:
                raise
            self._lose("crashed", f"the worker process died{_code(e)}")
        except BrokenProcessPool as e:
            self._end()
            raise ToolkitError(f"a worker process could not read its task ({e})") from e
        except TimeoutError:
            if self.closed:
                raise
            if not future.done():
                self._ask_where()
                self._lose("timed out", f"no result within {limit:g} s")
            # The error is of ``work`` itself, or the result came at the last moment.
            result, rss = future.result()
        if self._first_rss is None:
            self._first_rss = rss
        elif rss - self._first_rss > MEMORY_GROWTH:
            self.recycle(f"its memory grew by {(rss - self._first_rss) / 2**20:.0f} MiB")
        return result

    def recycle(self, reason: str) -> None:
        """Ends the process; the next call starts a new one."""
        self.events.append(f"worker {self._pid} replaced: {reason}")
        self._end()

    def close(self) -> None:
        """Ends the process for good, whatever it is doing."""
        self.closed = True
        self._end()

    def _start(self, attempts: int = 2) -> ProcessPoolExecutor:
        from joblib.externals.loky import ProcessPoolExecutor
        from joblib.externals.loky.process_executor import TerminatedWorkerError

        if self.closed:
            raise ToolkitError("the run was stopped")
        # Dask's own processes are marked as such that have no children; ours end with their parent (`leave_with`).
        process.current_process()._config.pop("daemon", None)  # type: ignore[attr-defined]
        try:
            fd, name = tempfile.mkstemp(prefix="nladc-worker-")
        except OSError as e:
            raise ToolkitError(f"{tempfile.gettempdir()}: no temporary file can be made ({e.strerror})") from None
        os.close(fd)
        self._stderr, self._first_rss = Path(name), None
        start_tracker()
        self._pool = pool = ProcessPoolExecutor(1, initializer=_enter, initargs=(os.getpid(), name))
        # A new process inherits what is blocked: Ctrl-C must not meet it before `_enter`.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            ready = pool.submit(_ready, self._load)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        try:
            self._pid, self.versions = _started(pool, ready)
        except (BrokenProcessPool, TimeoutError) as e:
            words = self._words()
            self._end()
            if attempts > 1 and not self.closed:
                # Killed or stopped from outside, perhaps.
                how = f"died while it started{_code(e)}" if isinstance(e, TerminatedWorkerError) else f"hung while it started ({e})"
                self.events.append(f"a worker {how}{words}")
                return self._start(attempts - 1)
            raise ToolkitError(f"a worker process does not start ({type(e).__name__}){words}") from None
        except BaseException:
            self._end()
            raise
        return pool

    def _ask_where(self) -> None:
        """Lets Python's fault handler say where the process hangs; one that is stopped says nothing."""
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGUSR1)
        end = time.monotonic() + WORDS_LIMIT
        while time.monotonic() < end and f"in {_measured_call.__name__}" not in self._written():
            time.sleep(0.05)

    def _lose(self, status: str, message: str) -> None:
        message += self._words()
        self.events.append(f"worker {self._pid} lost: {message}")
        self._end()
        raise Lost(status, message)

    def _written(self) -> str:
        return self._stderr.read_text(errors="replace") if self._stderr is not None and self._stderr.exists() else ""

    def _words(self) -> str:
        """What the process wrote to stderr: the fault handler's stack only down to the call, without its list of modules."""
        words = self._written().partition("Extension modules:")[0]
        lines = []
        for line in words.splitlines():
            if line.endswith(f"in {_measured_call.__name__}"):
                break
            lines.append(line)
        text = "\n".join(lines).strip()[:LAST_WORDS]
        return f"\n{text}" if text else ""

    def _end(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=True, kill_workers=True)
        if self._stderr is not None:
            _remove(self._stderr)


class Workers:
    """A worker for each thread that asks for one; ``load`` as in `Worker`."""

    def __init__(self, load: Callable[[], dict[str, str]]) -> None:
        self._load = load
        self._mine = threading.local()
        self._all: list[Worker] = []
        self._closed = False

    def mine(self) -> Worker:
        """The calling thread's worker."""
        if self._closed:
            raise ToolkitError("the run was stopped")
        if not hasattr(self._mine, "worker"):
            self._mine.worker = Worker(self._load)
            self._all.append(self._mine.worker)
        return self._mine.worker

    def close(self) -> None:
        """Ends every worker, at once."""
        self._closed = True
        for worker in self._all:
            worker.closed = True
        for worker in self._all:
            worker.close()


def _started(pool: ProcessPoolExecutor, ready: Future[T]) -> T:
    """What a process that starts answers.

    Raises
    ------
    TimeoutError
        It took more than `START_LIMIT`, or did nothing at all for `STALL` seconds; a busy machine gives some processor time.
    """
    import psutil

    start = since = time.monotonic()
    used = -1.0
    while True:
        try:
            return ready.result(timeout=1.0)
        except TimeoutError:
            if ready.done():
                raise
        now, spent = time.monotonic(), 0.0
        for pid in list(pool._processes):
            with suppress(psutil.Error):
                spent += sum(psutil.Process(pid).cpu_times()[:2])
        if spent != used:
            used, since = spent, now
        if now - since > STALL:
            raise TimeoutError(f"no processor time for {STALL:g} s")
        if now - start > START_LIMIT:
            raise TimeoutError(f"not ready after {START_LIMIT:g} s")


def _code(error: TerminatedWorkerError) -> str:
    """Says how a process ended: an exit code is all that a killed one leaves; one that crashed also wrote where."""
    code = re.search(r"\{(.*)\}", str(error))
    return f" with {code.group(1)}" if code else ""


def _enter(parent: int, stderr: str) -> None:
    """What a worker does first."""
    # Ctrl-C reaches the whole process group; the parent decides what happens to its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.dup2(os.open(stderr, os.O_WRONLY | os.O_APPEND), 2)
    # ngspice's transistor models write logs into the current folder, through links that lie there.
    os.mkdir(stderr + FOLDER)
    os.chdir(stderr + FOLDER)
    watched()
    faulthandler.enable(all_threads=False)
    faulthandler.register(signal.SIGUSR1, all_threads=False)
    threading.Thread(target=leave_with, args=(parent, lambda: _remove(Path(stderr))), daemon=True).start()


def _remove(stderr: Path) -> None:
    """Removes what a process leaves: its stderr and the folder that it worked in."""
    with suppress(OSError):
        stderr.unlink()
    shutil.rmtree(f"{stderr}{FOLDER}", ignore_errors=True)


def _ready(load: Callable[[], dict[str, str]]) -> tuple[int, dict[str, str]]:
    return os.getpid(), load()


def _measured_call(work: Callable[..., T], arguments: tuple) -> tuple[T, int]:
    import psutil

    return work(*arguments), psutil.Process().memory_info().rss


def in_limited_workers(
    calls: Iterable[tuple[Callable[..., T], tuple]], jobs: int, load: Callable[[], dict[str, str]], limit: float
) -> Iterator[T | Lost]:
    """Results of calls in their order, each in a process that may crash or hang, which costs that call alone.

    Parameters
    ----------
    calls : iterable of (callable, arguments)
    load : callable
        As in `Worker`.
    limit : float
        Seconds that a call may take.
    """
    import joblib

    def call(work: Callable[..., T], arguments: tuple) -> T | Lost:
        try:
            return workers.mine().call(work, *arguments, limit=limit)
        except Lost as lost:
            return lost

    with closing(Workers(load)) as workers, joblib.parallel_config(backend="threading"):
        yield from parallel((joblib.delayed(call)(*c) for c in calls), jobs, ordered=True)
