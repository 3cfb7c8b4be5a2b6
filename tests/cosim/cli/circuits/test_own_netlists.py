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


def levels(text: str, name: str, folder: Path, *options: str, capsys, role: str = "--comparator") -> np.ndarray:
    """Levels (volts) of a 2-bit ramp with this block, by the printed line."""
    (folder / "own.cir").write_text(text)
    out = str(folder / "deck.cir")
    assert run(["netlist", "ramp", "--bits", "2", role, f"{folder / 'own.cir'}:{name}", "--out", out, "--json", *options]) == 0
    command = json.loads(capsys.readouterr().out)["command"]
    done = subprocess.run(shlex.split(command), cwd=folder, capture_output=True, text=True, check=False)
    volts, _, bracketed = read_transitions(done.stdout)
    assert bracketed.all()
    return volts[0]


BLOCKS = Path(__file__).parent / "data" / "blocks"
"""Comparators and op-amps as their designers have them."""


@pytest.mark.parametrize(
    ("file", "name", "options", "code", "message"),
    [
        ("agauss.cir", "mmcomp", [], 1, "is random in the line '.param off={agauss(0,15m,1)}'"),
        ("ammeter.spice", "comp", [], 0, "ammeter.spice, line 3: left out: .save"),
        ("bias_pin.spice", "compb", [], 2, "port 'vbn' is unknown"),
        ("bias_pin.spice", "compb", ["--bias", "VBN=0.65"], 0, "VOUT = out, VBN = 0.65 V, VDD = vdd (supply)"),
        ("bias_pin_wired_right.spice", "compb", [], 0, "VDD = vdd (supply), VSS = vss (0 V)"),
        ("inverted.cir", "mycomp", [], 1, "its output is inverted"),
        ("inverted.cir", "mycomp", ["--ports", "inp=inn,inn=inp"], 0, "INP = inn, INN = inp"),
        ("no_com.spice", "comp_5t", [], 0, "no port for analog ground: its output is read against v_cm"),
        ("opamp_swapped.cir", "ota", [], 1, "its inputs are swapped"),
        ("opamp_two_stage.cir", "ota2", [], 0, "ramp programmed by 2 nominal transients"),
        ("pspice_limit.lib", "TLV_X", [], 1, "'VALUE {' looks like PSpice"),
        ("pspice_limit.lib", "TLV_X", ["--compat", "psa"], 0, "of our comparator_sky130, not its own"),
        ("slower.cir", "slowercomp", [], 1, "look at the comparator's memory"),
        ("slow.cir", "slowcomp", [], 0, "remembers earlier steps: levels measured with a V_mac that follows the ramp"),
        ("slow.cir", "slowcomp", ["--set", "t_settle=400e-9"], 0, "COM = com (analog ground)"),
        ("sky130_without_lib.spice", "comp", [], 2, "it is a transistor of sky130: say so with --pdk 'sky130'"),
        ("xschem_globals.spice", "comp_5t", [], 0, "left out: .global"),
    ],
)
def test_blocks_of_designers(file, name, options, code, message, tmp_path, capsys):
    role = "--opamp" if file.startswith("opamp") else "--comparator"
    asked = ["netlist", "ramp", "--bits", "2", role, f"{BLOCKS / file}:{name}", "--out", str(tmp_path / "deck.cir"), *options]
    assert run(asked) == code
    assert message in capsys.readouterr().err
    assert (tmp_path / "deck.cir").exists() == (code == 0)


def test_blocks_that_are_the_same_circuit_have_the_same_levels(tmp_path, capsys):
    """A bias pin and a source inside; an op-amp's own parameters under our names and under others."""
    pairs = (
        ("--comparator", ("bias_pin.spice", "compb", "--bias", "VBN=0.65"), ("bias_pin_wired_right.spice", "compb")),
        ("--opamp", ("opamp_our_names.cir", "slowamp"), ("opamp_other_names.cir", "slowamp")),
    )
    for role, *both in pairs:
        found = [levels((BLOCKS / f).read_text(), name, tmp_path, *more, capsys=capsys, role=role) for f, name, *more in both]
        np.testing.assert_allclose(*found, atol=1e-6)


def test_the_library_of_a_block_is_the_one_that_its_file_names():
    """Read alone: simulations of them take long (`test_a_sky130_block_brings_its_library_and_settings`)."""
    from netlists.outside import Wiring, load_user_subcircuit

    named = load_user_subcircuit(f"{BLOCKS / 'sky130_with_lib.spice'}:comp", "comparator")
    asked = load_user_subcircuit(f"{BLOCKS / 'sky130_without_lib.spice'}:comp", "comparator", wiring=Wiring(pdk="sky130"))
    assert named.pdk == "sky130:tt"
    assert named == asked


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
