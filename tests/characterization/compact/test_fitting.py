"""The fits against SciPy, closed forms and known truths."""

import numpy as np
import pytest
from scipy.optimize import curve_fit
from scipy.stats import linregress, norm

from characterization.compact.fitting import fit_curve, fit_likelihood, fit_linear, fit_probit, fitted
from netlists.errors import InputError

START = {"a": 1.0, "b": 1.0}


def decay(x, a, b):
    return a * np.exp(-x / b)


def test_curve_agrees_with_scipy():
    rng = np.random.default_rng(0)
    x = np.linspace(0, 5, 40)
    y = decay(x, 3.0, 1.5) + 0.01 * rng.standard_normal(40)
    values, covariance = curve_fit(decay, x, y, [1.0, 1.0])
    for positive in ((), ("b",)):
        found = fitted(fit_curve(decay, x, y, {"a": 1.0, "b": 1.0}, positive=positive), {"a": "V", "b": "s"}).values()
        np.testing.assert_allclose([f.value for f in found], values, rtol=1e-6)
        np.testing.assert_allclose([f.stderr for f in found], np.sqrt(np.diag(covariance)), rtol=1e-4)


def test_standard_errors_cover_the_truth():
    x, hits = np.linspace(0, 5, 30), 0
    for seed in range(200):
        y = decay(x, 3.0, 1.5) + 0.05 * np.random.default_rng(seed).standard_normal(30)
        b = fit_curve(decay, x, y, {"a": 2.0, "b": 1.0}).params["b"]
        hits += np.abs(b.value - 1.5) < 1.96 * b.stderr
    assert 0.90 * 200 < hits < 0.985 * 200


def test_line_agrees_with_scipy():
    rng = np.random.default_rng(1)
    x = rng.uniform(0, 1, 25)
    y = 2 + 3 * x + rng.standard_normal(25)
    p, line = fit_linear(np.stack([np.ones(25), x], axis=1), y, ("a", "b")).params, linregress(x, y)
    np.testing.assert_allclose([p["a"].value, p["b"].value], [line.intercept, line.slope])
    np.testing.assert_allclose([p["a"].stderr, p["b"].stderr], [line.intercept_stderr, line.stderr])


def test_likelihood_of_a_normal_has_its_closed_form():
    v = np.random.default_rng(2).normal(0.3, 1.2, 400)
    fit = fit_likelihood(lambda p: -norm.logpdf(v, p[0], np.exp(p[1])).sum(), [0.0, 0.0], ("mean", "log sigma"))
    np.testing.assert_allclose([fit.values[0], np.exp(fit.values[1])], [v.mean(), v.std()], rtol=1e-4)
    np.testing.assert_allclose(fit.stderr, [v.std() / 20, 1 / np.sqrt(800)], rtol=1e-3)


def test_probit_finds_trip_point_and_noise():
    rng = np.random.default_rng(3)
    v = np.linspace(-1e-3, 1e-3, 21)
    tripped = rng.binomial(200, norm.cdf((v - 2e-4) / 3e-4))
    fit = fit_probit(v, tripped, np.full(21, 200))
    assert np.all(np.abs(fit.values - [2e-4, 3e-4]) < 4 * fit.stderr)
    assert 0 < fit.stderr[1] < 2e-5


def test_probit_is_the_same_in_any_order():
    v, k = np.linspace(-1, 1, 9), np.array([0, 1, 5, 20, 48, 80, 95, 99, 100])
    order = np.random.default_rng(4).permutation(9)
    np.testing.assert_allclose(
        fit_probit(v[order], k[order], np.full(9, 100)).values, fit_probit(v, k, np.full(9, 100)).values, atol=1e-6
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fit_curve(decay, [1, 2], [1, 2], START), "more points"),
        (lambda: fit_curve(decay, [1, 2, np.nan], [1, 2, 3], START), "not finite"),
        (lambda: fit_curve(lambda x, a, b: a + b + 0 * x, [1, 2, 3], [1, 2, 3], START), "the data do not tell"),
        (lambda: fit_linear(np.ones((5, 2)), np.arange(5), ("a", "b")), "the data do not tell"),
        (lambda: fit_linear(np.zeros((5, 1)), np.arange(5), ("a",)), "a: the data do not determine it"),
        (lambda: fit_linear(np.ones((5, 2)), np.arange(4), ("a", "b")), "design"),
        (lambda: fit_probit([0, 1], [0, 5], [5, 5]), "closer together"),
        (lambda: fit_probit([0, 1], [0, 6], [5, 5]), "between 0 and trials"),
        (lambda: fit_probit([0, 1], [0], [5, 5]), "equally long"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(InputError, match=message):
        call()
