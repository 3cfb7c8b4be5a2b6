import copy
import json
import pickle
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest

import characterization
from characterization.ramp_model.file import file_schema, with_checksums
from characterization.ramp_model.model import RampModel
from characterization.ramp_model.noise import UNKNOWN_DRAWS, NoiseEstimate, read_noise_shape
from characterization.run.montecarlo import Run, simulate_run
from netlists.errors import InputError
from netlists.ramp import Chips, to_input_units, transition_levels

N = 600
OFFSET, NOISE = 0.02, 0.004


def table(x, program, **more):
    n, levels = x.shape
    frame = pd.DataFrame(
        {
            "sample": np.repeat(np.arange(n), levels),
            "k": np.tile(np.arange(1, levels + 1), n),
            "x_ideal": np.tile(program.x, n),
            "x": x.ravel(),
            "status": "ok",
        }
    )
    return frame.assign(**more)


def make_run(plan, before, after, noisy):
    program = plan.program()
    transitions = pd.concat([table(before, program, calibrated=False), table(after, program, calibrated=True)], ignore_index=True)
    samples = pd.DataFrame({"sample": np.arange(len(after)), "status": "ok"})
    return Run(plan, transitions, table(noisy, program), samples)


@pytest.fixture(scope="module")
def known(plan3, program3):
    """Mean, factor of the covariance, and a run of samples drawn from them."""
    rng = np.random.default_rng(11)
    mean = program3.x + 0.03 * rng.standard_normal(7)
    factor = 0.03 * rng.standard_normal((7, 7))
    after = mean + rng.standard_normal((N, 7)) @ factor.T
    ramp_before = mean + 0.1 + rng.standard_normal((N, 7)) @ factor.T
    before = ramp_before + OFFSET * rng.standard_normal((N, 1))
    two = OFFSET * (rng.standard_normal((N, 1)) - rng.standard_normal((N, 1)))
    noisy = after + two + NOISE * rng.standard_normal((N, 7))
    return mean, factor @ factor.T, make_run(plan3, before, after, noisy)


@pytest.fixture(scope="module")
def model(known):
    return RampModel.fit(known[2])


def test_fit_recovers_a_known_gaussian(known, model):
    mean, covariance, _ = known
    assert np.all(np.abs(model.mean - mean) < 4 * model.mean_stderr)
    sigma = np.sqrt(np.diag(model.covariance))
    assert np.all(np.abs(sigma - np.sqrt(np.diag(covariance))) < 4 * model.sigma_stderr)
    variances = np.diag(covariance)
    stderr = np.sqrt((np.outer(variances, variances) + covariance**2) / N)
    assert np.all(np.abs(model.covariance - covariance) < 4 * stderr)
    np.testing.assert_allclose(model.before.mean, mean + 0.1, atol=4 * 0.1 / np.sqrt(N))
    assert abs(model.comparator_offset.value - OFFSET) < 4 * model.comparator_offset.stderr
    assert abs(model.comparator_noise.value - NOISE) < 4 * model.comparator_noise.stderr
    assert (model.samples, model.failed) == (N, 0)
    # These levels are numbers of the test's own.
    assert model.warnings == (UNKNOWN_DRAWS,)


def test_samples_have_the_fitted_statistics(model):
    n = 20_000
    x = model.sample_levels(n, np.random.default_rng(0))
    sigma = np.sqrt(np.diag(model.covariance))
    assert np.all(np.abs(x.mean(axis=0) - model.mean) < 4 * sigma / np.sqrt(n))
    np.testing.assert_allclose(np.cov(x.T), model.covariance, atol=5 * sigma.max() ** 2 / np.sqrt(n))


def test_columns_of_a_chip_share_the_calibrating_comparator(model):
    draw = model.sample(4000, 3, np.random.default_rng(1))
    c = np.cov(draw.column_offset.T)
    o = model.comparator_offset.value**2
    np.testing.assert_allclose(np.diag(c), 2 * o, rtol=0.1)
    np.testing.assert_allclose(c[np.triu_indices(3, 1)], o, rtol=0.15)


