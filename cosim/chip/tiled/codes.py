"""Codes of 16 numbers by bisection in tables that stand in registers, without noise and with a number of noise for each.

As `vectors`, it writes code and computes nothing by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils

from .vectors import FLOATS, INTS, VECTOR, load, splat

LEVELS = 31
"""ThresholdRow of a table, which has a slot more."""
SLOTS = 46
"""Length of a table's row; 16 numbers are read from its last place."""
_PLACES = (30, 28, 24, 16, 0)
"""Where the 1, 2, 4, 8, 16 thresholds of each compare of a bisection stand, by the answers before it, the first the lowest bit."""


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


class ThresholdRow:
    """Tables of one column in registers, and what is done with them to 16 numbers."""

    def __init__(self, builder: Any, table: Any, offset: Any) -> None:
        self.builder = builder
        places = [builder.gep(table, [builder.add(offset, ir.Constant(offset.type, place))]) for place in _PLACES]
        self.first = splat(builder, builder.load(places[0]))
        self.further = [load(builder, place, ir.Constant(offset.type, 0)) for place in places[1:]]

    def at(self, compare: int, answers: Any) -> Any:
        """The number that each compare meets after these answers."""
        if compare == 0:
            return self.first
        kind = ir.FunctionType(FLOATS, [FLOATS, INTS])
        permute = cgutils.get_or_insert_function(self.builder.module, kind, "llvm.x86.avx512.permvar.sf.512")
        return self.builder.call(permute, [self.further[compare - 1], answers])


def _bisect(builder: Any, above: Callable[[int, Any], Any]) -> Any:
    """Answers of five compares, the first the lowest bit: a code whose bits are in reverse."""
    answers = ir.Constant(INTS, [0] * VECTOR)
    for compare in range(5):
        more = builder.add(answers, ir.Constant(INTS, [1 << compare] * VECTOR))
        answers = builder.select(above(compare, answers), more, answers)
    return answers


class Outputs:
    """A table of 32 numbers in registers."""

    def __init__(self, builder: Any, table: Any, offset: Any) -> None:
        self.builder = builder
        self.halves = [load(builder, table, builder.add(offset, ir.Constant(offset.type, k))) for k in (0, VECTOR)]

    def at(self, index: Any) -> Any:
        kind = ir.FunctionType(FLOATS, [FLOATS, INTS, FLOATS])
        permute = cgutils.get_or_insert_function(self.builder.module, kind, "llvm.x86.avx512.vpermi2var.ps.512")
        return self.builder.call(permute, [self.halves[0], index, self.halves[1]])


def codes(builder: Any, row: ThresholdRow, x: Any) -> Any:
    """Number of thresholds below each of 16 numbers, its bits in reverse; a NaN is above none."""
    return _bisect(builder, lambda compare, answers: builder.fcmp_ordered(">", x, row.at(compare, answers)))


def _constant_at(builder: Any, table: list[int], index: Any) -> Any:
    """Numbers of a constant table of 32."""
    kind = ir.FunctionType(INTS, [INTS] * 3)
    permute = cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.avx512.vpermi2var.d.512")
    low, high = (ir.Constant(INTS, [int(k) for k in table[i : i + VECTOR]]) for i in (0, VECTOR))
    return builder.call(permute, [low, index, high])


def _reverse(builder: Any, codes: Any) -> Any:
    """Codes with their five bits in reverse."""
    return _constant_at(builder, REVERSED, codes)


class NoisyRow:
    """As `ThresholdRow`, with the rms noise of each threshold; codes of 16 numbers by 16 draws, their bits in reverse."""

    def __init__(self, builder: Any, tables: tuple[Any, Any], at: Any, ends: Any) -> None:
        self.builder, self.tables, self.column = builder, tables, at
        self.offset = builder.mul(at, ir.Constant(at.type, SLOTS))
        self.thresholds, self.sigma = (ThresholdRow(builder, table, self.offset) for table in tables)
        first = builder.mul(at, ir.Constant(at.type, 3))
        self.low, self.high, self.is_steady = (
            builder.load(builder.gep(ends, [builder.add(first, ir.Constant(at.type, k))])) for k in range(3)
        )
        self.code, self.level = (cgutils.alloca_once(builder, INTS) for _ in range(2))

    def _above(self, x: Any, g: Any, threshold: Any, sigma: Any) -> Any:
        b = self.builder
        return b.fcmp_ordered(">", b.fsub(x, b.fmul(g, sigma)), threshold)

    def steady(self, x: list[Any], g: list[Any]) -> list[Any]:
        """Bisection with each threshold's own noise, for columns that count a level only if they count those before."""
        b, t, s = self.builder, self.thresholds, self.sigma
        answers = [ir.Constant(INTS, [0] * VECTOR)] * len(x)
        for compare in range(5):
            known, one = answers, ir.Constant(INTS, [1 << compare] * VECTOR)
            above = [self._above(v, n, t.at(compare, k), s.at(compare, k)) for v, n, k in zip(x, g, known, strict=True)]
            answers = [b.select(a, b.add(k, one), k) for a, k in zip(above, known, strict=True)]
        return answers

    def any(self, x: Any, g: Any) -> Any:
        """For all columns: levels that count with the smallest and the largest noise, or with neither, then each between."""
        b = self.builder
        one, other = b.fmul(g, splat(b, self.low)), b.fmul(g, splat(b, self.high))
        swapped = b.fcmp_ordered(">", one, other)
        b.store(_reverse(b, codes(b, self.thresholds, b.fsub(x, b.select(swapped, one, other)))), self.code)
        b.store(b.load(self.code), self.level)
        end_level = _reverse(b, codes(b, self.thresholds, b.fsub(x, b.select(swapped, other, one))))
        test, body, end = (b.append_basic_block(name) for name in ("between.test", "between", "between.end"))
        b.branch(test)
        b.position_at_end(test)
        k = b.load(self.level)
        open_ = b.icmp_signed("<", k, end_level)
        some = b.icmp_unsigned("!=", b.bitcast(open_, ir.IntType(VECTOR)), ir.Constant(ir.IntType(VECTOR), 0))
        b.cbranch(some, body, end)
        b.position_at_end(body)
        place = _constant_at(b, list(np.argsort(BISECTION)), k)
        threshold, sigma = (Outputs(b, table, self.offset).at(place) for table in self.tables)
        above = b.and_(open_, self._above(x, g, threshold, sigma))
        code, more = b.load(self.code), ir.Constant(INTS, [1] * VECTOR)
        b.store(b.select(above, b.add(code, more), code), self.code)
        b.store(b.add(k, more), self.level)
        b.branch(test)
        b.position_at_end(end)
        return _reverse(b, b.load(self.code))
