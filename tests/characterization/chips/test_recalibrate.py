"""Calibration procedures on drawn chips; the closed form stands for the converter where ngspice would only cost time."""

from dataclasses import replace

import numpy as np
import pytest

from characterization.chips.batch import measure_batch
from characterization.chips.calibration import error_at, trim_targets, two_point_targets
from characterization.chips.recalibrate import SEARCH_STEPS, recalibrate
from characterization.chips.sampling import draw
from characterization.plan.plan import RampPlan, Variation
from netlists.errors import InputError
from netlists.ramp.closed_form import to_input_units, transition_levels
from netlists.ramp.compiler import CALIBRATION

SAMPLES = np.arange(64)


def closed_form(plan, program, drawn):
    return lambda g: to_input_units(transition_levels(program, plan.circuit, drawn.chips(g)), program, plan.circuit)


def calibrated(plan, samples=SAMPLES):
    """Levels before and after, drawn chips and what the calibration did."""
    program = plan.program()
    drawn = draw(plan, samples)
    levels = closed_form(plan, program, drawn)
    before = levels(drawn.conductance)
    done = recalibrate(plan, drawn, before, levels)
    return before, levels(done.conductance), drawn, done


def max_inl(x, program):
    return np.abs((x - program.x) / program.lsb).max(axis=1)


@pytest.fixture(scope="module")
def plan():
    return RampPlan("sigmoid", 5, seed=3)


def test_none_leaves_the_chips_as_they_are(plan):
    before, after, drawn, done = calibrated(replace(plan, calibration="none"))
    np.testing.assert_array_equal(before, after)
    np.testing.assert_array_equal(done.conductance, drawn.conductance)
    assert done.writes.sum() == done.measurements == 0


def test_binary_search_needs_decisions_only_and_ends_where_one_point_does(plan):
    program = plan.program()
    errors = {}
    for name in ("one-point", "binary-search"):
        before, after, _, done = calibrated(replace(plan, calibration=name))
        errors[name] = error_at(0.0, after, program) / program.lsb[15]
    assert done.measurements == SEARCH_STEPS + 1
    assert np.sqrt(np.mean(errors["binary-search"] ** 2)) < 1.5 * np.sqrt(np.mean(errors["one-point"] ** 2))
    assert np.std(error_at(0.0, before, program)) > 5 * np.std(errors["binary-search"] * program.lsb[15])


def test_binary_search_asks_the_converter_for_no_more_than_a_sign(plan):
    """Levels that only show on which side of the point they are lead to the same writes."""
    plan = replace(plan, calibration="binary-search")
    program = plan.program()
    drawn = draw(plan, SAMPLES)
    levels = closed_form(plan, program, drawn)

    def side_only(g):
        return program.x + np.sign(error_at(0.0, levels(g), program))[:, None]

    a = recalibrate(plan, drawn, levels(drawn.conductance), levels)
    b = recalibrate(plan, drawn, side_only(drawn.conductance), side_only)
    np.testing.assert_array_equal(a.conductance, b.conductance)


def test_without_write_errors_binary_search_is_as_fine_as_its_steps(plan):
    exact = replace(plan, calibration="binary-search", profile=plan.profile.without_variation())
    program = exact.program()
    _, after, drawn, _ = calibrated(exact)
    reach = program.width[program.calibration_cells[0]] * (exact.profile.g_max - exact.profile.g_min) / program.unit_charge
    near = np.abs(drawn.comparator_offset + drawn.opamp_offset) < 5e-3
    assert near.sum() > 20
    assert np.abs(error_at(0.0, after, program))[near].max() < 2 * reach / 2**SEARCH_STEPS


def test_two_points_take_out_a_gain_error():
    variation = replace(Variation.none(), conductance_gain=0.05)
    plan = RampPlan("tanh", 4, seed=1, variation=variation)
    plan = replace(plan, profile=plan.profile.without_variation())
    program = plan.program()
    spans = {}
    for name in ("one-point", "two-point"):
        before, after, *_ = calibrated(replace(plan, calibration=name), np.arange(16))
        spans[name] = np.abs((after[:, -1] - after[:, 0]) / (program.x[-1] - program.x[0]) - 1)
    assert spans["one-point"].max() > 0.03
    # What would need more than g_max stays: gain can only be taken back there.
    drawn_low = (before[:, -1] - before[:, 0]) > (program.x[-1] - program.x[0])
    assert drawn_low.any()
    assert spans["two-point"][drawn_low].max() < 0.005


