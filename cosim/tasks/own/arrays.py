"""A task in one ``.npz`` file, without pickle.

    train_inputs   (sequences, steps, features)   train_labels   (sequences,)   train_lengths   (sequences,), optional
    test_inputs    ...                            validation_inputs ... optional
    classes        names of the labels, optional  name           of the task, optional: that of the file

Labels are whole numbers from 0 or names. ``x_train``, ``y_train``, ``x_test`` and so on are the same by the names
that Keras users know. Without training arrays it is a test set for networks that were trained elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cosim.tasks.provenance import Provenance
from cosim.tasks.task import OWN, Task
from netlists.errors import InputError
from netlists.files import read_arrays, sha256_of, write_arrays

SPLITS = ("train", "validation", "test")
OTHER_NAMES = {"x_{}": "inputs", "X_{}": "inputs", "y_{}": "labels", "lengths_{}": "lengths", "{}_x": "inputs", "{}_y": "labels"}
SHORT = {"train": ("train",), "validation": ("validation", "val", "valid", "dev"), "test": ("test",)}
SPOKEN = ("classes", "name", "provenance")


def load_arrays(path: str | Path) -> Task:
    """Reads a task from an ``.npz`` file.

    Raises
    ------
    InputError
        No such file, a damaged one, arrays that are missing, unknown or do not fit together, a class without training data.
    """
    path = Path(path)
    fields = read_arrays(path, "file of arrays")
    known = {
        form.format(short): (split, part)
        for split, shorts in SHORT.items()
        for short in shorts
        for form, part in (OTHER_NAMES | {f"{{}}_{p}": p for p in ("inputs", "labels", "lengths")}).items()
    }
    found: dict[str, dict[str, np.ndarray]] = {}
    for name, a in fields.items():
        if name in known:
            split, part = known[name]
            if part in found.setdefault(split, {}):
                raise InputError(f"{path}: {name}: is a second array of the {part} of {split}")
            found[split][part] = a
        elif name not in SPOKEN:
            raise InputError(f"{path}: unknown array {name!r}; a task has train_inputs, train_labels, test_inputs, test_labels ...")
    for split, parts in found.items():
        if missing := [p for p in ("inputs", "labels") if p not in parts]:
            raise InputError(f"{path}: lacks {split}_{missing[0]}")
    if "test" not in found:
        raise InputError(f"{path}: lacks test_inputs and test_labels; it has {', '.join(fields) or 'nothing'}")
    classes = (
        None
        if "classes" not in fields
        else [c.decode() if isinstance(c, bytes) else str(c) for c in np.atleast_1d(fields["classes"])]
    )
    given: dict[str, Any] = {
        f"{axis}_{split}": parts[p] for split, parts in found.items() for axis, p in (("x", "inputs"), ("y", "labels"))
    }
    lengths = {split: parts["lengths"] for split, parts in found.items() if "lengths" in parts}
    name = str(fields["name"]) if "name" in fields else path.stem
    try:
        task = Task.from_arrays(name, **given, classes=classes, lengths=lengths)
        about = _provenance(fields, task, path)
        return replace(task, provenance=about)
    except InputError as e:
        raise InputError(f"{path}: {e}") from None


def _provenance(fields: Mapping[str, np.ndarray], task: Task, path: Path) -> Provenance:
    items = {split: len(part) for split, part in task.parts().items()}
    if "provenance" in fields:
        about = Provenance.model_validate_json(str(fields["provenance"]))
    else:
        about = Provenance(source=f"{OWN}: {path.name}", version="", licence=OWN, sha256={}, items=items)
    return about.model_copy(update={"items": items, "sha256": about.sha256 | {path.name: sha256_of(path)}})


def save_arrays(task: Task, path: str | Path) -> Path:
    """Writes a task as an ``.npz`` file that `load_arrays` reads, with where it comes from; complete or not at all."""
    path = Path(path)
    if path.suffix != ".npz":
        raise InputError(f"{path}: a task is saved as .npz; give a name that ends so")
    arrays: dict[str, np.ndarray] = {"name": np.array(task.name), "classes": np.array(task.classes)}
    arrays["provenance"] = np.array(task.provenance.model_dump_json())
    for split, part in task.parts().items():
        arrays |= {f"{split}_inputs": part.inputs, f"{split}_lengths": part.lengths, f"{split}_labels": part.labels}
    return write_arrays(path, arrays)
