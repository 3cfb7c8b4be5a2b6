"""Estimates with a control on correlated normal numbers, of which mean, quantile and share are known."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats

from characterization.estimates.control_variate import (
    FOLDS,
    Residuals,
    TooFewChips,
    cross_fit,
    doubts,
    fit_levels,
    lines,
    mean_with,
    quantile_with,
    yield_with,
)
from characterization.estimates.plain import mean_of, quantile_of, yield_of
from netlists.errors import InputError


def fit_value(y, control, population):
    """A statistic predicted from one number a chip."""
    return cross_fit(y, y[:, None], control[:, None], population[:, None], lambda x: x[:, 0])


def normals(rng, rho, n, many):
    """Statistic and control of n chips with correlation rho, control of many others; the statistic is 3 + 2 N(0, 1)."""
    c = rng.standard_normal(n)
    y = 3 + 2 * (rho * c + np.sqrt(1 - rho**2) * rng.standard_normal(n))
    return y, c, rng.standard_normal(many)


def estimates(control, share=0.9):
    limit = 3 + 2 * stats.norm.ppf(share)
    return {
        "mean": (mean_with(control), 3.0),
        "yield": (yield_with(control, limit), share),
        "quantile": (quantile_with(control, share), limit),
    }


@pytest.mark.parametrize("rho", [0.0, 0.9, 0.999])
def test_coverage(rho):
    """200 repeats: within 3.5 standard errors of 95 %, or above."""
    rng, held, repeats = np.random.default_rng(17), {}, 200
    for _ in range(repeats):
        for name, (e, truth) in estimates(fit_value(*normals(rng, rho, 100, 1000))).items():
            held[name] = held.get(name, 0) + (e.low <= truth <= e.high)
    error = np.sqrt(0.95 * 0.05 / repeats)
    assert all(0.95 - 3.5 * error < h / repeats for h in held.values()), held


@pytest.mark.parametrize(("rho", "many"), [(0.0, 20_000), (0.9, 20_000), (0.99, 20_000), (0.99, 100)])
def test_variance_reduction_of_the_mean_is_the_textbooks(rho, many):
    """Cochran 1977, equation 12.51: ``(1 - rho^2) / n + rho^2 / n'`` times the variance, n' both kinds of chips."""
    rng, n = np.random.default_rng(5), 400
    reduction = [mean_with(fit_value(*normals(rng, rho, n, many))).variance_reduction for _ in range(20)]
    assert np.mean(reduction) == pytest.approx(1 / (1 - rho**2 + rho**2 * n / (n + many)), rel=0.08)


def test_estimates_are_unbiased():
    """Also with a control that is far from a straight line."""
    rng, found = np.random.default_rng(8), []
    for _ in range(200):
        y, c, others = normals(rng, 0.95, 40, 2000)
        control = fit_value(y, np.exp(c), np.exp(others))
        found.append([mean_with(control).value - 3, yield_with(control, 5.0).value - stats.norm.cdf(1)])
    assert np.all(np.abs(stats.ttest_1samp(found, 0).statistic) < 4)


def test_a_useless_control_costs_nothing_much():
    rng = np.random.default_rng(9)
    widths = {"mean": [], "yield": []}
    for _ in range(50):
        y, c, others = normals(rng, 0.0, 100, 5000)
        control = fit_value(y, c, others)
        widths["mean"].append(mean_with(control).half_width / mean_of(y).half_width)
        widths["yield"].append(yield_with(control, 4.0).half_width / yield_of(y, 4.0).half_width)
    assert 0.95 < np.mean(widths["mean"]) < 1.1
    assert 0.9 < np.mean(widths["yield"]) < 1.1


def test_no_failures_with_a_useless_control_is_the_exact_interval():
    y, c, others = normals(np.random.default_rng(10), 0.0, 64, 5000)
    found = yield_with(fit_value(y, c, others), 40.0)
    assert found.value == pytest.approx(1)
    assert (found.low, found.high) == pytest.approx((0.025 ** (1 / 64), 1), abs=1e-6)


def test_no_failures_with_a_good_control_still_have_a_width():
    y, c, others = normals(np.random.default_rng(11), 0.999, 64, 20_000)
    found = yield_with(fit_value(y, c, others), 3 + 2 * 2.6, unseen=0.05)
    assert np.all(y <= 3 + 2 * 2.6)
    assert 0 < found.half_width < 0.5 * yield_of(y, 3 + 2 * 2.6).half_width
    assert found.low <= stats.norm.cdf(2.6) <= found.high


def test_a_perfect_control_leaves_the_uncertainty_of_the_other_chips():
    y, c, others = normals(np.random.default_rng(12), 1.0, 64, 10_000)
    found = mean_with(fit_value(y, c, others), unseen=0.05)
    assert found.standard_error == pytest.approx(2 / np.sqrt(10_064), rel=0.05)
    share = yield_with(fit_value(y, c, others), 3.0, unseen=0.05)
    assert share.standard_error == pytest.approx(0.5 / np.sqrt(10_064), rel=0.05)


@given(st.integers(0, 2**32 - 1), st.floats(0, 0.999), st.floats(-3, 3), st.floats(0.1, 10))
@settings(max_examples=25)
def test_shift_and_scale(seed, rho, shift, scale):
    """Of the statistic, and of the control by itself."""
    y, c, others = normals(np.random.default_rng(seed), rho, 80, 1000)
    one = estimates(fit_value(y, c, others), 0.5)
    moved = fit_value(shift + scale * y, 7 - 3 * c, 7 - 3 * others)
    limit = shift + scale * 3
    for name, other in {"mean": mean_with(moved), "quantile": quantile_with(moved, 0.5)}.items():
        e = one[name][0]
        assert e.low <= e.value <= e.high
        for figure in ("value", "low", "high"):
            assert getattr(other, figure) == pytest.approx(shift + scale * getattr(e, figure), abs=1e-6 * scale)
    e = one["yield"][0]
    assert e.low <= e.value <= e.high
    assert yield_with(moved, limit).half_width == pytest.approx(e.half_width, rel=1e-6)


def test_widths_shrink_with_chips():
    rng = np.random.default_rng(13)
    y, c, others = normals(rng, 0.9, 1600, 50_000)
    wide, narrow = (estimates(fit_value(y[:n], c[:n], others)) for n in (100, 1600))
    for name, (e, _) in wide.items():
        assert narrow[name][0].half_width < 0.5 * e.half_width


def test_more_chips_leave_earlier_ones_in_their_folds():
    y, c, others = normals(np.random.default_rng(14), 0.9, 40, 100)
    control = fit_value(y, c, others)
    fit = np.polyfit(np.delete(c, slice(2, None, FOLDS)), np.delete(y, slice(2, None, FOLDS)), 1)
    np.testing.assert_allclose(control.predicted[2::FOLDS], np.polyval(fit, c[2::FOLDS]))
    np.testing.assert_allclose(control.population[2], np.polyval(fit, others))


def test_lines_of_a_constant_column():
    predicted = lines(np.full((20, 1), 0.1), np.arange(20.0)[:, None])(np.array([[5.0]]))
    np.testing.assert_allclose(predicted, [[9.5]])


def test_levels_take_out_what_is_systematic(program3):
    """Levels that are bent and shifted are no worse a control; the statistic itself as control is."""
    rng = np.random.default_rng(15)
    closed = program3.x + 0.05 * program3.lsb * rng.standard_normal((3064, len(program3.x)))
    bent = closed[:64] + program3.lsb * np.linspace(-0.2, 0.3, len(program3.x))

    def worst(x, program):
        return np.abs((x - program.x) / program.lsb).max(axis=1)

    by_levels = mean_with(fit_levels(bent, closed[:64], closed[64:], worst, program3), unseen=0.05)
    by_value = mean_with(fit_value(worst(bent, program3), worst(closed[:64], program3), worst(closed[64:], program3)), unseen=0.05)
    assert by_levels.variance_reduction == pytest.approx(3064 / 64, rel=0.4)
    assert by_value.variance_reduction < 0.2 * by_levels.variance_reduction


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_smoothed_residuals_are_a_distribution_of_their_own_variance(seed):
    values = np.random.default_rng(seed).standard_t(5, 50)
    found = Residuals(values)
    assert np.all(np.diff(found.height) >= 0)
    assert (found.below(-1e9), found.below(1e9)) == (0, 1)
    middle, weight = 0.5 * (found.grid[1:] + found.grid[:-1]), np.diff(found.height)
    mean = np.sum(weight * middle)
    assert mean == pytest.approx(values.mean(), abs=0.02)
    assert np.sum(weight * (middle - mean) ** 2) == pytest.approx(values.var(), rel=0.02)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda y, c, o: mean_with(fit_value(np.ones(64), c, o)), "all 64 are 1; nothing varies"),
        (lambda y, c, o: quantile_with(fit_value(np.ones(64), c, o), 0.5), "all 64 are 1; nothing varies"),
        (lambda y, c, o: quantile_with(fit_value(y, c, o), 1.5), "probability=1.5: must be a finite number between 0 and 1"),
        (lambda y, c, o: yield_with(fit_value(y, c, o), float("inf")), "limit=inf: must be a finite number"),
        (lambda y, c, o: yield_with(fit_value(y, c, o), 1.0, confidence=95), "confidence=95: must be"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call(*normals(np.random.default_rng(1), 0.9, 64, 500))


def test_too_few_chips_for_a_far_quantile():
    with pytest.raises(TooFewChips, match=r"64 simulated chips, worth \d+ without a control, do not bound this"):
        quantile_with(fit_value(*normals(np.random.default_rng(1), 0.0, 64, 500)), 0.99, unseen=0.05)


def test_levels_of_other_shapes(program3):
    x = np.tile(program3.x, (20, 1))
    with pytest.raises(InputError, match="must be \\(n, levels\\) of the same chips"):
        fit_levels(x, x[:10], x, lambda v, p: v[:, 0], program3)


def with_defect(rng, n, share=0.03, size=0.5):
    """A statistic that its control tells to 1 %, but for a share of chips that have ``size`` more, and others in closed form."""
    c = rng.standard_normal(n)
    y = c + 0.01 * rng.standard_normal(n) + size * (rng.random(n) < share)
    return y, c, rng.standard_normal(5000)


def test_a_defect_that_the_closed_form_does_not_know_ends_its_use():
    rng = np.random.default_rng(21)
    y, c, others = with_defect(rng, 200, share=0.0)
    control = fit_value(y, c, others)
    assert doubts(control) == ()
    y[7] += 0.5
    control = fit_value(y, c, others)
    assert "1 of 200 chips lie up to" in doubts(control)[0]
    for found, plain in (
        (mean_with(control), mean_of(y)),
        (yield_with(control, 1.0), yield_of(y, 1.0)),
        (quantile_with(control, 0.5), quantile_of(y, 0.5)),
    ):
        assert found.warnings == doubts(control)
        assert (found.value, found.low, found.high, found.n_control) == (plain.value, plain.low, plain.high, 0)
        assert found.as_dict()["warnings"] == list(found.warnings)


def test_chips_too_few_to_show_a_defect_are_no_ground_for_a_control():
    rng = np.random.default_rng(22)
    few = fit_value(*with_defect(rng, 32, share=0.0))
    assert doubts(few)[0].startswith("32 simulated chips may not show a defect of 8.9% of all")
    assert doubts(few, 0.1) == ()
    assert mean_with(few, unseen=0.1).variance_reduction > 20
    assert doubts(fit_value(*with_defect(rng, 99, share=0.0))) == ()


@pytest.mark.parametrize("n", [32, 128])
def test_coverage_with_a_defect_of_3_per_cent(n):
    """Trusted blindly, the control covers the mean of 32 chips 62 times of 100: where it saw the defect."""
    rng, held, blind, repeats = np.random.default_rng(23), np.zeros(2), 0, 300
    limit = float(np.quantile(with_defect(np.random.default_rng(0), 400_000)[0], 0.98))
    for _ in range(repeats):
        control = fit_value(*with_defect(rng, n))
        mean, share = mean_with(control), yield_with(control, limit)
        held += mean.low <= 0.015 <= mean.high, share.low <= 0.98 <= share.high
        narrow = mean_with(replace(control, y=control.y), unseen=0.999)
        blind += narrow.n_control > 0
    assert np.all(held / repeats >= 0.91), held / repeats
    # What the default is spared: with 32 chips the defect is in none of them in 38 % of cases.
    assert n > 32 or blind / repeats > 0.3


@pytest.mark.parametrize("n", [32, 64, 128])
@pytest.mark.parametrize("share", [0.97, 0.99])
def test_yields_of_a_skew_statistic(n, share):
    """Log-normal, and the control misses more where it is large; 93 % but for what 200 repeats leave open."""
    rng, held, repeats = np.random.default_rng(24), 0, 200
    limit = float(np.quantile(skew(np.random.default_rng(0), 400_000)[0], share))
    for _ in range(repeats):
        y, c = skew(rng, n)
        found = yield_with(fit_value(y, c, skew(rng, 2000)[1]), limit, unseen=0.1 if n < 128 else 0.03)
        held += found.low <= share <= found.high
    assert held / repeats > 0.93 - 2 * np.sqrt(0.93 * 0.07 / repeats)


def skew(rng, n):
    c = np.exp(0.8 * rng.standard_normal(n))
    return c * (1 + 0.15 * rng.standard_normal(n)), c
