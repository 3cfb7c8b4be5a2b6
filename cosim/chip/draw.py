"""One chip: the effective weights of its arrays and the converters of its columns, drawn from a seed and the chip's number alone.

Each error source of each matrix has its own random stream, so that switching one on or off leaves the draws of the others alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from characterization.ramp_model import RampDraw, RampModel
from characterization.streams import ChipSource, chip_ramp_stream, chip_sequence
from cosim.network import Network
from cosim.network.cells import Cell, Gate, Matrix
from netlists.errors import InputError

from .converters import Converters
from .hardware import Hardware, quantized_activation
from .weights import effective_weights


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


def draw_chip(network: Network, hardware: Hardware, index: int, seed: int, dtype: type = np.float32) -> Chip:
    """Chip number ``index`` of a seed.

    Raises
    ------
    InputError
        An activation of the network without a ramp, draws with a number of columns or chips that does not fit.
    """
    ramps = _Ramps(network, hardware, index, seed)
    layers = []
    for depth, layer in enumerate(network.layers):
        below = hardware.pwm.input_range if hardware.pwm else 1.0
        if depth:
            below = _state_range(network.layers[depth - 1].cell, hardware)
        cells = [
            _draw_cell(layer.cell, parameters, hardware, _Draw(index, seed, depth, direction, dtype), ramps, below)
            for direction, parameters in enumerate(layer.directions)
        ]
        layers.append(tuple(cells))
    return Chip(index, seed, dtype, network, hardware, tuple(layers))


def _state_range(cell: Cell, hardware: Hardware) -> float:
    given = hardware.pwm.state_range if hardware.pwm else None
    return given or cell.state_range


@dataclass(frozen=True)
class _Draw:
    """Random streams of one direction of a layer."""

    index: int
    seed: int
    layer: int
    direction: int
    dtype: type

    def rng(self, matrix: int, source: ChipSource, part: int = 0) -> np.random.Generator:
        return np.random.default_rng(self._sequence(matrix, source, part))

    def keys(self, matrix: int, source: ChipSource, columns: int, part: int = 0) -> np.ndarray:
        # One pair more than the columns need, for banks that start at an odd column.
        return self._sequence(matrix, source, part).generate_state(2 * (columns // 2 + 2)).reshape(-1, 2)

    def _sequence(self, matrix: int, source: ChipSource, part: int) -> np.random.SeedSequence:
        return chip_sequence(self.seed, self.index, self.layer, self.direction, matrix, source, part)


class _Ramps:
    """The ramps of one chip, whose columns are given out in the network's order."""

    def __init__(self, network: Network, hardware: Hardware, index: int, seed: int) -> None:
        self.hardware = hardware
        self.used = dict.fromkeys(columns := _columns(network, hardware), 0)
        self.row: dict[str, int] = {}
        self.draws: dict[str, RampDraw | None] = {}
        for number, (activation, total) in enumerate(sorted(columns.items())):
            ramp = hardware.ramp(activation)
            if isinstance(ramp, RampModel):
                ramp = ramp.sample(1, total, chip_ramp_stream(seed, index, number))
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


def _columns(network: Network, hardware: Hardware) -> dict[str, int]:
    """Columns of each activation that a ramp converts; none if the hardware has no ramps."""
    out: dict[str, int] = {}
    if hardware.bits is None and hardware.ramps is None:
        return out
    for layer in network.layers:
        for _ in layer.directions:
            used = [(g.activation, m.width) for m in layer.cell.matrices if not m.digital for g in m.gates]
            if hardware.state_unit == "ramp":
                used += [(a, layer.cell.n_hidden) for a in layer.cell.digital_activations]
            for activation, width in used:
                out[activation] = out.get(activation, 0) + width
    return out


