"""Structure, tail and sampling of transition levels, on samples whose distribution is known."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.stats import ks_2samp, kstest, multivariate_normal, norm, t, truncnorm

from characterization.ramp_model.levels import LevelDistribution, factor_analysis
from characterization.ramp_model.shift import ShiftDistribution, choose_shift, fit_shift
from netlists.checks import made_of
from netlists.errors import InputError

LEVELS, ANCHOR = 15, 7
DISTRIBUTIONS = (
    ShiftDistribution("normal", 0.3),
    ShiftDistribution("student-t", 0.2, 4.0),
    ShiftDistribution("two-normals", 0.1, 0.5, 0.2, 0.3),
)


def ramp_samples(n, rng, shift):
    """Independent steps away from the anchor, and a common shift of a given distribution."""
    steps = 0.02 * rng.standard_normal((n, LEVELS))
    up = np.cumsum(steps[:, ANCHOR:], axis=1)
    down = np.cumsum(steps[:, :ANCHOR][:, ::-1], axis=1)[:, ::-1]
    return np.arange(LEVELS) + np.concatenate([down, up], axis=1) + shift[:, None]


@pytest.fixture(scope="module")
def heavy():
    """2000 chips, one in twelve with a far wider common shift."""
    rng = np.random.default_rng(0)
    wide = rng.random(2000) < 1 / 12
    return ramp_samples(2000, rng, np.where(wide, 0.12, 0.03) * rng.standard_normal(2000))


@pytest.fixture(scope="module")
def heavy_fit(heavy):
    return LevelDistribution.fit(heavy)


@pytest.mark.slow
def test_steps_from_the_anchor_are_found_to_describe_a_ramp():
    rng = np.random.default_rng(1)
    x = ramp_samples(400, rng, 0.05 * rng.standard_normal(400))
    found = LevelDistribution.fit(x)
    assert found.basis == "steps"
    assert found.loadings.shape[1] <= 2
    assert found.shift.kind == "normal"
    # Held-out chips are as likely as under the true Gaussian, but for what 400 samples leave open.
    held = ramp_samples(2000, rng, 0.05 * rng.standard_normal(2000))
    side = np.abs(np.subtract.outer(np.arange(LEVELS), np.arange(LEVELS)))
    i, j = np.indices(side.shape) - ANCHOR
    shared = np.where(i * j > 0, np.minimum(abs(i), abs(j)), 0) + np.where((i >= 0) & (j >= 0), 1, 0)
    true = multivariate_normal(np.arange(LEVELS), 0.02**2 * shared + 0.05**2)
    fitted = multivariate_normal(found.mean, found.covariance)
    assert np.mean(fitted.logpdf(held)) > np.mean(true.logpdf(held)) - 0.15
    sample = multivariate_normal(x.mean(axis=0), np.cov(x.T))
    assert np.mean(fitted.logpdf(held)) > np.mean(sample.logpdf(held))


@pytest.mark.slow
def test_a_tail_of_the_shift_is_found_and_drawn(heavy_fit):
    found = heavy_fit
    assert found.shift.kind == "two-normals"
    assert found.evidence["shift"]["gain"] > 3 * found.evidence["shift"]["gain_stderr"]
    assert found.evidence["shift"]["kurtosis_p_value"] < 1e-6
    rng = np.random.default_rng(5)
    wide = rng.random(4000) < 1 / 12
    fresh = ramp_samples(4000, rng, np.where(wide, 0.12, 0.03) * rng.standard_normal(4000))
    drawn = found.sample(50_000, np.random.default_rng(2))
    for k in (0, ANCHOR, LEVELS - 1):
        assert ks_2samp(fresh[:, k], drawn[:, k]).pvalue > 0.01
    assert ks_2samp(found.common_shift(fresh), found.common_shift(drawn)).pvalue > 0.01
    np.testing.assert_allclose(np.cov(drawn.T), found.covariance, atol=0.05 * found.covariance.max())


def test_without_its_tail_the_model_would_be_rejected(heavy, heavy_fit):
    """The test above can tell: a Gaussian of the same covariance fails it."""
    gaussian = np.random.default_rng(3).multivariate_normal(heavy_fit.mean, heavy_fit.covariance, 50_000)
    assert ks_2samp(heavy[:, ANCHOR], gaussian[:, ANCHOR]).pvalue < 1e-4


@pytest.mark.slow
def test_a_full_covariance_is_kept_where_the_samples_ask_for_one():
    rng = np.random.default_rng(4)
    factor = rng.standard_normal((LEVELS, LEVELS))
    found = LevelDistribution.fit(rng.standard_normal((1500, LEVELS)) @ factor.T)
    assert found.evidence["structure"] == "levels, full"
    np.testing.assert_allclose(found.covariance, factor @ factor.T, atol=0.1 * np.max(factor @ factor.T))


@settings(max_examples=20)
@given(st.integers(8, 40), st.integers(1, 12), st.integers(0, 10_000))
def test_any_samples_give_a_covariance_and_chips(n, levels, seed):
    x = np.random.default_rng(seed).standard_normal((n, levels)) * 0.01 + np.arange(levels)
    found = LevelDistribution.fit(x)
    np.testing.assert_allclose(found.mean, x.mean(axis=0))
    assert np.linalg.eigvalsh(found.covariance).min() > -1e-12
    assert np.isfinite(found.sample(5, np.random.default_rng(0))).all()
    again = LevelDistribution.from_dict(found.as_dict())
    np.testing.assert_array_equal(again.sample(3, np.random.default_rng(1)), found.sample(3, np.random.default_rng(1)))


def test_few_chips_are_the_first_of_many(heavy_fit):
    few, many = (heavy_fit.sample(n, np.random.default_rng(7)) for n in (3, 500))
    np.testing.assert_array_equal(few, many[:3])


def test_moved_and_scaled(heavy_fit):
    shift = np.linspace(0, 1, LEVELS)
    moved = heavy_fit.moved(shift, 2.0)
    a, b = (d.sample(50, np.random.default_rng(1)) - d.mean for d in (heavy_fit, moved))
    np.testing.assert_allclose(b, 2 * a, atol=1e-9)
    np.testing.assert_allclose(moved.mean, heavy_fit.mean + shift)


@pytest.mark.parametrize("shift", DISTRIBUTIONS, ids=[d.kind for d in DISTRIBUTIONS])
def test_quantiles_and_moments_of_the_shift(shift):
    z = np.random.default_rng(0).standard_normal(200_000)
    x = shift.transform(0.7 * z, 0.7)
    assert kstest(x[:20_000], shift.cdf).pvalue > 0.01
    assert np.all(np.diff(shift.transform(np.sort(z[:1000]), 1.0)) >= 0)
    assert x.mean() == pytest.approx(0, abs=4 * x.std() / np.sqrt(len(x)))
    assert x.var() == pytest.approx(shift.variance, rel=0.05)
    grid = np.linspace(-8, 8, 160_001)
    assert np.trapezoid(np.exp(shift.logpdf(grid)), grid) == pytest.approx(1, abs=1e-3)


def test_densities_are_those_of_scipy():
    x = np.linspace(-1, 1, 11)
    np.testing.assert_allclose(DISTRIBUTIONS[1].logpdf(x), t(4.0, scale=0.2).logpdf(x))
    mixture = 0.8 * norm(-0.06, 0.1).pdf(x) + 0.2 * norm(0.24, 0.5).pdf(x)
    np.testing.assert_allclose(np.exp(DISTRIBUTIONS[2].logpdf(x)), mixture)


@pytest.mark.parametrize("shift", DISTRIBUTIONS, ids=[d.kind for d in DISTRIBUTIONS])
def test_the_kind_is_recovered(shift):
    x = shift.transform(np.random.default_rng(1).standard_normal(4000), 1.0)
    found, evidence = choose_shift(x, float(x.std()))
    assert found.kind == shift.kind
    assert evidence["kind"] == shift.kind
    assert found.variance == pytest.approx(x.var(), rel=0.1)
    if shift.kind == "two-normals":
        assert found.weight == pytest.approx(0.2, abs=0.05)
        assert fit_shift(x, "two-normals").shape == pytest.approx(0.5, rel=0.15)


FOLLOWS = ShiftDistribution("follows-gain", 0.1, 0.4, 0.05, 0.03, 1.2, 1.9)


def given_gain(u):
    """The mixture of a shift at gain error u, from scipy, written down anew."""
    wide = 1 / (1 + (1 - 0.05) / 0.05 * np.exp(-1.2 * u**2))
    mean = 0.03 * (u**2 - 1)
    return wide, truncnorm(-1.9, 1.9, mean, 0.1), norm(mean, 0.4)


@pytest.mark.parametrize("u", [0.0, -0.7, 1.5, 4.0])
def test_a_shift_that_follows_the_gain(u):
    wide, narrow, broad = given_gain(u)
    x = np.linspace(-1.5, 1.5, 31)
    np.testing.assert_allclose(np.exp(FOLLOWS.logpdf(x, u)), (1 - wide) * narrow.pdf(x) + wide * broad.pdf(x), atol=1e-7)
    np.testing.assert_allclose(FOLLOWS.cdf(x, u), (1 - wide) * narrow.cdf(x) + wide * broad.cdf(x), atol=1e-7)
    z = np.random.default_rng(3).standard_normal(20_000)
    y = FOLLOWS.transform(0.7 * z, 0.7, np.full(len(z), u))
    assert kstest(y, lambda v: (1 - wide) * narrow.cdf(v) + wide * broad.cdf(v)).pvalue > 0.01
    # A quantile of the normal becomes the same quantile.
    np.testing.assert_allclose(FOLLOWS.cdf(y[:500], u), norm.cdf(z[:500]), atol=2e-3)


def test_a_shift_that_is_all_but_always_wide():
    """Log odds beyond the grid's end: the wide normal alone."""
    shift = ShiftDistribution("follows-gain", 0.1, 0.4, 1 - 1e-12, 0.0, 1.0, 1.9)
    z = np.linspace(-3, 3, 7)
    np.testing.assert_allclose(shift.transform(z, 1.0, np.zeros(7)), 0.4 * z, atol=1e-3)