def test_before_calibration_each_column_has_its_own_offset_once(known, model):
    """Levels before calibration were measured through a comparator whose offset they hold: it must not count twice."""
    _, covariance, _ = known
    draw = model.sample(6000, 2, np.random.default_rng(1), calibrated=False)
    met = draw.thresholds[:, None, :] + draw.column_offset[:, :, None]
    np.testing.assert_allclose(met[:, 0].var(axis=0), np.diag(covariance) + OFFSET**2, rtol=0.12)
    shared = [np.cov(met[:, 0, k], met[:, 1, k])[0, 1] for k in range(7)]
    np.testing.assert_allclose(shared, np.diag(covariance), rtol=0.15, atol=5e-5)
    np.testing.assert_allclose(draw.thresholds.mean(axis=0), model.before.mean, atol=0.01)


def test_a_chip_does_not_depend_on_the_number_of_chips(model):
    few, many = (model.sample(n, 4, np.random.default_rng(5)) for n in (2, 9))
    np.testing.assert_array_equal(few.thresholds, many.thresholds[:2])
    np.testing.assert_array_equal(few.column_offset, many.column_offset[:2])
    assert len(np.unique(many.thresholds[:, 0])) == 9


def test_noise_grows_along_the_ramp_from_the_comparators(model):
    read = model.noise_sigma**2 - model.comparator_noise.value**2
    assert np.all(np.diff(read) >= 0)


def test_failed_samples_are_counted_not_used(known, plan3):
    run, n = known[2], 40
    x = run.levels(calibrated=True)[:n].copy()
    x[5] = np.nan
    model = RampModel.fit(make_run(plan3, run.levels(calibrated=False)[:n], x, run.conversion_levels()[:n]))
    assert (model.samples, model.failed) == (n - 1, 1)
    assert np.all(np.isfinite(model.mean))


def test_too_few_samples(known, plan3):
    run = known[2]
    tables = (run.levels(calibrated=False), run.levels(calibrated=True), run.conversion_levels())
    with pytest.raises(InputError, match="samples=7 that worked, of 7: a model needs 8 or more"):
        RampModel.fit(make_run(plan3, *(x[:7] for x in tables)))


def test_round_trip(tmp_path, model):
    path = model.save(tmp_path / "model.json")
    again = RampModel.load(path)
    assert again.model_dump(mode="json", by_alias=True) == model.model_dump(mode="json", by_alias=True)
    assert again.ramp_plan == model.ramp_plan
    a, b = (m.sample(3, 2, np.random.default_rng(0)) for m in (model, again))
    np.testing.assert_array_equal(a.thresholds, b.thresholds)
    np.testing.assert_array_equal(a.noise_sigma, b.noise_sigma)


def test_report_has_values_with_errors(model):
    text = model.report()
    assert f"samples               {N} (0 failed" in text
    assert text.count("+-") == 4
    assert "not validated yet" in text


def change(**fields):
    return lambda d: d.update(fields)


DAMAGE = {
    "schema": change(schema="other"),
    "schema_version": change(schema_version=3),
    "units": change(units=3),
    "activation": change(activation="gelou"),
    "bits": change(bits=9),
    "samples": change(samples=3),
    "failed": change(failed=-1),
    "x_ideal": lambda d: d["x_ideal"].__setitem__(2, 5.0),
    "lsb": lambda d: d["lsb"].__setitem__(2, 5.0),
    "after": lambda d: d["after"]["mean"].pop(),
    "diagonal": lambda d: d["after"]["diagonal"].__setitem__(0, -1.0),
    "before": lambda d: d["before"]["mean"].__setitem__(0, float("nan")),
    "loadings": lambda d: d["before"].update(loadings=[[1.0]]),
    "basis": lambda d: d["after"].update(basis="words"),
    "anchor": lambda d: d["after"].update(anchor=7),
    "shift": lambda d: d["after"]["shift"].update(sigma=-1.0),
    "comparator_offset": lambda d: d["comparator_offset"].update(value=-1.0),
    "comparator_offset.stderr": lambda d: d["comparator_offset"].update(stderr=float("inf")),
    "comparator_noise": lambda d: d["comparator_noise"].update(unit="mV"),
    "read_noise": lambda d: d["read_noise"].pop("value"),
    "plan": lambda d: d["plan"].update(bits=4),
    "plan: must": change(plan=[1]),
    "provenance": change(provenance="x"),
    "validation": change(validation=[1]),
    "surprise": change(surprise=1),
}


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("field", DAMAGE)
def test_a_hand_edited_file_is_refused_with_the_field(field, signed, tmp_path, model):
    """Whether the edit shows in its checksum alone, or someone made the checksums fit."""
    data = json.loads(model.save(tmp_path / "model.json").read_text())
    whole = copy.deepcopy(data)
    DAMAGE[field](data)
    # repr: one of the edits writes NaN, which equals nothing.
    touched = [name for name in data if name not in whole or repr(data[name]) != repr(whole[name])]
    path = tmp_path / "edited.json"
    path.write_text(json.dumps(with_checksums(data) if signed else data))
    with pytest.raises(InputError) as e:
        RampModel.load(path)
    assert str(path) in str(e.value)
    expected = field.partition(":")[0] if signed else touched[0]
    assert expected in str(e.value)
    assert "\n" not in str(e.value)


