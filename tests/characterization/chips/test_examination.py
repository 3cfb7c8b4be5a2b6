"""Blocks that are wrong in silence: each kind is planted and must be found before a chip is simulated."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from characterization.chips import borrowed_figures, examine, measure
from characterization.chips.examination import _unequal
from characterization.chips.sampling import nominal_chips
from characterization.plan import RampPlan, Variation
from characterization.run import characterize, load_run, simulate_run
from characterization.run.folder import examined_plan
from netlists.errors import SimulationError
from netlists.outside import UserSubcircuit, Wiring, load_user_subcircuit
from netlists.technology import RampCircuit

HEAD = ".subckt mine inp inn out com\n"
GOOD = "b1 out com v={0.9*tanh(2000*(v(inp)-v(inn)))}\n"
MOS = """M1 n1 INP t VSS nch W=20u L=0.5u
M2 n2 INN t VSS nch W=20u L=0.5u
M3 n1 n1 VDD VDD pch W=20u L=0.5u
M4 n2 n1 VDD VDD pch W=20u L=0.5u
M5 OUT n2 VDD VDD pch W=80u L=0.35u
I1 t VSS 100u
I2 OUT VSS 400u
Cc n2 OUT 1p
.ends
.model nch nmos level=1 vto=0.45 kp=300u lambda=0.05
.model pch pmos level=1 vto=-0.45 kp=100u lambda=0.05
"""


@pytest.fixture
def load(tmp_path):
    def _load(text: str, role: str = "comparator", ports: str = "") -> UserSubcircuit:
        (tmp_path / "my.cir").write_text(text)
        return load_user_subcircuit(f"{tmp_path / 'my.cir'}:mine", role, wiring=Wiring.parse(role, [ports] if ports else []))

    return _load


def slow(tau: float) -> str:
    return HEAD + f"b1 x com v={{0.9*tanh(2000*(v(inp)-v(inn)))}}\nr1 x y 1k\nc1 y com {tau / 1e3}\ne1 out com y com 1\n.ends\n"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("b1 out com v={0.9*tanh(2000*(v(inn)-v(inp)))}\n", "output is inverted: it is at 1.8 V .*ports="),
        ("b1 out com v={0.4*tanh(2000*(v(inp)-v(inn)))-0.5}\n", "output is never above analog ground, 0.9 V"),
        ("b1 out com v={0.4*tanh(2000*(v(inp)-v(inn)))+0.5}\n", "output is never below analog ground"),
        (
            GOOD.replace("out", "x") + "d1 x out m\n.model m d\nc1 out com 1p\nv1 low com -0.5\nr1 out low 1e9\n",
            "it latches, or rem",
        ),
        # A load of 1M, a milliohm: the output crosses analog ground by microvolts.
        (GOOD.replace("out", "x") + "r1 x out 1k\nr2 out com 1M\n", "output hardly moves: 1.8e-06 V .*1MEG"),
        (".param off=gauss(1m,0.3,1)\nb1 out com v={0.9*tanh(2000*(v(inp)-v(inn)+off))}\n", r"random in the line '\.param off="),
        (".param off={agauss(0,15m,1)}\nb1 out com v={0.9*tanh(2000*(v(inp)-v(inn)+off))}\n", r"random in the line '\.param off="),
    ],
)
def test_a_comparator_that_cannot_work_is_said(load, body, message):
    plan = RampPlan("sigmoid", 2, comparator=load(HEAD + body + ".ends\n"))
    with pytest.raises(SimulationError, match=message):
        examine(plan)
    with pytest.raises(SimulationError, match=message):
        simulate_run(plan, 1, progress=False)


@pytest.mark.parametrize(
    ("level", "message"),
    [
        ("0.9+0.1*tanh", "goes from 0.8 to 1 V only, at a supply of 1.8 V"),
        ("1.65+1.65*tanh", "goes from 0 to 3.3 V, beyond the supply, .*against analog ground, 0.9 V"),
        ("0.6+0.9*tanh", "goes from -0.3 to 1.5 V, beyond the supply"),
        ("0.9+0.9*tanh", ""),
    ],
)
def test_an_output_of_other_levels_than_the_supply_is_said(load, level, message):
    block = load(f".subckt mine inp inn out\nb1 out 0 v={{{level}(2000*(v(inp)-v(inn)))}}\n.ends\n")
    _, said = examine(RampPlan("sigmoid", 1, comparator=block))
    found = [line for line in said if "its output goes" in line]
    assert len(found) == bool(message)
    assert not found or re.search(message, found[0])


def test_random_words_that_change_nothing_are_no_fault(load):
    text = HEAD + ".param mm=0 off={mm*agauss(0,15m,1)}\n" + GOOD.replace("v(inn)", "v(inn)+off") + ".ends\n"
    _, warnings = examine(RampPlan("sigmoid", 2, comparator=load(text)))
    assert any("is random: it does not move the trip point" in line for line in warnings)


def test_a_parameter_of_ours_that_an_own_block_does_not_take_is_said(load):
    own = load(HEAD + GOOD + ".ends\n")
    _, warnings = examine(RampPlan("sigmoid", 2, comparator=own, circuit=RampCircuit(comparator_tau=5e-9)))
    assert any("comparator_tau: of our blocks; mine keeps its own" in line for line in warnings)


def test_swapped_inputs_of_an_opamp(load):
    text = ".subckt mine INN INP OUT VDD VSS\n" + MOS
    with pytest.raises(SimulationError, match="its inputs are swapped"):
        examine(RampPlan("sigmoid", 2, opamp=load(text, "opamp")))
    _, warnings = examine(RampPlan("sigmoid", 2, opamp=load(text, "opamp", "inp=inn,inn=inp")))
    assert any("programmed by 2 nominal transients" in line for line in warnings)
    with pytest.raises(SimulationError, match="does not follow its inputs"):
        examine(RampPlan("sigmoid", 2, opamp=load(HEAD + "r1 inp inn 1k\nr2 out com 1k\n.ends\n", "opamp")))


def test_memory_is_measured_right(load):
    """A pole of 3 ns is no memory, of 40 ns it is."""
    fast = RampPlan("sigmoid", 2, comparator=load(slow(3e-9)))
    assert not examine(fast)[0].held
    own = RampPlan("sigmoid", 2, comparator=load(slow(40e-9)))
    held, warnings = examine(own)
    assert held.held
    assert "remembers earlier steps" in " ".join(warnings)
    chips = nominal_chips(own)
    sampled, right = (measure(p.converter, chips, held=p.held).volts[0] for p in (own, held))
    assert _unequal(own, sampled)
    assert not _unequal(held, right)
    assert np.max(np.abs(sampled - right)) > 1e-3


@pytest.mark.slow
def test_memory_that_no_level_describes_is_refused(load):
    with pytest.raises(SimulationError, match=r"remembers earlier steps: .*longer clock period"):
        examine(RampPlan("sigmoid", 3, comparator=load(slow(36e-9))))


def test_held_levels_of_a_fast_comparator_are_the_sampled_ones():
    plan = RampPlan("sigmoid", 3)
    chips = nominal_chips(plan, 2)
    a, b = (measure(plan.converter, chips, held=h).volts for h in (False, True))
    np.testing.assert_allclose(a, b, atol=1.5e-4)


@pytest.mark.usefixtures("batches_here")
def test_a_run_keeps_what_its_reader_must_know(load, tmp_path, monkeypatch):
    """What ngspice ignored, whose figures were drawn and how levels were measured: in the run, its folder, and when it goes on."""
    # Nobody looks at the levels.
    monkeypatch.setattr("characterization.chips.transitions.RESOLUTION", 1e-3)
    monkeypatch.setattr("characterization.chips.transitions.WIDE_SPAN", 0.1)
    text = slow(40e-9).replace(".ends", "m1 inp inn com com nch w=1u l=1u\n.ends\n.model nch nmos level=1 vto=0.4 nonsense=3")
    plan = RampPlan("sigmoid", 2, comparator=load(text), calibration="none", conversions=False)
    assert borrowed_figures(plan) == {"comparator_offset": "mine", "comparator_noise": "mine"}
    assert borrowed_figures(replace(plan, variation=Variation(comparator_offset=1e-3))) == {"comparator_noise": "mine"}
    run = characterize(plan, 1, tmp_path / "run", progress=False)
    assert load_run(tmp_path / "run").warnings == run.warnings
    assert examined_plan(plan, tmp_path / "run") == (run.plan, run.warnings)
    assert run.plan.held
    for part in ("of our comparator_sky130, not its own", "unrecognized parameter (nonsense) - ignored", "remembers earlier"):
        assert part in " ".join(run.warnings)


STRONGARM = """.subckt mine INP INN CLK OUTP OUTN VDD VSS
M1 a INP t VSS nch W=10u L=0.2u
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


@pytest.mark.slow
def test_a_clocked_comparator_decides_unmoved_by_its_latch(load):
    """Symmetric transistors: levels without offset, and conversions that give the codes of their sides."""
    ideal = RampPlan("sigmoid", 3, level="ideal", comparator=load(STRONGARM))
    examined, warnings = examine(ideal)
    assert not examined.held
    assert "kicks the ramp" not in " ".join(warnings)
    levels = measure(ideal.converter, nominal_chips(ideal)).volts[0]
    ours = measure(RampPlan("sigmoid", 3, level="ideal").converter, nominal_chips(ideal)).volts[0]
    np.testing.assert_allclose(levels, ours, atol=3e-4)
    # An op-amp's output gives way to it: more so where many comparators decide on one ramp.
    examined, warnings = examine(RampPlan("sigmoid", 3, comparator=load(STRONGARM)))
    assert not examined.held
    assert any("mine: kicks the ramp: where many converters share one" in line for line in warnings)
    with pytest.raises(SimulationError, match="output is inverted"):
        examine(RampPlan("sigmoid", 3, comparator=load(STRONGARM, ports="inp=inn,inn=inp")))
