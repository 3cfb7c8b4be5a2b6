import json
import math

import numpy as np
import pytest

from characterization.plan import RampPlan, Variation
from netlists.devices import load_profile, profile_names
from netlists.errors import InputError
from netlists.parameters import RampCircuit


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
    ]
    assert len({p.sha256 for p in [plan3, *others]}) == len(others) + 1


def test_numpy_numbers_make_the_same_plan(plan3):
    assert RampPlan("sigmoid", np.int64(3), n_calibration=np.int32(5), seed=7).sha256 == plan3.sha256


def test_differences_name_the_field(plan3):
    other = RampPlan("sigmoid", 3, circuit=RampCircuit(a0=2e4), variation=Variation(comparator_noise=1e-3), seed=7)
    assert plan3.differences(other) == ["circuit.a0: 3780.4 != 20000.0", "variation.comparator_noise: 0.0001678 != 0.001"]
    assert plan3.differences(plan3) == []


@pytest.mark.parametrize("name", ["opamp_offset", "comparator_offset", "comparator_noise"])
@pytest.mark.parametrize("value", [-1e-3, math.nan, math.inf, "1", None, True])
def test_bad_variation(name, value):
    with pytest.raises(InputError, match=f"variation {name}="):
        Variation(**{name: value})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"activation": "gelou"}, "activation='gelou'"),
        ({"bits": 9}, "bits=9"),
        ({"bits": True}, "bits=True"),
        ({"level": "sky"}, "level='sky'"),
        ({"cells": "mos"}, "cells='mos'"),
        ({"scheme": "x"}, "scheme='x'"),
        ({"n_calibration": 0}, "n_calibration=0"),
        ({"seed": -1}, "seed=-1: must be a whole number, 0 or more"),
        ({"seed": 1.5}, "seed=1.5"),
        ({"seed": True}, "seed=True"),
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
