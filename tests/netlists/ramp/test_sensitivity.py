"""Derivatives by complex steps against central differences of the closed form, over random programs."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from netlists.errors import InputError
from netlists.ramp import PARAMETERS, Chips, compensate, level_derivatives, program_ramp, to_input_units, transition_levels
from netlists.technology import RampCircuit, load_profile

PROFILE = load_profile("taox-100-400")
PROGRAMS = st.tuples(
    st.sampled_from(["sigmoid", "tanh", "softsign", "elu"]), st.integers(1, 4), st.sampled_from(["auto", "pulse", "split"])
)


def levels(program, circuit, chips):
    return to_input_units(transition_levels(program, circuit, chips), program, circuit)[0]


def difference(program, circuit, chips, name):
    """Central difference, with the ramp's capacitor changed alone for ``c_f``."""
    if name == "c_f":
        step = 1e-4 * program.feedback_capacitance(circuit)
        # In the units of before, a ramp on a capacitor that is larger by a factor: its swing is smaller by it.
        sides = [1 + s * 1e-4 for s in (1, -1)]
        up, down = (levels(program, circuit.with_(v_swing=circuit.v_swing / f), chips) / f for f in sides)
    else:
        value = getattr(circuit, name)
        step = 1e-5 if name.endswith("offset") else 1e-4 * value
        up, down = (levels(program, circuit.with_(**{name: value + s * step}), chips) for s in (1, -1))
    return (up - down) / (2 * step)


@settings(max_examples=6, deadline=None)
@given(PROGRAMS, st.integers(0, 2**31))
def test_derivatives_are_central_differences(kind, seed):
    """Every parameter, and some cells, of a drawn chip on a drawn circuit: to 1e-4 of the largest derivative."""
    activation, bits, scheme = kind
    rng, circuit = np.random.default_rng(seed), RampCircuit()
    circuit = circuit.with_(
        **{name: getattr(circuit, name) * rng.uniform(0.9, 1.1) for name in ("a0", "gbw", "v_read", "c_inject")}
    )
    program = compensate(program_ramp(activation, bits, PROFILE, scheme=scheme), RampCircuit(), PROFILE)
    g = program.conductance[None] * rng.uniform(0.97, 1.03, (1, program.n_cells))
    chips = Chips(g, rng.normal(0, 2e-3, 1), rng.normal(0, 4e-3, 1))
    found = level_derivatives(program, circuit, chips)
    np.testing.assert_array_equal(found.levels, levels(program, circuit, chips))
    for name in PARAMETERS:
        expected = difference(program, circuit, chips, name)
        np.testing.assert_allclose(found.parameters[name], expected, atol=1e-4 * np.abs(expected).max(), rtol=0, err_msg=name)
    for cell in rng.choice(program.n_cells, 3, replace=False):
        step = np.zeros_like(g)
        step[0, cell] = 1e-4 * g[0, cell]
        up, down = (levels(program, circuit, Chips(g + s * step, chips.opamp_offset, chips.comparator_offset)) for s in (1, -1))
        expected = (up - down) / (2 * step[0, cell])
        np.testing.assert_allclose(found.cells[:, cell], expected, atol=1e-6 * np.abs(found.cells).max(), rtol=0)


def test_ideal_op_amp_has_no_figures():
    program = program_ramp("sigmoid", 3, PROFILE)
    found = level_derivatives(program, RampCircuit(), Chips.nominal(program), first_order=False)
    assert not any(found.parameters[name].any() for name in ("a0", "gbw", "slew", "c_in", "opamp_c_c"))
    np.testing.assert_allclose(found.parameters["v_read"], 0, atol=1e-9)
    assert found.cells.any()


def test_one_chip_at_a_time():
    program = program_ramp("sigmoid", 3, PROFILE)
    with pytest.raises(InputError, match="chips: are 2"):
        level_derivatives(program, RampCircuit(), Chips.nominal(program, 2))
