"""Static memristor models against closed forms, SciPy's distributions and ngspice."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats

from netlists.errors import InputError
from netlists.spice.deck import Deck, subcircuit
from netlists.spice.engine import simulate
from netlists.technology import memristor
from netlists.technology.profile import DeviceProfile, load_profile, profile_names

N = 20_000
TAOX = load_profile("taox-100-400")
MILO = load_profile("rram-milo-50-225")
WAN = load_profile("hfox-wan-1-40")


@pytest.mark.parametrize(("g", "b"), [(100e-6, 0.0), (250e-6, 0.5), (34e-6, 0.75)])
def test_static_model_in_ngspice_follows_the_formula(g, b):
    text = "\n".join([
        "static memristor", subcircuit("memristor_static").rstrip(),
        "v1 te 0 PWL(0 -0.5 1e-6 0.5)", "h1 cur 0 v1 -1", f"x1 te 0 memristor_static g={g!r} b={b!r}",
        # ngspice's default reltol of 1e-3 stops Newton's method at 4e-4 of the current.
        ".options reltol=1e-9 vntol=1e-12 abstol=1e-18", ".save v(te) v(cur)", ".tran 1e-8 1e-6 0 1e-8",
    ])  # fmt: skip
    got = simulate(Deck(text), ["te", "cur"])
    v = got["te"]
    np.testing.assert_allclose(got["cur"], g * (v + b * v**3), rtol=1e-6, atol=1e-15)
    np.testing.assert_allclose(memristor.current(v, g, curvature=b), g * (v + b * v**3), rtol=1e-14)


def test_the_verified_conductance_is_what_the_curved_cell_shows_at_the_read_voltage():
    g = memristor.low_field_conductance(np.array([100e-6, 400e-6]), v_read=0.2, curvature=0.5)
    np.testing.assert_allclose(memristor.current(0.2, g, curvature=0.5) / 0.2, [100e-6, 400e-6], rtol=1e-14)


@given(
    v=st.lists(st.floats(-1, 1), min_size=2, max_size=20, unique=True),
    g=st.floats(1e-6, 1e-3), b=st.floats(0, 2),
)  # fmt: skip
def test_current_is_odd_and_rises_with_voltage(v, g, b):
    v = np.sort(v)
    i = memristor.current(v, g, curvature=b)
    assert np.all(np.diff(i) >= 0)
    np.testing.assert_allclose(memristor.current(-v, g, curvature=b), -i, rtol=1e-14)


@pytest.mark.parametrize("b", [-0.1, np.nan, np.inf])
def test_curvature_that_is_not_monotonic_is_refused(b):
    with pytest.raises(InputError, match="curvature="):
        memristor.current(0.2, 1e-4, curvature=b)
    with pytest.raises(InputError, match="curvature="):
        memristor.low_field_conductance(1e-4, v_read=0.2, curvature=b)


@pytest.mark.parametrize("sigma", [1e-6, 2.73e-6, 20e-6])
def test_programming_error_is_scipys_truncated_gaussian(sigma):
    error = memristor.truncated_gaussian(sigma, 5e-6, (N,), np.random.default_rng(1))
    limit = 5e-6 / sigma
    assert np.all(np.abs(error) <= 5e-6)
    assert stats.kstest(error, stats.truncnorm(-limit, limit, scale=sigma).cdf).pvalue > 0.01
    u = np.random.default_rng(1).uniform(size=N)
    np.testing.assert_array_equal(error, sigma * stats.truncnorm.ppf(u, -limit, limit))


def test_milo_programming_error_has_the_published_sigma_by_state():
    g_us = np.array([50.0, 137.5, 225.0])
    np.testing.assert_allclose(MILO.program_sigma_at(g_us * 1e-6) * 1e6, 4.782321 - 0.009107 * g_us, rtol=1e-6)
    for g in g_us * 1e-6:
        error = MILO.programmed(np.full(N, g), np.random.default_rng(2)) - g
        assert stats.kstest(error, stats.norm(scale=float(MILO.program_sigma_at(g))).cdf).pvalue > 0.01


def test_wan_deviation_has_the_published_sigma_at_each_time():
    g_us = np.linspace(1, 40, 5)
    x = g_us / 40
    first = 0.348 + 16.030 * x - 43.853 * x**2 + 45.393 * x**3 - 16.815 * x**4
    day = 0.701 + 22.086 * x - 50.773 * x**2 + 47.095 * x**3 - 16.458 * x**4
    np.testing.assert_allclose(WAN.program_sigma_at(g_us * 1e-6) * 1e6, first, rtol=1e-6)
    args = (WAN.relaxation_times, WAN.relaxation_sigma_fit, WAN.fit_conductance)
    gain = memristor.relaxation_sigma(g_us * 1e-6, 86400.0, *args) * 1e6
    np.testing.assert_allclose(np.hypot(first, gain), day, rtol=1e-9)
    assert np.all(memristor.relaxation_sigma(g_us * 1e-6, 1.0, *args) == 0)


def test_programming_and_relaxation_together_are_the_published_total():
    target = np.full(N, 20e-6)
    rng = np.random.default_rng(3)
    got = WAN.relaxed(WAN.programmed(target, rng), target, 86400.0, rng)
    total = (0.701 + 22.086 / 2 - 50.773 / 4 + 47.095 / 8 - 16.458 / 16) * 1e-6
    assert stats.kstest(got - target, stats.norm(scale=total).cdf).pvalue > 0.01


def test_relaxation_grows_with_time_where_the_data_say_nothing_else():
    args = (WAN.relaxation_times, WAN.relaxation_sigma_fit, WAN.fit_conductance)
    times = [1, 10, 100, 3600, 86400, 1e6, 1e7]
    sigma = [float(memristor.relaxation_sigma(20e-6, t, *args)) for t in times]
    assert np.all(np.diff(sigma) > 0)
    # Log-linear total between the tabulated times.
    total = np.hypot(sigma, float(WAN.program_sigma_at(20e-6)))[:5]
    np.testing.assert_allclose(np.diff(total) / np.diff(np.log10(times[:5])), np.diff(total)[0], rtol=1e-6)


@pytest.mark.parametrize("time", [0.0, 0.5, np.nan, np.inf])
def test_relaxation_before_the_data_is_refused(time):
    with pytest.raises(InputError, match="start 1 s after programming"):
        WAN.relaxed(np.array([20e-6]), np.array([20e-6]), time, np.random.default_rng(0))


def test_a_profile_without_relaxation_data_says_so():
    with pytest.raises(InputError, match=r"taox-100-400: has no relaxation data; give relaxation_times"):
        TAOX.relaxed(np.array([1e-4]), np.array([1e-4]), 10.0, np.random.default_rng(0))


def test_read_noise_by_state_is_the_published_one():
    g = 1e-6 * np.array([95.2, 153.1, 203.5, 253.8, 296.3, 349.6, 397.4])
    assert 1e6 * TAOX.read_sigma_at(g) == pytest.approx(np.array([0.182, 0.346, 0.198, 0.022, 0.039, 0.078, 0.113]), abs=2e-3)
    assert TAOX.read_sigma_at(g).mean() == pytest.approx(0.14e-6, rel=0.01)
    for level in (34e-6, 200e-6, 400e-6):
        noise = TAOX.read(np.full(N, level), np.random.default_rng(4)) - level
        assert stats.kstest(noise, stats.norm(scale=float(TAOX.read_sigma_at(level))).cdf).pvalue > 0.01


def test_read_noise_without_a_table_is_the_same_in_every_state():
    plain = dataclasses.replace(TAOX, read_sigma_shape=())
    np.testing.assert_array_equal(plain.read_sigma_at(np.array([1e-5, 4e-4])), [TAOX.read_sigma] * 2)


def test_stuck_cells_come_at_their_rates():
    profile = dataclasses.replace(TAOX, stuck_off_rate=0.02, stuck_on_rate=0.01)
    g = profile.stuck(np.full(N, 200e-6), np.random.default_rng(5))
    for value, rate in ((TAOX.g_hrs, 0.02), (TAOX.g_max, 0.01)):
        assert stats.binomtest(int(np.sum(g == value)), N, rate).pvalue > 0.01
    assert np.all(TAOX.stuck(np.full(N, 200e-6), np.random.default_rng(5)) == 200e-6)


@settings(max_examples=30)
@given(name=st.sampled_from(profile_names()), seed=st.integers(0, 2**32 - 1), cells=st.integers(1, 50))
def test_same_seed_same_draws_and_every_conductance_above_zero(name, seed, cells):
    profile = load_profile(name)
    target = np.linspace(profile.g_min, profile.g_max, cells)

    def draw():
        rng = np.random.default_rng(seed)
        g = profile.stuck(profile.programmed(target, rng), rng)
        if profile.relaxation_times:
            g = profile.relaxed(g, target, 1e9, rng)
        return profile.read(g, rng)

    np.testing.assert_array_equal(draw(), draw())
    assert np.all(draw() > 0)


@settings(max_examples=30)
@given(sigma=st.floats(0, 10e-6), seed=st.integers(0, 1000))
def test_a_sweep_of_sigma_keeps_the_underlying_draws(sigma, seed):
    target = np.linspace(100e-6, 400e-6, 8)
    one = dataclasses.replace(TAOX, program_sigma=sigma).programmed(target, np.random.default_rng(seed)) - target
    other = TAOX.programmed(target, np.random.default_rng(seed)) - target
    # To the rounding of a sum with the target.
    assert np.all(one * other >= -1e-30)


def test_every_built_in_profile_says_where_its_figures_come_from():
    for name in profile_names():
        source = load_profile(name).source
        assert {"range", "programming", "read_noise", "stuck"} <= set(source)
        assert all(source.values())


BASE = {"name": "x", "g_min": 1e-6, "g_max": 4e-5, "g_hrs": 1e-6, "program_sigma": 1e-6, "program_window": 5e-6, "read_sigma": 1e-7}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"read_sigma_shape": [[1e-6]]}, "read_sigma_shape.*must be a list of 2"),
        ({"read_sigma_shape": [[2e-6, 1], [1e-6, 1]]}, "must increase"),
        ({"read_sigma_shape": [[1e-6, -1]]}, "0 or more"),
        ({"program_sigma_shape": [1.0], "fit_conductance": 1e-6}, "fit_conductance=1e-06: the fits must reach g_max"),
        ({"relaxation_times": [1.0, 10.0]}, "relaxation_times has 2 entries, relaxation_sigma_fit 0"),
        ({"relaxation_times": [1.0], "relaxation_sigma_fit": [[1e-6]]}, "at least two"),
        ({"relaxation_times": [10.0, 1.0], "relaxation_sigma_fit": [[1e-6], [1e-6]], "fit_conductance": 4e-5}, "must increase"),
        ({"relaxation_times": [0.0, 1.0], "relaxation_sigma_fit": [[1e-6], [1e-6]], "fit_conductance": 4e-5}, "above 0"),
    ],
)
def test_bad_profile_tables_are_named(change, message):
    with pytest.raises(InputError, match=message):
        DeviceProfile(**(BASE | change))
