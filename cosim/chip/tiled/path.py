"""The datapath of `ChipPath` for sequences in tiles of `LANES`: the same answers, several times as fast.

An array of a tile (rows, LANES) is contiguous, so that a step's inputs, state and sums come from a core's cache; arrays of all
sequences have the tiles in front, (tiles, rows, LANES), where `ChipPath` has (rows, sequences). What cells do with their gates is
element by element, and alike for both.

`fits_tiles` says for which chips: AVX-512, float32, sums that are converted once by 31 thresholds a column at most, with
one number of noise a conversion or none, or by no ramp at all. For all others there is `ChipPath`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np

from cosim.compiled import numba_fault
from cosim.network import LayerRun, exact_activation, pool
from cosim.network.cells import LSTM, State

from ..draw import Chip, ChipCell, ChipMatrix
from ..hardware import Hardware
from ..units import ConvertedColumns, Exact
from .numpy_loop import float_loop
from .product import Tables, TileProduct
from .shared import shared_sums

LEAST_ROWS = 16
"""Sequences, and columns, from which on `Tables.convert_rows` turns squares of them."""


def fits_tiles(chip: Chip, engine: str) -> bool:
    """Whether a chip's answers can be computed in tiles."""
    if engine != "numba" or chip.dtype is not np.float32:
        return False
    from . import codes, tiles  # numba is slow to load

    cells = [cell for layer in chip.layers for cell in layer]
    return tiles.has_permutes() and all(
        not cell.state_units and len(m.matrix.parts) <= 2 and _fits(m, codes.LEVELS)
        for cell in cells
        for m in cell.matrices.values()
    )


def _fits(m: ChipMatrix, levels: int) -> bool:
    if m.thresholds is not None or len(m.sums) > 1 or m.sums[0].read_variance is not None or m.sums[0].bank is not None:
        return False
    if all(type(unit) is Exact for unit in m.units):
        return True
    bank = m.units[0].bank if isinstance(m.units[0], ConvertedColumns) and len(m.units) == 1 else None
    if bank is None or bank.shared is not None or (bank.passage and bank.sigma is not None):
        return False
    return bank.levels <= levels or bool(np.all(np.isposinf(bank.thresholds[:, levels:])))


