"""Which files belong to a task, with their labels, speakers and splits: named by a CSV manifest or by the folders they lie in."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from netlists.errors import InputError
from netlists.files import column_names, named_once

SOUNDS = (".wav", ".flac", ".ogg", ".aiff", ".aif", ".mp3")
TABLES = (".npy", ".csv")
LISTS = {"validation": "validation_list.txt", "test": "testing_list.txt"}
FOLDERS = {"train": "train", "training": "train", "validation": "validation", "valid": "validation", "val": "validation",
           "dev": "validation", "test": "test", "testing": "test"}  # fmt: skip
COLUMNS = ("file", "label", "split", "speaker")
OTHER_COLUMNS = {"path": "file", "filename": "file", "class": "label", "subject": "speaker", "set": "split", "subset": "split"}


@dataclass(frozen=True)
class Item:
    """One sequence: its file, its name in lists and digests, its label; split and speaker where they are named."""

    path: Path
    name: str
    label: str
    split: str | None = None
    speaker: str | None = None


@dataclass(frozen=True)
class Listing:
    """Items and what was left out, by reason."""

    items: list[Item]
    left: dict[str, int]


def read_manifest(path: Path) -> Listing:
    """Items of a CSV file with the columns ``file`` and ``label``, and ``split`` or ``speaker`` if they are known.

    A split is train, validation or test. Files are named relative to the manifest.

    Raises
    ------
    InputError
        A column that is missing or unknown, a row without a file or label, a file that is not there, one that is named twice.
    """
    import pandas as pd

    try:
        with path.open(encoding="utf-8-sig") as f:
            head = f.readline()
        separator = max((",", ";", "\t"), key=head.count)
        table = pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False, skipinitialspace=True, encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except (OSError, ValueError, UnicodeDecodeError) as e:
        raise InputError(f"{path}: is not a CSV file ({e})") from None
    known = lambda c: OTHER_COLUMNS.get(c.strip().lower(), c.strip().lower())  # noqa: E731
    named_once(map(known, column_names(head, separator, str(path))), str(path))
    table = table.rename(columns=known)
    if missing := [c for c in COLUMNS[:2] if c not in table.columns]:
        raise InputError(f"{path}: has no column {missing[0]!r}; a manifest has file, label and may have split and speaker")
    items = []
    for row, record in enumerate(table.to_dict("records"), 2):
        file, label = (str(record[c]).strip() for c in COLUMNS[:2])
        if not file or not label:
            raise InputError(f"{path}, line {row}: has no {'file' if not file else 'label'}")
        split = str(record.get("split", "")).strip().lower() or None
        if split is not None and split not in FOLDERS:
            raise InputError(f"{path}, line {row}: split {split!r}: must be train, validation or test")
        full = path.parent / file
        if not full.is_file() and "\\" in file:
            file = file.replace("\\", "/")
            full = path.parent / file
        if not full.is_file():
            raise InputError(f"{path}, line {row}: {file} is not there")
        speaker = str(record.get("speaker", "")).strip() or None
        items.append(Item(full, Path(file).as_posix(), label, None if split is None else FOLDERS[split], speaker))
    if twice := [n for n, k in Counter(i.name for i in items).items() if k > 1]:
        raise InputError(f"{path}: names {twice[0]} twice")
    if any(i.split for i in items) and (bare := next((i for i in items if i.split is None), None)):
        raise InputError(f"{path}: {bare.name} has no split, others have one")
    return Listing(items, {})


def read_folder(folder: Path, classes: tuple[str, ...] | None = None) -> Listing:
    """Items of a folder with a folder of recordings for each class, or with folders train, validation and test of such folders.

    Parameters
    ----------
    classes : tuple of str or None
        Take these alone.

    Raises
    ------
    InputError
        No class folders, a class that is not there, a list that names a file that is not there.
    """
    inside = sorted(d for d in folder.iterdir() if d.is_dir() and not d.name.startswith("."))
    names = {d.name.lower() for d in inside}
    if len(inside) == 1 and not list(_sounds(inside[0], direct=True)):
        return read_folder(inside[0], classes)
    if names and names <= set(FOLDERS) and FOLDERS.get("test") in {FOLDERS[n] for n in names}:
        parts = [(FOLDERS[d.name.lower()], read_folder(d, classes)) for d in inside]
        items = [replace(i, name=f"{split}/{i.name}", split=split) for split, part in parts for i in part.items]
        return Listing(items, dict(sum((Counter(part.left) for _, part in parts), Counter[str]())))
    left: Counter[str] = Counter()
    items = []
    for d in inside:
        own = list(_sounds(d))
        if d.name == "_background_noise_" or (classes is not None and d.name not in classes):
            left["noise recordings" if d.name == "_background_noise_" else "of other classes"] += len(own)
            continue
        items += [Item(p, p.relative_to(folder).as_posix(), d.name) for p in own]
        left["not a recording"] += sum(1 for p in d.rglob("*") if p.is_file() and p.suffix.lower() not in SOUNDS)
    if missing := sorted(set(classes or ()) - {d.name for d in inside}):
        raise InputError(f"{folder}: has no folder {missing[0]!r}; it has {', '.join(d.name for d in inside) or 'none'}")
    if not items:
        raise InputError(f"{folder}: has no folder of recordings ({', '.join(SOUNDS)}); it needs one for each class")
    return Listing(_listed(folder, items, left), {k: n for k, n in left.items() if n})


def _sounds(folder: Path, direct: bool = False) -> Iterator[Path]:
    found = folder.glob("*") if direct else folder.rglob("*")
    return (p for p in sorted(found) if p.is_file() and p.suffix.lower() in SOUNDS and not p.name.startswith("."))


def _listed(folder: Path, items: list[Item], left: Counter[str]) -> list[Item]:
    """The items with the splits of the lists that lie in the folder, if any do."""
    lists = {split: folder / name for split, name in LISTS.items() if (folder / name).is_file()}
    if not lists:
        return items
    if "test" not in lists:
        raise InputError(
            f"{folder}: has {LISTS['validation']} and no {LISTS['test']}: which files test? Add it, or take the other away"
        )
    listed = {split: list_names(path) for split, path in lists.items()}
    if both := set(listed["test"]) & set(listed.get("validation", ())):
        raise InputError(f"{folder}: {min(both)} is in {' and in '.join(LISTS.values())}")
    held = {name: split for split, names in listed.items() for name in names}
    known = {i.name for i in items}
    for name in held:
        if name not in known and not (folder / name).is_file():
            raise InputError(f"{folder}: {lists[held[name]].name} names {name}, which is not there")
    return [replace(i, split=held.get(i.name, "train")) for i in items]


def list_names(path: Path) -> list[str]:
    """Names of a list, one a line, with slashes; names may have spaces.

    Raises
    ------
    InputError
        It cannot be read, or is empty.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as e:
        raise InputError(f"{path}: cannot be read ({e})") from None
    names = sorted({re.sub(r"^\./", "", line.strip().replace("\\", "/")) for line in lines if line.strip()})
    if not names:
        raise InputError(f"{path}: is empty; it must name the files of its split, one a line")
    return names
