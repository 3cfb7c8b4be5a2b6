"""Levels of drawn ramp columns against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from cosim.budget.device_errors import CURVATURE_SPREAD, budget_profile, drawn_curvature, read_through
from cosim.budget.ramps import ramp_levels
from cosim.budget.sources import RELAXED, default_relaxation, mean_relaxation
from netlists.ramp.compiler import program_ramp
from netlists.ramp.program import step_error_lsb
from netlists.technology import memristor
from netlists.technology.parameters import RampCircuit
from netlists.technology.profile import load_profile, profile_names

CIRCUIT = RampCircuit()
PROFILE = load_profile("taox-100-400")


@pytest.fixture(scope="module", params=["sigmoid", "tanh"])
def program(request):
    return program_ramp(request.param, 5, PROFILE)


def levels(program, amounts, n=1, seed=3):
    rng = np.random.default_rng(seed)
    return np.array([ramp_levels(program, CIRCUIT, PROFILE, amounts, r) for r in rng.spawn(n)])


def test_without_sources_levels_are_the_thresholds_to_the_bit(program):
    assert np.array_equal(levels(program, {})[0], program.x)
    zero = dict.fromkeys(
        ("programming", "relaxation", "iv_curvature", "access", "stuck", "comparator_delay", "integrator_leak"), 0.0
    )
    assert np.array_equal(levels(program, zero)[0], program.x)


def test_programming_error_grows_from_the_calibrated_point_as_the_steps_do(program):
    """Closed form of `step_error_lsb`: each step by its own cells."""
    amount = 1e-6
    drawn = levels(program, {"programming": amount}, 600)
    steps = np.diff(drawn - program.x, axis=1)
    cells = budget_profile(PROFILE, {"programming": amount})
    spread = cells.program_sigma_at(program.conductance)
    expected = np.array(
        [
            np.sqrt(np.sum((program.width * spread)[program.step == k] ** 2)) / program.unit_charge
            for k in range(2, len(program.x) + 1)
        ]
    )
    np.testing.assert_allclose(steps.std(axis=0), expected, rtol=0.15)
    # The same as the program's own figure says, which leaves out the write of the calibration cell.
    free = drawn - np.array([np.interp(0, program.x, e) for e in drawn - program.x])[:, None]
    rms = (free - program.x).std(axis=0) / program.lsb
    outer = np.abs(program.x) > 2 * np.abs(program.x).min() + 0.5
    np.testing.assert_allclose(rms[outer], step_error_lsb(program, spread)[outer], rtol=0.25)


def test_the_calibrated_point_holds_but_for_one_write(program):
    drawn = levels(program, {"programming": 2.73e-6, "stuck": 0.02, "iv_curvature": 0.5, "access": 80.0}, 200)
    at_zero = np.array([np.interp(0, program.x, e) for e in drawn - program.x])
    trim = program.width[program.calibration_cells[0]] * 2.73e-6 / program.unit_charge
    assert 0.5 * trim < at_zero.std() < 1.1 * trim
    without = levels(program, {"stuck": 0.02, "iv_curvature": 0.5, "access": 80.0}, 20)
    np.testing.assert_allclose([np.interp(0, program.x, e) for e in without - program.x], 0, atol=1e-9)


def test_relaxation_is_not_calibrated_away(program):
    drawn = levels(program, {"relaxation": 3e-6}, 300) - program.x
    spread = drawn.std(axis=0)
    assert spread[0] > 0
    assert spread[-1] > spread[0]


def test_one_curvature_for_all_cells_scales_the_ramp_alone(monkeypatch, program):
    """All cells with b gain 1 + b V^2, and so does the ramp's span."""
    monkeypatch.setattr("cosim.budget.device_errors.CURVATURE_SPREAD", (1.0, 1.0))
    drawn = levels(program, {"iv_curvature": 0.5})[0]
    span = (drawn[-1] - drawn[0]) / (program.x[-1] - program.x[0])
    assert span == pytest.approx(1 + 0.5 * CIRCUIT.v_read**2, rel=1e-9)


def test_cells_are_read_at_the_chord_of_their_curve():
    g = np.array([34e-6, 100e-6, 400e-6])
    b = np.array([0.3, 0.5, 0.75])
    through = [memristor.current(0.2, gi, curvature=bi) / 0.2 for gi, bi in zip(g, b, strict=True)]
    np.testing.assert_allclose(read_through(g, b, 0.0, 0.2), through, rtol=1e-12)
    np.testing.assert_allclose(read_through(g, 0.0, 82.0, 0.2), 1 / (1 / g + 82.0), rtol=1e-12)
    assert np.array_equal(read_through(g, 0.0, 0.0, 0.2), g)


def test_curvature_spreads_as_published():
    drawn = drawn_curvature(0.5, (20000,), np.random.default_rng(1))
    assert drawn.min() == pytest.approx(0.3, abs=0.001)
    assert drawn.max() == pytest.approx(0.75, abs=0.001)
    assert CURVATURE_SPREAD == (0.6, 1.5)


@pytest.mark.parametrize("name", profile_names())
def test_relaxation_has_the_asked_mean_in_every_profile(name):
    """Also where the stand-in's polynomial is moved to another conductance range; drawn cells agree."""
    profile = load_profile(name)
    cells = budget_profile(profile, {"relaxation": 2e-6})
    assert mean_relaxation(cells) == pytest.approx(2e-6)
    g = np.linspace(profile.g_min, profile.g_max, 101).repeat(400)
    high = np.full_like(g, 1.0)
    moved = cells.relaxed(high, g, RELAXED, np.random.default_rng(1)) - high
    assert moved.reshape(101, 400).std(axis=1).mean() == pytest.approx(2e-6, rel=0.02)


def test_relaxation_by_default():
    """Own data in the profile that has them; in proportion to the programming error elsewhere (an assumption)."""
    wan = load_profile("hfox-wan-1-40")
    assert default_relaxation(wan) == pytest.approx(mean_relaxation(wan))
    assert budget_profile(wan, {"relaxation": default_relaxation(wan)}).relaxation_sigma_fit[1] == pytest.approx(
        wan.relaxation_sigma_fit[1]
    )
    ratio = default_relaxation(PROFILE) / PROFILE.program_sigma_at(np.linspace(PROFILE.g_min, PROFILE.g_max, 101)).mean()
    written = wan.program_sigma_at(np.linspace(wan.g_min, wan.g_max, 101)).mean()
    assert ratio == pytest.approx(mean_relaxation(wan) / written)
