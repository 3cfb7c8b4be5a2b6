"""Rows of a network that was trained without a crossbar in mind: inputs scaled, large weights spread over rows driven alike."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cosim.network import Layer, Network
from cosim.tasks import SequenceSet
from netlists.errors import InputError


@dataclass(frozen=True, eq=False)
class Placement:
    """A network that gives the same scores on the same sequences, on rows that pulses can drive.

    Attributes
    ----------
    network : Network
    data : SequenceSet
        Its inputs, a column a row.
    rows : ndarray of int (features,)
        Rows that share each feature.
    bias_rows : int
        Rows that the bias needs, as `Arrays` takes them.
    """

    network: Network
    data: SequenceSet
    rows: np.ndarray
    bias_rows: int


RANGE = 4.0
"""Input that takes the longest pulse: the default of `cosim.chip.PwmInputs`."""


def place_rows(network: Network, data: SequenceSet, *, deviations: float, largest: float) -> Placement:
    """Scales features to the pulses, and spreads weights larger than ``largest`` over several rows.

    A cell holds a weight times the input that takes the longest pulse. One large row would set the conductance scale of all cells,
    and their errors would weigh as much more; k rows of one k-th each, driven by the same pulse, do not. In floating point
    nothing changes.

    Parameters
    ----------
    deviations : float
        Standard deviations of a feature, over the steps of ``data``, that take the longest pulse; more is clipped.
    largest : float
        Weight times input that a cell holds at most.

    Raises
    ------
    InputError
        A network of more than one layer, or that scales its inputs itself.
    """
    if len(network.layers) != 1 or network.bidirectional or network.scaling is not None:
        raise InputError("network: rows are placed for one layer in one direction that takes its inputs as they are")
    network.check(data)
    layer = network.layers[0]
    weights = layer.forward["weights"]
    n = network.n_in
    frames = data.inputs[np.arange(data.inputs.shape[1]) < data.lengths[:, None]]
    mean, deviation = frames.mean(axis=0), frames.std(axis=0)
    unit = np.where(deviation > 0, deviation, 1.0) * deviations / RANGE
    inputs = weights[:n] * unit[:, None]
    bias = weights[-1] + mean @ weights[:n]
    rows = np.maximum(np.ceil(RANGE * np.abs(inputs).max(axis=1) / largest), 1).astype(int)
    spread = np.repeat(inputs / rows[:, None], rows, axis=0)
    placed = Layer(replace(layer.cell, n_in=len(spread)), {"weights": np.vstack([spread, weights[n:-1], bias])})
    scaled = np.repeat((data.inputs - mean) / unit, rows, axis=2)
    return Placement(
        network.with_layers((placed,)),
        SequenceSet(scaled, data.lengths, data.labels),
        rows,
        max(int(np.ceil(np.abs(bias).max() / largest)), 1),
    )
