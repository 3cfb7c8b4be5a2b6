"""The parts that a hardware describes, each error source of each matrix from a random stream of its own."""

from __future__ import annotations

import numpy as np

from characterization.chips import TRIM_NUMBERS
from characterization.ramp_model import RampModel
from characterization.streams import ChipSource, chip_sequence
from cosim.network import Network
from cosim.network.cells import Cell, Gate
from netlists.errors import InputError

from ..column_effects import late_columns
from ..converters import NO_KEYS, Converters
from ..hardware import Hardware, LinearAdc, quantized_activation
from ..mapping import (
    MatrixPlace,
    integrator_gains,
    integrator_noise,
    integrator_shifts,
    matrix_places,
)
from ..units import ConvertedColumns, Exact, UnquantizedColumns
from ..weights import EffectiveWeights, effective_weights, row_blocks
from .chip import ChipParts
from .columns import DrawnColumns
from .ramps import ChipRamps, OwnColumns, column_offsets


class DrawnParts(ChipParts):
    """The parts that a hardware describes, drawn for one chip; `ChipParts` in the network's order."""

    def __init__(self, network: Network, hardware: Hardware, index: int, seed: int, dtype: type) -> None:
        self.hardware, self.index, self.seed, self.dtype = hardware, index, seed, dtype
        self._ramps = ChipRamps(network, hardware, index, seed)
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
