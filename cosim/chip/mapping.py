"""Where a network's weights lie: the inputs that take the longest pulse, the cells of each matrix, the columns of each ramp."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cosim.network import Layer, Network
from cosim.network.cells import Cell, Gate, Matrix
from netlists.converter import charge_capacitance, feedback_capacitance
from netlists.errors import InputError
from netlists.technology import noise

from .arrays import Arrays
from .column_effects import column_gains, offset_rise
from .hardware import Hardware
from .pulses import PwmInputs
from .weights import bias_rows, folded, placed_cells


@dataclass(frozen=True, eq=False)
class MatrixPlace:
    """One weight matrix of a network, and where it is.

    Attributes
    ----------
    layer, direction, number : int
        ``number`` is its place among the cell's matrices.
    cell : Cell
    matrix : Matrix
    weights : ndarray (rows, columns)
    ranges : tuple of float or None
        Input of each part that takes the longest pulse; None: pulse widths are not rounded.
    """

    layer: int
    direction: int
    number: int
    cell: Cell
    matrix: Matrix
    weights: np.ndarray
    ranges: tuple[float, ...] | None

    @property
    def key(self) -> str:
        """``layer.direction.matrix``."""
        return f"{self.layer}.{self.direction}.{self.matrix.name}"

    @property
    def gates(self) -> tuple[tuple[slice, Gate], ...]:
        """Columns of each gate, in order."""
        return tuple((self.matrix.columns(g.name), g) for g in self.matrix.gates)

    @property
    def row_scale(self) -> np.ndarray:
        """Input that takes each row's longest pulse, shape (rows,); the cells of a row hold its weights times this."""
        out = np.ones(len(self.weights))
        if self.ranges is not None:
            out[: len(out) - self.matrix.bias] = np.repeat(self.ranges, [n for _, n in self.matrix.parts])
        return out

    @property
    def ramp_groups(self) -> dict[tuple[str, float], np.ndarray]:
        """Numbers of the columns that share a ramp and its scale, by activation and full scale."""
        everything = np.arange(self.matrix.shape[1])
        kinds = dict.fromkeys((g.activation, g.full_scale) for g in self.matrix.gates)
        return {k: np.concatenate([everything[c] for c, g in self.gates if (g.activation, g.full_scale) == k]) for k in kinds}


def matrix_places(network: Network, pwm: PwmInputs | None, *, digital: bool = False) -> Iterator[MatrixPlace]:
    """The matrices of a network in the order of its layers and directions; ``digital`` includes those on no array."""
    for depth, layer in enumerate(network.layers):
        for direction in range(len(layer.directions)):
            yield from (at for at in cell_places(network, depth, direction, pwm) if digital or not at.matrix.digital)


def cell_places(network: Network, depth: int, direction: int, pwm: PwmInputs | None) -> Iterator[MatrixPlace]:
    """All matrices of one direction of a layer, digital ones included."""
    layer = network.layers[depth]
    parameters = layer.directions[direction]
    for number, m in enumerate(layer.cell.matrices):
        yield MatrixPlace(depth, direction, number, layer.cell, m, parameters[m.name], _ranges(network, depth, direction, m, pwm))


def _ranges(network: Network, depth: int, direction: int, matrix: Matrix, pwm: PwmInputs | None) -> tuple[float, ...] | None:
    if pwm is None or matrix.digital:
        return None
    if network.formats:
        # The longest pulse of so many bits stands for the largest number of as many.
        share = 1.0 if pwm.bits is None else pwm.max_code / (pwm.max_code + 1)
        return tuple(
            share * 2.0 ** network.formats[f"{depth}.{direction}.{matrix.name}.{name}"].exponent for name, _ in matrix.parts
        )
    state = pwm.state_range or network.layers[depth].cell.state_range
    below = (pwm.state_range or network.layers[depth - 1].cell.state_range) if depth else pwm.full_input
    return tuple(below if name == "x" else state for name, _ in matrix.parts)


def with_weights(network: Network, change: Callable[[MatrixPlace], np.ndarray], pwm: PwmInputs | None = None) -> Network:
    """The network with other weights on its crossbars; digital matrices, readout and embedding stay as they are."""
    layers = []
    for depth, layer in enumerate(network.layers):
        directions = [
            {at.matrix.name: at.weights if at.matrix.digital else change(at) for at in cell_places(network, depth, d, pwm)}
            for d in range(len(layer.directions))
        ]
        layers.append(Layer(layer.cell, *directions))
    return network.with_layers(layers)