class TiledPath:
    """As `cosim.network.cells.Datapath`. Results of a product are overwritten by the next product of the same matrix."""

    def __init__(self, chip: ChipCell, hardware: Hardware, shared: Mapping[str, np.ndarray] | None = None) -> None:
        from . import tiles  # numba is slow to load

        self.cell = chip.cell
        self._tiles = tiles
        known = shared or {}
        self._products = {n: TileProduct(self.cell, m, hardware.pwm, known.get(n)) for n, m in chip.matrices.items()}
        self._counters = np.zeros((0, 0), np.uint32)
        self.none = np.zeros((1, 0, chip.cell.n_hidden, tiles.LANES), np.float32)
        self._step = 0

    def step(self, x: np.ndarray, state: State, counters: np.ndarray, step: int) -> State:
        """The next state, in the place of the last one or not, for inputs (tiles, n_in, LANES) of sequences (tiles, LANES)."""
        self._counters, self._step = counters, step
        p = self._products["weights"] if isinstance(self.cell, LSTM) else None
        if p is None or p.tables is None or not p.by_unit:
            return self.cell.step(x, state, self)
        assert isinstance(self.cell, LSTM)
        # As `LSTM.step`, with the products of gates computed where the gates are.
        o = self._lstm(p, x[None], state, (0, 0), self.none)
        h = exact_activation(self.cell.state, state["c"], out=state["h"])
        np.multiply(h, o, out=h)
        return {"h": h, "c": state["c"]}

    def takes_steps(self) -> bool:
        """Whether several steps are one piece of code: an LSTM's without pulse widths."""
        p = self._products.get("weights")
        return p is not None and p.by_unit and p.ranges is None and self._loop() != (0, 0)

    def steps(self, x: np.ndarray, state: State, counters: np.ndarray, step: int, outputs: np.ndarray) -> None:
        """As `step` several times from a number on, inputs (steps, tiles, n_in, LANES); h of all steps into ``outputs``.

        These are (steps, tiles, units, LANES), or without tiles if they are not kept. The state is changed in place.
        """
        self._counters, self._step = counters, step
        self._lstm(self._products["weights"], x, state, self._loop(), outputs)

    def _loop(self) -> tuple[int, int]:
        return float_loop(np.tanh) if isinstance(self.cell, LSTM) and self.cell.state == "tanh" else (0, 0)

    def _lstm(self, p: TileProduct, x: np.ndarray, state: State, loop: tuple[int, int], outputs: np.ndarray) -> np.ndarray:
        """Steps of an LSTM in place; the gate o of the last."""
        h, c, t = state["h"], state["c"], p.tables
        assert t is not None
        o = p.room("o", len(c), c.shape[1])
        driven = p.driven_steps(x, h, self._step)
        end = t.values, c, o, *loop, outputs
        if t.sigma is None:
            self._tiles.lstm(*driven, t.thresholds, *end)
        else:
            self._tiles.lstm_noisy(*driven, *self._noise(t), t.thresholds, t.sigma, t.ends, *end)
        return o

    def product(self, matrix: str, *parts: np.ndarray) -> Mapping[str, np.ndarray]:
        p = self._products[matrix]
        z, t = p.room("sums", len(parts[0]), p.columns), p.tables
        # A state that is the last product's result must outlast this one.
        driven = p.driven(parts, self._step, z)
        if t is None:
            self._tiles.sums(*driven, z)
            for unit in p.units:
                assert isinstance(unit, Exact)
                z[:, unit.columns] = unit.compute(z[:, unit.columns])
        elif t.sigma is None:
            self._tiles.product(*driven, t.thresholds, t.values, z)
        else:
            self._tiles.product_noisy(*driven, *self._noise(t), t.thresholds, t.sigma, t.ends, t.values, z)
        return {name: z[:, columns] for name, columns in p.gates}

    def activate(self, activation: str, values: np.ndarray) -> np.ndarray:
        return exact_activation(activation, values)

    def _noise(self, t: Tables) -> tuple[np.ndarray, np.ndarray, np.uint32]:
        return t.keys, np.ascontiguousarray(self._counters), np.uint32(self._step)


def row_tables(m: ChipMatrix, dtype: np.dtype | type) -> Tables | None:
    """Tables of a matrix whose sums, sequence by sequence, are converted without noise by AVX-512; None for all others."""
    if numba_fault():
        return None
    from . import codes, tiles  # numba is slow to load

    if np.dtype(dtype) != np.float32 or not tiles.has_permutes() or not _fits(m, codes.LEVELS):
        return None
    unit, columns = m.units[0], m.matrix.shape[1]
    if not isinstance(unit, ConvertedColumns) or unit.bank.sigma is not None or columns < LEAST_ROWS:
        return None
    return Tables.of(unit.bank, np.arange(columns), columns)


def tiled_run(
    chips: Sequence[Chip], x: np.ndarray, active: np.ndarray, counters: np.ndarray, pooling: str, threads: int
) -> Callable[[Chip], np.ndarray]:
    """What runs any of these chips on inputs (steps, n_in, lanes), as `cosim.network.run_network`; sums in common are done here."""
    whole = in_tiles(x) if chips else x
    shared = shared_sums(chips, whole, active, threads)

    def run(chip: Chip) -> np.ndarray:
        paths = [
            [TiledPath(cell, chip.hardware, None if depth else shared[d]) for d, cell in enumerate(layer)]
            for depth, layer in enumerate(chip.layers)
        ]
        return run_tiled_network(paths, whole, active, counters, pooling)

    return run


