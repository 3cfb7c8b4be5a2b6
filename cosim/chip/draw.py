"""Builds chips of a network: effective weights and converters of the columns, from a seed and the chip's number alone.

`draw_chip` goes through layers, directions and matrices; what each of them becomes say `ChipParts`. `DrawnParts` draws what the
hardware describes, each error source of each matrix from its own random stream, so that switching one on or off leaves the draws
of the others alone. A budget and a loop with ngspice put in parts of their own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

import numpy as np

from characterization.ramp_model import RampDraw, RampModel
from characterization.streams import ChipSource, chip_ramp_stream, chip_sequence
from cosim.network import Network
from cosim.network.cells import Cell, Gate, Matrix
from netlists.array import Pwm
from netlists.errors import InputError
from netlists.ramp import RampProgram, program_ramp
from netlists.technology import RampCircuit
from netlists.technology.noise import OPAMP_NOISE, ROOM

from .conditions import models_of
from .converters import NO_KEYS, Converters
from .hardware import Hardware, LinearAdc, quantized_activation
from .mapping import MatrixPlace, cell_places, converted_columns, integrator_noise
from .weights import EffectiveWeights, effective_weights, row_blocks


@dataclass(frozen=True, eq=False)
class ConvertedColumns:
    """Columns that go through converters."""

    columns: slice
    bank: Converters


@dataclass(frozen=True, eq=False)
class Exact:
    """Columns of one gate whose activation is computed: exactly, or rounded to ``bits``."""

    columns: slice
    gate: Gate
    bits: int | None = None

    def compute(self, z: np.ndarray) -> np.ndarray:
        if self.bits is None:
            return self.gate.exact(z)
        s = z.dtype.type(self.gate.full_scale)
        return s * quantized_activation(self.gate.activation, self.bits, z / s)


@dataclass(frozen=True, eq=False)
class ArraySum:
    """The sums of the rows of one array, or of all.

    Attributes
    ----------
    rows : slice
    weights : ndarray (columns, rows)
        Transposed.
    read_variance : ndarray (columns, rows) or None
        Variance of each weight from one conversion to the next.
    read_keys : ndarray of uint32
    bank : Converters or None
        Linear converters of this array alone; None if sums are converted once.
    """

    rows: slice
    weights: np.ndarray
    read_variance: np.ndarray | None = None
    read_keys: np.ndarray | None = None
    bank: Converters | None = None


@dataclass(frozen=True, eq=False)
class ChipMatrix:
    """A matrix on a chip.

    Attributes
    ----------
    matrix : Matrix
    sums : tuple of ArraySum
        One for all rows, or one for each array whose sum is converted by itself.
    units : tuple of ConvertedColumns or Exact
        What turns the columns' sums into outputs.
    ranges : tuple of float or None
        Full scale of the pulse widths of each part; None: not rounded.
    """

    matrix: Matrix
    sums: tuple[ArraySum, ...]
    units: tuple[ConvertedColumns | Exact, ...]
    ranges: tuple[float, ...] | None


@dataclass(frozen=True, eq=False)
class ChipCell:
    """One direction of a layer on a chip; ``state_units`` holds the converters of activations of digital values."""

    cell: Cell
    matrices: dict[str, ChipMatrix]
    state_units: dict[str, Converters]


@dataclass(frozen=True, eq=False)
class Chip:
    """All layers of a network on one chip."""

    index: int
    seed: int
    dtype: type
    network: Network
    hardware: Hardware
    layers: tuple[tuple[ChipCell, ...], ...]


class ChipParts(ABC):
    """What the matrices of one chip become."""

    @abstractmethod
    def weights(self, at: MatrixPlace) -> EffectiveWeights:
        """What the columns of a matrix compute instead of the weights they were given."""

    @abstractmethod
    def units(self, at: MatrixPlace) -> tuple[ConvertedColumns | Exact, ...]:
        """What turns the columns' sums into outputs."""

    def read_keys(self, at: MatrixPlace, part: int) -> np.ndarray:
        """Keys of the noise of the sums of one array, uint32 (pairs of columns, 2)."""
        return NO_KEYS

    def array_bank(self, at: MatrixPlace, part: int) -> Converters | None:
        """Linear converters of one array alone; None if the sums of all arrays are converted once."""
        return None

    def state_units(self, cell: Cell, layer: int, direction: int) -> dict[str, Converters]:
        """Converters of activations of digital values, by activation; those that are not there are exact."""
        return {}


