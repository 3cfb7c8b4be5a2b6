import math

import numpy as np
import pytest
from hypothesis import assume, given, strategies as st
from scipy.special import erf

from netlists.errors import InputError
from netlists.function.activations import ACTIVATIONS, CRRELU_EPSILON, get_activation

NAMES = sorted(ACTIVATIONS)
INCREASING = sorted(n for n, a in ACTIVATIONS.items() if a.inverse is not None)
KINKS = {"elu": [0], "selu": [0], "hard-sigmoid": [-3, 3], "hard-tanh": [-1, 1], "relu": [0, 3], "crrelu": [0], "polyrelu": [0]}


@pytest.mark.parametrize("bits", range(1, 9))
def test_sigmoid_thresholds_are_logits(bits):
    k = range(1, 2**bits)
    expected = [math.log(i / (2**bits - i)) for i in k]
    np.testing.assert_allclose(get_activation("sigmoid").thresholds(bits), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("bits", range(1, 9))
def test_tanh_thresholds(bits):
    expected = [math.atanh(-1 + 2 * k / 2**bits) for k in range(1, 2**bits)]
    np.testing.assert_allclose(get_activation("tanh").thresholds(bits), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", INCREASING)
@pytest.mark.parametrize("bits", [1, 2, 5, 8])
def test_thresholds_increase_and_invert(name, bits):
    a = get_activation(name)
    x = a.thresholds(bits)
    assert np.all(np.isfinite(x))
    assert np.all(np.diff(x) > 0)
    y = a.y_min + np.arange(1, 2**bits) * (a.y_max - a.y_min) / 2**bits
    np.testing.assert_allclose(a.value(x), y, rtol=1e-10, atol=1e-12)
    np.testing.assert_array_equal(a.codes(bits), np.arange(2**bits))


@pytest.mark.parametrize("name", INCREASING)
def test_search_agrees_with_the_closed_form_inverse(name):
    a = get_activation(name)
    x = a.thresholds(5)
    # The same outputs over a domain that holds all thresholds, found without the inverse.
    searched = a.over(domain=(x[0] - 0.5, x[-1] + 0.5)).over(outputs=(a.y_min, a.y_max))
    assert searched.inverse is None
    np.testing.assert_allclose(searched.thresholds(5), x, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
@given(x=st.floats(-6, 6))
def test_slope_is_the_derivative(name, x):
    a, h = get_activation(name), 1e-5
    assume(all(abs(x - k) >= 2 * h for k in KINKS.get(name, [])))
    numeric = (a.value(np.array(x + h)) - a.value(np.array(x - h))) / (2 * h)
    assert float(a.slope(np.array(x))) == pytest.approx(float(numeric), rel=1e-4, abs=1e-7)


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("gelu", lambda x: x * 0.5 * (1 + erf(x / np.sqrt(2)))),
        ("silu", lambda x: x / (1 + np.exp(-x))),
        ("mish", lambda x: x * np.tanh(np.log(1 + np.exp(x)))),
        ("crrelu", lambda x: np.maximum(0, x) + CRRELU_EPSILON * x * np.exp(-(x**2) / 2)),
        ("gaussian", lambda x: np.exp(-(x**2))),
        ("polyrelu", lambda x: sum(np.maximum(0, x) ** i for i in (1, 2, 3)) / 3),
        ("hard-sigmoid", lambda x: np.minimum(np.maximum(x + 3, 0), 6) / 6),
        ("exp", np.exp),
    ],
)
def test_functions_as_they_are_written_down(name, formula):
    a = get_activation(name)
    x = np.linspace(a.x_min, a.x_max, 401)
    np.testing.assert_allclose(a.value(x), formula(x), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(("name", "lowest"), [("silu", -0.278464542761), ("mish", -0.308843), ("gelu", -0.169971)])
def test_output_range_reaches_the_minimum_between_grid_points(name, lowest):
    # Known minima, to the digits given.
    a = get_activation(name)
    assert a.y_min == pytest.approx(lowest, abs=2e-6)
    assert a.y_max == pytest.approx(float(a.value(np.array(a.x_max))))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bits", [3, 5, 8])
def test_codes_are_the_quantised_function(name, bits):
    a = get_activation(name)
    x = np.linspace(a.x_min, a.x_max, 4001)
    thresholds = a.thresholds(bits)
    x = x[np.min(np.abs(x[:, None] - thresholds), axis=1) > 1e-6]
    code = a.codes(bits)[np.searchsorted(thresholds, x)]
    direct = np.clip(np.floor((a.value(x) - a.y_min) / (a.y_max - a.y_min) * 2**bits), 0, 2**bits - 1)
    error = np.abs(a.decode(code, bits) - a.value(x)) / (a.y_max - a.y_min) * 2**bits
    # A level that is passed by less than 0.01 LSB is left alone: there, and only there, the code differs.
    assert np.all((code == direct) | (error <= 0.51 + 1e-9))
    assert np.mean(code == direct) > 0.97


def test_decode_is_the_middle_of_the_output_step():
    np.testing.assert_allclose(get_activation("tanh").decode(np.array([0, 1, 3]), 2), [-0.75, -0.25, 0.75])


def test_even_function_has_mirrored_thresholds():
    a = get_activation("gaussian")
    x = a.thresholds(5)
    np.testing.assert_allclose(x, -x[::-1], atol=1e-9)
    np.testing.assert_allclose(x[31:], np.sqrt(-np.log(a.y_min + np.arange(31, 0, -1) / 32 * (a.y_max - a.y_min))), atol=1e-9)
    assert a.codes(5).tolist() == [*range(32), *range(30, -1, -1)]


def test_cut_to_a_domain_the_outputs_are_those_of_the_domain():
    a = get_activation("sigmoid").over(domain=(-2, 1))
    assert (a.y_min, a.y_max) == pytest.approx((1 / (1 + math.e**2), 1 / (1 + 1 / math.e)))
    assert a.thresholds(5)[0] > -2
    assert a.thresholds(5)[-1] < 1


def test_cut_to_outputs_the_function_is_clipped():
    a = get_activation("gelu").over(outputs=(0.0, 2.0))
    np.testing.assert_allclose(a.value(np.array([-0.5, 1.0, 2.9])), [0.0, 0.841345, 2.0], atol=1e-6)
    np.testing.assert_allclose(a.slope(np.array([-0.5, 2.9])), 0.0)
    assert np.all(np.diff(a.thresholds(4)) > 0)
    np.testing.assert_array_equal(a.codes(4), np.arange(16))


@pytest.mark.parametrize("bad", [(1, 1), (2, 1), (0, math.inf), (math.nan, 1), (1,), "ab", 3])
def test_range_that_is_none(bad):
    with pytest.raises(InputError, match="domain"):
        get_activation("tanh").over(domain=bad)


def test_bits_out_of_range():
    with pytest.raises(InputError, match=r"bits=.*1\.\.8: the ramp column"):
        get_activation("gelu").thresholds(9)


def test_numpy_bits_are_whole_numbers_too():
    assert len(get_activation("sigmoid").thresholds(np.int64(3))) == 7


@pytest.mark.parametrize("name", ["gelou", None, 3, ["tanh"]])
def test_unknown_activation_names_the_known_ones(name):
    with pytest.raises(InputError, match=r"unknown; allowed are sigmoid, tanh"):
        get_activation(name)
