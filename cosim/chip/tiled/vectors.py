"""What the code of tiles is written with: 16 numbers a vector, several vectors at a time, noise of `kernels` to the bit.

All of it writes LLVM's instructions for AVX-512 and computes nothing by itself; `tiles` names this file among its sources.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils

VECTOR = 16
_NUMBER = ir.IntType(32)
FLOATS = ir.VectorType(ir.FloatType(), VECTOR)
INTS = ir.VectorType(_NUMBER, VECTOR)
_KEY = 0x1BD11BDA
"""Constant of the key schedule."""


def splat(builder: Any, value: Any) -> Any:
    """A vector of one number."""
    kind = ir.VectorType(value.type, VECTOR)
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(_NUMBER, 0))
    return builder.shuffle_vector(one, ir.Constant(kind, ir.Undefined), ir.Constant(INTS, [0] * VECTOR))


def load(builder: Any, pointer: Any, offset: Any, kind: Any = FLOATS) -> Any:
    """A vector from a place in memory, counted in numbers."""
    return builder.load(builder.bitcast(builder.gep(pointer, [offset]), kind.as_pointer()), align=4)


def store(builder: Any, value: Any, pointer: Any, offset: Any) -> None:
    """Writes a vector to a place in memory, counted in numbers."""
    builder.store(value, builder.bitcast(builder.gep(pointer, [offset]), value.type.as_pointer()), align=4)


def prefetch(builder: Any, pointer: Any, offset: Any) -> None:
    """Calls for the line of a place in memory, counted in numbers, which need not exist."""
    place = builder.bitcast(builder.gep(pointer, [offset]), ir.IntType(8).as_pointer())
    kind = ir.FunctionType(ir.VoidType(), [place.type, _NUMBER, _NUMBER, _NUMBER])
    read, near, data = (ir.Constant(_NUMBER, k) for k in (0, 3, 1))
    builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0"), [place, read, near, data])


def called(builder: Any, name: str, result: Any, *values: Any) -> Any:
    """Result of one of LLVM's own functions."""
    kind = ir.FunctionType(result, [value.type for value in values])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), values)


def transposed(builder: Any, rows: list[Any]) -> list[Any]:
    """Columns of a square of numbers, 16 vectors of 16: in four steps, blocks of 8, 4, 2, 1 change places across the diagonal."""
    for block in (8, 4, 2, 1):
        for i in range(VECTOR):
            if not i & block:
                a, b = rows[i], rows[i + block]
                first = [lane if not lane & block else VECTOR + lane - block for lane in range(VECTOR)]
                second = [lane + block if not lane & block else VECTOR + lane for lane in range(VECTOR)]
                rows[i], rows[i + block] = (builder.shuffle_vector(a, b, ir.Constant(INTS, order)) for order in (first, second))
    return rows


class Wide:
    """Several vectors that the same is done to: each operation on all before the next, so that none waits for its own last one.

    Floats are float32 and round after every operation; integers are 32 bits that wrap around.
    """

    def __init__(self, builder: Any, vectors: list[Any]) -> None:
        self.builder, self.vectors = builder, vectors

    def _with(self, operation: str, other: Any, *, swapped: bool = False) -> Wide:
        kind = self.vectors[0].type
        if isinstance(other, Wide):
            others = other.vectors
        elif isinstance(other, ir.Value):
            others = [other] * len(self.vectors)
        else:
            number = float(np.float32(other)) if kind == FLOATS else int(other)
            others = [ir.Constant(kind, [number] * VECTOR)] * len(self.vectors)
        pairs = zip(self.vectors, others, strict=True)
        do = getattr(self.builder, operation)
        return Wide(self.builder, [do(y, x) if swapped else do(x, y) for x, y in pairs])

    def __add__(self, other: Any) -> Wide:
        return self._with("fadd" if self.vectors[0].type == FLOATS else "add", other)

    def __sub__(self, other: Any) -> Wide:
        return self._with("fsub" if self.vectors[0].type == FLOATS else "sub", other)

    def __mul__(self, other: Any) -> Wide:
        return self._with("fmul", other)

    def __truediv__(self, other: Any) -> Wide:
        return self._with("fdiv", other)

    def __xor__(self, other: Any) -> Wide:
        return self._with("xor", other)

    def __and__(self, other: Any) -> Wide:
        return self._with("and_", other)

    def __lshift__(self, bits: int) -> Wide:
        return self._with("shl", bits)

    def __rshift__(self, bits: int) -> Wide:
        return self._with("ashr", bits)

    def below(self, number: Any) -> Wide:
        """A number less these."""
        return self._with("fsub", number, swapped=True)

    def floats(self) -> Wide:
        """The same bits as floats."""
        return Wide(self.builder, [self.builder.bitcast(x, FLOATS) for x in self.vectors])

    def ints(self) -> Wide:
        """The same bits as integers."""
        return Wide(self.builder, [self.builder.bitcast(x, INTS) for x in self.vectors])

    def converted(self) -> Wide:
        """Integers with a sign as floats."""
        return Wide(self.builder, [self.builder.sitofp(x, FLOATS) for x in self.vectors])

    def root(self) -> Wide:
        return Wide(self.builder, [called(self.builder, "llvm.sqrt.v16f32", FLOATS, x) for x in self.vectors])

    def rotated(self, bits: int) -> Wide:
        """Integers rotated to the left."""
        by = ir.Constant(INTS, [bits] * VECTOR)
        return Wide(self.builder, [called(self.builder, "llvm.fshl.v16i32", INTS, x, x, by) for x in self.vectors])

    def mantissa(self, of: float) -> Wide:
        """Their highest 23 bits k as floats ``of * (1 + k 2^-23)``, of a power of two."""
        high, by = (ir.Constant(INTS, [int(k)] * VECTOR) for k in (np.float32(of).view(np.int32) >> 23, 9))
        return Wide(self.builder, [called(self.builder, "llvm.fshr.v16i32", INTS, high, x, by) for x in self.vectors]).floats()


