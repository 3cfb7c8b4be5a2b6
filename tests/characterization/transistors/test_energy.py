"""Energy from SPICE against closed forms, and against ``ngspice -b`` on the same deck."""

import re
import tomllib

import numpy as np
import pytest

from characterization.transistors import energy
from netlists.array.pwm import Pwm
from netlists.errors import InputError
from netlists.spice.deck import Deck
from netlists.spice.program import run_batch
from netlists.technology.parameters import RampCircuit
from netlists.testbench.energy import EnergyBench, mac_bench, ramp_bench

CIRCUIT = RampCircuit()


def mac(v_read=0.2, level="macro"):
    return energy.measure_mac(level, CIRCUIT.with_(v_read=v_read))


def test_a_constant_current_is_v_i_t():
    bench = EnergyBench(Deck("t\n"), {"a": {"va": "na", "vb": "nb"}}, {"vb": 0.9}, {"whole": (0.0, 4.0), "part": (1.0, 1.5)})
    t = np.array([0.0, 1.0, 2.5, 4.0])
    # 2 W and (1.1 - 0.9) V times 5 A out of the sources.
    waves = {"time": t, "na": np.full(4, 2.0), "va#branch": np.full(4, -1.0), "nb": np.full(4, 1.1), "vb#branch": np.full(4, -5.0)}
    assert energy.integrate(bench, waves) == pytest.approx({("a", "whole"): 12.0, ("a", "part"): 1.5})


def test_ideal_cells_take_v2_g_t():
    (row,) = mac(level="ideal")
    codes, pairs = np.array(energy.CODES), 1e-6 * np.array(energy.PAIRS_US).sum(axis=1)
    assert row.bound == pytest.approx(0.04 * np.sum(pairs * np.abs(codes)) * 40e-9)
    assert row.energy == pytest.approx(row.bound, rel=1e-3)
    assert row.within


@pytest.mark.parametrize("level", ["ideal", "macro"])
def test_half_the_read_voltage_is_a_quarter(level):
    program = energy.default_program(3)
    for measure in (mac, lambda v, level: energy.measure_ramp(level, CIRCUIT.with_(v_read=v), program, 0.9)):
        for full, half in zip(measure(0.2, level), measure(0.1, level), strict=True):
            assert half.energy == pytest.approx(full.energy / 4, rel=2e-3)


def test_ramp_cells_charge_the_capacitor():
    """Charge times V_read: the ramp spans v_swing on C_f, and the cells saw V_read while they charged it."""
    program = energy.default_program(4)
    _, ramp = energy.measure_ramp("ideal", CIRCUIT, program, 0.9)
    c_f = program.feedback_capacitance(CIRCUIT)
    assert ramp.energy == pytest.approx(CIRCUIT.v_read * c_f * CIRCUIT.v_swing, rel=2e-3)


def test_ngspice_b_integrates_the_same_energy(tmp_path):
    """The row sources are at com or com +- v_read: energy is v_read times charge, which `meas integ` gives."""
    pwm, codes, pairs = Pwm(), np.array([7, -3]), np.array([[200e-6, 100e-6], [100e-6, 300e-6]])
    bench = mac_bench("macro", CIRCUIT, pwm, codes, pairs, c_f=40e-12)
    found = energy.run(bench)["cells", "mac"]
    rows = bench.sources["cells"]
    control = "run\n" + "\n".join(f"meas tran q_{r} integ i({r}) from=40n to=660n" for r in rows) + "\nquit"
    printed = run_batch(Deck(bench.deck.circuit, control).write(tmp_path / "deck.cir"))
    charge = [abs(float(q)) for q in re.findall(r"^q_vrow\S+\s*=\s*(\S+)", printed, re.MULTILINE)]
    assert len(charge) == 4
    assert found == pytest.approx(0.2 * sum(charge), rel=2e-3)


def test_macro_models_draw_nothing_from_a_supply():
    assert {r.block for r in mac()} == {"cells"}
    assert {r.block for r in energy.measure_ramp("macro", CIRCUIT, energy.default_program(3), 0.9)} == {"ramp cells"}


