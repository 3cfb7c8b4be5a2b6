"""What each sequence of a data set makes of the arrays: pulses on the rows, and how far the ramps of its conversions run.

A column of code k latches at the ramp's step k + 1; a ramp that stops early stops with the last column of its tile.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from threadpoolctl import threadpool_limits

from cosim.chip import (
    ChipCell,
    ChipMatrix,
    ChipPath,
    ConvertedColumns,
    Hardware,
    PulseCount,
    draw_chip,
    mapped_pairs,
    matrix_places,
)
from cosim.network import Network, padded, run_network
from cosim.tasks import SequenceSet
from netlists.errors import InputError

from .electrical import ramp_steps
from .saving import design_of


@dataclass(eq=False)
class MatrixUse:
    """What sequences make of one matrix, summed over their steps.

    Attributes
    ----------
    multiplicity : ndarray (rows,)
        Rows of the array that a row of the matrix takes: the bias may have several.
    weight : ndarray (rows,)
        Mean magnitude of a row's crossings, 0 where no weight is, as a part of the one that takes the whole conductance range.
    filled : ndarray (rows,)
        Part of a row's crossings that have cells.
    driven, width : ndarray (rows, sequences)
        Steps at which a row is driven, and its pulses as parts of the longest of an input.
    longest : ndarray (sequences,)
        The longest pulse of each step.
    steps : ndarray (sequences,)
    clocked : ndarray (sequences,)
        Ramp steps until a column latches, mean over the columns.
    held : ndarray (sequences,)
        Ramp steps until the last column of a tile latches, mean over the columns.
    last : ndarray (sequences,)
        Ramp steps until the last column of all latches.
    stops : ndarray (sequences, levels + 1)
        Part of the tiles whose ramp stops after so many steps.
    """

    multiplicity: np.ndarray
    weight: np.ndarray
    filled: np.ndarray
    driven: np.ndarray
    width: np.ndarray
    longest: np.ndarray
    steps: np.ndarray
    clocked: np.ndarray
    held: np.ndarray
    last: np.ndarray
    stops: np.ndarray

    @classmethod
    def empty(cls, multiplicity: np.ndarray, weight: np.ndarray, filled: np.ndarray, sequences: int, levels: int) -> MatrixUse:
        """Nothing counted yet."""
        driven, width = np.zeros((2, len(weight), sequences))
        longest, steps, clocked, held, last = np.zeros((5, sequences))
        stops = np.zeros((sequences, levels + 1))
        return cls(multiplicity, weight, filled, driven, width, longest, steps, clocked, held, last, stops)

    def pulse(self, sequences: np.ndarray, pulses: np.ndarray) -> None:
        """Counts the pulses (rows, some sequences) of a step, parts of the longest of an input."""
        width = np.abs(pulses)
        self.driven[:, sequences] += pulses != 0
        self.width[:, sequences] += width
        self.longest[sequences] += width.max(axis=0)

    def convert(self, sequences: np.ndarray, codes: np.ndarray, tile: int | None) -> None:
        """Counts the codes (columns, some sequences) of a step's conversions on tiles of so many columns; None: one."""
        latched = codes + 1
        starts = np.arange(0, len(codes), tile or len(codes))
        stop = np.maximum.reduceat(latched, starts, axis=0)
        columns = np.diff(np.append(starts, len(codes)))
        self.steps[sequences] += 1
        self.clocked[sequences] += latched.mean(axis=0)
        self.held[sequences] += columns @ stop / len(codes)
        self.last[sequences] += latched.max(axis=0)
        for row in stop:
            self.stops[sequences, row] += 1 / len(starts)


@dataclass(eq=False)
class SequenceUse:
    """Counts of a data set on one chip, and what the chip answers.

    Attributes
    ----------
    hardware : Hardware
    lengths : ndarray of int (sequences,)
    matrices : dict of str to MatrixUse
        By ``layer.direction.matrix``.
    correct : ndarray of bool (sequences,)
    trace : dict of str to (list of ndarray, list of ndarray), or None
        If asked for: by matrix, for each step the pulses as parts of the longest, (rows, sequences), and the codes, (columns,
        sequences); zero after a sequence's end.
    """

    hardware: Hardware
    lengths: np.ndarray
    matrices: dict[str, MatrixUse]
    correct: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    trace: dict[str, tuple[list[np.ndarray], list[np.ndarray]]] | None = None


