"""Closed-form ramps of drawn chips against ngspice, and against what is known without it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from characterization.plan.variation import Variation
from characterization.run.montecarlo import simulate_run
from cosim.cost import Design
from cosim.optimize.ramps import drawn_ramp, ramp_plan
from netlists.errors import InputError
from netlists.technology.profile import load_profile

PROFILE = load_profile("taox-100-400")


@pytest.mark.parametrize(
    ("design", "limit"),
    [
        (Design(bits=4), 0.005),
        (Design(bits=4, v_read=0.1, v_swing=0.5, t_step=12e-9, calibration_cells=2), 0.04),
        (Design(bits=3, v_read=0.1, v_swing=0.5, t_step=4e-9, g_max=300e-6), 0.12),
    ],
)
def test_the_same_chips_in_ngspice(design, limit):
    plan = ramp_plan("sigmoid", design, PROFILE, 5)
    program = plan.program()
    measured = simulate_run(plan, 8, progress=False).levels(calibrated=True)
    closed = drawn_ramp(plan, 8, 1, np.random.default_rng(1)).thresholds
    assert np.sqrt(np.mean(((measured - closed) / program.lsb) ** 2)) < limit


def test_perfect_chips_have_the_functions_own_thresholds():
    plan = replace(ramp_plan("tanh", Design(bits=4), PROFILE.without_variation(), 1), variation=Variation.none())
    draw = drawn_ramp(plan, 2, 3, np.random.default_rng(1))
    x = np.arctanh(-1 + 2 * np.arange(1, 16) / 16)
    assert np.abs(draw.thresholds - x).max() < 0.01 * plan.program().lsb.min()
    assert not draw.column_offset.any()
    assert not draw.noisy


def test_columns_offsets_are_relative_to_the_comparator_that_calibrates():
    plan = ramp_plan("sigmoid", Design(bits=3, comparator_offset=8e-3), PROFILE, 2)
    volts = plan.program().volts_per_unit(plan.circuit)
    offset = drawn_ramp(plan, 300, 200, np.random.default_rng(1)).column_offset * volts
    # A chip's columns share the calibrating comparator; around it they spread by their own.
    assert offset.std(axis=1).mean() == pytest.approx(8e-3, rel=0.02)
    assert offset.mean(axis=1).std() == pytest.approx(8e-3, rel=0.15)


def test_noise_is_the_comparators_and_the_cells():
    plan = ramp_plan("sigmoid", Design(bits=3), replace(PROFILE, read_sigma=0.0), 2)
    volts = plan.program().volts_per_unit(plan.circuit)
    assert drawn_ramp(plan, 2, 1, np.random.default_rng(1)).noise_sigma == pytest.approx(plan.variation.comparator_noise / volts)
    noisier = drawn_ramp(ramp_plan("sigmoid", Design(bits=3), PROFILE, 2), 2, 1, np.random.default_rng(1)).noise_sigma
    assert np.all(np.diff(noisier) > 0)


def test_a_chip_does_not_depend_on_how_many_are_drawn():
    plan = ramp_plan("sigmoid", Design(bits=3), PROFILE, 2)
    few, many = (drawn_ramp(plan, n, 4, np.random.default_rng(1)) for n in (2, 5))
    assert np.array_equal(few.thresholds, many.thresholds[:2])
    assert np.array_equal(few.column_offset, many.column_offset[:2])


@pytest.mark.parametrize(
    ("design", "words"),
    [
        (Design(bits=2, v_read=0.25, v_swing=1.25, t_step=3e-9), "climbs .* V/us, the op-amp 75.5 V/us at most"),
        (Design(bits=5, t_step=0.5e-9), "t_settle=2.5e-10 s: must be longer"),
        (Design(bits=5, v_read=1.0), "must stay within"),
    ],
)
def test_designs_that_cannot_be_built(design, words):
    with pytest.raises(InputError, match=words):
        ramp_plan("sigmoid", design, PROFILE, 1)
