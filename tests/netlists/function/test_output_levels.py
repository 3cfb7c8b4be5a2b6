import json
import math
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, strategies as st

from netlists.errors import InputError
from netlists.function.activations import get_activation
from netlists.function.output_levels import InputDistribution, OutputLevels, Quantizer


def test_mid_rise():
    levels = OutputLevels.mid_rise(-1, 1, 2)
    assert levels.decisions.tolist() == [-0.5, 0, 0.5]
    assert levels.values.tolist() == [-0.75, -0.25, 0.25, 0.75]
    assert levels.lsb == 0.5


@given(low=st.floats(-10, 10), width=st.floats(0.1, 20), bits=st.integers(1, 8))
def test_mid_tread_reaches_every_output_and_has_a_level_at_zero(low, width, bits):
    levels = OutputLevels.mid_tread(low, low + width, bits)
    assert len(levels.values) <= 2**bits
    np.testing.assert_allclose(np.diff(levels.values), levels.lsb, rtol=1e-6)
    np.testing.assert_allclose(levels.decisions, 0.5 * (levels.values[1:] + levels.values[:-1]), atol=1e-9)
    y = np.linspace(low, low + width, 1000)
    nearest = levels.values[np.searchsorted(levels.decisions, y)]
    assert np.abs(y - nearest).max() <= levels.lsb * (0.5 + 1e-6)
    if low <= 0 <= low + width:
        assert np.abs(levels.values).min() == 0
    # No decision level is out of reach.
    if len(levels.decisions):
        assert low < levels.decisions[0]
        assert levels.decisions[-1] < low + width


def test_mid_tread_of_symmetric_outputs():
    levels = OutputLevels.mid_tread(-1, 1, 5)
    assert len(levels.values) == 31
    assert levels.lsb == pytest.approx(1 / 15.5)
    assert levels.given_up == ("1 of 32 codes not used",)
    assert OutputLevels.mid_tread(0, 1, 5).values[[0, -1]] == pytest.approx([0, 31 / 31.5])


@pytest.mark.parametrize(
    ("bits", "decisions", "values", "mse"),
    [
        # Max 1960, Table I: optimum quantizers of a Gaussian of variance 1.
        (1, [0.0], [-0.7980, 0.7980], 0.3634),
        (2, [-0.9816, 0.0, 0.9816], [-1.510, -0.4528, 0.4528, 1.510], 0.1175),
        (3, [0.5006, 1.050, 1.748], [0.2451, 0.7560, 1.344, 2.152], 0.03454),
    ],
)
def test_lloyd_max_of_a_gaussian_against_the_published_table(bits, decisions, values, mse):
    points = InputDistribution().points()
    found = OutputLevels.lloyd_max(points, -4, 4, bits)
    n = len(decisions)
    np.testing.assert_allclose(found.decisions[-n:], decisions, atol=2e-3)
    np.testing.assert_allclose(found.values[-len(values) :], values, atol=2e-3)
    error = points - found.values[np.searchsorted(found.decisions, points)]
    assert np.mean(error**2) == pytest.approx(mse, rel=3e-3)


def test_lloyd_max_where_many_inputs_give_one_output():
    relu = get_activation("relu")
    found = Quantizer("lloyd-max", inputs=InputDistribution(0, 1)).levels(relu.value, 0, 3, 4)
    assert len(found.values) <= 16
    assert np.all(np.diff(found.values) > 0)
    # Half of all inputs give exactly 0: it is worth a level of its own.
    assert found.values[0] < 0.05


def test_lloyd_max_of_few_samples_uses_as_many_codes():
    found = OutputLevels.lloyd_max(np.array([0.0, 0.0, 1.0, 2.0, 2.0]), 0, 2, 4)
    assert found.values.tolist() == [0, 1, 2]
    assert found.given_up == ("13 of 16 codes not used",)


def test_quantizer_goes_through_json():
    q = Quantizer("lloyd-max", domain=(-3, 3), outputs=(0, 1), inputs=InputDistribution(0.5, 2.0, (1, 2, 3)), merge_lsb=0.1)
    assert Quantizer.from_dict(json.loads(json.dumps(asdict(q)))) == q
    assert Quantizer.from_dict(json.loads(json.dumps(asdict(Quantizer())))) == Quantizer()
    with pytest.raises(InputError, match="quantizer: field"):
        Quantizer.from_dict({"place": 1})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"placement": "mid"}, "placement='mid': unknown"),
        ({"placement": "lloyd-max"}, "needs the distribution"),
        ({"inputs": InputDistribution()}, "does not use a distribution"),
        ({"merge_lsb": -1}, "merge_lsb=-1"),
        ({"merge_lsb": math.nan}, "merge_lsb=nan"),
        ({"merge_lsb": "x"}, "merge_lsb='x'"),
    ],
)
def test_bad_quantizers(arguments, message):
    with pytest.raises(InputError, match=message):
        Quantizer(**arguments)


def test_one_output_only():
    with pytest.raises(InputError, match="one output only"):
        OutputLevels.lloyd_max(np.ones(5), 0, 1, 3)
