"""Noise of a clocked comparator against a closed form and ``.noise``: an RC, and an amplifier, before an ideal latch."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from characterization.transistors.clocked import clocked_trips, measure_clocked_noise
from netlists.errors import SimulationError
from netlists.spice import Deck
from netlists.testbench import BenchConditions, BlockOnBench, ListedInstance, run_bench

AT = BenchConditions("-")
PORTS = ("inp", "inn", "out", "clk", "vdd", "vss")
# Its q follows a - r while the clock is low and goes to a rail when it rises; nothing of it makes noise.
LATCH = """
.subckt ideal a r out clk vdd vss
bq q 0 i={-1e-3*(1-v(clk)/1.8)*(v(a)-v(r))*100-v(clk)/1.8*tanh(50*v(q))*20u+(1-v(clk)/1.8)*v(q)*1m}
cq q 0 2f
bl q 0 i={1n*v(q)}
bo out 0 v={0.9+0.9*tanh(20*v(q))}
.ends
"""
RC = """.subckt mine inp inn out clk vdd vss
r1 inp a 10k
c1 a 0 0.1p
x1 a inn out clk vdd vss ideal
.ends
"""
AMPLIFIER = """.subckt mine inp inn out clk vdd vss
it t 0 200u
m1 y inp t 0 nch W=10u L=0.5u
m2 x inn t 0 nch W=10u L=0.5u
r1 vdd x 5k
r2 vdd y 5k
c1 x 0 0.1p
c2 y 0 0.1p
x1 x y out clk vdd vss ideal
.ends
.model nch nmos level=1 vto=0.45 kp=300u lambda=0.05 kf={kf} af=1
"""


def noise_of(text: str, records: int, at: BenchConditions = AT) -> float:
    block = BlockOnBench("mine", LATCH + text, PORTS, "", ())
    trip = float(clocked_trips(block, at, [at.v_cm])[0])
    noise, others = measure_clocked_noise(block, at, trip, 0.3e-9, np.random.default_rng(1), records=records)
    assert not others
    return noise


@cache
def of_rc() -> float:
    return noise_of(RC, 96)


def test_a_resistor_and_a_capacitor_have_kt_over_c():
    kt = 1.380649e-23 * 300.15
    # 96 records know a deviation to 7 %.
    assert of_rc() == pytest.approx(np.sqrt(kt / 0.1e-12), rel=0.15)


@pytest.mark.slow
def test_noise_rises_with_temperature():
    hot = noise_of(RC, 96, BenchConditions("-", temperature=299.85))
    # The same random numbers: the ratio is far better known than either.
    assert hot / of_rc() == pytest.approx(np.sqrt(573.0 / 300.15), rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("kf", ["0", "1e-28"])
def test_an_amplifier_before_the_latch_has_the_noise_of_dot_noise(kf):
    text = AMPLIFIER.replace("{kf}", kf)
    bench = f"amplifier\n{LATCH}{text}.temp 27\nvdd vdd 0 1.8\nvclk clk 0 0\nvp inp 0 dc 0.9 ac 1\nvn inn 0 0.9\n"
    bench += "x0 inp inn out clk vdd 0 mine\nediff o 0 x0.x x0.y 1\n"
    control = "set wr_singlescale\nac dec 1 100 1k\nwrdata gain.txt vm(o)\nnoise v(o) vp dec 40 100 100g\nsetplot noise1\n"
    run = run_bench(Deck(bench, f"{control}wrdata density.txt onoise_spectrum\nquit"), ["gain", "density"], settings=())
    f, density = run["density"].T[:2]
    expected = np.sqrt(np.trapezoid(density**2, f)) / run["gain"][0, 1]
    assert noise_of(text, 64) == pytest.approx(expected, rel=0.2)


def test_elements_whose_noise_is_not_known_are_named():
    printed = " 1 : title\n 7 : q.xnz.x2.q1 xnz.a inp0 xnz.e npn\n 9 : r.xnz.r1 inp0 xnz.a 2k\n 10 : c.xnz.c1 xnz.a 0 1p\n"
    listed = ListedInstance.parse(printed)
    assert listed.others == ("q.xnz.x2.q1",)
    assert listed.noisy == (("r.xnz.r1", "inp0", "xnz.a"),)
    assert set(listed.nodes) == {"out0", "xnz.a", "xnz.e"}


def test_what_joins_held_ports_is_left_out_and_what_makes_no_noise_is_named():
    """A termination between the inputs, a bleeder across the supply, a resistor that is told to be silent."""
    more = "r7 inp inn 1k\nr8 vdd 0 10k\nr9 a 0 1meg noisy=0\n"
    block = BlockOnBench("mine", LATCH + RC.replace("c1 a", f"{more}c1 a"), PORTS, "", ())
    noise, others = measure_clocked_noise(block, AT, 0.0, 0.3e-9, np.random.default_rng(1), records=8)
    assert 0.1e-3 < noise < 0.4e-3
    assert others == ("r.xnz.r9",)
    silent = RC.replace("10k", "10k noisy=0")
    block = BlockOnBench("mine", LATCH + silent, PORTS, "", ())
    with pytest.raises(SimulationError, match=r"ngspice gives no noise of r\.xnz\.r1"):
        measure_clocked_noise(block, AT, 0.0, 0.3e-9, np.random.default_rng(1), records=8)
