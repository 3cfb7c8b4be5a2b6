import csv
import math
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from netlists.errors import InputError
from netlists.technology.conditions import (
    NOMINAL,
    Pvt,
    as_designed,
    check_circuit,
    circuit_at,
    comparator_noise_at,
    measured_points,
)
from netlists.technology.parameters import MEASURED, RampCircuit
from netlists.technology.pdk import CORNERS

BLOCKS = Path(__file__).parents[3] / "results" / "blocks"


def rows(name):
    with (BLOCKS / f"{name}.csv").open() as f:
        return {(r["corner"], float(r["temperature"]), float(r["v_dd"]), r.get("common_mode")): r for r in csv.DictReader(f)}


def test_nominal_conditions_give_the_defaults_to_the_bit():
    assert circuit_at(NOMINAL) == RampCircuit()
    assert comparator_noise_at(NOMINAL) == MEASURED["statistics"]["comparator_noise_sigma"]


def test_every_measured_point_gives_what_was_measured():
    ota, integrator, comparator = rows("ota"), rows("integrator"), rows("comparator")
    points = measured_points()
    assert len(points) == 25
    assert {p.corner for p in points} == set(CORNERS)
    for p in points:
        key = (p.corner, p.temperature, p.supply)
        found = circuit_at(p)
        assert found.v_dd == p.supply
        assert found.a0 == pytest.approx(float(ota[*key, None]["gain"]), rel=1e-4)
        assert found.gbw == pytest.approx(float(ota[*key, None]["gbw"]), rel=1e-4)
        slopes = [float(ota[*key, None][f"slew_{side}"]) for side in ("rise", "fall")]
        assert found.slew == pytest.approx(min(slopes), rel=1e-4)
        assert found.r_reset == pytest.approx(float(integrator[*key, None]["r_reset"]), rel=1e-4)
        assert found.c_inject == pytest.approx(float(integrator[*key, None]["c_inject"]), rel=1e-4)
        assert found.comparator_limit == pytest.approx(min(0.9, p.supply - 0.9))
        assert comparator_noise_at(p) == pytest.approx(float(comparator[*key, "0.9"]["noise"]), rel=1e-4)


@given(
    corner=st.sampled_from(CORNERS),
    temperature=st.floats(-40, 125),
    supply=st.floats(1.62, 1.98),
)
def test_between_measured_points_values_stay_between_theirs(corner, temperature, supply):
    found = circuit_at(Pvt(corner, temperature, supply))
    measured = [circuit_at(p) for p in measured_points() if p.corner == corner]
    for name in MEASURED["circuit"]:
        values = [getattr(m, name) for m in measured]
        assert min(values) * (1 - 1e-9) <= getattr(found, name) <= max(values) * (1 + 1e-9)


def test_half_way_between_two_measured_points_is_their_geometric_mean():
    ends = [circuit_at(Pvt("ss", 125.0, v)) for v in (1.62, 1.98)]
    middle = circuit_at(Pvt("ss", 125.0, 1.8))
    assert middle.a0 == pytest.approx(math.sqrt(ends[0].a0 * ends[1].a0), rel=1e-9)


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        (("tt", 126.0, 1.8), "temperature=126: the blocks were measured from -40 to 125 C"),
        (("tt", -41.0, 1.8), "temperature=-41"),
        (("ff", 27.0, 2.0), "supply=2: the blocks were measured from 1.62 to 1.98 V"),
        (("ff", 27.0, 1.2), "supply=1.2"),
    ],
)
def test_outside_the_measured_range(conditions, message):
    with pytest.raises(InputError, match=message):
        circuit_at(Pvt(*conditions))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"corner": "xx"}, "corner='xx': unknown; allowed are tt, ss, ff, sf, fs"),
        ({"temperature": math.nan}, "temperature=nan: must be a finite number"),
        ({"temperature": "27"}, "temperature='27'"),
        ({"supply": math.inf}, "supply=inf"),
        ({"supply": True}, "supply=True"),
        ({"supply": None}, "supply=None"),
    ],
)
def test_bad_conditions(values, message):
    with pytest.raises(InputError, match=message):
        Pvt(**values)


def test_a_circuit_of_other_conditions_is_noticed():
    slow = Pvt("ss", 27.0, 1.8)
    check_circuit(circuit_at(slow), slow)
    check_circuit(circuit_at(slow).with_(a0=1e4), slow)
    check_circuit(RampCircuit(v_dd=1.5, a0=1e4), NOMINAL)
    with pytest.raises(InputError, match=r"circuit a0=3780\.4: is that of tt, 27 C, 1.8 V, but the conditions are ss, 27 C"):
        check_circuit(RampCircuit(), slow)
    with pytest.raises(InputError, match=r"is that of ss, 27 C, 1\.8 V"):
        check_circuit(circuit_at(slow), Pvt("ff", 85.0, 1.8))
    with pytest.raises(InputError, match=r"circuit v_dd=1.8: the conditions \(ss, 27 C, 1.7 V\) have another supply"):
        check_circuit(circuit_at(slow), Pvt("ss", 27.0, 1.7))


def test_the_design_is_the_nominal_circuit_with_what_was_set_by_hand():
    hot = Pvt("sf", 100.0, 1.7)
    assert as_designed(circuit_at(hot), hot) == RampCircuit()
    changed = {"v_read": 0.15, "a0": 9e3, "t_pulse": 20e-9}
    assert as_designed(circuit_at(hot).with_(**changed), hot) == RampCircuit(**changed)
    own = RampCircuit(v_dd=1.5, gbw=1e9)
    assert as_designed(own, NOMINAL) == own


def test_a_data_file_without_corners_is_refused(monkeypatch):
    monkeypatch.delitem(MEASURED, "corners")
    assert circuit_at(NOMINAL) == RampCircuit()
    with pytest.raises(InputError, match="has no corner table: run `cosim blocks`"):
        circuit_at(Pvt("sf", 11.0, 1.71))
