"""Products and conversions of a few sequences at a time, so that their sums never leave a core's cache.

A tile is `LANES` sequences. Its sums are one chain of fused multiply-adds each, in the rows' order, as BLAS has them. Codes come
from bisection in a table of 32 thresholds in vector registers: five compares and four permutes for 16 conversions, where
counting takes 31 compares. Noise is drawn for two columns at a time, where they are converted. That takes AVX-512; `kernels` is
for all machines. The answers are the same to the bit.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.core.codegen import get_host_cpu_features
from numba.extending import intrinsic as numba_intrinsic, register_jitable

from cosim.compiled import compiled

from . import codes, vectors
from .codes import NoisyRow, Outputs, ThresholdRow
from .vectors import FLOATS, INTS, VECTOR, Wide, called, load, splat, store

intrinsic: Any = numba_intrinsic
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "sources": (codes.__file__, vectors.__file__)}
LANES = 64
GROUP = 4
"""Columns whose sums are in registers together."""
SOME = 32
"""Groups of columns that all tiles are done for before the next, an even number."""
_PARTS = range(0, LANES, VECTOR)


@cache
def has_permutes() -> bool:
    """Whether numba compiles for a processor with AVX-512."""
    chosen = getattr(config, "CPU_FEATURES", None)
    return "+avx512f" in (get_host_cpu_features() if chosen is None else chosen).split(",")


def _sums(builder: Any, weights: Any, first: Any, sources: list[Any], sums: list[list[Any]]) -> list[list[Any]]:
    """Sums of `GROUP` columns for all vectors of a tile, in registers, from what they are before."""
    for source in sources:
        count = cgutils.unpack_tuple(builder, source.shape, 2)[0]
        number = count.type
        before = builder.block
        test, body, end = (builder.append_basic_block(name) for name in ("rows.test", "rows", "rows.end"))
        builder.branch(test)
        builder.position_at_end(test)
        k = builder.phi(number)
        k.add_incoming(ir.Constant(number, 0), before)
        held = [[builder.phi(FLOATS) for _ in row] for row in sums]
        builder.cbranch(builder.icmp_signed("<", k, count), body, end)
        builder.position_at_end(body)
        place = builder.mul(k, ir.Constant(number, LANES))
        x = [load(builder, source.data, builder.add(place, ir.Constant(number, part))) for part in _PARTS]
        weight = builder.add(first, builder.mul(k, ir.Constant(number, GROUP)))
        for j, row in enumerate(held):
            w = splat(builder, builder.load(builder.gep(weights, [builder.add(weight, ir.Constant(number, j))])))
            for i, value in enumerate(row):
                value.add_incoming(sums[j][i], before)
                value.add_incoming(called(builder, "llvm.fma.v16f32", FLOATS, w, x[i], value), body)
        k.add_incoming(builder.add(k, ir.Constant(number, 1)), body)
        builder.branch(test)
        builder.position_at_end(end)
        sums = held
        first = builder.add(first, builder.mul(count, ir.Constant(number, GROUP)))
    return sums


_F4, _U4, _LINE, _STEP = (
    types.Array(types.float32, 2, "C"),
    types.Array(types.uint32, 2, "C"),
    types.Array(types.uint32, 1, "C"),
    types.uint32,
)
Vectors = list[Any]
"""The numbers of one column of a tile."""
Convert = Callable[[Any, Vectors], Vectors]


class _Tile:
    """Code for one tile in the making: its sums by groups, conversions and stores.

    The first five arrays are the weights, three kinds of rows, and where the sums begin: (columns, LANES), or `GROUP` rows that
    serve each group.
    """

    def __init__(self, builder: Any, arrays: list[Any]) -> None:
        self.builder, self.arrays = builder, arrays
        self.groups, self.width = self.shape(arrays[0])

    def shape(self, array: Any) -> tuple[Any, Any]:
        rows, columns = cgutils.unpack_tuple(self.builder, array.shape, 2)
        return rows, columns

    def sums(self, group: Any) -> list[Vectors]:
        b, (packed, *sources, before) = self.builder, self.arrays[:5]
        own = b.icmp_signed(">", self.shape(before)[0], ir.Constant(group.type, GROUP))
        first = b.select(own, self.at(group, GROUP), ir.Constant(group.type, 0))
        start = [self.load(before, b.add(first, ir.Constant(first.type, j))) for j in range(GROUP)]
        # Sums of long ago are far away: those of the next group are called for now.
        for line in range(0, GROUP * LANES, VECTOR):
            vectors.prefetch(b, before.data, self.at(b.add(first, ir.Constant(first.type, GROUP)), LANES, line))
        return _sums(b, packed.data, b.mul(group, self.width), sources, start)

    def at(self, index: Any, times: int, more: int = 0) -> Any:
        return self.builder.add(self.builder.mul(index, ir.Constant(index.type, times)), ir.Constant(index.type, more))

    def load(self, array: Any, column: Any) -> Vectors:
        return [load(self.builder, array.data, self.at(column, LANES, part)) for part in _PARTS]

    def store(self, numbers: Vectors, array: Any, column: Any) -> None:
        for part, vector in zip(_PARTS, numbers, strict=True):
            store(self.builder, vector, array.data, self.at(column, LANES, part))

    def quiet(self, tables: Any, values: Any) -> Convert:
        """A conversion without noise, of a column by its number."""

        def convert(at: Any, sums: Vectors) -> Vectors:
            row, out = (
                ThresholdRow(self.builder, tables.data, self.at(at, codes.SLOTS)),
                Outputs(self.builder, values.data, self.at(at, 32)),
            )
            return [out.at(codes.codes(self.builder, row, x)) for x in sums]

        return convert

    def columns(self, convert: Convert, z: Any) -> None:
        """Outputs of all columns into ``z`` (columns, LANES)."""
        with cgutils.for_range(self.builder, self.groups) as loop:
            for j, column in enumerate(self.sums(loop.index)):
                at = self.at(loop.index, GROUP, j)
                self.store(convert(at, column), z, at)

    def unit(self, at: Any, gates: list[Vectors], c: Any, o: Any) -> None:
        """State of an LSTM's unit with gates i, f, a, o: ``c = f c + i a``, each product rounded by itself, and o."""
        b, (i, f, a, opened) = self.builder, gates
        self.store([b.fadd(b.fmul(y, c0), b.fmul(x, z)) for x, y, z, c0 in zip(i, f, a, self.load(c, at), strict=True)], c, at)
        self.store(opened, o, at)

    def draw(self, arrays: list[Any], pair: Any, noise: Any, rows: tuple[Any, Any]) -> None:
        """Writes the noise of the two columns of a pair to these rows of ``noise``."""
        b, (keys, counters, step) = self.builder, arrays[:3]
        first = self.at(pair, 2)
        key = [b.load(b.gep(keys.data, [b.add(first, ir.Constant(first.type, k))])) for k in range(2)]
        numbers = Wide(b, [load(b, counters.data, ir.Constant(first.type, part), INTS) for part in _PARTS])
        for drawn, row in zip(vectors.box_muller(*vectors.threefry((key[0], key[1]), numbers, step)), rows, strict=True):
            self.store(drawn.vectors, noise, row)

    def noisy(self, arrays: list[Any], at: Any, noise: tuple[Any, Any], z: Any, row: Any) -> None:
        """Converts a column, by its number, in a row of ``z`` that has its sums, with the noise of a row of another array."""
        b, (tables, sigma, ends, values) = self.builder, arrays[3:]
        thresholds, out = NoisyRow(b, (tables.data, sigma.data), at, ends.data), Outputs(b, values.data, self.at(at, 32))
        x, drawn = self.load(z, row), self.load(*noise)
        with b.if_else(b.fcmp_ordered(">", thresholds.is_steady, ir.Constant(ir.FloatType(), 0.0))) as (steady, otherwise):
            with steady:
                self.store([out.at(code) for code in thresholds.steady(x, drawn)], z, row)
            with otherwise:
                self.store([out.at(thresholds.any(*both)) for both in zip(x, drawn, strict=True)], z, row)


