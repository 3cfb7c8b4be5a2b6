"""What a reader of an imported network's score must know of its classes, and of states that no ramp reaches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cosim.tasks import CharacterTask
from netlists.errors import InputError

from .forward import ExactPath, padded, run_layer

if TYPE_CHECKING:
    from cosim.tasks import SequenceSet, Task

    from .network import Network

SHOWN = 12


def class_notes(network: Network, task: Task) -> tuple[str, ...]:
    """What was taken for the classes that an imported network's scores belong to.

    Raises
    ------
    InputError
        The task names another number of classes, so that no order of theirs can be that of the scores.
    """
    origin, names = network.metadata.imported, task.classes
    if origin is None:
        return ()
    if names == tuple(map(str, range(len(names)))):
        if len(names) == network.n_classes:
            return ()
        return (
            f"network {origin.source}: scores {network.n_classes} classes, the labels of {task.name!r} end at {len(names) - 1}; "
            "an answer beyond that counts as wrong",
        )
    shown = ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
    if len(names) != network.n_classes:
        raise InputError(
            f"task={task.name!r}: names {len(names)} classes ({shown}), the network scores {network.n_classes}; give the names "
            "of all, in the order of the scores (classes), or labels as numbers from 0"
        )
    return (
        f"network {origin.source}: does not say what its classes are; its scores are taken in the order of the data's: {shown}",
    )


def start_notes(network: Network, task: Task | CharacterTask) -> list[str]:
    """What was taken for an imported network that a training starts from; what it says afterwards is its own.

    Raises
    ------
    InputError
        As for `class_notes`.
    """
    if network.metadata.imported is None or isinstance(task, CharacterTask):
        return []
    return [*network.warnings, *class_notes(network, task)]


def reach(network: Network, sequences: SequenceSet) -> list[np.ndarray]:
    """Floating-point outputs of each layer that has no upper end, at every step of every sequence; of the others nothing."""
    found: list[np.ndarray] = []
    order, active = sequences.packing()
    x = np.zeros((len(active), network.n_in, padded(len(order))))
    x[:, :, : len(order)] = network.rows(sequences.inputs[order, : len(active)]).transpose(1, 2, 0)
    for layer in network.layers:
        paths = [ExactPath(layer.cell, p) for p in layer.directions]
        parts = [run_layer(p, x, active, np.zeros(x.shape[2], np.uint32), backward=d == 1) for d, p in enumerate(paths)]
        x = np.concatenate([p.outputs for p in parts], axis=1)
        endless = getattr(layer.cell, "unbounded", False)
        found.append(np.concatenate([x[t, :, :n].ravel() for t, n in enumerate(active)]) if endless else np.zeros(0))
    return found


def reach_notes(network: Network, sequences: SequenceSet) -> tuple[str, ...]:
    """How many outputs of layers that have no upper end in floating point lie beyond that of their ramp, if some do."""
    if not any(getattr(layer.cell, "unbounded", False) for layer in network.layers):
        return ()
    out = []
    for number, (layer, outputs) in enumerate(zip(network.layers, reach(network, sequences), strict=True)):
        if not outputs.size:
            continue
        end = layer.cell.state_range
        if share := float(np.mean(outputs > end * (1 + 1e-6))):
            out.append(
                f"layer {number}: {float(f'{100 * share:.2g}'):g} % of its ReLU states are beyond {end:.4g}, up to "
                f"{outputs.max():.4g}; there its ramp ends and clips them; import the network with a check on inputs like these"
            )
    return tuple(out)
