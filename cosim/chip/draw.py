"""Builds chips of a network: effective weights and converters of the columns, from a seed and the chip's number alone.

`draw_chip` goes through layers, directions and matrices; what each of them becomes say `ChipParts`. `DrawnParts` draws what the
hardware describes, each error source of each matrix from its own random stream, so that switching one on or off leaves the draws
of the others alone. Evaluation, budget, search and training have these chips; a loop with ngspice has the same cells and offsets,
and measures the levels.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from characterization.chips import POINT, TRIM_NUMBERS, error_at, trimmed
from characterization.plan import RampPlan
from characterization.ramp_model import RampDraw, RampModel
from characterization.streams import ChipSource, chip_ramp_stream, chip_sequence
from cosim.network import Network
from cosim.network.cells import Cell, Gate, Matrix
from netlists.errors import InputError

from .circuit_ramps import CircuitRamp, check_own_ramps, own_circuit
from .column_effects import late_columns
from .converters import NO_KEYS, Converters
from .drawn_columns import DrawnColumns
from .hardware import Hardware, LinearAdc, quantized_activation
from .mapping import (
    MatrixPlace,
    cell_places,
    converted_columns,
    integrator_gains,
    integrator_noise,
    integrator_shifts,
    matrix_places,
)
from .units import ConvertedColumns, Exact, UnquantizedColumns
from .weights import EffectiveWeights, effective_weights, row_blocks

OWN_RAMPS = 64
"""Number of the first ramp of a gate of its own, in the order of their names; those of activations are counted from 0."""


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
    thresholds : tuple of float or None
        Change from which on a row of each part is driven; None: rows are driven at every step.
    """

    matrix: Matrix
    sums: tuple[ArraySum, ...]
    units: tuple[ConvertedColumns | Exact, ...]
    ranges: tuple[float, ...] | None
    thresholds: tuple[float, ...] | None = None


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
            matrices = {at.matrix.name: _chip_matrix(at, parts, dtype, hardware) for at in places}
            cells.append(ChipCell(layer.cell, matrices, parts.state_units(layer.cell, depth, direction)))
        layers.append(tuple(cells))
    return Chip(index, seed, dtype, network, hardware, tuple(layers))


def _chip_matrix(at: MatrixPlace, parts: ChipParts, dtype: type, hardware: Hardware) -> ChipMatrix:
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
    return ChipMatrix(at.matrix, tuple(sums), parts.units(at), at.ranges, _thresholds(at, hardware))


def _thresholds(at: MatrixPlace, hardware: Hardware) -> tuple[float, ...] | None:
    """Change from which on a row of each part is driven."""
    if (delta := hardware.delta) is None:
        return None
    names, codes = [name for name, _ in at.matrix.parts], 0 if hardware.pwm is None else hardware.pwm.max_code
    if at.ranges is None or not codes:
        return tuple(delta.of(name, at.layer) for name in names)
    return tuple(delta.within(name, at.layer, full, codes) for name, full in zip(names, at.ranges, strict=True))


