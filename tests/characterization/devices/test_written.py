import numpy as np
import pytest
from scipy import stats

from characterization.devices import fit_written
from characterization.devices.written import check_written
from netlists.errors import InputError
from netlists.technology import memristor

TARGETS = 1e-6 * np.array([100.0, 250.0, 400.0])


def cut_gaussian(n, sigma, window, seed, shift=0.0):
    e = stats.truncnorm((-window - shift) / sigma, (window - shift) / sigma, shift, sigma)
    return e.rvs(n, random_state=np.random.default_rng(seed))


def test_moments_of_each_target_are_those_of_its_cells_and_none_is_beyond_the_window():
    rng = np.random.default_rng(0)
    target = np.repeat(TARGETS, (60, 100, 80))
    error = 1e-6 * np.concatenate([rng.uniform(-5, 5, 60), rng.uniform(-5, 2, 100), cut_gaussian(80, 1.5, 5, 1)])
    law = fit_written(target, error, 5e-6)
    for t, quantiles, sigma in zip(TARGETS, law.quantiles(), law.sigma, strict=True):
        own = error[target == t]
        mean, deviation, _ = memristor.law_moments(quantiles)
        assert (mean, deviation) == pytest.approx((own.mean(), own.std(ddof=1)), abs=2e-10)
        assert sigma == pytest.approx(own.std(ddof=1))
        assert np.abs(quantiles).max() <= 5e-6


def test_a_gaussian_that_was_cut_comes_back():
    """Against scipy's own law; the parameters of many cells are those that were drawn from."""
    error = 1e-6 * cut_gaussian(200_000, 4.0, 5, 2, shift=-1.0)
    law = fit_written(np.full(len(error), 1e-4), error, 5e-6)
    a, b, c, d = law.parameters[0]
    assert (a, b) == pytest.approx((-1 * 5 / 16, -(5**2) / 32), abs=0.06)
    assert abs(c) < 0.08
    assert abs(d) < 0.08
    x = np.array([-4e-6, -1e-6, 3e-6])
    truth = stats.truncnorm(-4 / 4, 6 / 4, -1e-6, 4e-6).cdf(x)
    assert law.probability(np.full(3, 1e-4), x) == pytest.approx(truth, abs=3e-3)


def test_standard_errors_cover_what_was_drawn():
    hits = []
    for seed in range(100):
        law = fit_written(np.full(50, 1e-4), np.random.default_rng(seed).uniform(-5e-6, 5e-6, 50), 5e-6)
        hits.append((abs(law.mean[0]) < 1.96 * law.mean_stderr[0], abs(law.sigma[0] - 5e-6 / 3**0.5) < 1.96 * law.sigma_stderr[0]))
    assert np.all(np.mean(hits, axis=0) > 0.88)


def test_the_held_out_check_passes_true_laws_and_sees_a_planted_error():
    """One target's errors are three values, which no smooth law has."""
    target = np.repeat(TARGETS, 240)
    passed, caught = [], []
    for seed in (0, 1, 3):
        rng = np.random.default_rng(seed)
        error = rng.uniform(-5e-6, 5e-6, len(target))
        planted = np.where(target == TARGETS[1], rng.choice([-3e-6, 0.0, 3e-6], len(target)), error)
        for errors, found in ((error, passed), (planted, caught)):
            found.append(check_written(fit_written(target, errors, 5e-6), target, errors, rng, draws=39).p_value)
    assert min(passed) > 0.05
    assert max(caught) < 0.05


@pytest.mark.parametrize(
    ("target", "error", "window", "message"),
    [
        (np.full(7, 1e-4), np.linspace(-1e-6, 1e-6, 7), None, "100 uS has 7 written cells"),
        (np.full(20, 1e-4), np.linspace(-6e-6, 6e-6, 20), 5e-6, r"window=5 uS: 4 of 20 cells are farther off"),
        (np.full(20, 1e-4), np.full(20, 1e-6), None, "all cells at 100 uS are alike"),
    ],
)
def test_cells_that_cannot_be_fitted(target, error, window, message):
    with pytest.raises(InputError, match=message):
        fit_written(target, error, window)


@pytest.mark.parametrize(("draw", "least"), [("standard_normal", 0.92), ("uniform", 0.93), ("standard_exponential", 0.87)])
@pytest.mark.parametrize("n", [8, 64])
def test_intervals_hold_what_they_say(draw, least, n):
    """Share of intervals that hold the truth: 95 % but for what few cells of a skewed law cannot tell (600 intervals: +-2 %)."""
    rng = np.random.default_rng(3)
    targets, sigma = np.array([50e-6, 100e-6, 200e-6]), np.array([1e-6, 2e-6, 3e-6])
    shift, scale = {"uniform": (0.5, 12**-0.5), "standard_exponential": (1.0, 1.0)}.get(draw, (0.0, 1.0))
    found = []
    for _ in range(200):
        z = (getattr(rng, draw)(size=(3, n)) - shift) / scale
        law = fit_written(np.repeat(targets, n), (sigma[:, None] * z).ravel())
        (low, high), (least_sigma, most_sigma) = law.mean_interval, law.sigma_interval
        found.append([(low < 0) & (high > 0), (least_sigma < sigma) & (sigma < most_sigma)])
        pooled = law.pooled_interval
        assert pooled[0] < law.pooled_sigma < pooled[1]
    assert np.mean(found, axis=(0, 2)).min() > least


def test_a_check_of_a_large_table_draws_small_ones(monkeypatch):
    """As many cells as the statistic needs, at each target, whatever the table has."""
    from characterization.devices import written

    monkeypatch.setattr(written, "MOST_DRAWN", 20)
    target, rng = np.repeat(TARGETS, 200), np.random.default_rng(2)
    error = rng.uniform(-5e-6, 5e-6, len(target))
    law, fitted, fit = fit_written(target, error), [], written._fit
    monkeypatch.setattr(written, "_fit", lambda t, *rest: fitted.append(len(t)) or fit(t, *rest))
    found = check_written(law, target, error, rng, draws=19)
    assert fitted == [300, *[60] * 19]
    assert (found.passed, found.n) == (True, 300)
