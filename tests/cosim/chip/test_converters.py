"""Converters against a count step by step, compiled ones against NumPy's to the bit, and the noise against its source."""

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from cosim.chip import kernels
from cosim.chip.converters import Converters, Grid, ramp_codes
from cosim.chip.kernels import box_muller, normals, threefry
from netlists.errors import InputError

# Multiples of 1/8: offsets add without rounding, and inputs that equal a level occur.
eighths = st.integers(-40, 40).map(lambda k: k / 8)
dtypes = st.sampled_from([np.float32, np.float64])
U = np.uint32


def keys(columns, seed=1):
    return np.random.default_rng(seed).integers(0, 2**32, (columns // 2 + 1, 2), dtype=np.uint32)


def first_trip(levels, x):
    """The converter step by step: count until the comparator trips."""
    code = 0
    for level in levels:
        if level >= x:
            break
        code += 1
    return code


@given(arrays(float, st.integers(1, 40), elements=eighths), arrays(float, 30, elements=eighths))
def test_codes_are_those_of_the_first_trip_whether_the_ramp_rises_or_dips(levels, x):
    np.testing.assert_array_equal(ramp_codes(levels, x), [first_trip(levels, v) for v in x])


@given(arrays(float, st.tuples(st.integers(1, 5), st.integers(1, 40)), elements=eighths), st.integers(0, 99), dtypes)
def test_each_column_counts_its_own_levels(levels, seed, dtype):
    x = np.random.default_rng(seed).integers(-48, 48, (len(levels), 17)).astype(dtype) / 8
    bank = Converters.build(levels, np.zeros(()), np.arange(levels.shape[1] + 1), keys(len(levels)), dtype)
    expected = [[first_trip(row, v) for v in xs] for row, xs in zip(levels, x, strict=True)]
    now = np.arange(17, dtype=U)
    np.testing.assert_array_equal(bank.codes(x, now, 0), expected)
    np.testing.assert_array_equal(bank.convert_compiled(x, np.empty_like(x), now, 0), expected)


@given(st.integers(1, 7), st.integers(1, 70), st.integers(1, 300), st.integers(0, 10**6), dtypes, st.sampled_from([0, 1, 2]))
def test_compiled_and_numpy_converters_give_the_same_codes(columns, levels, sequences, seed, dtype, noise):
    """Inputs on thresholds, next to them in floating point, and far away; no noise, one sigma, one for each level."""
    rng = np.random.default_rng(seed)
    thresholds = np.cumsum(rng.exponential(0.2, (columns, levels)), axis=1) - 3 + 0.3 * rng.standard_normal((columns, levels))
    sigma = (np.zeros(()), np.array(0.1), rng.uniform(0, 0.2, levels))[noise]
    bank = Converters.build(thresholds, sigma, rng.standard_normal(levels + 1), keys(columns, seed), dtype)
    exact = bank.thresholds[np.arange(columns)[:, None], rng.integers(0, levels, (columns, sequences))]
    x = rng.choice([exact, np.nextafter(exact, dtype(np.inf)), rng.normal(0, 4, exact.shape).astype(dtype)])
    counters = rng.integers(0, 2**32, sequences, dtype=U)
    codes = bank.codes(x, counters, 5)
    expected = np.take_along_axis(bank.values, codes, axis=1)
    np.testing.assert_array_equal(bank.convert_compiled(x, np.empty_like(x), counters, 5), expected)
    np.testing.assert_array_equal(bank.convert_compiled(x.copy(), x, counters, 5), expected)


@given(
    st.integers(1, 4),
    st.integers(1, 200),
    st.sampled_from([1e-30, 1e-6, 1.0, 1e6]),
    st.integers(2, 512),
    st.integers(0, 10**6),
    dtypes,
)
def test_the_grid_is_exact_however_many_levels_a_cell_holds(columns, levels, spread, cells, seed, dtype):
    """Levels drawn on very different scales, many of them equal or in one cell; against bisection."""
    rng = np.random.default_rng(seed)
    scale = rng.choice([1e-5, 1e-2, 1.0], (columns, levels))
    thresholds = np.sort((spread * scale * rng.standard_normal((columns, levels))).astype(dtype), axis=1)
    thresholds[:, levels // 2 : levels // 2 + 3] = thresholds[:, levels // 2 : levels // 2 + 1]
    near = thresholds[:, rng.integers(0, levels, 50)]
    x = np.hstack([near, np.nextafter(near, dtype(np.inf)), np.nextafter(near, dtype(-np.inf)), dtype(spread) * 2 - 4 * near])
    expected = [np.searchsorted(t, row, side="left") for t, row in zip(thresholds, x, strict=True)]
    np.testing.assert_array_equal(Grid(thresholds, cells).codes(x), expected)


def test_a_grid_of_one_level_and_levels_at_infinity():
    t = np.array([[0.5, np.inf], [0.0, 1.0]])
    np.testing.assert_array_equal(Grid(t).codes(np.array([[0.5, 0.6, 9e9], [0.0, 1.0, 1.1]])), [[0, 1, 1], [0, 1, 2]])
    with pytest.raises(InputError, match="no finite level"):
        Grid(np.array([[np.inf]]))


def test_joined_banks_convert_as_they_did_apart():
    rng = np.random.default_rng(1)
    banks = [
        Converters.build(rng.normal(size=(2, 5)), np.array(0.0), np.arange(6.0), keys(2), np.float64),
        Converters.build(rng.normal(size=(4, 31)), np.array(0.0), -np.arange(32.0), keys(4), np.float64),
    ]
    joined = Converters.join(banks, keys(6))
    x, now = rng.normal(size=(6, 9)), np.arange(9, dtype=U)
    expected = np.vstack([banks[0].convert(x[:2], now, 0), banks[1].convert(x[2:], now, 0)])
    np.testing.assert_array_equal(joined.convert(x, now, 0), expected)
    np.testing.assert_array_equal(joined.convert_compiled(x, np.empty_like(x), now, 0), expected)


# Known answers of Threefry-2x32 with 13 rounds, from its authors' test file (Random123, kat_vectors).
@pytest.mark.parametrize(("word", "answer"), [(0, (0x9D1C5EC6, 0x8BD50731)), (0xFFFFFFFF, (0xFD36D048, 0x2D17272C))])
def test_the_generator_has_its_authors_answers(word, answer):
    w = np.full(1, word, U)
    assert tuple(int(v[0]) for v in threefry(w, w, w, w)) == answer


def test_noise_is_normal_and_its_columns_and_steps_are_independent():
    k, n = keys(4), np.arange(50_000, dtype=U)
    z = np.vstack([normals(k[:2], n, 0), normals(k[:2], n, 1)]).astype(float)
    for row in z:
        assert stats.kstest(row, "norm").pvalue > 1e-4
        assert abs(stats.kurtosis(row)) < 6 * math.sqrt(24 / len(n))
    off = np.corrcoef(z) - np.eye(8)
    assert np.abs(off).max() < 5 / math.sqrt(len(n))
    squares = np.corrcoef(z**2) - np.eye(8)
    assert np.abs(squares).max() < 5 / math.sqrt(len(n))
    assert np.abs([np.corrcoef(row[1:], row[:-1])[0, 1] for row in z]).max() < 5 / math.sqrt(len(n))


def test_tails_are_those_of_exact_functions():
    a = np.array([0, 511, 512, 2**31, 2**32 - 1, 12345], U)
    b = np.array([0, 1, 2, 3, 2**32 - 1, 987654321], U)
    u = ((a >> 9) + 0.5) * 2.0**-23
    angle = ((b >> 9) + 0.5) * 2.0**-24 * math.pi
    radius = np.sqrt(-2 * np.log(u))
    first, second = box_muller(a, b)
    np.testing.assert_allclose(np.abs(first), radius * np.cos(angle), atol=3e-6)
    np.testing.assert_allclose(np.abs(second), radius * np.sin(angle), atol=3e-6)
    np.testing.assert_array_equal(np.signbit(first), (b & 1).astype(bool))
    np.testing.assert_array_equal(np.signbit(second), (b & 2).astype(bool))


def test_a_number_depends_on_its_own_counter_alone():
    k = keys(4)
    all_ = normals(k, np.arange(100, dtype=U), 3)
    np.testing.assert_array_equal(normals(k, np.array([40, 7], U), 3), all_[:, [40, 7]])
    assert not np.any(normals(k, np.arange(100, dtype=U), 4) == all_)


@pytest.mark.parametrize("levels", [1, 9])
@pytest.mark.parametrize("distance", [-1.5, -0.3, 0.0, 0.7, 2.0])
def test_noise_trips_as_often_as_the_normal_distribution_says(distance, levels):
    """One threshold within reach; with several sigmas the other thresholds' noise must not matter."""
    sigma, level, n = 0.2, 0.3, 40_000
    thresholds = np.append([level], 50.0 + np.arange(levels - 1))[None]
    noise = np.array(sigma) if levels == 1 else np.append([sigma], np.full(levels - 1, 0.01))
    bank = Converters.build(thresholds, noise, np.arange(levels + 1), keys(1), np.float64)
    x = np.full((1, n), level + distance * sigma)
    out = bank.convert_compiled(x, np.empty_like(x), np.arange(n, dtype=U), 0)
    expected = 0.5 * math.erfc(-distance / math.sqrt(2))
    assert abs(np.mean(out == 1) - expected) < 5 * math.sqrt(0.25 / n)


def test_noise_is_that_of_the_step_that_trips():
    bank = Converters.build(np.array([[-10.0, 0.0, 10.0]]), np.array([0.0, 1.0, 0.0]), np.arange(4), keys(1), np.float64)
    n = np.arange(1000, dtype=U)
    assert np.unique(bank.convert(np.full((1, 1000), -10.01), n, 0)).tolist() == [0]
    assert np.unique(bank.convert(np.full((1, 1000), -0.01), n, 0)).tolist() == [1, 2]


def test_added_noise_has_the_variance_asked_for():
    x, n = np.zeros((3, 60_000)), np.arange(60_000, dtype=U)
    variance = np.repeat([[0.0], [1.0], [4.0]], 60_000, axis=1)
    kernels.add_noise(x, variance, keys(3), n, 2)
    assert not x[0].any()
    np.testing.assert_allclose(x[1:].var(axis=1), [1, 4], rtol=5 * math.sqrt(2 / 60_000))
    np.testing.assert_array_equal(x[1], normals(keys(3), n, 2)[1].astype(float))


def level_by_level(bank, x, counters, step):
    """Codes by the definition: every level looked at, with numbers drawn for all."""
    sigma, shared = bank._whole
    own = normals(bank.keys, counters, step)[: bank.columns].astype(x.dtype)
    ramp = normals(bank.ramp_keys, counters, step)[::2].astype(x.dtype) if len(bank.ramp_keys) else np.zeros_like(x)
    out, running = np.zeros(x.shape, np.int64), np.ones(x.shape, bool)
    for k in range(bank.levels):
        if bank.passage:
            own = normals(bank.keys, counters, (step + ((k + 1) << 24)) & 0xFFFFFFFF)[: bank.columns].astype(x.dtype)
        above = x - own * sigma[:, k : k + 1] - ramp * shared[:, k : k + 1] > bank.thresholds[:, k : k + 1]
        running &= above
        out += running if bank.passage else above
    return out


@given(st.integers(1, 7), st.integers(2, 40), st.integers(1, 200), st.integers(0, 10**6), dtypes, st.booleans(), st.booleans())
def test_ramp_noise_and_decisions_at_every_step_are_alike_compiled_and_in_numpy(
    columns, levels, sequences, seed, dtype, shared, passage
):
    rng = np.random.default_rng(seed)
    thresholds = np.cumsum(rng.exponential(0.2, (columns, levels)), axis=1) - 3
    sigma = rng.uniform(0.3, 0.5, levels) if passage else rng.uniform(0.0, 0.02, levels)
    more = {"shared": rng.uniform(0.01, 0.2, levels), "ramp_key": keys(1, seed)[0]} if shared else {}
    bank = Converters.join(
        [Converters.build(thresholds, sigma, rng.standard_normal(levels + 1), keys(0)[:0], dtype, **more)], keys(columns, seed)
    )
    assert bank.passage == passage or levels < 4
    x = rng.normal(0, 3, (columns, sequences)).astype(dtype)
    counters = rng.integers(0, 2**32, sequences, dtype=U)
    step = int(rng.integers(0, 1000))
    found = bank.convert_compiled(x, np.empty_like(x), counters, step)
    np.testing.assert_array_equal(found, bank.convert(x, counters, step))
    np.testing.assert_array_equal(bank.codes(x, counters, step), level_by_level(bank, x, counters, step))


@pytest.mark.parametrize("levels", [5, 31, 200])
@pytest.mark.parametrize("sigma", [0.0, 0.1, np.linspace(0.0, 0.1, 5), 3.0])
def test_what_is_no_number_is_above_no_level(levels, sigma):
    """A training that diverges is told by its loss, not by an index."""
    noise = np.array(sigma) if np.ndim(sigma) == 0 else np.interp(np.linspace(0, 4, levels), np.arange(5), sigma)
    bank = Converters.build(np.arange(levels)[None] - 2.0, noise, np.arange(levels + 1), keys(1), np.float32)
    x, n = np.full((1, 4), np.nan, np.float32), np.arange(4, dtype=U)
    assert not bank.codes(x, n, 0).any()
    assert not bank.convert_compiled(x, np.empty_like(x), n, 0).any()


def test_noise_of_a_ramp_is_seen_alike_by_its_columns_alone():
    """Columns at the same input next to the same level: those of one ramp all decide alike, those of another by themselves."""
    levels = np.tile(np.arange(1.0, 9.0), (4, 1))
    zero, own = np.zeros(()), keys(4)
    banks = [
        Converters.build(levels, zero, np.arange(9.0), own[:0], np.float64, shared=np.array(0.2), ramp_key=np.array([7, k], U))
        for k in (1, 2)
    ]
    bank = Converters.join(banks, keys(8))
    x, counters = np.full((8, 4000), 4.1), np.arange(4000, dtype=U)
    codes = bank.codes(x, counters, 3)
    assert np.all(codes[:4] == codes[0])
    assert np.all(codes[4:] == codes[4])
    # P(4.1 - 4 > 0.2 n)
    assert np.mean(codes[0] == 4) == pytest.approx(stats.norm.cdf(0.5), abs=0.03)
    assert abs(np.corrcoef(codes[0], codes[4])[0, 1]) < 0.05


@pytest.mark.parametrize("sigma", [0.6, 1.0])
def test_a_ramp_with_large_noise_trips_early(sigma):
    """Against the law of a first passage: the chance to be still running after k steps is the product of those of each step."""
    levels, x, n = np.arange(1.0, 32.0), 20.5, 40_000
    bank = Converters.join([Converters.build(levels[None], np.array(sigma), np.arange(32.0), keys(0)[:0], np.float64)], keys(1))
    assert bank.passage
    codes = bank.codes(np.full((1, n), x), np.arange(n, dtype=U), 0)[0]
    running = np.cumprod(stats.norm.cdf((x - levels) / sigma))
    expected = -np.diff(running, prepend=1.0, append=0.0)
    assert codes.mean() == pytest.approx(np.sum(np.arange(32) * expected), abs=4 * codes.std() / n**0.5)
    assert np.bincount(codes, minlength=32) / n == pytest.approx(expected, abs=0.012)
    # One number a conversion has the ideal code, 20, in the mean.
    assert codes.mean() < 20 - 0.04


def test_small_noise_takes_one_number_a_conversion():
    bank = Converters.build(np.arange(1.0, 9.0)[None], np.array(0.3), np.arange(9.0), keys(1), np.float64)
    assert not bank.passage
