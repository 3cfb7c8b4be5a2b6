"""A simulation by this process's ngspice that its caller can leave, as nothing ends it: it may stand still for ever.

It runs in a thread, always the same one, as OpenMP keeps threads for each that calls it. One that was left computes on, or stands
still; until it returns, nobody may call ngspice in this process (`free`).
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from netlists.errors import SimulationError

if TYPE_CHECKING:
    from .shared_library import NgSpice

STANDSTILL = 600.0
"""Seconds of processor time without a thousandth of a transient after which ngspice is taken to stand still."""
LOOK = 0.2
"""Seconds between two looks."""


class Simulation:
    """What the thread is to do; ``over`` once it has."""

    def __init__(self, work: Callable[[], None]) -> None:
        self.work = work
        self.over = threading.Event()
        self.failure: BaseException | None = None


_work: Simulation | None = None
_thread: threading.Thread | None = None
_queue: queue.SimpleQueue[Simulation] = queue.SimpleQueue()


def free() -> bool:
    """Whether ngspice can be called in this process: no simulation that was left is still at work."""
    return _work is None or _work.over.is_set()


def attend(ngspice: NgSpice, work: Callable[[], None], signals: Sequence[object]) -> None:
    """Waits for a simulation, until it is over, stands still, or a signal has come.

    Parameters
    ----------
    work : callable
        Calls ngspice.
    signals : sequence
        Takes signals as they come; empty at first.

    Raises
    ------
    SimulationError
        It stands still, or was left because of a signal.
    Exception
        Whatever ``work`` raised.
    """
    global _work, _thread
    if _thread is None:
        _thread = threading.Thread(target=_do, args=(_queue,), name="ngspice", daemon=True)
        _thread.start()
    _work = now = Simulation(work)
    reports, since = ngspice.reports, time.process_time()
    _queue.put(now)
    while not now.over.wait(LOOK):
        if signals:
            raise SimulationError("the simulation was left")
        if ngspice.reports != reports:
            reports, since = ngspice.reports, time.process_time()
        elif time.process_time() - since > STANDSTILL:
            raise SimulationError(f"ngspice stands still: {STANDSTILL:g} s of processor time without a step forward")
    if now.failure is not None:
        raise now.failure


def _do(waiting: queue.SimpleQueue[Simulation]) -> None:
    while True:
        now = waiting.get()
        try:
            now.work()
        except BaseException as e:
            now.failure = e
        now.over.set()


def _forget() -> None:
    """Begins anew in a process that was forked: threads do not come along, and a queue that one waited at is locked."""
    global _work, _thread, _queue
    _work, _thread, _queue = None, None, queue.SimpleQueue()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