@pytest.mark.parametrize("value", [{}, "text", None, True, [[1, 2], [3]], ["a"], 3])
@pytest.mark.parametrize("field", ["x_ideal", "lsb"])
def test_arrays_of_the_wrong_kind(field, value, tmp_path, model):
    data = json.loads(model.save(tmp_path / "model.json").read_text())
    data[field] = value
    (tmp_path / "edited.json").write_text(json.dumps(with_checksums(data)))
    with pytest.raises(InputError, match=f"edited.json: is not a valid ramp model; .*{field}"):
        RampModel.load(tmp_path / "edited.json")


@pytest.mark.parametrize("missing", ["after", "plan", "bits", "read_noise"])
def test_a_missing_field_is_named(missing, tmp_path, model):
    data = json.loads(model.save(tmp_path / "model.json").read_text())
    del data[missing]
    (tmp_path / "edited.json").write_text(json.dumps(data))
    with pytest.raises(InputError, match=f"field {missing}: Field required"):
        RampModel.load(tmp_path / "edited.json")


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", '"text"'])
def test_files_that_are_no_model(text, tmp_path):
    (tmp_path / "model.json").write_text(text)
    with pytest.raises(InputError, match=r"model\.json: .*not a valid"):
        RampModel.load(tmp_path / "model.json")


def test_a_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"none\.json: there is no such model file"):
        RampModel.load(tmp_path / "none.json")


class Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (self.path, "w"))


def test_pickles_are_not_opened(tmp_path):
    (tmp_path / "model.json").write_bytes(pickle.dumps(Payload(str(tmp_path / "opened"))))
    with pytest.raises(InputError, match=r"model\.json"):
        RampModel.load(tmp_path / "model.json")
    assert not (tmp_path / "opened").exists()


def test_a_model_of_a_run_without_variation(quiet3):
    """Nothing varies: every sigma is what ngspice's time steps leave, far below 0.01 LSB."""
    model = RampModel.fit(simulate_run(quiet3, 8, progress=False))
    assert np.all(np.sqrt(np.diag(model.covariance)) < 1e-3 * model.lsb)
    assert model.comparator_offset.value < 1e-3 * model.lsb.min()
    assert np.all(np.abs(model.mean - model.x_ideal) < 0.05 * model.lsb)


def test_one_changed_digit_is_found(tmp_path, model):
    path = model.save(tmp_path / "model.json")
    text = path.read_text()
    digit = repr(float(model.after.mean[3]))
    assert digit in text
    path.write_text(text.replace(digit, repr(float(model.after.mean[3]) * (1 + 1e-9)), 1))
    with pytest.raises(InputError, match="field after: does not match its checksum"):
        RampModel.load(path)


def test_a_file_of_version_1_is_migrated(tmp_path):
    """A file as version 0.1.0 wrote it: means and full covariances; the model draws from the same Gaussian."""
    path = Path(__file__).parents[1] / "data" / "ramp_model_version_1.json"
    old = json.loads(path.read_text())
    model = RampModel.load(path)
    assert model.schema_version == 2
    np.testing.assert_allclose(model.mean, old["mean"])
    np.testing.assert_allclose(model.covariance, old["covariance"], atol=1e-12)
    np.testing.assert_allclose(model.before.covariance, old["covariance_before"], atol=1e-12)
    again = RampModel.load(model.save(tmp_path / "new.json"))
    np.testing.assert_allclose(again.covariance, model.covariance)


