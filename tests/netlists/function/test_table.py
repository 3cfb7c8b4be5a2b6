import json
import math
from dataclasses import asdict

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from netlists.checks import made_of
from netlists.errors import InputError
from netlists.function.activations import get_activation
from netlists.function.table import ActivationTable, as_activation, cubic_spline, from_callable, load_table, polynomial


@pytest.fixture
def table():
    return ActivationTable("mine", (-2, -1, 0, 1, 2), (0, 0.2, 0.1, 0.9, 1))


def test_curve_goes_through_its_points_and_stays_between_them(table):
    a = table.activation()
    np.testing.assert_allclose(a.value(np.array(table.x)), table.y)
    x = np.linspace(0, 1, 101)
    assert np.all(np.diff(a.value(x)) > 0)
    assert (a.x_min, a.x_max, a.y_min, a.y_max) == (-2, 2, 0, 1)
    np.testing.assert_allclose(a.value(np.array([-9.0, 9.0])), [0, 1])
    np.testing.assert_array_equal(a.slope(np.array([-9.0, 9.0])), 0)


def test_way_through_json(table):
    again = made_of(ActivationTable, json.loads(json.dumps(asdict(table))), "activation table")
    assert again == table
    assert hash(again) == hash(table)


@pytest.mark.parametrize("data", [{"name": "a"}, {"name": "a", "x": [0, 1, 2, 3], "y": [0, 1, 2, 3], "z": 1}])
def test_dictionary_with_other_fields(data):
    with pytest.raises(InputError, match="activation table: field"):
        made_of(ActivationTable, data, "activation table")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "line\nbreak"}, "^name=[^\n]*: must be"),
        ({"name": "tanh"}, "is built in"),
        ({"x": (0, 1, 1, 2)}, r"x\[2\]=1\.0: does not follow 1"),
        ({"x": (0, 1, 2)}, "must name at least 4"),
        ({"x": (0, 1, 2), "y": (0, 1, 2)}, "must name at least 4"),
        ({"y": (1, 1, 1, 1)}, "a constant needs no converter"),
    ],
)
def test_bad_tables(change, message):
    good = {"name": "mine", "x": (0, 1, 2, 3), "y": (0, 1, 0, 2)}
    with pytest.raises(InputError, match=message):
        ActivationTable(**(good | change))


@pytest.mark.parametrize("name", ["gelu", "sigmoid", "gaussian"])
def test_sampled_callable_has_the_thresholds_of_the_function(name):
    a = get_activation(name).over(domain=(-3, 3))
    sampled = from_callable("copy", a.value, -3, 3).activation()
    np.testing.assert_array_equal(sampled.codes(6), a.codes(6))
    # 2e-5 of the range is 0.0013 LSB at 6 bits.
    error = np.abs(sampled.value(x := np.linspace(-3, 3, 9999)) - a.value(x)).max()
    assert error < 2e-5 * (a.y_max - a.y_min)


def test_jump_of_a_callable_is_located():
    table = from_callable("sign", np.sign, -1, 1.3)
    x = np.array(table.x)
    inside = x[np.abs(table.y) < 1]
    assert np.all(np.abs(inside) < 1e-5)
    assert len(table.x) < 400


def test_kink_of_a_callable_is_followed():
    a = from_callable("kink", lambda x: np.abs(x - 0.1234), -1, 1).activation()
    x = np.linspace(-1, 1, 5001)
    assert np.abs(a.value(x) - np.abs(x - 0.1234)).max() < 5e-5


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda x: math.exp(x), "failed on an array of inputs.*numpy.vectorize"),
        (lambda x: 1.0, r"gives shape \(\)"),
        (lambda x: 1 / x, "is -?inf at x = 0"),
        (lambda x: x**2 * np.nan, "is nan at x"),
        (lambda x: np.zeros_like(x), "a constant"),
        (lambda x: np.random.default_rng(1).standard_normal(x.shape), "needs more than 20000 points"),
    ],
)
def test_callables_that_cannot_be_sampled(f, message):
    with np.errstate(all="ignore"), pytest.raises(InputError, match=message):
        from_callable("bad", f, -1, 1)


@pytest.mark.parametrize("domain", [(1, 1), (2, 1), (0, math.inf)])
def test_domain_that_is_none(domain):
    with pytest.raises(InputError, match="domain"):
        from_callable("f", np.sin, *domain)


def test_polynomial_takes_the_constant_first():
    a = polynomial("p", [1, 0, -2], -1, 1).activation()
    x = np.linspace(-1, 1, 101)
    np.testing.assert_allclose(a.value(x), 1 - 2 * x**2, atol=2e-5)


@pytest.mark.parametrize("c", [[1], [1, math.nan]])
def test_bad_coefficients(c):
    with pytest.raises(InputError, match="coefficients"):
        polynomial("p", c, -1, 1)


def test_cubic_spline_is_the_natural_one():
    knots, values = [-1, 0, 0.5, 2], [0, 1, -1, 0.5]
    a = cubic_spline("s", knots, values).activation()
    x = np.linspace(-1, 2, 301)
    np.testing.assert_allclose(a.value(x), CubicSpline(knots, values, bc_type="natural")(x), atol=1e-12)


@pytest.mark.parametrize("head", ["", "x,y\n", "input , output\n", "\ufeffx,y\n", "# a comment\n"])
def test_csv_table(tmp_path, head):
    path = tmp_path / "curve.csv"
    path.write_text(head + "-1,0\n0, 0.5\n\n1,0.25\n2,1e0\n", encoding="utf-8")
    t = load_table(path)
    assert (t.name, t.x, t.y) == ("curve", (-1, 0, 1, 2), (0, 0.5, 0.25, 1))
    assert load_table(str(path), name="other").name == "other"
    assert as_activation(t).name == "curve"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0,1\n1,2\nx,3\n", "line 3: 'x,3' is not two numbers"),
        ("0,1\n1\n", "line 2"),
        ("0,1,2\n1,2,3\n", "line 2"),
        ("", "has no line"),
        ("x,y\n", "has no line"),
        ("0,1\n1,2\n0.5,3\n2,3", r"x\[2\]=0.5: does not follow"),
        ("0,1\n1,nan\n2,3\n3,4", r"y\[1\]=nan"),
    ],
)
def test_bad_csv(tmp_path, text, message):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        load_table(path)


def test_files_that_are_no_table(tmp_path):
    with pytest.raises(InputError, match="there is no such activation table"):
        load_table(tmp_path / "none.csv")
    with pytest.raises(InputError, match="cannot be read"):
        load_table(tmp_path)
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(InputError, match="is UTF-16 text: save it as UTF-8"):
        load_table(tmp_path / "b.csv")
    (tmp_path / "big.csv").write_text("0,1\n" * 1_000_001)
    with pytest.raises(InputError, match="is larger than"):
        load_table(tmp_path / "big.csv")


def test_what_stands_for_an_activation(table):
    assert as_activation("tanh") is get_activation("tanh")
    assert as_activation(get_activation("tanh")) is get_activation("tanh")
    assert as_activation(table) is table.activation()
    with pytest.raises(InputError, match="unknown"):
        as_activation("nothing")