def _draw_cell(
    cell: Cell, parameters: dict[str, np.ndarray], hardware: Hardware, draw: _Draw, ramps: _Ramps, below: float
) -> ChipCell:
    matrices = {}
    for number, m in enumerate(cell.matrices):
        full = {name: below if name == "x" else _state_range(cell, hardware) for name, _ in m.parts}
        matrices[m.name] = _draw_matrix(m, number, parameters[m.name], hardware, draw, ramps, full)
    state_units = {}
    for number, activation in enumerate(cell.digital_activations):
        bank = _state_unit(activation, cell.n_hidden, len(cell.matrices) + number, hardware, draw, ramps)
        if bank is not None:
            state_units[activation] = bank
    return ChipCell(cell, matrices, state_units)


def _draw_matrix(
    m: Matrix,
    number: int,
    weights: np.ndarray,
    hardware: Hardware,
    draw: _Draw,
    ramps: _Ramps,
    full: dict[str, float],
) -> ChipMatrix:
    exact = tuple(Exact(m.columns(g.name), g) for g in m.gates)
    everything = slice(0, len(weights))
    if m.digital:
        linear = tuple(Exact(e.columns, Gate(e.gate.name, "identity")) for e in exact)
        return ChipMatrix(m, (ArraySum(everything, _transposed(weights, draw)),), linear, None)
    ranges = tuple(full[name] for name, _ in m.parts) if hardware.pwm else None
    if hardware.arrays is None:
        units = _units(m, number, exact, hardware, draw, ramps)
        return ChipMatrix(m, (ArraySum(everything, _transposed(weights, draw)),), units, ranges)
    row_scale = np.ones(len(weights))
    if ranges is not None:
        row_scale[: len(weights) - m.bias] = np.repeat(ranges, [n for _, n in m.parts])
    effective = effective_weights(weights, m.connected(), row_scale, hardware.arrays, draw.rng(number, ChipSource.DEVICE))
    apart = hardware.arrays.partial_sums == "digital" and len(effective.blocks) > 1
    sums = tuple(
        ArraySum(
            rows,
            _transposed(effective.weights[rows], draw),
            None if effective.read_variance is None else _transposed(effective.read_variance[rows], draw),
            draw.keys(number, ChipSource.READ, m.shape[1], part),
            _adc_bank(hardware, draw, number, part, m.shape[1]) if apart else None,
        )
        for part, rows in enumerate(effective.blocks if apart else [everything])
    )
    if apart:
        assert hardware.adc is not None
        return ChipMatrix(m, sums, tuple(Exact(e.columns, e.gate, hardware.adc.table_bits) for e in exact), ranges)
    return ChipMatrix(m, sums, _units(m, number, exact, hardware, draw, ramps), ranges)


def _transposed(weights: np.ndarray, draw: _Draw) -> np.ndarray:
    return np.ascontiguousarray(weights.T, draw.dtype)


