"""Compiled converters, and the counter-based Gaussian noise that they and NumPy draw alike, to the bit.

A random number depends on its key and counter alone, not on what was drawn before or in which thread. `threefry` and
`box_muller` use only operations that IEEE 754 rounds alike everywhere (no fused multiply-add, no library logarithm or sine), so
that the same source run by NumPy on arrays and compiled by numba gives the same numbers.

Sequences lie side by side in memory, so that a compare of one threshold with many sequences is one vector instruction. The
kernels release Python's lock: several threads run several chips. All that is compiled is in this one file, because numba's
cache of compiled code notices changes of the file alone. Without numba `Converters.convert` and `normals` do what they do.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..compiled import compiled, inlined, shared

# "numpy": a division that cannot raise can be a vector instruction. Fused multiply-add stays off (numba's default): NumPy has none.
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
_TILE = 256
REACH = np.float32(5.8)
"""No number of `box_muller` is larger: its radius ends at ``sqrt(-2 ln 2**-24)``, 5.77."""
_SPLIT = np.uint32(0x1BD11BDA)
"""Constant of the key schedule."""


@shared
def _mix(a: Any, b: Any, r: int) -> tuple[Any, Any]:
    a = np.uint32(a + b)
    b = np.uint32(np.uint32(b << np.uint32(r)) | np.uint32(b >> np.uint32(32 - r)))
    return a, np.uint32(b ^ a)


def threefry(k0: Any, k1: Any, c0: Any, c1: Any) -> tuple[Any, Any]:
    """Two random 32-bit words for a key and a counter of two words each: Threefry-2x32 with 13 rounds.

    Source: Salmon et al., SC'11 (doi 10.1145/2063384.2063405), the fewest rounds that pass their whole battery of tests. Words and
    results are uint32, numbers or arrays.
    """
    k2 = np.uint32(np.uint32(k0 ^ k1) ^ _SPLIT)
    a, b = np.uint32(c0 + k0), np.uint32(c1 + k1)
    a, b = _mix(a, b, 13)
    a, b = _mix(a, b, 15)
    a, b = _mix(a, b, 26)
    a, b = _mix(a, b, 6)
    a, b = np.uint32(a + k1), np.uint32(b + np.uint32(k2 + np.uint32(1)))
    a, b = _mix(a, b, 17)
    a, b = _mix(a, b, 29)
    a, b = _mix(a, b, 16)
    a, b = _mix(a, b, 24)
    a, b = np.uint32(a + k2), np.uint32(b + np.uint32(k0 + np.uint32(2)))
    a, b = _mix(a, b, 13)
    a, b = _mix(a, b, 15)
    a, b = _mix(a, b, 26)
    a, b = _mix(a, b, 6)
    a, b = np.uint32(a + k0), np.uint32(b + np.uint32(k1 + np.uint32(3)))
    return _mix(a, b, 17)


def box_muller(a: Any, b: Any) -> tuple[Any, Any]:
    """Two independent standard normal float32 for two random 32-bit words (Box and Muller, Ann. Math. Stat. 29, 1958, 610-611).

    The angle is drawn in one quadrant about its middle, where series of sine and cosine are short, and two bits give the signs.
    Magnitudes reach 5.7.
    """
    # 23 bits and a half: a float32 holds them exactly, and neither 0 nor 1 occurs.
    u = np.float32(np.float32(np.float32(a >> np.uint32(9)) + np.float32(0.5)) * np.float32(2.0**-23))
    # u = m * 2**e with m between sqrt(1/2) and sqrt(2), taken from the number's own bits; 0x3F3504F3 is sqrt(1/2).
    bits = np.float32(u).view(np.int32)
    e = np.int32(np.int32(bits - np.int32(0x3F3504F3)) >> np.int32(23))
    m = np.int32(bits - np.int32(e << np.int32(23))).view(np.float32)
    # ln m = 2 artanh(s)
    s = np.float32(np.float32(m - np.float32(1)) / np.float32(m + np.float32(1)))
    q = np.float32(s * s)
    p = np.float32(np.float32(2 / 7) + np.float32(q * np.float32(2 / 9)))
    p = np.float32(np.float32(2 / 5) + np.float32(q * p))
    p = np.float32(np.float32(2 / 3) + np.float32(q * p))
    p = np.float32(np.float32(2) + np.float32(q * p))
    ln_u = np.float32(np.float32(np.float32(e) * np.float32(np.log(2.0))) + np.float32(s * p))
    radius = np.float32(np.sqrt(np.float32(-ln_u)))
    angle = np.float32(np.float32(np.float32(b >> np.uint32(9)) + np.float32(0.5)) * np.float32(2.0**-24 * np.pi))
    angle = np.float32(angle - np.float32(np.pi / 4))
    w = np.float32(angle * angle)
    sine = np.float32(np.float32(1 / 120) - np.float32(w * np.float32(1 / 5040)))
    sine = np.float32(np.float32(1 / 6) - np.float32(w * sine))
    sine = np.float32(angle * np.float32(np.float32(1) - np.float32(w * sine)))
    cosine = np.float32(np.float32(1 / 720) - np.float32(w * np.float32(1 / 40320)))
    cosine = np.float32(np.float32(1 / 24) - np.float32(w * cosine))
    cosine = np.float32(np.float32(0.5) - np.float32(w * cosine))
    cosine = np.float32(np.float32(1) - np.float32(w * cosine))
    first = np.float32(np.float32(1) - np.float32(np.float32(2) * np.float32(b & np.uint32(1))))
    second = np.float32(np.float32(1) - np.float32(b & np.uint32(2)))
    # cos(45 deg + angle) and sin(45 deg + angle), whose factor sqrt(1/2) has gone into the radius
    return (
        np.float32(np.float32(first * radius) * np.float32(cosine - sine)),
        np.float32(np.float32(second * radius) * np.float32(cosine + sine)),
    )


def normals(keys: np.ndarray, counters: np.ndarray, step: int) -> np.ndarray:
    """Standard normal numbers of all columns, the NumPy form of what the kernels draw.

    Parameters
    ----------
    keys : ndarray of uint32 (pairs, 2)
        One key for each two columns.
    counters : ndarray of uint32 (sequences,)
    step : int

    Returns
    -------
    ndarray of float32 (2 * pairs, sequences)
    """
    now = np.full(1, step, np.uint32)
    a, b = threefry(keys[:, :1], keys[:, 1:], counters[None, :], now)
    first, second = box_muller(a, b)
    return np.stack([first, second], axis=1).reshape(2 * len(keys), len(counters))


_threefry = inlined(error_model="numpy")(threefry)
_box_muller = inlined(error_model="numpy")(box_muller)


@compiled(**_OPTIONS)
def keep_rows(values, held, threshold, change):
    """As `cosim.chip.pulses.keep_rows`, with the pulses' differences into ``change``; one type of float throughout."""
    rows, n = values.shape
    for i in range(rows):
        for b in range(n):
            d = values[i, b] - held[i, b]
            if abs(d) > threshold:
                held[i, b] = values[i, b]
                change[i, b] = d
            else:
                change[i, b] = 0.0


