"""The comparator model against ngspice at level macro, closed forms and what is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from characterization.compact.benches.comparator import characterize_comparator, held_out_comparator, read_offsets
from characterization.compact.benches.offsets import trip_points
from characterization.compact.comparator import ComparatorModel
from characterization.compact.fit_blocks import fit_blocks
from characterization.ramp_model.file import with_checksums
from netlists.errors import InputError
from netlists.technology.parameters import MEASURED_STATISTICS, RampCircuit


@pytest.fixture(scope="module")
def samples():
    return characterize_comparator("macro", np.random.default_rng(1), chips=60)


@pytest.fixture(scope="module")
def model(samples):
    return ComparatorModel.fit(samples, np.random.default_rng(2))


def test_trip_points_are_the_offsets_put_in():
    offsets = np.array([-5e-3, 0.0, 3e-3])
    np.testing.assert_allclose(trip_points("macro", RampCircuit(), offsets), offsets, atol=5e-6)


def test_fit_recovers_the_macro_model(model):
    circuit = RampCircuit()
    assert model.delay.law == "limited"
    assert model.delay.tau.value == pytest.approx(circuit.comparator_tau, rel=2e-3)
    assert model.delay.third.value == pytest.approx(circuit.comparator_limit / circuit.comparator_gain, rel=5e-3)
    assert abs(model.hysteresis.value) < 5e-6
    assert model.latch_tau.value == pytest.approx(25e-12, rel=5e-3)
    sigma = MEASURED_STATISTICS["comparator_noise_sigma"]
    assert abs(model.noise.value - sigma) < 4 * model.noise.stderr
    assert abs(model.offset.frozen.std() - MEASURED_STATISTICS["comparator_offset_sigma"]) < 4 * model.offset.scale.stderr


def test_held_out_decisions_and_delays(model):
    figures = held_out_comparator(model, "macro", np.random.default_rng(3), decisions=64, rest=20e-3)
    assert figures["delay_rms_relative"] < 2e-3
    assert figures["decisions_equal"] > 0.95
    assert abs(figures["trip_error_v"]) < 0.1e-3


def test_a_late_step_passes_inputs_within_reach(model):
    late = float(model.late(4e-9))
    quiet = ComparatorModel.ideal().model_copy(update={"delay": model.delay})
    np.testing.assert_array_equal(quiet.apply([0.99 * late, 1.01 * late, -late], time=4e-9), [False, True, False])
    assert model.late(np.inf) == pytest.approx(model.hysteresis.value / 2)


def test_noise_gives_the_probit_curve():
    model = ComparatorModel.given(noise=1e-3)
    d = np.array([-1e-3, 0.0, 0.5e-3])
    fraction = model.apply(np.broadcast_to(d, (20000, 3)), np.random.default_rng(0)).mean(axis=0)
    np.testing.assert_allclose(fraction, norm.cdf(d / 1e-3), atol=0.015)


def test_metastability_falls_e_fold_with_the_latch_time(model):
    a, b = model.metastability([200e-12, 200e-12 + model.latch_tau.value], 20e-3)
    assert a / b == pytest.approx(np.e)
    d = np.zeros(4000)
    quiet = model.quiet
    tossed = quiet.apply(d + quiet.late(np.inf), np.random.default_rng(0), latch_time=200e-12)
    assert 0.45 < tossed.mean() < 0.55
    assert model.metastability(0.0, 1e-6) == 1


def test_zero_errors_are_an_ideal_comparator():
    d = np.random.default_rng(0).normal(0, 1e-3, (5, 7))
    np.testing.assert_array_equal(ComparatorModel.ideal().apply(d, time=1e-9, latch_time=1e-9), d >= 0)
    np.testing.assert_array_equal(ComparatorModel.ideal().sample(3, np.random.default_rng(0)).offset, np.zeros((3, 1)))


def test_chips_do_not_depend_on_how_many_are_drawn(model):
    many, few = (model.sample(n, np.random.default_rng(7), n_columns=4).offset for n in (9, 3))
    assert many.shape == (9, 4)
    np.testing.assert_array_equal(many[:3], few)


def test_order_of_the_samples_changes_nothing(samples, model):
    order = np.random.default_rng(0).permutation(len(samples.overdrive))
    shuffled = replace(samples, overdrive=samples.overdrive[order], delay=samples.delay[order], offset=samples.offset[::-1])
    other = ComparatorModel.fit(shuffled, np.random.default_rng(2))
    assert other.offset == model.offset
    assert other.delay == model.delay


def test_file_round_trip_and_what_a_damaged_file_says(model, tmp_path):
    path = model.validated(rms=1.0).save(tmp_path / "m.json")
    assert ComparatorModel.load(path) == model.validated(rms=1.0)
    assert "held out" in ComparatorModel.load(path).report()
    data = json.loads(path.read_text())
    for change, field in [
        ({"noise": {"value": -1.0, "stderr": 0.1, "unit": "V"}}, "noise"),
        ({"noise": {"value": 1.0, "stderr": 0.1, "unit": "mV"}}, "noise"),
        ({"noise": {"value": 1.0, "stderr": -0.1, "unit": "V"}}, "noise.stderr"),
        ({"hysteresis": None}, "hysteresis"),
        ({"schema": "nladc-cosim/mac-model"}, "schema"),
        ({"schema_version": 2}, "schema_version"),
        ({"more": 1}, "more"),
        ({"delay": data["delay"] | {"law": "cubic"}}, "law"),
    ]:
        # Signed anew, as someone would who means it: then the value itself is refused.
        path.write_text(json.dumps(with_checksums(data | change)))
        with pytest.raises(InputError, match=field):
            ComparatorModel.load(path)
    path.write_text(json.dumps(data | {"gain": 2.0}))
    with pytest.raises(InputError, match="field gain: does not match its checksum"):
        ComparatorModel.load(path)
    path.write_text(json.dumps({k: v for k, v in data.items() if k != "schema"}))
    with pytest.raises(InputError, match="schema: missing"):
        ComparatorModel.load(path)
    path.write_text("{")
    with pytest.raises(InputError, match="not a valid model file"):
        ComparatorModel.load(path)


def test_refusals(model, tmp_path):
    for call, message in [
        (lambda: model.apply([0.0]), "rng=None"),
        (lambda: model.sample(0, np.random.default_rng(0)), "n_chips=0"),
        (lambda: model.metastability(1e-9, 0.0), "step=0.0"),
        (lambda: characterize_comparator("spice", np.random.default_rng(0)), "level='spice'"),
        (lambda: characterize_comparator("macro", np.random.default_rng(0), blocks_folder=tmp_path), "blocks_folder"),
        (lambda: read_offsets(tmp_path), "offset_samples.csv"),
        (lambda: fit_blocks("ideal", tmp_path), "level='ideal'"),
        (lambda: fit_blocks("sky130", tmp_path), "blocks_folder"),
    ]:
        with pytest.raises(InputError, match=message):
            call()
