"""Stopping at a width: the coverage it leaves, and runs in ngspice that lose nothing."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from characterization.estimates.control_variate import TooFewChips, cross_fit, mean_with, yield_with
from characterization.estimates.plain import mean_of
from characterization.estimates.until import double_until, until_ci
from characterization.plan.limits import Limits
from characterization.plan.plan import Sampling
from characterization.run.montecarlo import characterize, load_run
from netlists.errors import InputError

pytestmark = pytest.mark.usefixtures("module_batches_here")


def fit_value(y, control, population):
    """A statistic predicted from one number a chip."""
    return cross_fit(y, y[:, None], control[:, None], population[:, None], lambda x: x[:, 0])


@pytest.mark.parametrize("target", [0.3, 0.15])
def test_stopping_keeps_the_coverage_of_a_mean(target):
    """400 runs on skew values, stopped at 64, 128, 256... of them."""
    rng, held, stops = np.random.default_rng(41), 0, []
    for _ in range(400):
        y = rng.exponential(size=2048)
        found = double_until(lambda n, y=y: mean_of(y[:n]), target, first=64, most=2048, progress=None)
        held += found.estimate.low <= 1 <= found.estimate.high
        stops.append(found.estimate.n_spice)
        assert found.reached
    assert len(set(stops)) > 1
    assert held / 400 > 0.95 - 3.5 * np.sqrt(0.95 * 0.05 / 400)


def test_stopping_keeps_the_coverage_with_a_control():
    """150 runs; the mean of a normal statistic, and a share of 0.9."""
    rng, held = np.random.default_rng(43), np.zeros(2)
    limit = 1.2815515655
    for _ in range(150):
        c, others = rng.standard_normal(1024), rng.standard_normal(2000)
        y = 0.9 * c + np.sqrt(1 - 0.9**2) * rng.standard_normal(1024)

        def control(n, y=y, c=c, others=others):
            return fit_value(y[:n], c[:n], others)

        mean = double_until(lambda n, f=control: mean_with(f(n), unseen=0.05), 0.09, first=64, most=1024, progress=None).estimate
        share = double_until(
            lambda n, f=control: yield_with(f(n), limit, unseen=0.05), 0.035, first=64, most=1024, progress=None
        ).estimate
        held += mean.low <= 0 <= mean.high, share.low <= 0.9 <= share.high
    assert np.all(held / 150 > 0.95 - 3.5 * np.sqrt(0.95 * 0.05 / 150)), held


def test_looks_double_up_to_the_most():
    seen = []
    rng = np.random.default_rng(2)
    found = double_until(lambda n: mean_of(rng.standard_normal(n)), 1e-9, first=10, most=65, progress=seen.append)
    assert found.looks == (10, 20, 40, 65)
    assert [e.n_spice for e in seen] == [10, 20, 40, 65]
    assert not found.reached


def test_a_quantile_that_is_not_bounded_yet_goes_on():
    def estimate(n):
        if n < 40:
            raise TooFewChips("more")
        return mean_of(np.arange(float(n)))

    assert double_until(estimate, 1e9, first=16, most=100, progress=None).looks == (16, 32, 64)
    with pytest.raises(TooFewChips):
        double_until(estimate, 1e9, first=16, most=32, progress=None)


def test_a_run_until_its_mean_is_known(tmp_path, plan3):
    """It is an ordinary run, keeps its samples, and the same call finds it finished."""
    seen = []
    one = {"columns": "calibrating", "n_control": 20_000, "first": 32, "unseen": 0.1}
    found = until_ci(plan3, "max_inl", 4e-4, tmp_path / "run", progress=seen.append, **one)
    assert found.reached
    assert found.estimate.half_width <= 4e-4
    assert found.estimate.n_spice == len(load_run(tmp_path / "run").samples)
    assert seen[-1] == found.estimate
    assert found.estimate.variance_reduction > 50
    again = until_ci(plan3, "max_inl", 4e-4, tmp_path / "run", **one)
    assert again.estimate == found.estimate
    # Stopped on the way to a look: the same call goes on, as one that was not stopped.
    manifest = tmp_path / "run" / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"state": "running"}))
    assert until_ci(plan3, "max_inl", 4e-4, tmp_path / "run", **one) == found
    assert json.loads(json.dumps(found.as_dict(), allow_nan=False))["reached"] is True


def test_stored_samples_count_from_the_first_look(tmp_path, plan3):
    characterize(plan3, 40, tmp_path / "run", progress=False)
    call = {"quantity": "yield", "limits": Limits(max_inl=0.05), "n_control": 20_000, "first": 32, "unseen": 0.1}
    found = until_ci(plan3, "max_inl", 0.01, tmp_path / "run", columns="calibrating", **call)
    assert found.looks == (40,)
    assert 0.9 < found.estimate.value < 1
    # The same chips with all their columns: what their comparators' offsets do no ramp calibration sees.
    assert until_ci(plan3, "max_inl", 0.1, tmp_path / "run", **call).estimate.value < 0.01


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"half_width": 1e-9, "first": 8}, "first=8: must be a whole number, 32 or more"),
        ({"first": 64, "most": 32}, "most=32: must be a whole number, 64 or more"),
        ({"quantity": "mode"}, "quantity='mode': unknown; allowed are mean, quantile, yield"),
        ({"quantity": "quantile"}, "probability=None: must be"),
        ({"quantity": "yield"}, "limits=None: must be a Limits"),
        ({"statistic": "inl"}, "statistic='inl': unknown"),
    ],
)
def test_bad_input(tmp_path, plan3, options, message):
    call = {"statistic": "max_inl", "half_width": 0.1} | options
    with pytest.raises(InputError, match=message):
        until_ci(plan3, call.pop("statistic"), call.pop("half_width"), tmp_path / "run", **call)
    assert not (tmp_path / "run").exists()


def test_samples_that_are_not_independent(tmp_path, plan3):
    with pytest.raises(InputError, match="the interval needs independent samples; take method random"):
        until_ci(replace(plan3, sampling=Sampling("sobol")), "max_inl", 0.1, tmp_path / "run")


def test_a_width_that_the_closed_form_cannot_give(tmp_path, plan3, monkeypatch):
    with pytest.raises(InputError, match=r"1000 chips in closed form give no less than \S+; take n_control=\d+ or more"):
        until_ci(plan3, "max_inl", 1e-5, tmp_path / "run", n_control=1000, first=32, unseen=0.1)
    assert len(load_run(tmp_path / "run").samples) == 32
    # Where more chips than a run takes would be needed, the width is the way out.
    monkeypatch.setattr("characterization.estimates.until.MOST_CONTROL", 2000)
    with pytest.raises(InputError, match=r"take half_width=\S+ or more") as refused:
        until_ci(plan3, "max_inl", 1e-5, tmp_path / "run", n_control=1000, first=32, unseen=0.1)
    floor, enough = (
        float(re.search(rf"{word}([\d.e-]+)", str(refused.value))[1]) for word in ("no less than ", "take half_width=")
    )
    assert floor < enough < 1.2 * floor
