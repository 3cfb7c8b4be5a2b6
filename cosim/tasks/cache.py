"""The user's cache of task data: each task in a folder of its own, complete and checksummed, or not there at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from netlists.errors import ToolkitError
from netlists.files import (
    CACHE as ENVIRONMENT,
    CHECKSUMS,
    cache_folder,
    make_folder,
    read_json,
    sha256_of,
    with_checksums,
    without_checksums,
    write_arrays,
    write_json,
)

from .characters import SPLITS, CharacterTask
from .provenance import Provenance
from .sequences import SequenceSet
from .task import Task

FORMAT = 1
"""Counts up when features or splits change, so that data made by older code is refused rather than mixed in."""

DATA, DESCRIPTION = "data.npz", "task.json"


class Description(BaseModel):
    """What stands in ``task.json`` beside the arrays."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    format: int
    name: str
    kind: Literal["sequences", "characters"]
    classes: tuple[str, ...] = ()
    alphabet: str = ""
    metric: str
    data_sha256: str
    provenance: Provenance


def working_folder(name: str) -> tempfile.TemporaryDirectory:
    """A temporary folder inside the cache, so that what is finished in it can be moved into place in one step."""
    folder = make_folder(cache_folder())
    try:
        return tempfile.TemporaryDirectory(dir=folder, prefix=f".{name}.")
    except OSError as e:
        raise ToolkitError(f"{folder}: no working folder can be made ({e.strerror}); {ENVIRONMENT} names another cache") from None


def cached_bytes(name: str) -> int | None:
    """Size of a task's cached data, None if there is none."""
    try:
        return sum(f.stat().st_size for f in (cache_folder() / name).iterdir())
    except OSError:
        return None


def store(task: Task | CharacterTask) -> Path:
    """Puts a task into the cache in place of what was there; nothing stays behind if it fails.

    Features are kept in single precision.

    Raises
    ------
    ToolkitError
        The cache cannot be written: permissions, a full disk.
    """
    entry = cache_folder() / task.name
    arrays: dict[str, np.ndarray] = {}
    if isinstance(task, Task):
        for split, part in task.parts().items():
            arrays |= {
                f"{split}_inputs": part.inputs.astype(np.float32),
                f"{split}_lengths": part.lengths,
                f"{split}_labels": part.labels,
            }
    else:
        arrays = {split: getattr(task, split) for split in SPLITS}
    with working_folder(task.name) as folder:
        fresh = Path(folder) / "fresh"
        try:
            fresh.mkdir()
            write_arrays(fresh / DATA, arrays)
            description = Description(
                format=FORMAT,
                name=task.name,
                kind="sequences" if isinstance(task, Task) else "characters",
                classes=task.classes if isinstance(task, Task) else (),
                alphabet="" if isinstance(task, Task) else task.alphabet,
                metric=task.metric,
                data_sha256=sha256_of(fresh / DATA),
                provenance=task.provenance,
            )
            write_json(fresh / DESCRIPTION, with_checksums(description.model_dump(mode="json")))
            if entry.exists():
                os.replace(entry, Path(folder) / "old")
            os.replace(fresh, entry)
        except (OSError, ToolkitError) as e:
            raise ToolkitError(
                f"{entry}: cannot be written ({e}); free some space, or let {ENVIRONMENT} name another folder"
            ) from None
    return entry


def restore(name: str, takes: str) -> Task | CharacterTask:
    """Reads a task from the cache.

    Parameters
    ----------
    takes : str
        What getting the data takes; stands in errors.

    Raises
    ------
    ToolkitError
        The task is not in the cache, was made by another version, or its files are not as they were written.
    """
    entry = cache_folder() / name
    if not entry.is_dir():
        raise ToolkitError(f"task {name!r}: its data is not in {cache_folder()}; `get_task({name!r})` gets it (takes {takes})")
    how = f"`get_task({name!r}, again=True)` makes it anew (takes {takes})"
    try:
        text = read_json(entry / DESCRIPTION, "description of a task")
        if text.get("format") != FORMAT:
            raise ToolkitError(f"{entry}: was made by another version of this toolkit; {how}")
        # Caches of before have no checksums.
        description = Description.model_validate(without_checksums(text, f"{entry}") if CHECKSUMS in text else text)
        digest = sha256_of(entry / DATA)
        if digest != description.data_sha256:
            raise ToolkitError(f"{entry / DATA}: SHA-256 is {digest}, must be {description.data_sha256}; {how}")
        with np.load(entry / DATA, allow_pickle=False) as archive:
            arrays = dict(archive)
    except (OSError, ValidationError, ValueError, AttributeError, TypeError) as e:
        raise ToolkitError(f"{entry}: is damaged ({e}); {how}") from None
    if description.kind == "characters":
        return CharacterTask(
            name,
            description.alphabet,
            **{split: arrays[split] for split in SPLITS},
            provenance=description.provenance,
            metric=description.metric,
        )
    sets = {
        split: SequenceSet(*(arrays[f"{split}_{field}"] for field in ("inputs", "lengths", "labels")))
        for split in SPLITS
        if f"{split}_inputs" in arrays
    }
    about: dict[str, Any] = {"metric": description.metric, "provenance": description.provenance}
    return Task(name, sets.get("train"), sets["test"], description.classes, validation=sets.get("validation"), **about)
