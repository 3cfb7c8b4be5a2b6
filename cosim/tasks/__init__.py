"""The tasks a network is trained and judged on.

`load_task`, `load_characters` and `load_data` (either kind) read what is here, `get_task` fetches or makes what is not.
"""

from __future__ import annotations

from .characters import CharacterTask
from .provenance import Provenance
from .registry import TASKS, get_task, is_here, load_characters, load_data, load_task
from .sequences import SequenceSet
from .task import Task

__all__ = [
    "TASKS",
    "CharacterTask",
    "Provenance",
    "SequenceSet",
    "Task",
    "get_task",
    "is_here",
    "load_characters",
    "load_data",
    "load_task",
]
