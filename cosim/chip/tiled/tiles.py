"""Products and conversions of a few sequences at a time, so that their sums never leave a core's cache.

A tile is `LANES` sequences. Its sums are one chain of fused multiply-adds each, in the rows' order, as BLAS has them. Codes come
from bisection in a table of 32 thresholds in vector registers: five compares and four permutes for 16 conversions, where
counting takes 31 compares. Noise is drawn for two columns at a time, where they are converted. That takes AVX-512; `kernels` is
for all machines. The answers are the same to the bit.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.core.codegen import get_host_cpu_features
from numba.extending import intrinsic as numba_intrinsic, register_jitable

from cosim.compiled import compiled

from . import codes, tile_code, vectors
from .codes import Outputs, ThresholdRow
from .tile_code import GROUP, LANES, TileCode, Vectors, coded
from .vectors import VECTOR, load, store

intrinsic: Any = numba_intrinsic
_OPTIONS: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    "sources": (codes.__file__, tile_code.__file__, vectors.__file__),
}
SOME = 32
"""Groups of columns that all tiles are done for before the next, an even number."""


@cache
def has_permutes() -> bool:
    """Whether numba compiles for a processor with AVX-512."""
    chosen = getattr(config, "CPU_FEATURES", None)
    return "+avx512f" in (get_host_cpu_features() if chosen is None else chosen).split(",")


def _as_it_is(_: Any, sums: Vectors) -> Vectors:
    return sums


_F4, _U4, _LINE, _STEP = (
    types.Array(types.float32, 2, "C"),
    types.Array(types.uint32, 2, "C"),
    types.Array(types.uint32, 1, "C"),
    types.uint32,
)
_NOISE = [_U4, _LINE, _STEP, _F4, _F4, _F4, _F4]
"""Keys, counters, step, thresholds, rms noise, its ends, values."""


@intrinsic
def _sum_tile(typingctx, weights, x, h, ones, before, z, skip):
    return coded([_F4] * 6, lambda tile: tile.columns(_as_it_is, tile.arrays[5]))


@intrinsic
def _product_tile(typingctx, weights, x, h, ones, before, thresholds, values, z, skip):
    return coded([_F4] * 8, lambda tile: tile.columns(tile.quiet(*tile.arrays[5:7]), tile.arrays[7]))


@intrinsic
def _product_noisy_tile(
    typingctx, weights, x, h, ones, before, keys, counters, step, thresholds, sigma, ends, values, drawn, z, skip
):
    def put_together(tile: TileCode) -> None:
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

    return coded([_F4] * 5 + _NOISE + [_F4] * 2, put_together)


@intrinsic
def _lstm_tile(typingctx, weights, x, h, ones, before, thresholds, values, c, o, skip):
    def put_together(tile: TileCode) -> None:
        convert = tile.quiet(*tile.arrays[5:7])
        with cgutils.for_range(tile.builder, tile.groups) as loop:
            gates = [convert(tile.at(loop.index, GROUP, j), column) for j, column in enumerate(tile.sums(loop.index))]
            tile.unit(loop.index, gates, *tile.arrays[7:])

    return coded([_F4] * 9, put_together)


@intrinsic
def _lstm_noisy_tile(
    typingctx, weights, x, h, ones, before, keys, counters, step, thresholds, sigma, ends, values, c, o, drawn, z, skip
):
    def put_together(tile: TileCode) -> None:
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

    return coded([_F4] * 5 + _NOISE + [_F4] * 4, put_together)


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


@register_jitable
def _begun(weights, x, h, edges, ones, before, z):
    """Passes of a tile's sums but the last, into ``z``: what the last takes of x, its start, the weights it leaves out."""
    skip = 0
    for k in range(len(edges) - 2):
        _sum_tile(weights, x, h[edges[k] : edges[k + 1]], ones[:0], before, z, skip)
        skip += GROUP * (len(x) + edges[k + 1] - edges[k])
        x, before = x[:0], z
    return x, before, skip


@compiled(**_OPTIONS)
def sums(weights, x, h, edges, ones, before, z):
    """Sums of the columns of a matrix.

    Some columns of all tiles come before the next, so that their weights are near when they are used again.

    Parameters
    ----------
    weights : ndarray (groups of columns, rows * GROUP), float32 as all
        As `packed` gives them.
    x, h, ones : ndarray (tiles, rows, LANES), ones without tiles
        What drives the rows: two parts, and the bias or nothing.
    edges : ndarray of int
        Where the rows of h are cut into passes, 0 and their number included; x is driven in the first pass, the bias in the last.
    before : ndarray (tiles, columns, LANES) or (1, GROUP, LANES)
        Where the sums begin, or zeros.
    z : ndarray (tiles, columns, LANES)
        The result; columns in whole groups.
    """
    last = edges[-2]
    for a in range(0, len(weights), SOME):
        e = min(a + SOME, len(weights))
        w, c0, c1 = weights[a:e], GROUP * a, GROUP * e
        for t in range(len(z)):
            out = z[t, c0:c1]
            left, own, skip = _begun(w, x[t], h[t], edges, ones, _of(before, t, c0, c1), out)
            _sum_tile(w, left, h[t, last:], ones, own, out, skip)


@compiled(**_OPTIONS)
def product(weights, x, h, edges, ones, before, thresholds, values, z):
    """As `sums`, converted without noise; ``thresholds`` and ``values`` as in `Tables`."""
    last = edges[-2]
    for a in range(0, len(weights), SOME):
        e = min(a + SOME, len(weights))
        w, c0, c1 = weights[a:e], GROUP * a, GROUP * e
        for t in range(len(z)):
            out = z[t, c0:c1]
            left, own, skip = _begun(w, x[t], h[t], edges, ones, _of(before, t, c0, c1), out)
            _product_tile(w, left, h[t, last:], ones, own, thresholds[c0:c1], values[c0:c1], out, skip)


