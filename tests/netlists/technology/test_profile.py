import math
from dataclasses import replace

import numpy as np
import pytest

from netlists.errors import InputError
from netlists.technology.profile import DeviceProfile, load_profile, profile_names
from netlists.technology.profile_file import write_profile


def test_taox_profile_has_the_published_numbers(profile):
    assert (profile.g_min, profile.g_max, profile.g_hrs) == (100e-6, 400e-6, 34e-6)
    assert profile.program_window == 5e-6
    assert profile.read_sigma == pytest.approx(0.14e-6, rel=0.01)


def test_written_cells_have_the_moments_of_the_measured_ones(profile):
    """Of the 448 cells of ReADC: standard deviation within a target, kurtosis of all errors, means, none beyond the window."""
    target = np.repeat(np.arange(100, 401, 50) * 1e-6, 100_000)
    error = profile.programmed(target, np.random.default_rng(0)) - target
    by_target = error.reshape(7, -1)
    assert by_target.std(axis=1) == pytest.approx(1e-6 * np.array([2.417, 2.644, 2.979, 2.791, 2.813, 2.627, 2.844]), rel=0.01)
    assert np.sqrt(np.mean(by_target.var(axis=1))) == pytest.approx(2.736e-6, rel=0.003)
    assert np.mean((error - error.mean()) ** 4) / error.var() ** 2 == pytest.approx(1.83, abs=0.02)
    assert by_target.mean(axis=1)[[2, 5, 6]] == pytest.approx(1e-6 * np.array([-0.600, -0.893, -0.618]), abs=0.03e-6)
    assert np.abs(error).max() <= profile.program_window
    assert profile.program_mean_at(target)[::100_000] == pytest.approx(by_target.mean(axis=1), abs=0.03e-6)
    assert profile.program_sigma_at(target)[::100_000] == pytest.approx(by_target.std(axis=1), rel=0.01)


def test_a_profile_that_resamples_gives_measured_errors_of_the_targets_beside(profile):
    law = ((100e-6, (-1.0, 0.0, 0.5)), (200e-6, (2.0, 3.0)))
    own = replace(profile, program_law=law, program_resample=True)
    draws = {t: own.programmed(np.full(40_000, t), np.random.default_rng(1)) - t for t in (100e-6, 125e-6, 200e-6, 300e-6)}
    factors = {t: np.unique((d / own.program_sigma).round(6)).tolist() for t, d in draws.items()}
    assert factors == {100e-6: [-1, 0, 0.5], 125e-6: [-1, 0, 0.5, 2, 3], 200e-6: [2, 3], 300e-6: [2, 3]}
    assert np.mean(draws[125e-6] > 1.5 * own.program_sigma) == pytest.approx(0.25, abs=0.01)
    assert own.program_mean_at(np.array([150e-6]))[0] == pytest.approx(own.program_sigma * (-1 / 6 + 2.5) / 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"program_law": ((1e-4, (1.0, 0.0)),)}, "quantiles must not decrease"),
        ({"program_law": (), "program_resample": True}, "needs a program_law"),
        ({"program_law": ((2e-4, (0.0, 1.0)), (1e-4, (0.0, 1.0)))}, "program_law.*must increase"),
        ({"program_sigma_shape": (1.0,), "fit_conductance": 4e-4}, "program_sigma_shape: has no meaning"),
        ({"stuck_rate": 0.1}, "needs stuck_values"),
        ({"read_lasting": ((1e-4, 0.1, 0.2, 0.5),)}, "telegraph share must be within"),
        ({"relaxation_mean_fit": ((0.0,),)}, "relaxation_mean_fit has 1"),
    ],
)
def test_laws_that_cannot_be(profile, change, message):
    with pytest.raises(InputError, match=message):
        replace(profile, **change)


def test_stuck_cells_at_their_own_values(profile):
    own = replace(profile, stuck_off_rate=0.1, stuck_rate=0.2, stuck_values=(50e-6, 90e-6))
    g = own.stuck(np.full(100_000, 2e-4), np.random.default_rng(1))
    assert [np.mean(g == v) for v in (profile.g_hrs, 50e-6, 90e-6)] == pytest.approx([0.1, 0.1, 0.1], abs=0.005)


def test_cells_drift_by_their_mean_too(profile):
    drifting = replace(
        profile,
        fit_conductance=400e-6,
        relaxation_times=(1.0, 100.0),
        relaxation_sigma_fit=((2e-6,), (4e-6,)),
        relaxation_mean_fit=((0.0,), (0.0, -8e-6)),
    )
    target = np.full(100_000, 200e-6)
    change = drifting.relaxed(target, target, 10.0, np.random.default_rng(0)) - target
    assert change.mean() == pytest.approx(-2e-6, abs=0.03e-6)
    assert change.std() == pytest.approx(np.sqrt(3**2 - 2**2) * 1e-6, rel=0.01)


