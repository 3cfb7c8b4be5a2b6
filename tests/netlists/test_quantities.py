import pytest
from hypothesis import given, strategies as st

from netlists.checks import Number, check
from netlists.errors import InputError
from netlists.quantities import base_unit, quantity, spice_number
from netlists.technology import RampCircuit


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


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("200m", "V", 0.2),
        ("0.2V", "V", 0.2),
        ("40NS", "s", 4e-8),
        ("10uF", "F", 1e-5),
        ("1k", "ohm", 1e3),
        ("1.5kOhm", "ohm", 1.5e3),
        ("1MEG", "Hz", 1e6),
        ("1M", "", 1e-3),
        ("34uS", "uS", 34.0),
        ("34", "uS", 34.0),
        ("27C", "degC", 27.0),
        ("300K", "K", 300.0),
        ("2uS", None, 2e-6),
    ],
)
def test_a_unit_may_stand_behind_a_number(text, unit, value):
    assert quantity(text, unit) == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("200mA", "V"),
        ("1h", "s"),
        ("5min", "s"),
        ("1day", None),
        ("1kV", "ohm"),
        ("34u", "uS"),
        ("300K", "degC"),
        ("1G", "GiB"),
        ("1e-2x", ""),
        ("10 kOhm", "ohm"),
        ("1,5m", "V"),
        ("10%", ""),
        ("5mV", ""),
    ],
)
def test_another_unit_is_no_number(text, unit):
    with pytest.raises(InputError, match=r"is not a SPICE number|must be a plain number"):
        quantity(text, unit)


@pytest.mark.parametrize(("text", "unit"), [("1M", "ohm"), ("2.2Mohm", "ohm"), ("1MΩ", None), ("100MHz", "Hz"), ("100Mhz", None)])
def test_a_capital_m_of_ohms_and_hertz_is_not_taken_for_milli(text, unit):
    with pytest.raises(InputError, match=r"M is milli, as in SPICE: write .*MEG"):
        quantity(text, unit)
    assert quantity(text.replace("M", "m"), unit) < 1 < 1e6 <= quantity(text.replace("M", "MEG"), unit)


def test_units_that_numbers_are_shown_in():
    """A number of none takes a suffix and no unit: 5mV is no percentage."""
    assert [base_unit(u) for u in ("mV", "ns", "uS", "ohm", "%", "1/V^2", "")] == ["V", "s", "uS", "ohm", "", "", ""]


def test_a_field_with_a_unit_takes_a_suffix():
    assert RampCircuit(v_read="150m", t_pulse="40ns", gbw="1g").v_read == 0.15
    assert RampCircuit().with_(a0="20k").a0 == 20e3
    for value in ("150mA", "fast", "1h", ""):
        with pytest.raises(InputError, match="v_read="):
            RampCircuit(v_read=value)
    with pytest.raises(InputError, match=r"gbw='100MHz': must be .*; M is milli"):
        RampCircuit(gbw="100MHz")
    for unit in ("", "uS", "C"):
        with pytest.raises(InputError, match="must be a finite number"):
            check(Number(unit=unit), "5", "x")