class DrawnParts(ChipParts):
    """The parts that a hardware describes, drawn for one chip; `ChipParts` in the network's order."""

    def __init__(self, network: Network, hardware: Hardware, index: int, seed: int, dtype: type) -> None:
        self.hardware, self.index, self.seed, self.dtype = hardware, index, seed, dtype
        self._ramps = _Ramps(network, hardware, index, seed)
        self._faster: dict[str, float] = {}
        if (op_amps := hardware.integrators) is not None and op_amps.faster:
            keys = [at.key for at in matrix_places(network, hardware.pwm)]
            if len(keys) != len(op_amps.faster):
                raise InputError(f"faster: has {len(op_amps.faster)} numbers, the network {len(keys)} matrices on arrays")
            self._faster = dict(zip(keys, op_amps.faster, strict=True))

    def weights(self, at: MatrixPlace) -> EffectiveWeights:
        effective = self.cells(at)
        gain = integrator_gains(at, self.hardware, self._faster.get(at.key, 1.0), self.arrives(at))
        noise = np.hypot(self._unquantized_noise(at), integrator_noise(at, self.hardware))
        if np.any(noise) and not at.matrix.bias:
            raise InputError(
                f"quantized=False, opamp_noise: matrix {at.key} has no bias whose row could carry the noise; leave it away"
            )
        if np.all(gain == 1) and not np.any(noise):
            return effective
        variance = None if effective.read_variance is None else effective.read_variance * gain**2
        if np.any(noise):
            variance = np.zeros(at.weights.shape) if variance is None else variance
            # The row of the bias is always driven with 1.
            variance[-1] += noise**2
        return EffectiveWeights(effective.weights * gain, effective.blocks, variance)

    def cells(self, at: MatrixPlace) -> EffectiveWeights:
        """What the drawn cells of a matrix compute, integrators aside."""
        if self.hardware.arrays is None:
            return EffectiveWeights(at.weights, (slice(0, len(at.weights)),), None)
        rng, arrays = self._rng(at, ChipSource.DEVICE), self.hardware.arrays
        bias, arrives = at.matrix.bias, self.arrives(at)
        return effective_weights(at.weights, at.matrix.connected(), at.row_scale, arrays, rng, bias=bias, arrives=arrives)

    def arrives(self, at: MatrixPlace) -> np.ndarray | None:
        """Part of each cell that arrives behind the wires, where it is known; None: the arrays are solved."""
        return None

    def _unquantized_noise(self, at: MatrixPlace) -> np.ndarray:
        """Rms noise of decisions by ramps without steps, whose converters have none, shape (columns,), units."""
        out = np.zeros(at.matrix.shape[1])
        _, stored = integrator_shifts(at, self.hardware, out)
        for columns, gate in at.gates:
            ramp = self._ramps.circuit(at, gate)
            if ramp is not None and not ramp.quantized:
                out[columns] = gate.full_scale * np.hypot(np.sqrt(np.mean(ramp.noise_sigma**2)), stored[columns])
        return out

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

        own, noise = self._column_shifts(at)
        blocks = self._fitted_columns(at)
        trim = self._rng(at, ChipSource.TRIM).uniform(size=(len(own), TRIM_NUMBERS))
        for columns, gate in at.gates:
            shifted = OwnColumns(columns, own[columns], noise[columns], trim[columns])
            bank = self._gate(at, gate, shifted, offsets, rng, blocks)
            if isinstance(bank, Exact):
                flush()
                units.append(bank)
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
            gate = Gate(activation, activation)
            own = np.zeros(width)
            if (circuit := self._ramps.circuits.get(activation)) is not None:
                normal = np.random.default_rng(self._sequence(place, ChipSource.OFFSET, 0)).standard_normal(width)
                own = column_offsets(circuit, normal) / circuit.volts_per_unit
            trim = np.random.default_rng(self._sequence(place, ChipSource.TRIM, 0)).uniform(size=(width, TRIM_NUMBERS))
            bank = self._ramp(
                gate,
                OwnColumns(slice(0, width), own, np.zeros(width), trim),
                rng,
                self._sequence(place, ChipSource.STATE_SHARED, 0),
            )
            if isinstance(bank, Exact):
                return None
            return Converters.join([bank], keys)
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

    def _column_shifts(self, at: MatrixPlace) -> tuple[np.ndarray, np.ndarray]:
        """How much higher than its ramp's levels each column's are, and its integrator's rms noise, (columns,), the ramp's units.

        The shift is the comparator's, and less what the integrator's offset adds to the pre-activation. Comparators of ramps that
        are no circuits are drawn with these.
        """
        out = np.zeros(at.matrix.shape[1])
        if self.hardware.adc is not None:
            return out, out
        added, noise = integrator_shifts(at, self.hardware, self._rng(at, ChipSource.OPAMP).standard_normal(len(out)))
        out -= added
        if not self._ramps.circuits:
            return out, noise
        normal, late = self._rng(at, ChipSource.OFFSET).standard_normal(len(out)), self._rng(at, ChipSource.DELAY)
        for ramp, columns in self._ramps.groups(at):
            if ramp is None:
                continue
            out[columns] += column_offsets(ramp, normal[columns]) / ramp.volts_per_unit
            if ramp.delay:
                out[columns] -= late_columns(ramp.plan.program(), ramp.plan.circuit, ramp.delay, len(columns), late)
        return out, noise

    def _fitted_columns(self, at: MatrixPlace) -> DrawnColumns | None:
        """The fitted blocks of a matrix' columns, drawn; None without."""
        if self.hardware.columns is None:
            return None
        return DrawnColumns.draw(at, self.hardware, self._rng(at, ChipSource.OPAMP), self._rng(at, ChipSource.OFFSET))

    def _gate(
        self,
        at: MatrixPlace,
        gate: Gate,
        own: OwnColumns,
        offsets: np.random.Generator,
        rng: np.random.Generator,
        blocks: DrawnColumns | None,
    ) -> Converters | Exact:
        """Converters of a gate; a linear converter's code addresses a table of its activation."""
        adc = self.hardware.adc
        if adc is None:
            place = (at.layer, at.direction, at.number)
            shared = self._sequence(place, ChipSource.SHARED, self._ramps.number[gate.activation])
            return self._ramp(gate, own, rng, shared, blocks, at)
        s = gate.full_scale
        values = s * quantized_activation(gate.activation, adc.table_bits, adc.inputs / s)
        return self._linear(adc, len(own.shift), offsets, rng, values, NO_KEYS)

    def _ramp(
        self,
        gate: Gate,
        own: OwnColumns,
        rng: np.random.Generator,
        shared: np.random.SeedSequence,
        blocks: DrawnColumns | None = None,
        at: MatrixPlace | None = None,
    ) -> Converters | Exact:
        """Converters of a ramp, or what stands for them where it has no steps or is not there.

        ``shared`` makes the ramp's own noise, the same for all columns that compare with it. ``at``: the matrix, if it is one,
        whose gate may have a ramp of its own.
        """
        key = noise_keys(shared, 1)[0]
        s = gate.full_scale
        if (circuit := self._ramps.circuit(at, gate)) is not None:
            program = circuit.plan.program()
            # A level below an earlier one never decides.
            rising = np.maximum.accumulate(self._ramps.levels(at, gate))
            levels = own.trimmed(rising + own.shift[:, None], circuit.plan)
            if not circuit.quantized:
                return UnquantizedColumns.through(own.columns, gate, s * levels, s * program.x, self.dtype)
            levels, common = self._with_noise(levels, rising, rng), circuit.shared_sigma
            alone = np.sqrt(np.maximum(circuit.noise_sigma**2 - common**2, 0.0) + own.noise_sigma**2)
            values = s * self._ramps.values(at, gate, program.values)
            return Converters.build(s * levels, s * alone, values, NO_KEYS, self.dtype, shared=s * common, ramp_key=key)
        taken = self._ramps.take(at, gate, len(own.shift))
        if taken is None:
            return Exact(own.columns, gate)
        ramp, thresholds = taken
        thresholds = thresholds + own.shift[:, None]
        if isinstance(model := self.hardware.ramp(gate.activation), RampModel):
            thresholds = own.trimmed(thresholds, model.ramp_plan)
        thresholds = self._with_noise(thresholds, np.maximum.accumulate(ramp.thresholds[0]), rng)
        gain = self.hardware.read_gain
        noise = np.hypot(ramp.own_sigma * gain, own.noise_sigma)
        if blocks is not None:
            thresholds, noise = blocks.seen(gate.activation, own.columns, thresholds, noise)
        common = s * gain * ramp.shared_sigma
        return Converters.build(s * thresholds, s * noise, s * ramp.values, NO_KEYS, self.dtype, shared=common, ramp_key=key)

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


