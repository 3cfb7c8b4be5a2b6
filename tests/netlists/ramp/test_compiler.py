import json
import math
import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, reject, settings, strategies as st

from netlists.errors import InputError
from netlists.function.activations import ACTIVATIONS, Activation, get_activation
from netlists.function.output_levels import InputDistribution, Quantizer
from netlists.function.table import cubic_spline, from_callable, polynomial
from netlists.ramp.chips import Chips
from netlists.ramp.closed_form import ramp_levels
from netlists.ramp.compensation import compensate
from netlists.ramp.compiler import CALIBRATION, SCHEMES, program_ramp, step_error_lsb
from netlists.technology.parameters import RampCircuit
from netlists.technology.profile import DeviceProfile, load_profile


def levels_by_charge(program):
    """Level before the first ramp step and after each step, by adding up the cells' charges one by one."""
    out = []
    for k in range(program.n_steps + 1):
        charge = 0.0
        for m in range(program.n_cells):
            if program.step[m] == CALIBRATION or program.step[m] <= k:
                charge += program.polarity[m] * program.conductance[m] * program.width[m]
        out.append(charge / program.unit_charge)
    return np.array(out)


def check_program(program, profile):
    levels = levels_by_charge(program)
    scale = np.abs(levels).max()
    assert levels[0] == pytest.approx(program.start, abs=1e-9 * scale)
    np.testing.assert_allclose(levels[1:-1], program.x, rtol=0, atol=1e-9 * scale)
    assert levels[-1] > levels[-2]
    low = profile.g_hrs if program.scheme == "hrs" else profile.g_min
    ramp = program.step != CALIBRATION
    assert np.all(program.conductance[ramp] >= low * (1 - 1e-9))
    assert np.all(program.conductance[~ramp] >= profile.g_min * (1 - 1e-9))
    assert np.all(program.conductance <= profile.g_max * (1 + 1e-9))
    assert np.all(program.width > 0)
    assert np.all(program.width[ramp] <= 1)
    # Steps and slots follow each other; every step has a slot of its own.
    steps = [set(program.slot[program.step == k]) for k in range(1, program.n_steps + 1)]
    assert all(max(a) < min(b) for a, b in pairwise(steps))
    assert max(program.slot[~ramp]) < min(steps[0])


# Ramps whose steps differ by more than the conductances that the scheme may use on the default device.
REFUSED = {
    ("pulse", 8): {"softsign"},
    ("split", 8): {"softsign"},
    ("hrs", 5): {"exp", "gaussian", "gelu", "mish", "silu", "softsign"},
    ("hrs", 8): {
        "elu", "exp", "gaussian", "gelu", "mish", "polyrelu", "selu", "sigmoid", "silu", "softplus", "softsign", "tanh",
    },
}  # fmt: skip


@pytest.mark.parametrize("bits", [1, 2, 3, 5, pytest.param(8, marks=pytest.mark.slow)])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_charge_reproduces_the_thresholds(scheme, bits, profile):
    refused, checked = set(), 0
    for name in ACTIVATIONS:
        try:
            program = program_ramp(name, bits, profile, scheme=scheme)
        except InputError as e:
            assert f"cannot hold the steps of a {bits}-bit {name} ramp" in str(e)  # noqa: PT017
            refused.add(name)
            continue
        assert program.scheme == scheme
        np.testing.assert_array_equal(program.x, get_activation(name).thresholds(bits), err_msg=name)
        np.testing.assert_array_equal(program.codes, get_activation(name).codes(bits), err_msg=name)
        np.testing.assert_array_equal(np.diff(program.codes), program.code_step, err_msg=name)
        np.testing.assert_array_equal(program.values, get_activation(name).decode(program.codes, bits), err_msg=name)
        check_program(program, profile)
        checked += 1
    assert refused == REFUSED.get((scheme, bits), set())
    assert checked == len(ACTIVATIONS) - len(refused)


@pytest.mark.parametrize("bits", [3, 4, 5, 6, 7, pytest.param(8, marks=pytest.mark.slow)])
def test_the_default_device_holds_every_activation_at_3_to_8_bits(bits, profile, circuit):
    for name in ACTIVATIONS:
        program = program_ramp(name, bits, profile)
        check_program(program, profile)
        assert program.report.max_error_lsb <= 0.51 + 1e-9, name
        assert 0 < program.report.rms_error_lsb < program.report.max_error_lsb, name
        compensate(program, circuit, profile)


