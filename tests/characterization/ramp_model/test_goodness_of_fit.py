"""Whether a validation rejects wrong models and lets true ones pass, with as many fresh chips as by default.

Chips are drawn in closed form, by the same draws as SPICE's: hundreds of them in a millisecond. One test does it in ngspice.
"""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from characterization.chips.calibration import one_point_targets
from characterization.chips.sampling import draw_population, reprogram
from characterization.plan.plan import RampPlan
from characterization.ramp_model.goodness_of_fit import GoodnessOfFit
from characterization.ramp_model.levels import LevelDistribution
from characterization.ramp_model.model import RampModel
from characterization.ramp_model.noise import fit_noise
from characterization.ramp_model.validation import SAMPLES, validate
from characterization.run.montecarlo import simulate_run
from netlists.ramp import to_input_units, transition_levels
from netlists.technology.profile import load_profile

FITTED = 3000


def bounded_plan(bits):
    """A ramp whose written cells are nearly uniform within the window of write-verify."""
    return RampPlan("sigmoid", bits, profile=replace(load_profile("taox-100-400"), program_sigma=1e-5), seed=1)


def fresh_chips(plan, n, seed):
    """Levels as programmed, calibrated, and of a noisy conversion, of n chips."""
    rng, program = np.random.default_rng(seed), plan.program()

    def levels(chips):
        return to_input_units(transition_levels(program, plan.circuit, chips), program, plan.circuit)

    drawn = draw_population(plan, n, rng)
    before = levels(drawn.chips())
    targets = one_point_targets(plan, drawn.conductance, before, stuck=drawn.stuck)
    written = reprogram(plan, drawn, targets, rng=rng)
    return before, levels(drawn.chips(written)), levels(drawn.conversions(written, plan.profile))


@lru_cache
def fitted(bits):
    plan = bounded_plan(bits)
    program = plan.program()
    before, after, noisy = fresh_chips(plan, FITTED, 2)
    return RampModel(
        units={},
        activation=program.activation,
        bits=bits,
        samples=FITTED,
        failed=0,
        x_ideal=program.x,
        lsb=program.lsb,
        after=LevelDistribution.fit(after),
        before=LevelDistribution.gaussian(before.mean(axis=0), np.cov(before.T), {}),
        **vars(fit_noise(noisy - after, program, plan.profile)),
        plan=plan.as_dict(),
        provenance={},
    )


def planted(model, error):
    """The model with an error."""
    a = model.after
    if error in ("comparator_offset", "comparator_noise", "read_noise"):
        return model.model_copy(update={error: getattr(model, error).times(1.3)})
    if error == "offset x1.5":
        return model.model_copy(update={"comparator_offset": model.comparator_offset.times(1.5)})
    steps, one = np.arange(len(a.mean)) != a.anchor, np.arange(len(a.mean)) == 1
    wide = replace(a.shift, sigma=1.3 * a.shift.sigma, shape=1.3 * a.shift.shape, apart=1.3 * a.shift.apart)
    changes = {
        "all levels": a.moved(np.zeros(len(a.mean)), 1.3),
        "all levels, too narrow": a.moved(np.zeros(len(a.mean)), 1 / 1.3),
        "steps": replace(a, diagonal=np.where(steps, 1.69, 1.0) * a.diagonal),
        "one step": replace(a, diagonal=np.where(one, 1.69, 1.0) * a.diagonal),
        "gain": replace(a, loadings=1.3 * a.loadings),
        "shift": replace(a, shift=wide),
        "mean": replace(a, mean=a.mean + 0.05 * model.lsb),
        "mean of one level": replace(a, mean=a.mean + 0.05 * model.lsb * one),
        "tail of the steps": replace(a, law=a.law[:0]),
    }
    return model.model_copy(update={"after": changes[error]})


