import math

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import stats

from characterization.plan.shapes import NORMAL, SHAPES, Shape
from netlists.errors import InputError

KNOWN = {
    "normal": (NORMAL, stats.norm()),
    "truncated": (Shape("truncated-normal", limit=1.8), stats.truncnorm(-1.8, 1.8)),
    "uniform": (Shape("uniform"), stats.uniform(-math.sqrt(3), 2 * math.sqrt(3))),
    "student": (Shape("student-t", dof=4.0), stats.t(4.0, scale=math.sqrt(0.5))),
}


@pytest.mark.parametrize("name", KNOWN)
def test_drawn_numbers_follow_scipys_distribution(name):
    shape, reference = KNOWN[name]
    drawn = shape.of_normal(np.random.default_rng(3).standard_normal(20_000))
    assert stats.kstest(drawn, reference.cdf).pvalue > 0.01


@pytest.mark.parametrize("name", KNOWN)
def test_quantiles_far_in_the_tails_are_scipys(name):
    shape, reference = KNOWN[name]
    z = np.array([-8.0, -5.0, -1.0, -1e-3, 0.0])
    expected = reference.ppf(stats.norm.cdf(z))
    np.testing.assert_allclose(shape.of_normal(z), expected, rtol=1e-7, atol=1e-12)
    np.testing.assert_array_equal(shape.of_normal(-z), -shape.of_normal(z))


@pytest.mark.parametrize("name", ["normal", "uniform", "student"])
def test_sigma_is_the_standard_deviation(name):
    assert KNOWN[name][1].std() == pytest.approx(1)


def test_a_normal_source_keeps_its_bits():
    z = np.random.default_rng(0).standard_normal(100)
    np.testing.assert_array_equal(NORMAL.of_normal(z), z)


@given(z=st.floats(-30, 30), kind=st.sampled_from(SHAPES))
def test_every_shape_is_finite_and_keeps_the_side(z, kind):
    shape = Shape(kind, limit=3.0 if kind == "truncated-normal" else None, dof=3.0 if kind == "student-t" else None)
    value = float(shape.of_normal(np.array(z)))
    assert math.isfinite(value)
    assert value * z >= 0
    if kind == "truncated-normal":
        assert abs(value) <= 3.0 * (1 + 1e-9)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "truncated-normal"}, "limit=None with kind='truncated-normal'"),
        ({"kind": "student-t"}, "dof=None with kind='student-t'"),
        ({"limit": 3.0}, "limit=3.0 with kind='normal': limit belongs to truncated-normal"),
        ({"kind": "uniform", "dof": 3.0}, "dof=3.0 with kind='uniform'"),
    ],
)
def test_bad_shapes(values, message):
    with pytest.raises(InputError, match=message.replace("*", r"\*")):
        Shape(**values)
