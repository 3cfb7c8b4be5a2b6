"""Many calls at once, in threads or in processes of joblib's: their results in order, and nobody left behind, however it ends."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from multiprocessing import process
from typing import Any, TypeVar

from netlists.errors import ToolkitError

T = TypeVar("T")

_given_up: set[threading.Thread] = set()
"""Of pools that were left while they computed."""


@contextmanager
def thread_pool(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Threads of this process; where something goes wrong, Ctrl-C included, nobody waits for what they still compute."""
    pool = ThreadPoolExecutor(threads)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        _given_up.update(pool._threads)
        raise
    pool.shutdown()


def threads_given_up() -> bool:
    """Whether threads still compute what nobody waits for: the interpreter would, as it ends."""
    return any(thread.is_alive() for thread in _given_up)


def end_workers() -> None:
    """Ends joblib's worker processes, whatever they are doing; without it they wait for calls for five minutes."""
    loky = sys.modules.get("joblib.externals.loky.reusable_executor")
    executor = getattr(loky, "_executor", None)
    if executor is not None:
        executor.shutdown(wait=True, kill_workers=True)


def in_workers(calls: Iterable, jobs: int) -> Iterator[Any]:
    """Results of ``joblib.delayed`` calls, in their order, as they come; whatever goes wrong, no worker is left behind.

    Worker processes stay for the next calls. With one job the calls run in this process. The processes are joblib's own, which
    share large arrays and take no more threads than there are cores; a crash ends all of the calls.

    Raises
    ------
    ToolkitError
        A worker was killed.
    """
    from joblib.externals.loky import get_reusable_executor
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    try:
        yield from parallel(calls, jobs, ordered=True)
    except TerminatedWorkerError:
        raise ToolkitError("a worker process was killed (out of memory?): run the same command again") from None
    except BaseException:
        if jobs > 1:
            get_reusable_executor().shutdown(wait=False, kill_workers=True)
        raise


def leave_with(parent: int, clean: Callable[[], None] | None = None) -> None:
    """Ends this process when the one that started it is gone, killed included; ``clean`` is called before."""
    while os.getppid() == parent:
        time.sleep(1.0)
    if clean is not None:
        clean()
    os._exit(1)


def parallel(calls: Iterable, jobs: int, *, ordered: bool = False) -> Iterator[Any]:
    """Results of ``joblib.delayed`` calls on whatever backend the caller has chosen: threads, Dask, or joblib's processes."""
    import joblib
    from joblib.parallel import LokyBackend, get_active_backend

    order = "generator" if ordered else "generator_unordered"
    backend, _ = get_active_backend()
    # Also of a worker that was not given a call yet.
    own: dict[str, Any] = {}
    deaf: set[signal.Signals] = set()
    if isinstance(backend, LokyBackend) and jobs > 1:
        start_tracker()
        # Also of a worker that was not given a call yet.
        own = {"initializer": _watch, "initargs": (os.getpid(),)}
        # Workers inherit what is blocked: this process hears Ctrl-C and ends them.
        deaf = {signal.SIGINT}
    watched = (joblib.delayed(_watched)(os.getpid(), *call) for call in calls)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, deaf)
    try:
        results = joblib.Parallel(n_jobs=jobs, return_as=order, pre_dispatch="3*n_jobs", batch_size=1, **own)(watched)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    yield from results


def start_tracker() -> None:
    """Starts what cleans up after workers, if it does not run: deaf to the end of the terminal, which all processes hear of.

    Beforehand, as both unblock Ctrl-C in this process when they are started.
    """
    from multiprocessing.resource_tracker import ensure_running as ensure_other

    from joblib.externals.loky.backend.resource_tracker import ensure_running

    if not hasattr(signal, "SIGHUP"):
        return
    # It hears neither Ctrl-C nor SIGTERM by itself.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    try:
        ensure_running()
        ensure_other()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@cache
def _watch(parent: int) -> None:
    """Lets this process end with the one that started it, which is ``parent`` unless it is Dask's or the parent itself."""
    # A parent that was killed while this process started is its parent no more.
    if os.getppid() == parent or process.current_process().name.startswith("Loky"):
        threading.Thread(target=leave_with, args=(parent,), daemon=True).start()


def _watched(parent: int, work: Callable[..., T], arguments: tuple, options: dict[str, Any]) -> T:
    if os.getpid() != parent:
        _watch(parent)
    return work(*arguments, **options)