def add_noise(x: np.ndarray, variance: np.ndarray, keys: np.ndarray, counters: np.ndarray, step: int) -> None:
    """Add Gaussian noise of the given variances in place, both (columns, sequences)."""
    _add_noise(x, variance, keys, counters, np.uint32(step))


@compiled(**_OPTIONS)
def _fill(keys, counters, step, first, second):
    """Noise of two columns."""
    for b in range(len(counters)):
        u, v = _threefry(keys[0], keys[1], counters[b], step)
        first[b], second[b] = _box_muller(u, v)


@compiled(**_OPTIONS)
def _count(x, thresholds, count):
    """Thresholds below each x; their number is a multiple of 8."""
    count[:] = 0
    for k in range(0, len(thresholds), 8):
        t0, t1, t2, t3 = thresholds[k], thresholds[k + 1], thresholds[k + 2], thresholds[k + 3]
        t4, t5, t6, t7 = thresholds[k + 4], thresholds[k + 5], thresholds[k + 6], thresholds[k + 7]
        for b in range(len(x)):
            v = x[b]
            low = np.int32(v > t0) + np.int32(v > t1) + np.int32(v > t2) + np.int32(v > t3)
            high = np.int32(v > t4) + np.int32(v > t5) + np.int32(v > t6) + np.int32(v > t7)
            count[b] += np.int32(low + high)


