"""Builds a chip from its parts: goes through layers, directions and matrices."""

from __future__ import annotations

import numpy as np

from cosim.network import Network
from cosim.network.cells import Gate

from ..hardware import Hardware
from ..mapping import (
    MatrixPlace,
    cell_places,
)
from ..units import Exact
from .chip import ArraySum, Chip, ChipCell, ChipMatrix, ChipParts
from .drawn_parts import DrawnParts


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
