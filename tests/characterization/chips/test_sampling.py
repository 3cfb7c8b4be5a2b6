from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from characterization.chips.sampling import draw, draw_population, nominal_chips, reprogram, stuck_cells
from characterization.plan.plan import RampPlan, Sampling, Variation
from characterization.plan.shapes import Shape
from characterization.streams import SampleSource, sample_stream
from netlists.errors import InputError
from netlists.ramp.compiler import CALIBRATION
from netlists.technology.parameters import MEASURED_STATISTICS

ARRAYS = (
    "conductance",
    "stuck",
    "opamp_offset",
    "comparator_offset",
    "column_offset",
    "read_noise",
    "comparator_noise",
    "conductance_gain",
)

EVERYTHING = Variation(
    conductance_gain=0.01,
    programming_length=3.0,
    comparator_offset_shape=Shape("student-t", dof=5.0),
    correlations=(("opamp_offset", "comparator_offset", 0.6), ("conductance_gain", "opamp_offset", -0.4)),
)


@pytest.fixture(scope="module")
def program3(plan3):
    """The plan's own program, which allows for the op-amp."""
    return plan3.program()


def test_a_sample_depends_on_seed_and_number_alone(plan3, program3):
    many = draw(plan3, np.arange(20))
    few = draw(plan3, np.array([13, 4]))
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(few, name), getattr(many, name)[[13, 4]])
    other = draw(replace(plan3, seed=8), np.arange(20))
    assert not np.any(other.conductance == many.conductance)


def test_taking_a_source_out_changes_no_other(plan3, program3):
    full = draw(plan3, np.arange(5))
    quiet = draw(replace(plan3, variation=Variation(opamp_offset=0.0)), np.arange(5))
    assert not quiet.opamp_offset.any()
    for name in set(ARRAYS) - {"opamp_offset"}:
        np.testing.assert_array_equal(getattr(quiet, name), getattr(full, name))


def test_statistics_of_what_is_drawn(plan3, program3):
    d = draw(plan3, np.arange(2000))
    for name, sigma in (
        ("opamp_offset", MEASURED_STATISTICS["opamp_offset_sigma"]),
        ("comparator_offset", MEASURED_STATISTICS["comparator_offset_sigma"]),
        ("column_offset", MEASURED_STATISTICS["comparator_offset_sigma"]),
        ("comparator_noise", plan3.variation.decision_noise),
    ):
        a = getattr(d, name)
        assert a.std() == pytest.approx(sigma, rel=4 / np.sqrt(2 * a.size))
        assert abs(a.mean()) < 4 * sigma / np.sqrt(a.size)
    assert abs(np.corrcoef(d.comparator_offset, d.column_offset)[0, 1]) < 4 / np.sqrt(2000)
    assert np.abs(d.conductance - program3.conductance).max() <= plan3.profile.program_window


def test_a_noisy_conversion_has_read_noise_and_the_other_columns_offset(plan3, program3):
    d = draw(plan3, np.arange(2000))
    chips = d.conversions(d.conductance, plan3.profile)
    np.testing.assert_array_equal(chips.comparator_offset, d.column_offset)
    np.testing.assert_array_equal(chips.comparator_noise, d.comparator_noise)
    sigma = (chips.conductance - d.conductance).std(axis=0)
    np.testing.assert_allclose(sigma, plan3.profile.read_sigma_at(program3.conductance), rtol=0.1)


def test_reprogramming_touches_only_what_is_written(plan3, program3):
    d = draw(plan3, np.arange(3))
    targets = np.full(d.conductance.shape, np.nan)
    targets[1, 2] = 300e-6
    out = reprogram(plan3, d, targets)
    changed = np.argwhere(out != d.conductance)
    np.testing.assert_array_equal(changed, [[1, 2]])
    start = np.full(d.conductance.shape, 200e-6)
    again = reprogram(plan3, d, targets, start)
    np.testing.assert_array_equal(np.argwhere(again != start), [[1, 2]])
    assert again[1, 2] == out[1, 2]
    assert abs(out[1, 2] - 300e-6) <= plan3.profile.program_window
    np.testing.assert_array_equal(reprogram(plan3, draw(plan3, np.array([1])), targets[[1]])[0], out[1])


def test_stuck_cells_do_not_move(plan3, program3):
    plan = replace(plan3, profile=replace(plan3.profile, stuck_off_rate=0.3))
    d = draw(plan, np.arange(50))
    stuck = stuck_cells(plan, d.samples)
    np.testing.assert_array_equal(d.conductance[stuck], plan.profile.g_hrs)
    assert stuck.mean() == pytest.approx(0.3, abs=0.08)
    targets = np.full(d.conductance.shape, np.nan)
    targets[:, program3.calibration_cells] = 350e-6
    out = reprogram(plan, d, targets)
    np.testing.assert_array_equal(out[stuck], plan.profile.g_hrs)
    moved = out[:, program3.calibration_cells][~stuck[:, program3.calibration_cells]]
    assert np.abs(moved - 350e-6).max() <= plan.profile.program_window


