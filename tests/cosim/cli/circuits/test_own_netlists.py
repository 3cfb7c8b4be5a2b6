"""Own blocks as other tools write them: the written deck gives the same levels by the line that is printed for it."""

import json
import shlex
import subprocess
from pathlib import Path

import numpy as np
import pytest

from cosim.cli.app import run
from netlists.spice import read_transitions

PSPICE = """* connections: noninverting, inverting, out, gnd
.SUBCKT TLV_X INP INN OUT COM
E1 N1 COM VALUE {LIMIT(2000*(V(INP)-V(INN)),-0.9,0.9)}
R1 N1 N2 1
C1 N2 COM 0.2n
E2 OUT COM TABLE {V(N2,COM)} = (-0.9,-0.9) (0.9,0.9)
.ENDS TLV_X
"""
NATIVE = PSPICE.replace("VALUE {LIMIT(2000*(V(INP)-V(INN)),-0.9,0.9)}", "vol={min(max(2000*(V(INP)-V(INN)),-0.9),0.9)}")
SKY130 = """** sch_path: comp.sch
.subckt comp inp inn out com vdd vss
XM1 n1 inp tail vss sky130_fd_pr__nfet_01v8_lvt L=0.5 W=10 nf=2 ad='int((nf+1)/2) * W/nf * 0.29' m=1
XM2 n2 inn tail vss sky130_fd_pr__nfet_01v8_lvt L=0.5 W=10 nf=2 ad='int((nf+1)/2) * W/nf * 0.29' m=1
XM3 n1 n1 vdd vdd sky130_fd_pr__pfet_01v8 L=0.5 W=10 nf=2 m=1
XM4 n2 n1 vdd vdd sky130_fd_pr__pfet_01v8 L=0.5 W=10 nf=2 m=1
I0 tail vss 40u
XM5 n3 n2 vss vss sky130_fd_pr__nfet_01v8 L=0.15 W=2 nf=1 m=1
XM6 n3 n2 vdd vdd sky130_fd_pr__pfet_01v8 L=0.15 W=4 nf=1 m=1
XM7 out n3 vss vss sky130_fd_pr__nfet_01v8 L=0.15 W=2 nf=1 m=1
XM8 out n3 vdd vdd sky130_fd_pr__pfet_01v8 L=0.15 W=4 nf=1 m=1
.ends
**** begin user architecture code
.lib $::SKYWATER_MODELS/sky130.lib.spice tt
**** end user architecture code
vtest vdd 0 1.8
.save all
.end
"""


def levels(text: str, name: str, folder: Path, *options: str, capsys) -> np.ndarray:
    """Levels (volts) of a 2-bit ramp with this comparator, by the printed line."""
    (folder / "own.cir").write_text(text)
    out = str(folder / "deck.cir")
    assert (
        run(["netlist", "ramp", "--bits", "2", "--comparator", f"{folder / 'own.cir'}:{name}", "--out", out, "--json", *options])
        == 0
    )
    command = json.loads(capsys.readouterr().out)["command"]
    done = subprocess.run(shlex.split(command), cwd=folder, capture_output=True, text=True, check=False)
    volts, _, bracketed = read_transitions(done.stdout)
    assert bracketed.all()
    return volts[0]


def test_a_pspice_block_needs_its_mode(tmp_path, capsys):
    native = levels(NATIVE, "TLV_X", tmp_path, capsys=capsys)
    np.testing.assert_allclose(levels(PSPICE, "TLV_X", tmp_path, "--compat", "psa", capsys=capsys), native, atol=1e-6)
    (tmp_path / "own.cir").write_text(PSPICE)
    assert run(["netlist", "ramp", "--bits", "2", "--comparator", f"{tmp_path / 'own.cir'}:TLV_X", "--out", "d.cir"]) == 1
    assert "--compat 'psa'" in capsys.readouterr().err


@pytest.mark.slow
def test_a_sky130_block_brings_its_library_and_settings(tmp_path, capsys):
    """The printed line, the shared library with and without the library's line in the file."""
    from characterization.chips import nominal_deck
    from characterization.plan import RampPlan
    from netlists.outside import Wiring, load_user_subcircuit

    by_line = levels(SKY130, "comp", tmp_path, capsys=capsys)
    (tmp_path / "bare.cir").write_text("\n".join(line for line in SKY130.splitlines() if not line.startswith(".lib")))
    bare = load_user_subcircuit(f"{tmp_path / 'bare.cir'}:comp", "comparator", wiring=Wiring(pdk="sky130"))
    deck = nominal_deck(RampPlan("sigmoid", 2, comparator=bare), locate=True)
    deck.write(tmp_path / "bare-deck.cir")
    done = subprocess.run(shlex.split(deck.command("bare-deck.cir")), cwd=tmp_path, capture_output=True, text=True, check=False)
    np.testing.assert_array_equal(read_transitions(done.stdout)[0][0], by_line)
    # Without ngbehavior=hsa a transistor of two fingers takes another bin: the line matters.
    plain = subprocess.run(["ngspice", "-n", "-b", "bare-deck.cir"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert not np.array_equal(read_transitions(plain.stdout)[0][0], by_line)
