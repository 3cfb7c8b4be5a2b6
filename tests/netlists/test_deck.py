import hashlib
import re
from importlib import resources

import pytest

from netlists.deck import Deck, subcircuit
from netlists.errors import InputError, ToolkitError

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
    head = re.search(rf"^\.subckt {name} .* params: (.+)$", text, re.MULTILINE).group(1)
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
