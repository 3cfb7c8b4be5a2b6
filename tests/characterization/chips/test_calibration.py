from dataclasses import replace

import numpy as np
import pytest

from characterization.chips.batch import measure_batch
from characterization.chips.calibration import error_at, one_point_targets
from characterization.chips.sampling import stuck_cells
from characterization.chips.transitions import measure
from characterization.plan.plan import RampPlan
from netlists.ramp.chips import Chips
from netlists.ramp.closed_form import to_input_units
from netlists.ramp.compiler import CALIBRATION

# One write corrects the error but for what finite gain, bandwidth and the offset's part of v_read make of the moved charge.
REST = 0.05


def levels(plan, chips):
    found = measure(plan.converter, chips)
    assert found.status == ["ok"] * len(chips)
    return to_input_units(found.volts, plan.program(), plan.circuit)


@pytest.fixture(scope="module")
def program3(plan3):
    """The plan's own program, which allows for the op-amp."""
    return plan3.program()


def test_error_between_and_beyond_the_thresholds(program3):
    x = program3.x + np.arange(7.0)
    assert error_at(0.0, x[None], program3) == pytest.approx(3.0)
    middle = 0.5 * (program3.x[3] + program3.x[4])
    assert error_at(middle, x[None], program3) == pytest.approx(3.5)
    assert error_at(100.0, x[None], program3) == pytest.approx(6.0)
    assert error_at(-100.0, x[None], program3) == pytest.approx(0.0)


def test_after_calibration_the_error_at_zero_is_that_of_the_cells_written(plan3, program3):
    batch = measure_batch(plan3, np.arange(16), conversions=False)
    x = to_input_units(batch.after.volts, program3, plan3.circuit)
    written = batch.conductance != batch.drawn.conductance
    assert np.all(np.flatnonzero(written.any(axis=0)) < len(program3.calibration_cells))
    before = np.abs(error_at(0.0, to_input_units(batch.before.volts, program3, plan3.circuit), program3))
    # Each write may end anywhere in the write-verify window; a little of the move for what finite gain makes of it.
    window = (written * program3.width * plan3.profile.program_window).sum(axis=1) / program3.unit_charge
    error = np.abs(error_at(0.0, x, program3))
    assert np.all(error <= window + 0.005 * program3.lsb[3] + 0.03 * before)
    # The trimming cell holds the errors of most chips alone.
    assert np.median(written.sum(axis=1)) == 1
    assert np.sqrt(np.mean(error**2)) < 0.5 * np.sqrt(np.mean(before**2))


@pytest.mark.parametrize("scheme", ["pulse", "differential", "split"])
def test_without_programming_error_calibration_is_exact(scheme):
    plan = RampPlan("tanh", 3, scheme=scheme)
    program = plan.program()
    chips = replace(
        Chips.nominal(program, 3), comparator_offset=np.array([-8e-3, 5e-3, 0.0]), opamp_offset=np.array([2e-3, -1e-3, 1e-3])
    )
    before = levels(plan, chips)
    targets = one_point_targets(plan, chips.conductance, before)
    after = levels(plan, replace(chips, conductance=np.where(np.isnan(targets), chips.conductance, targets)))
    assert np.abs(error_at(0.0, before, program)).max() > 0.01
    assert np.abs(error_at(0.0, after, program)).max() < REST * np.abs(error_at(0.0, before, program)).max()


@pytest.mark.parametrize("cell", [5, 6, 8, 0, 1, 3])
def test_a_column_with_a_cell_stuck_off_is_rescued(cell, plan3, program3, profile):
    """Cells 0-4 calibrate, 5-8 are passed before x = 0: whichever is stuck, the ramp meets x = 0 again."""
    chips = Chips.nominal(program3)
    chips.conductance[0, cell] = profile.g_hrs
    stuck = np.zeros(chips.conductance.shape, bool)
    stuck[0, cell] = True
    before = levels(plan3, chips)
    targets = one_point_targets(plan3, chips.conductance, before, stuck=stuck)
    assert np.isnan(targets[stuck]).all()
    after = levels(plan3, replace(chips, conductance=np.where(np.isnan(targets), chips.conductance, targets)))
    assert abs(error_at(0.0, before, program3)[0]) > 0.1 * program3.lsb[3]
    assert abs(error_at(0.0, after, program3)[0]) < REST * abs(error_at(0.0, before, program3)[0])


def test_monte_carlo_rescues_stuck_columns(profile):
    plan = RampPlan("sigmoid", 3, profile=replace(profile, stuck_off_rate=0.08), seed=3)
    program = plan.program()
    samples = np.arange(16)
    batch = measure_batch(plan, samples, conversions=False)
    one = stuck_cells(plan, samples).sum(axis=1) == 1
    assert one.sum() >= 3
    x = to_input_units(batch.after.volts[one], program, plan.circuit)
    window = (program.width[program.step == CALIBRATION]).sum() * profile.program_window / program.unit_charge
    assert np.abs(error_at(0.0, x, program)).max() < window


def test_targets_stay_within_the_device_range(plan3, program3, profile):
    g = np.tile(program3.conductance, (4, 1))
    x = program3.x + np.array([[100.0], [-100.0], [0.2], [-0.2]])
    targets = one_point_targets(plan3, g, x)
    written = targets[~np.isnan(targets)]
    assert written.min() >= profile.g_min
    assert written.max() <= profile.g_max
    assert np.isnan(targets[:, program3.step != CALIBRATION]).all()
    # Too much for all of them: every calibration cell at its end.
    assert not np.isnan(targets[:2, program3.calibration_cells]).any()


def test_a_small_error_is_left_to_the_trimming_cell(plan3, program3):
    targets = one_point_targets(plan3, program3.conductance[None], (program3.x + 0.01)[None])
    np.testing.assert_array_equal(np.flatnonzero(~np.isnan(targets[0])), program3.calibration_cells[:1])


def test_what_was_not_measured_and_what_is_exact_stay(plan3, program3):
    x = np.vstack([np.full(7, np.nan), program3.x])
    assert np.isnan(one_point_targets(plan3, np.tile(program3.conductance, (2, 1)), x)).all()
