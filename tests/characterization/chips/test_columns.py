"""Columns of a chip: their levels against ngspice, and what a trimming cell a column leaves of their offsets."""

from dataclasses import replace

import numpy as np
import pytest

from characterization.chips.batch import measure_batch
from characterization.chips.closed_form import population, same_chips
from characterization.chips.columns import COLUMN_SCOPES, column_shifts, scope_shifts, trimmed, trimming_pairs
from characterization.chips.sampling import draw, draw_population
from characterization.chips.transitions import measure
from characterization.estimates.statistics import max_inl, of_columns
from characterization.plan.plan import RampPlan, Sampling
from characterization.run.montecarlo import simulate_run
from netlists.errors import InputError
from netlists.ramp import Chips, to_input_units
from netlists.technology import DeviceProfile

PLAN = RampPlan("sigmoid", 5, seed=3)


def uniform(shape, seed=0):
    return np.random.default_rng(seed).uniform(size=(*shape, 5))


def test_columns_against_ngspice(plan3):
    """A column's comparator on the calibrated ramp, simulated, has the levels that the shift says."""
    done = measure_batch(plan3, np.array([4]), conversions=False)
    shifts = column_shifts(plan3, done.drawn)[0, :6]
    scale = plan3.program().volts_per_unit(plan3.circuit)
    offset = done.drawn.comparator_offset + shifts * scale
    chips = Chips(np.repeat(done.conductance, 6, axis=0), np.repeat(done.drawn.opamp_offset, 6), offset)
    found = to_input_units(measure(plan3.converter, chips).volts, plan3.program(), plan3.circuit)
    expected = to_input_units(done.after.volts, plan3.program(), plan3.circuit) + shifts[:, None]
    assert np.abs((found - expected) / plan3.program().lsb).max() < 1e-3
    assert np.ptp(shifts * scale) > plan3.variation.comparator_offset


def test_a_chip_has_the_same_columns_in_every_company(plan3):
    """Of a sample's columns the first is the one that converts; more columns, or other samples beside it, change none."""
    drawn = draw(plan3, np.arange(4))
    found = column_shifts(plan3, drawn)
    first = (drawn.column_offset - drawn.comparator_offset) / plan3.program().volts_per_unit(plan3.circuit)
    np.testing.assert_array_equal(found[:, 0], first)
    trim = replace(plan3, calibration="per-column")
    for plan in (plan3, trim):
        few = column_shifts(replace(plan, columns=5), draw(plan, np.array([2, 9])))
        np.testing.assert_array_equal(few[0], column_shifts(plan, drawn)[2, :5])
    np.testing.assert_array_equal(column_shifts(trim, drawn, calibrated=False), found)


@pytest.mark.parametrize("sampling", [Sampling(), Sampling("sobol")])
def test_correlated_columns(plan3, sampling):
    """Comparators that share a part with the op-amp differ by less; drawn chips and a population alike."""
    rho = 0.8
    variation = replace(plan3.variation, correlations=(("opamp_offset", "comparator_offset", rho),))
    plan = replace(plan3, variation=variation, columns=16, sampling=sampling)
    volts = plan.program().volts_per_unit(plan.circuit)
    expected = plan.variation.comparator_offset * np.sqrt(2 * (1 - rho**2))
    shifts = [column_shifts(plan, draw(plan, np.arange(256))) * volts]
    shifts.append(column_shifts(plan, draw_population(plan, 256, np.random.default_rng(1)), rng=np.random.default_rng(2)) * volts)
    for found in shifts:
        # 256 independent comparators calibrate: 4 sigma of the estimate.
        assert found.std() == pytest.approx(expected, rel=4 / np.sqrt(2 * 256))


@pytest.fixture
def profile():
    """The same error at every state, none on average."""
    return DeviceProfile("plain", 100e-6, 400e-6, 27e-6, program_sigma=2.73e-6, program_window=5e-6, read_sigma=0.0)