def test_moments_of_a_shift_that_follows_the_gain():
    rng = np.random.default_rng(4)
    z, u = rng.standard_normal((2, 400_000))
    x = FOLLOWS.transform(z, 1.0, u)
    assert x.mean() == pytest.approx(0, abs=5 * x.std() / np.sqrt(len(x)))
    assert x.var() == pytest.approx(FOLLOWS.variance, rel=0.02)


def test_a_shift_that_follows_the_gain_is_recovered():
    rng = np.random.default_rng(5)
    z, u = rng.standard_normal((2, 2000))
    x = FOLLOWS.transform(z, 1.0, u)
    found, evidence = choose_shift(x, float(x.std()), u)
    assert found.kind == evidence["kind"] == "follows-gain"
    assert evidence["gain"] > 3 * evidence["gain_stderr"]
    for name in ("sigma", "shape", "apart", "steep", "cut"):
        assert getattr(found, name) == pytest.approx(getattr(FOLLOWS, name), rel=0.2)
    assert choose_shift(x, float(x.std()))[0].kind in ("student-t", "two-normals")
    with pytest.raises(InputError, match="needs the gain error of each chip"):
        found.logpdf(x)
    with pytest.raises(InputError, match="needs the gain error of each chip"):
        found.transform(x, 1.0)


