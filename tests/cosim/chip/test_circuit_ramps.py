"""Ramps as circuits with errors, against closed forms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from characterization.plan import RampPlan, Variation
from cosim.budget.device_errors import budget_profile
from cosim.chip.arrays import CURVATURE_SPREAD, drawn_curvature, read_through
from cosim.chip.circuit_ramps import CircuitRamp
from cosim.chip.draw import draw_chip
from cosim.chip.hardware import Hardware
from cosim.network import LSTMNetwork
from netlists.errors import InputError
from netlists.ramp.program import step_error_lsb
from netlists.technology import memristor
from netlists.technology.parameters import RampCircuit
from netlists.technology.profile import load_profile

CIRCUIT = RampCircuit()
PROFILE = load_profile("taox-100-400")


@pytest.fixture(scope="module", params=["sigmoid", "tanh"])
def program(request):
    return ramp({}, request.param).plan.program()


def ramp(errors, activation="sigmoid", variation=None, bits=5, **about):
    plan = RampPlan(activation, bits, profile=budget_profile(PROFILE, errors), variation=variation or Variation.none())
    return CircuitRamp(plan, **about)


def levels(program, errors, n=1, seed=3, **about):
    drift = 3600.0 if errors.get("relaxation") else None
    circuit = ramp(errors, program.activation, drift_time=drift, **about)
    return np.array([circuit.levels(seed, 0, i) for i in range(n)])


def test_without_errors_levels_are_the_thresholds_to_the_bit(program):
    assert np.array_equal(levels(program, {})[0], program.x)
    assert not ramp({}).random


def test_programming_error_grows_from_the_calibrated_point_as_the_steps_do(program):
    """Closed form of `step_error_lsb`: each step by its own cells."""
    amount = 1e-6
    drawn = levels(program, {"programming": amount}, 100)
    steps = np.diff(drawn - program.x, axis=1)
    cells = budget_profile(PROFILE, {"programming": amount})
    spread = cells.program_sigma_at(program.conductance)
    expected = np.array(
        [
            np.sqrt(np.sum((program.width * spread)[program.step == k] ** 2)) / program.unit_charge
            for k in range(2, len(program.x) + 1)
        ]
    )
    np.testing.assert_allclose(steps.std(axis=0), expected, rtol=0.25)
    # The same as the program's own figure says, which leaves out the write of the calibration cell.
    free = drawn - np.array([np.interp(0, program.x, e) for e in drawn - program.x])[:, None]
    rms = (free - program.x).std(axis=0) / program.lsb
    outer = np.abs(program.x) > 2 * np.abs(program.x).min() + 0.5
    np.testing.assert_allclose(rms[outer], step_error_lsb(program, spread)[outer], rtol=0.3)


def test_the_calibrated_point_holds_but_for_one_write(program):
    drawn = levels(program, {"programming": 2.73e-6}, 80, curvature=0.5, access=80.0)
    at_zero = np.array([np.interp(0, program.x, e) for e in drawn - program.x])
    trim = program.width[program.calibration_cells[0]] * 2.73e-6 / program.unit_charge
    assert 0.5 * trim < at_zero.std() < 1.1 * trim
    without = levels(program, {"stuck": 0.02}, 12, curvature=0.5, access=80.0)
    left = np.abs([np.interp(0, program.x, e) for e in without - program.x])
    # Exact but for the loss of the op-amp, unless a dead cell asks for more than the calibration cells have.
    assert np.median(left) < 0.01 * program.lsb.min()


def test_relaxation_is_not_calibrated_away(program):
    drawn = levels(program, {"relaxation": 3e-6}, 60) - program.x
    spread = drawn.std(axis=0)
    assert spread[0] > 0
    assert spread[-1] > spread[0]


def test_one_curvature_for_all_cells_scales_the_ramp_alone(monkeypatch, program):
    """All cells with b gain 1 + b V^2, and so does the ramp's span, but for what the op-amp loses more."""
    monkeypatch.setattr("cosim.chip.arrays.CURVATURE_SPREAD", (1.0, 1.0))
    drawn = levels(program, {}, curvature=0.5)[0]
    span = (drawn[-1] - drawn[0]) / (program.x[-1] - program.x[0])
    assert span == pytest.approx(1 + 0.5 * CIRCUIT.v_read**2, rel=1e-3)


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


def sigmoid_offsets(chips, **sigma):
    """Offsets of the columns of a network's sigmoid ramp against its levels on chips, volts, (chips, columns)."""
    network = LSTMNetwork(np.zeros((102, 400)), np.ones((101, 2)))
    hardware = Hardware(ramps={a: ramp({}, a, replace(Variation.none(), **sigma), bits=3) for a in ("sigmoid", "tanh")})
    volts, out = hardware.ramps["sigmoid"].volts_per_unit, []
    for i in range(chips):
        units = draw_chip(network, hardware, i, 2, np.float64).layers[0][0].matrices["weights"].units
        found = np.concatenate([u.bank.thresholds[:, 0] for u in units])[:200]
        out.append((found - hardware.ramps["sigmoid"].plan.program().x[0]) * volts)
    return np.array(out)


def test_columns_offsets_are_relative_to_the_comparator_that_calibrates():
    offset = sigmoid_offsets(40, comparator_offset=8e-3)
    # A chip's columns share the calibrating comparator; around it they spread by their own.
    assert offset.std(axis=1).mean() == pytest.approx(8e-3, rel=0.02)
    assert offset.mean(axis=1).std() == pytest.approx(8e-3, rel=0.3)


def test_noise_is_the_comparators_and_the_cells():
    quiet = ramp({}, variation=replace(Variation.none(), comparator_noise=1e-3))
    assert quiet.noise_sigma == pytest.approx(1e-3 / quiet.volts_per_unit)
    assert np.all(np.diff(ramp({"read_noise": 1e-7}).noise_sigma) > 0)


def test_relaxation_without_data_is_refused():
    with pytest.raises(InputError, match="drift_time=10: device profile taox-100-400 has no relaxation data"):
        CircuitRamp(RampPlan("tanh", 3), drift_time=10.0)
