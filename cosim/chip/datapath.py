"""The datapath of one cell on one chip: pulse widths, sums on the arrays, conversions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cosim.network import exact_activation

from .converters import Converters
from .draw import ArraySum, ChipCell, ChipMatrix
from .hardware import Hardware
from .units import ConvertedColumns


class ChipPath:
    """As `cosim.network.cells.Datapath`. Results of a product are overwritten by the next product of the same matrix."""

    def __init__(self, chip: ChipCell, hardware: Hardware, engine: str, dtype: type) -> None:
        self.cell = chip.cell
        self.chip = chip
        self.hardware = hardware
        self.engine = engine
        self.dtype = dtype
        self._counters = np.zeros(0, np.uint32)
        self._step = 0
        self._buffers: dict[tuple[str, int], np.ndarray] = {}
        self._gates = {name: [(g.name, m.matrix.columns(g.name)) for g in m.matrix.gates] for name, m in chip.matrices.items()}

    def at(self, counters: np.ndarray, step: int) -> None:
        self._counters, self._step = counters, step

    def product(self, matrix: str, *parts: np.ndarray) -> Mapping[str, np.ndarray]:
        m = self.chip.matrices[matrix]
        rows = self.driven(m, parts)
        z = self._buffer(f"{matrix} sums", m.matrix.shape[1], rows.shape[1])
        self._sum(m.sums[0], rows, z)
        for further in m.sums[1:]:
            z += self._sum(further, rows, self._buffer(f"{matrix} partial", *z.shape))
        self.convert(m, rows, z)
        return {name: z[columns] for name, columns in self._gates[matrix]}

    def driven(self, m: ChipMatrix, parts: Sequence[np.ndarray]) -> np.ndarray:
        """What drives the rows of a matrix, as rounded as pulse widths are, shape (rows, sequences)."""
        rows = self._buffer(f"{m.matrix.name} rows", m.matrix.shape[0], parts[0].shape[1])
        start = 0
        for i, part in enumerate(parts):
            stop = start + len(part)
            if m.ranges is None or self.hardware.pwm is None:
                rows[start:stop] = part
            else:
                rows[start:stop] = self.hardware.pwm.quantize(part, m.ranges[i])
            start = stop
        if m.matrix.bias:
            rows[-1] = 1.0
        return rows

    def convert(self, m: ChipMatrix, rows: np.ndarray, z: np.ndarray) -> None:
        """Turns the columns' sums (columns, sequences) into outputs, in place."""
        for unit in m.units:
            columns = z[unit.columns]
            if isinstance(unit, ConvertedColumns):
                self._convert(unit.bank, columns)
            else:
                columns[:] = unit.compute(columns)

    def activate(self, activation: str, values: np.ndarray) -> np.ndarray:
        bank = self.chip.state_units.get(activation)
        if bank is None:
            return exact_activation(activation, values)
        out = np.array(values)
        self._convert(bank, out)
        return out

    def _sum(self, array: ArraySum, rows: np.ndarray, z: np.ndarray) -> np.ndarray:
        driven = rows[array.rows]
        np.matmul(array.weights, driven, out=z)
        if array.read_variance is not None and array.read_keys is not None:
            from . import kernels  # numba is slow to load

            variance = array.read_variance @ (driven * driven)
            if self.engine == "numba":
                kernels.add_noise(z, variance, array.read_keys, self._counters, self._step)
            else:
                noise = kernels.normals(array.read_keys, self._counters, self._step)[: len(z)]
                z += noise.astype(self.dtype) * np.sqrt(variance)
        if array.bank is not None:
            self._convert(array.bank, z)
        return z

    def _convert(self, bank: Converters, z: np.ndarray) -> None:
        """In place."""
        if self.engine == "numba":
            bank.convert_compiled(z, z, self._counters, self._step)
        else:
            z[:] = bank.convert(z, self._counters, self._step)

    def _buffer(self, name: str, rows: int, lanes: int) -> np.ndarray:
        key = (name, lanes)
        if key not in self._buffers:
            self._buffers[key] = np.empty((rows, lanes), self.dtype)
        return self._buffers[key]
