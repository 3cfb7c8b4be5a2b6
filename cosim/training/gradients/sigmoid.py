"""Slopes of the logistic function in single precision, with the bits of SciPy's `expit`, several at a time.

SciPy takes ``exp`` from the C library, a number at a time. That of glibc (2.27 and newer, `sysdeps/ieee754/flt-32/e_expf.c`) is a
table of 32 powers of two and a polynomial of third order in double precision, which a compiler makes vector instructions of, and
that GCC contracts to fused multiply-adds where the processor has them. Where the C library is another, `slopes_are_known` says so.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from cosim.compiled import compiled, numba_fault

# Contracted as GCC does for the variants of glibc that know fused multiply-adds.
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}
_TABLE = (np.exp2(np.arange(32) / 32).view(np.int64) - (np.arange(32) << 47)).astype(np.int64)
_PER_STEP = float.fromhex("0x1.71547652b82fep+0") * 32
_SHIFT = float.fromhex("0x1.8p+52")
_CUBE = float.fromhex("0x1.c6af84b912394p-5") / 32**3
_SQUARE = float.fromhex("0x1.ebfce50fac4f3p-3") / 32**2
_LINE = float.fromhex("0x1.62e42ff0c52d6p-1") / 32
REACH = 80.0
"""Up to here exp neither overflows nor underflows."""


@cache
def slopes_are_known(*ends: float) -> bool:
    """Whether `sigmoid_slopes` is compiled and has SciPy's bits here, by 2^14 numbers, as far as these ends."""
    if numba_fault():
        return False
    from scipy.special import expit

    x = np.linspace(-16, 16, 2**14, dtype=np.float32)[None]
    out = x.copy()
    sigmoid_slopes(out, 0, out.shape[1], np.float32(-REACH), np.float32(REACH))
    return max(ends) <= REACH and np.array_equal(out, expit(x) * expit(-x))


@compiled(**_OPTIONS)
def sigmoid_slopes(x, first, stop, low, high):
    """Replaces columns ``first`` to ``stop`` of x by ``expit(x) expit(-x)`` between the ends, within `REACH`, and by 0 beyond."""
    one, zero = np.float32(1), np.float32(0)
    for b in range(len(x)):
        xb = x[b, first:stop]
        for j in range(len(xb)):
            v = xb[j]
            inside = low <= v <= high
            z = _PER_STEP * np.float64(v if inside else zero)
            shifted = z + _SHIFT
            k = np.float64(shifted).view(np.int64)
            r = z - (shifted - _SHIFT)
            up = np.int64(_TABLE[k & 31] + (k << 47)).view(np.float64)
            down = np.int64(_TABLE[-k & 31] + (-k << 47)).view(np.float64)
            square = r * r
            plus = (_CUBE * r + _SQUARE) * square + (_LINE * r + 1.0)
            minus = (_SQUARE - _CUBE * r) * square + (1.0 - _LINE * r)
            one_way = one / (one + np.float32(plus * up))
            other = one / (one + np.float32(minus * down))
            xb[j] = one_way * other if inside else zero