@pytest.mark.slow
def test_transistor_blocks_hold_their_bounds():
    rows = energy.measure_mac("sky130", CIRCUIT) + energy.measure_gates(CIRCUIT)
    assert {r.block for r in rows} == {"cells", "integrator", "driver", "hold switch"}
    assert all(r.within for r in rows), [r for r in rows if not r.within]
    integrator = next(r for r in rows if r.block == "integrator" and r.window == "hold")
    # 26 times 20 uA from 1.8 V, mirrored with a few per cent and more of error.
    assert integrator.power == pytest.approx(1.8 * 26 * 20e-6, rel=0.2)
    quarter = energy.measure_mac("sky130", CIRCUIT.with_(v_read=0.1))[0].energy / rows[0].energy
    assert quarter == pytest.approx(0.25, abs=0.006)


def test_mismatch_moves_the_power_a_little_and_comes_again():
    first, second, again = energy.measure_mismatch(CIRCUIT, (3, 4, 3))
    assert first.energy == again.energy != second.energy
    assert first.power == pytest.approx(second.power, rel=0.2)


@pytest.mark.slow
def test_a_transistor_conversion_holds_its_bounds():
    rows = energy.measure_ramp("sky130", CIRCUIT, energy.default_program(3), 0.9)
    assert {r.block for r in rows} == {"ramp cells", "integrator", "comparator", "latch and counter", "clocks"}
    assert all(r.within for r in rows), [r for r in rows if not r.within]


def row(block, condition="", level="sky130", value=2e-12):
    return energy.BlockEnergy(block, level, "ramp", 0.2, value, 64e-9, 1e-12, "at least: a test", condition)


def test_figures_are_means_over_conditions_and_are_written(tmp_path):
    blocks = ("integrator", "comparator", "latch and counter", "clocks", "driver", "hold switch")
    rows = [row(b) for b in blocks] + [row("integrator", value=4e-12), row("integrator", "mismatch, seed 3", value=1.0)]
    rows.append(row("comparator", level="macro", value=1.0))
    found = energy.measured_figures(rows)
    assert found["integrator_power"] == (pytest.approx(3e-12 / 64e-9), "W")
    assert found["comparator_power"][0] == pytest.approx(2e-12 / 64e-9)
    # Two ramp steps of 32 ns; two pulses.
    assert found["counter_energy"][0] == pytest.approx(1e-12)
    assert found["driver_energy"][0] == pytest.approx(1e-12)
    path = energy.write_measured(found, tmp_path / "measured.toml")
    written = tomllib.loads(path.read_text())
    assert {n: pytest.approx(e["value"], rel=1e-4) for n, e in written.items()} == {n: v for n, (v, _) in found.items()}


def test_rows_come_back_from_tables():
    assert energy.BlockEnergy.from_row(row("cells").as_row()) == row("cells")


def test_bounds_are_checked():
    assert row("a").within
    assert not energy.BlockEnergy("a", "ideal", "w", 0.2, 0.9, 1.0, 1.0, "at least: x", "").within
    assert not energy.BlockEnergy("a", "ideal", "w", 0.2, 1.1, 1.0, 1.0, "at most: x", "").within
    assert not energy.BlockEnergy("a", "ideal", "w", 0.2, 1.01, 1.0, 1.0, "equal: x", "", sag=0.1).within
    assert energy.BlockEnergy("a", "ideal", "w", 0.2, 0.95, 1.0, 1.0, "equal: x", "", sag=0.1).within


def test_bad_inputs_are_named():
    with pytest.raises(InputError, match="'comparator' at level sky130"):
        energy.measured_figures([row("integrator")])
    with pytest.raises(InputError, match="conductance"):
        mac_bench("macro", CIRCUIT, Pwm(), np.array([1]), np.array([[1e-4, 0.0]]), c_f=1e-12)
    with pytest.raises(InputError, match=r"inputs\[0\]=16"):
        mac_bench("macro", CIRCUIT, Pwm(), np.array([16]), np.full((1, 2), 1e-4), c_f=1e-12)
    with pytest.raises(InputError, match="level='spice': unknown"):
        ramp_bench("spice", energy.default_program(3), CIRCUIT, 0.9)
    with pytest.raises(InputError, match="bits=6: the counter of level sky130 counts to 5 bits"):
        ramp_bench("sky130", energy.default_program(6), CIRCUIT, 0.9)