def test_a_damaged_file_of_version_1(tmp_path):
    data = json.loads((Path(__file__).parents[1] / "data" / "ramp_model_version_1.json").read_text())
    del data["covariance_before"]
    (tmp_path / "old.json").write_text(json.dumps(data))
    with pytest.raises(InputError, match=r"schema version 1 that cannot be migrated .*covariance_before"):
        RampModel.load(tmp_path / "old.json")


def test_the_json_schema_in_the_repository_describes_the_files(tmp_path, model):
    schema = json.loads((Path(characterization.ramp_model.__file__).parent / "schemas" / "ramp-model-2.schema.json").read_text())
    assert schema == json.loads(json.dumps(file_schema(RampModel)))
    jsonschema.Draft202012Validator.check_schema(schema)
    data = json.loads(model.save(tmp_path / "model.json").read_text())
    jsonschema.validate(data, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**data, "bits": 9}, schema)


@pytest.mark.slow
def test_a_hundred_thousand_chips_in_one_draw(model):
    draw = model.sample(100_000, 1, np.random.default_rng(0))
    assert draw.thresholds.shape == (100_000, 7)


def aged(plan):
    data = {"relaxation_times": (1.0, 1e4), "relaxation_sigma_fit": ((2e-6,), (8e-6,)), "relaxation_mean_fit": ((0.0,), (-4e-6,))}
    return replace(plan, profile=replace(plan.profile, fit_conductance=4e-4, **data))


def test_ramps_age_as_the_closed_form_of_their_cells_says(plan3, program3, model):
    plan = aged(plan3)
    ageing = RampModel.model_validate({**model.model_dump(by_alias=True), "plan": plan.as_dict()})
    young, old = (ageing.sample(400, 3, np.random.default_rng(1), drift_time=t) for t in (None, 1e4))
    np.testing.assert_array_equal(young.column_offset, old.column_offset)
    change = old.thresholds - young.thresholds
    g = np.tile(program3.conductance, (400, 1))
    relaxed = plan.profile.relaxed(g, g, 1e4, np.random.default_rng(2))
    nothing = np.zeros(400)
    levels = [transition_levels(program3, plan.circuit, Chips(c, nothing, nothing)) for c in (relaxed, g)]
    expected = to_input_units(levels[0], program3, plan.circuit) - to_input_units(levels[1], program3, plan.circuit)
    np.testing.assert_allclose(change.std(axis=0), expected.std(axis=0), rtol=0.2)
    np.testing.assert_allclose(change.mean(axis=0), expected.mean(axis=0), atol=5 * expected.std(axis=0).max() / 20)
    with pytest.raises(InputError, match="no relaxation data"):
        model.sample(1, 1, np.random.default_rng(1), drift_time=10.0)


def test_noise_of_the_ramp_is_told_apart_from_the_columns(model):
    """What lasts moves a chip's levels, what is new at each conversion is shared by the columns; together the whole read noise."""
    quiet = model.model_copy(update={"read_noise": NoiseEstimate.of(0.0, 0.0, "S")})
    noisy = model.model_copy(update={"read_noise": NoiseEstimate.of(2e-6, 0.0, "S")})
    a, b = (m.sample(2000, 2, np.random.default_rng(1)) for m in (quiet, noisy))
    plan = model.ramp_plan
    whole, fresh = (2e-6**2 * np.diag(read_noise_shape(model.program, plan.profile, fresh=new)) for new in (False, True))
    held = (b.thresholds - a.thresholds).var(axis=0)
    np.testing.assert_allclose(held + fresh, whole, rtol=0.15)
    assert np.all(held > 0.02 * whole)
    opamp = plan.variation.opamp_noise**2 / plan.variation.decision_noise**2
    np.testing.assert_allclose(b.shared_sigma**2, fresh + opamp * model.comparator_noise.value**2, rtol=1e-9)
    np.testing.assert_allclose(b.own_sigma**2, (1 - opamp) * model.comparator_noise.value**2, rtol=1e-9)
