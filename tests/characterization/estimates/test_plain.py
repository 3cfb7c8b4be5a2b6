"""Plain estimates against scipy and known distributions; their coverage; bad input."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats

from characterization.estimates.plain import jeffreys_interval, mean_of, proportion_interval, quantile_of, yield_of
from netlists.errors import InputError

values = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).standard_normal(60))


def test_mean_is_scipys_t_interval():
    y = np.random.default_rng(1).exponential(size=50)
    low, high = stats.ttest_1samp(y, 0).confidence_interval(0.9)
    found = mean_of(y, confidence=0.9)
    np.testing.assert_allclose((found.low, found.high), (low, high))
    np.testing.assert_allclose(found.standard_error, stats.sem(y))


@pytest.mark.parametrize("passed", [0, 1, 17, 59, 60])
def test_yield_is_scipys_exact_interval(passed):
    y = np.r_[np.zeros(passed), np.ones(60 - passed)]
    low, high = stats.binomtest(passed, 60).proportion_ci(0.95, method="exact")
    found = yield_of(y, 0.5)
    np.testing.assert_allclose((found.low, found.high), (low, high))
    assert found.value == passed / 60
    assert found.standard_error > 0
    assert found.half_width > 0


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_quantile_ranks_hold_the_quantile_with_the_confidence(probability):
    """By the binomial sum itself, and one rank less on either side would not do."""
    n = 200
    found = quantile_of(np.arange(1.0, n + 1), probability)
    low, high = int(found.low), int(found.high)

    def held(a, b):
        return stats.binom.cdf(b - 1, n, probability) - stats.binom.cdf(a - 1, n, probability)

    assert held(low, high) >= 0.95
    assert stats.binom.cdf(low, n, probability) > 0.025
    assert stats.binom.sf(high - 2, n, probability) > 0.025


@given(values, st.floats(-5, 5), st.floats(0.1, 10))
@settings(max_examples=30)
def test_shift_and_scale(y, shift, scale):
    for estimate in (mean_of, lambda v: quantile_of(v, 0.5)):
        one, other = estimate(y), estimate(shift + scale * y)
        assert one.low <= one.value <= one.high
        for name in ("value", "low", "high"):
            assert getattr(other, name) == pytest.approx(shift + scale * getattr(one, name), abs=1e-9)
    assert yield_of(shift + scale * y, shift + scale * 0.3) == yield_of(y, 0.3)


def test_coverage_on_normal_values():
    rng, held = np.random.default_rng(3), np.zeros(3)
    for _ in range(500):
        y = rng.standard_normal(100)
        for i, (e, truth) in enumerate(
            ((mean_of(y), 0.0), (quantile_of(y, 0.9), stats.norm.ppf(0.9)), (yield_of(y, 1.0), stats.norm.cdf(1)))
        ):
            held[i] += e.low <= truth <= e.high
    assert np.all(held / 500 > 0.93), held


def test_share_intervals():
    """Clopper-Pearson holds Jeffreys; fractions of a chip lie between whole chips; neither is ever of zero width."""
    for n in (10.0, 1000.0):
        for passed in (0.0, 0.4, 1.0, n / 2, n - 0.2, n):
            exact, mean = proportion_interval(passed, n), jeffreys_interval(passed, n)
            assert exact[0] <= mean[0] < mean[1] <= exact[1]
            assert exact[0] <= passed / n <= exact[1]
    assert proportion_interval(0, 50) == pytest.approx((0, 1 - 0.025 ** (1 / 50)))


def test_as_dict_is_json():
    found = json.loads(json.dumps(mean_of(np.arange(20.0)).as_dict(), allow_nan=False))
    assert found["half_width"] == pytest.approx((found["high"] - found["low"]) / 2)
    assert found["equivalent_plain_samples"] == 20


@pytest.mark.parametrize(
    ("estimate", "message"),
    [
        (lambda: mean_of(np.zeros(3)), r"values: have shape \(3,\), must be one number a chip of at least 8 chips"),
        (lambda: mean_of(np.zeros((9, 2))), "values: have shape"),
        (lambda: mean_of(np.r_[np.arange(9.0), np.nan]), r"values\[9\]=nan: must be finite; leave chips out that failed"),
        (lambda: mean_of(np.full(9, 0.5)), "all 9 are 0.5; nothing varies"),
        (lambda: mean_of(np.arange(9.0), confidence=1.0), "confidence=1.0: must be a finite number between 0 and 1"),
        (lambda: yield_of(np.arange(9.0), math.nan), "limit=nan: must be a finite number"),
        (lambda: quantile_of(np.arange(50.0), 0.99), "50 chips hold no 95% interval of this quantile; simulate 368 or more"),
    ],
)
def test_bad_input(estimate, message):
    with pytest.raises(InputError, match=message):
        estimate()
