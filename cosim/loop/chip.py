"""The chip that both sides run on: drawn cells, ramps and offsets, and its transition levels measured in ngspice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from characterization.chips import POINT, TRIM_NUMBERS, draw, error_at, examine, measure, trimming_pairs
from characterization.chips.recalibrate import recalibrate
from characterization.plan import RampPlan
from characterization.resume import Parts
from characterization.streams import ChipSource, LoopSource, chip_sequence, loop_stream, ramp_seed
from cosim.chip import (
    NO_KEYS,
    OPEN,
    Arrays,
    Chip,
    ChipParts,
    ConvertedColumns,
    Converters,
    EffectiveWeights,
    Hardware,
    MatrixPlace,
    PwmInputs,
    converted_columns,
    draw_chip,
    drawn_cells,
    folded,
    mapped_pairs,
    matrix_places,
    through_wires,
)
from cosim.network import Network
from cosim.network.cells import Matrix
from netlists.array import Crossbar, Pwm
from netlists.converter import AutoZero, ColumnGroup, Tile
from netlists.errors import InputError, ToolkitError
from netlists.ramp import Chips, to_input_units, transition_levels
from netlists.technology import DeviceProfile, RampCircuit, load_profile

from .array import LoopArray, LoopRamp
from .column import measure_integrators
from .settings import SKY130_COLUMNS_A_GATE, LoopSettings

EXPECTED_WELL = 1e-3
"""Half distance of the probes around an expected level of a comparator that only tells the side, volts."""


Keep = Callable[[str, Callable[[], np.ndarray]], np.ndarray]
"""Gives the array of a name: the one that is stored, or the one computed now."""


@dataclass(frozen=True, eq=False)
class LoopChip:
    """A chip as ngspice and as the evaluator see it.

    Attributes
    ----------
    settings : LoopSettings
    ramps : dict of LoopRamp
        By activation.
    arrays : dict of LoopArray
        By ``layer.direction.matrix``; those that are not computed digitally.
    evaluator : Chip
        The same weights, and converters with these levels.
    noise_sigma : float
        Rms noise of a comparator's decision, volts; 0: none.
    """

    settings: LoopSettings
    ramps: dict[str, LoopRamp]
    arrays: dict[str, LoopArray]
    evaluator: Chip
    noise_sigma: float

    def noise(self, array: LoopArray, columns: np.ndarray, step: int, identities: np.ndarray) -> np.ndarray:
        """Noise of each decision, volts, shape (columns, sequences, steps of the longest ramp).

        It depends on the seed, the array, the step, the sequence and the column alone.
        """
        steps = max(r.program.n_steps for r in self.ramps.values())
        out = np.empty((len(columns), len(identities), steps))
        for i, sequence in enumerate(identities):
            rng = loop_stream(self.settings.seed, LoopSource.NOISE, array.number, step, int(sequence))
            out[:, i] = self.noise_sigma * rng.standard_normal((array.tile.columns, steps))[columns]
        return out

    def integrated(self, array: LoopArray, drive: np.ndarray) -> np.ndarray | float:
        """What the simulated columns' integrators add to their pre-activations for pulses of the rows, (chosen, sequences)."""
        return 0.0 if self.settings.scope == "converter" else array.integrated(array.driven(drive))[array.chosen]

    def passed(self, array: LoopArray, columns: np.ndarray, x: np.ndarray, step: int, identities: np.ndarray | None) -> np.ndarray:
        """The model: thresholds that pre-activations ``x`` (columns, sequences) pass, int of the same shape."""
        noise = None if identities is None or self.noise_sigma == 0 else self.noise(array, columns, step, identities)
        out = np.empty(x.shape, int)
        for i, j in enumerate(columns):
            levels = np.maximum.accumulate(array.levels[j])
            if noise is None:
                out[i] = np.searchsorted(levels, x[i], side="left")
                continue
            ramp = self.ramps[array.gate(j).activation]
            moved = array.levels[j] + noise[i, :, : len(levels)] * (array.gate(j).full_scale / ramp.volts_per_unit)
            out[i] = np.sum(x[i][:, None] > np.maximum.accumulate(moved, axis=1), axis=1)
        return out

    def thresholds(self, array: LoopArray, column: int, step: int, identity: int) -> np.ndarray:
        """Levels that decide one conversion of the model, (thresholds,), never decreasing; units of the pre-activation."""
        levels = array.levels[column]
        if self.noise_sigma > 0:
            noise = self.noise(array, np.array([column]), step, np.array([identity]))[0, 0, : len(levels)]
            levels = levels + noise * (array.gate(column).full_scale / self.ramps[array.gate(column).activation].volts_per_unit)
        return np.maximum.accumulate(levels)