def test_a_plan_without_variation_draws_nominal_chips(quiet3):
    program = quiet3.program()
    d = draw(quiet3, np.arange(2))
    np.testing.assert_array_equal(d.conductance, np.tile(program.conductance, (2, 1)))
    assert not d.opamp_offset.any()
    assert not d.comparator_offset.any()


def test_numpy_numbers_are_the_same_samples(program3):
    plan = RampPlan("sigmoid", 3, seed=7)
    np.testing.assert_array_equal(draw(plan, [2]).conductance, draw(plan, np.array([2], np.int32)).conductance)


@pytest.mark.parametrize("stuck", [0.0, 0.1])
def test_numbers_are_those_of_one_stream_after_the_other(plan3, program3, stuck):
    """What a sample is by definition, source by source: drawing many at once changes no bit."""
    profile = replace(plan3.profile, stuck_off_rate=stuck, stuck_on_rate=stuck / 2)
    plan = replace(plan3, profile=profile)
    d = draw(plan, np.arange(12))
    targets = np.full(d.conductance.shape, np.nan)
    targets[::2, program3.calibration_cells[:2]] = 310e-6
    rewritten = reprogram(plan, d, targets)
    cal = program3.step == CALIBRATION
    for i in range(12):
        streams = {source: sample_stream(7, i, source) for source in SampleSource}
        g = profile.stuck(
            profile.programmed(program3.conductance, streams[SampleSource.PROGRAMMING]),
            streams[SampleSource.STUCK],
        )
        np.testing.assert_array_equal(d.conductance[i], g)
        v = plan.variation
        assert d.opamp_offset[i] == v.opamp_offset * streams[SampleSource.OPAMP_OFFSET].standard_normal()
        assert d.comparator_offset[i] == v.comparator_offset * streams[SampleSource.COMPARATOR_OFFSET].standard_normal()
        assert d.column_offset[i] == v.comparator_offset * streams[SampleSource.COLUMN_OFFSET].standard_normal()
        np.testing.assert_array_equal(d.read_noise[i], streams[SampleSource.READ_NOISE].standard_normal(program3.n_cells))
        noise = streams[SampleSource.COMPARATOR_NOISE].standard_normal(program3.n_steps)
        opamps = streams[SampleSource.OPAMP_NOISE].standard_normal(program3.n_steps)
        np.testing.assert_array_equal(d.comparator_noise[i], v.comparator_noise * noise + np.sqrt(2) * v.opamp_noise * opamps)
        wanted = np.where(np.isnan(targets[i]), program3.conductance, targets[i])[cal]
        written = profile.programmed(wanted, streams[SampleSource.REPROGRAMMING])
        use = ~np.isnan(targets[i][cal]) & ~d.stuck[i][cal]
        np.testing.assert_array_equal(rewritten[i][cal], np.where(use, written, g[cal]))


@pytest.mark.parametrize("method", ["random", "sobol", "latin-hypercube"])
def test_a_sample_is_the_same_whatever_the_batch(plan3, program3, method):
    sampling = Sampling(method, 40 if method == "latin-hypercube" else None)
    plan = replace(plan3, variation=EVERYTHING, sampling=sampling, profile=replace(plan3.profile, stuck_off_rate=0.1))
    many = draw(plan, np.arange(40))
    for batch in ([13, 4], [39], np.arange(16, 32)):
        few = draw(plan, np.array(batch))
        for name in ARRAYS:
            np.testing.assert_array_equal(getattr(few, name), getattr(many, name)[batch])
    np.testing.assert_array_equal(stuck_cells(plan, np.arange(40)), many.stuck)
    assert len(draw(plan, np.array([], int)).conductance) == 0


def test_correlations_are_recovered(plan3, program3):
    plan = replace(plan3, variation=EVERYTHING)
    d = draw_population(plan, 40_000, np.random.default_rng(1))
    normal = [stats.rankdata(x) for x in (d.opamp_offset, d.conductance_gain, d.comparator_offset, d.column_offset)]
    # Spearman's rho of two normals with correlation r, which no monotonic shape changes.
    expected = 6 / np.pi * np.arcsin(np.array([[-0.4, 0.6, 0.6], [0.0, -0.4, -0.4]]) / 2)
    found = np.corrcoef(normal)
    np.testing.assert_allclose(found[0, 1:], expected[0], atol=0.02)
    assert found[1, 2] == pytest.approx(0.0, abs=0.02)
    assert found[1, 3] == pytest.approx(0.0, abs=0.02)
    # Two columns share what they share with the chip: r = b' R^-1 b with b = (0.6, 0), R = [[1, -0.4], [-0.4, 1]].
    shared = 0.6**2 / (1 - 0.4**2)
    assert found[2, 3] == pytest.approx(6 / np.pi * np.arcsin(shared / 2), abs=0.02)


