"""Chips in closed form against the same chips in ngspice, and against each other."""

from dataclasses import replace

import numpy as np
import pytest

from characterization.chips.closed_form import population, same_chips
from characterization.estimates.statistics import max_inl
from characterization.plan.plan import RampPlan, Sampling
from characterization.run.montecarlo import simulate_run


@pytest.fixture(scope="module")
def run(plan3):
    return simulate_run(plan3, 32, progress=False)


@pytest.mark.parametrize("calibrated", [False, True])
def test_same_chips_are_those_of_ngspice(run, plan3, calibrated):
    spice, closed = run.levels(calibrated=calibrated), same_chips(plan3, np.arange(32)).levels(calibrated=calibrated)
    correlation = [np.corrcoef(a, b)[0, 1] for a, b in zip(spice.T, closed.T, strict=True)]
    assert min(correlation) > 0.999
    assert np.abs((spice - closed) / plan3.program().lsb).max() < 5e-3


@pytest.mark.parametrize("calibration", ["none", "one-point", "two-point"])
def test_population_has_the_distribution_of_numbered_chips(plan3, calibration):
    """Two-sample Kolmogorov-Smirnov at a level of 1e-4, with stuck cells."""
    from scipy.stats import ks_2samp

    plan = replace(plan3, calibration=calibration, profile=replace(plan3.profile, stuck_off_rate=0.02))
    many, numbered = population(plan, 2000), same_chips(plan, np.arange(1000))
    program = plan.program()
    for state in (False, True):
        a, b = (max_inl(c.levels(calibrated=state), program) for c in (many, numbered))
        assert ks_2samp(a, b).pvalue > 1e-4
    if calibration == "none":
        np.testing.assert_array_equal(many.before, many.after)


def test_population_is_a_function_of_plan_and_number(plan3):
    one, again, other = population(plan3, 50), population(plan3, 50), population(replace(plan3, seed=8), 50)
    np.testing.assert_array_equal(one.after, again.after)
    assert not np.any(one.after == other.after)
    assert not np.any(one.before == same_chips(plan3, np.arange(50)).before)


def test_level_ideal(profile):
    """Without first-order terms and without variation the levels are the thresholds."""
    from characterization.plan.plan import Variation

    plan = RampPlan("sigmoid", 3, profile=profile.without_variation(), variation=Variation.none(), level="ideal")
    x = population(plan, 2)
    np.testing.assert_allclose(x.before, np.tile(plan.program().x, (2, 1)), atol=1e-6)


def test_sobol_samples_are_the_runs_own(plan3):
    plan = replace(plan3, sampling=Sampling("sobol"))
    spice = simulate_run(plan, 16, progress=False).levels(calibrated=False)
    assert np.abs((spice - same_chips(plan, np.arange(16)).before) / plan.program().lsb).max() < 5e-3