@compiled(**_OPTIONS)
def convert(x, thresholds, values, out):
    """Outputs for pre-activations, one type of float throughout; ``out`` may be ``x``.

    Parameters
    ----------
    x, out : ndarray (columns, sequences)
    thresholds : ndarray (columns, levels)
        Not decreasing along a row; levels is a multiple of 8.
    values : ndarray (columns, levels + 1)
    """
    columns, n = x.shape
    counts = np.empty(_TILE, np.int32)
    for j in range(columns):
        table = values[j]
        for start in range(0, n, _TILE):
            stop = min(start + _TILE, n)
            count = counts[: stop - start]
            _count(x[j, start:stop], thresholds[j], count)
            result = out[j, start:stop]
            for b in range(len(result)):
                result[b] = table[count[b]]


@compiled(**_OPTIONS)
def convert_noisy(x, thresholds, sigma, values, keys, counters, step, out):
    """As `convert`, with noise of rms ``sigma`` (columns, 1) on each conversion; keys, counters, step as for `normals`."""
    columns, n = x.shape
    counts = np.empty(_TILE, np.int32)
    moved_all = np.empty(_TILE, x.dtype)
    noise = np.empty((2, _TILE), np.float32)
    for pair in range(0, columns, 2):
        for start in range(0, n, _TILE):
            stop = min(start + _TILE, n)
            _fill(keys[pair // 2], counters[start:stop], step, noise[0], noise[1])
            count, moved = counts[: stop - start], moved_all[: stop - start]
            for j in range(pair, min(pair + 2, columns)):
                s, table, number, seen = sigma[j, 0], values[j], noise[j - pair], x[j, start:stop]
                for b in range(len(moved)):
                    moved[b] = seen[b] - number[b] * s
                _count(moved, thresholds[j], count)
                result = out[j, start:stop]
                for b in range(len(result)):
                    result[b] = table[count[b]]


@compiled(**_OPTIONS)
def convert_noisy_levels(x, thresholds, sigma, values, keys, counters, step, out):
    """As `convert_noisy`, with a rms of its own for each level: ``sigma`` (columns, levels)."""
    columns, n = x.shape
    counts = np.empty(_TILE, np.int32)
    noise = np.empty((2, _TILE), np.float32)
    for pair in range(0, columns, 2):
        for start in range(0, n, _TILE):
            stop = min(start + _TILE, n)
            _fill(keys[pair // 2], counters[start:stop], step, noise[0], noise[1])
            count = counts[: stop - start]
            for j in range(pair, min(pair + 2, columns)):
                table, number, seen = values[j], noise[j - pair], x[j, start:stop]
                count[:] = 0
                for k in range(0, thresholds.shape[1], 4):
                    t0, t1, t2, t3 = thresholds[j, k], thresholds[j, k + 1], thresholds[j, k + 2], thresholds[j, k + 3]
                    s0, s1, s2, s3 = sigma[j, k], sigma[j, k + 1], sigma[j, k + 2], sigma[j, k + 3]
                    for b in range(len(count)):
                        v, g = seen[b], number[b]
                        low = np.int32(v - g * s0 > t0) + np.int32(v - g * s1 > t1)
                        high = np.int32(v - g * s2 > t2) + np.int32(v - g * s3 > t3)
                        count[b] += np.int32(low + high)
                result = out[j, start:stop]
                for b in range(len(result)):
                    result[b] = table[count[b]]


def decisions(
    keys: np.ndarray, counters: np.ndarray, step: int, column: np.ndarray, sequence: np.ndarray, level: np.ndarray
) -> np.ndarray:
    """Noise of single decisions, one number for each column, sequence and level of arrays (n,); keys and counters as for `normals`.

    A ramp step within a time step has a counter of its own: 2^24 time steps and 255 levels have theirs.
    """
    now = (np.uint32(step) + ((level + 1).astype(np.uint32) << np.uint32(24))).astype(np.uint32)
    key = keys[column >> 1]
    first, second = box_muller(*threefry(key[:, 0], key[:, 1], counters[sequence], now))
    return np.where(column & 1, second, first)


@compiled(**_OPTIONS)
def _first_passage(seen, common, thresholds, sigma, shared, key, first, counters, step, count, ends, room):
    """Steps of a ramp before the first at which each sequence's comparator trips, one column.

    No number of noise is larger than `REACH`: levels that far below are passed and one that far above trips whatever is drawn,
    so that numbers are drawn for the few between, until a comparator has tripped. Those still running are kept together.
    """
    bound, running, word, other, number = room
    s, low, high = sigma.max() * REACH, shared.min(), shared.max()
    for b in range(len(seen)):
        bound[b] = seen[b] - s - max(common[b] * low, common[b] * high)
    _count(bound, thresholds, count)
    for b in range(len(seen)):
        bound[b] = seen[b] + s - min(common[b] * low, common[b] * high)
    _count(bound, thresholds, ends)
    left = np.int64(0)
    for b in range(len(seen)):
        running[left] = b
        left += np.int64(count[b] < ends[b])
    while left:
        for i in range(left):
            b = running[i]
            word[i] = counters[b]
            other[i] = step + np.uint32(np.uint32(count[b] + 1) << np.uint32(24))
        for i in range(left):
            word[i], other[i] = _threefry(key[0], key[1], word[i], other[i])
        for i in range(left):
            u, w = _box_muller(word[i], other[i])
            number[i] = u if first else w
        still = np.int64(0)
        for i in range(left):
            b = running[i]
            k = count[b]
            above = seen[b] - number[i] * sigma[k] - common[b] * shared[k] > thresholds[k]
            count[b] = k + np.int32(above)
            running[still] = b
            # No branch here, whose outcome nobody can guess.
            still += np.int64(above) & np.int64(k + 1 < ends[b])
        left = still


@compiled(**_OPTIONS)
def convert_by_step(x, thresholds, sigma, shared, values, keys, ramp_keys, counters, step, passage, out):
    """As `convert_noisy_levels`, with noise ``shared`` (columns, levels) of the ramps; ``passage``: a decision at every step.

    Columns whose ``ramp_keys`` (columns, 2) are alike see the same noise of their ramp. Types as in `convert`.
    """
    columns, n = x.shape
    noise = np.empty((2, n), np.float32)
    ramp = np.empty((2, n), np.float32)
    count, ends = np.empty(n, np.int32), np.empty(n, np.int32)
    room = (np.empty(n, x.dtype), np.empty(n, np.int32), np.empty(n, np.uint32), np.empty(n, np.uint32), np.empty(n, np.float32))
    drawn = -1
    for pair in range(0, columns, 2):
        if not passage:
            _fill(keys[pair // 2], counters, step, noise[0], noise[1])
        for j in range(pair, min(pair + 2, columns)):
            if drawn < 0 or ramp_keys[j, 0] != ramp_keys[drawn, 0] or ramp_keys[j, 1] != ramp_keys[drawn, 1]:
                _fill(ramp_keys[j], counters, step, ramp[0], ramp[1])
            drawn = j
            table, seen, number, common = values[j], x[j], noise[j - pair], ramp[0]
            if passage:
                _first_passage(
                    seen, common, thresholds[j], sigma[j], shared[j], keys[pair // 2], j == pair, counters, step, count, ends, room
                )
            else:
                count[:] = 0
                for k in range(thresholds.shape[1]):
                    t, s, r = thresholds[j, k], sigma[j, k], shared[j, k]
                    for b in range(n):
                        count[b] += np.int32(seen[b] - number[b] * s - common[b] * r > t)
            result = out[j]
            for b in range(n):
                result[b] = table[count[b]]


def _add_noise_in_numpy(x: np.ndarray, variance: np.ndarray, keys: np.ndarray, counters: np.ndarray, step: int) -> None:
    """As `_add_noise`, to the bit."""
    x += normals(keys, counters, step)[: len(x)].astype(x.dtype) * np.sqrt(variance)


@compiled(otherwise=_add_noise_in_numpy, **_OPTIONS)
def _add_noise(x, variance, keys, counters, step):
    columns, n = x.shape
    noise = np.empty((2, n), np.float32)
    for pair in range(0, columns, 2):
        _fill(keys[pair // 2], counters, step, noise[0], noise[1])
        for j in range(pair, min(pair + 2, columns)):
            for b in range(n):
                x[j, b] += noise[j - pair, b] * np.sqrt(variance[j, b])
