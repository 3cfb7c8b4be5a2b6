"""Chips of a budget: a network's weights on arrays and its columns' converters, with those error sources that are on.

They are put together as the evaluator's are (`cosim.chip.draw`): each source acts on effective weights, on the variance of a
sum, on the ramp's levels, or on the row of the bias, which is always driven with 1: a comparator's offset of d units is a
bias that is d smaller.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Annotated

import numpy as np

from characterization.streams import budget_sequence
from cosim.chip import (
    NO_KEYS,
    Arrays,
    Chip,
    ChipParts,
    ConvertedColumns,
    Converters,
    EffectiveWeights,
    Exact,
    Hardware,
    MatrixPlace,
    PwmInputs,
    draw_chip,
    effective_weights,
    integrator_gains,
    integrator_noise,
    late_columns,
    mapped_pairs,
    matrix_places,
    noise_keys,
)
from cosim.network import Network
from cosim.network.cells import LSTM
from netlists.array import COMPENSATIONS, Pwm
from netlists.checks import Bits, Choice, Count, Seed, checked
from netlists.converter import charge_capacitance
from netlists.errors import InputError
from netlists.ramp import RampProgram, program_ramp
from netlists.technology import DeviceProfile, RampCircuit

from .device_errors import budget_profile, drawn_curvature, read_through
from .ramps import ramp_levels
from .sources import RELAXED, SOURCES, Amounts, source
from .unquantized import UnquantizedColumns

ARRAY_SOURCES = ("programming", "relaxation", "read_noise", "iv_curvature", "access", "ir_drop", "stuck")
"""Sources that effective weights depend on."""
_HELD = 1024


@checked
@dataclass(frozen=True, eq=False)
class ChipBuilder:
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
    compensate : {"none", "mean", "wires"}
        What makes good the loss in the wires (`cosim.chip.Arrays`).

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
    compensate: Annotated[str, Choice(COMPENSATIONS)] = "mean"

    def __post_init__(self) -> None:
        for layer in self.network.layers:
            cell = layer.cell
            if not isinstance(cell, LSTM) or cell.n_projection is not None:
                kind = f"{cell.kind} with a projection" if isinstance(cell, LSTM) else cell.kind
                raise InputError(f"network: has a layer of {kind}; a budget is drawn up for LSTM layers without projection")

    @cached_property
    def _array(self) -> Callable[..., EffectiveWeights]:
        """`_draw_array`, remembering: most sets of sources differ in something else."""
        return lru_cache(maxsize=_HELD)(self._draw_array)

    @cached_property
    def _places(self) -> dict[tuple[int, int], MatrixPlace]:
        """The matrices by layer and direction, each row scaled whether pulse widths are rounded or not."""
        return {(at.layer, at.direction): at for at in matrix_places(self.network, PwmInputs())}

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
        for at in self._places.values():
            mapped = mapped_pairs(at, Arrays(self.profile))
            for (activation, full_scale), columns in at.ramp_groups.items():
                charge = charge_capacitance(self.program(activation), self.circuit, self.pwm, mapped.scale, full_scale=full_scale)
                ratio = charge / float(mapped.load[columns].mean())
                ends.append(0.9 * ratio if name == "integrator_settling" else ratio / self.pwm.duration)
        return min(ends)

    def chips(self, amounts: Amounts, numbers: Sequence[int], dtype: type = np.float32) -> tuple[list[Chip], Hardware]:
        """Chips with the sources in ``amounts``, and the hardware that they are evaluated on."""
        hardware = self.hardware(amounts)
        parts = [BudgetParts(self, amounts, i, dtype) for i in numbers]
        return [draw_chip(self.network, hardware, p.index, self.seed, dtype, p) for p in parts], hardware

    def hardware(self, amounts: Amounts) -> Hardware:
        """What the evaluator runs on, but for what is drawn."""
        bits = amounts.get("pwm_bits")
        return Hardware(pwm=PwmInputs(int(bits)) if bits else None)

    def array(self, at: MatrixPlace, index: int, amounts: Amounts) -> EffectiveWeights:
        """A matrix on a chip's arrays, with those of the sources that sit there."""
        return self._array(at.layer, at.direction, index, tuple((n, amounts[n]) for n in ARRAY_SOURCES if amounts.get(n)))

    def arrays(self, amounts: Amounts) -> Arrays:
        """The arrays with those of the sources that sit there."""
        wire = amounts.get("ir_drop", 0.0)
        return Arrays(
            budget_profile(self.profile, amounts),
            max_rows=self.array_rows,
            max_columns=self.array_columns,
            r_row=wire,
            r_col=wire,
            drift_time=RELAXED if amounts.get("relaxation") else None,
            compensate=self.compensate,
        )

    def gains(self, at: MatrixPlace, amounts: Amounts) -> np.ndarray:
        """Gain of each column's integrator, shape (columns,)."""
        return integrator_gains(
            self._places[at.layer, at.direction],
            self.arrays(amounts),
            self.program,
            self.circuit,
            self.pwm,
            settling=amounts.get("integrator_settling", 0.0),
            inverse_gain=amounts.get("integrator_gain", 0.0),
        )

    def noise(self, at: MatrixPlace, amounts: Amounts) -> np.ndarray:
        """Rms noise of op-amps, cells and resets in each column's sum, units, shape (columns,)."""
        opamp, temperature = amounts.get("opamp_noise", 0.0), amounts.get("thermal", 0.0)
        if not opamp and not temperature:
            return np.zeros(at.matrix.shape[1])
        return integrator_noise(
            self._places[at.layer, at.direction],
            self.arrays(amounts),
            self.program,
            self.circuit,
            self.pwm,
            opamp=opamp,
            temperature=temperature,
        )

    def _draw_array(self, layer: int, direction: int, index: int, on: tuple[tuple[str, float], ...]) -> EffectiveWeights:
        amounts, at = dict(on), self._places[layer, direction]
        curve = self.rng(index, at, "curvature")

        def seen(g: np.ndarray) -> np.ndarray:
            b = drawn_curvature(amounts.get("iv_curvature", 0.0), g.shape, curve)
            return read_through(g, b, amounts.get("access", 0.0), self.circuit.v_read)

        return effective_weights(
            at.weights,
            at.matrix.connected(),
            at.row_scale,
            self.arrays(amounts),
            self.rng(index, at, "cells"),
            seen if amounts.keys() & {"iv_curvature", "access"} else None,
        )

    def rng(self, index: int, at: MatrixPlace, what: str) -> np.random.Generator:
        """Stream of one source of a matrix on a chip."""
        return np.random.default_rng(budget_sequence(self.seed, index, at.layer, at.direction, what))


