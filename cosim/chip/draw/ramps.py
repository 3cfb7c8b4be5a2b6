"""The ramps of one chip, and what the columns that share one have of their own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from characterization.chips import POINT, error_at, trimmed
from characterization.plan import RampPlan
from characterization.ramp_model import RampDraw, RampModel
from characterization.streams import chip_ramp_stream
from cosim.network import Network
from cosim.network.cells import Gate
from netlists.errors import InputError

from ..circuit_ramps import CircuitRamp, check_own_ramps, own_circuit
from ..hardware import Hardware
from ..mapping import (
    MatrixPlace,
    converted_columns,
)

OWN_RAMPS = 64
"""Number of the first ramp of a gate of its own, in the order of their names; those of activations are counted from 0."""


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


class ChipRamps:
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
        shared, name = self.circuits.get(gate.activation), full_name(at, gate)
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
        name = full_name(at, gate)
        number = OWN_RAMPS + sorted(self.own).index(name) if name in self.own else self.number[gate.activation]
        circuit = self.circuit(at, gate)
        assert circuit is not None
        return circuit.levels(self.seed, number, self.index)

    def values(self, at: MatrixPlace | None, gate: Gate, values: np.ndarray) -> np.ndarray:
        """What the codes of a gate stand for: ``values``, or those of its own ramp."""
        own = self.own.get(full_name(at, gate))
        return values if own is None else np.array(own.values)

    def take(self, at: MatrixPlace | None, gate: Gate, columns: int) -> tuple[RampDraw, np.ndarray] | None:
        """The ramp and the thresholds (columns, levels) of the next columns, offsets included; None for exact."""
        activation = gate.activation
        draw = self.draws[activation]
        start = self.used[activation]
        self.used[activation] += columns
        if draw is None:
            return None
        if (own := self.own.get(full_name(at, gate))) is not None:
            levels = np.array([own.thresholds])
            return RampDraw(activation, own.bits, levels, np.zeros((1, 1)), np.zeros(()), np.array(own.values)), np.repeat(
                levels, columns, axis=0
            )
        row = self.row[activation]
        offset = draw.column_offset[row]
        offsets = np.repeat(offset, columns) if len(offset) == 1 else offset[start : start + columns]
        return draw, draw.thresholds[row] + self.hardware.read_gain * offsets[:, None]


def full_name(at: MatrixPlace | None, gate: Gate) -> str:
    """Name of a gate in its network; empty for activations of digital values."""
    return "" if at is None else f"{at.key}.{gate.name}"