@dataclass(frozen=True, eq=False)
class OwnColumns:
    """What columns of one gate have of their own.

    Attributes
    ----------
    columns : slice
        Of the matrix.
    shift, noise : ndarray (columns,)
        How much higher their levels are than the ramp's, and rms noise of what they compare; the ramp's units.
    trim : ndarray (columns, 5)
        Uniform numbers of their trimming cells.
    """

    columns: slice
    shift: np.ndarray
    noise: np.ndarray
    trim: np.ndarray

    @property
    def noise_sigma(self) -> float:
        """Rms over the columns: a bank of converters has one noise for all."""
        return float(np.sqrt(np.mean(self.noise**2)))

    def trimmed(self, levels: np.ndarray, plan: RampPlan) -> np.ndarray:
        """Levels (columns, thresholds) after the trimming cells took each column's error at x = 0, if the plan has them."""
        if not (reach := plan.column_trim_reach):
            return levels
        wanted = error_at(POINT, levels, plan.program())
        left = trimmed(plan.profile, wanted, reach / plan.program().volts_per_unit(plan.circuit), self.trim)
        return levels - (wanted - left)[:, None]


def column_offsets(ramp: CircuitRamp, normal: np.ndarray) -> np.ndarray:
    """Offsets of the comparators of a ramp's columns, volts, from the columns' normal numbers."""
    v = ramp.plan.variation
    return v.comparator_offset * v.comparator_offset_shape.of_normal(normal)