def loop_hardware(settings: LoopSettings) -> Hardware:
    """What the evaluator runs on, but for what is measured; without noise no read noise of the cells lasts either."""
    profile = load_profile(settings.profile)
    arrays = Arrays(
        profile if settings.noise else replace(profile, read_sigma=0.0),
        max_rows=settings.array_rows,
        max_columns=settings.array_columns,
        r_row=settings.r_wire,
        r_col=settings.r_wire,
        compensate=settings.compensate,
        bias_rows=settings.bias_rows,
    )
    return Hardware(bits=settings.bits, arrays=arrays, pwm=PwmInputs(settings.pwm_bits))


def make_chip(network: Network, settings: LoopSettings, parts: Parts | None = None) -> LoopChip:
    """Draw the chip of the settings' seed and measure its transition levels.

    Parameters
    ----------
    parts : Parts or None
        Holds what was measured: a chip that was measured is not measured again.

    Raises
    ------
    InputError
        Gates or columns that the network does not have.
    ToolkitError
        A level that ngspice could not find.
    """
    check_columns(network, settings)
    hardware = loop_hardware(settings)
    assert hardware.arrays is not None
    keep: Keep = parts.array if parts else lambda _, compute: compute()
    columns = converted_columns(network)
    numbers = {a: number for number, a in enumerate(sorted(columns))}
    ramps = {a: _ramp(a, numbers[a], settings, hardware.arrays.profile, keep) for a in columns}
    places = enumerate(matrix_places(network, hardware.pwm))
    arrays = {at.key: _array(number, at, settings, hardware.arrays, ramps, keep) for number, at in places}
    evaluator = draw_chip(network, hardware, 0, settings.seed, np.float64, LoopParts(ramps, arrays))
    first = next(iter(ramps.values()))
    sigma = first.plan.variation.decision_noise if settings.noise else 0.0
    return LoopChip(settings, ramps, arrays, evaluator, sigma)


@dataclass(frozen=True, eq=False)
class LoopParts(ChipParts):
    """The evaluator's chip with the drawn cells and the measured levels."""

    ramps: dict[str, LoopRamp]
    arrays: dict[str, LoopArray]

    def weights(self, at: MatrixPlace) -> EffectiveWeights:
        return EffectiveWeights(self.arrays[at.key].weights, (slice(0, len(at.weights)),), None)

    def units(self, at: MatrixPlace) -> tuple[ConvertedColumns]:
        array, banks = self.arrays[at.key], []
        for j, levels in enumerate(array.levels):
            gate = array.gate(j)
            values = gate.full_scale * self.ramps[gate.activation].program.values
            banks.append(Converters.build(levels[None], np.zeros(()), values, NO_KEYS, np.float64))
        return (ConvertedColumns(slice(0, len(banks)), Converters.join(banks, NO_KEYS)),)


def _stream(settings: LoopSettings, at: MatrixPlace, source: ChipSource) -> np.random.Generator:
    """As the evaluator's chip 0 has it."""
    return np.random.default_rng(chip_sequence(settings.seed, 0, at.layer, at.direction, at.number, source, 0))


def _offsets(settings: LoopSettings, at: MatrixPlace, source: ChipSource, sigma: float) -> np.ndarray:
    return sigma * np.asarray(_stream(settings, at, source).standard_normal(at.matrix.shape[1]))


def _ramp(activation: str, number: int, settings: LoopSettings, profile: DeviceProfile, keep: Keep) -> LoopRamp:
    """Ramp number ``number`` of chip 0: drawn as the evaluator's (`cosim.chip.CircuitRamp`), measured, calibrated."""
    plan = RampPlan(
        activation,
        settings.bits,
        profile=profile,
        level=settings.level,
        comparator=settings.comparator,
        opamp=settings.opamp,
        seed=ramp_seed(settings.seed, number),
        conversions=False,
        calibration=settings.calibration,
    )
    plan, warnings = examine(plan)
    program, circuit = plan.program(), plan.circuit

    def calibrated() -> np.ndarray:
        """Conductances, op-amp offset and expected levels in one row."""
        drawn = draw(plan, np.array([0]))
        before = measure(plan.converter, drawn.chips(), held=plan.held)
        if before.status[0] != "ok":
            raise ToolkitError(f"the {activation} ramp of seed {settings.seed}: {before.status[0]} ({before.message[0]})")
        written = recalibrate(plan, drawn, to_input_units(before.volts, program, circuit), _not_needed).conductance
        chips = drawn.chips(written)
        moved = transition_levels(program, circuit, chips) - transition_levels(program, circuit, drawn.chips())
        return np.concatenate([chips.conductance[0], chips.opamp_offset, before.volts[0] + moved[0] - chips.comparator_offset[0]])

    row = keep(f"chip-ramp-{activation}", calibrated)
    cells = program.n_cells
    return LoopRamp(plan, program, Chips(row[None, :cells], row[cells : cells + 1], np.zeros(1)), row[cells + 1 :], warnings)


