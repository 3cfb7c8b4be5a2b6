import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from characterization.plan.plan import CALIBRATIONS, RampPlan, Sampling, Variation
from characterization.plan.shapes import Shape
from characterization.plan.variation import CORRELATED
from netlists.errors import InputError
from netlists.outside.subcircuit import UserSubcircuit
from netlists.ramp.chips import Chips
from netlists.ramp.closed_form import transition_levels
from netlists.technology.conditions import Pvt, circuit_at
from netlists.technology.parameters import RampCircuit
from netlists.technology.profile import load_profile, profile_names

HARD = ".subckt hard inp inn out com\nb1 out com v = 1 + tanh(1e4 * v(inp, inn))\n.ends\n"


@pytest.mark.parametrize("name", profile_names())
def test_a_plan_survives_json(name):
    plan = RampPlan(
        "tanh", 4, profile=load_profile(name), circuit=RampCircuit(v_read=0.15), variation=Variation(0.0, 1e-3, 2e-3), seed=3
    )
    copy = RampPlan.from_dict(json.loads(json.dumps(plan.as_dict())))
    assert copy == plan
    assert copy.sha256 == plan.sha256


def test_hash_depends_on_every_value_and_not_on_how_it_is_written(plan3):
    same = RampPlan("sigmoid", 3, circuit=RampCircuit(v_swing=1), seed=7)
    assert same.sha256 == plan3.sha256
    zero = [RampPlan("sigmoid", 3, variation=Variation(z, z, z)) for z in (0, 0.0)]
    assert zero[0].sha256 == zero[1].sha256
    others = [
        RampPlan("tanh", 3, seed=7),
        RampPlan("sigmoid", 4, seed=7),
        RampPlan("sigmoid", 3, seed=8),
        RampPlan("sigmoid", 3, seed=7, cells="switch"),
        RampPlan("sigmoid", 3, seed=7, level="ideal"),
        RampPlan("sigmoid", 3, seed=7, n_calibration=3),
        RampPlan("sigmoid", 3, seed=7, scheme="split"),
        RampPlan("sigmoid", 3, seed=7, circuit=RampCircuit(gbw=2e9)),
        RampPlan("sigmoid", 3, seed=7, calibration="none"),
        RampPlan("sigmoid", 3, seed=7, conditions=Pvt("ss")),
        RampPlan("sigmoid", 3, seed=7, wire_resistance=1.0),
        RampPlan("sigmoid", 3, seed=7, sampling=Sampling("sobol")),
        RampPlan("sigmoid", 3, seed=7, conversions=False),
        RampPlan("sigmoid", 3, seed=7, variation=Variation(comparator_noise_shape=Shape("uniform"))),
    ]
    assert len({p.sha256 for p in [plan3, *others]}) == len(others) + 1


def test_numpy_numbers_make_the_same_plan(plan3):
    assert RampPlan("sigmoid", np.int64(3), n_calibration=np.int32(5), seed=7).sha256 == plan3.sha256


def test_differences_name_the_field(plan3):
    other = RampPlan("sigmoid", 3, circuit=RampCircuit(a0=2e4), variation=Variation(comparator_noise=1e-3), seed=7)
    assert plan3.differences(other) == ["circuit.a0: 3780.4 != 20000.0", "variation.comparator_noise: 0.0001678 != 0.001"]
    assert plan3.differences(plan3) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"activation": "gelou"}, "activation='gelou'"),
        ({"level": "sky"}, "level='sky'"),
        ({"cells": "mos"}, "cells='mos'"),
        ({"scheme": "x"}, "scheme='x'"),
        ({"conditions": Pvt("tt", 126.0)}, "temperature=126: the blocks were measured from -40 to 125 C"),
        ({"conditions": Pvt("ss"), "level": "ideal"}, "have no effect at level ideal"),
        ({"conditions": Pvt("ss"), "level": "sky130"}, "level sky130 simulates a ramp column at tt, 27 C, 1.8 V only"),
        ({"conditions": Pvt("ss"), "circuit": RampCircuit()}, "circuit a0=3780.4: is that of tt, 27 C, 1.8 V"),
    ],
)
def test_bad_plans(change, message):
    with pytest.raises(InputError, match=message):
        RampPlan(**({"activation": "sigmoid", "bits": 3} | change))


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d.pop("profile"),
        lambda d: d.pop("activation"),
        lambda d: d.update(extra=1),
        lambda d: d.update(profile=3),
        lambda d: d.update(circuit=[]),
        lambda d: d["circuit"].update(a0=-1),
        lambda d: d["circuit"].update(gain=1),
        lambda d: d["variation"].update(opamp_offset="x"),
        lambda d: d.update(bits="3"),
        lambda d: d.update(activation=["sigmoid"]),
        lambda d: d.update(conditions="ss"),
        lambda d: d.update(conditions={"corner": "xx"}),
        lambda d: d.update(sampling={"method": "halton"}),
        lambda d: d.update(sampling={"way": "random"}),
        lambda d: d["variation"].update(opamp_offset_shape={"kind": "gauss"}),
        lambda d: d["variation"].update(opamp_offset_shape="normal"),
        lambda d: d["variation"].update(correlations=[["opamp_offset"]]),
        lambda d: d["variation"].update(correlations=3),
        lambda d: d.update(calibration="auto"),
    ],
)
def test_damaged_plans_are_refused(damage, plan3):
    data = json.loads(json.dumps(plan3.as_dict()))
    damage(data)
    with pytest.raises(InputError):
        RampPlan.from_dict(data)