def threefry(keys: tuple[Any, Any], counters: Wide, step: Any) -> tuple[Wide, Wide]:
    """`kernels.threefry` of one key and one second word of the counter, numbers, and of many first words."""
    b = counters.builder
    k0, k1 = keys
    k2 = b.xor(b.xor(k0, k1), ir.Constant(_NUMBER, _KEY))

    def more(key: Any, number: int) -> Any:
        return splat(b, b.add(key, ir.Constant(_NUMBER, number)))

    def mixed(x: Wide, y: Wide, *rotations: int) -> tuple[Wide, Wide]:
        for bits in rotations:
            x = x + y
            y = y.rotated(bits) ^ x
        return x, y

    # The second word is one number until the first round has mixed it with the first.
    second = b.add(k1, step)
    x = counters + splat(b, b.add(k0, second))
    y = Wide(b, [splat(b, called(b, "llvm.fshl.i32", _NUMBER, second, second, ir.Constant(_NUMBER, 13)))] * len(x.vectors)) ^ x
    x, y = mixed(x, y, 15, 26, 6)
    x, y = mixed(x + splat(b, k1), y + more(k2, 1), 17, 29, 16, 24)
    x, y = mixed(x + splat(b, k2), y + more(k0, 2), 13, 15, 26, 6)
    return mixed(x + splat(b, k0), y + more(k1, 3), 17)


def box_muller(a: Wide, b: Wide) -> tuple[Wide, Wide]:
    """`kernels.box_muller`, operation by operation where one rounds; the others are the same numbers with fewer instructions."""
    n = np.float32
    # Exact: 1 + k 2^-23 less all but half of 2^-23 of 1.
    u = a.mantissa(1.0) - n(1 - 2.0**-24)
    above = u.ints() - 0x3F3504F3
    e = (above >> 23).converted()
    m = ((above & 0x7FFFFF) + 0x3F3504F3).floats()
    s = (m - 1) / (m + 1)
    q = s * s
    p = q * n(2 / 9) + n(2 / 7)
    p = q * p + n(2 / 5)
    p = q * p + n(2 / 3)
    p = q * p + 2
    radius = (e * -n(np.log(2.0)) - s * p).root().ints()
    angle = (b.mantissa(2.0**23) - n(2**23 - 0.5)) * n(2.0**-24 * np.pi) - n(np.pi / 4)
    w = angle * angle
    sine = (w * n(1 / 5040)).below(n(1 / 120))
    sine = (w * sine).below(n(1 / 6))
    sine = angle * (w * sine).below(1)
    cosine = (w * n(1 / 40320)).below(n(1 / 720))
    cosine = (w * cosine).below(n(1 / 24))
    cosine = (w * cosine).below(0.5)
    cosine = (w * cosine).below(1)
    # A radius is above 0: two bits are the signs.
    first, second = radius ^ (b << 31), radius ^ ((b << 30) & -(2**31))
    return first.floats() * (cosine - sine), second.floats() * (cosine + sine)
