"""What a task is: training and test sequences, classes, the metric, and where the data comes from."""

from __future__ import annotations

from dataclasses import dataclass

from netlists.errors import InputError

from .sequences import SequenceSet


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
    provenance : str
        Source of the data, for reports.
    """

    name: str
    train: SequenceSet
    test: SequenceSet
    classes: tuple[str, ...]
    metric: str
    provenance: str

    def __post_init__(self) -> None:
        if self.train.n_features != self.test.n_features:
            raise InputError(
                f"task {self.name}: the training set has {self.train.n_features} features, the test set {self.test.n_features}"
            )
        for name, part in (("training", self.train), ("test", self.test)):
            if part.labels.max() >= len(self.classes):
                raise InputError(
                    f"task {self.name}: the {name} set has label {part.labels.max()}, there are {len(self.classes)} classes"
                )
