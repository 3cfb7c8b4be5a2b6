import pytest
from hypothesis import given, strategies as st

from netlists.errors import InputError
from netlists.spice.numbers import spice_number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1u", 1e-6),
        ("2.5Meg", 2.5e6),
        ("10ns", 1e-8),
        ("1e-9", 1e-9),
        ("-.5k", -500.0),
        ("3mil", 76.2e-6),
        ("4m", 4e-3),
        ("7V", 7.0),
        ("1F", 1e-15),
    ],
)
def test_spice_number(text, value):
    assert spice_number(text) == pytest.approx(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_spice_number_reads_what_python_writes(value):
    assert spice_number(repr(value)) == value


@pytest.mark.parametrize("text", ["", "u", "1 u", "ten", "--1", "1..2", "nan"])
def test_no_spice_number(text):
    with pytest.raises(InputError, match="is not a SPICE number"):
        spice_number(text)
