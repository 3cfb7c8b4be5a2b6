"""Products and conversions of a few sequences at a time, so that their sums never leave a core's cache.

A tile is `LANES` sequences. Its sums are one chain of fused multiply-adds each, in the rows' order, as BLAS has them. Codes come
from bisection in a table of 32 thresholds in vector registers: five compares and four permutes for 16 conversions, where
counting takes 31 compares. That takes AVX-512; `kernels` is for all machines. The answers are the same to the bit.
Nothing compiled here calls what is compiled elsewhere, because numba's cache notices changes of this file alone.
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
from numba.extending import intrinsic as numba_intrinsic

from cosim.compiled import compiled

intrinsic: Any = numba_intrinsic
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
LANES = 64
GROUP = 4
"""Columns whose sums are in registers together."""
LEVELS = 31
"""Thresholds of a table, which has a slot more."""
SLOTS = 46
"""Length of a table's row; 16 numbers are read from its last place."""
_VECTOR = 16
_PLACES = (30, 28, 24, 16, 0)
"""Where the 1, 2, 4, 8, 16 thresholds of each compare of a bisection stand, by the answers before it, the first the lowest bit."""


@cache
def has_permutes() -> bool:
    """Whether numba compiles for a processor with AVX-512."""
    chosen = getattr(config, "CPU_FEATURES", None)
    return "+avx512f" in (get_host_cpu_features() if chosen is None else chosen).split(",")


def _order() -> np.ndarray:
    """Number of the threshold at each place of a table; 31, which is never reached, at the place that no compare uses."""
    out = np.full(32, LEVELS)
    for compare, place in enumerate(_PLACES):
        for answers in range(1 << compare):
            known = sum(16 >> bit for bit in range(compare) if answers >> bit & 1)
            out[place + answers] = known + (16 >> compare) - 1
    return out


BISECTION = _order()
REVERSED = [int(f"{code:05b}"[::-1], 2) for code in range(32)]
"""Codes whose five bits are in reverse."""

_FLOATS = ir.VectorType(ir.FloatType(), _VECTOR)
_INTS = ir.VectorType(ir.IntType(32), _VECTOR)


def _splat(builder: Any, value: Any) -> Any:
    kind = ir.VectorType(value.type, _VECTOR)
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(_INTS.element, 0))
    return builder.shuffle_vector(one, ir.Constant(kind, ir.Undefined), ir.Constant(_INTS, [0] * _VECTOR))


def _load(builder: Any, pointer: Any, offset: Any) -> Any:
    place = builder.bitcast(builder.gep(pointer, [offset]), _FLOATS.as_pointer())
    return builder.load(place, align=4)


def _store(builder: Any, value: Any, pointer: Any, offset: Any) -> None:
    builder.store(value, builder.bitcast(builder.gep(pointer, [offset]), _FLOATS.as_pointer()), align=4)


class _Row:
    """Tables of one column in registers, and what is done with them to 16 numbers."""

    def __init__(self, builder: Any, table: Any, offset: Any) -> None:
        self.builder = builder
        places = [builder.gep(table, [builder.add(offset, ir.Constant(offset.type, place))]) for place in _PLACES]
        self.first = _splat(builder, builder.load(places[0]))
        self.further = [_load(builder, place, ir.Constant(offset.type, 0)) for place in places[1:]]

    def at(self, compare: int, answers: Any) -> Any:
        """The number that each compare meets after these answers."""
        if compare == 0:
            return self.first
        kind = ir.FunctionType(_FLOATS, [_FLOATS, _INTS])
        permute = cgutils.get_or_insert_function(self.builder.module, kind, "llvm.x86.avx512.permvar.sf.512")
        return self.builder.call(permute, [self.further[compare - 1], answers])