@settings(max_examples=60)
@given(
    g_hrs=st.floats(1e-6, 5e-5),
    low=st.floats(1.0, 10.0),
    span=st.floats(1.5, 50.0),
    bits=st.integers(1, 6),
    name=st.sampled_from(sorted(ACTIVATIONS)),
    scheme=st.sampled_from(SCHEMES),
    cells=st.integers(1, 8),
)
def test_any_device_range(g_hrs, low, span, bits, name, scheme, cells):
    p = DeviceProfile("drawn", g_hrs * low, g_hrs * low * span, g_hrs, 0.0, 0.0, 0.0)
    try:
        program = program_ramp(name, bits, p, scheme=scheme, n_calibration=cells)
    except InputError:
        reject()  # counted: too few ranges that hold a ramp are an error of the test
    check_program(program, p)
    assert len(program.calibration_cells) == cells


heights = st.lists(st.integers(-20, 20), min_size=5, max_size=9).filter(lambda y: max(y) - min(y) > 4)


@settings(max_examples=25)
@given(y=heights, bits=st.integers(2, 6), start=st.integers(-6, 3), scheme=st.sampled_from(["auto", "pulse-split", "differential"]))
def test_any_spline(y, bits, start, scheme):
    """Functions that rise and fall: the charge meets the thresholds, the codes follow, and the integrator is allowed for."""
    profile, circuit = load_profile("taox-100-400"), RampCircuit()
    table = cubic_spline("drawn", np.arange(start, start + len(y)), y)
    try:
        program = program_ramp(table, bits, profile, scheme=scheme)
    except InputError as refused:
        if not re.search("cannot hold the steps|every input has the same code|none of its", str(refused)):
            raise
        reject()
    check_program(program, profile)
    np.testing.assert_array_equal(np.diff(program.codes), program.code_step)
    assert program.codes.min() >= 0
    assert program.codes.max() < 2**bits
    assert program.n_steps == len(program.x) + 1
    assert program.report.extra_periods == len(set(program.slot[program.step > 0])) - program.n_steps
    if not any("apart" in note for note in program.report.given_up):
        assert program.report.max_error_lsb <= 0.51 + 1e-6
    ready = compensate(program, circuit, profile)
    levels = ramp_levels(ready, circuit, Chips.nominal(ready))[0] / ready.volts_per_unit(circuit)
    np.testing.assert_allclose(levels[:-1], np.append(ready.start, ready.x), atol=1e-6 * np.ptp(ready.x))
    np.testing.assert_array_equal(ready.codes, program.codes)


def test_falling_parts_of_a_polynomial(profile):
    program = program_ramp(polynomial("cubic", [0, -1, 0, 1], -1.25, 1.25), 4, profile)
    assert set(program.code_step) == {1, -1}
    np.testing.assert_array_equal(np.sign(program.slope), program.code_step)
    np.testing.assert_allclose(program.slope, 3 * program.x**2 - 1, rtol=2e-2, atol=2e-2)
    # The first of three branches: from the lowest code up to the left maximum, 0.3849 at x = -0.57735.
    assert program.codes[0] == 0
    top = int(np.argmax(program.code_step < 0))
    assert program.x[top - 1] < -1 / math.sqrt(3) < program.x[top]


def test_jump_is_compiled_and_reported(profile, circuit):
    program = program_ramp(from_callable("stairs", np.floor, -1.9, 1.9), 4, profile)
    check_program(program, profile)
    assert any("moved apart" in note for note in program.report.given_up)
    assert program.report.step_ratio > 100
    compensate(program, circuit, profile)


def test_pulse_split_is_taken_only_where_no_other_scheme_fits(profile, circuit):
    assert "pulse-split" not in program_ramp("sigmoid", 8, profile).alternatives
    program = program_ramp("softsign", 7, profile)
    assert program.scheme == "pulse-split"
    assert program.report.extra_periods > 0
    assert any("extra clock periods" in note for note in program.report.given_up)
    compensate(program, circuit, profile)


def test_a_ramp_far_from_zero(profile, circuit):
    program = program_ramp(from_callable("far", lambda x: np.tanh(x - 20), 16, 24), 5, profile)
    check_program(program, profile)
    np.testing.assert_allclose(program.x, 20 + np.arctanh(program_ramp("tanh", 5, profile).values[1:] - 1 / 32), atol=0.05)
    low, high = program.span(circuit)
    assert high > 1.8
    fitted = circuit.with_(v_swing=program.fitting_swing(circuit))
    assert program.span(fitted)[1] == pytest.approx(1.7)
    assert low == pytest.approx(0.9)


