"""Statistics of levels that were made by hand."""

import numpy as np
import pytest

from characterization.estimates.statistics import get_statistic, margin, max_dnl, max_inl, max_inl_output
from characterization.plan.limits import Limits
from netlists.errors import InputError


@pytest.fixture
def levels(program3):
    """Ideal; level 3 a half step up; levels 2 and 3 in the wrong order."""
    x = np.tile(program3.x, (3, 1))
    x[1, 2] += 0.5 * program3.lsb[2]
    x[2, [1, 2]] = x[2, [2, 1]]
    return x


def test_statistics(levels, program3):
    assert max_inl(levels, program3)[:2] == pytest.approx([0, 0.5])
    # Level 3 lies half a step off at both of its sides, and steps of one ramp differ in width.
    assert max_dnl(levels, program3)[0] == pytest.approx(0, abs=1e-12)
    assert max_dnl(levels, program3)[1] >= 0.5 - 1e-9
    assert max_inl_output(levels, program3)[0] == pytest.approx(0, abs=1e-12)


def test_margin_is_one_at_the_limit(levels, program3):
    used = margin(Limits(max_inl=0.5, monotonic=False))
    assert used(levels, program3)[1] == pytest.approx(1)
    assert margin(Limits(max_inl=0.25))(levels, program3)[1] == pytest.approx(2)
    assert margin(Limits(max_dnl=max_dnl(levels, program3)[1], monotonic=False))(levels, program3)[1] == pytest.approx(1)


def test_margin_of_a_ramp_that_turns_back(levels, program3):
    """Above 1 just where a step is not positive."""
    assert list(margin(Limits())(levels, program3) > 1) == [False, False, True]
    levels[0, 1] = levels[0, 2] - 1e-9
    assert margin(Limits())(levels, program3)[0] == pytest.approx(1, abs=1e-6)


def test_names(program3):
    assert get_statistic("max_inl") is max_inl
    assert get_statistic(max_dnl) is max_dnl
    with pytest.raises(InputError, match="statistic='inl': unknown; allowed are max_inl, max_inl_output, max_dnl"):
        get_statistic("inl")
    with pytest.raises(InputError, match="limits: none is set"):
        margin(Limits(monotonic=False))
