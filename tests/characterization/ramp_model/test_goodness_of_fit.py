"""Whether a validation rejects wrong models and lets true ones pass, with as many fresh chips as by default.

Chips and errors are those of ``benchmarks/validation.py``: closed forms, by the same draws as SPICE's. One test has ngspice.
"""

import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from characterization.plan.plan import RampPlan
from characterization.ramp_model.goodness_of_fit import Fresh, GoodnessOfFit
from characterization.ramp_model.levels import LevelDistribution
from characterization.ramp_model.model import RampModel
from characterization.ramp_model.noise import fit_noise
from characterization.ramp_model.validation import validate
from characterization.run.montecarlo import simulate_run

BENCH = runpy.run_path(str(Path(__file__).resolve().parents[3] / "benchmarks" / "validation.py"), run_name="benchmark")
SEEN_BY = BENCH["SEEN_BY"]
default_plan, fresh_chips, fitted, planted, rejections = (
    BENCH[name] for name in ("default_plan", "fresh_chips", "fitted", "planted", "rejections")
)


@pytest.mark.slow
def test_the_fit_finds_the_law_of_the_steps():
    found = fitted(3).after
    assert found.evidence["steps"]["kind"] != "normal"
    # Uniform: 1.8; the table of written cells has 1.81.
    assert found.evidence["steps"]["kurtosis"] == pytest.approx(1.85, abs=0.15)


@pytest.mark.slow
def test_true_models_pass():
    # Twenty sets at both resolutions: `test_power_and_size_of_the_whole_validation`.
    assert sum(map(bool, rejections(fitted(3), default_plan(3), 8, 1000))) <= 1


@pytest.mark.parametrize("error", SEEN_BY)
def test_planted_errors_are_rejected(error):
    # Ten sets of each: `test_power_and_size_of_the_whole_validation`.
    found = rejections(planted(fitted(3), error), default_plan(3), 1, 2000)
    assert all(found)
    assert SEEN_BY[error] is None or all(SEEN_BY[error] in names for names in found)


@pytest.mark.slow
@pytest.mark.parametrize("bits", [3, 5])
def test_power_and_size_of_the_whole_validation(bits):
    rows = {row["error"]: row["rejected"] for row in BENCH["power"](bits, 8192, 10, 20)}
    assert rows.pop("none") <= 1
    assert min(rows.values()) >= 8, rows


@pytest.mark.slow
@pytest.mark.usefixtures("batches_here")
def test_chips_of_ngspice_reject_planted_errors_too():
    model = RampModel.fit(simulate_run(RampPlan("sigmoid", 3, seed=1), 2048, progress=False))
    assert validate(model, seed=99, conversions=2, progress=False)["passed"]
    assert model.warnings == ()
    for error in ("offset x1.5", "all levels", "mean", "read_noise"):
        found = validate(planted(model, error), seed=99, conversions=2, progress=False)
        assert not found["passed"]
        assert SEEN_BY[error] in found["fit"]["rejected"]


def test_few_chips_reject_no_true_model():
    """A model of few chips is uncertain, and the tests know: what they ask allows for it."""
    plan, model = default_plan(3), fitted(3)
    program = plan.program()
    for seed in range(2):
        chips = fresh_chips(plan, 16, 3000 + seed)
        noise = fit_noise(chips.noisy - chips.after, program, plan.profile, injected=chips.injected)
        levels = {name: LevelDistribution.fit(getattr(chips, name)) for name in ("before", "after")}
        few = model.model_copy(update={"samples": 16, **levels, **vars(noise)})
        assert rejections(few, plan, 1, 4000 + seed) == [[]]


def test_chips_that_do_not_vary():
    """Nothing varies in model and chips: nothing is rejected, unless the chips lie elsewhere."""
    model = fitted(3)
    still = {
        name: replace(
            a, mean=model.mean, loadings=0 * a.loadings, diagonal=0 * a.diagonal, shift=type(a.shift)("normal", 0.0), law=a.law[:0]
        )
        for name, a in (("before", model.before), ("after", model.after))
    }
    none = model.comparator_offset.times(0.0), model.comparator_noise.times(0.0), model.read_noise.times(0.0)
    names = ("comparator_offset", "comparator_noise", "read_noise")
    quiet = model.model_copy(update={**still, **dict(zip(names, none, strict=True))})
    tests = GoodnessOfFit(quiet, np.random.default_rng(0), chips=2000)
    same = np.repeat(model.mean[None], 16, axis=0)
    noisy = 0.01 * np.random.default_rng(0).standard_normal(same.shape)
    assert tests.test(Fresh(same, same, same))["rejected"] == []
    assert tests.test(Fresh(same, same, same, 0 * same))["rejected"] == []
    assert tests.test(Fresh(same, same + 0.1, same + 0.1))["rejected"]
    assert tests.test(Fresh(same + 0.1, same, same))["rejected"]
    assert "comparator noise: spread" in tests.test(Fresh(same, same, same + noisy))["rejected"]
    assert "read noise: spread" in tests.test(Fresh(same, same, same + noisy, 0 * same))["rejected"]
