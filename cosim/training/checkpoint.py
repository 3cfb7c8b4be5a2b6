"""Where a training stands: weights, optimizer, generator and log in one ``.npz`` file without pickle, to go on to the same bits."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from cosim.network import EpochRecord, parse, text, write_arrays
from netlists.errors import InputError
from netlists.files import read_arrays

from .model import Parameters, TrainingLoss
from .optimizer import Adam

GROUPS = ("parameters", "best", "mean", "square")
SHA256, LOSSES, CARRIED = "sha256", "epoch.losses", "epoch.carried."
STORE_SECONDS = 60.0
"""Between two checkpoints within an epoch, at least."""
WRITING_SHARE = 0.02
"""Of the time, that checkpoints within an epoch may take."""

Layout = Mapping[str, tuple[tuple[int, ...] | None, np.dtype]]
"""Shape and number type of arrays by their names; shape None: any."""


class TrainingState(BaseModel):
    """What a checkpoint holds beside the arrays.

    Attributes
    ----------
    schema_version : int
        1: written at the end of an epoch, without a checksum.
    conditions : dict
        What must be the same to go on: task, seed, settings but for the number of epochs, hardware.
    epochs : tuple of EpochRecord
        Of all epochs done.
    best_epoch : int
        0: none yet.
    steps : int
        Gradient steps done.
    generator : dict
        State of the bit generator.
    seconds : float
        Wall time until now.
    threads : int or None
        Threads that share large products, on which last bits depend; None in schema 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    schema_version: Literal[1, 2] = 2
    conditions: dict[str, int | float | str | None]
    epochs: tuple[EpochRecord, ...]
    best_epoch: int
    steps: int
    generator: dict[str, Any]
    seconds: float
    threads: Annotated[int, Field(ge=1, le=4096)] | None = None


class EpochUnderWay(NamedTuple):
    """Losses of the batches that are done of an epoch, and the arrays that the others depend on beside weights and generator."""

    losses: Sequence[TrainingLoss]
    carried: Mapping[str, np.ndarray]


def is_due(seconds: float, writing: float) -> bool:
    """Whether a checkpoint within an epoch is worth its time so many seconds after the last one, whose writing took ``writing``."""
    return seconds >= max(STORE_SECONDS, writing / WRITING_SHARE)


def save_checkpoint(
    path: Path, progress: TrainingState, adam: Adam, best: Mapping[str, np.ndarray], under_way: EpochUnderWay | None = None
) -> None:
    """Writes a checkpoint; under the final name there is never half a file.

    Parameters
    ----------
    under_way : EpochUnderWay or None
        The epoch that is not over yet; None: the training is between two.
    """
    groups = dict(zip(GROUPS, (adam.parameters, best, adam.mean, adam.square), strict=True))
    arrays = {f"{group}.{name}": a for group, named in groups.items() for name, a in named.items()}
    if under_way is not None:
        arrays |= {f"{CARRIED}{name}": a for name, a in under_way.carried.items()}
        arrays[LOSSES] = np.array(under_way.losses, float).reshape(-1, len(TrainingLoss._fields))
    arrays["progress"] = np.array(progress.model_dump_json())
    write_arrays(path, arrays | {SHA256: np.array(_sha256(arrays))})


def load_checkpoint(
    path: Path, conditions: Mapping[str, Any], adam: Adam, carried: Layout, batches: int
) -> tuple[TrainingState, Parameters, EpochUnderWay | None]:
    """Puts a checkpoint's weights and running means into an optimizer; returns where it stood, its best weights, the epoch begun.

    Parameters
    ----------
    carried : mapping
        What an epoch that is under way must have carried.
    batches : int
        Of an epoch.

    Raises
    ------
    InputError
        No such file, a damaged one, or one of a training under other conditions; names what differs.
    """
    if not path.exists():
        raise InputError(f"{path}: there is no checkpoint to go on from; train without resuming first")
    fields = read_arrays(path, "checkpoint")
    try:
        if SHA256 in fields and text(fields, SHA256) != _sha256(fields):
            raise InputError("does not match its SHA-256: it is damaged or was edited; train without resuming")
        layout: dict[str, tuple[tuple[int, ...] | None, np.dtype] | None] = {"progress": None}
        layout |= {f"{group}.{n}": (p.shape, p.dtype) for n, p in adam.parameters.items() for group in GROUPS}
        if LOSSES in fields:
            layout |= {LOSSES: None} | {f"{CARRIED}{name}": a for name, a in carried.items()}
        if unfit := sorted(set(layout) ^ (set(fields) - {SHA256})):
            raise InputError(f"field {unfit[0]!r} is {'missing' if unfit[0] in layout else 'unknown'}; is this a checkpoint?")
        progress = parse(TrainingState, text(fields, "progress"), "progress")
        if (progress.schema_version == 1) is (SHA256 in fields):
            raise InputError(f"field {SHA256!r} does not belong to schema {progress.schema_version}; is this a checkpoint?")
        # Digests last: another difference says more.
        for name in sorted(set(conditions) | set(progress.conditions), key=lambda n: ("sha256" in n, n)):
            was, now = progress.conditions.get(name), conditions.get(name)
            if was != now:
                raise InputError(f"was trained with {name}={was!r}, now {name}={now!r}; go on with the same, or start anew")
        for name, wanted in layout.items():
            if wanted is not None and (fields[name].dtype != wanted[1] or wanted[0] not in (None, fields[name].shape)):
                raise InputError(
                    f"{name}: has shape {fields[name].shape} and type {fields[name].dtype}, must be {wanted[0]} and {wanted[1]}"
                )
        losses = _losses(fields[LOSSES], batches) if LOSSES in fields else None
    except InputError as e:
        raise InputError(f"{path}: {e}") from None
    for name, p in adam.parameters.items():
        p[:] = fields[f"parameters.{name}"]
        adam.mean[name][:] = fields[f"mean.{name}"]
        adam.square[name][:] = fields[f"square.{name}"]
    adam.steps = progress.steps
    best = {name: fields[f"best.{name}"] for name in adam.parameters}
    under_way = None if losses is None else EpochUnderWay(losses, {name: fields[f"{CARRIED}{name}"] for name in carried})
    return progress, best, under_way


def _losses(rows: np.ndarray, batches: int) -> list[TrainingLoss]:
    known = rows.dtype == float and rows.ndim == 2 and rows.shape[1] == len(TrainingLoss._fields) and bool(np.isfinite(rows).all())
    if not known or not 0 < len(rows) <= batches:
        raise InputError(f"{LOSSES}: has shape {rows.shape} and type {rows.dtype}, must be finite and of 1 to {batches} batches")
    return [TrainingLoss(total, int(predictions), int(correct)) for total, predictions, correct in rows.tolist()]


def _sha256(fields: Mapping[str, np.ndarray]) -> str:
    """Digest of all arrays but itself, with their names, types and shapes."""
    digest = hashlib.sha256()
    for name in sorted(set(fields) - {SHA256}):
        a = fields[name]
        digest.update(f"{name}\0{a.dtype.str}{a.shape}\0".encode())
        digest.update(np.ascontiguousarray(a).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
