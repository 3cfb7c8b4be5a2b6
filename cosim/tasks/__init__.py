"""The tasks a network is trained and judged on."""

from __future__ import annotations

from collections.abc import Callable

from netlists.errors import InputError

from .sequences import SequenceSet
from .task import Task
from .vowels import load_vowels

__all__ = ["TASKS", "SequenceSet", "Task", "load_task"]

TASKS: dict[str, Callable[[], Task]] = {"vowels": load_vowels}


def load_task(name: str) -> Task:
    """Load a task by name.

    Raises
    ------
    InputError
        Unknown name; the message lists the known ones.
    ToolkitError
        The task's data cannot be had.
    """
    if name not in TASKS:
        raise InputError(f"task={name!r}: unknown; this toolkit has {', '.join(TASKS)}")
    return TASKS[name]()