@pytest.mark.slow
def test_chips_whose_shift_follows_their_gain():
    """Samples of a fitted distribution have the dependence that the chips had, and its file keeps it."""
    rng = np.random.default_rng(6)
    u = rng.standard_normal(2000)
    place = np.linspace(-1, 1, LEVELS)
    shift = FOLLOWS.transform(rng.standard_normal(2000), 1.0, u)
    x = 0.5 * u[:, None] * place + 0.05 * rng.standard_normal((2000, LEVELS)).cumsum(axis=1) + shift[:, None]
    found = LevelDistribution.fit(x)
    assert found.shift.kind == "follows-gain"
    again = LevelDistribution.from_dict(found.as_dict())
    y = again.sample(50_000, np.random.default_rng(7))
    np.testing.assert_allclose(y.mean(axis=0), x.mean(axis=0), atol=0.05)
    np.testing.assert_allclose(np.cov(y.T), again.covariance, atol=0.01)

    def dependence(levels):
        span = levels[:, -1] - levels[:, 0]
        middle = levels.mean(axis=1) - levels.mean()
        return np.corrcoef(np.abs(span - span.mean()), np.abs(middle))[0, 1]

    assert dependence(x) > 0.2
    assert dependence(y) == pytest.approx(dependence(x), abs=0.07)


