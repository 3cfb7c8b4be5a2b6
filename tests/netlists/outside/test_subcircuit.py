"""A user's own block: ports matched or named in the error, parameters, safety, and that it then works like ours."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st

from netlists.errors import InputError
from netlists.outside.subcircuit import ROLES, UserSubcircuit, load_user_subcircuit
from netlists.spice.deck import Deck, subcircuit
from netlists.spice.engine import simulate
from netlists.spice.safety import Permissions

BODY = "b1 com out i={0.9*tanh(gain/0.9*(v(inp)-v(inn)+v_os))}\nr1 out com 1\nc1 out com 0.3n\n"


@pytest.fixture
def write(tmp_path: Path):
    def _write(text: str) -> str:
        (tmp_path / "my.cir").write_text(text)
        return f"{tmp_path / 'my.cir'}:mycomp"

    return _write


def comparator(ports: str = "inp inn out com", params: str = "params: v_os=0 gain=20", body: str = BODY) -> str:
    return f"* header\n.subckt mycomp {ports} {params}\n{body}.ends mycomp\n"


@pytest.mark.parametrize("role", ROLES)
def test_ports_and_parameters(role, write):
    u = load_user_subcircuit(write(comparator("INP inn Out COM", "V_OS = 0\n+ gain={4 * 5}")), role)
    assert u.name == "mycomp"
    assert u.ports == ("inp", "inn", "out", "com")
    assert u.params == ("v_os", "gain")
    with pytest.raises(dataclasses.FrozenInstanceError):
        u.name = "x"


@given(st.permutations(["inp", "inn", "out", "com", "vdd", "vss"]))
def test_named_ports_stand_in_any_order(tmp_path_factory, order):
    path = tmp_path_factory.getbasetemp() / "order.cir"
    path.write_text(comparator(" ".join(order)))
    u = load_user_subcircuit(f"{path}:MYCOMP", "comparator")
    assert u.ports == tuple(order)
    assert u.nodes({p: f"n_{p}" for p in order}) == [f"n_{p}" for p in order]


def test_a_supply_that_is_not_there(write):
    u = load_user_subcircuit(write(comparator("inp inn out com vdd")), "comparator")
    with pytest.raises(InputError, match="port 'vdd' has no node"):
        u.nodes({"inp": "a", "inn": "b", "out": "c", "com": "d"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (comparator("inp inn com"), r"my\.cir, line 2: .*none of its ports is known to be out: a comparator needs inp inn out"),
        (comparator("inp inn out com bias"), "port 'bias' is unknown"),
        (comparator("inp inn y com"), "known to be out, port 'y' is unknown"),
        (comparator("a b c d"), "known to be inp, none .*'a' is unknown, port 'b' is unknown"),
        (comparator("inp plus inn out"), "ports inp and plus: both may be inp"),
        (comparator(""), "known to be inp"),
        (comparator("inp inn out com out"), "port 'out' is there twice"),
        (comparator("inp inn out", "gain=2 com"), "'com' after the parameters"),
        (".subckt other inp inn out com\n.ends\n", "no .subckt mycomp; it has other"),
        ("", "no .subckt mycomp; it has none"),
        (".subckt\n.ends\n", "has no name"),
        (comparator().replace(".ends mycomp", ""), "line 2.*never closed"),
        (comparator() + ".ends\n", "no .subckt began"),
        (comparator() + comparator(), "second subcircuit of this name; the first is in line 2"),
        ("My comparator\n" + comparator(), "line 1.*outside every .subckt"),
        (comparator() + "v1 a 0 1\n", "line 7.*outside every .subckt"),
        (comparator() + ".tran 1n 1u\n", "line 7"),
        (comparator() + ".options reltol=1\n", "line 7.*outside every .subckt"),
        (comparator() + ".control\nshell touch marker\n.endc\n", "line 8.*no commands"),
        (comparator() + "*#shell touch marker\n", "line 7.*no commands"),
        (comparator() + ".include /etc/passwd\n", "line 7.*outside the folder"),
        (comparator() + '.model m filesource (file="x")\n', "line 7.*'filesource' reads a file"),
        (comparator(body=BODY + ".model m d_process (process_file=x)\n"), "line 6.*starts a program"),
        (comparator() + ".subckt latch_macro a b\nr1 a b 1\n.ends\n", "line 7.*built-in block has this name"),
    ],
)
def test_what_does_not_fit_is_named(text, message, write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message):
        load_user_subcircuit(write(text), "comparator")
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize("where", ["", "mycomp.cir", ":mycomp", "my.cir:", "my.cir:a b", "nowhere.cir:mycomp"])
def test_where_must_be_file_and_name(where, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError):
        load_user_subcircuit(where, "comparator")


def test_unknown_role(write):
    with pytest.raises(InputError, match="allowed are comparator, opamp"):
        load_user_subcircuit(write(comparator()), "latch")


def test_it_works_like_the_built_in_block(write, tmp_path):
    """Ports permuted, a nested block, a model and an included file; the same waveform as comparator_macro."""
    (tmp_path / "load.inc").write_text(".subckt load a b params: tau=1n\nr1 a b rm\nc1 a b {tau}\n.ends\n")
    text = (
        ".include load.inc\n.model rm r r=1\n"
        ".subckt mycomp com out inn inp params: v_os=0 gain=20 tau=0.3n v_sat=0.9\n"
        ".subckt follower a b\ne1 b 0 a 0 1\n.ends follower\n"
        "xf inp g follower\n"
        "b1 com out i={v_sat*tanh(gain/v_sat*(v(g)-v(inn)+v_os))}\nx2 out com load tau={tau}\n.ends\n"
    )
    u = load_user_subcircuit(write(text), "comparator")
    nodes = u.nodes({"inp": "in", "inn": "ref", "out": "y1", "com": "com"})
    assert nodes == ["com", "y1", "ref", "in"]
    given = "v_os=0.01 gain=30 tau=2n v_sat=0.8"
    data = simulate(
        Deck(
            f"* two comparators\n{subcircuit('comparator_macro')}{u.text}"
            "vcom com 0 0.9\nvref ref 0 1\nvin in 0 pulse(0.8 1.2 5n 20n 1n 1 2)\n"
            f"x1 {' '.join(nodes)} {u.name} {given}\nx2 in ref y2 com comparator_macro {given}\n"
            ".save v(y1) v(y2)\n.tran 0.1n 60n\n"
        ),
        ["y1", "y2"],
    )
    assert np.ptp(data["y2"]) > 1
    np.testing.assert_allclose(data["y1"], data["y2"], atol=1e-6)


def test_files_elsewhere_with_permission(write, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "m.inc"
    elsewhere.write_text(".model dd d\n")
    where = write(comparator() + f'.include "{elsewhere}"\n')
    with pytest.raises(InputError, match=r"Permissions\(files=True\)"):
        load_user_subcircuit(where, "comparator")
    assert ".model dd d" in load_user_subcircuit(where, "comparator", Permissions(files=True)).text


RUNS = ".control\nshell touch marker\n.endc\n"


@pytest.mark.parametrize(
    "change",
    [
        {"text": comparator() + RUNS},
        {"text": RUNS + comparator()},
        {"text": comparator() + "*#shell touch marker\n"},
        {"text": comparator() + "  .INCLUDE /etc/passwd\n"},
        {"text": comparator() + '.model m filesource (file="x")\n'},
        {"text": comparator() + ".subckt latch_macro a b\nr1 a b 1\n.ends\n"},
        {"text": comparator("inp inn out com vdd")},
        {"text": ""},
        {"text": None},
        {"name": "mycomp\n.control\nshell touch marker\n.endc"},
        {"name": "MYCOMP"},
        {"name": "other"},
        {"name": ["mycomp"]},
        {"ports": ("inp", "inp", "out", "com")},
        {"ports": ("inp", "inn", "out")},
        {"ports": ("inp", "inn", "out", "bias")},
        {"bias": (("com", "0.65 V"),)},
        {"ports": ("inp", "inn", "out", "bias"), "bias": (("com", "1 V\n.control"),)},
        {"values": (("tau", "1"),)},
        {"values": (("gain", f"1\n{RUNS}"),)},
        {"ports": ("inp", "inn", "out", "com\n.control")},
        {"params": ("v_os",)},
        {"params": ("v_os", "gain", f"x\n{RUNS}")},
    ],
)
def test_it_is_checked_however_it_is_made(change, write):
    good = load_user_subcircuit(write(comparator()), "comparator")
    fields = dataclasses.asdict(good)
    assert UserSubcircuit(**fields) == good
    with pytest.raises(InputError):
        dataclasses.replace(good, **change)
    with pytest.raises(InputError):
        UserSubcircuit(**(fields | change))


def test_comments_do_not_reach_ngspice(write):
    good = load_user_subcircuit(write(comparator()), "comparator")
    assert dataclasses.replace(good, text=f"* comment\n{comparator()}* another\n") == good