@pytest.mark.parametrize("name", profile_names())
def test_a_written_profile_reads_back_equal(name, tmp_path):
    p = load_profile(name)
    assert load_profile(write_profile(p, tmp_path / "p.toml", "a\ncomment")) == p


@pytest.mark.parametrize("name", profile_names())
def test_every_built_in_profile_loads_and_says_where_it_comes_from(name):
    p = load_profile(name)
    assert p.name == name
    assert p.source


def test_without_a_law_the_programming_error_is_a_truncated_gaussian(profile):
    profile = replace(profile, program_law=())
    target = np.full(200_000, 250e-6)
    error = profile.programmed(target, np.random.default_rng(0)) - target
    assert np.abs(error).max() <= profile.program_window
    # Variance of a Gaussian truncated at +-a sigma: 1 - 2 a phi(a) / (2 Phi(a) - 1).
    a = profile.program_window / profile.program_sigma
    inside = math.erf(a / math.sqrt(2))
    expected = profile.program_sigma * math.sqrt(1 - 2 * a * math.exp(-(a**2) / 2) / math.sqrt(2 * math.pi) / inside)
    assert error.std() == pytest.approx(expected, rel=0.01)


def test_no_programming_error_leaves_the_targets(profile):
    target = np.linspace(100e-6, 400e-6, 7)
    same = replace(profile, program_sigma=0.0).programmed(target, np.random.default_rng(0))
    np.testing.assert_array_equal(same, target)


def test_stuck_cells(profile):
    g = replace(profile, stuck_off_rate=0.1, stuck_on_rate=0.05).stuck(np.full(100_000, 2e-4), np.random.default_rng(1))
    assert np.mean(g == profile.g_hrs) == pytest.approx(0.1, abs=0.005)
    assert np.mean(g == profile.g_max) == pytest.approx(0.05, abs=0.005)


@pytest.mark.parametrize(
    "change",
    [{"g_min": 400e-6}, {"g_hrs": 200e-6}, {"g_hrs": 0.0}, {"g_max": 50e-6}, {"stuck_off_rate": 0.7, "stuck_on_rate": 0.7}],
)
def test_impossible_ranges(profile, change):
    with pytest.raises(InputError, match="device profile taox-100-400"):
        replace(profile, **change)


def test_whole_numbers_become_floats(profile):
    assert isinstance(replace(profile, stuck_off_rate=0).stuck_off_rate, float)


def test_unknown_profile_lists_the_built_in_ones():
    with pytest.raises(InputError, match=r"profile='taos': unknown; built in are .*taox-100-400"):
        load_profile("taos")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = ", "not valid TOML"),
        ('name = "a"\nspeed = 3\n', "field 'speed': unknown"),
        ('name = "a"\n', "field 'g_min' is missing"),
        (
            'name = "a"\ng_min="x"\ng_max=4e-4\ng_hrs=3e-5\nprogram_sigma=0\nprogram_window=0\nread_sigma=0\n',
            r"device\.toml: g_min='x': must be a finite number, 0 or more \(S\)",
        ),
    ],
)
def test_bad_profile_files(tmp_path, text, message):
    path = tmp_path / "device.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        load_profile(path)


def test_missing_profile_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.toml: there is no such device profile"):
        load_profile(tmp_path / "none.toml")


def test_a_profile_file_equals_the_profile_it_describes(tmp_path):
    text = 'name = "own"\ng_min=1e-5\ng_max=1e-4\ng_hrs=1e-6\nprogram_sigma=1e-6\nprogram_window=3e-6\nread_sigma=0\n'
    (tmp_path / "own.toml").write_text(text)
    assert load_profile(tmp_path / "own.toml") == DeviceProfile("own", 1e-5, 1e-4, 1e-6, 1e-6, 3e-6, 0.0)


def test_lasting_read_noise_has_its_share_and_its_two_levels(profile):
    """A telegraph cell, occupied for a fifth of the time, with some drift; what is left is new at each read."""
    own = replace(profile, read_sigma_shape=(), read_lasting=((2e-4, 0.5, 0.4, 0.2),))
    g = np.full(200_000, 2e-4)
    held = own.lasting_noise(g, np.random.default_rng(1)) / own.read_sigma
    assert held.var() == pytest.approx(0.5, rel=0.02)
    assert abs(held.mean()) < 0.01
    step = np.sqrt(0.4 / (0.2 * 0.8))
    assert np.mean(held > 0.4 * step) == pytest.approx(0.2, abs=0.02)
    assert own.fresh_sigma_at(g)[0] == pytest.approx(own.read_sigma * np.sqrt(0.5))
    assert not replace(own, read_lasting=()).lasting_noise(g, np.random.default_rng(1)).any()
    assert own.read_sigma**2 == pytest.approx(own.fresh_sigma_at(g)[0] ** 2 + held.var() * own.read_sigma**2, rel=0.02)
