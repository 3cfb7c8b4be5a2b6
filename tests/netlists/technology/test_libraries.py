"""PDKs of own blocks: which cards include their models, that no other card passes, and what is said of those that cannot run."""

import pytest

from netlists.errors import InputError, ToolkitError
from netlists.spice.deck import Deck
from netlists.spice.engine import simulate
from netlists.technology import libraries

MODELS = ".lib typical\n.model nfet_03v3 nmos level=1 vto={0.5+0.1*sw_stat_mismatch} kp=100u\n.endl\n"


@pytest.fixture
def gf180(tmp_path, monkeypatch):
    """A folder with files of the names that GF180MCU has."""
    folder = tmp_path / "gf180mcuD" / "libs.tech" / "ngspice"
    folder.mkdir(parents=True)
    (folder / "design.ngspice").write_text(".param sw_stat_mismatch=0\n")
    (folder / "sm141064.ngspice").write_text(MODELS)
    monkeypatch.setenv("PDK_ROOT", str(tmp_path))
    return folder


def test_a_deck_takes_the_cards_of_a_pdk_and_no_others(gf180, tmp_path):
    body = "vd d 0 1\nm1 d d 0 0 nfet_03v3 w=1u l=1u\nr1 d x 1k\nc1 x 0 1p\n.save v(x)\n.tran 1n 10n\n"
    cards = libraries.cards_of("gf180mcu")
    assert simulate(Deck("\n".join(["t", *cards, body])), ["x"])["x"][-1] == pytest.approx(1)
    for bad in (f'.include "{gf180}/sm141064.ngspice"', f'.lib "{tmp_path}/x" typical', cards[-1] + "\n.include /etc/passwd"):
        with pytest.raises(InputError, match="would run commands or read a file"):
            Deck("\n".join(["t", cards[0], bad, body]))


def test_what_a_library_card_means():
    assert libraries.pdk_of("$::PATH/sky130.lib.spice") == "sky130"
    assert libraries.pdk_of(r"C:\pdk\sm141064.ngspice") == "gf180mcu"
    assert libraries.pdk_of("my.lib") is None
    assert libraries.corner_of("gf180mcu", "typical") == "tt"
    assert libraries.corner_of("ihp-sg13g2", "mos_ss_stat") == "ss"
    assert libraries.corner_of("sky130", "tt_mm") == "tt"
    assert libraries.corner_of("gf180mcu", "res_typical") is None


def test_models_that_are_not_here_or_cannot_run_are_named(gf180, tmp_path, monkeypatch):
    monkeypatch.setattr(libraries.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ToolkitError, match="pip install --no-deps ihp-gdsfactory"):
        libraries.cards_of("ihp-sg13g2")
    (tmp_path / "cornerMOSlv.lib").write_text("")
    assert libraries.cards_of("ihp-sg13g2", "ss", mismatch=True) == [f'.lib "{tmp_path}/cornerMOSlv.lib" mos_ss_mismatch']
    with pytest.raises(ToolkitError, match=r"psp103\.va, the Verilog-A of its transistors, was not found"):
        libraries.verilog_a("ihp-sg13g2")
    assert libraries.verilog_a("gf180mcu") == []
