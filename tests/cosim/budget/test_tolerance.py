"""Tolerances of losses whose crossing is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from cosim.budget.tolerance import Curve, crossing, search, tolerance


def smooth(at, chips=4, items=500, power=1.0):
    """A loss of 1 % at factor ``at``, spread over items without any randomness."""

    def loss(factor):
        mean = 0.01 * (factor / at) ** power
        return np.full((chips, items), mean)

    return loss


def _pooled(values):
    """Isotonic regression by its max-min formula: over starts the largest, over ends the smallest mean of a stretch."""
    n = len(values)
    return [max(min(np.mean(values[i : k + 1]) for k in range(j, n)) for i in range(j + 1)) for j in range(n)]


@pytest.mark.parametrize("at", [0.011, 0.3, 1.0, 5.0, 900.0])
def test_finds_where_a_smooth_loss_crosses(at):
    curve = search(smooth(at), 0.01)
    found = tolerance(curve, 0.01, np.random.default_rng(1))
    # Linear over log factor between points half an octave apart, of a loss that is exponential there: within 4 %.
    assert found.factor == pytest.approx(at, rel=0.04)
    assert found.low == pytest.approx(at, rel=0.04)
    assert found.high == pytest.approx(at, rel=0.04)


def test_a_crossing_between_two_points_is_linear_in_log_factor():
    assert crossing(np.array([1.0, 4.0]), np.array([0.0, 0.02]), 0.01) == pytest.approx(2.0)
    assert crossing(np.array([1.0, 2.0, 8.0]), np.array([0.0, 0.01, 0.01]), 0.01) == pytest.approx(2.0)


def test_not_reached_and_passed_already():
    never = search(smooth(1e9), 0.01)
    assert crossing(never.factor, never.mean, 0.01) == math.inf
    assert never.factor[-1] == 2.0**12
    always = search(lambda _: np.full((2, 10), 0.5), 0.01)
    assert crossing(always.factor, always.mean, 0.01) == 0.0
    assert always.factor[0] == 2.0**-8
    found = tolerance(never, 0.01, np.random.default_rng(1))
    assert found.factor == found.low == found.high == math.inf


def test_search_never_passes_the_largest_factor():
    tried = []

    def loss(factor):
        tried.append(factor)
        return np.full((2, 10), 0.0)

    curve = search(loss, 0.01, largest=6.8)
    assert max(tried) == 6.8 == curve.factor[-1]
    assert len(tried) == len(set(tried))


@settings(max_examples=50)
@given(st.lists(st.floats(-0.1, 0.5), min_size=2, max_size=12))
def test_fit_is_the_isotonic_regression_of_another_library(means):
    factor = 2.0 ** np.arange(len(means))
    curve = Curve(factor, np.array(means)[:, None, None])
    np.testing.assert_allclose(curve.fit, _pooled(means), atol=1e-12)


def test_a_dip_does_not_make_a_second_crossing():
    factor = np.array([1.0, 2.0, 4.0, 8.0])
    # 2 % at 2, then 0: pooled to 1 % from 2 on, which is where the limit is met.
    assert crossing(factor, np.array([0.0, 0.02, 0.0, 0.05]), 0.01) == pytest.approx(2.0)


def test_interval_covers_the_true_crossing():
    """Answers lost at random with a probability that rises with the factor: the crossing of the probability is known."""
    inside = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        # Every item has a factor at which it is lost, the same items at every factor, as with common random numbers.
        own = rng.exponential(1.0, (6, 800)) * 100 / math.sqrt(2)
        curve = search(lambda f, own=own: (own < f).astype(float), 0.01)
        found = tolerance(curve, 0.01, rng, 200)
        truth = -math.log(0.99) * 100 / math.sqrt(2)
        inside.append(found.low <= truth <= found.high)
    # Resampling chips and items at once is conservative; the interpolation adds a little.
    assert np.mean(inside) >= 0.9
