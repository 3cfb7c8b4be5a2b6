"""Sequences with one label each: the class is read from the last outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from cosim.training.gradients import Packing

from ..tasks import SequenceSet
from .augmentation import Augmentation
from .checkpoint import Layout
from .model import Model, Parameters, TrainingLoss, cross_entropy

VALIDATION_BATCH = 128


@dataclass(frozen=True, eq=False)
class LabelledBatch:
    """Some sequences as rows, in a packing's order."""

    x: np.ndarray
    packing: Packing
    labels: np.ndarray


@dataclass(frozen=True, eq=False)
class LabelledData:
    """Sequences of a training in its number type.

    Attributes
    ----------
    inputs : ndarray (sequences, steps, features)
    lengths, labels : ndarrays of int (sequences,)
    """

    inputs: np.ndarray
    lengths: np.ndarray
    labels: np.ndarray

    @classmethod
    def of(cls, sequences: SequenceSet, dtype: np.dtype | type) -> LabelledData:
        return cls(sequences.inputs.astype(dtype), sequences.lengths, sequences.labels)

    def __len__(self) -> int:
        return len(self.inputs)

    def batch(
        self, index: np.ndarray, augmentation: Augmentation | None = None, rng: np.random.Generator | None = None
    ) -> LabelledBatch:
        order, packing = Packing.of_lengths(self.lengths[index])
        index = index[order]
        x = self.inputs[index]
        if augmentation is not None and rng is not None:
            x = augmentation.apply(x, self.lengths[index], rng)
        return LabelledBatch(packing.pack(x), packing, self.labels[index])

    def batches(
        self,
        size: int,
        order: np.ndarray | None = None,
        rng: np.random.Generator | None = None,
        augmentation: Augmentation | None = None,
        *,
        first: int = 0,
    ) -> Iterator[LabelledBatch]:
        """All sequences once in batches of nearly equal size, from the ``first`` batch on.

        With an order they come in it; with an augmentation and a generator they are changed.
        """
        order = np.arange(len(self)) if order is None else order
        for index in np.array_split(order, self.count(size))[first:]:
            yield self.batch(index, augmentation, rng)

    def count(self, size: int) -> int:
        """Number of batches."""
        return -(-len(self) // size)


def loss_and_gradients(
    model: Model, batch: LabelledBatch, rng: np.random.Generator | None = None, *, gradients: bool = True
) -> tuple[TrainingLoss, Parameters]:
    """Softmax cross entropy of a batch, and the gradients of its mean in all parameters.

    Parameters
    ----------
    rng : Generator or None
        Draws chips, noise and dropout; None leaves them out.
    """
    outputs = model.outputs(batch.x, batch.packing, rng, learning=gradients)
    # The backward direction ends at the first step.
    rows = [batch.packing.last_rows, np.arange(batch.packing.sequences)][: len(outputs)]
    last = np.concatenate([o[r] for o, r in zip(outputs, rows, strict=True)], axis=1)
    if not gradients:
        return cross_entropy(model.read(last), batch.labels)[0], {}
    last, kept = model.dropped(last, rng)
    loss, d_scores = cross_entropy(model.read(last), batch.labels, model.label_smoothing)
    d_last = d_scores @ model.parameters["readout"][:-1].T
    d_outputs = []
    for o, r, d in zip(outputs, rows, np.split(d_last if kept is None else d_last * kept, len(outputs), axis=1), strict=True):
        d_outputs.append(np.zeros_like(o))
        d_outputs[-1][r] = d
    return loss, model.gradients(d_outputs) | {"readout": model.d_readout(last, d_scores)}


class ClassifierCourse:
    """Epochs of a classifier; as `epochs.TrainingCourse`."""

    def __init__(
        self,
        model: Model,
        train: LabelledData,
        validation: LabelledData | None,
        batch: int,
        augmentation: Augmentation | None = None,
    ) -> None:
        self.model, self.train, self.validation, self.size = model, train, validation, batch
        self.augmentation = augmentation
        self.batches = train.count(batch)
        self.order = np.arange(len(train))

    def epoch(
        self, rng: np.random.Generator, done: int = 0, carried: Mapping[str, np.ndarray] | None = None
    ) -> Iterator[tuple[TrainingLoss, Parameters]]:
        self.order = rng.permutation(len(self.train)) if carried is None else carried["order"]
        for batch in self.train.batches(self.size, self.order, rng, self.augmentation, first=done):
            yield loss_and_gradients(self.model, batch, rng)

    def carried(self) -> dict[str, np.ndarray]:
        return {"order": self.order}

    def layout(self) -> Layout:
        return {"order": (self.order.shape, self.order.dtype)}

    def validate(self, rng: np.random.Generator | None) -> Iterator[TrainingLoss]:
        if self.validation is not None:
            for batch in self.validation.batches(max(self.size, VALIDATION_BATCH)):
                yield loss_and_gradients(self.model, batch, rng, gradients=False)[0]