@compiled(**_OPTIONS)
def product_noisy(weights, x, h, edges, ones, before, keys, counters, step, thresholds, sigma, ends, values, z):
    """As `sums`, converted with noise: tables as in `Tables`, counters (tiles, LANES), step uint32."""
    drawn, last = np.empty((GROUP, LANES), np.float32), edges[-2]
    for a in range(0, len(weights), SOME):
        e = min(a + SOME, len(weights))
        w, c0, c1 = weights[a:e], GROUP * a, GROUP * e
        k, th, si, en, va = keys[c0 // 2 : c1 // 2], thresholds[c0:c1], sigma[c0:c1], ends[c0:c1], values[c0:c1]
        for t in range(len(z)):
            out = z[t, c0:c1]
            left, own, skip = _begun(w, x[t], h[t], edges, ones, _of(before, t, c0, c1), out)
            _product_noisy_tile(w, left, h[t, last:], ones, own, k, counters[t], step, th, si, en, va, drawn, out, skip)


@intrinsic
def _apply(typingctx, function, data, x, out):
    """NumPy's loop of a function, at this address, from ``x`` to ``out``."""
    kind = types.Array(types.float32, 3, "C")

    def generate(context: Any, b: Any, signature: Any, given: Any) -> Any:
        pointer, number = ir.IntType(8).as_pointer(), ir.IntType(64)
        arrays = [context.make_array(kind)(context, b, value) for value in given[2:]]
        places = cgutils.pack_array(b, [b.bitcast(array.data, pointer) for array in arrays])
        strides = cgutils.pack_array(b, [ir.Constant(number, 4)] * 2)
        values = [cgutils.alloca_once_value(b, value) for value in (places, arrays[0].nitems, strides)]
        loop = ir.FunctionType(ir.VoidType(), [pointer] * 4).as_pointer()
        b.call(b.inttoptr(given[0], loop), [*(b.bitcast(value, pointer) for value in values), b.inttoptr(given[1], pointer)])
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, kind, kind), generate


@register_jitable
def _finish(h, c, o, function, data, outputs):
    """The state h from c and o, where the function of c is known, and its copy where outputs are kept."""
    if function != 0:
        _apply(function, data, c, h)
        for t in range(len(h)):
            for j in range(h.shape[1]):
                for i in range(LANES):
                    h[t, j, i] *= o[t, j, i]
        for t in range(len(outputs)):
            outputs[t] = h[t]


@compiled(**_OPTIONS)
def lstm(weights, x, h, edges, ones, before, thresholds, values, c, o, function, data, outputs):
    """Steps of an LSTM whose units' gates are groups of columns: the next states in place, and the last step's gate o.

    Parameters
    ----------
    x : ndarray (steps, tiles, rows, LANES)
    h, c, o : ndarray (tiles, units, LANES)
    before : ndarray (steps, tiles, columns, LANES) or (1, 1, GROUP, LANES)
    function, data : int
        Addresses of the loop that makes h of c (`float_loop`), or 0: one step, and h is left.
    outputs : ndarray (steps, tiles, units, LANES), or without tiles
        Where h of each step is kept.
    """
    begun, last = np.empty((GROUP * SOME, LANES), np.float32), edges[-2]
    for s in range(len(x)):
        start = before[min(s, len(before) - 1)]
        for a in range(0, len(weights), SOME):
            e = min(a + SOME, len(weights))
            w, c0, c1 = weights[a:e], GROUP * a, GROUP * e
            th, va = thresholds[c0:c1], values[c0:c1]
            for t in range(len(c)):
                left, own, skip = _begun(w, x[s, t], h[t], edges, ones, _of(start, t, c0, c1), begun[: c1 - c0])
                _lstm_tile(w, left, h[t, last:], ones, own, th, va, c[t, a:e], o[t, a:e], skip)
        _finish(h, c, o, function, data, outputs[s])


@compiled(**_OPTIONS)
def lstm_noisy(
    weights, x, h, edges, ones, before, keys, counters, step, thresholds, sigma, ends, values, c, o, function, data, outputs
):
    """As `lstm`, of an even number of units, with noise as in `product_noisy`; ``step`` is the first."""
    drawn, z = np.empty((2 * GROUP, LANES), np.float32), np.empty((2 * GROUP, LANES), np.float32)
    begun, last = np.empty((GROUP * SOME, LANES), np.float32), edges[-2]
    for s in range(len(x)):
        start, now = before[min(s, len(before) - 1)], np.uint32(step + np.uint32(s))
        for a in range(0, len(weights), SOME):
            e = min(a + SOME, len(weights))
            w, c0, c1 = weights[a:e], GROUP * a, GROUP * e
            k, th, si, en, va = keys[c0 // 2 : c1 // 2], thresholds[c0:c1], sigma[c0:c1], ends[c0:c1], values[c0:c1]
            for t in range(len(c)):
                left, own, skip = _begun(w, x[s, t], h[t], edges, ones, _of(start, t, c0, c1), begun[: c1 - c0])
                now_c, now_o, rows = c[t, a:e], o[t, a:e], h[t, last:]
                _lstm_noisy_tile(w, left, rows, ones, own, k, counters[t], now, th, si, en, va, now_c, now_o, drawn, z, skip)
        _finish(h, c, o, function, data, outputs[s])