@pytest.mark.parametrize("method", ["random", "sobol"])
def test_numbered_samples_have_the_same_distribution(plan3, program3, method):
    plan = replace(plan3, variation=EVERYTHING, sampling=Sampling(method))
    d = draw(plan, np.arange(1024))
    v = plan.variation
    assert stats.kstest(d.opamp_offset / v.opamp_offset, "norm").pvalue > 0.01
    student = stats.t(5.0, scale=np.sqrt(3 / 5))
    assert stats.kstest(d.column_offset / v.comparator_offset, student.cdf).pvalue > 0.01
    assert stats.kstest(d.conductance_gain / v.conductance_gain, "norm").pvalue > 0.01
    cell = np.full(200_000, program3.conductance[4])
    many = plan.profile.programming_error(cell, np.random.default_rng(0))
    assert stats.ks_2samp((d.conductance - program3.conductance)[:, 4], many).pvalue > 0.01
    assert np.corrcoef(d.opamp_offset, d.comparator_offset)[0, 1] == pytest.approx(0.6, abs=0.1)


def test_neighbouring_cells_are_correlated_over_the_length(plan3, program3):
    plan = replace(
        plan3, variation=Variation(programming_length=3.0), profile=replace(plan3.profile, program_law=(), program_window=1.0)
    )
    d = draw_population(plan, 20_000, np.random.default_rng(2))
    found = np.corrcoef(d.conductance.T)
    distance = np.abs(np.subtract.outer(np.arange(program3.n_cells), np.arange(program3.n_cells)))
    np.testing.assert_allclose(found, np.exp(-distance / 3.0), atol=0.04)
    spread = (d.conductance - program3.conductance).std(axis=0)
    np.testing.assert_allclose(spread, plan.profile.program_sigma_at(program3.conductance), rtol=0.03)


@pytest.mark.parametrize("method", ["sobol", "latin-hypercube"])
def test_evenly_spread_chips_give_means_with_less_error(plan3, program3, method):
    def error(plan):
        d = draw(plan, np.arange(128))
        expected = program3.conductance + plan.profile.program_mean_at(program3.conductance)
        return np.abs((d.conductance - expected).mean()), abs(d.opamp_offset.mean())

    def rms(sampling):
        return np.sqrt(np.mean([np.square(error(replace(plan3, seed=s, sampling=sampling))) for s in range(12)], axis=0))

    assert np.all(rms(Sampling(method, 128 if method == "latin-hypercube" else None)) < 0.35 * rms(Sampling()))


def test_the_wire_is_in_series_with_every_cell(plan3, program3):
    plan = replace(plan3, wire_resistance=2.5)
    d, plain = draw(plan, np.arange(5)), draw(plan3, np.arange(5))
    np.testing.assert_array_equal(d.conductance, plain.conductance)
    m = np.arange(1, program3.n_cells + 1)
    np.testing.assert_allclose(d.chips().conductance, 1 / (1 / plain.conductance + 2.5 * m), rtol=1e-12)
    np.testing.assert_array_equal(plain.chips().conductance, plain.conductance)
    np.testing.assert_allclose(
        d.conversions(d.conductance, plan.profile).conductance,
        1 / (1 / plain.conversions(plain.conductance, plan.profile).conductance + 2.5 * m),
        rtol=1e-12,
    )
    np.testing.assert_allclose(nominal_chips(plan).conductance[0], 1 / (1 / program3.conductance + 2.5 * m), rtol=1e-12)
    np.testing.assert_array_equal(nominal_chips(plan3, 2).conductance, np.tile(program3.conductance, (2, 1)))


def test_a_gain_error_is_common_to_a_chip_and_stays_when_cells_are_written_again(plan3, program3):
    plan = replace(plan3, variation=Variation(conductance_gain=0.02))
    d = draw(plan, np.arange(2000))
    assert d.conductance_gain.std() == pytest.approx(0.02, rel=0.1)
    ratio = d.chips().conductance / d.conductance
    np.testing.assert_allclose(ratio, np.broadcast_to(1 + d.conductance_gain[:, None], ratio.shape), rtol=1e-12)
    wild = replace(plan3, variation=Variation(conductance_gain=0.8))
    with pytest.raises(InputError, match=r"variation conductance_gain=0\.8: drew .* leaves no conductance"):
        draw(wild, np.arange(200))


def test_samples_beyond_a_hypercube_are_refused(plan3, program3):
    plan = replace(plan3, sampling=Sampling("latin-hypercube", 20))
    with pytest.raises(InputError, match="sample 31: the plan's latin-hypercube ends at sample 19"):
        draw(plan, np.arange(16, 32))


def test_a_population_is_written_again_by_its_own_generator(plan3, program3):
    d = draw_population(plan3, 500, np.random.default_rng(0))
    targets = np.full(d.conductance.shape, np.nan)
    targets[:, 1] = 300e-6
    out = reprogram(plan3, d, targets, rng=np.random.default_rng(1))
    assert np.ptp(out[:, 1]) > 0
    assert np.abs(out[:, 1] - 300e-6).max() <= plan3.profile.program_window
    np.testing.assert_array_equal(np.delete(out, 1, axis=1), np.delete(d.conductance, 1, axis=1))