def in_tiles(x: np.ndarray) -> np.ndarray:
    """Arrays (steps, rows, sequences) as (steps, tiles, rows, LANES)."""
    from . import tiles  # numba is slow to load

    steps, rows, lanes = x.shape
    return np.ascontiguousarray(x.reshape(steps, rows, lanes // tiles.LANES, tiles.LANES).transpose(0, 2, 1, 3))


def side_by_side(x: np.ndarray) -> np.ndarray:
    """Arrays (..., tiles, rows, LANES) as (..., rows, sequences)."""
    *lead, count, rows, lanes = x.shape
    return np.moveaxis(x, -3, -2).reshape(*lead, rows, count * lanes)


def run_tiled_network(
    paths: Sequence[Sequence[TiledPath]], x: np.ndarray, active: np.ndarray, counters: np.ndarray, pooling: str
) -> np.ndarray:
    """As `cosim.network.run_network`, from inputs (steps, tiles, n_in, LANES)."""
    parts: list[LayerRun] = []
    for depth, layer in enumerate(paths):
        keep = depth < len(paths) - 1 or pooling != "h_n"
        parts = [_run_layer(p, x, active, counters, backward=d == 1, keep=keep) for d, p in enumerate(layer)]
        if keep:
            x = parts[0].outputs if len(parts) == 1 else np.concatenate([p.outputs for p in parts], axis=2)
    flat = [LayerRun(side_by_side(p.outputs), side_by_side(p.last), p.state) for p in parts]
    return pool(flat, active, pooling)


def _run_layer(path: TiledPath, x: np.ndarray, active: np.ndarray, counters: np.ndarray, *, backward: bool, keep: bool) -> LayerRun:
    """As `cosim.network.run_layer`."""
    cell, lanes = path.cell, x.shape[3]
    one = cell.start(lanes, x.dtype)
    count = x.shape[1]
    state: State = {name: np.repeat(v[None], count, axis=0) for name, v in one.items()}
    outputs = np.zeros((len(active) if keep else 0, count, cell.n_out, lanes), x.dtype)
    last = np.zeros((count, cell.n_out, lanes), x.dtype)
    numbers = counters.reshape(count, lanes)
    running = 0
    several = not backward and path.takes_steps()
    for t, stop in _spans(active, backward=backward, several=several):
        n = int(active[t])
        m = -(-n // lanes)
        if backward and n > running:
            # Lanes that were only carried along until now begin here.
            fresh = {name: np.repeat(v[None], m, axis=0) for name, v in one.items()}
            for name, values in state.items():
                _copy_lanes(values, fresh[name], 0, running)
            state, running = fresh, n
        state = {name: values[:m] for name, values in state.items()}
        if several:
            path.steps(x[t:stop], state, numbers[:m], t, outputs[t:stop] if keep else path.none)
        else:
            state = path.step(x[t, :m], state, numbers[:m], t)
            if keep:
                outputs[t, :m] = state["h"]
        following = 0 if stop == len(active) else int(active[stop])
        if not backward and following < n:
            _copy_lanes(state["h"], last, following, n)
    if backward:
        _copy_lanes(state["h"], last, 0, running)
    return LayerRun(outputs, last, state)


def _spans(active: np.ndarray, *, backward: bool, several: bool) -> Iterator[tuple[int, int]]:
    """First step and end of what runs in one go: a step, or several with the same sequences."""
    steps = range(len(active))
    if backward or not several:
        yield from ((t, t + 1) for t in (reversed(steps) if backward else steps))
        return
    yield from pairwise([0, *(np.flatnonzero(np.diff(active)) + 1).tolist(), len(active)])


def _copy_lanes(source: np.ndarray, target: np.ndarray, start: int, stop: int) -> None:
    """The sequences ``start`` to ``stop`` of arrays in tiles."""
    lanes = source.shape[2]
    for tile in range(start // lanes, -(-stop // lanes)):
        these = slice(max(start - tile * lanes, 0), min(stop - tile * lanes, lanes))
        target[tile, :, these] = source[tile, :, these]
