"""The datapath of one cell on one chip: pulse widths, sums on the arrays, conversions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cosim.network import exact_activation
from cosim.network.cells import State

from .converters import Converters
from .draw import ChipCell, ChipMatrix
from .hardware import Hardware
from .pulses import PulseCount, keep_rows
from .units import ConvertedColumns


class ChipPath:
    """As `cosim.network.cells.Datapath`. Results of a product are overwritten by the next product of the same matrix.

    Parameters
    ----------
    key : str
        ``layer.direction``, by which pulses are counted.
    count : PulseCount or None
        Counts the pulses on the rows; the hardware has pulse widths then.
    """

    def __init__(
        self, chip: ChipCell, hardware: Hardware, engine: str, dtype: type, key: str = "0.0", count: PulseCount | None = None
    ) -> None:
        self.cell = chip.cell
        self.chip = chip
        self.hardware = hardware
        self.engine = engine
        self.dtype = dtype
        self._name, self._count = key, count
        self._counters = np.zeros(0, np.uint32)
        self._step, self._running = 0, 0
        self._kept: State = {}
        self._buffers: dict[tuple[str, int], np.ndarray] = {}
        self._gates = {name: [(g.name, m.matrix.columns(g.name)) for g in m.matrix.gates] for name, m in chip.matrices.items()}

    def start(self, lanes: int, dtype: np.dtype | type) -> State:
        """The cell's states; with delta inputs also what each row stands for, and the noise that pulses have left in the sums."""
        out = self.cell.start(lanes, dtype)
        for name, m in self.chip.matrices.items():
            if m.thresholds is not None:
                out[f"{name} held"] = np.zeros((m.matrix.shape[0], lanes), dtype)
                for i, array in enumerate(m.sums):
                    if array.read_variance is not None:
                        out[f"{name} noise {i}"] = np.zeros((len(array.weights), lanes), dtype)
        return out

    def at(self, counters: np.ndarray, step: int, state: State, running: int) -> None:
        self._counters, self._step, self._kept, self._running = counters, step, state, running

    def product(self, matrix: str, *parts: np.ndarray) -> Mapping[str, np.ndarray]:
        m = self.chip.matrices[matrix]
        rows = self.driven(m, parts)
        pulses = rows if m.thresholds is None else self._keep(m, rows)
        if self._count is not None and m.ranges is not None:
            self.tally(self._count, m, pulses)
        if m.thresholds is not None:
            rows = self._kept[f"{matrix} held"]
        z = self._buffer(f"{matrix} sums", m.matrix.shape[1], rows.shape[1])
        self._sum(m, 0, rows, pulses, z)
        for i in range(1, len(m.sums)):
            z += self._sum(m, i, rows, pulses, self._buffer(f"{matrix} partial", *z.shape))
        self.convert(m, rows, z)
        return {name: z[columns] for name, columns in self._gates[matrix]}

    def driven(self, m: ChipMatrix, parts: Sequence[np.ndarray]) -> np.ndarray:
        """What is on the rows of a matrix, as rounded as pulse widths are, shape (rows, sequences)."""
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

    def _keep(self, m: ChipMatrix, rows: np.ndarray) -> np.ndarray:
        """Brings what the rows stand for up to date; returns the differences that drive them."""
        assert m.thresholds is not None
        held, change = self._kept[f"{m.matrix.name} held"], self._buffer(f"{m.matrix.name} change", *rows.shape)
        places = [(m.matrix.rows(name), t) for (name, _), t in zip(m.matrix.parts, m.thresholds, strict=True)]
        # The bias changes once, at a sequence's start.
        places += [(slice(len(rows) - 1, len(rows)), 0.0)] if m.matrix.bias else []
        for place, threshold in places:
            if self.engine == "numba":
                from . import kernels  # numba is slow to load

                kernels.keep_rows(rows[place], held[place], rows.dtype.type(threshold), change[place])
            else:
                change[place] = keep_rows(rows[place], held[place], threshold)
        return change

    def tally(self, count: PulseCount, m: ChipMatrix, pulses: np.ndarray) -> None:
        """Counts the pulses of the sequences that run."""
        assert m.ranges is not None
        for (name, _), full_scale in zip(m.matrix.parts, m.ranges, strict=True):
            count.add(f"{self._name}.{m.matrix.name}", name, pulses[m.matrix.rows(name), : self._running], full_scale)
        if m.matrix.bias:
            count.add(f"{self._name}.{m.matrix.name}", "bias", pulses[-1:, : self._running], 1.0)

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

    def _sum(self, m: ChipMatrix, number: int, rows: np.ndarray, pulses: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Sums of one array: what its rows stand for, with the noise of the pulses; that of earlier ones stays in kept charge."""
        array = m.sums[number]
        np.matmul(array.weights, rows[array.rows], out=z)
        if array.read_variance is not None and array.read_keys is not None:
            driven = pulses[array.rows]
            noisy = self._kept.get(f"{m.matrix.name} noise {number}", z)
            self._add_noise(noisy, array.read_variance @ (driven * driven), array.read_keys)
            if noisy is not z:
                z += noisy
        if array.bank is not None:
            self._convert(array.bank, z)
        return z

    def _add_noise(self, z: np.ndarray, variance: np.ndarray, keys: np.ndarray) -> None:
        """In place."""
        from . import kernels  # numba is slow to load

        if self.engine == "numba":
            kernels.add_noise(z, variance, keys, self._counters, self._step)
        else:
            noise = kernels.normals(keys, self._counters, self._step)[: len(z)]
            z += noise.astype(self.dtype) * np.sqrt(variance)

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
