from dataclasses import replace

import numpy as np
import pytest

from characterization.plan import RampPlan, Variation
from characterization.sampling import draw, reprogram, stream, stuck_cells
from netlists.parameters import MEASURED_STATISTICS

ARRAYS = ("conductance", "opamp_offset", "comparator_offset", "column_offset", "read_noise", "comparator_noise")


def test_a_sample_depends_on_seed_and_number_alone(plan3, program3):
    many = draw(plan3, program3, np.arange(20))
    few = draw(plan3, program3, np.array([13, 4]))
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(few, name), getattr(many, name)[[13, 4]])
    other = draw(replace(plan3, seed=8), program3, np.arange(20))
    assert not np.any(other.conductance == many.conductance)


def test_streams_of_samples_and_sources_differ():
    first = {
        stream(s, i, source).standard_normal() for s in (0, 1) for i in (0, 1) for source in ("programming", "stuck", "read_noise")
    }
    assert len(first) == 12


def test_taking_a_source_out_changes_no_other(plan3, program3):
    full = draw(plan3, program3, np.arange(5))
    quiet = draw(replace(plan3, variation=Variation(opamp_offset=0.0)), program3, np.arange(5))
    assert not quiet.opamp_offset.any()
    for name in set(ARRAYS) - {"opamp_offset"}:
        np.testing.assert_array_equal(getattr(quiet, name), getattr(full, name))


def test_statistics_of_what_is_drawn(plan3, program3):
    d = draw(plan3, program3, np.arange(2000))
    for name, sigma in (
        ("opamp_offset", MEASURED_STATISTICS["opamp_offset_sigma"]),
        ("comparator_offset", MEASURED_STATISTICS["comparator_offset_sigma"]),
        ("column_offset", MEASURED_STATISTICS["comparator_offset_sigma"]),
        ("comparator_noise", MEASURED_STATISTICS["comparator_noise_sigma"]),
    ):
        a = getattr(d, name)
        assert a.std() == pytest.approx(sigma, rel=4 / np.sqrt(2 * a.size))
        assert abs(a.mean()) < 4 * sigma / np.sqrt(a.size)
    assert abs(np.corrcoef(d.comparator_offset, d.column_offset)[0, 1]) < 4 / np.sqrt(2000)
    assert np.abs(d.conductance - program3.conductance).max() <= plan3.profile.program_window


def test_a_noisy_conversion_has_read_noise_and_the_other_columns_offset(plan3, program3):
    d = draw(plan3, program3, np.arange(2000))
    chips = d.conversions(d.conductance, plan3.profile)
    np.testing.assert_array_equal(chips.comparator_offset, d.column_offset)
    np.testing.assert_array_equal(chips.comparator_noise, d.comparator_noise)
    sigma = (chips.conductance - d.conductance).std(axis=0)
    np.testing.assert_allclose(sigma, plan3.profile.read_sigma_at(program3.conductance), rtol=0.1)


def test_reprogramming_touches_only_what_is_written(plan3, program3):
    d = draw(plan3, program3, np.arange(3))
    targets = np.full(d.conductance.shape, np.nan)
    targets[1, 2] = 300e-6
    out = reprogram(plan3, program3, d, targets)
    changed = np.argwhere(out != d.conductance)
    np.testing.assert_array_equal(changed, [[1, 2]])
    assert abs(out[1, 2] - 300e-6) <= plan3.profile.program_window
    np.testing.assert_array_equal(reprogram(plan3, program3, draw(plan3, program3, np.array([1])), targets[[1]])[0], out[1])


def test_stuck_cells_do_not_move(plan3, program3):
    plan = replace(plan3, profile=replace(plan3.profile, stuck_off_rate=0.3))
    d = draw(plan, program3, np.arange(50))
    stuck = stuck_cells(plan, program3, d.samples)
    np.testing.assert_array_equal(d.conductance[stuck], plan.profile.g_hrs)
    assert stuck.mean() == pytest.approx(0.3, abs=0.08)
    targets = np.full(d.conductance.shape, np.nan)
    targets[:, program3.calibration_cells] = 350e-6
    out = reprogram(plan, program3, d, targets)
    np.testing.assert_array_equal(out[stuck], plan.profile.g_hrs)
    moved = out[:, program3.calibration_cells][~stuck[:, program3.calibration_cells]]
    assert np.abs(moved - 350e-6).max() <= plan.profile.program_window


def test_a_plan_without_variation_draws_nominal_chips(quiet3):
    program = quiet3.program()
    d = draw(quiet3, program, np.arange(2))
    np.testing.assert_array_equal(d.conductance, np.tile(program.conductance, (2, 1)))
    assert not d.opamp_offset.any()
    assert not d.comparator_offset.any()


def test_numpy_numbers_are_the_same_samples(program3):
    plan = RampPlan("sigmoid", 3, seed=7)
    np.testing.assert_array_equal(draw(plan, program3, [2]).conductance, draw(plan, program3, np.array([2], np.int32)).conductance)
