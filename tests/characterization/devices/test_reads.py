"""Planted noise comes back: its kind, its sizes, its time constants."""

import numpy as np
import pytest

from characterization.devices.reads import check_reads, fit_reads
from netlists.errors import InputError

N = 1000


def telegraph(rng, up=0.02, down=0.05):
    state = np.zeros(N, int)
    for i in range(1, N):
        state[i] = 1 - state[i - 1] if rng.random() < (up, down)[state[i - 1]] else state[i - 1]
    return state


def autoregression(rng, rho=0.95):
    a = np.zeros(N)
    for i in range(1, N):
        a[i] = rho * a[i - 1] + np.sqrt(1 - rho**2) * rng.standard_normal()
    return a


def test_white_noise_stays_white():
    found = fit_reads(2e-4 + 1e-7 * np.random.default_rng(1).standard_normal(N))
    assert found.kind == "white"
    assert found.sigma == pytest.approx(1e-7, abs=3 * found.sigma_stderr)
    assert found.lasting_share == 0


def test_telegraph_noise_with_its_step_occupation_and_time():
    rng = np.random.default_rng(1)
    state = telegraph(rng)
    found = fit_reads(2e-4 + 3e-7 * state + 1e-7 * rng.standard_normal(N))
    assert found.kind == "telegraph"
    assert found.step == pytest.approx(3e-7, rel=0.05)
    assert found.white == pytest.approx(1e-7, rel=0.06)
    assert found.occupied == pytest.approx(state.mean(), abs=0.03)
    assert found.telegraph_time == pytest.approx(-1 / np.log(1 - 0.07), rel=0.4)
    assert found.lasting_share == pytest.approx(0.09 * 0.25 / (0.09 * 0.25 + 0.01), abs=0.1)


def test_slow_drift_with_its_size_and_time():
    rng = np.random.default_rng(2)
    found = fit_reads(2e-4 + 2e-7 * autoregression(rng) + 1e-7 * rng.standard_normal(N))
    assert found.kind == "slow"
    assert found.white == pytest.approx(1e-7, rel=0.1)
    assert found.slow == pytest.approx(2e-7, rel=0.35)
    assert found.time == pytest.approx(-1 / np.log(0.95), rel=0.6)
    # The correlation leaves few independent reads.
    assert found.sigma_stderr > 2 * found.sigma / np.sqrt(2 * N)


def test_a_change_of_the_noise_on_the_way_is_an_alarm():
    rng = np.random.default_rng(3)
    steady = [rng.standard_normal(400) for _ in range(5)]
    assert check_reads(steady).passed
    assert not check_reads([*steady[:4], np.concatenate([steady[4][:200], 2 * steady[4][200:]])]).passed


def test_few_reads_are_refused():
    with pytest.raises(InputError, match="cell has 49 reads"):
        fit_reads(np.arange(49.0))


@pytest.mark.parametrize(("up", "down"), [(0.01, 0.09), (0.05, 0.05)])
def test_error_of_the_deviation_of_a_telegraph_cell(up, down):
    """A cell that is seldom in its upper state: how often it was seen there makes most of the error of the deviation."""
    rng = np.random.default_rng(4)
    p = up / (up + down)
    truth = np.hypot(0.05, 0.3 * np.sqrt(p * (1 - p)))
    fits = [fit_reads(0.3 * telegraph(rng, up, down) + 0.05 * rng.standard_normal(N)) for _ in range(30)]
    found, error = np.array([f.sigma for f in fits]), np.array([f.sigma_stderr for f in fits])
    assert np.median(error) == pytest.approx(np.std(found - truth), rel=0.6)
    assert np.mean(np.abs(found - truth) < 1.96 * error) > 0.8
