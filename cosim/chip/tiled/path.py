"""The datapath of `ChipPath` for sequences in tiles of `LANES`: the same answers, several times as fast.

An array of a tile (rows, LANES) is contiguous, so that a step's inputs, state and sums come from a core's cache; arrays of all
sequences have the tiles in front, (tiles, rows, LANES), where `ChipPath` has (rows, sequences). What cells do with their gates is
element by element, and alike for both.

`fits_tiles` says for which chips: AVX-512, float32, sums that are converted once by 31 thresholds a column at most, with
one number of noise a conversion or none, or by no ramp at all. For all others there is `ChipPath`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cosim.network import LayerRun, exact_activation, pool
from cosim.network.cells import LSTM, State

from ..converters import Converters
from ..draw import Chip, ChipCell, ChipMatrix
from ..hardware import Hardware
from ..pulses import PwmInputs
from ..units import ConvertedColumns, Exact


def fits_tiles(chip: Chip, engine: str) -> bool:
    """Whether a chip's answers can be computed in tiles."""
    if engine != "numba" or chip.dtype is not np.float32:
        return False
    from . import tiles  # numba is slow to load

    cells = [cell for layer in chip.layers for cell in layer]
    return tiles.has_permutes() and all(
        not cell.state_units and len(m.matrix.parts) <= 2 and _fits(m, tiles.LEVELS)
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


@dataclass(frozen=True, eq=False)
class Tables:
    """Converters of a matrix as `tiles` takes them, columns in whole groups.

    Attributes
    ----------
    thresholds : ndarray (columns, SLOTS)
        In the order of `tiles.BISECTION`, filled up with infinity.
    values : ndarray (columns, 32)
        By the code whose bits are in reverse.
    sigma : ndarray (columns, SLOTS) or None
    ends : ndarray (columns, 3)
        Smallest and largest rms noise of a column's thresholds, and 1 if it counts a level only with all before, else 0.
    keys : ndarray of uint32
    """

    thresholds: np.ndarray
    values: np.ndarray
    sigma: np.ndarray | None
    ends: np.ndarray
    keys: np.ndarray

    @classmethod
    def of(cls, bank: Converters, order: np.ndarray, columns: int) -> Tables:
        """``columns`` or fewer columns of a bank, in this order."""
        from . import tiles  # numba is slow to load

        levels = min(bank.levels, tiles.LEVELS)
        natural, own = np.full((columns, 32), np.inf, np.float32), np.zeros((columns, 32), np.float32)
        natural[: len(order), :levels] = bank.thresholds[order, :levels]
        values = np.zeros((columns, 32), np.float32)
        values[: len(order), : levels + 1] = bank.values[order, : levels + 1]
        thresholds, sigma = np.full((columns, tiles.SLOTS), np.inf, np.float32), np.zeros((columns, tiles.SLOTS), np.float32)
        thresholds[:, :32] = natural[:, tiles.BISECTION]
        values = np.ascontiguousarray(values[:, tiles.REVERSED])
        if bank.sigma is None:
            return cls(thresholds, values, None, np.zeros((columns, 3), np.float32), bank.keys)
        own[: len(order), :levels] = bank.sigma[order, : levels if bank.sigma.shape[1] > 1 else 1]
        sigma[:, :32] = own[:, tiles.BISECTION]
        counts = np.isfinite(natural)
        low, high = (f(own, axis=1, where=counts, initial=start) for f, start in ((np.min, np.inf), (np.max, 0.0)))
        ends = np.stack([np.minimum(low, high), high, _steady(natural, own)], axis=1)
        return cls(thresholds, values, sigma, ends.astype(np.float32), bank.keys)


def _steady(thresholds: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Whether a column that counts a level counts those before, whatever it draws, bool (columns,).

    Level k + 1 counts and level k does not only where ``g (s_k - s_(k+1))`` exceeds the gap between them, but for the rounding of
    three operations on numbers as large as the largest threshold and its noise.
    """
    from ..kernels import REACH  # numba is slow to load

    t, s, reach = thresholds.astype(float), sigma.astype(float), float(REACH)
    finite = np.isfinite(t)
    largest = np.max(np.abs(t), axis=1, where=finite, initial=0.0) + reach * s.max(axis=1)
    with np.errstate(invalid="ignore"):
        gap = np.where(finite[:, 1:], np.diff(t), np.inf)
    change = np.abs(np.diff(s))
    needed = reach * change + 2.0**-21 * largest[:, None]
    same = (gap == 0) & (change == 0)
    return np.all(same | (gap > needed), axis=1)


def packed(weights: np.ndarray) -> np.ndarray:
    """Weights (columns, rows) in the order in which a tile's products read them: (groups, rows * GROUP), filled up with zeros."""
    from .tiles import GROUP  # numba is slow to load

    columns, rows = weights.shape
    whole = np.zeros((-(-columns // GROUP) * GROUP, rows), np.float32)
    whole[:columns] = weights
    return np.ascontiguousarray(whole.reshape(-1, GROUP, rows).transpose(0, 2, 1)).reshape(-1, rows * GROUP)


class _Product:
    """A matrix made ready for products: packed weights, tables of its converters, and room for results."""

    def __init__(self, m: ChipMatrix, pwm: PwmInputs | None, *, by_unit: bool) -> None:
        from . import tiles  # numba is slow to load

        self.units, self.ranges, self.pwm = m.units, m.ranges, pwm
        unit = m.units[0]
        converted = isinstance(unit, ConvertedColumns)
        self.by_unit = by_unit and converted
        order = np.arange(m.matrix.shape[1])
        if self.by_unit:
            order = order.reshape(len(m.matrix.gates), -1).T.ravel()
        self.weights = packed(m.sums[0].weights[order])
        self.columns, self.used = len(self.weights) * tiles.GROUP, len(order)
        self.tables = Tables.of(unit.bank, order, self.columns) if isinstance(unit, ConvertedColumns) else None
        self.ones = np.ones((int(m.matrix.bias), tiles.LANES), np.float32)
        self.gates = [(g.name, m.matrix.columns(g.name)) for g in m.matrix.gates]
        self._room: dict[tuple[str, int], np.ndarray] = {}

    def room(self, name: str, count: int, rows: int) -> np.ndarray:
        """An array for so many tiles, the same whenever it is asked for."""
        if (name, count) not in self._room:
            self._room[name, count] = np.zeros((count, rows, self.ones.shape[1]), np.float32)
        return self._room[name, count]

    def driven(self, parts: Sequence[np.ndarray], not_in: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """What drives the rows, as rounded as pulse widths are, two contiguous arrays outside of ``not_in``."""
        if self.ranges is not None and self.pwm is not None:
            parts = [self.pwm.quantize(part, full) for part, full in zip(parts, self.ranges, strict=True)]
        if not_in is not None:
            parts = [np.array(part) if np.may_share_memory(part, not_in) else part for part in parts]
        x = np.ascontiguousarray(parts[0])
        return x, np.ascontiguousarray(parts[1]) if len(parts) > 1 else np.zeros((len(x), 0, x.shape[2]), np.float32)


class TiledPath:
    """As `cosim.network.cells.Datapath`. Results of a product are overwritten by the next product of the same matrix."""

    def __init__(self, chip: ChipCell, hardware: Hardware) -> None:
        from .. import kernels  # numba is slow to load
        from . import tiles

        self.cell = chip.cell
        self._kernels, self._tiles = kernels, tiles
        by_unit = isinstance(self.cell, LSTM) and self.cell.n_projection is None
        self._products = {name: _Product(m, hardware.pwm, by_unit=by_unit) for name, m in chip.matrices.items()}
        self._counters = np.zeros((0, 0), np.uint32)
        self._step = 0

    def step(self, x: np.ndarray, state: State, counters: np.ndarray, step: int) -> State:
        """The next state, in the place of the last one or not, for inputs (tiles, n_in, LANES) of sequences (tiles, LANES)."""
        self._counters, self._step = counters, step
        p = self._products["weights"] if isinstance(self.cell, LSTM) else None
        if p is None or p.tables is None or not p.by_unit:
            return self.cell.step(x, state, self)
        assert isinstance(self.cell, LSTM)
        # As `LSTM.step`, with the products of gates computed where the gates are.
        h, c = state["h"], state["c"]
        o = p.room("o", len(c), c.shape[1])
        x, driven = p.driven((x, h))
        t = p.tables
        if t.sigma is None:
            self._tiles.lstm(p.weights, x, driven, p.ones, t.thresholds, t.values, c, o)
        else:
            noise = self._noise(p, len(c))
            self._tiles.lstm_noisy(p.weights, x, driven, p.ones, noise, t.thresholds, t.sigma, t.ends, t.values, c, o)
        h = exact_activation(self.cell.state, c, out=h)
        np.multiply(h, o, out=h)
        return {"h": h, "c": c}

    def product(self, matrix: str, *parts: np.ndarray) -> Mapping[str, np.ndarray]:
        p = self._products[matrix]
        z, t = p.room("sums", len(parts[0]), p.columns), p.tables
        # A state that is the last product's result must outlast this one.
        x, h = p.driven(parts, z)
        if t is None:
            self._tiles.sums(p.weights, x, h, p.ones, z)
            for unit in p.units:
                assert isinstance(unit, Exact)
                z[:, unit.columns] = unit.compute(z[:, unit.columns])
        elif t.sigma is None:
            self._tiles.product(p.weights, x, h, p.ones, t.thresholds, t.values, z)
        else:
            noise = self._noise(p, len(z))
            self._tiles.product_noisy(p.weights, x, h, p.ones, noise, t.thresholds, t.sigma, t.ends, t.values, z)
        return {name: z[:, columns] for name, columns in p.gates}

    def activate(self, activation: str, values: np.ndarray) -> np.ndarray:
        return exact_activation(activation, values)

    def _noise(self, p: _Product, count: int) -> np.ndarray:
        noise = p.room("noise", count, p.columns)
        assert p.tables is not None
        self._kernels.fill_tiles(p.tables.keys, self._counters, np.uint32(self._step), noise)
        return noise


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
    for t in range(len(active) - 1, -1, -1) if backward else range(len(active)):
        n = int(active[t])
        m = -(-n // lanes)
        if backward and n > running:
            # Lanes that were only carried along until now begin here.
            fresh = {name: np.repeat(v[None], m, axis=0) for name, v in one.items()}
            for name, values in state.items():
                _copy_lanes(values, fresh[name], 0, running)
            state, running = fresh, n
        state = {name: values[:m] for name, values in state.items()}
        state = path.step(x[t, :m], state, numbers[:m], t)
        if keep:
            outputs[t, :m] = state["h"]
        following = 0 if t + 1 == len(active) else int(active[t + 1])
        if not backward and following < n:
            _copy_lanes(state["h"], last, following, n)
    if backward:
        _copy_lanes(state["h"], last, 0, running)
    return LayerRun(outputs, last, state)


def _copy_lanes(source: np.ndarray, target: np.ndarray, start: int, stop: int) -> None:
    """The sequences ``start`` to ``stop`` of arrays in tiles."""
    lanes = source.shape[2]
    for tile in range(start // lanes, -(-stop // lanes)):
        these = slice(max(start - tile * lanes, 0), min(stop - tile * lanes, lanes))
        target[tile, :, these] = source[tile, :, these]
