"""Chips of a budget: a network's weights on arrays and its columns' converters, with those error sources that are on.

A chip is put together from what the evaluator runs (`cosim.chip.draw`): each source acts on effective weights, on the variance of a
sum, on the ramp's levels, or on the row of the bias, which is always driven with 1: a comparator's offset of d units is a
bias that is d smaller.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np

from characterization.streams import budget_sequence
from cosim.chip import (
    Arrays,
    ArraySum,
    Chip,
    ChipCell,
    ChipMatrix,
    ConvertedColumns,
    Converters,
    Exact,
    Hardware,
    PwmInputs,
    effective_weights,
)
from cosim.network import Network
from cosim.network.cells import LSTM, Matrix
from netlists.array import Pwm, weights_to_pairs
from netlists.checks import Bits, Count, Seed, checked
from netlists.errors import InputError
from netlists.ramp import RampProgram, program_ramp
from netlists.technology import DeviceProfile, RampCircuit

from .cells import budget_profile, drawn_curvature, read_through
from .columns import column_gains, late_columns
from .ramps import ramp_levels
from .sources import RELAXED, SOURCES, Amounts, source
from .stepless import NO_KEYS, UnquantizedColumns

ARRAY_SOURCES = ("programming", "relaxation", "iv_curvature", "access", "ir_drop", "stuck")
"""Sources that effective weights depend on."""
_HELD = 1024


@dataclass(frozen=True, eq=False)
class _Weights:
    """A matrix on a chip's arrays; ``variance`` is that of the profile's own read noise. Shapes (rows, columns)."""

    weights: np.ndarray
    variance: np.ndarray


@checked
@dataclass(frozen=True, eq=False)
class Builder:
    """Everything about chips that is not an error source.

    Attributes
    ----------
    network : Network
    profile : DeviceProfile
    bits : int
        Of the ramps that the columns' converters compare with; also where quantisation is off.
    seed : int
        Chip i depends on it and i alone; every source draws from streams of its own.
    circuit : RampCircuit
        Integrators and comparators.
    pwm : Pwm
        Times of the pulses; its longest pulse fixes C_f.
    array_rows, array_columns : int or None
        Size of an array in cells; None: as large as the matrix.

    Raises
    ------
    InputError
        A network that is not an LSTM without projection.
    """

    network: Network
    profile: DeviceProfile
    bits: Bits
    seed: Seed
    circuit: RampCircuit = field(default_factory=RampCircuit)
    pwm: Pwm = field(default_factory=Pwm)
    array_rows: Count | None = 64
    array_columns: Count | None = 64

    def __post_init__(self) -> None:
        for layer in self.network.layers:
            cell = layer.cell
            if not isinstance(cell, LSTM) or cell.n_projection is not None:
                kind = f"{cell.kind} with a projection" if isinstance(cell, LSTM) else cell.kind
                raise InputError(f"network: has a layer of {kind}; a budget is drawn up for LSTM layers without projection")

    @cached_property
    def _array(self) -> Callable[..., _Weights]:
        """`_draw_array`, remembering: most sets of sources differ in something else."""
        return lru_cache(maxsize=_HELD)(self._draw_array)

    @cached_property
    def _programs(self) -> dict[tuple[str, int], RampProgram]:
        return {}

    def program(self, activation: str, bits: int | None = None) -> RampProgram:
        """The ramp of an activation."""
        key = (activation, bits or self.bits)
        if key not in self._programs:
            self._programs[key] = program_ramp(*key, self.profile)
        return self._programs[key]

    def random(self, amounts: Amounts) -> bool:
        """Whether chips with these sources differ."""
        return any(s.random and amounts.get(s.name, 0) for s in SOURCES)

    def largest(self, name: str) -> float:
        """Largest amount of a source that makes sense, SI units.

        An op-amp that is too slow, or has too little gain, for the mean column of a group cannot be made good by C_f: `Tile`
        refuses a C_f below a tenth of the charge capacitance; a mean column that leaks e-fold is taken as the end of the other.
        """
        if not name.startswith("integrator_") or name == "integrator_leak":
            return source(name).largest
        ends = []
        for depth, layer in enumerate(self.network.layers):
            m = layer.cell.matrices[0]
            for direction in layer.directions:
                load, scale = self._load(m, direction[m.name], self._row_scale(m, depth))
                for activation, columns in _by_activation(m).items():
                    ratio = self._charge_capacitance(scale, activation) / float(load[columns].mean())
                    ends.append(0.9 * ratio if name == "integrator_settling" else ratio / self.pwm.duration)
        return min(ends)

    def chips(self, amounts: Amounts, numbers: Sequence[int], dtype: type = np.float32) -> tuple[list[Chip], Hardware]:
        """Chips with the sources in ``amounts``, and the hardware that they are evaluated on."""
        hardware = self.hardware(amounts)
        return [self._chip(amounts, i, dtype, hardware) for i in numbers], hardware

    def hardware(self, amounts: Amounts) -> Hardware:
        """What the evaluator runs on, but for what is drawn."""
        bits = amounts.get("pwm_bits")
        return Hardware(pwm=PwmInputs(int(bits)) if bits else None)

    def _chip(self, amounts: Amounts, index: int, dtype: type, hardware: Hardware) -> Chip:
        layers = []
        for depth, layer in enumerate(self.network.layers):
            cells = []
            for direction, parameters in enumerate(layer.directions):
                where = (index, depth, direction)
                matrices = {
                    m.name: self._matrix(m, parameters[m.name], amounts, where, hardware, dtype) for m in layer.cell.matrices
                }
                cells.append(ChipCell(layer.cell, matrices, {}))
            layers.append(tuple(cells))
        return Chip(index, self.seed, dtype, self.network, hardware, tuple(layers))

    def _matrix(
        self,
        m: Matrix,
        weights: np.ndarray,
        amounts: Amounts,
        where: tuple[int, int, int],
        hardware: Hardware,
        dtype: type,
    ) -> ChipMatrix:
        row_scale = self._row_scale(m, where[1])
        w, variance = weights.copy(), np.zeros(weights.shape)
        on = tuple((name, amounts[name]) for name in ARRAY_SOURCES if amounts.get(name))
        reading = amounts.get("read_noise", 0.0)
        if on or reading:
            drawn = self._array(where, on, tuple(row_scale))
            if on:
                w = drawn.weights.copy()
            if reading:
                variance = drawn.variance * (reading / self.profile.read_sigma) ** 2
        load, scale = self._load(m, weights, row_scale)
        units: list[ConvertedColumns | Exact] = []
        for activation, columns in _by_activation(m).items():
            program = self.program(activation)
            volts = program.volts_per_unit(self.circuit)
            gain = column_gains(load[columns], self._charge_capacitance(scale, activation), self.pwm.duration, amounts)
            w[:, columns] = w[:, columns] * gain
            variance[:, columns] = variance[:, columns] * gain**2
            w[-1, columns] -= self._shifts(program, len(columns), amounts, where, volts)
            variance[-1, columns] += (amounts.get("comparator_noise", 0.0) / volts) ** 2
            units += self._units(m, activation, amounts, where[0], dtype)
        noisy = bool(np.any(variance))
        total = ArraySum(
            slice(0, len(w)),
            np.ascontiguousarray(w.T, dtype),
            np.ascontiguousarray(variance.T, dtype) if noisy else None,
            self._sequence(*where, "noise").generate_state(2 * (m.shape[1] // 2 + 2)).reshape(-1, 2) if noisy else None,
        )
        ranges = tuple(row_scale[m.rows(name)][0] for name, _ in m.parts)
        return ChipMatrix(m, (total,), tuple(units), ranges if hardware.pwm else None)

    def _row_scale(self, m: Matrix, depth: int) -> np.ndarray:
        """Input that takes the longest pulse, whether pulses are rounded or not, shape (rows,)."""
        below = PwmInputs().input_range if depth == 0 else self.network.layers[depth - 1].cell.state_range
        ranges = [below if name == "x" else self.network.layers[depth].cell.state_range for name, _ in m.parts]
        return np.append(np.repeat(ranges, [n for _, n in m.parts]), 1.0)

    def _load(self, m: Matrix, weights: np.ndarray, row_scale: np.ndarray) -> tuple[np.ndarray, float]:
        """Sum of each column's targets (columns,), siemens, and siemens per unit of a scaled weight."""
        pairs = weights_to_pairs(weights * row_scale[:, None], self.profile, layout="rows")
        cells = np.repeat(m.connected(), 2, axis=0)
        return np.where(cells, pairs.conductance, 0.0).sum(axis=0), pairs.scale

    def _charge_capacitance(self, scale: float, activation: str) -> float:
        """C_f by charge alone, farads, as `Tile.charge_capacitance`: V_mac is in the units of the group's ramp."""
        longest = self.pwm.max_code * self.pwm.periods * self.pwm.t_unit
        return self.circuit.v_read * scale * longest / self.program(activation).volts_per_unit(self.circuit)

    def _shifts(self, program: RampProgram, n: int, amounts: Amounts, where: tuple[int, int, int], volts: float) -> np.ndarray:
        """By how much the ramp is above a column's pre-activation at the trip point, units, shape (n,)."""
        activation = program.activation
        shift = np.zeros(n)
        if sigma := amounts.get("comparator_offset", 0.0):
            shift = shift + sigma / volts * self._rng(*where, f"offset {activation}").standard_normal(n)
        if tau := amounts.get("comparator_delay", 0.0):
            shift = shift - late_columns(program, self.circuit, tau, n, self._rng(*where, f"delay {activation}"))
        return shift

    def _units(self, m: Matrix, activation: str, amounts: Amounts, index: int, dtype: type) -> list[ConvertedColumns | Exact]:
        bits = amounts.get("ramp_bits")
        program = self.program(activation, int(bits) if bits else None)
        levels = ramp_levels(program, self.circuit, self.profile, amounts, self._rng(index, 0, 0, f"ramp {activation}"))
        # A level below an earlier one never decides.
        levels = np.maximum.accumulate(levels)
        out: list[ConvertedColumns | Exact] = []
        for gate in (g for g in m.gates if g.activation == activation):
            columns = m.columns(gate.name)
            if bits:
                bank = Converters.build(np.repeat(levels[None], m.width, axis=0), np.zeros(()), program.values, NO_KEYS, dtype)
                out.append(ConvertedColumns(columns, bank))
            else:
                out.append(UnquantizedColumns.through(columns, gate, levels, program.x, dtype))
        return out

    def _draw_array(self, where: tuple[int, int, int], on: tuple[tuple[str, float], ...], row_scale: tuple[float, ...]) -> _Weights:
        amounts = dict(on)
        index, depth, direction = where
        layer = self.network.layers[depth]
        m = layer.cell.matrices[0]
        wire = amounts.get("ir_drop", 0.0)
        profile = budget_profile(self.profile, amounts)
        arrays = Arrays(
            profile,
            max_rows=self.array_rows,
            max_columns=self.array_columns,
            r_row=wire,
            r_col=wire,
            drift_time=RELAXED if amounts.get("relaxation") else None,
        )
        curve = self._rng(index, depth, direction, "curvature")

        def seen(g: np.ndarray) -> np.ndarray:
            b = drawn_curvature(amounts.get("iv_curvature", 0.0), g.shape, curve)
            return read_through(g, b, amounts.get("access", 0.0), self.circuit.v_read)

        effective = effective_weights(
            layer.directions[direction][m.name],
            m.connected(),
            np.array(row_scale),
            arrays,
            self._rng(index, depth, direction, "cells"),
            seen if amounts.keys() & {"iv_curvature", "access"} else None,
        )
        variance = np.zeros(m.shape) if effective.read_variance is None else effective.read_variance
        return _Weights(effective.weights, variance)

    def _rng(self, index: int, depth: int, direction: int, what: str) -> np.random.Generator:
        return np.random.default_rng(self._sequence(index, depth, direction, what))

    def _sequence(self, index: int, depth: int, direction: int, what: str) -> np.random.SeedSequence:
        return budget_sequence(self.seed, index, depth, direction, what)


def _by_activation(m: Matrix) -> dict[str, np.ndarray]:
    """Numbers of the columns that share a ramp, by its activation."""
    return {
        a: np.concatenate([np.arange(m.shape[1])[m.columns(g.name)] for g in m.gates if g.activation == a])
        for a in dict.fromkeys(g.activation for g in m.gates)
    }
