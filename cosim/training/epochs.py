"""Epochs: gradient steps, validation, the best weights, early stopping, checkpoints."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from characterization.progress_bar import progress_bar
from cosim.network import EpochRecord
from netlists.errors import InputError, ToolkitError

from .checkpoint import EpochUnderWay, Layout, TrainingState, is_due, load_checkpoint, save_checkpoint
from .model import Model, Parameters, TrainingLoss
from .optimizer import Adam
from .settings import TrainingSettings

COURSE, WIRES = "course.", "wires."
"""Prefixes of what is carried through an epoch."""


class TrainingCourse(Protocol):
    """What one epoch of a kind of task consists of."""

    batches: int

    def epoch(
        self, rng: np.random.Generator, done: int = 0, carried: Mapping[str, np.ndarray] | None = None
    ) -> Iterator[tuple[TrainingLoss, Parameters]]:
        """Loss and gradients of each batch of one pass over the training data; the weights change in between.

        With ``carried`` the pass goes on after so many batches that are done.
        """
        ...

    def carried(self) -> dict[str, np.ndarray]:
        """What the batches to come of a pass depend on, beside weights and generator."""
        ...

    def layout(self) -> Layout:
        """Shapes and types of what `carried` gives."""
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
        File that is written after each epoch, and within one when `checkpoint.is_due` says so.
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
    under_way: EpochUnderWay | None = None
    best, kept = 0, {name: p.copy() for name, p in model.parameters.items()}
    if resume:
        if checkpoint is None:
            raise InputError("resume=True: there is no checkpoint file to go on from; give checkpoint")
        done, kept, under_way = load_checkpoint(checkpoint, conditions, adam, _layout(model, course), course.batches)
        records, best = list(done.epochs), done.best_epoch
        _set_generator(rng, done.generator, checkpoint)
        began -= done.seconds
        if done.threads not in (None, model.workspace.threads):
            print(
                f"training: goes on with threads={done.threads}, as it began; {model.workspace.threads} would change the last bits",
                file=sys.stderr,
            )
            model.workspace.use_threads(done.threads)
    kept_loss = records[best - 1].validation_loss if best else None
    lowest = math.inf if kept_loss is None else kept_loss
    batches = 0 if under_way is None else len(under_way.losses)
    total = settings.epochs * course.batches
    written, writing = time.perf_counter(), 0.0

    def store(losses: Sequence[TrainingLoss] = ()) -> None:
        # The clock says when to store, never what is computed.
        nonlocal written, writing
        now = time.perf_counter()
        if checkpoint is None or (losses and not is_due(now - written, writing)):
            return
        state = TrainingState(
            conditions=dict(conditions),
            epochs=tuple(records),
            best_epoch=best,
            steps=adam.steps,
            generator=dict(rng.bit_generator.state),
            seconds=now - began,
            threads=model.workspace.threads,
        )
        save_checkpoint(checkpoint, state, adam, kept, EpochUnderWay(losses, _carried(model, course)) if losses else None)
        written = time.perf_counter()
        writing = written - now

    if resume and progress:
        print(f"training: goes on after epoch {len(records)}" + (f" and {batches} batches" if batches else ""), file=sys.stderr)
    with (
        threadpool_limits(limits=1, user_api="blas"),
        progress_bar(None, "training", total, "batches", show=progress, done=len(records) * course.batches + batches) as bar,
    ):
        for epoch in range(len(records) + 1, settings.epochs + 1):
            if best and epoch - best > settings.patience and records[-1].validation_loss is not None:
                break
            record = _one_epoch(model, course, settings, adam, rng, epoch, bar, under_way, store)
            under_way = None
            records.append(record)
            bar.set_postfix_str(_summary(record), refresh=False)
            judged = record.validation_loss
            if judged is None or judged < lowest:
                best, lowest = epoch, math.inf if judged is None else judged
                for name, p in model.parameters.items():
                    kept[name][:] = p
            store()
    return Trained(kept, tuple(records), best, time.perf_counter() - began)


def _one_epoch(
    model: Model,
    course: TrainingCourse,
    settings: TrainingSettings,
    adam: Adam,
    rng: np.random.Generator,
    epoch: int,
    bar: Any,
    under_way: EpochUnderWay | None,
    store: Callable[[Sequence[TrainingLoss]], None],
) -> EpochRecord:
    if model.hardware_aware is not None:
        model.hardware_aware.begin_epoch()
    losses, carried = [], None
    if under_way is not None:
        losses, carried = list(under_way.losses), _named(under_way.carried, COURSE)
        if model.hardware_aware is not None:
            model.hardware_aware.hold_wires(_named(under_way.carried, WIRES))
    for loss, gradients in course.epoch(rng, len(losses), carried):
        if not math.isfinite(loss.total):
            raise ToolkitError(
                f"training: the loss is {loss.mean} in epoch {epoch}; take a smaller learning_rate than {settings.learning_rate:g}"
            )
        # The rate at the step's end: a warm-up would waste its first step otherwise.
        adam.step(gradients, settings.rate(epoch - 1 + (len(losses) + bool(settings.warm_up)) / course.batches))
        losses.append(loss)
        bar.update()
        store(losses)
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


def _carried(model: Model, course: TrainingCourse) -> dict[str, np.ndarray]:
    """What the rest of an epoch depends on."""
    wires = {} if model.hardware_aware is None else model.hardware_aware.wires()
    return {f"{COURSE}{n}": a for n, a in course.carried().items()} | {f"{WIRES}{n}": a for n, a in wires.items()}


def _layout(model: Model, course: TrainingCourse) -> Layout:
    """Shapes and types of what `_carried` gives."""
    out = {f"{COURSE}{name}": a for name, a in course.layout().items()}
    for key in model.wired():
        out |= {f"{WIRES}{key}.steps": ((), np.dtype(np.int64)), f"{WIRES}{key}.arrives": (None, np.dtype(float))}
    return out


def _named(arrays: Mapping[str, np.ndarray], group: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(group): a for name, a in arrays.items() if name.startswith(group)}


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