def test_trimming_writes_the_worst_steps_and_helps(plan):
    program = plan.program()
    inl = {}
    for name in ("one-point", "trim"):
        _, after, drawn, done = calibrated(replace(plan, calibration=name))
        inl[name] = max_inl(after, program)
    changed = (done.conductance != drawn.conductance) & (program.step != CALIBRATION)
    assert 1 <= np.median(changed.sum(axis=1)) <= 8
    assert np.median(inl["trim"]) < 0.85 * np.median(inl["one-point"])


def test_trimming_halves_what_a_stuck_cell_does(plan):
    """One ramp cell stuck off: its step is lost; the steps beside it take half each, and pass on what they have no room for."""
    perfect = plan.profile.without_variation()
    plan = replace(plan, profile=perfect, variation=Variation.none(), calibration="trim")
    program = plan.program()
    drawn = draw(plan, np.arange(1))
    cell = int(np.flatnonzero(program.step == 12)[0])
    drawn.conductance[0, cell], drawn.stuck[0, cell] = perfect.g_hrs, True
    levels = closed_form(plan, program, drawn)
    before = levels(drawn.conductance)
    after = levels(recalibrate(plan, drawn, before, levels).conductance)
    one_point = before - error_at(0.0, before, program)[:, None]
    lost = np.abs((one_point - program.x) / program.lsb).max()
    left = np.abs((after - program.x) / program.lsb)[0]
    assert lost > 0.5
    assert left.max() < 0.65 * lost
    assert (left > 0.1 * lost).sum() <= 4


def test_chips_that_were_not_measured_stay(plan):
    program = plan.program()
    for name in ("one-point", "two-point", "trim", "binary-search"):
        p = replace(plan, calibration=name)
        drawn = draw(p, np.arange(4))
        levels = closed_form(p, program, drawn)

        def lost(g, levels=levels):
            x = levels(g)
            x[2] = np.nan
            return x

        done = recalibrate(p, drawn, lost(drawn.conductance), lost)
        assert done.measured.tolist() == [True, True, False, True]
        np.testing.assert_array_equal(done.conductance[2], drawn.conductance[2])
        assert np.any(done.conductance[1] != drawn.conductance[1])


def test_a_chip_does_not_depend_on_the_batch(plan):
    for name in ("two-point", "trim", "binary-search"):
        p = replace(plan, calibration=name)
        whole, part = (calibrated(p, s)[3].conductance for s in (np.arange(6), np.array([4])))
        np.testing.assert_array_equal(whole[4], part[0])


def test_targets_stay_within_the_device(plan):
    program, profile = plan.program(), plan.profile
    rng = np.random.default_rng(0)
    g = np.tile(program.conductance, (8, 1))
    x = program.x * 1.3 + 0.5 * rng.standard_normal((8, 31))
    for targets in (two_point_targets(plan, g, x), trim_targets(plan, g, x, cells=31)):
        written = targets[~np.isnan(targets)]
        assert len(written) > 0
        assert written.min() >= min(profile.g_min, program.conductance.min())
        assert written.max() <= profile.g_max
        assert np.isnan(targets[:, program.step == CALIBRATION]).all()


def test_one_level_has_no_span_and_no_steps():
    plan = RampPlan("sigmoid", 1)
    program = plan.program()
    g = program.conductance[None]
    assert np.isnan(two_point_targets(plan, g, program.x[None] + 0.1)).all()
    assert np.isnan(trim_targets(plan, g, program.x[None] + 0.1)).all()


@pytest.mark.parametrize("name", ["two-point", "trim", "binary-search"])
def test_procedures_run_in_ngspice(name):
    plan = RampPlan("sigmoid", 3, seed=5, calibration=name)
    program = plan.program()
    batch = measure_batch(plan, np.arange(4), conversions=False)
    assert batch.after.status == ["ok"] * 4
    before, after = (to_input_units(m.volts, program, plan.circuit) for m in (batch.before, batch.after))
    assert np.abs(error_at(0.0, after, program)).max() < np.abs(error_at(0.0, before, program)).max()
    assert np.all(batch.writes > 0)


def test_an_unknown_procedure():
    with pytest.raises(InputError, match="calibration='magic': unknown; allowed are none, one-point"):
        RampPlan("sigmoid", 3, calibration="magic")