def converted_columns(network: Network, hardware: Hardware | None = None) -> dict[str, int]:
    """Columns that a ramp of each activation converts, in the network's order.

    Parameters
    ----------
    hardware : Hardware or None
        One without ramps converts none; one whose state units are ramps has columns for digital values too. None: the crossbars'.
    """
    out: dict[str, int] = {}
    if hardware is not None and hardware.bits is None and hardware.ramps is None:
        return out
    for layer in network.layers:
        used = [(g.activation, m.width) for m in layer.cell.matrices if not m.digital for g in m.gates]
        if hardware is not None and hardware.state_unit == "ramp":
            used += [(a, layer.cell.n_hidden) for a in layer.cell.digital_activations]
        for activation, width in used * len(layer.directions):
            out[activation] = out.get(activation, 0) + width
    return out


@dataclass(frozen=True, eq=False)
class MappedPairs:
    """A matrix on pairs of rows of cells, as it is to be programmed.

    Attributes
    ----------
    conductance : ndarray (2 rows, columns)
        Siemens; the bias may have several rows.
    scale : float
        Siemens per unit of a weight times its row's scale, as the columns' ends are taken to see them.
    gain : float
        By how much that is below the scale of the same range on ideal wires.
    load : ndarray (columns,)
        Sum of the conductances of each column, siemens.
    """

    conductance: np.ndarray
    scale: float
    gain: float
    load: np.ndarray


def mapped_pairs(at: MatrixPlace, arrays: Arrays, arrives: np.ndarray | None = None) -> MappedPairs:
    """The cells of a matrix as pairs of rows; its largest scaled weight takes the whole conductance range on ideal wires.

    Raises
    ------
    InputError
        Arrays whose pairs lie along a row.
    """
    if arrays.layout != "rows":
        raise InputError(f"arrays: layout={arrays.layout!r}: what is asked for is of pairs along a column; take layout rows")
    connected = at.matrix.connected()
    pairs = placed_cells(at.weights * at.row_scale[:, None], connected, arrays, bias=at.matrix.bias, arrives=arrives)
    there = np.repeat(connected, 2, axis=0)
    load = np.where(there, folded(pairs.conductance, len(connected), "rows"), 0.0).sum(axis=0)
    return MappedPairs(pairs.conductance, pairs.scale, pairs.gain, load)


def wire_losses(network: Network, hardware: Hardware) -> list[dict[str, Any]]:
    """What the wires leave of each matrix, and what making them good costs; empty without wires.

    Returns
    -------
    list of dict
        ``matrix`` (its key), ``compensate``, ``range_left`` (part of the conductance range on ideal wires that a unit of weight is
        left with), ``cell_errors_weigh`` (its inverse), ``weight_error`` (rms error that is left in the weights of perfect cells,
        relative to their rms).
    """
    arrays = hardware.arrays
    if arrays is None or not arrays.wired:
        return []
    rows = []
    for at in matrix_places(network, hardware.pwm):
        pairs = placed_cells(at.weights * at.row_scale[:, None], at.matrix.connected(), arrays, bias=at.matrix.bias)
        row = {"matrix": at.key, "compensate": arrays.compensate, "range_left": 1 / pairs.gain, "cell_errors_weigh": pairs.gain}
        rows.append(row | {"weight_error": pairs.error})
    return rows


def split_biases(network: Network, hardware: Hardware) -> dict[str, int]:
    """Rows of the bias of each matrix whose bias has more than one, by the matrix's key."""
    arrays = hardware.arrays
    if arrays is None:
        return {}
    places = matrix_places(network, hardware.pwm)
    rows = {at.key: bias_rows(at.weights * at.row_scale[:, None], arrays, bias=at.matrix.bias) for at in places}
    return {key: n for key, n in rows.items() if n > 1}


def describe_split_biases(rows: Mapping[str, int]) -> list[str]:
    """For reading, a line a matrix."""
    return [
        f"bias of {key}: shared by {n} rows, so that it leaves the conductance range to the other weights"
        for key, n in rows.items()
    ]


def describe_wire_losses(rows: Sequence[dict[str, Any]]) -> list[str]:
    """For reading, a line a matrix."""
    made_good = {"none": "not made good", "mean": "made good by one gain", "wires": "made good by the cells' targets"}
    return [
        f"wires of matrix {r['matrix']}: {made_good[r['compensate']]}; a unit of weight has {100 * r['range_left']:.0f} % of the "
        f"range (errors of cells weigh {r['cell_errors_weigh']:.2f} times), {100 * r['weight_error']:.2g} % rms error left"
        for r in rows
    ]


