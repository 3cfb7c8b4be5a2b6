"""The crossbar model against the exact solver, ngspice on the full mesh, and the statistics it was drawn from."""

import json
from dataclasses import replace

import numpy as np
import pytest

from characterization.compact.benches.crossbar import characterize_crossbar, held_out_crossbar
from characterization.compact.crossbar_model import CrossbarModel, CrossbarSamples
from characterization.ramp_model.file import with_checksums
from netlists.array.solver import ArraySolver
from netlists.errors import InputError
from netlists.technology.profile import load_profile

NONE = np.zeros(0)
WEIGHTS = np.random.default_rng(0).uniform(-1, 1, (6, 4))


@pytest.fixture
def model(profile):
    return CrossbarModel(profile=profile)


def test_ideal_crossbar_multiplies_by_the_trained_weights(profile):
    ideal = CrossbarModel.ideal(profile)
    chips = ideal.program(WEIGHTS, np.random.default_rng(0), n_chips=2)
    effective = ideal.effective_weights(chips, np.random.default_rng(1))
    np.testing.assert_allclose(effective, [WEIGHTS, WEIGHTS], atol=1e-12)
    u = np.random.default_rng(2).normal(size=(5, 6))
    np.testing.assert_allclose(ideal.apply(u, effective), [u @ WEIGHTS] * 2)


def test_linear_cells_are_the_exact_transfer_matrix(model):
    linear = model.without_curvature()
    chips = linear.program(WEIGHTS, np.random.default_rng(0))
    drive = np.random.default_rng(1).uniform(-0.2, 0.2, (3, 6))
    rows = np.stack([drive, -drive], axis=-1).reshape(3, 12)
    exact = ArraySolver(linear.crossbar(chips.conductance[0])).solve(rows).column_current
    np.testing.assert_allclose(linear.apply(drive, linear.effective_weights(chips))[0] * chips.scale, exact, rtol=1e-9)
    np.testing.assert_allclose(linear.exact_currents(chips.conductance[0], rows), exact, rtol=1e-9)


def test_curved_cells_on_perfect_wires_are_exact_at_the_read_voltage(profile):
    model = CrossbarModel(profile=profile.without_variation(), r_row=0.0, r_col=0.0)
    chips = model.program(WEIGHTS, np.random.default_rng(0))
    signs = np.random.default_rng(1).integers(-1, 2, (4, 6))
    rows = model.v_read * np.stack([signs, -signs], axis=-1).reshape(4, 12)
    expected = model.exact_currents(chips.conductance[0], rows) / (model.v_read * chips.scale)
    np.testing.assert_allclose(model.apply(signs, model.effective_weights(chips))[0], expected, atol=1e-9)


def test_full_mesh_in_ngspice(model):
    figures = held_out_crossbar(model, np.random.default_rng(1), inputs=8, columns=4, vectors=3)
    assert figures["rms_relative"] < 2e-3
    assert figures["ideal_rms_relative"] > 5 * figures["rms_relative"]


def test_fit_recovers_what_was_drawn(profile):
    fitted = CrossbarModel.fit(characterize_crossbar(profile, np.random.default_rng(3)), profile, r_row=2.0)
    assert fitted.r_row == 2.0
    for name in ("program_sigma", "read_sigma", "iv_curvature"):
        found = fitted.fitted[name]
        assert abs(found.value - getattr(profile, name)) < 4 * found.stderr
        assert getattr(fitted.profile, name) == found.value


def test_chips_are_reproducible_and_independent_of_their_number(model):
    many, few = (model.program(WEIGHTS, np.random.default_rng(5), n_chips=n).conductance for n in (4, 2))
    np.testing.assert_array_equal(many[:2], few)
    assert np.abs(many[0] - many[1]).max() > 0


def test_permuting_chips_permutes_the_weights(model):
    chips = model.program(WEIGHTS, np.random.default_rng(5), n_chips=3)
    order = np.array([2, 0, 1])
    shuffled = replace(chips, conductance=chips.conductance[order])
    np.testing.assert_array_equal(model.effective_weights(shuffled), model.effective_weights(chips)[order])


def test_read_noise_and_drift_change_a_chip(model):
    chips = model.program(WEIGHTS, np.random.default_rng(5))
    quiet, noisy = model.effective_weights(chips), model.effective_weights(chips, np.random.default_rng(0))
    assert 0 < np.abs(noisy - quiet).max() < 0.02
    hfox = CrossbarModel(profile=load_profile("hfox-wan-1-40"))
    fresh = hfox.program(WEIGHTS, np.random.default_rng(0), n_chips=40)
    spread = [np.std(hfox.relaxed(fresh, t, np.random.default_rng(1)).conductance - fresh.conductance) for t in (3600.0, 172800.0)]
    assert 0 < spread[0] < spread[1]


def test_file_round_trip(model, tmp_path):
    path = model.save(tmp_path / "x.json")
    assert CrossbarModel.load(path) == model
    data = json.loads(path.read_text())
    data["profile"]["g_min"] = -1.0
    path.write_text(json.dumps(with_checksums(data)))
    with pytest.raises(InputError, match=r"field profile.*g_min"):
        CrossbarModel.load(path)


def test_refusals(model, profile):
    chips = model.program(WEIGHTS, np.random.default_rng(0))
    weights = model.effective_weights(chips)
    out = CrossbarSamples(np.ones(3) * 2e-4, np.ones(3) * 3e-4, NONE, NONE, NONE)
    for call, message in [
        (lambda: model.apply(np.zeros((2, 5)), weights), "inputs: have shape"),
        (lambda: model.apply(np.full((2, 6), np.nan), weights), r"inputs\[0, 0\]=nan"),
        (lambda: model.program(WEIGHTS, np.random.default_rng(0), n_chips=0), "n_chips=0"),
        (lambda: model.program(WEIGHTS * np.inf, np.random.default_rng(0)), "must be a finite number"),
        (lambda: model.relaxed(chips, 1.0, np.random.default_rng(0)), "no relaxation data"),
        (lambda: CrossbarModel.fit(out, replace(profile, program_law=())), "beyond the window"),
        (lambda: CrossbarModel.fit(CrossbarSamples(NONE, NONE, NONE, np.zeros(4), np.ones(4)), profile), "voltage of 0"),
        (lambda: CrossbarModel.fit(CrossbarSamples(NONE, NONE, np.ones((3, 1)), NONE, NONE), profile), "reads: have shape"),
    ]:
        with pytest.raises(InputError, match=message):
            call()
