"""Ports of a user's block: known by name or as the user says, never guessed; bias pins get what they are given."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from netlists.converter import Blocks
from netlists.errors import InputError
from netlists.outside import Wiring, load_user_subcircuit
from netlists.outside.ports import NAMES, bias_value
from netlists.spice import Deck, simulate
from netlists.technology import RampCircuit
from netlists.testbench import sides_deck

GAIN = "b1 {out} {com} v={{0.9*tanh({k}*(v({inp})-v({inn})))}}"


@pytest.fixture
def load(tmp_path):
    def _load(text: str, role: str = "comparator", *said: list[str]):
        (tmp_path / "my.cir").write_text(text)
        return load_user_subcircuit(f"{tmp_path / 'my.cir'}:mine", role, wiring=Wiring.parse(role, *said))

    return _load


def solve(own, nodes, more):
    card = f"x1 {' '.join(own.nodes(nodes))} {own.name_of_instance}"
    deck = Deck(f"t\n{own.definitions}{more}\n{card}\n.save v(y)\n.tran 1n 20n\n")
    return float(simulate(deck, ["y"])["y"][-1])


def test_ports_as_the_user_says(load):
    text = (
        ".subckt mine plus_in minus_in q vss\n" + GAIN.format(out="q", com="vss", k=10, inp="plus_in", inn="minus_in") + "\n.ends\n"
    )
    with pytest.raises(InputError, match=r"known to be inp, .*'plus_in' is unknown.*ports=\{'inp': 'plus', \.\.\.\}"):
        load(text)
    own = load(text, "comparator", ["inp=PLUS_IN,inn=minus_in", "out=q,com=vss"])
    assert own.ports == ("inp", "inn", "out", "com")
    assert "PLUS_IN = inp" in own.wiring
    # What is said comes before what a name says; another block's is not for this one.
    swapped = load(text.replace("plus_in", "inp"), "comparator", ["inp=minus_in,inn=inp,out=q", "opamp:inp=nothing"])
    assert swapped.ports == ("inn", "inp", "out", "vss")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ([["inp"]], "must be NAME=VALUE"),
        ([["inp=a,inp=b"]], "given twice"),
        ([["latch:inp=a"]], "must be one of comparator, opamp"),
        ([["inp=q"]], "it has no port 'q'"),
        ([["ref=inn"]], "has no port 'ref'"),
        ([["inp=out"]], "port 'out': is given as inp and as out|known to be out"),
        ([[], ["q=1"]], "it has no such port"),
        ([["out=vb"], ["vb=1"]], "given a role and a bias"),
        ([[], ["vb=much"]], "must be a voltage"),
        ([[], ["vb=10u"]], "would be 1e-05 V; write 10uA for a current"),
        ([[], ["vb=1"], ["nothing=1"]], "it declares no such parameter; it has k"),
        ([[], ["vb=1"], ["k=two"]], "is not a SPICE number"),
    ],
)
def test_what_is_said_wrong_is_named(load, said, message):
    with pytest.raises(InputError, match=message):
        load(".subckt mine inp inn out vb k=1\nr1 inp inn 1\nr2 out vb 1\n.ends\n", "comparator", *said)


@pytest.mark.parametrize(
    ("port", "text", "what"),
    [
        ("vbn", "650mV", "0.65 V"),
        ("ibias", "10u", "1e-05 A"),
        ("nb", "-5uA", "-5e-06 A"),
        ("i1", "1.2V", "1.2 V"),
        ("en", "VDD", "vdd"),
    ],
)
def test_bias_values(port, text, what):
    assert bias_value(port, text) == what
    assert bias_value(port, what) == what


def test_bias_reaches_its_pin_and_parameters_are_set_only_if_asked(load):
    head = ".subckt mine inp inn out vb ib en params: a0=3 gbw=5\n"
    text = head + "r1 ib 0 1k\nb1 out 0 v={a0*v(vb)+v(ib)+0.001*v(en)}\nr2 inp inn 1\n.ends\n"
    nodes = {"inp": "0", "inn": "0", "out": "y", "vdd": "vdd"}
    bias = ["vb=0.5,ib=2mA,en=1.8"]
    assert solve(load(text, "opamp", [], bias), nodes, "") == pytest.approx(1.5 + 2.0 + 0.0018)
    assert solve(load(text, "opamp", [], bias, ["a0=1"]), nodes, "") == pytest.approx(0.5 + 2.0 + 0.0018)
    # Out of the pin; and a pin tied to the supply, which the block then needs.
    tied = load(text, "opamp", [], ["vb=vdd,ib=-1mA,en=0V"])
    assert "vdd" in tied.interface
    assert Blocks(opamp=tied).supplied
    assert solve(tied, nodes, "vdd vdd 0 1.8") == pytest.approx(3 * 1.8 - 1.0)


def test_a_second_output_stays_open_and_a_clock_is_known(load):
    own = load(".subckt mine inp inn outp outn clk vdd vss\nr1 inp inn 1\nr2 outp outn 1\nr3 clk vdd 1\n.ends\n")
    assert own.ports == ("inp", "inn", "out", "bias", "clk", "vdd", "vss")
    assert own.bias == (("outn", "open"),)


def test_two_blocks_that_give_a_name_two_meanings_are_refused(load, tmp_path):
    body = ".subckt {} inp inn out\nd1 inp inn m\ne1 out 0 inp inn 5\n.ends\n.model m d is={}\n"
    one, other = load(body.format("mine", "1e-14")), tmp_path / "o.cir"
    other.write_text(body.format("amp", "1e-9"))
    with pytest.raises(InputError, match=r"both define \.model m"):
        Blocks(comparator=one, opamp=load_user_subcircuit(f"{other}:amp", "opamp"))


ROLE_NAMES = {role: NAMES[role].split() for role in ("inp", "inn", "out", "com", "vdd", "vss")}
BASE = {role: names[0] for role, names in ROLE_NAMES.items()}


def written(names: dict[str, str], order: list[str], case, note: str, end: str, parts: int) -> str:
    """One comparator, with these names of its ports, in this order and dress."""
    body = f"b1 {names['out']} {names['com']} v={{0.9*tanh(50*(v({names['inp']})-v({names['inn']})-2m))}}"
    head = [".subckt mine", *(names[role] for role in order)]
    cut = len(head) - parts
    lines = [
        " ".join(head[:cut]),
        *(f"+ {word}" for word in head[cut:]),
        f"* {note}",
        f"{body} ; {note}",
        "rs {vdd} {vss} 1k".format(**names),
    ]
    return end.join([*(case(line) for line in lines), case(".ends mine"), ""])


@settings(max_examples=15)
@given(data=st.data())
def test_names_case_order_comments_and_line_ends_change_nothing(tmp_path_factory, data):
    """The same block in another dress gives the same waveform to the last bit."""
    path = tmp_path_factory.getbasetemp() / "dress.cir"

    def outputs(text: str) -> np.ndarray:
        path.write_bytes(text.encode())
        own, circuit = load_user_subcircuit(f"{path}:MINE", "comparator"), RampCircuit()
        return simulate(sides_deck(own, Blocks(comparator=own), circuit), ["y0"])["y0"]

    plain = outputs(written(BASE, list(BASE), str, "", "\n", 0))
    names = {role: data.draw(st.sampled_from([n for n in known if not set(n) & set("+-")])) for role, known in ROLE_NAMES.items()}
    dress = written(
        names,
        data.draw(st.permutations(list(BASE))),
        data.draw(st.sampled_from([str, str.upper, str.title])),
        data.draw(st.sampled_from(["", "a note", "größer als 5 µV", "+ $ ; .subckt"])),
        data.draw(st.sampled_from(["\n", "\r\n"])),
        data.draw(st.integers(0, 6)),
    )
    np.testing.assert_array_equal(outputs(dress), plain)


@pytest.mark.parametrize(("said", "what"), [({"ports": {"com": "gnd"}}, "com"), ({"bias": {"gnd": "0.5"}}, "0.5")])
def test_a_port_gnd_that_is_not_ground_is_refused(tmp_path, said, what):
    """ngspice takes gnd for node 0 whatever its port gets: nothing else would come of it, in silence."""
    path = tmp_path / "my.cir"
    path.write_text(".subckt mine inp inn out gnd\nb1 out gnd v={0.9+0.9*tanh(1k*v(inp,inn))}\n.ends\n")
    with pytest.raises(InputError, match=f"port 'gnd' would be {what}: ngspice takes gnd .* for node 0"):
        load_user_subcircuit(f"{path}:mine", "comparator", wiring=Wiring(**said))
    for good in ({}, {"ports": {"vss": "gnd"}}, {"bias": {"gnd": "vss"}}, {"bias": {"gnd": "0"}}):
        load_user_subcircuit(f"{path}:mine", "comparator", wiring=Wiring(**good))
