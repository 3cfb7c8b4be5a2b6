import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.statistics import accuracy_interval, chip_interval
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
