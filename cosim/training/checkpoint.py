"""Where a training stands: weights, optimizer, generator and log in one ``.npz`` file without pickle, to go on to the same bits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from cosim.network import EpochRecord, parse, read_arrays, text, write_arrays
from netlists.errors import InputError

from .model import Parameters
from .optimizer import Adam

GROUPS = ("parameters", "best", "mean", "square")


class TrainingState(BaseModel):
    """What a checkpoint holds beside the arrays.

    Attributes
    ----------
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
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    schema_version: Literal[1] = 1
    conditions: dict[str, int | float | str | None]
    epochs: tuple[EpochRecord, ...]
    best_epoch: int
    steps: int
    generator: dict[str, Any]
    seconds: float


def save_checkpoint(path: Path, progress: TrainingState, adam: Adam, best: Mapping[str, np.ndarray]) -> None:
    """Writes a checkpoint; under the final name there is never half a file."""
    groups = dict(zip(GROUPS, (adam.parameters, best, adam.mean, adam.square), strict=True))
    arrays = {f"{group}.{name}": a for group, named in groups.items() for name, a in named.items()}
    write_arrays(path, arrays | {"progress": np.array(progress.model_dump_json())})


def load_checkpoint(path: Path, conditions: Mapping[str, Any], adam: Adam) -> tuple[TrainingState, Parameters]:
    """Puts a checkpoint's weights and running means into an optimizer; returns where it stood and its best weights.

    Raises
    ------
    InputError
        No such file, a damaged one, or one of a training under other conditions; names what differs.
    """
    if not path.exists():
        raise InputError(f"{path}: there is no checkpoint to go on from; train without resuming first")
    fields = read_arrays(path)
    try:
        expected = {"progress"} | {f"{group}.{name}" for group in GROUPS for name in adam.parameters}
        if unfit := sorted(expected ^ set(fields)):
            raise InputError(f"field {unfit[0]!r} is {'missing' if unfit[0] in expected else 'unknown'}; is this a checkpoint?")
        progress = parse(TrainingState, text(fields, "progress"), "progress")
        # Digests last: another difference says more.
        for name in sorted(set(conditions) | set(progress.conditions), key=lambda n: ("sha256" in n, n)):
            was, now = progress.conditions.get(name), conditions.get(name)
            if was != now:
                raise InputError(f"was trained with {name}={was!r}, now {name}={now!r}; go on with the same, or start anew")
        best: Parameters = {}
        for name, p in adam.parameters.items():
            for group in GROUPS:
                if (a := fields[f"{group}.{name}"]).shape != p.shape or a.dtype != p.dtype:
                    raise InputError(f"{group}.{name}: has shape {a.shape} and type {a.dtype}, must be {p.shape} and {p.dtype}")
            p[:] = fields[f"parameters.{name}"]
            adam.mean[name][:] = fields[f"mean.{name}"]
            adam.square[name][:] = fields[f"square.{name}"]
            best[name] = fields[f"best.{name}"]
    except InputError as e:
        raise InputError(f"{path}: {e}") from None
    adam.steps = progress.steps
    return progress, best
