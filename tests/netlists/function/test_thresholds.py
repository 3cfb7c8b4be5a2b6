"""Crossings of functions that turn, touch, stay and jump."""

import numpy as np
import pytest
from hypothesis import assume, given, reject, settings, strategies as st
from scipy.interpolate import PchipInterpolator

from netlists.errors import InputError
from netlists.function.thresholds import FINEST, find, output_range

LEVELS = np.arange(1, 8) / 8


def crossings(f, domain=(0.0, 1.0), levels=LEVELS, merge=0.0):
    return find("f", f, domain, levels, merge=merge)


def test_parabola_is_crossed_twice():
    found = crossings(lambda x: 4 * x * (1 - x), levels=np.array([0.5]))
    np.testing.assert_allclose(found.x, [0.5 - np.sqrt(1 / 8), 0.5 + np.sqrt(1 / 8)], atol=1e-12)
    assert found.code_step.tolist() == [1, -1]
    assert found.codes.tolist() == [0, 1, 0]


def test_falling_function_starts_at_the_highest_code():
    found = crossings(lambda x: 1 - x)
    np.testing.assert_allclose(found.x, np.arange(1, 8) / 8, atol=1e-12)
    assert found.start_code == 7
    assert found.codes.tolist() == [7, 6, 5, 4, 3, 2, 1, 0]


def test_level_that_is_only_touched_gives_no_threshold():
    # The maximum 1/2 lies on a level, at a grid point and between grid points.
    for middle in (0.5, 0.3 + 1e-5):
        found = crossings(lambda x, m=middle: 0.5 - np.square(x - m), levels=np.array([0.45, 0.5]))
        assert found.code_step.tolist() == [1, -1]
        np.testing.assert_allclose(found.x, [middle - np.sqrt(0.05), middle + np.sqrt(0.05)], atol=1e-9)


def test_extremum_between_grid_points_is_not_missed():
    # Passes the level by 4e-8 over a width of 4e-4, less than a grid interval.
    top = 0.123456
    found = crossings(lambda x: 0.5 + 4e-8 - np.square(x - top), levels=np.array([0.5]))
    np.testing.assert_allclose(found.x, [top - 2e-4, top + 2e-4], atol=1e-9)


def test_levels_at_the_ends_of_the_domain_give_no_threshold():
    found = crossings(lambda x: x, domain=(0.125, 0.875))
    np.testing.assert_allclose(found.x, np.arange(2, 7) / 8, atol=1e-12)
    assert found.codes.tolist() == [1, 2, 3, 4, 5, 6]


def test_flat_parts():
    # Flat at the ends: no thresholds there. Flat on a level on the way up: one, in the middle of the flat part.
    assert len(crossings(lambda x: np.clip(4 * x - 1, 0.05, 0.95)).x) == 7
    stays = crossings(lambda x: np.clip(x, 0, 0.375) + np.maximum(x - 0.625, 0), levels=np.array([0.25, 0.375, 0.5]))
    np.testing.assert_allclose(stays.x, [0.25, 0.5, 0.75], atol=1e-3)
    assert stays.code_step.tolist() == [1, 1, 1]
    # Flat on a level, then back: touched only.
    assert crossings(lambda x: np.minimum(np.minimum(x, 1 - x), 0.375), levels=np.array([0.25, 0.375])).code_step.tolist() == [
        1,
        -1,
    ]


@pytest.mark.parametrize("sign", [1, -1])
def test_jump_moves_thresholds_apart(sign):
    found = crossings(lambda x: np.where(x < 0.3, 0.5 - 0.4 * sign, 0.5 + 0.4 * sign))
    assert found.code_step.tolist() == [sign] * 7
    np.testing.assert_allclose(np.diff(found.x), FINEST, rtol=1e-6)
    assert found.x.mean() == pytest.approx(0.3, abs=1e-9)
    assert "7 thresholds closer than" in found.given_up[0] or "6 thresholds closer than" in found.given_up[0]
    assert found.start_code == (0 if sign > 0 else 7)


def test_pairs_that_hardly_pass_a_level_are_left_out():
    wiggle = crossings(lambda x: x + 0.05 * np.sin(40 * x), merge=0.0)
    merged = crossings(lambda x: x + 0.05 * np.sin(40 * x), merge=0.06)
    assert len(wiggle.x) > len(merged.x) >= 7
    assert wiggle.given_up == ()
    assert "pairs of thresholds that pass a level by at most" in merged.given_up[0]
    assert wiggle.codes[-1] == merged.codes[-1] == 7