def draw_chip(
    network: Network, hardware: Hardware, index: int, seed: int, dtype: type = np.float32, parts: ChipParts | None = None
) -> Chip:
    """Chip number ``index`` of a seed.

    Parameters
    ----------
    parts : ChipParts or None
        None: drawn as the hardware says.

    Raises
    ------
    InputError
        An activation of the network without a ramp, draws with a number of columns or chips that does not fit.
    """
    parts = parts or DrawnParts(network, hardware, index, seed, dtype)
    layers = []
    for depth, layer in enumerate(network.layers):
        cells = []
        for direction in range(len(layer.directions)):
            places = cell_places(network, depth, direction, hardware.pwm)
            matrices = {at.matrix.name: _chip_matrix(at, parts, dtype) for at in places}
            cells.append(ChipCell(layer.cell, matrices, parts.state_units(layer.cell, depth, direction)))
        layers.append(tuple(cells))
    return Chip(index, seed, dtype, network, hardware, tuple(layers))


def _chip_matrix(at: MatrixPlace, parts: ChipParts, dtype: type) -> ChipMatrix:
    def transposed(weights: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(weights.T, dtype)

    everything = slice(0, len(at.weights))
    if at.matrix.digital:
        linear = tuple(Exact(columns, Gate(gate.name, "identity")) for columns, gate in at.gates)
        return ChipMatrix(at.matrix, (ArraySum(everything, transposed(at.weights)),), linear, None)
    effective = parts.weights(at)
    banks = [parts.array_bank(at, part) for part in range(len(effective.blocks))]
    apart = any(b is not None for b in banks)
    sums = []
    for part, rows in enumerate(effective.blocks if apart else [everything]):
        weights = transposed(effective.weights[rows])
        if effective.read_variance is None:
            sums.append(ArraySum(rows, weights, bank=banks[part]))
        else:
            variance = transposed(effective.read_variance[rows])
            sums.append(ArraySum(rows, weights, variance, parts.read_keys(at, part), banks[part]))
    return ChipMatrix(at.matrix, tuple(sums), parts.units(at), at.ranges)


class DrawnParts(ChipParts):
    """The parts that a hardware describes, drawn for one chip; `ChipParts` in the network's order."""

    def __init__(self, network: Network, hardware: Hardware, index: int, seed: int, dtype: type) -> None:
        self.hardware, self.index, self.seed, self.dtype = hardware, index, seed, dtype
        self._ramps = _Ramps(network, hardware, index, seed)

    def weights(self, at: MatrixPlace) -> EffectiveWeights:
        if self.hardware.arrays is None:
            return EffectiveWeights(at.weights, (slice(0, len(at.weights)),), None)
        rng = self._rng(at, ChipSource.DEVICE)
        drawn = effective_weights(at.weights, at.matrix.connected(), at.row_scale, self.hardware.arrays, rng)
        return self._with_circuit_noise(at, drawn) if self.hardware.circuit_noise else drawn

    def _with_circuit_noise(self, at: MatrixPlace, drawn: EffectiveWeights) -> EffectiveWeights:
        """With the noise of the columns' integrators on the bias row, which is always driven with 1."""
        h = self.hardware
        assert h.arrays is not None
        assert h.pwm is not None
        if not at.matrix.bias:
            raise InputError(f"circuit_noise: matrix {at.matrix.name} has no bias row, on which it would be drawn")
        models = models_of(h.ramps)
        circuit = next(iter(models.values())).ramp_plan.circuit if models else RampCircuit()
        cells, bits = h.arrays.profile, h.bits or max((r.bits for r in (h.ramps or {}).values() if r is not None), default=5)

        def program(activation: str) -> RampProgram:
            return models[activation].program if activation in models else program_ramp(activation, min(bits, 8), cells)

        sigma = integrator_noise(
            at, h.arrays, program, circuit, Pwm(n_in=h.pwm.bits), opamp=OPAMP_NOISE, temperature=ROOM, decided=models
        )
        variance = np.zeros(drawn.weights.shape) if drawn.read_variance is None else drawn.read_variance.copy()
        variance[-1] += sigma**2
        return replace(drawn, read_variance=variance)

    def read_keys(self, at: MatrixPlace, part: int) -> np.ndarray:
        return self._keys(at, ChipSource.READ, at.matrix.shape[1], part)

    def array_bank(self, at: MatrixPlace, part: int) -> Converters | None:
        if not self._apart(at):
            return None
        assert self.hardware.adc is not None
        columns = at.matrix.shape[1]
        offsets, rng = self._rng(at, ChipSource.ADC, part), self._rng(at, ChipSource.THRESHOLD, part)
        keys = self._keys(at, ChipSource.CONVERSION, columns, part)
        return self._linear(self.hardware.adc, columns, offsets, rng, self.hardware.adc.inputs, keys)

    def units(self, at: MatrixPlace) -> tuple[ConvertedColumns | Exact, ...]:
        """Converters of neighbouring gates joined into one bank; gates without a ramp by themselves."""
        if self._apart(at):
            assert self.hardware.adc is not None
            return tuple(Exact(columns, gate, self.hardware.adc.table_bits) for columns, gate in at.gates)
        if self.hardware.adc is None and not self._ramps.draws:
            return tuple(Exact(columns, gate) for columns, gate in at.gates)
        rng, offsets = self._rng(at, ChipSource.THRESHOLD), self._rng(at, ChipSource.ADC)
        keys = self._keys(at, ChipSource.CONVERSION, at.matrix.shape[1])
        units: list[ConvertedColumns | Exact] = []
        run: list[tuple[slice, Converters]] = []

        def flush() -> None:
            if run:
                columns = slice(run[0][0].start, run[-1][0].stop)
                # Banks are at least a column apart, so that rounding up keeps their keys apart.
                units.append(ConvertedColumns(columns, Converters.join([b for _, b in run], keys[-(-columns.start // 2) :])))
                run.clear()

        for columns, gate in at.gates:
            bank = self._gate(at, gate, offsets, rng)
            if bank is None:
                flush()
                units.append(Exact(columns, gate))
            else:
                run.append((columns, bank))
        flush()
        return tuple(units)

    def state_units(self, cell: Cell, layer: int, direction: int) -> dict[str, Converters]:
        out = {}
        for n, activation in enumerate(cell.digital_activations):
            bank = self._state_unit(activation, cell.n_hidden, (layer, direction, len(cell.matrices) + n))
            if bank is not None:
                out[activation] = bank
        return out

    def _state_unit(self, activation: str, width: int, place: tuple[int, int, int]) -> Converters | None:
        h = self.hardware
        if h.state_unit == "float":
            return None
        keys = noise_keys(self._sequence(place, ChipSource.STATE, 0), width)
        if h.state_unit == "ramp":
            rng = np.random.default_rng(self._sequence(place, ChipSource.STATE_THRESHOLD, 0))
            bank = self._ramp(Gate(activation, activation), width, rng, place, ChipSource.STATE_SHARED)
            return None if bank is None else Converters.join([bank], keys)
        size = 2**h.state_bits
        levels = h.state_x_max * (2.0 * np.arange(1, size) / size - 1.0)
        middles = h.state_x_max * ((2.0 * np.arange(size) + 1.0) / size - 1.0)
        values = quantized_activation(activation, h.state_bits, middles)
        return Converters.build(np.repeat(levels[None], width, axis=0), np.zeros(()), values, keys, self.dtype)

    def _apart(self, at: MatrixPlace) -> bool:
        """Whether each array of a matrix has converters of its own."""
        arrays = self.hardware.arrays
        if arrays is None or arrays.partial_sums == "charge":
            return False
        return len(row_blocks(len(at.weights), arrays)) > 1

    def _gate(self, at: MatrixPlace, gate: Gate, offsets: np.random.Generator, rng: np.random.Generator) -> Converters | None:
        """Converters of a gate; a linear converter's code addresses a table of its activation. None: exact."""
        adc, width = self.hardware.adc, at.matrix.width
        if adc is None:
            return self._ramp(gate, width, rng, (at.layer, at.direction, at.number), ChipSource.SHARED)
        s = gate.full_scale
        values = s * quantized_activation(gate.activation, adc.table_bits, adc.inputs / s)
        return self._linear(adc, width, offsets, rng, values, NO_KEYS)

    def _ramp(
        self, gate: Gate, width: int, rng: np.random.Generator, place: tuple[int, int, int], shared: ChipSource
    ) -> Converters | None:
        """Columns of a gate; those of all gates of a matrix that take the same ramp see the same noise of it."""
        taken = self._ramps.take(gate.activation, width)
        if taken is None:
            return None
        ramp, thresholds = taken
        s = gate.full_scale
        thresholds = self._with_noise(thresholds, np.maximum.accumulate(ramp.thresholds[0]), rng)
        size = s * self.hardware.read_gain
        key = noise_keys(self._sequence(place, shared, self._ramps.number(gate.activation)), 1)[0]
        return Converters.build(
            s * thresholds,
            ramp.own_sigma * size,
            s * ramp.values,
            NO_KEYS,
            self.dtype,
            shared=ramp.shared_sigma * size,
            ramp_key=key,
        )

    def _linear(
        self,
        adc: LinearAdc,
        columns: int,
        offsets: np.random.Generator,
        rng: np.random.Generator,
        values: np.ndarray,
        keys: np.ndarray,
    ) -> Converters:
        gain = self.hardware.read_gain
        thresholds = adc.thresholds + adc.offset_sigma * offsets.standard_normal((columns, 1))
        thresholds = gain * self._with_noise(thresholds, adc.thresholds, rng)
        return Converters.build(thresholds, np.array(gain * adc.noise_sigma), values, keys, self.dtype)

    def _with_noise(self, thresholds: np.ndarray, ideal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Thresholds with an own error each, as large as the local step of the ramp says."""
        sigma = self.hardware.threshold_noise
        if sigma == 0:
            return thresholds
        if len(ideal) < 2:
            raise InputError(f"threshold_noise={sigma:g}: a ramp with one threshold has no step to scale it with")
        return thresholds + sigma * np.gradient(ideal) * rng.standard_normal(thresholds.shape)

    def _rng(self, at: MatrixPlace, source: ChipSource, part: int = 0) -> np.random.Generator:
        return np.random.default_rng(self._sequence((at.layer, at.direction, at.number), source, part))

    def _keys(self, at: MatrixPlace, source: ChipSource, columns: int, part: int = 0) -> np.ndarray:
        return noise_keys(self._sequence((at.layer, at.direction, at.number), source, part), columns)

    def _sequence(self, place: tuple[int, int, int], source: ChipSource, part: int) -> np.random.SeedSequence:
        return chip_sequence(self.seed, self.index, *place, source, part)


def noise_keys(sequence: np.random.SeedSequence, columns: int) -> np.ndarray:
    """Keys of the noise of so many columns, uint32 (pairs, 2): one pair more than they need, for banks that start at an odd one."""
    return sequence.generate_state(2 * (columns // 2 + 2)).reshape(-1, 2)


class _Ramps:
    """The ramps of one chip, whose columns are given out in the network's order."""

    def __init__(self, network: Network, hardware: Hardware, index: int, seed: int) -> None:
        self.hardware = hardware
        self.used = dict.fromkeys(columns := converted_columns(network, hardware), 0)
        self.row: dict[str, int] = {}
        self.draws: dict[str, RampDraw | None] = {}
        for number, (activation, total) in enumerate(sorted(columns.items())):
            ramp = hardware.ramp(activation)
            if isinstance(ramp, RampModel):
                ramp = ramp.sample(1, total, chip_ramp_stream(seed, index, number), drift_time=hardware.ramp_drift(ramp))
                self.row[activation] = 0
            elif ramp is not None:
                given = ramp.column_offset.shape[1]
                if given not in (1, total):
                    raise InputError(
                        f"{activation}: column_offset has {given} columns, this network has {total} (or give 1 for all)"
                    )
                if ramp.n_chips > 1 and index >= ramp.n_chips:
                    raise InputError(f"chips: {index} is not among the {ramp.n_chips} drawn chips, 0..{ramp.n_chips - 1}")
                self.row[activation] = 0 if ramp.n_chips == 1 else index
            self.draws[activation] = ramp

    def number(self, activation: str) -> int:
        """Number of a ramp: that of its activation in alphabetical order."""
        return sorted(self.draws).index(activation)

    def take(self, activation: str, columns: int) -> tuple[RampDraw, np.ndarray] | None:
        """The ramp and the thresholds (columns, levels) of the next columns, offsets included; None for exact."""
        draw = self.draws[activation]
        start = self.used[activation]
        self.used[activation] += columns
        if draw is None:
            return None
        row = self.row[activation]
        offset = draw.column_offset[row]
        own = np.repeat(offset, columns) if len(offset) == 1 else offset[start : start + columns]
        return draw, draw.thresholds[row] + self.hardware.read_gain * own[:, None]