def test_swing_stays_where_the_ramp_fits(profile, circuit):
    assert program_ramp("tanh", 5, profile).fitting_swing(circuit) == circuit.v_swing
    assert program_ramp("relu", 5, profile).fitting_swing(circuit) == pytest.approx(0.8, abs=0.02)
    # One step of a fifth of the swing within a pulse is steeper than a tenth of the slew rate.
    assert program_ramp("softsign", 5, profile).fitting_swing(circuit) < 0.8


@pytest.mark.parametrize("placement", ["mid-rise", "mid-tread", "lloyd-max"])
def test_placements(placement, profile):
    inputs = InputDistribution(0.0, 1.5) if placement == "lloyd-max" else None
    program = program_ramp("silu", 5, profile, quantizer=Quantizer(placement, inputs=inputs))
    check_program(program, profile)
    x = np.linspace(-8, 3, 2001)
    own = program.values[np.searchsorted(program.x, x)] - get_activation("silu").value(x)
    assert np.abs(own).max() / program.report.output_lsb == pytest.approx(program.report.max_error_lsb, abs=0.02)
    if placement == "mid-tread":
        assert np.abs(program.values).min() == 0
    weight = np.exp(-0.5 * (x / 1.5) ** 2)
    mse = np.sum(weight * own**2) / np.sum(weight)
    uniform = program_ramp("silu", 5, profile)
    error = uniform.values[np.searchsorted(uniform.x, x)] - get_activation("silu").value(x)
    if placement == "lloyd-max":
        assert mse < 0.9 * np.sum(weight * error**2) / np.sum(weight)


def test_saturated_domain(profile):
    cut = program_ramp("softsign", 8, profile, quantizer=Quantizer(domain=(-8, 8)))
    assert cut.scheme != "pulse-split"
    assert -8 < cut.x[0] < cut.x[-1] < 8
    assert (cut.report.x_min, cut.report.x_max) == (-8, 8)
    text = cut.report.text()
    assert "for x = -8..8" in text
    assert "given up       inputs saturate outside -8..8" in text


def test_an_only_threshold_of_a_function_that_was_searched(profile):
    program = program_ramp("silu", 1, profile)
    assert len(program.x) == 1
    assert program.lsb == pytest.approx((3 + 8) / 4)
    check_program(program, profile)


@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
def test_auto_takes_the_scheme_with_the_least_error(name, profile):
    program = program_ramp(name, 5, profile)
    table = program.alternatives
    assert set(table) <= set(SCHEMES)
    assert table[program.scheme]["error_rms_lsb"] == min(row["error_rms_lsb"] for row in table.values())


def test_five_bit_steps_span_5_8_to_1(profile):
    steps = np.diff(program_ramp("sigmoid", 5, profile).x)
    assert steps.max() / steps.min() == pytest.approx(5.80, abs=0.01)


@pytest.mark.parametrize("cells", [2, 3, 5, 12, 32])
@pytest.mark.parametrize("name", ["relu", "crrelu", "polyrelu"])
def test_start_at_analog_ground_takes_calibration_cells_that_pull_both_ways(name, cells, profile, circuit):
    program = program_ramp(name, 5, profile, n_calibration=cells)
    assert set(program.polarity[program.calibration_cells]) == {1, -1}
    check_program(program, profile)
    ready = compensate(program, circuit, profile)
    levels = ramp_levels(ready, circuit, Chips.nominal(ready))[0] / ready.volts_per_unit(circuit)
    np.testing.assert_allclose(levels[:-1], np.append(ready.start, ready.x), atol=1e-6)


def test_one_calibration_cell_cannot_make_nothing(profile):
    with pytest.raises(InputError, match="the start at x = 0 is too close to 0 for 1 calibration cells"):
        program_ramp("relu", 5, profile, n_calibration=1)


@pytest.mark.parametrize("cells", [1, 2, 5, 12])
def test_number_of_calibration_cells(cells, profile):
    program = program_ramp("sigmoid", 5, profile, n_calibration=cells)
    assert len(program.calibration_cells) == cells
    assert program.n_cells == 32 + cells
    check_program(program, profile)