def test_nothing_left_is_refused():
    with pytest.raises(InputError, match=r"crosses none of its 7 decision levels between x = 0 and 1"):
        crossings(lambda x: 0.01 * x)
    with pytest.raises(InputError, match=r"goes past its decision levels by less than 0\.1 only"):
        crossings(lambda x: 0.55 - np.square(x - 0.5), levels=np.array([0.5]), merge=0.1)
    with pytest.raises(InputError, match=r"crosses none"):
        crossings(lambda x: np.full_like(x, 0.5), levels=np.array([0.5]))


def test_too_many_crossings_are_refused():
    with pytest.raises(InputError, match=r"crosses its decision levels \d+ times, a ramp has at most 1024"):
        crossings(lambda x: 0.5 + 0.49 * np.sin(1000 * x))


@pytest.mark.parametrize("f", [lambda x: np.log(x - 0.5), lambda x: x[:-1], lambda x: 1.0, lambda x: np.full_like(x, np.inf)])
def test_function_that_is_not_finite_or_not_elementwise(f):
    with np.errstate(all="ignore"), pytest.raises(InputError, match="must give a finite number for every x from 0 to 1"):
        crossings(f)


def test_output_range_finds_the_true_extrema():
    low, high = output_range("f", lambda x: np.sin(7 * x + 0.1), (0.0, 1.0))
    assert (low, high) == pytest.approx((-1, 1), abs=1e-12)


def check(f, domain, levels, found, merge):
    """Order, consistency of the codes, and agreement with direct quantisation away from thresholds."""
    assert np.all(np.diff(found.x) > 0)
    assert set(found.code_step.tolist()) <= {1, -1}
    assert found.codes[-1] - found.start_code == found.code_step.sum()
    assert found.codes.min() >= 0
    assert found.codes.max() <= len(levels)
    finest = FINEST * (domain[1] - domain[0])
    assert len(found.x) == 1 or np.diff(found.x).min() >= finest * (1 - 1e-6)
    x = np.linspace(*domain, 5001)[1:-1]
    far = np.min(np.abs(x[:, None] - found.x), axis=1) > 1e-9
    if any("moved apart" in note for note in found.given_up):
        far &= np.min(np.abs(x[:, None] - found.x), axis=1) > len(found.x) * finest
    y = f(x)
    code = found.codes[np.searchsorted(found.x, x)]
    # The code's own interval, widened by what merging may leave out.
    bounds = np.concatenate([[-np.inf], levels, [np.inf]])
    slack = merge + 1e-9
    right = (y >= bounds[code] - slack) & (y <= bounds[code + 1] + slack)
    assert np.all(right | ~far)


knots = st.lists(st.floats(0.01, 1.0), min_size=4, max_size=9)


@settings(max_examples=60)
@given(
    gaps=knots,
    rises=st.lists(st.just(0.0) | st.floats(1e-3, 1.0), min_size=3, max_size=8),
    bits=st.integers(1, 7),
    falling=st.booleans(),
)
def test_random_monotonic_functions(gaps, rises, bits, falling):
    n = min(len(gaps), len(rises) + 1)
    x, y = np.cumsum(gaps[:n]), np.append(0.0, np.cumsum(rises[: n - 1]))
    assume(y[-1] > 0.1)
    f = PchipInterpolator(x, -y if falling else y)
    domain, (low, high) = (x[0], x[-1]), output_range("f", f, (x[0], x[-1]))
    levels = low + np.arange(1, 2**bits) / 2**bits * (high - low)
    found = find("f", f, domain, levels, merge=0.0)
    assert len(found.x) == 2**bits - 1
    assert set(found.code_step.tolist()) == {-1 if falling else 1}
    check(f, domain, levels, found, 0.0)


@settings(max_examples=100)
@given(
    gaps=knots,
    heights=st.lists(st.integers(-1000, 1000).map(lambda v: v / 1000), min_size=9, max_size=9),
    bits=st.integers(1, 7),
    merge=st.sampled_from([0.0, 0.01, 0.2]),
)
def test_random_piecewise_monotonic_functions(gaps, heights, bits, merge):
    x, y = np.cumsum(gaps), np.array(heights[: len(gaps)])
    assume(np.ptp(y) > 0.1)
    f = PchipInterpolator(x, y)
    domain, (low, high) = (x[0], x[-1]), output_range("f", f, (x[0], x[-1]))
    lsb = (high - low) / 2**bits
    levels = low + np.arange(1, 2**bits) * lsb
    try:
        found = find("f", f, domain, levels, merge=merge * lsb)
    except InputError as refused:
        # One bit, and the middle level is hardly passed.
        if "every input has the same code" not in str(refused):
            raise
        reject()
    check(f, domain, levels, found, merge * lsb)
