from dataclasses import fields

import pytest

from netlists.errors import InputError
from netlists.technology.parameters import RampCircuit, check_level

NAMES = [f.name for f in fields(RampCircuit)]


def test_every_parameter_says_unit_meaning_and_source():
    rows = RampCircuit.describe()
    assert [r["name"] for r in rows] == NAMES
    assert all(r["unit"] and r["meaning"] and r["source"] for r in rows)


@pytest.mark.parametrize("name", ["opamp_offset", "comparator_offset"])
def test_offsets_may_be_negative(name):
    assert getattr(RampCircuit(**{name: -1e-3}), name) == -1e-3


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"t_settle": 0.2e-9}, "t_settle"),
        ({"v_read": 0.9}, "v_read"),
        ({"v_cm": 0.1}, "v_read"),
        ({"t_reset": 0.4e-9}, "t_reset"),
        ({"t_edge": 7e-9, "t_settle": 7e-9}, "t_settle"),
    ],
)
def test_values_that_contradict_each_other(change, named):
    with pytest.raises(InputError, match=named):
        RampCircuit(**change)


def test_copy_with_changes(circuit):
    assert circuit.with_(a0=100.0).a0 == 100.0
    with pytest.raises(InputError, match="circuit parameter 'gain': unknown; allowed are a0"):
        circuit.with_(gain=3.0)


def test_whole_numbers_become_floats_and_equal(circuit):
    assert isinstance(circuit.with_(a0=10_000).a0, float)
    assert circuit.with_(a0=10_000) == circuit.with_(a0=1e4)


def test_unknown_level():
    with pytest.raises(InputError, match="level='spice': unknown; allowed are ideal, macro, sky130"):
        check_level("spice")
