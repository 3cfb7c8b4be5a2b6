"""A user's comparator on the benches: figures that its equations give, spread that it was given, and a macro-model that is it."""

from __future__ import annotations

import numpy as np
import pytest

from characterization.chips import without_randomness
from characterization.transistors import check_macro, macro_of, measure_own_comparator
from characterization.transistors.comparator import ComparatorFigures, measure_offsets
from characterization.transistors.own_block import _not_at_trip
from netlists.errors import SimulationError
from netlists.outside import UserSubcircuit
from netlists.technology import RampCircuit
from netlists.testbench import BenchConditions, BlockOnBench

NOMINAL = BenchConditions("-")
PORTS = ("inp", "inn", "out", "com")


def own(text: str, ports=PORTS) -> UserSubcircuit:
    head, _, _ = text.partition("\n")
    assert head.startswith(".subckt mine")
    return UserSubcircuit("mine", text, ports, ())


def macro_like(gain=20.0, tau=2e-9, offset="3m+5m*(v(inn)-0.9)", more="") -> UserSubcircuit:
    card = f"b1 com out i={{0.9*tanh({gain}/0.9*(v(inp)-v(inn)+{offset}))}}"
    return own(f".subckt mine inp inn out com\n{more}{card}\nr1 out com 1\nc1 out com {tau}\n.ends\n")


@pytest.fixture(scope="module")
def measured():
    return measure_own_comparator(macro_like(), NOMINAL, [BenchConditions("-", 85.0, 1.62)], samples=4, seed=1)


def test_figures_are_those_of_its_equations(measured):
    f = measured.figures[0]
    assert f["offset"] == pytest.approx(3e-3, abs=2e-6)
    assert f["gain"] == pytest.approx(20, rel=1e-3)
    assert abs(f["hysteresis"]) < 1e-6
    over = {r["common_mode"]: r["offset"] for r in measured.common_modes if r["v_dd"] == 1.8}
    for common_mode, offset in over.items():
        assert offset == pytest.approx(3e-3 + 5e-3 * (common_mode - 0.9), abs=5e-6)
    # The closed form of its one pole, from where 100 mV on the other side have put it.
    for r in measured.delays[:7]:
        start = np.tanh(20 * 0.1 / 0.9)
        exact = 2e-9 * np.log1p(start / np.tanh(20 * r["overdrive"] / 0.9))
        assert r["delay_rise"] == pytest.approx(exact, rel=0.03)
    assert len(measured.figures) == 2


def test_nothing_is_claimed_that_was_not_measured(measured):
    assert measured.mismatch is None
    assert any("offset sigma is not known" in line for line in measured.warnings)
    # All the noise there is: thermal noise of 1 ohm at the output, through 2 nF.
    assert measured.figures[0]["noise"] == pytest.approx(np.sqrt(1.380649e-23 * 300.15 / 2e-9) / 20, rel=0.02)


def test_the_macro_model_is_the_block(measured):
    macro, fit = macro_of(measured, NOMINAL)
    assert macro.gain == pytest.approx(20, rel=0.15)
    assert macro.tau == pytest.approx(2e-9, rel=0.1)
    assert fit["worst"] < 0.1
    found = check_macro(macro_like(), macro, RampCircuit(), 3e-3, chips=2, bits=2)
    assert found.largest < 0.002
    # A check that can fail: a block whose offset is another one than the macro-model was given on the nominal chip.
    bent = macro_like(offset="3m+6m*sin(100*v(inn))")
    assert check_macro(bent, macro, RampCircuit(), 3e-3, chips=2, bits=2).largest > 0.002


def test_randomness_of_its_text_is_measured_and_taken_out():
    block = macro_like(offset="off", more=".param off={agauss(1m, 15m, 3)+aunif(0,0)}\n")
    quiet = without_randomness(block)
    assert "gauss" not in quiet.text
    assert ".param off={(1m)+(0)}" in quiet.text
    # A comma of a function within is not the end of the nominal value.
    nested = macro_like(offset="off", more=".param off={agauss(max(1m, 2m), 15m, 3)+gauss(min(3m, gauss(4m, 1, 3)), 1, 3)}\n")
    assert ".param off={(max(1m, 2m))+(min(3m, (4m)))}" in without_randomness(nested).text
    found = measure_own_comparator(block, NOMINAL, [], samples=60, seed=1)
    assert found.mismatch["sigma_low"] < 5e-3 < found.mismatch["sigma_high"]
    assert found.mismatch["mean_low"] < 1e-3 < found.mismatch["mean_high"]
    assert found.figures[0]["offset"] == pytest.approx(1e-3, abs=2e-6)
    again = measure_own_comparator(block, NOMINAL, [], samples=60, seed=1)
    assert again.offsets == found.offsets


def test_what_cannot_be_measured_is_said():
    with pytest.raises(SimulationError, match="does not change sides within 50 mV"):
        measure_own_comparator(macro_like(offset="60m"), NOMINAL, [], samples=2, seed=1)
    # Elsewhere it is a row of NaN and a warning.
    fails = macro_like(offset="0.4*(1.8-v(vdd))", more="").text.replace("out com\n", "out com vdd\n", 1)
    found = measure_own_comparator(own(fails, (*PORTS, "vdd")), NOMINAL, [BenchConditions("-", 27.0, 1.5)], samples=2, seed=1)
    assert np.isnan(found.figures[1]["offset"])
    assert any("fails at 27 C, 1.5 V" in line for line in found.warnings)


