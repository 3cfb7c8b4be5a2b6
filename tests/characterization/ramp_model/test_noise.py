from dataclasses import replace

import numpy as np
import pytest

from characterization.chips.sampling import draw as draw_chips
from characterization.ramp_model.noise import fit_noise, injected, read_noise_shape, read_variance
from netlists.errors import InputError
from netlists.ramp.compiler import program_ramp

TRUE = {"comparator_offset": 0.02, "comparator_noise": 0.004, "read_noise": 0.5e-6}


def draw(program, profile, n, rng, *, comparator_offset, comparator_noise, read_noise):
    """Differences from the noise of every single cell: independent of the covariance that is fitted."""
    state = profile.read_sigma_at(program.conductance) / profile.read_sigma
    charge = read_noise * state * rng.standard_normal((n, program.n_cells)) * program.polarity * program.width
    levels = range(1, program.n_steps)
    read = np.array([charge[:, program.step <= k].sum(axis=1) for k in levels]).T / program.unit_charge
    offset = comparator_offset * (rng.standard_normal((n, 1)) - rng.standard_normal((n, 1)))
    return offset + comparator_noise * rng.standard_normal(read.shape) + read


def check(estimate, true):
    """Within 4 standard errors; near zero in terms of the variance, whose error stays Gaussian there."""
    if true:
        assert abs(estimate.value - true) < 4 * estimate.stderr
        assert estimate.stderr < true
    elif estimate.value:
        assert estimate.value**2 < 4 * (2 * estimate.value * estimate.stderr)


@pytest.mark.parametrize("bits", [2, 3, 5])
@pytest.mark.parametrize(
    "absent", [(), ("comparator_offset",), ("comparator_noise",), ("read_noise",), tuple(TRUE)[1:], tuple(TRUE)[:2]]
)
def test_known_variances_are_recovered(bits, absent, profile):
    program = program_ramp("sigmoid", bits, profile)
    true = TRUE | dict.fromkeys(absent, 0.0)
    fit = fit_noise(draw(program, profile, 500, np.random.default_rng(bits), **true), program, profile)
    for name, value in true.items():
        check(getattr(fit, name), value)


@pytest.mark.parametrize("bits", [2, 3, 5])
def test_read_noise_is_measured_in_what_is_left_of_the_comparators(bits, profile):
    """At the default sizes it is 2 % of the variance: beside the comparators it is known to its own size, alone to 5 %."""
    program, rng = program_ramp("sigmoid", bits, profile), np.random.default_rng(bits)
    true = {"comparator_offset": 0.026, "comparator_noise": 0.0022, "read_noise": 0.14e-6}
    comparators = draw(program, profile, 400, rng, **true | {"read_noise": 0.0})
    difference = comparators + draw(program, profile, 400, rng, **true | dict.fromkeys(tuple(true)[:2], 0.0))
    fit = fit_noise(difference, program, profile, injected=comparators)
    for name, value in true.items():
        check(getattr(fit, name), value)
    assert fit.read_noise.stderr < 0.05 * fit.read_noise.value
    assert fit_noise(difference, program, profile).read_noise.stderr > 0.2 * true["read_noise"]


def test_degrees_of_freedom_are_those_of_repeated_sets(program3, profile):
    quiet = TRUE | {"comparator_offset": 0.0, "comparator_noise": 0.0}
    sets = [read_variance(draw(program3, profile, 50, np.random.default_rng(i), **quiet), program3, profile) for i in range(200)]
    variance, freedom = np.array(sets).T
    assert variance.mean() == pytest.approx(TRUE["read_noise"] ** 2, rel=0.05)
    assert 2 * variance.mean() ** 2 / variance.var() == pytest.approx(freedom.mean(), rel=0.3)


def test_chips_of_another_origin_are_no_draws_of_the_plan(plan3):
    known = injected(plan3, np.arange(20), np.zeros((20, 7)))
    assert known is None
    drawn = draw_chips(plan3, np.arange(20)).decision_shifts / plan3.program().volts_per_unit(plan3.circuit)
    assert injected(plan3, np.arange(20), drawn) is not None
    assert injected(plan3, np.arange(1, 21), drawn) is None


def test_standard_errors_are_those_of_repeated_fits(program3, profile):
    fits = [fit_noise(draw(program3, profile, 400, np.random.default_rng(i), **TRUE), program3, profile) for i in range(60)]
    for name, true in TRUE.items():
        z = np.array([(getattr(f, name).value - true) / getattr(f, name).stderr for f in fits])
        assert abs(z.mean()) < 0.5
        assert 0.7 < z.std() < 1.3


def test_read_noise_shape_is_a_random_walk(program3, profile):
    shape = read_noise_shape(program3, profile)
    d = draw(program3, profile, 40_000, np.random.default_rng(0), comparator_offset=0.0, comparator_noise=0.0, read_noise=1e-6)
    np.testing.assert_allclose(d.T @ d / len(d), 1e-12 * shape, rtol=0.05)
    assert np.all(np.diff(np.diag(shape)) > 0)


def test_a_profile_without_read_noise_counts_all_cells_alike(program3, profile):
    quiet = replace(profile, read_sigma=0.0)
    first = read_noise_shape(program3, quiet)[0, 0]
    passed = program3.step <= 1
    assert first == pytest.approx(np.sum((program3.width[passed] / program3.unit_charge) ** 2))


def test_no_difference_is_no_noise(program3, profile):
    fit = fit_noise(np.zeros((10, 7)), program3, profile)
    assert fit.comparator_offset.value == fit.comparator_noise.value == fit.read_noise.value == 0.0


def test_one_level_cannot_tell_three_variances_apart(profile):
    with pytest.raises(InputError, match="bits=1: one transition level cannot tell"):
        fit_noise(np.ones((10, 1)), program_ramp("sigmoid", 1, profile), profile)
