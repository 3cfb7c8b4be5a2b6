"""What a task is: training and test sequences, classes, the metric, and where the data comes from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from netlists.checks import checked
from netlists.errors import InputError

from .provenance import Provenance
from .sequences import SequenceSet

OWN = "your own"
"""Source and licence of arrays that come without a word about them."""


@checked
@dataclass(frozen=True, eq=False)
class Task:
    """A sequence classification task.

    Attributes
    ----------
    name : str
    train : SequenceSet or None
        None: a test set alone, for networks that were trained elsewhere.
    test : SequenceSet
        The built-in tasks scale features with the training set's mean and deviation.
    classes : tuple of str
        Name of each label.
    metric : str
        What a network is judged by: "accuracy", the fraction of test sequences classified correctly.
    provenance : Provenance
        Source of the data, for reports.
    validation : SequenceSet or None
        Sequences that choose settings and stop a training; None if the data comes without them.

    Examples
    --------
    >>> from cosim.tasks import load_task
    >>> load_task("digits")
    Task(digits, 10 classes, 8 features a step, 1,347 train, 450 test)
    """

    name: str
    train: SequenceSet | None
    test: SequenceSet
    classes: tuple[str, ...]
    metric: str
    provenance: Provenance
    validation: SequenceSet | None = None

    def __post_init__(self) -> None:
        first, *_ = self.parts()
        for name, part in self.parts().items():
            if part.n_features != (wanted := self.parts()[first].n_features):
                raise InputError(f"task {self.name}: {name} has {part.n_features} features a step, {first} has {wanted}")
            if part.labels.max() >= len(self.classes):
                raise InputError(f"task {self.name}: {name} has label {part.labels.max()}, there are {len(self.classes)} classes")

    def __repr__(self) -> str:
        sizes = ", ".join(f"{len(part):,} {name}" for name, part in self.parts().items())
        return f"Task({self.name}, {len(self.classes)} classes, {self.test.n_features} features a step, {sizes})"

    @classmethod
    def from_arrays(
        cls,
        name: str,
        x_test: np.ndarray,
        y_test: np.ndarray,
        x_train: np.ndarray | None = None,
        y_train: np.ndarray | None = None,
        x_validation: np.ndarray | None = None,
        y_validation: np.ndarray | None = None,
        *,
        classes: Sequence[str] | None = None,
        lengths: dict[str, np.ndarray] | None = None,
        source: str = OWN,
        licence: str = OWN,
    ) -> Task:
        """A task of your own arrays.

        Parameters
        ----------
        x_train, x_validation, x_test : ndarray (sequences, steps, features), or a list of arrays (steps, features)
            Without training arrays it is a test set for networks that were trained elsewhere.
        y_train, y_validation, y_test : ndarray (sequences,)
            Whole numbers from 0, or names of classes.
        classes : sequence of str or None
            Names of the labels; None: the names or numbers that the labels have.
        lengths : dict or None
            Valid steps of each sequence, (sequences,), by "train", "validation" and "test"; None: all steps.

        Raises
        ------
        InputError
            Arrays that do not fit together, a class without training sequences, a label that is no class.

        Examples
        --------
        >>> import numpy as np
        >>> rng = np.random.default_rng(1)
        >>> x = rng.normal(size=(9, 5, 2))
        >>> Task.from_arrays("mine", x, ["up", "down", "up"] * 3, x, ["up", "down", "up"] * 3)
        Task(mine, 2 classes, 2 features a step, 9 train, 9 test)
        """
        given = {"train": (x_train, y_train), "validation": (x_validation, y_validation), "test": (x_test, y_test)}
        for split, (x, y) in given.items():
            if (x is None) != (y is None):
                raise InputError(f"x_{split}, y_{split}: one is given without the other")
        labels = {split: _labels(y) for split, (_, y) in given.items() if y is not None}
        if classes is None:
            classes = _classes(labels)
            if len(classes) < 2:
                raise InputError(f"task {name!r}: all labels are {classes[0]!r}; say what other classes there are (classes)")
        classes = tuple(map(str, classes))
        sets = {}
        for split, (x, _) in given.items():
            if x is None:
                continue
            steps = (lengths or {}).get(split)
            if isinstance(x, (list, tuple)) and len({np.shape(s) for s in x}) > 1 and steps is None:
                padded = SequenceSet.from_list(x, np.zeros(len(x), int))
                x, steps = padded.inputs, padded.lengths
            x = np.ma.filled(x.astype(float), np.nan) if isinstance(x, np.ma.MaskedArray) else np.asarray(x)
            if x.ndim != 3:
                raise InputError(
                    f"x_{split}: has shape {x.shape}, must be (sequences, steps, features); one feature is x[..., None]"
                )
            steps = np.full(len(x), x.shape[1]) if steps is None else steps
            try:
                sets[split] = SequenceSet(x, steps, numbered(labels[split], classes, f"y_{split}"))
            except InputError as e:
                raise InputError(f"{split}: {e}") from None
        about = Provenance(
            source=source, version="", licence=licence, sha256={}, items={split: len(s) for split, s in sets.items()}
        )
        task = cls(name, sets.get("train"), sets["test"], classes, "accuracy", about, sets.get("validation"))
        if task.train is not None:
            task.check_training()
        return task

    def parts(self) -> dict[str, SequenceSet]:
        """Splits by name: train and validation if there are any, test."""
        given = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: part for name, part in given.items() if part is not None}

    @property
    def training(self) -> SequenceSet:
        """The training sequences; `InputError` if there are none."""
        if self.train is None:
            raise InputError(f"task {self.name!r}: is a test set alone; it has no training data")
        return self.train

    def counts(self) -> dict[str, dict[str, int]]:
        """Sequences of each class in each split."""
        n = len(self.classes)
        return {
            name: dict(zip(self.classes, np.bincount(part.labels, minlength=n).tolist(), strict=True))
            for name, part in self.parts().items()
        }

    def check_training(self) -> None:
        """Raises `InputError` if a class has no training sequence: nothing could learn it."""
        empty = [
            c for c, n in zip(self.classes, np.bincount(self.training.labels, minlength=len(self.classes)), strict=True) if not n
        ]
        if empty:
            raise InputError(f"task {self.name!r}: no training data of class {empty[0]!r}; give some, or leave the class away")

    @cached_property
    def sha256(self) -> str:
        """Digest of the data: every split's sequences and labels, and the classes."""
        return self._digest(*self.parts())

    @cached_property
    def train_sha256(self) -> str | None:
        """Digest of the training data and the classes; None of a test set alone."""
        return None if self.train is None else self._digest("train")

    def _digest(self, *names: str) -> str:
        digest = hashlib.sha256("\0".join(self.classes).encode())
        for name in names:
            part = self.parts()[name]
            digest.update(name.encode())
            for a in (part.inputs, part.lengths, part.labels):
                digest.update(repr(a.shape).encode() + np.ascontiguousarray(a).tobytes())
        return digest.hexdigest()


