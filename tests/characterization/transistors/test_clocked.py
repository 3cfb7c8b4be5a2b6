"""A clocked comparator on the benches: a planted offset, spread and memory are found from its decisions alone."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from characterization.chips import without_randomness
from characterization.transistors import macro_of, measure_own_comparator
from characterization.transistors.clocked import clocked_rows, measure_clocked_delay, measure_clocked_noise
from characterization.transistors.comparator import measure_offsets
from characterization.transistors.own_block import measure_at
from netlists.errors import SimulationError
from netlists.outside import UserSubcircuit
from netlists.testbench import BenchConditions, BlockOnBench

NOMINAL = BenchConditions("-")
STRONGARM = """.subckt mine INP INN CLK OUTP VDD VSS
{more}
{offset}
M1 a g t VSS nch W=10u L=0.2u
M2 b INN t VSS nch W=10u L=0.2u
Mt t CLK VSS VSS nch W=10u L=0.2u
M3 OUTN OUTP a VSS nch W=6u L=0.2u
M4 OUTP OUTN b VSS nch W=6u L=0.2u
M5 OUTN OUTP VDD VDD pch W=6u L=0.2u
M6 OUTP OUTN VDD VDD pch W=6u L=0.2u
M7 OUTN CLK VDD VDD pch W=6u L=0.2u
M8 OUTP CLK VDD VDD pch W=6u L=0.2u
M9 a CLK VDD VDD pch W=4u L=0.2u
M10 b CLK VDD VDD pch W=4u L=0.2u
C1 OUTP 0 20f
C2 OUTN 0 20f
C3 a 0 10f
C4 b 0 10f
.ends
.model nch nmos level=1 vto=0.45 kp=300u lambda=0.05 cgso=0.2n cgdo=0.2n
.model pch pmos level=1 vto=-0.45 kp=100u lambda=0.05 cgso=0.2n cgdo=0.2n
"""


def strongarm(offset: str, more: str = "") -> UserSubcircuit:
    ports = ("inp", "inn", "clk", "out", "vdd", "vss")
    return UserSubcircuit("mine", STRONGARM.format(offset=offset, more=more), ports, ())


@cache
def planted():
    return measure_own_comparator(strongarm("Vos g INP DC {4m+agauss(0, 15m, 3)}"), NOMINAL, [], samples=24, seed=1, noise=False)


def test_its_offset_is_found_by_decisions():
    figures = planted().figures[0]
    assert figures["offset"] == pytest.approx(4e-3, abs=30e-6)
    assert abs(figures["hysteresis"]) < 30e-6
    over = {r["common_mode"]: r["offset"] for r in planted().common_modes}
    # Below its threshold the input pair does not conduct, and nothing decides by the inputs.
    assert np.isnan(over[min(over)])
    assert figures["input_low"] > 0.4
    assert figures["input_high"] > 1.4


def test_the_spread_of_its_instances_is_measured():
    assert planted().mismatch["sigma_low"] < 5e-3 < planted().mismatch["sigma_high"]
    assert planted().mismatch["n"] == 24


def test_its_delay_is_that_of_regeneration_and_the_macro_model_follows():
    delay = {r["overdrive"]: r["delay_rise"] for r in planted().delays}
    # Regeneration: a constant more for each factor of ten of the overdrive.
    first, second = delay[1e-3] - delay[10e-3], delay[2e-3] - delay[20e-3]
    assert 0 < second == pytest.approx(first, rel=0.15)
    assert 20e-12 < delay[100e-3] < delay[1e-3] < 1e-9
    macro, fit = macro_of(planted(), NOMINAL)
    assert fit["worst"] < 0.2
    assert np.interp(0.9, macro.common_modes, macro.offsets) == pytest.approx(4e-3, abs=50e-6)


def test_kickback_and_power_are_measured_and_noise_only_if_asked():
    figures = planted().figures[0]
    assert 0.1e-3 < figures["kickback"] < 50e-3
    # Nodes of some 100 fF, charged to 1.8 V in each period.
    assert 0.1e-12 < figures["energy"] < 2e-12
    assert figures["power"] == pytest.approx(figures["energy"] / 32e-9)
    assert np.isnan(figures["noise"])
    assert not any("noise" in line for line in planted().warnings)


def test_its_noise_is_measured_and_what_is_not_in_it_is_named():
    bipolar = "Q1 VDD INP t2 npn\nRq t2 VSS 1meg\n.model npn npn\n"
    block = BlockOnBench.of(strongarm("Vos g INP DC 4m", bipolar))
    figures, _, _, heard = measure_at(block, NOMINAL, (10e-3,), 3, records=8)
    # An input pair that discharges some 10 fF: kT/C, divided by a gain of a few.
    assert 0.1e-3 < figures["noise"] < 2e-3
    assert any("its noise is without that of q.xnz.q1" in line for line in heard)


def test_memory_of_the_last_decision_is_hysteresis():
    """A capacitor that follows the output slowly moves the offset by what the last decision left on it."""
    memory = "Rm OUTP m 100k\nCm m 0 0.5p\n"
    row = clocked_rows(BlockOnBench.of(strongarm("Bos g INP v={5m*(v(m)-0.9)}", memory)), NOMINAL, [0.9])[0]
    assert abs(row["hysteresis"]) > 1e-3
    with pytest.raises(SimulationError, match=r"did not decide right at an overdrive of 0\.001 V"):
        measure_clocked_delay(BlockOnBench.of(strongarm("Vos g INP DC 4m")), NOMINAL, (1e-3,), 0.0)


def test_memory_hides_neither_the_spread_nor_the_noise():
    """Bisection alone ends beside the trip points of a comparator with memory, at the same place for each instance."""
    memory = "Bc 0 m i={v(CLK)>0.9 ? 1m*(v(OUTP)-v(m)) : 0}\nCm m 0 1p\nRm m 0 1e9\nBm h INP v={-10m*(v(m)-0.9)}\n"
    block = strongarm("Vos g h DC {agauss(0, 15m, 3)}", memory)
    bench = BlockOnBench.of(block)
    row = clocked_rows(BlockOnBench.of(without_randomness(block)), NOMINAL, [0.9])[0]
    hysteresis = row["hysteresis"]
    assert abs(hysteresis) > 1e-3
    fixed = BlockOnBench.of(without_randomness(block))
    (delay,), _ = measure_clocked_delay(fixed, NOMINAL, (1e-3,), row["offset"], hysteresis=hysteresis)
    (without,), _ = measure_clocked_delay(BlockOnBench.of(strongarm("Vos g INP DC 0")), NOMINAL, (1e-3,), 0.0)
    assert delay.delay_rise == pytest.approx(without.delay_rise, rel=0.01)
    found, offsets = measure_offsets(bench, 12, np.random.default_rng(1), NOMINAL, hysteresis=hysteresis)
    assert len(np.unique(offsets.round(6))) > 9
    assert found.sigma_low < 5e-3 < found.sigma_high
    quiet = BlockOnBench.of(strongarm("Vos g h DC 0", memory))
    noise, _ = measure_clocked_noise(
        quiet, NOMINAL, -row["offset"], 0.5e-9, np.random.default_rng(1), hysteresis=hysteresis, records=8
    )
    alone, _ = measure_clocked_noise(
        BlockOnBench.of(strongarm("Vos g INP DC 0")), NOMINAL, 0.0, 0.5e-9, np.random.default_rng(1), records=8
    )
    assert 0.5 < noise / alone < 2


def test_a_noise_that_moves_no_trip_point_is_not_taken_for_none():
    """It remembers more than one decision, and says nothing of it here: each record strays to the same place."""
    memory = "Rm OUTP m 40k\nCm m 0 0.5p\nBm h INP v={60m*(v(m)-0.9)}\n"
    quiet = BlockOnBench.of(strongarm("Vos g h DC 0", memory))
    with pytest.raises(SimulationError, match="its noise moves no trip point"):
        measure_clocked_noise(quiet, NOMINAL, -0.0371, 0.5e-9, np.random.default_rng(1), hysteresis=0.0258, records=4)
