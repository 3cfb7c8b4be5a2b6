import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from cosim.evaluation.statistics import accuracy_interval, bits_interval, chip_interval, paired_difference
from netlists.errors import InputError


@given(st.integers(1, 5000), st.floats(0, 1))
def test_wilson_is_its_closed_form(total, share):
    correct = round(share * total)
    p, z = correct / total, 1.959963984540054
    centre = (p + z**2 / (2 * total)) / (1 + z**2 / total)
    half = z / (1 + z**2 / total) * math.sqrt(p * (1 - p) / total + z**2 / (4 * total**2))
    interval = accuracy_interval(correct, total)
    assert interval.value == p
    assert interval.low == pytest.approx(max(centre - half, 0), abs=1e-9)
    assert interval.high == pytest.approx(min(centre + half, 1), abs=1e-9)


def test_chip_interval_has_the_tabulated_student_t():
    values = [0.90, 0.92, 0.94, 0.96]
    interval = chip_interval(values)
    # t = 3.182 at 3 degrees of freedom and 97.5 %, from any table.
    half = 3.182446 * np.std(values, ddof=1) / 2
    assert interval.mean == pytest.approx(0.93)
    assert (interval.low, interval.high) == pytest.approx((0.93 - half, 0.93 + half))
    assert interval.deviation == pytest.approx(np.std(values, ddof=1))


def test_one_chip_says_nothing_about_spread():
    interval = chip_interval(np.array([0.9]))
    assert (interval.chips, interval.mean, interval.deviation, interval.low, interval.high) == (1, 0.9, None, None, None)


def test_equal_chips_have_no_spread():
    interval = chip_interval([0.5, 0.5, 0.5])
    assert interval.low == interval.high == interval.mean == 0.5


@pytest.mark.parametrize(("correct", "total"), [(1, 0), (-1, 5), (6, 5), (0, 0)])
def test_counts_that_cannot_be_are_named(correct, total):
    with pytest.raises(InputError, match=f"correct={correct} total={total}"):
        accuracy_interval(correct, total)


@pytest.mark.parametrize("values", [[], [[0.5, 0.6]], [0.5, math.nan]])
def test_values_that_cannot_be_are_named(values):
    with pytest.raises(InputError, match="one finite number for each chip"):
        chip_interval(values)


def test_mcnemar_is_the_sign_test_of_the_sequences_that_differ():
    first = np.array([True] * 70 + [False] * 30)
    second = first.copy()
    second[:9], second[-2:] = False, True
    d = paired_difference(first, second)
    assert (d.only_first, d.only_second, d.total) == (9, 2, 100)
    assert d.value == pytest.approx(0.07)
    assert d.p == pytest.approx(2 * sum(math.comb(11, k) for k in range(3)) / 2**11)
    assert d.low < 0.07 < d.high
    back = paired_difference(second, first)
    assert (back.value, back.low, back.high) == pytest.approx((-d.value, -d.high, -d.low))


def test_equal_answers_do_not_differ():
    same = np.array([True, False, True])
    d = paired_difference(same, same)
    assert (d.value, d.p) == (0.0, 1.0)
    assert d.low == pytest.approx(-d.high)


def test_paired_interval_covers_the_true_difference():
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(400):
        u = rng.uniform(size=200)
        d = paired_difference(u < 0.90, (u + 0.05 * (rng.uniform(size=200) < 0.5)) < 0.90)
        hits += d.low <= 0.025 <= d.high
    assert 0.92 < hits / 400 <= 0.99


def test_independent_characters_have_the_interval_of_their_mean():
    bits = np.random.default_rng(1).exponential(2.0, 50_000)
    i = bits_interval(bits, np.random.default_rng(2), block=50)
    half = 1.96 * bits.std() / math.sqrt(len(bits))
    assert i.value == pytest.approx(bits.mean())
    assert (i.high - i.low) / 2 == pytest.approx(half, rel=0.15)


@pytest.mark.slow
def test_blocks_see_that_neighbours_are_alike():
    """Runs of 100 equal values: a tenth of the information, so a wider interval than single characters would give."""
    bits = np.repeat(np.random.default_rng(1).exponential(2.0, 500), 100)
    alone = bits_interval(bits, np.random.default_rng(2), block=1, resamples=500)
    blocks = bits_interval(bits, np.random.default_rng(2), block=1000, resamples=500)
    assert (blocks.high - blocks.low) / (alone.high - alone.low) == pytest.approx(10, rel=0.35)


def test_the_same_generator_gives_the_same_interval():
    bits = np.random.default_rng(1).exponential(2.0, 3001)
    assert bits_interval(bits, np.random.default_rng(2)) == bits_interval(bits, np.random.default_rng(2))


@pytest.mark.parametrize(("first", "second"), [([True], [True, False]), ([], []), ([1.0], [0.0]), ([[True]], [[True]])])
def test_answers_that_cannot_be_paired_are_named(first, second):
    with pytest.raises(InputError, match="first and second: have shapes"):
        paired_difference(np.array(first), np.array(second))


@pytest.mark.parametrize(
    ("bits", "options", "message"),
    [
        ([], {}, "one finite number for each character"),
        ([1.0, math.inf], {}, "one finite number for each character"),
        ([1.0] * 10, {}, "block=1000: the text has 10 characters"),
        ([1.0] * 10, {"block": 0}, "block=0: must be"),
        ([1.0] * 10, {"block": 2, "resamples": 0}, "resamples=0: must be"),
    ],
)
def test_bits_that_cannot_be_are_named(bits, options, message):
    with pytest.raises(InputError, match=message):
        bits_interval(np.array(bits), np.random.default_rng(1), **options)