@pytest.mark.parametrize("data", ["text", 3, None, [1]])
def test_a_plan_that_is_no_table(data):
    with pytest.raises(InputError, match="plan: must be a table of fields"):
        RampPlan.from_dict(data)


def test_conditions_bring_their_own_circuit_and_noise():
    plan = RampPlan("sigmoid", 3, conditions=Pvt("ss", 125.0, 1.62))
    assert plan.circuit == circuit_at(Pvt("ss", 125.0, 1.62))
    assert plan.circuit.v_dd == 1.62
    assert plan.variation == Variation.measured(plan.conditions) != Variation()
    moved = replace(plan, conditions=Pvt("ff"), circuit=None, variation=None)
    assert moved == RampPlan("sigmoid", 3, conditions=Pvt("ff"))
    with pytest.raises(InputError, match=r"circuit v_dd=1\.62: the conditions .* have another supply"):
        replace(plan, conditions=Pvt("ff"))


def test_cells_keep_the_program_of_nominal_conditions(plan3):
    hot = replace(plan3, conditions=Pvt("ss", 125.0, 1.62), circuit=None, variation=None)
    np.testing.assert_array_equal(hot.program().conductance, plan3.program().conductance)
    levels = transition_levels(hot.program(), hot.circuit, Chips.nominal(hot.program()))
    nominal = transition_levels(hot.program(), plan3.circuit, Chips.nominal(hot.program()))
    assert np.abs(levels - nominal).max() > 1e-4


def test_a_block_of_ones_own_has_nominal_conditions_only():
    own = UserSubcircuit("hard", HARD, ("inp", "inn", "out", "com"), ())
    RampPlan("sigmoid", 2, comparator=own)
    with pytest.raises(InputError, match="not a block of your own"):
        RampPlan("sigmoid", 2, comparator=own, conditions=Pvt("ss"))


def test_a_plan_written_before_a_field_existed_can_be_read(plan3):
    data = plan3.as_dict()
    for name in ("calibration", "conditions", "wire_resistance", "sampling", "conversions"):
        del data[name]
    data["variation"] = {k: data["variation"][k] for k in ("opamp_offset", "comparator_offset", "comparator_noise")}
    assert RampPlan.from_dict(data) == plan3


SHAPED = st.one_of(
    st.sampled_from([Shape(), Shape("uniform")]),
    st.builds(lambda x: Shape("truncated-normal", limit=x), st.floats(0.1, 6)),
    st.builds(lambda x: Shape("student-t", dof=x), st.floats(2.1, 30)),
)
VARIATIONS = st.builds(
    Variation,
    opamp_offset=st.floats(0, 1e-2),
    conductance_gain=st.floats(0, 0.1),
    programming_length=st.floats(0, 10),
    comparator_offset_shape=SHAPED,
    comparator_noise_shape=SHAPED,
    correlations=st.lists(
        st.tuples(st.just(CORRELATED[0]), st.sampled_from(CORRELATED[1:]), st.floats(-0.6, 0.6)),
        unique_by=lambda row: row[1],
        max_size=2,
    ).map(tuple),
)


@settings(max_examples=40)
@given(
    activation=st.sampled_from(["sigmoid", "tanh", "softsign"]),
    bits=st.integers(2, 4),
    seed=st.integers(0, 2**70),
    calibration=st.sampled_from(CALIBRATIONS),
    conditions=st.builds(Pvt, st.sampled_from(["tt", "ss", "ff"]), st.floats(-40, 125), st.floats(1.62, 1.98)),
    wire=st.floats(0, 10),
    sampling=st.one_of(
        st.sampled_from([Sampling(), Sampling("sobol")]), st.builds(Sampling, st.just("latin-hypercube"), st.integers(2))
    ),
    conversions=st.booleans(),
    variation=st.none() | VARIATIONS,
)
def test_any_plan_survives_json(activation, bits, seed, calibration, conditions, wire, sampling, conversions, variation):
    plan = RampPlan(
        activation,
        bits,
        seed=seed,
        calibration=calibration,
        conditions=conditions,
        wire_resistance=wire,
        sampling=sampling,
        conversions=conversions,
        variation=variation,
    )
    copy = RampPlan.from_dict(json.loads(json.dumps(plan.as_dict())))
    assert copy == plan
    assert copy.sha256 == plan.sha256
    assert copy.differences(plan) == []


def test_a_program_is_compiled_once_for_all_plans_that_share_it(plan3):
    """Whether a plan was copied with another seed, read from a file or sent to another process; and nobody can change it."""
    read = RampPlan.from_dict(json.loads(json.dumps(plan3.as_dict())))
    for plan in (replace(plan3, seed=99), read, pickle.loads(pickle.dumps(plan3))):  # noqa: S301
        assert plan.program() is plan3.program()
    assert hash(read) == hash(plan3)
    assert "converter" in vars(plan3)
    assert "converter" not in plan3.__getstate__()
    with pytest.raises(ValueError, match="read-only"):
        plan3.program().conductance[0] = 1e-3
