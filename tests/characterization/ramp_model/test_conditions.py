"""How a model moves with read voltage and temperature: the table against chips simulated there."""

from dataclasses import replace

import numpy as np
import pytest

from characterization.plan.plan import RampPlan
from characterization.ramp_model.conditions import fit_conditions, plan_at
from characterization.ramp_model.model import RampModel
from characterization.run.montecarlo import Run, simulate_run
from netlists.errors import InputError

SAMPLES = 16


@pytest.fixture(scope="module")
def plan():
    return RampPlan("sigmoid", 2, seed=3)


@pytest.fixture(scope="module")
def home(plan):
    return simulate_run(plan, SAMPLES, progress=False)


@pytest.fixture(scope="module")
def low(plan):
    return simulate_run(plan_at(plan, "v_read", 0.16), SAMPLES, progress=False)


@pytest.fixture(scope="module")
def model(home, low, plan):
    hot = simulate_run(plan_at(plan, "temperature", 125.0), SAMPLES, progress=False)
    return fit_conditions(RampModel.fit(home), [home, low, hot])


def test_at_a_fitted_value_the_model_is_that_of_its_run(model, low):
    there = model.at(v_read=0.16)
    np.testing.assert_allclose(there.mean, low.levels(calibrated=True).mean(axis=0), atol=1e-9)
    np.testing.assert_allclose(there.before.mean, low.levels(calibrated=False).mean(axis=0), atol=1e-9)
    own = RampModel.fit(low)
    assert there.comparator_offset.value == pytest.approx(own.comparator_offset.value)
    # An offset in volts is more input units at a lower read voltage.
    assert own.comparator_offset.value == pytest.approx(model.comparator_offset.value * 0.2 / 0.16, rel=0.1)
    assert np.diag(there.before.covariance).mean() > np.diag(model.before.covariance).mean()


def test_at_its_own_condition_nothing_changes(model):
    there = model.at(v_read=0.2)
    np.testing.assert_allclose(there.mean, model.mean)
    np.testing.assert_allclose(there.covariance, model.covariance)


def test_between_the_values_it_interpolates(model):
    a, b, half = (model.at(v_read=v).mean for v in (0.16, 0.2, 0.18))
    np.testing.assert_allclose(half, 0.5 * (a + b))


def test_tables_survive_the_file(model, tmp_path):
    again = RampModel.load(model.save(tmp_path / "model.json"))
    np.testing.assert_array_equal(again.at(temperature=100.0).mean, model.at(temperature=100.0).mean)
    assert "temperature" in again.report()


def test_outside_the_table_nothing_is_guessed(model):
    with pytest.raises(InputError, match=r"v_read=0.1 V: the model was fitted from 0.16 to 0.2 V"):
        model.at(v_read=0.1)
    with pytest.raises(InputError, match=r"supply=1.7: the model has no table of it"):
        model.at(supply=1.7)


def test_use_outside_the_fitted_range_is_named(model):
    assert model.outside(v_read=0.18, temperature=27.0, bits=2, profile="taox-100-400") == []
    assert model.outside(v_read=0.25) == ["v_read=0.25: fitted from 0.16 to 0.2 V"]
    assert model.outside(bits=5, supply=1.7) == ["bits=5: fitted at 2 only", "supply=1.7: fitted at 1.8 only"]
    with pytest.raises(InputError, match="colour=3: not a condition"):
        model.outside(colour=3)


def test_a_run_of_other_chips_is_no_condition(home, plan):
    other = Run(replace(plan, seed=4), home.transitions, home.conversions, home.samples)
    with pytest.raises(InputError, match="one differs from the model's plan in seed"):
        fit_conditions(RampModel.fit(home), [home, other])
    with pytest.raises(InputError, match="none has the plan"):
        fit_conditions(RampModel.fit(home), [other])


def test_samples_that_worked_at_one_condition_only(home, low, plan):
    def without(run, failed):
        tables = [t.assign(x=t["x"].mask(t["sample"].isin(failed))) for t in (run.transitions, run.conversions)]
        return Run(run.plan, *tables, run.samples)

    early, late = without(home, range(8, SAMPLES)), without(low, range(8))
    with pytest.raises(InputError, match=r"v_read=0.16: 0 samples worked there and at 0.2; a table needs 8 or more"):
        fit_conditions(RampModel.fit(home), [early, late])