SEEN_BY = {
    "comparator_offset": "offset of a column: spread",
    "comparator_noise": "comparator noise: spread",
    "read_noise": "read noise: spread",
    "offset x1.5": "offset of a column: spread",
    "all levels": "max |INL|: place",
    "all levels, too narrow": "max |INL|: place",
    "steps": "max |DNL|: place",
    "one step": "steps given the others: spread",
    "gain": "gain: spread",
    "shift": "error at input 0: spread",
    "mean": "error at input 0: place",
    "mean of one level": "levels: place",
    "tail of the steps": None,
}


def rejections(model, plan, sets, first):
    """What each set of fresh chips rejects the model for."""
    tests = GoodnessOfFit(model, np.random.default_rng(0), chips=20_000)
    return [tests.test(*fresh_chips(plan, SAMPLES, first + i)[1:])["rejected"] for i in range(sets)]


def test_the_fit_finds_the_law_of_the_steps():
    found = fitted(3).after
    assert found.evidence["steps"]["kind"] != "normal"
    # Uniform: 1.8; cut at half a sigma a little more.
    assert found.evidence["steps"]["kurtosis"] == pytest.approx(1.85, abs=0.1)


def test_true_models_pass():
    assert sum(map(bool, rejections(fitted(3), bounded_plan(3), 20, 1000))) <= 1


@pytest.mark.parametrize("error", SEEN_BY)
def test_planted_errors_are_rejected(error):
    found = rejections(planted(fitted(3), error), bounded_plan(3), 2, 2000)
    assert all(found)
    assert SEEN_BY[error] is None or all(SEEN_BY[error] in names for names in found)


@pytest.mark.slow
@pytest.mark.parametrize("bits", [3, 5])
def test_power_and_size_of_the_whole_validation(bits):
    plan, model = bounded_plan(bits), fitted(bits)
    assert sum(map(bool, rejections(model, plan, 20, 1000))) <= 1
    power = {error: sum(map(bool, rejections(planted(model, error), plan, 10, 2000))) for error in SEEN_BY}
    assert min(power.values()) >= 8, power


@pytest.mark.slow
@pytest.mark.usefixtures("batches_here")
def test_chips_of_ngspice_reject_planted_errors_too():
    model = RampModel.fit(simulate_run(RampPlan("sigmoid", 3, seed=1), 2048, progress=False))
    assert validate(model, seed=99, conversions=2, progress=False)["passed"]
    for error in ("offset x1.5", "all levels", "mean"):
        found = validate(planted(model, error), seed=99, conversions=2, progress=False)
        assert not found["passed"]
        assert SEEN_BY[error] in found["fit"]["rejected"]


def test_few_chips_reject_no_true_model():
    """A model of few chips is uncertain, and the tests know: what they ask allows for it."""
    plan, model = bounded_plan(3), fitted(3)
    program = plan.program()
    for seed in range(2):
        _, after, noisy = fresh_chips(plan, 16, 3000 + seed)
        few = model.model_copy(
            update={"samples": 16, "after": LevelDistribution.fit(after), **vars(fit_noise(noisy - after, program, plan.profile))}
        )
        assert rejections(few, plan, 1, 4000 + seed) == [[]]


def test_chips_that_do_not_vary():
    """Nothing varies in model and chips: nothing is rejected, unless the chips lie elsewhere."""
    model = fitted(3)
    a = model.after
    still = replace(a, loadings=0 * a.loadings, diagonal=0 * a.diagonal, shift=type(a.shift)("normal", 0.0), law=a.law[:0])
    none = model.comparator_offset.times(0.0), model.comparator_noise.times(0.0), model.read_noise.times(0.0)
    names = ("comparator_offset", "comparator_noise", "read_noise")
    quiet = model.model_copy(update={"after": still, **dict(zip(names, none, strict=True))})
    tests = GoodnessOfFit(quiet, np.random.default_rng(0), chips=2000)
    same = np.repeat(a.mean[None], 16, axis=0)
    assert tests.test(same, same)["rejected"] == []
    assert tests.test(same + 0.1, same + 0.1)["rejected"]
    assert (
        "comparator noise: spread"
        in tests.test(same, same + 0.01 * np.random.default_rng(0).standard_normal(same.shape))["rejected"]
    )