def count_sequences(
    network: Network,
    data: SequenceSet,
    hardware: Hardware,
    bits: int,
    *,
    chip: int = 0,
    seed: int = 1,
    tile: int | None = None,
    trace: bool = False,
) -> SequenceUse:
    """Runs every sequence on a chip and counts its pulses and ramp steps.

    Parameters
    ----------
    bits : int
        Of the ramps that are counted: that of all ramps of the hardware.
    tile : int or None
        Columns whose ramps stop together; None: those of the hardware's arrays, or all of a matrix.
    trace : bool
        Whether to keep the pulses and codes of every step; for a few sequences.

    Raises
    ------
    InputError
        Hardware without ramps or without pulse widths of so many bits; data that does not fit the network.
    """
    network.check(data)
    pwm, arrays = hardware.pwm, hardware.arrays
    if pwm is None or pwm.bits is None:
        raise InputError("pwm: the energy of data is that of its pulses; give pulse widths of so many bits")
    if hardware.adc is not None or (hardware.bits is None and hardware.ramps is None):
        raise InputError("hardware: the energy of data counts the steps of ramps; give bits, or fitted ramps, and no adc")
    if network.formats:
        raise InputError("network: has fixed-point formats of its own, whose parts this count does not know")
    drawn = draw_chip(network, hardware, chip, seed)
    found = SequenceUse(hardware, data.lengths, {}, trace={} if trace else None)
    for at in matrix_places(network, pwm):
        there = at.matrix.connected()
        if arrays is None:
            scaled = np.abs(at.weights * at.row_scale[:, None])
            weight, several = scaled.mean(axis=1) / (scaled.max() or 1.0), np.ones(len(scaled))
        else:
            cells, n = mapped_pairs(at, arrays), len(at.weights)
            profile = arrays.profile
            above = cells.conductance.reshape(-1, 2, cells.conductance.shape[1]).sum(axis=1) - 2 * profile.g_min
            # Crossings without cells meet nothing.
            above[: n - 1][~there[: n - 1]] = 0.0
            pair = np.maximum(above.mean(axis=1), 0.0) / (profile.g_max - profile.g_min)
            weight, several = np.append(pair[: n - 1], pair[n - 1 :].mean()), np.append(np.ones(n - 1), len(pair) - n + 1)
        steps = max(ramp_steps(g.activation, bits) for g in at.matrix.gates)
        found.matrices[at.key] = MatrixUse.empty(several, weight, there.mean(axis=1), len(data), steps)
    order, active = data.packing()
    x: np.ndarray = np.zeros((len(active), network.n_in, padded(len(data))), drawn.dtype)
    x[:, :, : len(data)] = network.rows(data.inputs[order, : len(active)]).transpose(1, 2, 0)
    numbers = np.zeros(x.shape[2], np.uint32)
    numbers[: len(data)] = order
    size = tile or (None if arrays is None else design_of(hardware).max_columns)
    paths = [[_CountedPath(cell, found, f"{i}.{d}", size) for d, cell in enumerate(layer)] for i, layer in enumerate(drawn.layers)]
    with threadpool_limits(limits=1, user_api="blas"):
        last = run_network(paths, pwm.first(network, x), active, numbers, network.pooling)
    scores = np.empty((len(data), network.n_classes))
    scores[order] = network.read(last[:, : len(data)].astype(np.float64))
    found.correct = scores.argmax(axis=1) == data.labels
    return found


class _CountedPath(ChipPath):
    """A datapath that counts, by the numbers of the sequences."""

    def __init__(self, chip: ChipCell, found: SequenceUse, key: str, tile: int | None) -> None:
        super().__init__(chip, found.hardware, "numpy", np.float32, key, PulseCount())
        self._found, self._tile = found, tile
        self._scales: dict[str, np.ndarray] = {}
        for name, m in chip.matrices.items():
            if m.ranges is not None:
                scale = np.ones(m.matrix.shape[0])
                scale[: len(scale) - m.matrix.bias] = np.repeat(m.ranges, [n for _, n in m.matrix.parts])
                self._scales[name] = scale[:, None]

    def tally(self, count: PulseCount, m: ChipMatrix, pulses: np.ndarray) -> None:
        share = pulses[:, : self._running] / self._scales[m.matrix.name]
        self._found.matrices[self._key(m)].pulse(self._sequences, share)
        self._keep_step(m, 0, share)

    def convert(self, m: ChipMatrix, rows: np.ndarray, z: np.ndarray) -> None:
        codes = [u.bank.codes(z[u.columns], self._counters, self._step) for u in m.units if isinstance(u, ConvertedColumns)]
        if codes:
            running = np.concatenate(codes)[:, : self._running]
            self._found.matrices[self._key(m)].convert(self._sequences, running, self._tile)
            self._keep_step(m, 1, running)
        super().convert(m, rows, z)

    @property
    def _sequences(self) -> np.ndarray:
        """Numbers of the sequences that run."""
        return self._counters[: self._running].astype(int)

    def _keep_step(self, m: ChipMatrix, kind: int, values: np.ndarray) -> None:
        if self._found.trace is not None:
            whole = np.zeros((len(values), len(self._found.lengths)), values.dtype)
            whole[:, self._sequences] = values
            self._found.trace.setdefault(self._key(m), ([], []))[kind].append(whole)

    def _key(self, m: ChipMatrix) -> str:
        return f"{self._name}.{m.matrix.name}"