class _Ramps:
    """The ramps of one chip, whose columns are given out in the network's order."""

    def __init__(self, network: Network, hardware: Hardware, index: int, seed: int) -> None:
        self.hardware, self.index, self.seed = hardware, index, seed
        self.circuits: dict[str, CircuitRamp] = {}
        self.number: dict[str, int] = {}
        self.used = dict.fromkeys(columns := converted_columns(network, hardware), 0)
        self.row: dict[str, int] = {}
        self.draws: dict[str, RampDraw | None] = {}
        check_own_ramps(network, hardware)
        self.own = dict(network.ramps) if columns else {}
        self.own_circuits: dict[str, CircuitRamp] = {}
        for number, (activation, total) in enumerate(sorted(columns.items())):
            ramp = hardware.ramp(activation)
            self.number[activation] = number
            if isinstance(ramp, CircuitRamp):
                self.circuits[activation] = ramp
                ramp = None
            elif isinstance(ramp, RampModel):
                # The columns' trim takes what their integrators add too (`OwnColumns.trimmed`).
                ramp = ramp.sample(
                    1, total, chip_ramp_stream(seed, index, number), trim=False, drift_time=hardware.ramp_drift(ramp)
                )
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

    def circuit(self, at: MatrixPlace | None, gate: Gate) -> CircuitRamp | None:
        """The ramp of a gate as a circuit, its own if it has one; None if it is no circuit."""
        shared, name = self.circuits.get(gate.activation), _name(at, gate)
        if shared is None or name not in self.own:
            return shared
        if name not in self.own_circuits:
            self.own_circuits[name] = own_circuit(self.own[name], name, shared)
        return self.own_circuits[name]

    def groups(self, at: MatrixPlace) -> list[tuple[CircuitRamp | None, np.ndarray]]:
        """The ramps of a matrix as circuits, and the columns that share each."""
        everything = np.arange(at.matrix.shape[1])
        if self.own:
            return [(self.circuit(at, gate), everything[columns]) for columns, gate in at.gates]
        return [(self.circuits.get(activation), columns) for (activation, _), columns in at.ramp_groups.items()]

    def levels(self, at: MatrixPlace | None, gate: Gate) -> np.ndarray:
        """Levels of a circuit's ramp for a comparator without offset, shape (thresholds,), input units."""
        name = _name(at, gate)
        number = OWN_RAMPS + sorted(self.own).index(name) if name in self.own else self.number[gate.activation]
        circuit = self.circuit(at, gate)
        assert circuit is not None
        return circuit.levels(self.seed, number, self.index)

    def values(self, at: MatrixPlace | None, gate: Gate, values: np.ndarray) -> np.ndarray:
        """What the codes of a gate stand for: ``values``, or those of its own ramp."""
        own = self.own.get(_name(at, gate))
        return values if own is None else np.array(own.values)

    def take(self, at: MatrixPlace | None, gate: Gate, columns: int) -> tuple[RampDraw, np.ndarray] | None:
        """The ramp and the thresholds (columns, levels) of the next columns, offsets included; None for exact."""
        activation = gate.activation
        draw = self.draws[activation]
        start = self.used[activation]
        self.used[activation] += columns
        if draw is None:
            return None
        if (own := self.own.get(_name(at, gate))) is not None:
            levels = np.array([own.thresholds])
            return RampDraw(activation, own.bits, levels, np.zeros((1, 1)), np.zeros(()), np.array(own.values)), np.repeat(
                levels, columns, axis=0
            )
        row = self.row[activation]
        offset = draw.column_offset[row]
        offsets = np.repeat(offset, columns) if len(offset) == 1 else offset[start : start + columns]
        return draw, draw.thresholds[row] + self.hardware.read_gain * offsets[:, None]


def _name(at: MatrixPlace | None, gate: Gate) -> str:
    return "" if at is None else f"{at.key}.{gate.name}"
