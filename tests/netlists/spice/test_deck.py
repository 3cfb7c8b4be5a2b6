import hashlib
import re
from dataclasses import replace
from importlib import resources

import pytest

from netlists.errors import InputError, ToolkitError
from netlists.spice.deck import Deck, subcircuit
from netlists.technology import pdk

FILES = sorted(p.name.removesuffix(".cir") for p in (resources.files("netlists") / "circuits").iterdir() if p.name.endswith(".cir"))
RAMP_BLOCKS = [
    "opamp_macro",
    "integrator_ideal",
    "integrator_macro",
    "comparator_ideal",
    "comparator_macro",
    "ramp_cell_switch",
    "ramp_cells_selected",
    "latch_macro",
    "counter_macro",
]


def test_text_is_circuit_control_end():
    deck = Deck("* title\nr1 a 0 1", "run\nquit")
    assert deck.text == "* title\nr1 a 0 1\n.control\nrun\nquit\n.endc\n.end\n"
    assert Deck("* title").text == "* title\n.end\n"
    assert deck.sha256 == hashlib.sha256(deck.text.encode()).hexdigest()


@pytest.mark.parametrize(
    "line",
    [
        ".control",
        "  .CONTROL",
        ".controlx",
        ".con\n+trol",
        "*# shell touch x",
        " *#shell touch x",
        "r1 a 0 1\r.control",
        "r1 a 0 1\v.control",
        "r1 a 0 1\u2028.control",
        '.include "x.cir"',
        ".inc x.cir",
        "\t.Incx x.cir",
        ".lib x.cir tt",
        '.lib "x.cir" tt_mm',
        ".end\n.control",
        ".unknown",
        "*ng_script",
    ],
)
def test_commands_and_includes_need_trust(line):
    """What ngspice runs or reads while it parses, as found by trying it out; `.con` continued stands for what no list foresees."""
    text = f"* title\nr2 a 0 1\n{line}\n"
    for circuit in (text, f"{line}\nr2 a 0 1"):
        with pytest.raises(InputError, match="deck"):
            Deck(circuit)
        assert Deck(circuit, trusted=True).circuit == circuit
    with pytest.raises(InputError, match="deck"):
        replace(Deck("* title"), circuit=text)


@pytest.mark.parametrize("mismatch", [False, True])
def test_the_models_of_the_pdk_may_be_included(mismatch):
    card = pdk.lib_card("ss", mismatch=mismatch)
    assert card in Deck(f"* title\n{card}\n").text
    with pytest.raises(InputError, match="deck, line 2"):
        Deck(f"* title\n{card}x\n")


def test_write(tmp_path):
    deck = Deck("* title\nr1 a 0 1")
    path = deck.write(tmp_path / "deck.cir")
    assert path.read_text() == deck.text
    assert [p.name for p in tmp_path.iterdir()] == ["deck.cir"]


def test_write_below_a_file_names_it(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ToolkitError, match="file: the folder cannot be created"):
        Deck("* t").write(tmp_path / "file" / "deck.cir")


def test_a_failed_write_leaves_nothing(tmp_path):
    (tmp_path / "deck.cir").mkdir()
    with pytest.raises(ToolkitError, match=r"deck\.cir: cannot be written"):
        Deck("* t").write(tmp_path / "deck.cir")
    assert [p.name for p in tmp_path.iterdir()] == ["deck.cir"]


@pytest.mark.parametrize("name", RAMP_BLOCKS)
def test_each_block_is_one_documented_subcircuit_with_its_own_parameters(name):
    text = (resources.files("netlists") / "circuits" / f"{name}.cir").read_text()
    assert len(re.findall(r"^\.subckt ", text, re.MULTILINE)) == 1
    head = re.search(rf"^\.subckt {name} [^:]*(?: params: (.+))?$", text, re.MULTILINE).group(1) or ""
    comment = text.partition(".subckt")[0]
    for parameter in re.findall(r"(\w+)=", head):
        assert re.search(rf"\b{parameter}\b", comment), f"{parameter} is not explained"
    assert f".ends {name}" in text


def test_needed_blocks_come_first():
    text = subcircuit("integrator_macro")
    assert text.index(".subckt opamp_macro") < text.index(".subckt integrator_macro")


@pytest.mark.parametrize("name", ["none", "../deck", "opamp_macro.cir", ""])
def test_unknown_block_lists_the_built_in_ones(name):
    with pytest.raises(InputError, match=r"unknown; built in are .*opamp_macro"):
        subcircuit(name)


@pytest.mark.parametrize("name", FILES)
def test_every_file_can_be_taken(name):
    assert f".subckt {name} " in subcircuit(name)
