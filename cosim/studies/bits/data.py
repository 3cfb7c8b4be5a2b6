"""Tasks of a study of resolution: those it names, and one of the user's own data where that is present."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from cosim.tasks import TASKS, CharacterTask, Task, get_task, is_here
from netlists.errors import InputError

Data = TypeVar("Data", Task, CharacterTask)


def where_present(name: str, folder: str, setting: str, kind: type[Data]) -> tuple[Data | None, str]:
    """A task that needs data of the user's own, from the folder or from the cache; without it None, and why.

    Raises
    ------
    InputError, ToolkitError
        A folder was named and does not hold the data.
    """
    if not folder and not is_here(name):
        return None, f"task {name!r}: not here, not run; it needs {TASKS[name].fetching}, or the setting {setting}"
    data = get_task(name, Path(folder).expanduser() if folder else None)
    assert isinstance(data, kind)
    return data, ""


def check_tasks(names: tuple[str, ...], kind: str) -> None:
    """Raise `InputError` unless the tasks are of the kind, each named once."""
    if len(set(names)) != len(names):
        raise InputError(f"tasks={list(names)}: must name each task once")
    for name in names:
        if name not in TASKS or TASKS[name].kind != kind:
            known = ", ".join(n for n, t in TASKS.items() if t.kind == kind)
            raise InputError(f"tasks={list(names)}: {name!r} is no task of this study; it takes {known}")
