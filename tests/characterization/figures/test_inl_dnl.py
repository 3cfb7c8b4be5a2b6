import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays

from characterization.figures.inl_dnl import (
    codes,
    dnl,
    inl_input,
    inl_output,
    is_monotonic,
    linear_inl_dnl,
    missing_codes,
    offset_and_gain,
)
from netlists.errors import InputError
from netlists.ramp.compiler import program_ramp
from netlists.technology import load_profile


def test_definitions_by_hand(profile):
    """2-bit sigmoid: x = -ln 3, 0, ln 3; both inner steps are ln 3, slopes 3/16, 1/4, 3/16."""
    program = program_ramp("sigmoid", 2, profile)
    ln3 = np.log(3.0)
    x = program.x + np.array([0.1, -0.2, 0.3])
    np.testing.assert_allclose(inl_input(x, program), np.array([0.1, -0.2, 0.3]) / ln3)
    np.testing.assert_allclose(inl_output(x, program), np.array([0.1 * 3 / 16, -0.2 / 4, 0.3 * 3 / 16]) * 4)
    np.testing.assert_allclose(dnl(x, program), np.array([-0.3, 0.5]) / ln3)


def test_output_inl_of_tanh_counts_its_range_of_two(profile):
    program = program_ramp("tanh", 1, profile)
    np.testing.assert_allclose(inl_output(program.x + 0.1, program), [0.1 * 1.0 / (2 / 2)], atol=1e-12)


def test_no_offset_or_gain_is_removed(program3):
    np.testing.assert_allclose(inl_input(program3.x + 0.1, program3), 0.1 / program3.lsb)
    np.testing.assert_allclose(dnl(1.1 * program3.x, program3), 0.1)
    np.testing.assert_allclose(inl_input(program3.x, program3), 0.0, atol=1e-15)


def test_shapes_and_wrong_number_of_levels(program3):
    many = np.tile(program3.x, (5, 2, 1))
    assert inl_input(many, program3).shape == inl_output(many, program3).shape == (5, 2, 7)
    assert dnl(many, program3).shape == (5, 2, 6)
    for figure in (inl_input, inl_output, dnl):
        with pytest.raises(InputError, match=r"transition levels: last axis is \(6,\), must be \(7,\) for 3 bits"):
            figure(np.zeros(6), program3)


def test_monotonic():
    np.testing.assert_array_equal(is_monotonic([[0, 1, 2], [0, 2, 1], [0, 0, 1]]), [True, False, False])


def test_end_point_line_of_a_known_bow():
    """Levels k + a k (n - k): the end-point line is k, the INL the parabola, DNL its steps."""
    n, a = 16, 0.01
    k = np.arange(n + 1)
    inl, steps = linear_inl_dnl(5.0 + 0.25 * (k + a * k * (n - k)))
    np.testing.assert_allclose(inl, a * k * (n - k), atol=1e-12)
    np.testing.assert_allclose(steps, a * np.diff(k * (n - k)), atol=1e-12)


def test_best_fit_line_of_a_known_bow():
    """The least-squares line of a symmetric parabola is its mean: INL sums to 0 and is orthogonal to k."""
    n, a = 16, 0.01
    k = np.arange(n + 1)
    bow = a * k * (n - k)
    inl, _ = linear_inl_dnl(5.0 + 0.25 * (k + bow), fit="best")
    np.testing.assert_allclose(inl, bow - bow.mean(), atol=1e-10)
    end, _ = linear_inl_dnl(5.0 + 0.25 * (k + bow))
    assert np.abs(inl).max() < np.abs(end).max()


@pytest.mark.parametrize("fit", ["endpoint", "best"])
def test_a_straight_line_has_no_inl(fit):
    inl, steps = linear_inl_dnl(np.linspace(-3, 7, 31), fit=fit)
    np.testing.assert_allclose(inl, 0, atol=1e-9)
    np.testing.assert_allclose(steps, 0, atol=1e-9)


@pytest.mark.parametrize("levels", [[1.0, 2.0], [[1.0, 2.0, 3.0]], [1.0, np.nan, 2.0]])
def test_too_few_levels(levels):
    with pytest.raises(InputError, match="levels: need at least 3 finite"):
        linear_inl_dnl(np.array(levels))


def test_unknown_line():
    with pytest.raises(InputError, match="fit='middle': unknown; allowed are endpoint, best"):
        linear_inl_dnl(np.arange(4.0), fit="middle")


def literal_code(v, levels):
    """What the hardware does: raise the ramp step by step, stop at the first that reaches the input."""
    code = 0
    for level in levels:
        if level >= v:
            return code
        code += 1
    return code


numbers = st.floats(-10, 10)


@given(arrays(float, st.tuples(st.integers(1, 3), st.integers(1, 9)), elements=numbers), st.data())
def test_codes_are_those_of_a_literal_ramp(levels, data):
    inputs = data.draw(arrays(float, (len(levels), 5), elements=numbers | st.sampled_from(sorted(levels.ravel().tolist()))))
    expected = [[literal_code(v, row) for v in x] for x, row in zip(inputs, levels, strict=True)]
    np.testing.assert_array_equal(codes(inputs, levels), expected)


def test_codes_broadcast():
    levels = np.array([[0.0, 1.0, 2.0], [0.5, 0.2, 3.0]])
    np.testing.assert_array_equal(codes(np.array([-1.0, 0.4, 1.5, 9.0]), levels), [[0, 1, 2, 3], [0, 0, 2, 3]])


FALLING = {name: program_ramp(name, 2, load_profile("taox-100-400")) for name in ("sigmoid", "gaussian", "silu")}


@given(st.sampled_from(sorted(FALLING)), st.data())
def test_missing_codes_are_those_that_no_input_gives(name, data):
    """Of a function that rises and falls a code is there twice: one of the two places may go."""
    program = FALLING[name]
    x = data.draw(arrays(int, (2, len(program.x)), elements=st.integers(-20, 20)))
    inputs = np.arange(-21, 21.5, 0.5)
    given_codes = [np.unique(program.codes[codes(inputs, row)]) for row in x]
    np.testing.assert_array_equal(missing_codes(x, program), [len(np.unique(program.codes)) - len(c) for c in given_codes])


def test_a_step_that_vanishes_on_one_side_of_a_hill_misses_no_code():
    program = FALLING["gaussian"]
    assert program.codes.tolist() == [0, 1, 2, 3, 2, 1, 0]
    x = np.array([-3.0, -3.0, 0.0, 1.0, 2.0, 3.0])
    assert missing_codes(x, program) == 0
    assert missing_codes(np.array([-3.0, -3.0, 0.0, 1.0, 2.0, 2.0]), program) == 1


def test_offset_and_gain_are_those_of_a_straight_line_fit(program3):
    rng = np.random.default_rng(1)
    x = 1.2 * program3.x + 0.3 + 0.1 * rng.standard_normal((4, 7))
    offset, gain = offset_and_gain(x, program3)
    for row, o, g in zip(x, offset, gain, strict=True):
        np.testing.assert_allclose([g, o], np.polyfit(program3.x, row, 1))


def test_a_single_level_has_an_offset_and_no_gain_error(profile):
    program = program_ramp("sigmoid", 1, profile)
    offset, gain = offset_and_gain(program.x + 0.2, program)
    assert offset == pytest.approx(0.2)
    assert gain == 1.0
