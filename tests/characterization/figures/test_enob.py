"""The sine and histogram tests against an independent ADC tool and the textbook."""

import numpy as np
import pytest
from adctoolbox.aout.compute_inl_from_ramp import compute_inl_from_ramp
from adctoolbox.spectrum.compute_spectrum import compute_spectrum

from characterization.chips.transitions import measure
from characterization.figures.enob import fit_sine, sine_test
from characterization.figures.inl_dnl import codes, levels_under_noise, linear_inl_dnl
from characterization.plan.plan import RampPlan
from netlists.converter.converter import Converter
from netlists.errors import InputError
from netlists.ramp.chips import Chips
from netlists.ramp.closed_form import to_input_units


def record(levels, points=16384, cycles=1021):
    step = (levels[-1] - levels[0]) / (len(levels) - 1)
    low, high = levels[0] - step, levels[-1] + step
    return codes((low + high) / 2 + (high - low) / 2 * np.sin(2 * np.pi * cycles * np.arange(points) / points), levels)


@pytest.mark.parametrize("bits", [3, 5, 8])
def test_an_ideal_converter_has_as_many_effective_bits_as_bits(bits):
    """Quantisation noise of LSB**2 / 12 is a little off at few bits, where the error is far from uniform."""
    found = sine_test(np.arange(1.0, 2**bits))
    assert found.enob == pytest.approx(bits, abs=0.3 / 2 ** (bits / 2))
    assert found.sinad_db == pytest.approx(6.02 * bits + 1.76, abs=2 / 2 ** (bits / 2))


@pytest.mark.parametrize("sigma", [0.05, 0.3])
def test_against_the_spectrum_of_an_independent_tool(sigma):
    """SINAD of the record in the frequency domain; converters with random errors in their levels."""
    levels = np.sort(np.arange(1.0, 64) + sigma * np.random.default_rng(3).standard_normal(63))
    found = sine_test(levels)
    theirs = compute_spectrum(record(levels).astype(float), win_type="rectangular", side_bin=0, max_scale_range=64.0)
    metrics = theirs["metrics"]
    assert found.sinad_db == pytest.approx(metrics["sndr_dbc"], abs=0.02)


def test_noise_costs_what_it_should():
    """Quantisation and input noise add in power: LSB**2 / 12 + sigma**2."""
    sigma = 0.5
    found = sine_test(np.arange(1.0, 256), noise_sigma=sigma, rng=np.random.default_rng(1), points=65536)
    assert found.rms_error == pytest.approx(np.sqrt(1 / 12 + sigma**2), rel=0.02)


def test_sine_fit_recovers_a_sine():
    phase = 2 * np.pi * 7 * np.arange(100) / 100
    parameters, residual = fit_sine(1.5 + 2 * np.cos(phase) - 3 * np.sin(phase), 7)
    np.testing.assert_allclose(parameters, [2, -3, 1.5])
    np.testing.assert_allclose(residual, 0, atol=1e-12)


@pytest.fixture(scope="module")
def linear_ramp():
    """Transition levels of a linear 5-bit ramp with variation, one chip, from ngspice; LSB."""
    plan = RampPlan("identity", 5, seed=3)
    program = plan.program()
    g = program.conductance + 15e-6 * np.random.default_rng(2).standard_normal(program.n_cells)
    volts = measure(Converter(program, plan.circuit), Chips(g[None], np.zeros(1), np.zeros(1))).volts
    return to_input_units(volts, program, plan.circuit)[0] / program.lsb[0]


def histogram_input(levels, per_code=20000):
    """A slow linear ramp that starts and ends one mean code width outside, every code met about ``per_code`` times."""
    step = (levels[-1] - levels[0]) / (len(levels) - 1)
    return np.linspace(levels[0] - step, levels[-1] + step, (len(levels) + 1) * per_code)


@pytest.mark.parametrize(("fit", "theirs"), [("endpoint", "endpoints"), ("best", "fit")])
def test_inl_and_dnl_of_a_linear_ramp_agree_with_a_histogram_test(linear_ramp, fit, theirs):
    inl, dnl = linear_inl_dnl(linear_ramp, fit=fit)
    assert np.abs(inl).max() > 0.05
    found = compute_inl_from_ramp(codes(histogram_input(linear_ramp), linear_ramp), num_bits=5, endpoint=theirs)
    np.testing.assert_allclose(found["inl"], inl, atol=1e-3)
    if fit == "endpoint":  # the other tool's DNL counts in mean code widths whatever the line
        np.testing.assert_allclose(found["dnl"], dnl, atol=1e-3)


def test_the_textbook_histogram_gives_the_end_point_inl(linear_ramp):
    """Code widths are proportional to counts; the end codes, which are open, do not count (IEEE Std 1241-2010, 4.2.2)."""
    inl, dnl = linear_inl_dnl(linear_ramp)
    counts = np.bincount(codes(histogram_input(linear_ramp), linear_ramp), minlength=32)[1:-1]
    width = counts / counts.mean()
    np.testing.assert_allclose(width - 1, dnl, atol=1e-3)
    np.testing.assert_allclose(np.concatenate([[0], np.cumsum(width - 1)]), inl, atol=1e-3)


def test_levels_under_noise_are_where_half_of_the_codes_changed():
    rng = np.random.default_rng(4)
    levels = np.array([-1.0, 0.1, 0.7])
    inputs = np.linspace(-2, 2, 161)
    found = codes(inputs[:, None] + 0.05 * rng.standard_normal((161, 4000)), levels)
    np.testing.assert_allclose(levels_under_noise(inputs, found, 3), levels, atol=0.004)


def test_a_level_outside_the_inputs_is_not_invented():
    inputs = np.linspace(0, 1, 11)
    found = np.tile((inputs > 0.5).astype(int)[:, None], (1, 5))
    levels = levels_under_noise(inputs, found, 2)
    assert levels[0] == pytest.approx(0.55)
    assert np.isnan(levels[1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"levels": np.arange(2.0)}, "at least 3 finite"),
        ({"levels": np.array([0.0, np.nan, 1.0])}, "at least 3 finite"),
        ({"levels": np.arange(7.0), "points": 1000, "cycles": 10}, "points=1000, cycles=10: need no common factor"),
        ({"levels": np.arange(7.0), "amplitude": 1.5}, r"amplitude=1.5: must be above 0, at most 1"),
        ({"levels": np.arange(7.0), "noise_sigma": 0.1}, "rng=None"),
    ],
)
def test_bad_sine_tests(arguments, message):
    with pytest.raises(InputError, match=message):
        sine_test(**arguments)


@pytest.mark.parametrize(
    ("inputs", "found", "message"),
    [
        ([1.0, 0.0], np.zeros((2, 3)), "inputs: must be 2 or more increasing"),
        ([0.0, 1.0], np.zeros((3, 3)), r"codes: have shape \(3, 3\), must be \(2, repeats\)"),
    ],
)
def test_bad_noisy_conversions(inputs, found, message):
    with pytest.raises(InputError, match=message):
        levels_under_noise(inputs, found, 1)
