"""Ctrl-C, and the signals that end a process politely: all leave what is finished, and one line."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType

from .output import note

SIGNALLED = 128
"""Exit codes above it say by which signal a command was ended."""
POLITE = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class PoliteSignal(KeyboardInterrupt):
    """One of the `POLITE` signals arrived."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def listen() -> None:
    """Lets every polite signal end this process as Ctrl-C does; one that is ignored (``nohup``) stays so."""
    for number in POLITE:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _stop)


def ignore() -> None:
    """Lets no polite signal meet what the interpreter takes down: the answer is out."""
    for number in POLITE:
        signal.signal(number, signal.SIG_IGN)


def exit_code(stop: KeyboardInterrupt) -> int:
    """`SIGNALLED` plus the signal's number."""
    return SIGNALLED + getattr(stop, "number", signal.SIGINT)


def _stop(number: int, frame: FrameType | None) -> None:
    # Threads of libraries meet what is being taken down: what they say of it is of no use to the one who stopped the command.
    threading.excepthook = lambda _: None
    # A library that is stopped while it loads may hide the interruption or end in an error of its own.
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib."):
            note("interrupted")
            os._exit(SIGNALLED + number)
        frame = frame.f_back
    raise PoliteSignal(number)


def main() -> None:
    """Entry point of the ``cosim`` command: signals are heard before anything that takes time is imported."""
    listen()
    from .app import main as run

    run()