def _as_it_is(_: Any, sums: Vectors) -> Vectors:
    return sums


def _coded(kinds: list[Any], put_together: Callable[[_Tile], None]) -> tuple[Any, Callable[..., Any]]:
    """What numba asks of an intrinsic of these arrays and numbers: its signature, and what writes its code."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        known = [
            context.make_array(kind)(context, builder, value) if isinstance(kind, types.Array) else value
            for kind, value in zip(kinds, values, strict=True)
        ]
        put_together(_Tile(builder, known))
        return context.get_dummy_value()

    return types.void(*kinds), generate


_NOISE = [_U4, _LINE, _STEP, _F4, _F4, _F4, _F4]
"""Keys, counters, step, thresholds, rms noise, its ends, values."""


@intrinsic
def _sum_tile(typingctx, weights, x, h, ones, before, z):
    return _coded([_F4] * 6, lambda tile: tile.columns(_as_it_is, tile.arrays[5]))


@intrinsic
def _product_tile(typingctx, weights, x, h, ones, before, thresholds, values, z):
    return _coded([_F4] * 8, lambda tile: tile.columns(tile.quiet(*tile.arrays[5:7]), tile.arrays[7]))


@intrinsic
def _product_noisy_tile(typingctx, weights, x, h, ones, before, keys, counters, step, thresholds, sigma, ends, values, drawn, z):
    def put_together(tile: _Tile) -> None:
        b, noise, (drawn, z) = tile.builder, tile.arrays[5:12], tile.arrays[12:]
        with cgutils.for_range(b, tile.groups) as loop:
            for j, column in enumerate(tile.sums(loop.index)):
                tile.store(column, z, tile.at(loop.index, GROUP, j))
            with cgutils.for_range(b, ir.Constant(loop.index.type, GROUP // 2)) as pairs:
                pair, first = b.add(tile.at(loop.index, GROUP // 2), pairs.index), tile.at(pairs.index, 2)
                tile.draw(noise, pair, drawn, (first, tile.at(first, 1, 1)))
            with cgutils.for_range(b, ir.Constant(loop.index.type, GROUP)) as columns:
                at = b.add(tile.at(loop.index, GROUP), columns.index)
                tile.noisy(noise, at, (drawn, columns.index), z, at)

    return _coded([_F4] * 5 + _NOISE + [_F4] * 2, put_together)


@intrinsic
def _lstm_tile(typingctx, weights, x, h, ones, before, thresholds, values, c, o):
    def put_together(tile: _Tile) -> None:
        convert = tile.quiet(*tile.arrays[5:7])
        with cgutils.for_range(tile.builder, tile.groups) as loop:
            gates = [convert(tile.at(loop.index, GROUP, j), column) for j, column in enumerate(tile.sums(loop.index))]
            tile.unit(loop.index, gates, *tile.arrays[7:])

    return _coded([_F4] * 9, put_together)


@intrinsic
def _lstm_noisy_tile(typingctx, weights, x, h, ones, before, keys, counters, step, thresholds, sigma, ends, values, c, o, drawn, z):
    def put_together(tile: _Tile) -> None:
        b, noise, (c, o, drawn, z) = tile.builder, tile.arrays[5:12], tile.arrays[12:]
        two = ir.Constant(tile.groups.type, 2)
        couples = b.udiv(tile.groups, two)
        with cgutils.for_range(b, couples) as loop:
            units = tile.at(loop.index, 2), tile.at(loop.index, 2, 1)
            rows = [[ir.Constant(two.type, GROUP * k + j) for j in range(GROUP)] for k in range(2)]
            for unit, mine in zip(units, rows, strict=True):
                for column, row in zip(tile.sums(unit), mine, strict=True):
                    tile.store(column, z, row)
            with cgutils.for_range(b, ir.Constant(two.type, GROUP)) as gates:
                places = gates.index, b.add(gates.index, ir.Constant(two.type, GROUP))
                tile.draw(noise, b.add(tile.at(loop.index, GROUP), gates.index), drawn, places)
            with cgutils.for_range(b, ir.Constant(two.type, 2 * GROUP)) as columns:
                tile.noisy(noise, b.add(tile.at(loop.index, 2 * GROUP), columns.index), (drawn, columns.index), z, columns.index)
            for unit, mine in zip(units, rows, strict=True):
                tile.unit(unit, [tile.load(z, row) for row in mine], c, o)

    return _coded([_F4] * 5 + _NOISE + [_F4] * 4, put_together)


@intrinsic
def _convert_square(typingctx, x, row, column, thresholds, values, out):
    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        b, kinds = builder, signature.args
        x, thresholds, values, out = (context.make_array(kinds[k])(context, b, given[k]) for k in (0, 3, 4, 5))
        width = cgutils.unpack_tuple(b, x.shape, 2)[1]
        first = b.add(b.mul(given[1], width), given[2])
        places = [b.add(first, b.mul(width, ir.Constant(width.type, k))) for k in range(VECTOR)]
        columns = vectors.transposed(b, [load(b, x.data, place) for place in places])
        for k, column in enumerate(columns):
            at = b.add(given[2], ir.Constant(width.type, k))
            row = ThresholdRow(b, thresholds.data, b.mul(at, ir.Constant(width.type, codes.SLOTS)))
            table = Outputs(b, values.data, b.mul(at, ir.Constant(width.type, 32)))
            columns[k] = table.at(codes.codes(b, row, column))
        for place, vector in zip(places, vectors.transposed(b, columns), strict=True):
            store(b, vector, out.data, place)
        return context.get_dummy_value()

    return types.void(_F4, types.intp, types.intp, _F4, _F4, _F4), generate


@compiled(**_OPTIONS)
def convert_rows(x, thresholds, values, out):
    """Outputs without noise of sequences one after the other: ``x``, ``out`` (sequences, columns), `VECTOR` at least.

    ``thresholds`` and ``values`` as in `Tables`. Squares of numbers are turned in registers; the last overlap those before.
    """
    rows, columns = x.shape
    for j in range(0, columns, VECTOR):
        for i in range(0, rows, VECTOR):
            _convert_square(x, min(i, rows - VECTOR), min(j, columns - VECTOR), thresholds, values, out)


@register_jitable
def _of(array, t, first, stop):
    """Some columns of a tile; of what serves all tiles and columns, that."""
    if len(array) == 1 and array.shape[1] == GROUP:
        return array[0]
    return array[t, first:stop]


@compiled(**_OPTIONS)
def sums(weights, x, h, first, stop, ones, before, z):
    """Sums of the columns of a matrix.

    Some columns of all tiles come before the next, so that their weights are near when they are used again.

    Parameters
    ----------
    weights : ndarray (groups of columns, rows * GROUP), float32 as all
        As `packed` gives them.
    x, h, ones : ndarray (tiles, rows, LANES), ones without tiles
        What drives the rows: two parts, of the second the rows from ``first`` to ``stop``, and the bias or nothing.
    before : ndarray (tiles, columns, LANES) or (1, GROUP, LANES)
        Where the sums begin, which may be ``z``, or zeros.
    z : ndarray (tiles, columns, LANES)
        The result; columns in whole groups.
    """
    for a in range(0, len(weights), SOME):
        e = min(a + SOME, len(weights))
        c0, c1 = GROUP * a, GROUP * e
        for t in range(len(z)):
            _sum_tile(weights[a:e], x[t], h[t, first:stop], ones, _of(before, t, c0, c1), z[t, c0:c1])


@compiled(**_OPTIONS)
def product(weights, x, h, first, ones, before, thresholds, values, z):
    """As `sums` to the last row, converted without noise; ``thresholds`` and ``values`` as in `Tables`."""
    for a in range(0, len(weights), SOME):
        e = min(a + SOME, len(weights))
        c0, c1 = GROUP * a, GROUP * e
        for t in range(len(z)):
            start = _of(before, t, c0, c1)
            _product_tile(weights[a:e], x[t], h[t, first:], ones, start, thresholds[c0:c1], values[c0:c1], z[t, c0:c1])


@compiled(**_OPTIONS)
def product_noisy(weights, x, h, first, ones, before, keys, counters, step, thresholds, sigma, ends, values, z):
    """As `sums`, converted with noise: tables as in `Tables`, counters (tiles, LANES), step uint32."""
    drawn = np.empty((GROUP, LANES), np.float32)
    for a in range(0, len(weights), SOME):
        e = min(a + SOME, len(weights))
        c0, c1 = GROUP * a, GROUP * e
        k, th, si, en, va = keys[c0 // 2 : c1 // 2], thresholds[c0:c1], sigma[c0:c1], ends[c0:c1], values[c0:c1]
        for t in range(len(z)):
            start, out = _of(before, t, c0, c1), z[t, c0:c1]
            _product_noisy_tile(weights[a:e], x[t], h[t, first:], ones, start, k, counters[t], step, th, si, en, va, drawn, out)


@compiled(**_OPTIONS)
def lstm(weights, x, h, first, ones, before, thresholds, values, c, o):
    """Next state ``c`` (tiles, units, LANES) of an LSTM, in place, and its gate ``o``; a unit's gates are a group of columns."""
    for a in range(0, len(weights), SOME):
        e = min(a + SOME, len(weights))
        c0, c1 = GROUP * a, GROUP * e
        th, va = thresholds[c0:c1], values[c0:c1]
        for t in range(len(c)):
            _lstm_tile(weights[a:e], x[t], h[t, first:], ones, _of(before, t, c0, c1), th, va, c[t, a:e], o[t, a:e])


@compiled(**_OPTIONS)
def lstm_noisy(weights, x, h, first, ones, before, keys, counters, step, thresholds, sigma, ends, values, c, o):
    """As `lstm`, of an even number of units, with noise as in `product_noisy`."""
    drawn, z = np.empty((2 * GROUP, LANES), np.float32), np.empty((2 * GROUP, LANES), np.float32)
    for a in range(0, len(weights), SOME):
        e = min(a + SOME, len(weights))
        c0, c1 = GROUP * a, GROUP * e
        k, th, si, en, va = keys[c0 // 2 : c1 // 2], thresholds[c0:c1], sigma[c0:c1], ends[c0:c1], values[c0:c1]
        for t in range(len(c)):
            start, c_, o_ = _of(before, t, c0, c1), c[t, a:e], o[t, a:e]
            _lstm_noisy_tile(weights[a:e], x[t], h[t, first:], ones, start, k, counters[t], step, th, si, en, va, c_, o_, drawn, z)
