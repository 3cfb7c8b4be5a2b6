from dataclasses import replace

import numpy as np
import pytest

from characterization.figures import codes
from characterization.plan import RampPlan
from characterization.ramp_model import validation
from characterization.ramp_model.goodness_of_fit import Fresh, GoodnessOfFit
from characterization.ramp_model.model import RampModel
from characterization.ramp_model.validation import (
    INPUTS_PER_CHIP,
    NEAR_LSB,
    inputs_for,
    model_quantiles,
    quantile_difference,
    test_lines as lines_of,
    validate,
)
from characterization.run.montecarlo import simulate_run
from characterization.workers import Lost
from netlists.errors import InputError

KEYS = {
    "samples",
    "failed",
    "seed",
    "rms_dt_lsb",
    "p99_dt_lsb",
    "rms_dt_lsb_expected",
    "p99_dt_lsb_expected",
    "mean_error_lsb",
    "sigma_error_lsb",
    "passed",
    "failures",
    "warnings",
    "fit",
    "decks",
    "mean_chip_codes",
}

pytestmark = pytest.mark.usefixtures("module_batches_here")


@pytest.fixture(scope="module")
def model(plan3):
    return RampModel.fit(simulate_run(plan3, 16, progress=False))


@pytest.fixture(scope="module")
def result(model):
    return validate(model, 16, 99, conversions=4, progress=False)


def test_what_comes_back(result):
    assert set(result) >= KEYS
    assert (result["samples"], result["failed"], result["seed"], result["decks"]["conversions"]) == (16, 0, 99, 4 * 16)
    assert all(np.isfinite(v) for v in result.values() if isinstance(v, (int, float)))
    assert result["passed"]
    assert result["failures"] == result["fit"]["rejected"] == []
    assert all("fresh chips" in w or "fitted to 16 chips" in w for w in result["warnings"])
    assert (result["fit"]["chips"], result["fit"]["conversions"]) == (16, 16)
    figures = {t["figure"] for t in result["fit"]["tests"]}
    assert {"read noise", "comparator noise", "offset of a column", "as programmed: gain", "gain"} <= figures

    assert result["where"]["worst_k"] == 1 + int(np.argmax(result["where"]["rms_dt_lsb_by_k"]))
    assert result["decks"]["equal"] >= 0.95
    assert (result["decks"]["within_1"], result["decks"]["differ"]) == (1.0, 0)
    assert 0 < result["rms_dt_lsb"] < 0.2
    # 16 chips against a model of 16 chips: sampling alone gives most of the difference.
    assert result["rms_dt_lsb"] < 5 * result["rms_dt_lsb_expected"]


def test_read_noise_of_ngspice_is_measured_and_a_tenth_of_it_refused(model, plan3):
    """Read noise is 2 % of a conversion's variance; sixteen chips tell it from a tenth of it, without the comparators' draws."""
    assert model.read_noise.stderr < 0.25 * model.read_noise.value
    assert model.read_noise.value == pytest.approx(plan3.profile.read_sigma, rel=0.4)
    fresh = Fresh.of(simulate_run(replace(plan3, seed=99), 16, progress=False))
    less = model.model_copy(update={"read_noise": model.read_noise.times(0.1)})
    assert "read noise: spread" in GoodnessOfFit(less, np.random.default_rng(0), chips=2000).test(fresh)["rejected"]


def test_the_same_seed_gives_the_same_answer_with_any_jobs(model, result):
    assert validate(model, 16, 99, jobs=2, conversions=4, progress=False) == result


def test_held_out_chips_have_the_next_seed_by_default(model):
    other = validate(model, 8, conversions=9, progress=False)
    assert other["seed"] == 8
    assert "conversions=9: 8 fresh chips are all that can convert" in other["warnings"]


