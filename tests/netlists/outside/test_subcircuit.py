"""A user's own block: ports matched or named in the error, parameters, safety, and that it then works like ours."""

from __future__ import annotations

import dataclasses
import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st

from netlists.converter.blocks import Blocks
from netlists.errors import InputError, ToolkitError
from netlists.outside.ports import Wiring
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
        (comparator() + comparator(), "line 8.*second subcircuit of this name; they are in lines 2 and 8"),
        (comparator() + ".include /etc/passwd\n", "line 7.*outside the folder"),
        (comparator() + ".options scale=1u\n", "line 7.*scale changes what sizes mean"),
        (comparator(body=BODY + "x9 com out nowhere\n"), "line 6.*nowhere is defined nowhere"),
        (
            comparator(body=BODY + "x9 com out rc\n") + ".subckt rc a b c\nr1 a b 1\nr2 b c 1\n.ends\n",
            "line 6.*rc has 3 ports, and 2 nodes",
        ),
        (comparator(body=BODY + "m1 out inp com com nch w=1u l=1u\n.model pch nmos\n"), "line 6.*the model nch is defined nowhere"),
        (
            comparator(body=BODY + "d1 out com dd 2\nq1 out inp com npn3\n.model dd d\n"),
            "line 7.*the model npn3 is defined nowhere",
        ),
        (comparator(body=BODY + "a1 %v([out]) m\n") + '.model m filesource (file="x")\n', "line 8.*'filesource' reads a file"),
        (comparator(body=BODY + ".model m d_process (process_file=x)\n"), "line 6.*starts a program"),
        (
            comparator(body=BODY + "x9 com out latch_macro\n") + ".subckt latch_macro a b\nr1 a b 1\n.ends\n",
            "line 8.*built-in block has this name",
        ),
    ],
)
def test_what_does_not_fit_is_named(text, message, write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message):
        load_user_subcircuit(write(text), "comparator")
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize(
    ("before", "after", "note"),
    [
        ("My comparator with \u00b5 in its title\n", "", ""),
        ("", "v1 a 0 1\nx1 a 0 b 0 mycomp\n", "lines 7, 8: left out: elements outside the subcircuit"),
        ("", ".tran 1n 1u\n.end\nnothing here is read", "line 7: left out: .tran"),
        ("", ".options reltol=1\n", "line 7: left out: .options"),
        ("", ".control\nshell touch marker\n.endc\n", "line 8: left out: control block"),
        ("", "*#shell touch marker\n", "line 7: left out: control block"),
        ("", '.model m filesource (file="x")\n', "does not use them: 1 models"),
        ("", ".subckt other a b\nr1 a b {p}\n.ends\n.param p=1\n", "does not use them: other"),
        ("* sch_path: x.sch\n.GLOBAL GND\n", ".save v(x)\n.print tran v(x)\n.GLOBAL VDD\n", "left out: .global"),
    ],
)
def test_what_is_no_part_of_the_block_is_left_out(before, after, note, write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    alone = load_user_subcircuit(write(comparator()), "comparator")
    found = load_user_subcircuit(write(before + comparator() + after), "comparator")
    assert found == alone
    assert note in " ".join(found.notes)
    assert not (tmp_path / "marker").exists()


def test_what_the_block_needs_comes_along(write):
    text = (
        ".param k0=3 k1={k2*2}\n.param k2=4\n.func clip(x) {min(max(x,-lim),lim)}\n.param lim=0.9\n.func other(x) {x}\n"
        + comparator(body="x1 inp inn n1 amp g={k1}\nd1 n1 com dd\nb2 out com v={clip(v(n1,com))}\n")
        + ".subckt amp a b y g=1\nb1 y 0 v={g*v(a,b)}\n.ends\n.subckt unused a b\nr1 a b 1\n.ends\n.model dd d\n.model ee d\n"
    )
    found = load_user_subcircuit(write(text), "comparator").text
    for needed in ("k1=", "k2=", "clip(x)", "lim=", ".subckt amp", ".model dd"):
        assert needed in found
    for other in (".subckt unused", ".model ee", "other(x)"):
        assert other not in found


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.replace("\n", "\r"),
        lambda t: t.replace(".subckt", ".MACRO").replace(".ends", ".eom"),
    ],
)
def test_line_ends_and_cards_of_other_programs(change, write, tmp_path):
    plain = load_user_subcircuit(write(comparator()), "comparator")
    write("")
    (tmp_path / "my.cir").write_bytes(change(comparator()).encode())
    assert load_user_subcircuit(f"{tmp_path / 'my.cir'}:mycomp", "comparator") == plain