def _bisect(builder: Any, above: Callable[[int, Any], Any]) -> Any:
    """Answers of five compares, the first the lowest bit: a code whose bits are in reverse."""
    answers = ir.Constant(_INTS, [0] * _VECTOR)
    for compare in range(5):
        more = builder.add(answers, ir.Constant(_INTS, [1 << compare] * _VECTOR))
        answers = builder.select(above(compare, answers), more, answers)
    return answers


class _Pair:
    """A table of 32 numbers in registers."""

    def __init__(self, builder: Any, table: Any, offset: Any) -> None:
        self.builder = builder
        self.halves = [_load(builder, table, builder.add(offset, ir.Constant(offset.type, k))) for k in (0, _VECTOR)]

    def at(self, index: Any) -> Any:
        kind = ir.FunctionType(_FLOATS, [_FLOATS, _INTS, _FLOATS])
        permute = cgutils.get_or_insert_function(self.builder.module, kind, "llvm.x86.avx512.vpermi2var.ps.512")
        return self.builder.call(permute, [self.halves[0], index, self.halves[1]])


def _codes(builder: Any, row: _Row, x: Any) -> Any:
    """Number of thresholds below each of 16 numbers, its bits in reverse; a NaN is above none."""
    return _bisect(builder, lambda compare, answers: builder.fcmp_ordered(">", x, row.at(compare, answers)))


def _constant_at(builder: Any, table: list[int], index: Any) -> Any:
    """Numbers of a constant table of 32."""
    kind = ir.FunctionType(_INTS, [_INTS] * 3)
    permute = cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.avx512.vpermi2var.d.512")
    low, high = (ir.Constant(_INTS, [int(k) for k in table[i : i + _VECTOR]]) for i in (0, _VECTOR))
    return builder.call(permute, [low, index, high])


def _reverse(builder: Any, codes: Any) -> Any:
    """Codes with their five bits in reverse."""
    return _constant_at(builder, REVERSED, codes)


class _NoisyRow:
    """As `_Row`, with the rms noise of each threshold; codes of 16 numbers by 16 draws, their bits in reverse."""

    def __init__(self, builder: Any, tables: tuple[Any, Any], at: Any, ends: Any) -> None:
        self.builder, self.tables, self.column = builder, tables, at
        self.offset = builder.mul(at, ir.Constant(at.type, SLOTS))
        self.thresholds, self.sigma = (_Row(builder, table, self.offset) for table in tables)
        first = builder.mul(at, ir.Constant(at.type, 3))
        self.low, self.high, self.is_steady = (
            builder.load(builder.gep(ends, [builder.add(first, ir.Constant(at.type, k))])) for k in range(3)
        )
        self.code, self.level = (cgutils.alloca_once(builder, _INTS) for _ in range(2))

    def _above(self, x: Any, g: Any, threshold: Any, sigma: Any) -> Any:
        b = self.builder
        return b.fcmp_ordered(">", b.fsub(x, b.fmul(g, sigma)), threshold)

    def steady(self, x: Any, g: Any) -> Any:
        """Bisection with each threshold's own noise, for columns that count a level only if they count those before."""
        t, s = self.thresholds, self.sigma
        return _bisect(self.builder, lambda compare, known: self._above(x, g, t.at(compare, known), s.at(compare, known)))

    def any(self, x: Any, g: Any) -> Any:
        """For all columns: levels that count with the smallest and the largest noise, or with neither, then each between."""
        b = self.builder
        one, other = b.fmul(g, _splat(b, self.low)), b.fmul(g, _splat(b, self.high))
        swapped = b.fcmp_ordered(">", one, other)
        b.store(_reverse(b, _codes(b, self.thresholds, b.fsub(x, b.select(swapped, one, other)))), self.code)
        b.store(b.load(self.code), self.level)
        end_level = _reverse(b, _codes(b, self.thresholds, b.fsub(x, b.select(swapped, other, one))))
        test, body, end = (b.append_basic_block(name) for name in ("between.test", "between", "between.end"))
        b.branch(test)
        b.position_at_end(test)
        k = b.load(self.level)
        open_ = b.icmp_signed("<", k, end_level)
        some = b.icmp_unsigned("!=", b.bitcast(open_, ir.IntType(_VECTOR)), ir.Constant(ir.IntType(_VECTOR), 0))
        b.cbranch(some, body, end)
        b.position_at_end(body)
        place = _constant_at(b, list(np.argsort(BISECTION)), k)
        threshold, sigma = (_Pair(b, table, self.offset).at(place) for table in self.tables)
        above = b.and_(open_, self._above(x, g, threshold, sigma))
        code, more = b.load(self.code), ir.Constant(_INTS, [1] * _VECTOR)
        b.store(b.select(above, b.add(code, more), code), self.code)
        b.store(b.add(k, more), self.level)
        b.branch(test)
        b.position_at_end(end)
        return _reverse(b, b.load(self.code))