def _not_needed(conductance: np.ndarray) -> np.ndarray:
    raise InputError("calibration: a one-point calibration needs no measurement on the way")


def _array(
    number: int, at: MatrixPlace, settings: LoopSettings, arrays: Arrays, ramps: dict[str, LoopRamp], keep: Keep
) -> LoopArray:
    matrix, mapped = at.matrix, mapped_pairs(at, arrays)
    rng = _stream(settings, at, ChipSource.DEVICE)
    g = drawn_cells(mapped.conductance, matrix.connected(), arrays, rng)
    if arrays.wired:
        # For the columns' virtual grounds the arrays are what cells of these conductances would be without wires.
        g = np.maximum(through_wires(g, arrays), OPEN)
    g = folded(g, len(at.weights), "rows")
    columns = g.shape[1]
    plan = next(iter(ramps.values())).plan
    tile = Tile(
        Crossbar(g, r_row=0.0, r_col=0.0),
        mapped.scale,
        tuple(
            ColumnGroup(ramps[a].program, tuple(own.tolist()), ramps[a].column, full_scale)
            for (a, full_scale), own in sorted(at.ramp_groups.items(), key=lambda item: item[0])
        ),
        circuit=plan.circuit,
        pwm=Pwm(n_in=settings.pwm_bits),
        autozero=AutoZero() if settings.autozero else None,
        opamp_offset=_offsets(settings, at, ChipSource.OPAMP, plan.variation.opamp_offset),
        comparator_offset=_offsets(settings, at, ChipSource.OFFSET, plan.variation.comparator_offset),
    )
    chosen = choose_columns(matrix, settings)
    array = LoopArray(at.key, number, matrix, at.row_scale, tile, chosen, ())
    volts: dict[int, np.ndarray] = {}
    for activation in sorted({a for a, _ in at.ramp_groups}):
        own = [j for j in range(columns) if array.gate(j).activation == activation]
        volts |= _levels(f"{at.key}-{activation}", ramps[activation], tile, own, chosen, keep)
    gates = [array.gate(j) for j in range(columns)]
    levels = [g.full_scale * to_input_units(volts[j], ramps[g.activation].program, tile.circuit) for j, g in enumerate(gates)]
    if settings.scope != "converter":
        rng = loop_stream(settings.seed, LoopSource.DRIVE, number)
        line = keep(f"chip-{at.key}-lines", lambda: measure_integrators(array, ramps, rng))
        for j, (offset, gain) in zip(chosen, line, strict=True):
            # What the closed form of a column's integrator leaves is a line to the model: a level is where the line reaches it.
            levels[j] = (levels[j] - offset) / gain
        if settings.opamp is not None:
            array = replace(array, warnings=_of_columns(at.key, settings.opamp.name, plan.circuit, line))
    array = replace(array, levels=tuple(levels))
    if settings.calibration == "one-point":
        return array
    return _trimmed(array, ramps, arrays.profile, _stream(settings, at, ChipSource.TRIM))


def _trimmed(array: LoopArray, ramps: dict[str, LoopRamp], profile: DeviceProfile, rng: np.random.Generator) -> LoopArray:
    """The array with trimming cells that take each column's error at x = 0, its integrator's included."""
    uniform = rng.uniform(size=(array.tile.columns, TRIM_NUMBERS))
    cells, levels = np.empty((2, array.tile.columns)), []
    for j, own in enumerate(array.levels):
        gate, ramp = array.gate(j), ramps[array.gate(j).activation]
        reach = gate.full_scale * ramp.plan.column_trim_reach / ramp.volts_per_unit
        wanted = gate.full_scale * error_at(POINT, own[None] / gate.full_scale, ramp.program)
        left, pair = trimming_pairs(profile, wanted, reach, uniform[j : j + 1])
        cells[:, j] = pair[0] * reach / (profile.g_max - profile.g_min) * array.tile.scale
        levels.append(own - (wanted - left))
    crossbar = Crossbar(np.concatenate([array.tile.crossbar.conductance, cells]), r_row=0.0, r_col=0.0)
    return replace(array, tile=array.tile.with_(crossbar=crossbar), levels=tuple(levels))