def test_a_global_net_in_an_expression_alone_is_a_port(write):
    text = "* t\n.global VDD\n.subckt mycomp inp inn out\nb1 out 0 v={v( VDD )/2*(1+tanh(1k*v(inp,inn)))}\n.ends\n"
    u = load_user_subcircuit(write(text), "comparator")
    assert u.ports == ("inp", "inn", "out", "vdd")
    assert any("global net VDD is a port" in note for note in u.notes)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("1M", "1M is 1 milliohm, .*1MEG"),
        ("{2.2M}", "2.2M is 2.2 milliohm"),
        ("1MEG", ""),
        ("1m", ""),
        ("1Mohm", "1M is 1 milliohm"),
        ("1MEGohm", ""),
        ("10k", ""),
    ],
)
def test_a_resistor_of_milliohms_is_said(value, said, write):
    found = load_user_subcircuit(write(comparator(body=f"{BODY}r2 out com {value}\n")), "comparator").notes
    assert bool([n for n in found if "milliohm" in n]) == bool(said)
    assert not said or re.search(said, " ".join(found))


def test_the_commented_head_of_an_xschem_top_is_the_subcircuit(write):
    plain = load_user_subcircuit(write(comparator()), "comparator")
    text = comparator().replace(".subckt", "**.subckt").replace(".ends mycomp", "**.ends\n.GLOBAL GND\n.end")
    assert load_user_subcircuit(write(text), "comparator").ports == plain.ports


def test_a_global_supply_is_a_port_of_what_uses_it(write):
    text = (
        ".subckt mycomp inp inn out com\nx1 inp inn n1 stage w=2\nx2 n1 com out stage\nrx out com 1k\n.ends\n"
        ".subckt stage a b y w=1\nx1 a b y inner\n.ends\n.subckt inner a b y\nr1 y VDD 1k\nb1 y 0 i={v(a,b)}\n.ends\n.GLOBAL VDD\n"
    )
    own = load_user_subcircuit(write(text), "comparator")
    assert own.ports == ("inp", "inn", "out", "com", "vdd")
    for line in (".subckt stage a b y vdd w=1", "x1 inp inn n1 vdd stage w=2", ".subckt inner a b y vdd", "x1 a b y vdd inner"):
        assert line in own.text
    assert "global net VDD" in " ".join(own.notes)


LIBRARY = "* xschem\n.subckt mycomp INP INN OUT COM\nXM1 OUT INP COM COM {} L=0.15 W=1 nf=1\n.ends\n{}\n.end\n"


@pytest.mark.parametrize(
    ("transistor", "line", "asked", "pdk"),
    [
        ("sky130_fd_pr__nfet_01v8", ".lib $::SKYWATER/sky130.lib.spice ss", "", "sky130:ss"),
        ("sky130_fd_pr__nfet_01v8", ".lib '/nowhere/sky130.lib.spice' tt_mm", "", "sky130:tt"),
        ("sky130_fd_pr__nfet_01v8", "", "sky130:ff", "sky130:ff"),
        ("nfet_03v3", ".include /x/design.ngspice\n.lib /x/sm141064.ngspice typical", "", "gf180mcu:tt"),
        ("nfet_03v3", "", "gf180mcu", "gf180mcu:tt"),
        ("sg13_lv_nmos", ".lib cornerMOSlv.lib mos_ss", "", "ihp-sg13g2:ss"),
        ("sky130_fd_pr__nfet_01v8", "", "", "pdk='sky130'"),
        ("nfet_03v3", "", "", "pdk='gf180mcu'"),
        ("sg13_lv_nmos", "", "", "pdk='ihp-sg13g2'"),
        ("sky130_fd_pr__nfet_01v8", "", "sky99", "must be one of sky130, gf180mcu, ihp-sg13g2"),
        ("sky130_fd_pr__nfet_01v8", "", "sky130:hot", "corner"),
    ],
)
def test_the_models_of_a_pdk_are_named_not_read(transistor, line, asked, pdk, write):
    where = write(LIBRARY.format(transistor, line))
    wiring = Wiring(pdk=asked)
    if ":" not in pdk:
        with pytest.raises(InputError, match=re.escape(pdk)):
            load_user_subcircuit(where, "comparator", wiring=wiring)
        return
    own = load_user_subcircuit(where, "comparator", wiring=wiring)
    assert own.pdk == pdk
    assert UserSubcircuit(**{k: tuple(v) if isinstance(v, list) else v for k, v in own.as_dict().items()}) == own
    if not pdk.startswith("ihp") or find_spec("ihp"):
        return
    with pytest.raises(ToolkitError, match=r"pip install|ngspice 44"):
        Blocks(comparator=own).models()


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
    where = write(comparator(body=BODY + "d1 out com dd\n") + f'.include "{elsewhere}"\n')
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
        {"pdk": "sky130:tt\n*#shell touch marker"},
        {"pdk": "sky130:tt_mm"},
        {"pdk": "/etc"},
        {"compat": "hsa\nshell touch marker"},
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
