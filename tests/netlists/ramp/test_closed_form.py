import numpy as np
import pytest

from netlists.ramp.chips import Chips
from netlists.ramp.closed_form import to_input_units, to_volts, transition_levels
from netlists.ramp.compiler import SCHEMES, program_ramp


@pytest.mark.parametrize("scheme", SCHEMES)
def test_nominal_levels_are_the_thresholds(scheme, profile, circuit):
    program = program_ramp("tanh", 4, profile, scheme=scheme)
    volts = transition_levels(program, circuit, Chips.nominal(program, 2), first_order=False)
    np.testing.assert_allclose(to_input_units(volts, program, circuit), np.tile(program.x, (2, 1)), atol=1e-12)


def test_read_voltage_cancels(program3, circuit):
    """V_mac and the ramp share v_read and C_f: in input units nothing depends on it."""
    chips = Chips.nominal(program3)
    half = circuit.with_(v_read=0.1)
    x = to_input_units(transition_levels(program3, half, chips, first_order=False), program3, half)
    np.testing.assert_allclose(x[0], program3.x, atol=1e-12)


def test_a_better_amplifier_removes_the_first_order_terms(program3, circuit):
    chips = Chips.nominal(program3)
    perfect = circuit.with_(a0=1e12, gbw=1e15, c_inject=0.0)
    a, b = (transition_levels(program3, perfect, chips, first_order=f) for f in (False, True))
    np.testing.assert_allclose(a, b, atol=1e-7)


def test_offsets_and_noise_add(program3, circuit):
    chips = Chips.nominal(program3)
    noisy = Chips(chips.conductance, np.zeros(1), np.array([3e-3]), 1e-3 * np.arange(8.0)[None])
    moved = transition_levels(program3, circuit.with_(comparator_offset=1e-3), noisy) - transition_levels(program3, circuit, chips)
    np.testing.assert_allclose(moved[0], 4e-3 + 1e-3 * np.arange(7), atol=1e-12)


def test_units_there_and_back(program3, circuit):
    x = np.array([-2.0, 0.0, 1.5])
    np.testing.assert_allclose(to_input_units(to_volts(x, program3, circuit), program3, circuit), x)
    assert to_volts(0.0, program3, circuit) == circuit.v_cm
