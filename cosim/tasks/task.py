"""What a task is: training and test sequences, classes, the metric, and where the data comes from."""

from __future__ import annotations

from dataclasses import dataclass

from netlists.checks import checked
from netlists.errors import InputError

from .provenance import Provenance
from .sequences import SequenceSet


@checked
@dataclass(frozen=True, eq=False)
class Task:
    """A sequence classification task.

    Attributes
    ----------
    name : str
    train, test : SequenceSet
        Features are scaled with the training set's mean and deviation.
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
    train: SequenceSet
    test: SequenceSet
    classes: tuple[str, ...]
    metric: str
    provenance: Provenance
    validation: SequenceSet | None = None

    def __post_init__(self) -> None:
        for name, part in self.parts().items():
            if part.n_features != self.train.n_features:
                raise InputError(
                    f"task {self.name}: {name} has {part.n_features} features a step, train has {self.train.n_features}"
                )
            if part.labels.max() >= len(self.classes):
                raise InputError(f"task {self.name}: {name} has label {part.labels.max()}, there are {len(self.classes)} classes")

    def __repr__(self) -> str:
        sizes = ", ".join(f"{len(part):,} {name}" for name, part in self.parts().items())
        return f"Task({self.name}, {len(self.classes)} classes, {self.train.n_features} features a step, {sizes})"

    def parts(self) -> dict[str, SequenceSet]:
        """Splits by name: train, validation if there is one, test."""
        validation = {} if self.validation is None else {"validation": self.validation}
        return {"train": self.train} | validation | {"test": self.test}
