import math
from dataclasses import replace

import numpy as np
import pytest

from netlists.errors import InputError
from netlists.technology.profile import DeviceProfile, load_profile, profile_names


def test_taox_profile_has_the_published_numbers(profile):
    assert (profile.g_min, profile.g_max, profile.g_hrs) == (100e-6, 400e-6, 34e-6)
    assert (profile.program_sigma, profile.program_window, profile.read_sigma) == (2.73e-6, 5e-6, 0.14e-6)


@pytest.mark.parametrize("name", profile_names())
def test_every_built_in_profile_loads_and_says_where_it_comes_from(name):
    p = load_profile(name)
    assert p.name == name
    assert p.source


def test_programming_error_is_truncated_gaussian(profile):
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