def _of_columns(key: str, name: str, circuit: RampCircuit, line: np.ndarray) -> tuple[str, ...]:
    """That C_f of the columns is sized for our op-amp, and what gains they have with the user's."""
    sized = f"the gain {circuit.a0:.4g} and the GBW {circuit.gbw / 1e6:.4g} MHz of our op-amp"
    found = f"{line[:, 1].min():.4g} to {line[:, 1].max():.4g} of their inputs, which the model takes over"
    return (f"array {key}: C_f of the columns is sized for {sized}; with {name} they integrate {found}",)


def check_columns(network: Network, settings: LoopSettings) -> None:
    """Raise `InputError` if a gate or column asked for is not the network's, or if nothing would be simulated."""
    matrices = [m for layer in network.layers for m in layer.cell.matrices if not m.digital]
    gates = dict.fromkeys(g.name for m in matrices for g in m.gates)
    if bad := [g for g in settings.gates or () if g not in gates]:
        raise InputError(f"gate {bad[0]!r}: the network has no such converted gate; it has {', '.join(gates)}")
    if not any(len(choose_columns(m, settings)) for m in matrices):
        raise InputError(
            f"columns={settings.columns}, gates={settings.gates}: have no column in common; nothing would be simulated"
        )


def choose_columns(matrix: Matrix, settings: LoopSettings) -> np.ndarray:
    """Columns of a matrix that ngspice simulates, increasing; none if the gates asked for are not its own."""
    n = len(matrix.gates) * matrix.width
    named = [g.name for g in matrix.gates]
    if settings.columns is not None:
        if bad := [j for j in settings.columns if not 0 <= j < n]:
            raise InputError(f"columns: {bad[0]} is not among the columns of matrix {matrix.name}, 0..{n - 1}")
        columns = np.array(sorted(settings.columns))
    elif settings.level == "sky130":
        each = min(SKY130_COLUMNS_A_GATE, matrix.width)
        columns = np.array([g * matrix.width + i * (matrix.width // each) for g in range(len(named)) for i in range(each)])
    else:
        columns = np.arange(n)
    if settings.gates is None:
        return columns
    return columns[[named[j // matrix.width] in settings.gates for j in columns]]


def _levels(name: str, ramp: LoopRamp, tile: Tile, columns: list[int], chosen: np.ndarray, keep: Keep) -> dict[int, np.ndarray]:
    """Levels of the columns on a ramp, volts: measured where they are simulated, elsewhere the ramp's own plus the offset."""
    own = [j for j in columns if j in chosen]

    def measured() -> np.ndarray:
        """Levels of the simulated columns and, last, of a column without offset."""
        offset = np.append(tile.comparator_offset[own], 0.0)
        chips = Chips(
            np.repeat(ramp.column.conductance, len(offset), axis=0), np.repeat(ramp.column.opamp_offset, len(offset)), offset
        )
        guess = ramp.expected + offset[:, None]
        span = None if ramp.plan.blocks.linear else EXPECTED_WELL
        found = measure(ramp.plan.converter, chips, guess=guess, span=span, held=ramp.plan.held)
        if bad := [i for i, s in enumerate(found.status) if s != "ok"]:
            where = "its own levels" if bad[0] == len(own) else f"column {own[bad[0]]}"
            raise ToolkitError(f"{name} ramp, {where}: {found.status[bad[0]]} ({found.message[bad[0]]})")
        return found.volts

    volts = keep(f"chip-{name}-levels", measured)
    out = {j: volts[-1] + tile.comparator_offset[j] for j in columns}
    return out | dict(zip(own, volts, strict=False))


def describe_chip(chip: LoopChip) -> dict[str, Any]:
    """What was drawn, for the summary."""
    return {
        "arrays": [
            {
                "array": a.key,
                "columns": a.tile.columns,
                "simulated": len(a.chosen),
                "cells": int(a.tile.crossbar.conductance.size),
                "offset_rms_v": float(np.sqrt(np.mean(a.tile.comparator_offset**2))),
            }
            for a in chip.arrays.values()
        ],
        "ramps": sorted(chip.ramps),
    }