def test_what_trimming_cells_leave(profile):
    """The write's error times reach over range, whatever the shift; a shift beyond the reach keeps the rest."""
    # The same error at every target, without a mean.
    profile = replace(profile, program_law=())
    g = profile.g_max - profile.g_min
    wanted = np.tile(np.linspace(-0.8, 0.8, 9), (2000, 1))
    left, pair = trimming_pairs(profile, wanted, 1.0, uniform(wanted.shape))
    np.testing.assert_allclose(wanted - left, (pair[..., 0] - pair[..., 1]) / (profile.g_max - profile.g_min), atol=1e-12)
    targets = np.full(100_000, 200e-6)
    sigma = (profile.programmed(targets, np.random.default_rng(5)) - targets).std() / g
    middle = np.abs(wanted[0]) > 0.1
    np.testing.assert_allclose(left[:, middle].std(axis=0), sigma, rtol=0.08)
    assert np.abs(left.mean()) < 4 * sigma / np.sqrt(left.size)
    perfect = profile.without_variation()
    np.testing.assert_allclose(trimmed(perfect, wanted, 1.0, uniform(wanted.shape)), 0, atol=1e-12)
    beyond = np.array([[1.5, -1.25]])
    np.testing.assert_allclose(trimmed(perfect, beyond, 1.0, uniform(beyond.shape)), [[0.5, -0.25]], atol=1e-12)


def test_a_stuck_trimming_cell_does_not_move(profile):
    dead = replace(profile.without_variation(), stuck_on_rate=1.0)
    wanted = np.array([[0.3, -0.2]])
    np.testing.assert_array_equal(trimmed(dead, wanted, 1.0, uniform(wanted.shape)), wanted)


def test_a_small_shift_is_left_alone(profile):
    """Writing again would add more error than it takes."""
    perfect = replace(profile, program_sigma=0.0, program_window=0.0, program_law=())
    wanted = np.array([[0.004]])
    coarse = trimmed(replace(perfect, program_sigma=2e-6, program_window=1e-15), wanted, 1.0, uniform(wanted.shape))
    np.testing.assert_allclose(coarse, wanted, atol=1e-6)
    np.testing.assert_allclose(trimmed(perfect, wanted, 1.0, uniform(wanted.shape)), 0, atol=1e-12)


@pytest.mark.parametrize("calibrated", [False, True])
def test_two_columns_decide_for_all(plan3, calibrated):
    """The lowest and the highest have the largest |INL| of all columns, taken one by one."""
    drawn, x = draw(plan3, np.arange(16)), same_chips(plan3, np.arange(16)).levels(calibrated=calibrated)
    shifts = column_shifts(plan3, drawn, calibrated=calibrated)
    every = np.max([max_inl(x + s[:, None], plan3.program()) for s in shifts.T], axis=0)
    ends = scope_shifts(plan3, drawn, "all", calibrated=calibrated)
    found = of_columns(max_inl, 2)(np.concatenate([x, ends], axis=1), plan3.program())
    np.testing.assert_array_equal(found, every)


def test_a_chip_is_good_with_a_trim_a_column():
    """5-bit sigmoid, 96 columns: within 0.5 LSB in hardly any chip, and in nine of ten with trimming cells."""
    good = {}
    for calibration in ("one-point", "per-column"):
        plan = replace(PLAN, calibration=calibration)
        for columns in COLUMN_SCOPES:
            chips = population(plan, 2000, columns)
            x = np.concatenate([chips.after, chips.shifts], axis=1)
            worst = of_columns(max_inl, chips.shifts.shape[1])(x, plan.program())
            good[calibration, columns] = np.mean(worst <= 0.5)
    assert good["one-point", "calibrating"] > 0.99
    assert 0.6 < good["one-point", "any"] < 0.9
    assert good["one-point", "all"] < 0.01
    assert good["per-column", "all"] > 0.9


def test_figures_of_a_run_say_whose_they_are(plan3):
    run = simulate_run(replace(plan3, calibration="per-column"), 8, progress=False)
    tables = {c: run.figures(c).query("calibrated") for c in COLUMN_SCOPES}
    assert {c: set(t["columns"]) for c, t in tables.items()} == {c: {c} for c in COLUMN_SCOPES}
    inl = {c: t["max_inl_in"].to_numpy() for c, t in tables.items()}
    assert np.all(inl["calibrating"] < inl["all"])
    assert np.all(inl["any"] <= inl["all"])
    one_point = simulate_run(plan3, 8, progress=False)
    np.testing.assert_array_equal(one_point.figures().query("calibrated")["max_inl_in"], inl["calibrating"])
    assert np.all(one_point.figures("all").query("calibrated")["max_inl_in"] > 2 * inl["all"])


def test_unknown_columns(plan3):
    with pytest.raises(InputError, match="columns='each': unknown; allowed are calibrating, any, all"):
        scope_shifts(plan3, draw(plan3, np.arange(2)), "each")
