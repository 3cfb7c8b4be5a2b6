"""The shape of a network as its cost sees it: rows, columns and ramps of each array, and the digital work of a time step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from cosim.chip import Arrays, MatrixPlace, PulseCount, PwmInputs, RowPulses, mapped_pairs, matrix_places
from cosim.network import DIRECTIONS, Network
from cosim.network.cells import LSTM, Cell
from netlists.checks import Count, Items, NonNegative, Positive, Share, Whole, checked
from netlists.errors import InputError

Amount = Annotated[int, Whole(0)]
MEAN_WEIGHT = 0.15
"""Mean magnitude of a weight as a part of the largest, where no weights are given. Assumption."""


@checked
@dataclass(frozen=True)
class RampUse:
    """How far the ramps of an array run at a step, on average; steps of the ramp, calibration aside.

    Attributes
    ----------
    steps : float
        Until the ramp of a column's tile stops, mean over the columns.
    last : float
        Until the last ramp of the array stops.
    clocked : float
        Until a column's clock stops, mean over the columns.
    charge : tuple of float
        Part of the charge of each ramp's cells, calibration included, in the order of the array's activations.
    """

    steps: NonNegative
    last: NonNegative
    clocked: NonNegative
    charge: tuple[Share, ...]


@checked
@dataclass(frozen=True)
class ArrayShape:
    """One weight matrix on the crossbar.

    Attributes
    ----------
    name : str
    rows, columns : int
        In weights: each is a pair of cells.
    absent : int
        Crossings of the matrix that have no weight, and no cells: of a diagonal part, or between a part and a gate that does not
        take it. Their area stays.
    activations : tuple of str
        What its ramps follow: so many ramp columns an array takes.
    mean_weight : float
        Mean magnitude over all crossings, 0 where no weight is, as a part of the weight that takes the whole conductance range.
    weight_range : float or None
        Weight that takes the whole conductance range; None: the design's.
    wire_gain : float
        Loss in the wires that C_f makes good (`netlists.array.wire_loss`).
    full_scales : tuple of float
        Pre-activation that is one unit of each ramp; empty: 1.
    bias_rows : int
        How many of the rows share the bias, and are one weight a column.
    pulses : RowPulses or None
        What drives the rows, counted; None: every row, with the design's mean input.
    use : RampUse or None
        How far the ramps run, counted; None: all steps.
    """

    name: str
    rows: Count
    columns: Count
    activations: Annotated[tuple[str, ...], Items(1)] = ("sigmoid", "tanh")
    mean_weight: Share = MEAN_WEIGHT
    weight_range: Positive | None = None
    wire_gain: Positive = 1.0
    full_scales: tuple[Positive, ...] = ()
    bias_rows: Count = 1
    pulses: RowPulses | None = None
    use: RampUse | None = None
    absent: Amount = 0

    def __post_init__(self) -> None:
        if self.absent >= self.rows * self.columns:
            raise InputError(f"absent={self.absent}: must be below the {self.rows * self.columns} crossings of array {self.name!r}")

    @property
    def weights(self) -> int:
        """Weights of the matrix; a bias that rows share is one."""
        return (self.rows - self.bias_rows + 1) * self.columns - self.absent

    @property
    def pairs(self) -> int:
        """Pairs of cells."""
        return self.rows * self.columns - self.absent

    @property
    def filled(self) -> float:
        """Part of the crossings that have cells."""
        return self.pairs / (self.rows * self.columns)


@checked
@dataclass(frozen=True)
class DigitalWork:
    """What a time step leaves to the digital part.

    Attributes
    ----------
    units : int
        Hidden units; they are computed ``Design.lanes`` at a time.
    multiplications, additions, activations, words : int
        Products, sums, activations of digital values (such as tanh(c)), and words of state that are read and written.
    """

    units: Amount = 0
    multiplications: Amount = 0
    additions: Amount = 0
    activations: Amount = 0
    words: Amount = 0

    def __add__(self, other: DigitalWork) -> DigitalWork:
        return DigitalWork(*(getattr(self, n) + getattr(other, n) for n in self.__dataclass_fields__))


NO_WORK = DigitalWork()


@checked
@dataclass(frozen=True)
class NetworkShape:
    """Arrays that are used one after the other in each time step, and digital work.

    Attributes
    ----------
    arrays : tuple of ArrayShape
    digital : DigitalWork
        Of a time step.
    steps : int
        Time steps of an inference.
    readout : DigitalWork
        After the last step, once an inference.
    """

    arrays: Annotated[tuple[ArrayShape, ...], Items(1)]
    digital: DigitalWork = NO_WORK
    steps: Count = 1
    readout: DigitalWork = NO_WORK

    def __repr__(self) -> str:
        arrays = ", ".join(f"{a.name} {a.rows} x {a.columns}" for a in self.arrays)
        return f"NetworkShape({arrays}, {self.steps} steps)"

    @property
    def weights(self) -> int:
        """Weights on the arrays."""
        return sum(a.weights for a in self.arrays)

    @property
    def operations(self) -> int:
        """Operations of a time step: a multiplication and an addition for each weight, as Table 1 counts them."""
        return 2 * self.weights

    @classmethod
    def of(
        cls,
        network: Network,
        steps: int,
        arrays: Arrays | None = None,
        pwm: PwmInputs | None = None,
        count: PulseCount | None = None,
        *,
        delta: bool = False,
    ) -> NetworkShape:
        """Shape of a network with its weights' magnitudes; ``steps`` time steps an inference.

        Parameters
        ----------
        arrays : Arrays, optional
            Pairs of rows that it lies on: the shape has the rows that share its bias, the loss in the wires that C_f makes good,
            and each matrix's own range. None: a weight is a pair of ideal wires in the design's range.
        pwm : PwmInputs, optional
            Inputs that take the longest pulse; their rows hold the weight times them.
        count : PulseCount, optional
            Pulses that `cosim.evaluation.evaluate` counted. None: the design's mean input on every row.
        delta : bool
            Whether those pulses are differences.

        Raises
        ------
        InputError
            A kind of cell whose digital work is not known here.
        """
        shapes, digital = [], NO_WORK
        for i, layer in enumerate(network.layers):
            for direction, weights in zip(DIRECTIONS, layer.directions, strict=False):
                where = f", {direction}" if layer.backward is not None else ""
                shapes += _arrays(layer.cell, f"layer {i}{where}: ", weights)
                digital += digital_work(layer.cell)
        if network.scaling is not None:
            digital += DigitalWork(multiplications=network.n_in, additions=network.n_in)
        if arrays is not None or pwm is not None or count is not None:
            placed = list(zip(shapes, matrix_places(network, pwm), strict=True))
            shapes = [_scaled(shape, at) if arrays is None else _mapped(shape, at, arrays) for shape, at in placed]
            if count is not None:
                pulses = [count.of(at.key, delta=delta, bias_rows=s.bias_rows) for s, (_, at) in zip(shapes, placed, strict=True)]
                shapes = [replace(shape, pulses=one) for shape, one in zip(shapes, pulses, strict=True)]
        product = NO_WORK
        dense = [*((h.weights, h.activation != "linear") for h in network.hidden), (network.readout, False)]
        for matrix, active in dense:
            rows, units = matrix.shape
            product += DigitalWork(units, (rows - 1) * units, (rows - 1) * units, units * active)
        # A network that reads symbols answers at every step.
        if network.embedding is not None:
            return cls(tuple(shapes), digital + product, steps)
        return cls(tuple(shapes), digital, steps, product)


def lstm_shape(
    n_in: int,
    n_hidden: int,
    *,
    bias: bool = True,
    n_projection: int | None = None,
    on_array: bool = False,
    steps: int = 1,
    mean_weight: float = MEAN_WEIGHT,
) -> NetworkShape:
    """One LSTM layer without readout.

    Parameters
    ----------
    bias : bool
        Whether a row of the array drives biases.
    n_projection : int, optional
        Rows of the output's projection; ``on_array`` puts it on a second array with linear ramps, else it is digital.

    Raises
    ------
    InputError
        Sizes that cannot be.
    """
    cell = LSTM(n_in, n_hidden, n_projection=n_projection, projection_full_scale=1.0 if n_projection and on_array else None)
    return NetworkShape(tuple(_arrays(cell, "", mean_weight, bias=bias)), digital_work(cell), steps)


def digital_work(cell: Cell) -> DigitalWork:
    """Digital work of one step of a cell, from its equations.

    Per unit: LSTM ``c = f c + i a``, ``h = o tanh(c)``: 3 products, 1 sum, 1 activation. GRU ``h = n + z (h - n)``: 1 product,
    2 sums, and for the reset gate 1 product, with ``reset="after"`` also 1 sum and a digital tanh. Words: states and gates.

    Raises
    ------
    InputError
        Other kinds of cell.
    """
    n, gates = cell.n_hidden, sum(m.shape[1] for m in cell.matrices if not m.digital)
    words = gates + 2 * sum(cell.state_sizes.values())
    if cell.kind in ("lstm", "diagonal-lstm"):
        per_unit, activations = (3, 1), n
    elif cell.kind in ("gru", "diagonal-gru"):
        after = getattr(cell, "reset", "") == "after"
        per_unit, activations = (2, 2 + after), n * after
    elif cell.kind == "vanilla":
        per_unit, activations = (0, 0), 0
    else:
        raise InputError(f"cell {cell.kind!r}: its digital work is not known here; known are lstm, gru, vanilla and diagonal ones")
    product = sum(m.shape[0] * m.shape[1] for m in cell.matrices if m.digital)
    return DigitalWork(n, per_unit[0] * n + product, per_unit[1] * n + product, activations, words)


def _arrays(cell: Cell, prefix: str, weights: Mapping[str, np.ndarray] | float, *, bias: bool = True) -> list[ArrayShape]:
    """Arrays of a cell; ``weights`` are its matrices or their mean magnitude."""
    out = []
    for m in cell.matrices:
        if not m.digital:
            mean = _mean_magnitude(weights[m.name]) if isinstance(weights, Mapping) else weights
            activations, scales = zip(*dict.fromkeys((g.activation, g.full_scale) for g in m.gates), strict=True)
            rows = m.shape[0] - (m.bias and not bias)
            absent = int((~m.connected()).sum())
            out.append(ArrayShape(prefix + m.name, rows, m.shape[1], activations, mean, full_scales=scales, absent=absent))
    return out


def _scaled(shape: ArrayShape, at: MatrixPlace) -> ArrayShape:
    """The shape of a matrix whose rows hold its weights times the inputs that take the longest pulse."""
    return replace(shape, mean_weight=_mean_magnitude(at.weights * at.row_scale[:, None]))


def _mapped(shape: ArrayShape, at: MatrixPlace, arrays: Arrays) -> ArrayShape:
    """The shape of a matrix as its cells are to be programmed."""
    mapped, span = mapped_pairs(at, arrays), arrays.profile.g_max - arrays.profile.g_min
    rows = len(mapped.conductance) // 2
    full = span / (mapped.scale * mapped.gain)
    shared = rows - shape.rows + 1
    here = replace(shape, rows=rows, bias_rows=shared, weight_range=full, wire_gain=mapped.gain)
    # Crossings without cells load nothing.
    mean = (float(mapped.load.mean()) / rows - 2 * arrays.profile.g_min * here.filled) / span
    return replace(here, mean_weight=max(mean, 0.0))


def _mean_magnitude(weights: np.ndarray) -> float:
    w = np.abs(weights)
    return float(w.mean() / (w.max() or 1.0))
