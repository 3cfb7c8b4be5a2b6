import json
from dataclasses import asdict

import numpy as np
import pytest

from characterization.plan.shapes import Shape
from characterization.plan.variation import CORRELATED, Variation
from netlists.checks import made_of
from netlists.errors import InputError
from netlists.technology.conditions import Pvt

NUMBERS = ["opamp_offset", "comparator_offset", "comparator_noise", "opamp_noise", "conductance_gain", "programming_length"]


def test_every_source_says_its_level_unit_and_origin():
    rows = Variation.describe()
    assert [r["name"] for r in rows] == NUMBERS
    assert all(r["unit"] and r["meaning"] and r["source"] for r in rows)
    assert [r["level"] for r in rows] == ["chip", "column", "decision", "decision", "chip", "column"]


def test_what_has_no_published_source_is_off_by_default_and_called_an_assumption():
    for row in Variation.describe():
        assert (row["source"] == "assumption") == (row["default"] == 0.0)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("opamp_offset", "opamp_offset", 0.1)], "must be two sources"),
        ([("opamp_offset", "conductance_gain", 0.1), ("conductance_gain", "opamp_offset", 0.2)], "each pair once"),
        (
            [
                ("opamp_offset", "conductance_gain", 0.9),
                ("opamp_offset", "comparator_offset", 0.9),
                ("conductance_gain", "comparator_offset", -0.9),
            ],
            "contradict each other",
        ),
    ],
)
def test_bad_correlations(rows, message):
    with pytest.raises(InputError, match=message):
        Variation(correlations=tuple(rows))


def test_correlations_have_one_order():
    a = Variation(correlations=(("comparator_offset", "opamp_offset", 0.5), ("conductance_gain", "opamp_offset", 0.1)))
    b = Variation(correlations=[["opamp_offset", "conductance_gain", 0.1], ["opamp_offset", "comparator_offset", 0.5]])
    assert a == b
    np.testing.assert_array_equal(a.correlation_matrix(), [[1, 0.1, 0.5], [0.1, 1, 0], [0.5, 0, 1]])
    assert len(CORRELATED) == 3


def test_json_round_trip():
    v = Variation(comparator_offset_shape=Shape("student-t", dof=5), correlations=(("opamp_offset", "comparator_offset", 0.3),))
    assert made_of(Variation, json.loads(json.dumps(asdict(v))), "variation") == v


def test_noise_follows_the_conditions():
    assert Variation.measured(Pvt()) == Variation()
    hot = Variation.measured(Pvt("tt", 125, 1.98))
    assert hot.comparator_noise == pytest.approx(0.000208485, rel=1e-4)  # results/blocks/comparator.csv
    assert hot.opamp_offset == Variation().opamp_offset
