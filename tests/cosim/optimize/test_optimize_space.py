"""What can be chosen, and the hardware it stands for; costs and circuits must mean the same design."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from cosim.cost.electrical import ramp_capacitance
from cosim.network import LSTMNetwork
from cosim.optimize.ramps import ramp_plan
from cosim.optimize.space import Space, circuit_of, design_of, device_of, variables
from netlists.errors import InputError
from netlists.ramp.compiler import program_ramp
from netlists.technology.parameters import RampCircuit
from netlists.technology.profile import load_profile, profile_names

PROFILE = load_profile("taox-100-400")
SPACE = Space(variables(PROFILE), {})


@pytest.fixture(scope="module")
def network():
    rng = np.random.default_rng(3)
    return LSTMNetwork(rng.normal(0, 0.5, (9, 20)), rng.normal(size=(6, 4)))


@pytest.mark.parametrize("name", profile_names())
def test_the_default_lies_on_every_grid(name):
    space = Space(variables(load_profile(name)), {})
    assert space.point(space.index(space.default)) == space.default
    assert all(list(v.grid) == sorted(set(v.grid)) for v in space.variables)


@given(st.data())
def test_points_and_places_on_the_grid_are_inverses(data):
    index = {v.name: data.draw(st.integers(0, len(v.grid) - 1)) for v in SPACE.free}
    point = SPACE.point(index)
    assert SPACE.index(point) == index
    assert all(v.check(point[v.name]) == point[v.name] for v in SPACE.variables)


def test_fixed_variables_are_not_searched():
    space = Space(variables(PROFILE), {"bits": 7.0, "t_step": 1e-8})
    assert "bits" not in {v.name for v in space.free}
    assert space.default["bits"] == 7
    assert isinstance(space.default["bits"], int)
    assert space.size == np.prod([len(v.grid) for v in SPACE.variables if v.name not in ("bits", "t_step")])


@pytest.mark.parametrize(
    ("fixed", "words"),
    [
        ({"colour": 1.0}, "fixed: colour is unknown; the variables are bits"),
        ({"bits": 4.5}, "bits=4.5: must be a whole number from 2 to 8"),
        ({"g_max": 9e-4}, "g_max=0.0009: must be a number from 0.00012 to 0.0004"),
        ({"v_read": float("nan")}, "v_read=nan"),
    ],
)
def test_fixed_values_that_cannot_be(fixed, words):
    with pytest.raises(InputError, match=words):
        Space(variables(PROFILE), fixed)


@pytest.mark.parametrize("v_read", [0.05, 0.2, 0.25])
@pytest.mark.parametrize("g_max", [200e-6, 400e-6])
def test_the_cost_model_and_the_circuit_have_the_same_capacitor(network, v_read, g_max):
    design = design_of(SPACE.default | {"v_read": v_read, "g_max": g_max, "t_step": 12e-9}, PROFILE, network)
    program = program_ramp("sigmoid", 5, device_of(design, PROFILE))
    assert program.scheme == "pulse"
    assert ramp_capacitance("sigmoid", design) == pytest.approx(program.feedback_capacitance(circuit_of(design)), rel=1e-9)


def test_voltages_shrink_with_the_read_voltage(network):
    high, low = (design_of(SPACE.default | {"v_read": v}, PROFILE, network) for v in (0.2, 0.1))
    volts = [(p := ramp_plan("tanh", d, PROFILE, 1)).program().volts_per_unit(p.circuit) for d in (high, low)]
    assert volts[0] == pytest.approx(2 * volts[1], rel=0.02)
    assert high.v_swing == 2 * low.v_swing


def test_the_default_is_the_simulated_circuit_on_arrays_of_64(network):
    design = design_of(SPACE.default, PROFILE, network)
    assert circuit_of(design) == RampCircuit()
    assert device_of(design, PROFILE) is PROFILE
    assert (design.max_rows, design.max_columns) == (32, 64)


def test_the_weight_range_is_the_largest_weight_times_its_input(network):
    # Inputs up to 4, states up to 1, the bias driven with 1.
    scale = np.repeat([4.0, 1.0], [3, 6])
    assert design_of(SPACE.default, PROFILE, network).weight_range == pytest.approx(np.abs(network.weights * scale[:, None]).max())