def _labels(labels: Any) -> np.ndarray:
    """Labels as an array; bytes are text."""
    labels = np.asarray(labels)
    return np.char.decode(labels, "utf-8") if labels.dtype.kind == "S" else labels


def numbered(labels: Any, classes: Sequence[str], what: str) -> np.ndarray:
    """Labels as places among the classes, which they are already or name.

    Raises
    ------
    InputError
        A label that is no class.
    """
    labels = np.asarray(labels)
    if labels.dtype.kind in "iub":
        if len(bad := np.flatnonzero((labels < 0) | (labels >= len(classes)))):
            raise InputError(f"{what}[{bad[0]}]={labels[bad[0]]}: there are {len(classes)} classes, counted from 0")
        return labels.astype(np.int64)
    if labels.dtype.kind == "f" and np.all(labels == np.round(labels)):
        return numbered(labels.astype(np.int64), classes, what)
    places = {str(c): i for i, c in enumerate(classes)}
    texts = [str(t) for t in labels.ravel()]
    if unknown := next((t for t in texts if t not in places), None):
        raise InputError(f"{what}: label {unknown!r} is no class; there are {', '.join(classes)}")
    return np.array([places[t] for t in texts], np.int64).reshape(labels.shape)


def _classes(labels: dict[str, np.ndarray]) -> tuple[str, ...]:
    """Names of the labels: those that there are, or the numbers up to the largest."""
    if any(y.dtype.kind in "US" for y in labels.values()):
        return tuple(sorted({str(t) for y in labels.values() for t in y.ravel()}))
    largest = max((int(y.max()) for y in labels.values() if y.size), default=0)
    return tuple(str(i) for i in range(largest + 1))