def test_lsb_is_the_local_step(profile):
    program = program_ramp("tanh", 3, profile)
    np.testing.assert_allclose(program.lsb[:-1], np.diff(program.x))
    assert program.lsb[-1] == program.lsb[-2]
    assert program_ramp("sigmoid", 1, profile).lsb == pytest.approx(0.5 / 0.25)


def test_capacitor_makes_the_ramp_span_the_swing(profile):
    for scheme in SCHEMES:
        program = program_ramp("sigmoid", 4, profile, scheme=scheme)
        circuit = RampCircuit(v_swing=0.8)
        span = levels_by_charge(program)[-1] - levels_by_charge(program)[0]
        assert span * program.volts_per_unit(circuit) == pytest.approx(0.8)
        # The capacitor does not follow a sweep of the read voltage: the scale does.
        halved = circuit.with_(v_read=0.1)
        assert program.feedback_capacitance(halved) == program.feedback_capacitance(circuit)
        assert program.volts_per_unit(halved) == pytest.approx(program.volts_per_unit(circuit) / 2)


def test_error_of_thresholds_against_monte_carlo(profile):
    program = program_ramp("sigmoid", 3, profile)
    rng = np.random.default_rng(3)
    error = 2e-6 * rng.standard_normal((20_000, program.n_cells)) * program.width * program.polarity / program.unit_charge
    shift = np.array([error[:, program.step <= k].sum(axis=1) for k in range(1, 8)]).T
    np.testing.assert_allclose(shift.std(axis=0) / program.lsb, step_error_lsb(program, 2e-6, from_start=True), rtol=0.03)
    calibrated = shift - shift[:, [3]]
    np.testing.assert_allclose(calibrated.std(axis=0) / program.lsb, step_error_lsb(program, 2e-6), rtol=0.03, atol=1e-12)


def test_conversion_time(profile):
    program, circuit = program_ramp("sigmoid", 5, profile), RampCircuit()
    ramp_slots = program.step != CALIBRATION
    expected = circuit.t_reset + 32 * circuit.t_step
    expected += sum(max(w, 1.0) * circuit.t_pulse + circuit.t_settle for w in program.width[~ramp_slots])
    assert program.conversion_time(circuit) == pytest.approx(expected)


def test_dictionary_is_ready_for_json(program3):
    data = json.loads(json.dumps(program3.as_dict()))
    assert data["x"] == program3.x.tolist()


def test_range_that_cannot_hold_the_steps():
    narrow = DeviceProfile("narrow", 99e-6, 100e-6, 98e-6, 0.0, 0.0, 0.0)
    with pytest.raises(InputError) as e:
        program_ramp("sigmoid", 5, narrow, scheme="hrs")
    text = str(e.value)
    assert "narrow (99-100 uS) cannot hold the steps of a 5-bit sigmoid ramp (largest to smallest 5.8 to 1)" in text
    assert "Take fewer bits, another scheme or a wider profile" in text


def test_errors_larger_than_a_step_rule_a_scheme_out(profile):
    coarse = replace(profile, program_sigma=1e-3, program_window=1e-2)
    with pytest.raises(InputError, match=r"cannot hold the steps.*programming error of .* LSB rms"):
        program_ramp("sigmoid", 5, coarse)


@pytest.mark.parametrize(
    ("name", "scheme", "message"), [("gelu?", "auto", "activation='gelu\\?': unknown"), ("tanh", "fast", "scheme='fast'")]
)
def test_unknown_names(name, scheme, message, profile):
    with pytest.raises(InputError, match=message):
        program_ramp(name, 3, profile, scheme=scheme)


@pytest.mark.parametrize("n", [0, 33, 2.5, True])
def test_bad_number_of_calibration_cells(n, profile):
    with pytest.raises(InputError, match=r"n_calibration=.*1\.\.32"):
        program_ramp("sigmoid", 3, profile, n_calibration=n)


def test_function_whose_inverse_is_not_finite(profile):
    flat = Activation("flat", np.tanh, lambda y: np.full_like(y, math.nan), np.ones_like, -1.0, 1.0)
    with pytest.raises(InputError, match="activation flat: its 8-level thresholds are not finite and increasing"):
        program_ramp(flat, 3, profile)


@pytest.mark.parametrize("name", ["yang-0-150", "rram-milo-50-225"])
def test_other_built_in_devices_hold_5_bits(name):
    p = load_profile(name)
    check_program(program_ramp("sigmoid", 5, p), p)