def integrator_shifts(at: MatrixPlace, hardware: Hardware, normal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What offsets of the integrators add to each column's pre-activation, and their rms noise, units of its ramp.

    Parameters
    ----------
    normal : ndarray (columns,)
        Normal numbers of the columns' op-amps.

    Returns
    -------
    shift, noise : ndarray (columns,)
    """
    arrays, integrators = hardware.arrays, hardware.integrators
    shift, noise = np.zeros(len(normal)), np.zeros(len(normal))
    if arrays is None or integrators is None or not (integrators.shifting or integrators.offset_noise):
        return shift, noise
    mapped, circuit, pwm = mapped_pairs(at, arrays), integrators.circuit, integrators.pwm
    for (activation, full_scale), columns in at.ramp_groups.items():
        program = hardware.program(activation)
        charge = charge_capacitance(program, circuit, pwm, mapped.scale, full_scale=full_scale)
        rise = offset_rise(mapped.load[columns], charge, pwm.duration)
        volts = (integrators.common_offset + integrators.offset * normal[columns]) * rise
        volts = volts + (integrators.reset_charge + integrators.reset_area * mapped.load[columns]) / charge
        shift[columns] = volts / program.volts_per_unit(circuit)
        noise[columns] = integrators.offset_noise * rise / program.volts_per_unit(circuit)
    return shift, noise


def integrator_gains(at: MatrixPlace, hardware: Hardware, faster: float = 1.0, arrives: np.ndarray | None = None) -> np.ndarray:
    """Gain of each column of a matrix against the mean column of its ramp's group, shape (columns,).

    ``faster`` is how many times as fast the op-amps of this matrix are; ``arrives`` as for `cosim.chip.effective_weights`.
    """
    arrays, integrators = hardware.arrays, hardware.integrators
    out = np.ones(at.matrix.shape[1])
    if arrays is None or integrators is None or not (integrators.settling or integrators.inverse_gain):
        return out
    mapped = mapped_pairs(at, arrays, arrives)
    for (activation, full_scale), columns in at.ramp_groups.items():
        out[columns] = column_gains(
            mapped.load[columns],
            charge_capacitance(
                hardware.program(activation), integrators.circuit, integrators.pwm, mapped.scale, full_scale=full_scale
            ),
            integrators.pwm.duration,
            settling=integrators.settling / faster,
            resistance=integrators.resistance / faster,
            inverse_gain=integrators.inverse_gain,
        )
    return out


def integrator_noise(at: MatrixPlace, hardware: Hardware) -> np.ndarray:
    """Rms noise that each column's integrator has gathered when it is converted, units of a pre-activation, shape (columns,).

    All cells lie at the summing node as long as pulses may last: the op-amp's noise and the heat of the cells integrate, and the
    reset leaves kT/C (`netlists.technology.noise`). What the op-amp adds at a decision is the ramp's, as the comparator's noise.
    """
    arrays, integrators = hardware.arrays, hardware.integrators
    out = np.zeros(at.matrix.shape[1])
    if arrays is None or integrators is None or not (integrators.opamp_noise or integrators.heat):
        return out
    mapped, circuit, time = mapped_pairs(at, arrays), integrators.circuit, integrators.pwm.duration
    for (activation, full_scale), columns in at.ramp_groups.items():
        program, load = hardware.program(activation), mapped.load[columns]
        charge = charge_capacitance(program, circuit, integrators.pwm, mapped.scale, full_scale=full_scale)
        c_f = feedback_capacitance(charge, float(load.mean()), circuit.opamp_settling, circuit.opamp_resistance)
        c_f = max(c_f, 0.1 * charge)
        unity = integrators.opamp_noise
        density = noise.OPAMP_DENSITY / noise.OPAMP_NOISE * unity
        variance = np.maximum(noise.opamp_noise(unity, circuit.gbw, load, c_f, time, density) ** 2 - unity**2, 0.0)
        if heat := integrators.heat:
            variance = variance + noise.thermal_noise(load, c_f, time, heat) ** 2 + noise.reset_noise(c_f, heat) ** 2
        out[columns] = np.sqrt(variance) * full_scale / program.volts_per_unit(circuit)
    return out
