"""Epochs: gradient steps, validation, the best weights, early stopping, checkpoints."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from characterization.progress_bar import progress_bar
from cosim.network import EpochRecord
from netlists.errors import InputError, ToolkitError

from .checkpoint import TrainingState, load_checkpoint, save_checkpoint
from .model import Model, Parameters, TrainingLoss
from .optimizer import Adam
from .settings import TrainingSettings


class TrainingCourse(Protocol):
    """What one epoch of a kind of task consists of."""

    batches: int

    def epoch(self, rng: np.random.Generator) -> Iterator[tuple[TrainingLoss, Parameters]]:
        """Loss and gradients of each batch of one pass over the training data; the weights change in between."""
        ...

    def validate(self, rng: np.random.Generator | None) -> Iterator[TrainingLoss]:
        """Loss of each batch of the validation data; nothing if there is none."""
        ...


class Trained(NamedTuple):
    """The kept weights, the log, the epoch they are from, and the wall time in seconds."""

    parameters: Parameters
    epochs: tuple[EpochRecord, ...]
    best_epoch: int
    seconds: float


def run_epochs(
    model: Model,
    course: TrainingCourse,
    settings: TrainingSettings,
    rng: np.random.Generator,
    *,
    conditions: Mapping[str, Any],
    checkpoint: Path | None = None,
    resume: bool = False,
    progress: bool = False,
) -> Trained:
    """Trains until ``settings.epochs`` are over or the validation loss has not fallen for ``settings.patience`` of them.

    Parameters
    ----------
    conditions : mapping
        What a checkpoint must agree with.
    checkpoint : Path or None
        File that is written after each epoch.
    resume : bool
        Go on from that file.

    Raises
    ------
    ToolkitError
        The loss is not finite any more.
    """
    from threadpoolctl import threadpool_limits

    began = time.perf_counter()
    adam = Adam(model.parameters, settings, model.decayed_rows())
    records: list[EpochRecord] = []
    best, kept = 0, {name: p.copy() for name, p in model.parameters.items()}
    if resume:
        if checkpoint is None:
            raise InputError("resume=True: there is no checkpoint file to go on from; give checkpoint")
        done, kept = load_checkpoint(checkpoint, conditions, adam)
        records, best = list(done.epochs), done.best_epoch
        _set_generator(rng, done.generator, checkpoint)
        began -= done.seconds
    kept_loss = records[best - 1].validation_loss if best else None
    lowest = math.inf if kept_loss is None else kept_loss
    total = settings.epochs * course.batches
    with (
        threadpool_limits(limits=1, user_api="blas"),
        progress_bar(None, "training", total, "batches", show=progress, done=len(records) * course.batches) as bar,
    ):
        for epoch in range(len(records) + 1, settings.epochs + 1):
            if best and epoch - best > settings.patience and records[-1].validation_loss is not None:
                break
            record = _one_epoch(model, course, settings, adam, rng, epoch, bar)
            records.append(record)
            bar.set_postfix_str(_summary(record), refresh=False)
            judged = record.validation_loss
            if judged is None or judged < lowest:
                best, lowest = epoch, math.inf if judged is None else judged
                for name, p in model.parameters.items():
                    kept[name][:] = p
            if checkpoint is not None:
                state = TrainingState(
                    conditions=dict(conditions),
                    epochs=tuple(records),
                    best_epoch=best,
                    steps=adam.steps,
                    generator=dict(rng.bit_generator.state),
                    seconds=time.perf_counter() - began,
                )
                save_checkpoint(checkpoint, state, adam, kept)
    return Trained(kept, tuple(records), best, time.perf_counter() - began)


def _one_epoch(
    model: Model, course: TrainingCourse, settings: TrainingSettings, adam: Adam, rng: np.random.Generator, epoch: int, bar: Any
) -> EpochRecord:
    if model.hardware_aware is not None:
        model.hardware_aware.begin_epoch()
    losses = []
    for i, (loss, gradients) in enumerate(course.epoch(rng)):
        if not math.isfinite(loss.total):
            raise ToolkitError(
                f"training: the loss is {loss.mean} in epoch {epoch}; take a smaller learning_rate than {settings.learning_rate:g}"
            )
        # The rate at the step's end: a warm-up would waste its first step otherwise.
        adam.step(gradients, settings.rate(epoch - 1 + (i + bool(settings.warm_up)) / course.batches))
        losses.append(loss)
        bar.update()
    mean = _together(losses)
    # Chips are part of what is learned, and of what is validated; plain noise is not.
    validated = list(course.validate(rng if model.hardware_aware is not None else None))
    if not validated:
        return EpochRecord(epoch=epoch, loss=mean.mean)
    validation = _together(validated)
    if not math.isfinite(validation.total):
        raise ToolkitError(f"training: the validation loss is {validation.mean} in epoch {epoch}; take a smaller learning_rate")
    accuracy = validation.correct / validation.predictions
    return EpochRecord(epoch=epoch, loss=mean.mean, validation_loss=validation.mean, validation_accuracy=accuracy)


def _together(losses: Iterable[TrainingLoss]) -> TrainingLoss:
    return TrainingLoss(*(sum(values) for values in zip(*losses, strict=True)))


def _summary(record: EpochRecord) -> str:
    validation = "" if record.validation_loss is None else f", validation {record.validation_loss:.3f}"
    return f"epoch {record.epoch}, loss {record.loss:.3f}{validation}"


def _set_generator(rng: np.random.Generator, state: dict[str, Any], path: Path) -> None:
    try:
        rng.bit_generator.state = state
    except (ValueError, TypeError, KeyError) as e:
        raise InputError(f"{path}: progress.generator: is not a state of {type(rng.bit_generator).__name__} ({e})") from None
