"""Data of one's own by its path: an ``.npz`` file, a CSV manifest or a folder of labelled recordings, each file accounted for."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np

from cosim.tasks.provenance import Provenance, listing_digest
from cosim.tasks.sequences import SequenceSet
from cosim.tasks.task import OWN, Task
from netlists.check_rules import Choice, Number
from netlists.checks import Count, Positive, Share, checked
from netlists.errors import InputError
from netlists.files import sha256_of

from .arrays import load_arrays
from .manifest import SOUNDS, TABLES, Item, read_folder, read_manifest
from .splits import SPLITTING, split_items

SCALINGS = ("train", "own", "none")
FEATURES = ("mfcc", "mfcc-tensorflow")


@checked
@dataclass(frozen=True)
class OwnData:
    """How a manifest or a folder of recordings becomes a task.

    Attributes
    ----------
    name : str or None
        Of the task; None: that of the file or folder.
    classes : tuple of str or None
        Take these alone, in this order; None: all, by name.
    split : {"given", "hash", "speaker"} or None
        Which sequences test; None: as given by lists, folders or a column, else by speakers where they are named, else by hash.
    test, validation : float
        Shares of split ``hash`` and ``speaker``; test 1 makes a test set alone.
    speaker_pattern : str or None
        Regular expression whose group is the speaker in a file's name; None: what stands before ``_nohash_``.
    rate : int or None
        Samples a second that recordings are brought to; None: that of most of them.
    seconds : float or None
        Length of a clip: longer ones are cut, shorter ones filled with silence; None: as long as it is.
    features : {"mfcc", "mfcc-tensorflow"}
        Of recordings: 40 coefficients as librosa has them, or 10 as TensorFlow's operators and its published keyword networks have
        them, at 16 kHz.
    scale : {"train", "own", "none"}
        Features by mean and deviation of the training frames; each split by its own; not at all.
    """

    name: str | None = None
    classes: tuple[str, ...] | None = None
    split: Annotated[str, Choice(SPLITTING)] | None = None
    test: Annotated[float, Number(above=0, high=1)] = 0.2
    validation: Share = 0.1
    speaker_pattern: str | None = None
    rate: Count | None = None
    seconds: Positive | None = None
    features: Annotated[str, Choice(FEATURES)] = "mfcc"
    scale: Annotated[str, Choice(SCALINGS)] = "train"


def is_path(name: str) -> bool:
    """Whether the name of a task is the path of own data: it has a folder or an ending, or is a folder that is there."""
    return "/" in name or "\\" in name or Path(name).suffix in (".npz", ".csv") or Path(name).is_dir()


def load_own(path: str | Path, how: OwnData | None = None) -> Task:
    """A task of the data at a path.

    Raises
    ------
    InputError
        No such path, files that cannot be read, a class without training data; the message names the file.
    """
    path, how = Path(path), how or OwnData()
    if path.suffix == ".npz":
        if how != OwnData():
            raise InputError(f"{path}: an .npz file holds a task as it is; splits and features are of manifests and recordings")
        return load_arrays(path)
    if path.is_dir():
        listing = read_folder(path, how.classes)
    elif path.suffix == ".csv":
        listing = read_manifest(path)
    else:
        raise InputError(f"{path}: there is no such .npz file, .csv manifest or folder of recordings")
    try:
        return _task(path, listing.items, Counter(listing.left), how)
    except InputError as e:
        raise InputError(str(e) if str(path) in str(e) else f"{path}: {e}") from None


def _task(path: Path, items: list[Item], left: Counter[str], how: OwnData) -> Task:
    seen = len(items) + sum(left.values())
    if how.classes is not None:
        left["of other classes"] += sum(i.label not in how.classes for i in items)
        items = [i for i in items if i.label in how.classes]
    if not items:
        raise InputError("no file is of a class that is taken")
    classes = how.classes or tuple(sorted({i.label for i in items}))
    items, splitting = split_items(items, how.split, test=how.test, validation=how.validation, pattern=how.speaker_pattern)
    kinds = {"sound" if i.path.suffix.lower() in SOUNDS else i.path.suffix.lower() for i in items}
    if len(kinds) != 1 or not kinds <= {"sound", *TABLES}:
        raise InputError(f"files are of kinds {', '.join(sorted(kinds))}; take one of recordings, .npy and .csv")
    if kinds == {"sound"}:
        from cosim.tasks.speech.recordings import recording_features

        sequences, notes = recording_features([i.path for i in items], how.rate, how.seconds, how.features)
    else:
        sequences, notes = [_table(i.path) for i in items], []
    sets = {}
    for split in ("train", "validation", "test"):
        own = [k for k, i in enumerate(items) if i.split == split]
        if own:
            labels = np.array([classes.index(items[k].label) for k in own])
            sets[split] = SequenceSet.from_list([sequences[k] for k in own], labels)
    if "test" not in sets:
        raise InputError(f"{splitting}: no file tests; there are {len(items)}")
    left = Counter({k: n for k, n in left.items() if n})
    notes = [f"{seen} files seen, {len(items)} taken" + "".join(f", {n} {why}" for why, n in left.items()), splitting, *notes]
    digests = {i.name: sha256_of(i.path) for i in items}
    trained = {digests[i.name] for i in items if i.split == "train"}
    if same := sum(i.split == "test" and digests[i.name] in trained for i in items):
        notes.append(f"{same} files that test are the same as one that trains, to the byte")
    sets, scaling = _scaled(sets, how.scale)
    about = Provenance(
        source=f"{OWN}: {path.name}",
        version="",
        licence=OWN,
        sha256={"all files read": listing_digest(digests)},
        items={split: len(s) for split, s in sets.items()},
        notes="; ".join([*notes, scaling]) + ".",
        account={"seen": seen, "taken": len(items)} | {f"left, {why}": n for why, n in left.items()},
    )
    name = how.name or path.resolve().stem
    task = Task(name, sets.get("train"), sets["test"], classes, "accuracy", about, sets.get("validation"))
    if task.train is not None:
        task.check_training()
    return task


def _scaled(sets: dict[str, SequenceSet], scale: str) -> tuple[dict[str, SequenceSet], str]:
    """Features by mean and deviation of frames."""
    if scale == "none":
        return sets, "features as they are"
    if scale == "train" and "train" not in sets:
        raise InputError(
            "scale='train': there is no training data to scale by; take 'none' (a network with input scaling) or 'own' (the test "
            "set's own mean and deviation)"
        )

    def frames(s: SequenceSet) -> np.ndarray:
        return s.inputs[np.arange(s.inputs.shape[1]) < s.lengths[:, None]]

    out = {}
    for split, s in sets.items():
        by = frames(sets["train"] if scale == "train" else s)
        deviation = by.std(axis=0)
        # Single precision, as the cache of the built-in tasks has it.
        x = ((s.inputs - by.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)).astype(np.float32)
        out[split] = SequenceSet(x, s.lengths, s.labels)
    return out, "features scaled by the training frames" if scale == "train" else "features of each split scaled by its own frames"


def _table(path: Path) -> np.ndarray:
    """Steps x features of a ``.npy`` or ``.csv`` file; a CSV may have a line of names."""
    try:
        if path.suffix.lower() == ".npy":
            out = np.load(path, allow_pickle=False)
        else:
            import pandas as pd

            text = path.read_text()
            first = text.splitlines()[0].split(",") if text.strip() else []
            head: int | None = None
            try:
                [float(v) for v in first]
            except ValueError:
                head = 0
            out = pd.read_csv(path, header=head).to_numpy()
    except (OSError, ValueError, UnicodeDecodeError, IndexError) as e:
        raise InputError(f"{path}: is not a table of numbers ({e})") from None
    out = out[:, None] if out.ndim == 1 else out
    if out.ndim != 2 or out.dtype.kind not in "fiu" or not len(out):
        raise InputError(f"{path}: has shape {out.shape} and type {out.dtype}, must be (steps, features) of numbers")
    return out.astype(float)