@pytest.mark.parametrize(("lost", "failed"), [(1, 0), (2, 2)])
def test_lost_conversions_are_tried_with_other_steps_then_counted_and_said(model, result, monkeypatch, lost, failed):
    """The first group is lost once, and converts with shorter steps; lost twice, its chips are counted."""
    calls_of_first = []

    def first_is_lost(calls, *_):
        for work, arguments in calls:
            if arguments[1][0]:
                yield work(*arguments)
            else:
                calls_of_first.append(arguments[2:])
                yield Lost("timed out", "no result") if len(calls_of_first) <= lost else work(*arguments)

    monkeypatch.setattr(validation, "in_limited_workers", first_is_lost)
    found = validate(model, 16, 99, conversions=4, progress=False)
    assert calls_of_first == [(), (True,)]
    assert (found["decks"]["failed"], found["decks"]["conversions"]) == (failed, (4 - failed) * INPUTS_PER_CHIP)
    assert ("2 of 4 chips could not convert in ngspice" in found["warnings"]) == (failed > 0)
    assert found["decks"]["again"] == 2
    assert "2 of 4 chips: ngspice was lost on their decks, which ran again with shorter steps" in found["warnings"]
    assert found["fit"] == result["fit"]


@pytest.mark.slow
def test_a_deck_in_which_ngspice_stands_still_converts_with_other_steps():
    """The seventh of these chips has a step that ends 0.1 ps before the edge at 720.0 ns, where ngspice 39 stands for ever."""
    plan, samples = RampPlan("tanh", 5, seed=1002), np.arange(920, 928)
    x, levels, spice = validation._convert(plan, samples, True)
    near = np.abs((x[..., None] - levels[:, None]) / plan.program().lsb).min(axis=2)
    own = plan.program().codes[codes(x, levels)]
    assert (spice == own)[near > 2e-3].all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": 7}, "samples=7: must be a whole number, 8 or more"),
        ({"seed": 7}, "seed=7: the model was fitted with it; held-out chips need another"),
    ],
)
def test_bad_options(options, message, model):
    with pytest.raises(InputError, match=message):
        validate(model, **({"samples": 8, "seed": 99, "progress": False} | options))


def test_quantiles_of_the_models_own_chips_agree(model):
    x = model.sample_levels(20_000, np.random.default_rng(0))
    quantiles = model_quantiles(len(x), model)
    assert np.sqrt(np.mean(quantile_difference(x, quantiles, model.lsb) ** 2)) < 0.01
    shifted = quantile_difference(x + 0.1 * model.lsb, quantiles, model.lsb)
    assert np.mean(shifted) == pytest.approx(0.1, abs=0.01)


def test_half_of_the_inputs_lie_near_a_level(model):
    plan, program = model.ramp_plan, model.program
    levels = program.x + 0.05
    x = np.array([inputs_for(levels, plan, sample) for sample in range(200)])
    assert x.shape == (200, INPUTS_PER_CHIP)
    distance = (np.abs(x[..., None] - levels) / program.lsb).min(axis=2)
    half = INPUTS_PER_CHIP // 2
    assert distance[:, half:].max() <= NEAR_LSB
    assert np.mean(distance[:, :half] > NEAR_LSB) > 0.5
    assert x[:, :half].min() < program.x[0]
    assert x[:, :half].max() > program.x[-1]
    # A chip's inputs are its own, whatever else is drawn.
    np.testing.assert_array_equal(x[7], inputs_for(levels, plan, 7))
    assert np.isnan(inputs_for(np.full(7, np.nan), plan, 0)[half:]).all()


def test_findings_in_words(result):
    first, *tests, last = lines_of(result)
    assert first.startswith(f"{len(tests)} tests of 16 fresh chips")
    assert "not rejected at 1 %" in first
    assert not any("REJECTED" in line for line in tests)
    assert "(the model has no part in this)" in last


def test_what_depends_on_the_model_and_what_does_not(model, result):
    """A wrong model is rejected; the agreement of the two decks, which it has no part in, stays as it is."""
    moved = model.after.moved(0.5 * model.lsb, 2.0)
    wrong = validate(model.model_copy(update={"after": moved}), 16, 99, conversions=4, progress=False)
    assert wrong["decks"] == result["decks"]
    assert not wrong["passed"]
    assert any("max |INL|" in line for line in wrong["failures"])
    assert wrong["mean_chip_codes"] < result["mean_chip_codes"]


def test_codes_that_differ_fail(model, monkeypatch):
    """The conversion deck of other chips than those whose levels are known: nothing rejects the model, and validation fails."""
    plan = validation.Chips

    def others(conductance, *rest):
        return plan(conductance * 1.02, *rest)

    monkeypatch.setattr(validation, "Chips", others)
    found = validate(model, 8, 99, conversions=4, progress=False)
    assert found["fit"]["rejected"] == []
    assert found["decks"]["differ"] > 0
    assert not found["passed"]
    assert "codes differ between the conversion deck" in found["failures"][0]