@dataclass(frozen=True, eq=False)
class BudgetParts(ChipParts):
    """One chip with some sources on.

    Attributes
    ----------
    builder : ChipBuilder
    amounts : mapping
        Of the sources that are on.
    index : int
        Of the chip.
    dtype : type
    """

    builder: ChipBuilder
    amounts: Amounts
    index: int
    dtype: type

    def weights(self, at: MatrixPlace) -> EffectiveWeights:
        amounts, b = self.amounts, self.builder
        w, variance = at.weights.copy(), np.zeros(at.weights.shape)
        if any(amounts.get(name) for name in ARRAY_SOURCES):
            drawn = b.array(at, self.index, amounts)
            w = drawn.weights.copy()
            if drawn.read_variance is not None:
                variance = drawn.read_variance.copy()
        gain = b.gains(at, amounts)
        w, variance = w * gain, variance * gain**2
        for (activation, full_scale), columns in at.ramp_groups.items():
            volts = b.program(activation).volts_per_unit(b.circuit) / full_scale
            w[-1, columns] -= self._shifts(at, activation, len(columns), volts)
            variance[-1, columns] += (amounts.get("comparator_noise", 0.0) / volts) ** 2
        variance[-1] += b.noise(at, amounts) ** 2
        return EffectiveWeights(w, (slice(0, len(w)),), variance if np.any(variance) else None)

    def _shifts(self, at: MatrixPlace, activation: str, n: int, volts: float) -> np.ndarray:
        """By how much the ramp is above a column's pre-activation at the trip point, units, shape (n,)."""
        b, shift = self.builder, np.zeros(n)
        if sigma := self.amounts.get("comparator_offset", 0.0):
            shift = shift + sigma / volts * b.rng(self.index, at, f"offset {activation}").standard_normal(n)
        if tau := self.amounts.get("comparator_delay", 0.0):
            rng = b.rng(self.index, at, f"delay {activation}")
            shift = shift - late_columns(b.program(activation), b.circuit, tau, n, rng)
        return shift

    def units(self, at: MatrixPlace) -> tuple[ConvertedColumns | Exact, ...]:
        """A group of columns after the other, each of one ramp."""
        b, bits = self.builder, self.amounts.get("ramp_bits")
        out: list[ConvertedColumns | Exact] = []
        for activation, _ in at.ramp_groups:
            program = b.program(activation, int(bits) if bits else None)
            rng = np.random.default_rng(budget_sequence(b.seed, self.index, 0, 0, f"ramp {activation}"))
            # A level below an earlier one never decides.
            levels = np.maximum.accumulate(ramp_levels(program, b.circuit, b.profile, self.amounts, rng))
            for columns, gate in at.gates:
                if gate.activation != activation:
                    continue
                if bits:
                    each = np.repeat(levels[None], at.matrix.width, axis=0)
                    bank = Converters.build(each, np.zeros(()), program.values, NO_KEYS, self.dtype)
                    out.append(ConvertedColumns(columns, bank))
                else:
                    out.append(UnquantizedColumns.through(columns, gate, levels, program.x, self.dtype))
        return tuple(out)

    def read_keys(self, at: MatrixPlace, part: int) -> np.ndarray:
        sequence = budget_sequence(self.builder.seed, self.index, at.layer, at.direction, "noise")
        return noise_keys(sequence, at.matrix.shape[1])
