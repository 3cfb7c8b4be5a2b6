"""Figures of a whole run, computed again chip by chip; failures counted, never mixed in."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta

from characterization.estimates.yields import run_yield, summary, transition_noise
from characterization.figures import inl_dnl as figures
from characterization.plan.limits import Limits
from characterization.plan.plan import RampPlan
from characterization.run.montecarlo import Run, simulate_run
from netlists.errors import InputError


@pytest.fixture(scope="module")
def run(plan3):
    return simulate_run(plan3, 16, progress=False)


def with_failure(run, sample):
    """The run with one sample that did not converge."""
    parts = {}
    for name in ("transitions", "conversions", "samples"):
        table = getattr(run, name).copy()
        rows = table["sample"] == sample
        table.loc[rows, "status"] = "not converged"
        if "x" in table:
            table.loc[rows, "x"] = np.nan
        parts[name] = table
    return Run(run.plan, **parts)


def test_rows_are_the_figures_of_each_chip(run):
    table, program = run.figures(), run.plan.program()
    assert len(table) == 32
    for calibrated in (False, True):
        for i, x in enumerate(run.levels(calibrated=calibrated)):
            row = table[(table["sample"] == i) & (table["calibrated"] == calibrated)].iloc[0]
            assert row["max_inl_in"] == np.abs(figures.inl_input(x, program)).max()
            assert row["max_dnl"] == np.abs(figures.dnl(x, program)).max()
            assert bool(row["monotonic"]) == bool(np.all(np.diff(x) > 0))
            assert row["gain"] == pytest.approx(np.polyfit(program.x, x, 1)[0])
    assert table["enob"].isna().all()


def test_a_failed_chip_is_counted_and_in_no_figure(run):
    broken = with_failure(run, 5)
    table = broken.figures()
    rows = table[table["sample"] == 5]
    assert list(rows["status"]) == ["not converged"] * 2
    assert rows["max_inl_in"].isna().all()
    counted = run_yield(table, Limits())["after"]
    assert (counted["tested"], counted["failed"]) == (15, 1)
    assert summary(broken)["failures"] == {"not converged": 1}


def test_yield_has_the_exact_binomial_interval(run):
    table = run.figures()
    limit = float(table.loc[table["calibrated"], "max_inl_in"].median())
    found = run_yield(table, Limits(max_inl=limit))["after"]
    good, n = found["good"], found["tested"]
    assert 0 < good < n
    assert found["low"] == pytest.approx(beta.ppf(0.025, good, n - good + 1))
    assert found["high"] == pytest.approx(beta.ppf(0.975, good + 1, n - good))


def test_all_good_chips_do_not_prove_a_yield_of_one(run):
    found = run_yield(run.figures(), Limits(monotonic=False))["after"]
    assert found["value"] == found["high"] == 1.0
    assert found["low"] == pytest.approx(0.025 ** (1 / 16))


@pytest.mark.parametrize("bits", [1, 2, 3])
def test_noise_of_a_transition_is_that_of_the_draws(bits):
    """Gaussian levels with offsets and noise of known size in place of ngspice's; some noise is common to all levels."""
    plan = RampPlan("sigmoid", bits, seed=3)
    rng, levels, chips = np.random.default_rng(2), 2**bits - 1, 4000
    sigma, common = np.linspace(0.03, 0.06, levels), 0.04
    own = np.tile(plan.program().x, (chips, 1))
    offsets = 5e-3 * rng.standard_normal((2, chips))
    noise = common * rng.standard_normal((chips, 1)) + sigma * rng.standard_normal((chips, levels))
    noisy = own + (offsets[1] - offsets[0])[:, None] / plan.program().volts_per_unit(plan.circuit) + noise
    sample, k = np.repeat(np.arange(chips), levels), np.tile(np.arange(1, levels + 1), chips)
    rows = pd.DataFrame({"sample": sample, "k": k, "x_ideal": 0.0, "status": "ok"})
    transitions = pd.concat([rows.assign(x=own.ravel(), calibrated=c) for c in (False, True)])
    drawn = {"comparator_offset": offsets[0], "column_offset": offsets[1]}
    samples = pd.DataFrame({"sample": np.arange(chips), "status": "ok", **drawn})
    found = transition_noise(Run(plan, transitions, rows.assign(x=noisy.ravel()), samples))
    np.testing.assert_allclose(found, np.hypot(sigma, common), rtol=0.05)
    with pytest.raises(InputError, match="samples: have no column comparator_offset"):
        transition_noise(Run(plan, transitions, rows.assign(x=0.0), samples.drop(columns="comparator_offset")))


def test_a_linear_ramp_has_an_effective_number_of_bits():
    table = simulate_run(RampPlan("identity", 4, seed=2), 2, progress=False).figures()
    enob = table.loc[table["calibrated"], "enob"]
    assert ((enob > 3.5) & (enob < 4.1)).all()


def test_summary_is_plain_json(run):
    found = json.loads(json.dumps(summary(run, Limits(max_inl=0.5)), allow_nan=False))
    assert found["limits"] == {"max_inl": 0.5, "max_dnl": None, "monotonic": True}
    assert len(found["noise_rms_lsb"]) == 7


@pytest.mark.parametrize("limit", [{"max_inl": 0}, {"max_dnl": -1.0}, {"max_inl": float("nan")}, {"max_dnl": "big"}])
def test_bad_limits(limit):
    with pytest.raises(InputError, match=f"{next(iter(limit))}=.*must be a number above 0"):
        Limits(**limit)