def test_few_samples_decide_nothing_about_a_tail():
    x = np.random.default_rng(0).standard_t(2.5, 30)
    found, evidence = choose_shift(x, float(x.std()))
    assert found.kind == "normal"
    assert "30 samples decide nothing" in evidence["reason"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"kind": "cauchy", "sigma": 1.0}, "shift: kind='cauchy': unknown"),
        ({"kind": "normal", "sigma": -1.0}, "sigma=-1.0"),
        ({"kind": "student-t", "sigma": 1.0, "shape": 2.0}, "more than 2 degrees of freedom"),
        ({"kind": "two-normals", "sigma": 1.0, "shape": 0.0}, "wide normal"),
        ({"kind": "follows-gain", "sigma": 1.0, "shape": 2.0, "weight": 0.0, "cut": 2.0}, "a weight between 0 and 1"),
        ({"kind": "follows-gain", "sigma": 1.0, "shape": 2.0, "weight": 0.1, "steep": -1.0, "cut": 2.0}, "steep 0 or more"),
        ({"kind": "normal", "sigma": float("inf")}, "shift: sigma=inf"),
        ({"kind": "normal"}, "shift: field 'sigma' is missing"),
        ({"kind": "normal", "sigma": 1.0, "colour": 2}, "shift: field 'colour': unknown"),
        ([1], "shift=.*: must be a mapping"),
    ],
)
def test_bad_shift_data(data, message):
    with pytest.raises(InputError, match=message):
        made_of(ShiftDistribution, data, "shift")


@pytest.mark.parametrize("levels", [np.zeros((7, 3)), np.zeros(9), np.full((9, 3), np.nan)])
def test_bad_levels(levels):
    with pytest.raises(InputError, match="levels: need 8 or more chips with finite levels"):
        LevelDistribution.fit(levels)


def test_bad_distribution_data(heavy_fit):
    data = heavy_fit.as_dict()
    for change, message in (
        ({"basis": "words"}, "basis='words'"),
        ({"diagonal": [-1.0] * LEVELS}, r"diagonal\[0\]=-1.0"),
        ({"loadings": [[0.0]]}, r"loadings: have shape \(1, 1\)"),
        ({"anchor": LEVELS}, f"anchor={LEVELS}: must be the index"),
        ({"surprise": 1}, "field 'surprise': unknown"),
    ):
        with pytest.raises(InputError, match=message):
            LevelDistribution.from_dict({**data, **change})


@pytest.mark.parametrize("rank", [1, 2])
def test_factor_analysis_finds_the_loadings_that_made_a_covariance(rank):
    rng = np.random.default_rng(rank)
    loadings, diagonal = rng.uniform(0.3, 0.9, (12, rank)) * rng.choice([-1, 1], (12, rank)), rng.uniform(0.2, 0.5, 12)
    found, rest = factor_analysis(loadings @ loadings.T + np.diag(diagonal), rank)
    np.testing.assert_allclose(found @ found.T, loadings @ loadings.T, atol=0.03)
    np.testing.assert_allclose(rest, diagonal, atol=0.03)
    assert np.all(found[np.abs(found).argmax(axis=0), np.arange(rank)] > 0)


@pytest.mark.filterwarnings("error")
def test_factor_analysis_of_levels_that_never_vary():
    loadings, diagonal = factor_analysis(np.zeros((4, 4)), 1)
    assert not loadings.any()
    assert np.all(np.abs(diagonal) < 1e-6)
