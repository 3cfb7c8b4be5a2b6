"""The xschem symbol and testbench of the ramp converter: the committed netlist gives the levels of our own deck."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from characterization import RampPlan, nominal_deck
from cosim.cli.app import run
from netlists.spice.program import run_batch

FOLDER = Path(__file__).resolve().parent.parent / "examples" / "xschem"


def levels(netlist, capsys) -> np.ndarray:
    capsys.readouterr()
    assert run(["simulate", str(netlist), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["analyses"][0]["measurements"]
    return np.array([found[f"level{k}"] for k in (1, 2, 3)])


def test_levels_are_those_of_the_deck(tmp_path, capsys):
    path = nominal_deck(RampPlan("sigmoid", 2)).write(tmp_path / "ramp.cir")
    ours = [float(v) for v in re.findall(r"^t_0_\d = (\S+)", run_batch(path), re.MULTILINE)]
    # Neither places its time steps where the other does: 0.1 mV is 0.0004 LSB.
    np.testing.assert_allclose(levels(FOLDER / "ramp_levels.spice", capsys), ours, atol=1e-4)
    # A comparator that is off by 5 mV is seen.
    text = (FOLDER / "ramp_converter.cir").read_text()
    (tmp_path / "ramp_converter.cir").write_text(text.replace("comparator_macro v_os=0.0", "comparator_macro v_os=5m"))
    shutil.copy(FOLDER / "ramp_levels.spice", tmp_path)
    assert np.abs(levels(tmp_path / "ramp_levels.spice", capsys) - ours).max() > 1e-3


def test_pins_of_the_symbol_are_the_ports_of_the_subcircuit():
    pins = re.findall(r"^B 5 .*\{name=(\w+) ", (FOLDER / "ramp_converter.sym").read_text(), re.MULTILINE)
    head = re.search(r"^\.subckt ramp_converter (.*)$", (FOLDER / "ramp_converter.cir").read_text(), re.MULTILINE)
    assert pins == head[1].split()


def test_xschem_writes_the_netlist_again(tmp_path):
    if shutil.which("xschem") is None:
        pytest.skip("needs xschem: apt-get install xschem")
    rc = tmp_path / "xschemrc"
    rc.write_text(f"set XSCHEM_LIBRARY_PATH /usr/share/xschem/xschem_library:{FOLDER}\nset netlist_dir {tmp_path}\n")
    command = ["xschem", "--rcfile", str(rc), "-s", "-x", "-q", "-r", "-n", "ramp_levels.sch"]
    subprocess.run(command, cwd=FOLDER, stdin=subprocess.DEVNULL, check=True, capture_output=True)
    assert (tmp_path / "ramp_levels.spice").read_text() == (FOLDER / "ramp_levels.spice").read_text()