def _units(
    m: Matrix, number: int, exact: tuple[Exact, ...], hardware: Hardware, draw: _Draw, ramps: _Ramps
) -> tuple[ConvertedColumns | Exact, ...]:
    """Converters of neighbouring gates joined into one bank; gates without a ramp by themselves."""
    if hardware.adc is None and not ramps.draws:
        return exact
    rng = draw.rng(number, ChipSource.THRESHOLD)
    offsets = draw.rng(number, ChipSource.ADC)
    keys = draw.keys(number, ChipSource.CONVERSION, m.shape[1])
    units: list[ConvertedColumns | Exact] = []
    run: list[tuple[slice, Converters]] = []

    def flush() -> None:
        if run:
            columns = slice(run[0][0].start, run[-1][0].stop)
            # Banks are at least a column apart, so that rounding up keeps their keys apart.
            units.append(ConvertedColumns(columns, Converters.join([b for _, b in run], keys[-(-columns.start // 2) :])))
            run.clear()

    for e in exact:
        if hardware.adc is not None:
            bank: Converters | None = _adc_gate(hardware, e.gate, m.width, offsets, rng, draw.dtype)
        else:
            bank = _ramp_gate(hardware, e.gate, m.width, ramps, rng, draw.dtype)
        if bank is None:
            flush()
            units.append(e)
        else:
            run.append((e.columns, bank))
    flush()
    return tuple(units)


def _ramp_gate(
    hardware: Hardware, gate: Gate, width: int, ramps: _Ramps, rng: np.random.Generator, dtype: type
) -> Converters | None:
    taken = ramps.take(gate.activation, width)
    if taken is None:
        return None
    ramp, thresholds = taken
    s = gate.full_scale
    thresholds = _with_noise(thresholds, np.maximum.accumulate(ramp.thresholds[0]), hardware, rng)
    sigma = ramp.noise_sigma * (s * hardware.read_gain)
    return Converters.build(s * thresholds, sigma, s * ramp.values, _NO_KEYS, dtype)


def _adc_gate(
    hardware: Hardware, gate: Gate, width: int, offsets: np.random.Generator, rng: np.random.Generator, dtype: type
) -> Converters:
    """A linear converter whose code addresses a table of the gate's activation."""
    adc = hardware.adc
    assert adc is not None
    gain = hardware.read_gain
    thresholds = adc.thresholds + adc.offset_sigma * offsets.standard_normal((width, 1))
    thresholds = gain * _with_noise(thresholds, adc.thresholds, hardware, rng)
    s = gate.full_scale
    values = s * quantized_activation(gate.activation, adc.table_bits, adc.inputs / s)
    return Converters.build(thresholds, np.array(gain * adc.noise_sigma), values, _NO_KEYS, dtype)


def _adc_bank(hardware: Hardware, draw: _Draw, number: int, part: int, columns: int) -> Converters:
    """Linear converters of one array of several, whose codes are added."""
    adc = hardware.adc
    assert adc is not None
    gain = hardware.read_gain
    thresholds = adc.thresholds + adc.offset_sigma * draw.rng(number, ChipSource.ADC, part).standard_normal((columns, 1))
    thresholds = gain * _with_noise(thresholds, adc.thresholds, hardware, draw.rng(number, ChipSource.THRESHOLD, part))
    keys = draw.keys(number, ChipSource.CONVERSION, columns, part)
    return Converters.build(thresholds, np.array(gain * adc.noise_sigma), adc.inputs, keys, draw.dtype)


def _state_unit(activation: str, width: int, number: int, hardware: Hardware, draw: _Draw, ramps: _Ramps) -> Converters | None:
    """Converters of an activation of digital values; None: exact."""
    keys = draw.keys(number, ChipSource.STATE, width)
    if hardware.state_unit == "ramp":
        bank = _ramp_gate(
            hardware, Gate(activation, activation), width, ramps, draw.rng(number, ChipSource.STATE_THRESHOLD), draw.dtype
        )
        return None if bank is None else Converters.join([bank], keys)
    if hardware.state_unit == "float":
        return None
    size = 2**hardware.state_bits
    levels = hardware.state_x_max * (2.0 * np.arange(1, size) / size - 1.0)
    middles = hardware.state_x_max * ((2.0 * np.arange(size) + 1.0) / size - 1.0)
    values = quantized_activation(activation, hardware.state_bits, middles)
    return Converters.build(np.repeat(levels[None], width, axis=0), np.zeros(()), values, keys, draw.dtype)


_NO_KEYS = np.zeros((0, 2), np.uint32)


def _with_noise(thresholds: np.ndarray, ideal: np.ndarray, hardware: Hardware, rng: np.random.Generator) -> np.ndarray:
    """Thresholds with an own error each, as large as the local step of the ramp says."""
    if hardware.threshold_noise == 0:
        return thresholds
    if len(ideal) < 2:
        raise InputError(f"threshold_noise={hardware.threshold_noise:g}: a ramp with one threshold has no step to scale it with")
    return thresholds + hardware.threshold_noise * np.gradient(ideal) * rng.standard_normal(thresholds.shape)
