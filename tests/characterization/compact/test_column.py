"""The composed column: zero errors are `characterization.figures.codes`, each error does what its equation says, ngspice agrees."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.stats import norm

from characterization.compact.benches.column import held_out_codes, held_out_tile
from characterization.compact.benches.comparator import characterize_comparator
from characterization.compact.benches.mac import characterize_mac
from characterization.compact.column import ColumnModel, decision_times
from characterization.compact.comparator import ComparatorModel
from characterization.compact.crossbar_model import CrossbarModel
from characterization.compact.delay import DelayLaw
from characterization.compact.integrator import IntegratorModel
from characterization.compact.mac import MacModel
from characterization.figures.inl_dnl import codes
from characterization.ramp_model.draw import RampDraw
from characterization.ramp_model.file import Fitted
from netlists.array.pwm import Pwm
from netlists.errors import InputError
from netlists.technology.parameters import RampCircuit

VPU = 0.05
LATE = DelayLaw(law="logarithmic", t0=Fitted.given(1e-9, "s"), tau=Fitted.given(2e-9, "s"), third=Fitted.given(30e-3, "V"))


def drawn(chips=3, columns=4, bits=3, seed=0, spread=0.1, noise=0.0):
    rng = np.random.default_rng(seed)
    ideal = RampDraw.ideal("sigmoid", bits).thresholds
    return RampDraw(
        "sigmoid",
        bits,
        ideal + spread * rng.standard_normal((chips, ideal.shape[1])),
        spread * rng.standard_normal((chips, columns)),
        np.array(noise),
    )


def ideal_parts():
    return {"comparator": ComparatorModel.ideal(), "integrator": IntegratorModel.ideal(), "mac": MacModel.ideal()}


@settings(max_examples=30)
@given(st.integers(0, 1000), st.integers(1, 6), st.floats(0, 2))
def test_zero_errors_are_the_codes_of_the_levels(seed, bits, spread):
    ramp = drawn(bits=bits, seed=seed, spread=spread)
    x = np.random.default_rng(seed).normal(0, 3, (3, 20, 4))
    expected = codes(x.transpose(0, 2, 1), ramp.thresholds[:, None, :] + ramp.column_offset[..., None]).transpose(0, 2, 1)
    np.testing.assert_array_equal(ColumnModel(ramp, VPU).apply(x), expected)
    assert np.array_equal(ColumnModel(ramp, 1.0, **ideal_parts(), time=1e-9, latch_time=1e-9, hold_time=1e-6).apply(x), expected)


def test_an_input_at_a_level_does_not_pass_it():
    ramp = RampDraw.ideal("sigmoid", 4)
    got = ColumnModel(ramp, VPU).apply(ramp.thresholds[0][:, None])
    np.testing.assert_array_equal(got[0, :, 0], np.arange(15))


def test_noisy_path_without_noise_is_the_quiet_path():
    ramp, x = drawn(), np.random.default_rng(1).normal(0, 3, (50, 4))
    quiet = ColumnModel(ramp, VPU).apply(x)
    tiny = ColumnModel(drawn(noise=1e-14), VPU).apply(x, np.random.default_rng(0))
    np.testing.assert_array_equal(quiet, tiny)


def test_an_offset_moves_the_levels_and_lateness_raises_the_code():
    ramp = RampDraw.ideal("sigmoid", 5)
    x = np.linspace(-3, 3, 2001)[:, None]
    comparator = ComparatorModel.ideal()
    up = ColumnModel(ramp, VPU, comparator, np.array([[VPU * 0.3]]))
    np.testing.assert_array_equal(up.apply(x), ColumnModel(ramp, VPU).apply(x - 0.3))
    late = comparator.model_copy(update={"delay": LATE})
    got = ColumnModel(ramp, VPU, late, time=5e-9)
    reach = float(LATE.reach(5e-9)) / VPU
    np.testing.assert_array_equal(got.apply(x), ColumnModel(ramp, VPU).apply(x + reach))
    raised = got.apply(x) - ColumnModel(ramp, VPU).apply(x)
    assert set(np.unique(raised)) == {0, 1}


def test_noise_gives_the_probability_of_each_code():
    ramp = RampDraw("sigmoid", 1, np.zeros((1, 1)), np.zeros((1, 1)), np.array(0.0))
    noisy = ColumnModel(ramp, VPU, ComparatorModel.given(noise=0.1 * VPU))
    x = np.repeat([[-0.1], [0.0], [0.05]], 20000, axis=0)
    fraction = noisy.apply(x, np.random.default_rng(0)).reshape(3, -1).mean(axis=1)
    np.testing.assert_allclose(fraction, norm.cdf([-1, 0, 0.5]), atol=0.012)


def test_metastable_decisions_are_tossed_within_the_window():
    latch = {"latch_t0": Fitted.given(0.0, "s"), "latch_tau": Fitted.given(25e-12, "s")}
    comparator = ComparatorModel.ideal().model_copy(update=latch)
    ramp = RampDraw("sigmoid", 1, np.zeros((1, 1)), np.zeros((1, 1)), np.array(0.0))
    window = float(comparator.window(100e-12)) / VPU
    column = ColumnModel(ramp, VPU, comparator, latch_time=100e-12)
    x = np.repeat([[-1.1 * window], [0.5 * window], [1.1 * window]], 4000, axis=0)
    fraction = column.apply(x, np.random.default_rng(0)).reshape(3, -1).mean(axis=1)
    assert fraction[0] == 0
    assert 0.46 < fraction[1] < 0.54
    assert fraction[2] == 1


def test_permuting_chips_permutes_the_codes():
    ramp, x = drawn(), np.random.default_rng(1).normal(0, 3, (3, 30, 4))
    order = np.array([2, 0, 1])
    shuffled = RampDraw("sigmoid", 3, ramp.thresholds[order], ramp.column_offset[order], ramp.noise_sigma)
    np.testing.assert_array_equal(ColumnModel(shuffled, VPU).apply(x[order]), ColumnModel(ramp, VPU).apply(x)[order])


def test_one_column_of_the_draw_stands_for_all():
    ramp, x = drawn(columns=1), np.random.default_rng(1).normal(0, 3, (30, 7))
    got = ColumnModel(ramp, VPU).apply(x)
    assert got.shape == (3, 30, 7)
    np.testing.assert_array_equal(got[:, :, 3:4], ColumnModel(ramp, VPU).apply(x[:, 3:4]))


def test_same_generator_same_codes():
    column, x = ColumnModel(drawn(noise=0.2), VPU), np.random.default_rng(1).normal(0, 3, (100, 4))
    a, b, c = (column.apply(x, np.random.default_rng(s)) for s in (5, 5, 6))
    np.testing.assert_array_equal(a, b)
    assert np.any(a != c)
    np.testing.assert_allclose(column.values(a), column.ramp.values[a])


def test_inputs_through_a_perfect_array_are_the_trained_sums(profile):
    weights = np.random.default_rng(0).uniform(-1, 1, (5, 4))
    model, pwm = CrossbarModel.ideal(profile), Pwm()
    ramp = drawn(chips=2)
    chips = model.program(weights, np.random.default_rng(0), n_chips=2)
    column = ColumnModel(ramp, VPU, crossbar=model, **ideal_parts())
    c = np.random.default_rng(1).integers(-15, 16, (40, 5))
    expected = ColumnModel(ramp, VPU).apply(c / pwm.max_code @ weights)
    assert np.mean(column.convert(c, chips, pwm) == expected) > 0.999


def test_late_pulses_leave_less_time(program3):
    comparator = ComparatorModel.ideal().model_copy(update={"delay": LATE})
    slow, fast = (decision_times(comparator, program3, RampCircuit(t_settle=t)) for t in (16e-9, 8e-9))
    assert slow.shape == program3.x.shape
    np.testing.assert_allclose(slow - fast, 8e-9)
    full = np.argmax(program3.width[program3.step == 1])
    assert slow[full] >= 15.8e-9
    np.testing.assert_array_equal(decision_times(ComparatorModel.ideal(), program3, RampCircuit(), settling=1.0), 0.0)


def test_codes_of_ngspice():
    comparator = ComparatorModel.fit(characterize_comparator("macro", np.random.default_rng(1), chips=30), np.random.default_rng(2))
    figures = held_out_codes(comparator, np.random.default_rng(5), bits=3, chips=2, inputs=24)
    assert figures["codes_equal"] >= 0.97
    assert figures["codes_within_1"] == 1


@pytest.mark.slow
def test_codes_of_a_tile_in_ngspice():
    comparator = ComparatorModel.fit(characterize_comparator("macro", np.random.default_rng(1), chips=30), np.random.default_rng(2))
    mac = MacModel.fit(characterize_mac("macro", np.random.default_rng(1), chips=30), np.random.default_rng(2))
    figures = held_out_tile(mac, comparator, np.random.default_rng(7), vectors=8)
    assert figures["codes_equal"] >= 0.96
    assert figures["codes_equal"] > figures["ideal_codes_equal"]


def test_refusals(profile):
    ramp, noisy = drawn(), drawn(noise=0.1)
    given = ComparatorModel.given(noise=1e-3)
    model = CrossbarModel.ideal(profile)
    chips = model.program(np.ones((2, 4)), np.random.default_rng(0))
    for call, message in [
        (lambda: ColumnModel(ramp, VPU, time=-1.0), "time"),
        (lambda: ColumnModel(ramp, VPU, comparator_offset=np.zeros((3, 4))), "without a comparator"),
        (lambda: ColumnModel(ramp, VPU, given, np.zeros((2, 4))), r"comparator_offset: has shape \(2, 4\)"),
        (lambda: ColumnModel(ramp, VPU, ComparatorModel.given(offset_sigma=1e-3)), "offsets already"),
        (lambda: ColumnModel(noisy, VPU, given), "noise already"),
        (lambda: ColumnModel(noisy, VPU).apply(np.zeros((2, 4))), "rng=None"),
        (lambda: ColumnModel(ramp, VPU).apply(np.zeros(4)), "x: has shape"),
        (lambda: ColumnModel(ramp, VPU).apply(np.full((2, 4), np.inf)), r"x\[0, 0\]=inf"),
        (lambda: ColumnModel(ramp, VPU).apply(np.zeros((2, 3))), "3 columns"),
        (lambda: ColumnModel(ramp, VPU).convert(np.zeros((2, 2)), chips, Pwm()), "crossbar: is not given"),
        (lambda: ColumnModel(ramp, VPU, crossbar=model).convert(np.zeros((2, 2)), chips, Pwm()), "1 arrays"),
    ]:
        with pytest.raises(InputError, match=message):
            call()
