"""Fitted blocks of a network's columns, drawn for a chip: offsets of op-amps and comparators, and the levels that columns meet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from characterization.compact import decision_times
from characterization.ramp_model import RampModel
from netlists.converter import charge_capacitance

from ..column_effects import FAR
from ..hardware import Hardware
from ..mapping import MatrixPlace, mapped_pairs


@dataclass(frozen=True, eq=False)
class DrawnColumns:
    """Fitted blocks of the columns of one matrix on one chip; volts, shapes (columns,)."""

    hardware: Hardware
    offset: np.ndarray
    comparator_offset: np.ndarray
    noise: np.ndarray

    @classmethod
    def draw(
        cls, at: MatrixPlace, hardware: Hardware, op_amps: np.random.Generator, comparators: np.random.Generator
    ) -> DrawnColumns:
        """The blocks of the columns that ramps convert."""
        fitted, arrays, width = hardware.columns, hardware.arrays, at.matrix.shape[1]
        assert fitted is not None
        assert arrays is not None
        mapped, feedback = mapped_pairs(at, arrays), np.ones(width)
        for (activation, full_scale), columns in at.ramp_groups.items():
            program = hardware.program(activation)
            feedback[columns] = charge_capacitance(program, fitted.circuit, fitted.pwm, mapped.scale, full_scale=full_scale)
        offset = fitted.offsets(mapped.load, feedback, op_amps)
        own = np.zeros(width)
        if fitted.comparator is not None:
            own = fitted.comparator.sample(1, comparators, n_columns=width).offset[0]
        return cls(hardware, offset, own, fitted.autozero_noise(mapped.load, feedback))

    def seen(self, activation: str, columns: slice, levels: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Levels (columns, levels) and noise of conversions as pre-activations meet them, the ramp's units."""
        fitted, program = self.hardware.columns, self.hardware.program(activation)
        assert fitted is not None
        volts = program.volts_per_unit(fitted.circuit)
        comparator = None if isinstance(self.hardware.ramp(activation), RampModel) else fitted.comparator
        v = levels * volts
        if comparator is not None:
            step = np.abs(np.diff(program.x, prepend=2 * program.x[0] - program.x[1] if len(program.x) > 1 else -np.inf)) * volts
            v = (
                v
                + self.comparator_offset[columns, None]
                - comparator.late(decision_times(comparator, program, fitted.circuit), step)
            )
            noise = np.hypot(noise, comparator.noise.value / volts)
        # One noise for all columns of a bank: that of the mean column.
        noise = np.hypot(noise, float(np.sqrt(np.mean(self.noise[columns] ** 2))) / volts)
        return np.clip(fitted.met_at(v, self.offset[columns]) / volts, -FAR, FAR), noise
