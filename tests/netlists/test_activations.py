import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlists.activations import ACTIVATIONS, check_bits, get_activation
from netlists.errors import InputError

NAMES = sorted(ACTIVATIONS)


@pytest.mark.parametrize("bits", range(1, 9))
def test_sigmoid_thresholds_are_logits(bits):
    k = range(1, 2**bits)
    expected = [math.log(i / (2**bits - i)) for i in k]
    np.testing.assert_allclose(get_activation("sigmoid").thresholds(bits), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("bits", range(1, 9))
def test_tanh_thresholds(bits):
    expected = [math.atanh(-1 + 2 * k / 2**bits) for k in range(1, 2**bits)]
    np.testing.assert_allclose(get_activation("tanh").thresholds(bits), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bits", [1, 2, 5, 8])
def test_thresholds_increase_and_invert(name, bits):
    a = get_activation(name)
    x = a.thresholds(bits)
    assert np.all(np.isfinite(x))
    assert np.all(np.diff(x) > 0)
    y = a.y_min + np.arange(1, 2**bits) * (a.y_max - a.y_min) / 2**bits
    np.testing.assert_allclose(a.value(x), y, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
@given(x=st.floats(-6, 6))
def test_slope_is_the_derivative(name, x):
    a, h = get_activation(name), 1e-5
    if abs(x) < 2 * h:  # the kink of elu and selu
        return
    numeric = (a.value(np.array(x + h)) - a.value(np.array(x - h))) / (2 * h)
    assert float(a.slope(np.array(x))) == pytest.approx(float(numeric), rel=1e-4, abs=1e-7)


def test_decode_is_the_middle_of_the_output_step():
    np.testing.assert_allclose(get_activation("tanh").decode(np.array([0, 1, 3]), 2), [-0.75, -0.25, 0.75])


@pytest.mark.parametrize("bits", [0, 9, -1, 2.5, 5.0, True, "5", None, math.nan])
def test_bits_out_of_range(bits):
    with pytest.raises(InputError, match=r"bits=.*1\.\.8 bits"):
        check_bits(bits)


def test_numpy_bits_are_whole_numbers_too():
    assert len(get_activation("sigmoid").thresholds(np.int64(3))) == 7


def test_unknown_activation_names_the_known_ones():
    with pytest.raises(InputError, match=r"activation='gelou': unknown; this toolkit has sigmoid, tanh"):
        get_activation("gelou")
