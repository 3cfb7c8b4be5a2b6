"""The code of one tile: sums of groups of columns in registers, and what is done with them. It computes nothing by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from . import codes, vectors
from .codes import NoisyRow, Outputs, ThresholdRow
from .vectors import FLOATS, INTS, VECTOR, Wide, called, load, splat, store

LANES = 64
GROUP = 4
"""Columns whose sums are in registers together."""
_PARTS = range(0, LANES, VECTOR)


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


Vectors = list[Any]
"""The numbers of one column of a tile."""
Convert = Callable[[Any, Vectors], Vectors]


class TileCode:
    """Code for one tile in the making: its sums by groups, conversions and stores.

    The first five arrays are the weights, three kinds of rows, and where the sums begin: (columns, LANES), or `GROUP` rows that
    serve each group. The last is a number: so many of a group's weights are of rows that are in these sums.
    """

    def __init__(self, builder: Any, arrays: list[Any]) -> None:
        self.builder, self.arrays, self.skip = builder, arrays[:-1], arrays[-1]
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
        return _sums(b, packed.data, b.add(b.mul(group, self.width), self.skip), sources, start)

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


def coded(kinds: list[Any], put_together: Callable[[TileCode], None]) -> tuple[Any, Callable[..., Any]]:
    """What numba asks of an intrinsic of these arrays and numbers: its signature, and what writes its code."""

    kinds = [*kinds, types.intp]

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        known = [
            context.make_array(kind)(context, builder, value) if isinstance(kind, types.Array) else value
            for kind, value in zip(kinds, values, strict=True)
        ]
        put_together(TileCode(builder, known))
        return context.get_dummy_value()

    return types.void(*kinds), generate