def _sums(builder: Any, weights: Any, first: Any, sources: list[Any]) -> list[list[Any]]:
    """Sums of `GROUP` columns for all vectors of a tile, in registers."""
    kind = ir.FunctionType(_FLOATS, [_FLOATS] * 3)
    fma = cgutils.get_or_insert_function(builder.module, kind, "llvm.fma.v16f32")
    sums: list[list[Any]] = [[ir.Constant(_FLOATS, [0.0] * _VECTOR)] * (LANES // _VECTOR) for _ in range(GROUP)]
    for source in sources:
        count = cgutils.unpack_tuple(builder, source.shape, 2)[0]
        number = count.type
        before = builder.block
        test, body, end = (builder.append_basic_block(name) for name in ("rows.test", "rows", "rows.end"))
        builder.branch(test)
        builder.position_at_end(test)
        k = builder.phi(number)
        k.add_incoming(ir.Constant(number, 0), before)
        held = [[builder.phi(_FLOATS) for _ in row] for row in sums]
        builder.cbranch(builder.icmp_signed("<", k, count), body, end)
        builder.position_at_end(body)
        place = builder.mul(k, ir.Constant(number, LANES))
        x = [_load(builder, source.data, builder.add(place, ir.Constant(number, _VECTOR * i))) for i in range(LANES // _VECTOR)]
        weight = builder.add(first, builder.mul(k, ir.Constant(number, GROUP)))
        for j, row in enumerate(held):
            w = _splat(builder, builder.load(builder.gep(weights, [builder.add(weight, ir.Constant(number, j))])))
            for i, value in enumerate(row):
                value.add_incoming(sums[j][i], before)
                value.add_incoming(builder.call(fma, [w, x[i], value]), body)
        k.add_incoming(builder.add(k, ir.Constant(number, 1)), body)
        builder.branch(test)
        builder.position_at_end(end)
        sums = held
        first = builder.add(first, builder.mul(count, ir.Constant(number, GROUP)))
    return sums


_F4 = types.Array(types.float32, 2, "C")
Vectors = list[Any]
"""The numbers of one column of a tile."""
Convert = Callable[[Any, Vectors], Vectors]


class _Tile:
    """Code for one tile in the making: its arrays, its sums by groups, conversions and stores."""

    def __init__(self, context: Any, builder: Any, values: Any) -> None:
        self.builder = builder
        self.arrays = [context.make_array(_F4)(context, builder, value) for value in values]

    def groups(self, finish: Callable[[Any, list[Vectors]], None]) -> None:
        """Sums each group of columns and hands the sums on; weights and three kinds of rows are the first arrays."""
        packed, *sources = self.arrays[:4]
        count, width = cgutils.unpack_tuple(self.builder, packed.shape, 2)
        with cgutils.for_range(self.builder, count) as loop:
            finish(loop.index, _sums(self.builder, packed.data, self.builder.mul(loop.index, width), sources))

    def at(self, index: Any, times: int, more: int = 0) -> Any:
        return self.builder.add(self.builder.mul(index, ir.Constant(index.type, times)), ir.Constant(index.type, more))

    def load(self, array: Any, column: Any) -> Vectors:
        return [_load(self.builder, array.data, self.at(column, LANES, part)) for part in range(0, LANES, _VECTOR)]

    def store(self, vectors: Vectors, array: Any, column: Any) -> None:
        for i, vector in enumerate(vectors):
            _store(self.builder, vector, array.data, self.at(column, LANES, i * _VECTOR))

    def quiet(self, tables: Any, values: Any) -> Convert:
        """A conversion without noise, of a column by its number."""

        def convert(at: Any, sums: Vectors) -> Vectors:
            row, out = _Row(self.builder, tables.data, self.at(at, SLOTS)), _Pair(self.builder, values.data, self.at(at, 32))
            return [out.at(_codes(self.builder, row, x)) for x in sums]

        return convert

    def noisy(self, arrays: list[Any], order: Callable[[Any], Any]) -> None:
        """Converts the columns of the last array in place; ``order`` says which column of the noise is whose.

        Conversions with noise need most registers for themselves: a column and a vector at a time is fastest.
        """
        b = self.builder
        noise, tables, sigma, ends, values, z = arrays
        columns = cgutils.unpack_tuple(b, z.shape, 2)[0]
        with cgutils.for_range(b, columns) as loop:
            at = loop.index
            row, out = _NoisyRow(b, (tables.data, sigma.data), at, ends.data), _Pair(b, values.data, self.at(at, 32))
            drawn = order(at)
            with b.if_else(b.fcmp_ordered(">", row.is_steady, ir.Constant(ir.FloatType(), 0.0))) as branches:
                for branch, find in zip(branches, (row.steady, row.any), strict=True):
                    with branch:
                        for part in range(0, LANES, _VECTOR):
                            place = self.at(at, LANES, part)
                            x, g = _load(b, z.data, place), _load(b, noise.data, self.at(drawn, LANES, part))
                            _store(b, out.at(find(x, g)), z.data, place)


def _as_it_is(_: Any, sums: Vectors) -> Vectors:
    return sums


def _columns(tile: _Tile, convert: Convert, z: Any) -> Callable[[Any, list[Vectors]], None]:
    """Outputs of a group of columns into ``z`` (columns, LANES)."""

    def finish(group: Any, sums: list[Vectors]) -> None:
        for j, column in enumerate(sums):
            at = tile.at(group, GROUP, j)
            tile.store(convert(at, column), z, at)

    return finish


def _units(tile: _Tile, convert: Convert, c: Any, o: Any) -> Callable[[Any, list[Vectors]], None]:
    """State of an LSTM's unit, whose gates i, f, a, o are a group: ``c = f c + i a``, each product rounded by itself, and o."""

    def finish(unit: Any, sums: list[Vectors]) -> None:
        b = tile.builder
        i, f, a, opened = (convert(tile.at(unit, GROUP, j), column) for j, column in enumerate(sums))
        tile.store([b.fadd(b.fmul(y, c0), b.fmul(x, z)) for x, y, z, c0 in zip(i, f, a, tile.load(c, unit), strict=True)], c, unit)
        tile.store(opened, o, unit)

    return finish


def _coded(count: int, put_together: Callable[[_Tile], None]) -> tuple[Any, Callable[..., Any]]:
    """What numba asks of an intrinsic of so many arrays: its signature, and what writes its code."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        put_together(_Tile(context, builder, values))
        return context.get_dummy_value()

    return types.void(*[_F4] * count), generate


@intrinsic
def _sum_tile(typingctx, weights, x, h, ones, z):
    return _coded(5, lambda tile: tile.groups(_columns(tile, _as_it_is, tile.arrays[4])))


@intrinsic
def _product_tile(typingctx, weights, x, h, ones, thresholds, values, z):
    return _coded(7, lambda tile: tile.groups(_columns(tile, tile.quiet(*tile.arrays[4:6]), tile.arrays[6])))


@intrinsic
def _product_noisy_tile(typingctx, weights, x, h, ones, noise, thresholds, sigma, ends, values, z):
    def put_together(tile: _Tile) -> None:
        tile.groups(_columns(tile, _as_it_is, tile.arrays[9]))
        tile.noisy(tile.arrays[4:], lambda at: at)

    return _coded(10, put_together)


@intrinsic
def _lstm_tile(typingctx, weights, x, h, ones, thresholds, values, c, o):
    return _coded(8, lambda tile: tile.groups(_units(tile, tile.quiet(*tile.arrays[4:6]), *tile.arrays[6:])))


@intrinsic
def _lstm_noisy_tile(typingctx, weights, x, h, ones, noise, thresholds, sigma, ends, values, c, o, z):
    def put_together(tile: _Tile) -> None:
        builder, (c, o, z) = tile.builder, tile.arrays[9:]
        tile.groups(_columns(tile, _as_it_is, z))
        units = cgutils.unpack_tuple(builder, c.shape, 2)[0]
        four = ir.Constant(units.type, GROUP)
        # Gates of a unit are neighbours here, and whole gates in the noise.
        tile.noisy(
            [*tile.arrays[4:9], z], lambda at: builder.add(builder.udiv(at, four), builder.mul(builder.urem(at, four), units))
        )
        update = _units(tile, _as_it_is, c, o)
        with cgutils.for_range(builder, units) as loop:
            update(loop.index, [tile.load(z, tile.at(loop.index, GROUP, j)) for j in range(GROUP)])

    return _coded(12, put_together)


@compiled(**_OPTIONS)
def sums(weights, x, h, ones, z):
    """Sums of the columns of a matrix.

    Parameters
    ----------
    weights : ndarray (groups of columns, rows * GROUP), float32 as all
        As `packed` gives them.
    x, h, ones : ndarray (tiles, rows, LANES), ones without tiles
        What drives the rows: two parts, and the bias or nothing.
    z : ndarray (tiles, columns, LANES)
        The result; columns in whole groups.
    """
    for t in range(len(z)):
        _sum_tile(weights, x[t], h[t], ones, z[t])


@compiled(**_OPTIONS)
def product(weights, x, h, ones, thresholds, values, z):
    """As `sums`, converted without noise; ``thresholds`` and ``values`` as in `Tables`."""
    for t in range(len(z)):
        _product_tile(weights, x[t], h[t], ones, thresholds, values, z[t])


@compiled(**_OPTIONS)
def product_noisy(weights, x, h, ones, noise, thresholds, sigma, ends, values, z):
    """As `sums`, converted with ``noise`` (tiles, columns, LANES) times the rms of each threshold, as in `Tables`."""
    for t in range(len(z)):
        _product_noisy_tile(weights, x[t], h[t], ones, noise[t], thresholds, sigma, ends, values, z[t])


@compiled(**_OPTIONS)
def lstm(weights, x, h, ones, thresholds, values, c, o):
    """Next state ``c`` (tiles, units, LANES) of an LSTM, in place, and its gate ``o``; a unit's gates are a group of columns."""
    for t in range(len(c)):
        _lstm_tile(weights, x[t], h[t], ones, thresholds, values, c[t], o[t])


@compiled(**_OPTIONS)
def lstm_noisy(weights, x, h, ones, noise, thresholds, sigma, ends, values, c, o):
    """As `lstm`, with noise as in `product_noisy`, in the order of the matrix's columns."""
    z = np.empty((len(weights) * GROUP, LANES), np.float32)
    for t in range(len(c)):
        _lstm_noisy_tile(weights, x[t], h[t], ones, noise[t], thresholds, sigma, ends, values, c[t], o[t], z)