def test_two_stages_are_found_again_from_their_responses():
    """Responses of a known two-stage amplifier, computed by its nodal equations here, give a model with the same responses."""
    from characterization.transistors import fit_opamp, two_stage_response
    from characterization.transistors.own_opamp import MeasuredOpamp

    gm1, r1, c1, cc, rz, gm2, ro, co = 0.9e-3, 57e3, 1.2e-12, 1e-12, 500.0, 5.4e-3, 13e3, 0.5e-12
    f = np.geomspace(10, 1e10, 200)
    gain, z = np.empty((2, len(f)), complex)
    for i, s in enumerate(2j * np.pi * f):
        for out, load, drive in ((gain, 1e-12 + 7e-12 * 0.3e-12 / 7.3e-12, (-gm1, 0)), (z, 0.0, (0, 1))):
            y = 1 / (rz + 1 / (s * cc))
            matrix = [[1 / r1 + s * c1 + y, -y], [gm2 - y, 1 / ro + s * (co + load) + y]]
            out[i] = np.linalg.solve(matrix, drive)[1]
    figures = {"gain": abs(gain[0]), "gbw": gm1 / (2 * np.pi * cc), "r_out": abs(z[0]), "slew": 95e6, "offset": 1e-3}
    rows = [
        {"frequency": a, "gain_re": b.real, "gain_im": b.imag, "z_re": c.real, "z_im": c.imag}
        for a, b, c in zip(f, gain, z, strict=True)
    ]
    macro, fit = fit_opamp(MeasuredOpamp([figures], [], rows, None, ()))
    assert fit["worst"] < 0.02
    found = two_stage_response(macro, f[f < 1e9])
    for ours, true in zip(found, (gain, z), strict=True):
        np.testing.assert_allclose(ours, true[f < 1e9], rtol=0.05)
    assert macro.offset == -1e-3


def test_both_trip_points_of_hysteresis_are_found_and_overdrives_count_from_them():
    """A loop of gain 10 around the output: 3.067 mV of hysteresis in closed form, more than the least overdrives."""
    card = "b1 s com v={0.9*tanh(5k*(v(inp,inn)-1m+2m*v(out,com)/0.9))}"
    block = own(f".subckt mine inp inn out com\n{card}\nr1 s out 1k\nc1 out com 0.7p\n.ends\n")
    found = measure_own_comparator(block, NOMINAL, [], samples=2, seed=1)
    turn = np.sqrt(0.9)
    exact = 2 * (2e-3 * turn - np.arctanh(turn) / 5e3)
    assert found.figures[0]["hysteresis"] == pytest.approx(exact, abs=40e-6)
    assert found.figures[0]["offset"] == pytest.approx(-1e-3, abs=20e-6)
    assert found.delays[0]["overdrive"] == 1e-3
    assert all(0 < r["delay_rise"] < 5e-9 for r in found.delays)
    assert any("3.07 mV of hysteresis" in line for line in found.warnings)


def test_a_switch_has_no_small_signal_figures_and_says_so():
    text = ".subckt mine inp inn out vdd vss\ns1 out vdd inp inn sw\nr1 out vss 10k\nc1 out vss 20f\n.ends\n"
    text += ".model sw sw vt=2m vh=1m ron=100 roff=1g\n"
    found = measure_own_comparator(own(text, ("inp", "inn", "out", "vdd", "vss")), NOMINAL, [], samples=2, seed=1)
    assert found.figures[0]["offset"] == pytest.approx(-2e-3, abs=40e-6)
    assert found.figures[0]["hysteresis"] == pytest.approx(2e-3, abs=60e-6)
    assert np.isnan(found.figures[0]["noise"])
    assert any("no gain and noise at 27 C, 1.8 V: its gain there is 0" in line for line in found.warnings)


def test_offsets_of_swept_instances_are_the_middle_of_both_trip_points():
    text = ".subckt mine inp inn out vdd vss\ns1 out vdd inp inn sw\nr1 out vss 10k\n.ends\n"
    text += ".model sw sw vt=2m vh=4m ron=100 roff=1g\n"
    block = BlockOnBench.of(own(text, ("inp", "inn", "out", "vdd", "vss")))
    _, offsets = measure_offsets(block, 2, np.random.default_rng(1), NOMINAL, swept=True, hysteresis=8e-3)
    assert offsets == pytest.approx(-2e-3, abs=0.3e-3)


def test_small_signal_figures_beside_the_trip_point_are_none():
    """Fed back, the output settles at 5 mV; beside hysteresis of 3 mV, that is no more than 1 mV from a trip point at 2 mV."""
    small = ComparatorFigures.at(NOMINAL, 0.9, 5e-3, 100.0, 1e9, 1e-4, 1e-6, 1e-6, 1e-6)
    assert _not_at_trip(small, 4.5e-3, 0.0) == ""
    assert _not_at_trip(small, 2e-3, 3e-3) == ""
    assert "settles 3 mV from the trip point" in _not_at_trip(small, 2e-3, 0.0)
