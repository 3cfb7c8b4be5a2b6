"""Decks from strangers: how they are read, what they give when they are simulated, and what is said of bad ones."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st

from netlists.converter.converter import Converter
from netlists.converter.transition import transition_deck
from netlists.errors import InputError, SimulationError
from netlists.outside.analysis import Analysis
from netlists.outside.deck import OutsideDeck, read_outside_deck
from netlists.outside.run import simulate_outside
from netlists.ramp.chips import Chips
from netlists.spice import engine
from netlists.spice.cards import cards, words
from netlists.spice.deck import Deck
from netlists.spice.program import run_batch

DECK = OutsideDeck.deck
RC = "v1 in 0 dc 1 ac 1 pulse(0 1 0 1p 1p 1 2)\nr1 in out 1k\nc1 out 0 1n\n"
TAU = 1e-6


def test_rc_step_against_the_closed_form(write, run):
    waves = run(write(RC + ".tran 1n 5u\n"), "v(out)")
    assert waves.kind == "tran"
    np.testing.assert_allclose(waves["v(out)"], 1 - np.exp(-waves["time"] / TAU), atol=1e-3)


def test_the_shared_library_and_plain_ngspice_agree(write, run):
    path = write(RC + ".tran 1n 5u\n.print tran v(out)\n")
    waves = run(path, "v(out)", "v(in)")
    read = read_outside_deck(path)
    shared = engine.simulate(read.deck(read.analyses, (), ("v(out)", "v(in)"), ()), ["out", "in"])
    np.testing.assert_array_equal(waves["time"], shared["time"])
    np.testing.assert_array_equal(waves["v(out)"], shared["out"])
    printed = run_batch(path)
    rows = [line.split() for line in printed.splitlines() if line[:1].isdigit() and len(line.split()) == 3]
    table = np.array(rows, float)
    # ngspice -b prints on its own time grid, six digits.
    np.testing.assert_allclose(np.interp(table[:, 1], waves["time"], waves["v(out)"]), table[:, 2], atol=2e-5)


def test_ac_is_the_transfer_function(write, run):
    waves = run(write(RC + ".ac dec 10 1k 10meg\n"), "v(out)")
    np.testing.assert_allclose(waves["v(out)"], 1 / (1 + 2j * np.pi * waves["frequency"] * TAU), rtol=1e-6)
    assert waves.points == 41


def test_dc_nested_sweep_has_both_scales(write, run):
    waves = run(write("v1 a 0 0\nv2 b 0 0\nr1 a x 1k\nr2 b x 1k\n.dc v1 0 1 0.1 v2 0 2 1\n"), "v(x)", "v(a,b)", "i(r1)")
    assert [s.name for s in waves.scales] == ["v-sweep", "v2-sweep"]
    v1, v2 = (s.values for s in waves.scales)
    assert waves.points == 33
    np.testing.assert_allclose(waves["v(x)"], (v1 + v2) / 2, atol=1e-9)
    np.testing.assert_allclose(waves["v(a,b)"], v1 - v2, atol=1e-12)
    np.testing.assert_allclose(waves["i(r1)"], (v1 - v2) / 2e3, atol=1e-9)


def test_op_and_all_vectors(write, run):
    waves = run(write("v1 1 0 2\nr1 1 OUT 1k\nr2 out gnd 3k\n.op\n"))
    assert not waves.scales
    assert waves["v(out)"][0] == pytest.approx(1.5)
    assert waves["i(v1)"][0] == pytest.approx(-0.5e-3)
    assert waves["V(1)"][0] == 2


def test_all_and_a_device_parameter(write, run):
    waves = run(write("v1 a 0 2\nr1 a 0 1k\n.op\n.save all @r1[i]\n"))
    assert {"v(a)", "i(v1)"} < {w.name for w in waves.vectors}
    assert waves["i(@r1[i])"][0] == pytest.approx(2e-3)


def test_a_control_block_runs_without_what_it_draws(write, run):
    path = write(RC + ".control\nset numdgt=7\ntran 1n 2u\nsave v(out)\nplot v(out)\n.endc\n")
    d = read_outside_deck(path)
    assert "tran 1n 2u" in d.commands
    assert d.saved == ("v(out)",)
    assert [s for s in d.skipped if "plot" in s] == ["deck.cir, line 9: plot v(out)"]
    waves = run(path)
    assert waves.card == ".tran 1n 2u"
    assert [w.name for w in waves.vectors] == ["v(out)"]


def test_lines_as_ngspice_reads_them(write, run):
    text = (
        "\n* comment with ü\nV1 IN 0\n+ dc 1 ; tail\n* between\n\n+ ac 1 // tail\nR1 in out 1k $ tail\n$ whole\n"
        "c1 out 0 {c}\n.PARAM c = 1n\n.TRAN 1n 3u\n"
    )
    path = write(text)
    assert read_outside_deck(path).body.splitlines() == [
        "V1 IN 0",
        "+ dc 1",
        "+ ac 1",
        "R1 in out 1k",
        "c1 out 0 {c}",
        ".PARAM c = 1n",
    ]
    assert run(path, "v(out)")["v(out)"][-1] == pytest.approx(1)


def test_includes_and_library_sections_in_place(write, tmp_path, run):
    path = write('.include "parts/a.inc"\n.lib models.lib Fast\nv1 in 0 1\nr1 in out {r}\nd1 out 0 dd\n.op\n')
    (tmp_path / "deck/parts").mkdir()
    (tmp_path / "deck/parts/a.inc").write_text(".inc 'b.inc'\n")
    (tmp_path / "deck/parts/b.inc").write_text(".param r=2k\n")
    (tmp_path / "deck/models.lib").write_text(
        ".lib slow\n.model dd d is=1e-20\n.endl\n.lib fast\n.lib 'models.lib' common\n.endl fast\n"
        ".lib common\n.model dd d is=1e-12\n.endl\n"
    )
    assert ".model dd d is=1e-12" in read_outside_deck(path).body
    assert "1e-20" not in read_outside_deck(path).body
    assert 0.4 < run(path, "v(out)")["v(out)"][0] < 0.6


def test_line_numbers_count_from_the_title_and_name_the_included_file(write, tmp_path):
    path = write("r1 a 0 1k\n* x\n.include sub.inc\n.op")
    (tmp_path / "deck/sub.inc").write_text("* first\n\nr2 a 0\n+ 1k\n.model m d_process (x=1)\n")
    with pytest.raises(InputError, match=r"^sub\.inc, line 5: \.model m d_process .*'d_process' starts a program"):
        read_outside_deck(path)


@pytest.mark.parametrize(
    ("body", "files", "message"),
    [
        (".include deck.cir", {}, "without end"),
        (".include a.inc", {"a.inc": ".include b.inc\n", "b.inc": ".include a.inc\n"}, r"^b\.inc, line 1.*without end"),
        (".include nowhere.inc", {}, "no such file"),
        (".lib m.lib ss", {"m.lib": ".lib tt\n.endl\n"}, "no section 'ss'; it has tt"),
        (".lib m.lib tt", {"m.lib": ".lib tt\n"}, r"^m\.lib, line 1.*\.endl"),
        (".lib m.lib tt", {"m.lib": ".lib tt\n.lib ss\n.endl\n.endl\n"}, "still open"),
        (".lib m.lib tt", {"m.lib": ".endl\n"}, "no .lib began"),
        (".lib m.lib", {}, r"\.endl"),
        (".include a b", {}, "written as"),
        (".control\nrun", {}, "line 2.*never closed"),
        (".endc", {}, "no .control began"),
        ("+ 1k", {}, "continues nothing"),
        ("r1 a 0 1k\nµ1 a 0", {}, "line 3.*ASCII"),
        (".model", {}, "NAME TYPE"),
        (".tran 1n", {}, "write .tran STEP STOP"),
        (".dc v1 0 1 0.1 v2", {}, "got 5"),
        (".tran 1n $stop", {}, "no number"),
        (".save v(", {}, "no vector"),
        (".control\nset x=$<\n.endc", {}, "line 3.*history"),
        (".control\nforeach x a > b\nend\n.endc", {}, "line 3.*redirect"),
    ],
)
def test_bad_decks(body, files, message, write, tmp_path):
    path = write(body)
    for name, text in files.items():
        (tmp_path / "deck" / name).write_text(text)
    with pytest.raises(InputError, match=message):
        read_outside_deck(path)


@pytest.mark.parametrize(("lines", "message"), [("r1 a 0 " + "_" * 2_000_000, None), ("r1 a 0 1\n" * 1_000_001, "lines")])
def test_a_deck_is_read_in_linear_time(lines, message, write):
    """Within CPU seconds that a quadratic reader exceeds a hundredfold: of those a busy machine gives as many as an idle one."""
    code = (
        "import resource, sys\n"
        "from netlists.errors import ToolkitError\n"
        "from netlists.outside.deck import read_outside_deck\n"
        "resource.setrlimit(resource.RLIMIT_CPU, (60, 60))\n"
        "try:\n"
        "    read_outside_deck(sys.argv[1])\n"
        "except ToolkitError as e:\n"
        "    print(str(e)[-200:])\n"
    )
    done = subprocess.run([sys.executable, "-c", code, write(lines)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-500:]
    assert message is None or message in done.stdout


def test_a_bomb_of_includes_ends(write, tmp_path, monkeypatch):
    monkeypatch.setattr("netlists.outside.deck.MAX_CHARACTERS", 20_000)
    for i in range(30):
        (tmp_path / "deck" / f"{i}.inc").write_text(f".include {i + 1}.inc\n.include {i + 1}.inc\n")
    (tmp_path / "deck" / "30.inc").write_text("r1 a 0 1\n")
    with pytest.raises(InputError, match="million characters"):
        read_outside_deck(write(".include 0.inc"))


@pytest.mark.parametrize("path", ["nowhere.cir", ".", "a\0b", "x" * 5000])
def test_paths_that_are_no_file(path):
    with pytest.raises(InputError):
        read_outside_deck(path)


def test_pipes_are_not_waited_for(write, tmp_path):
    path = write(".include pipe")
    os.mkfifo(tmp_path / "deck/pipe")
    with pytest.raises(InputError, match="plain file"):
        read_outside_deck(path)


def test_which_analysis(write):
    d = read_outside_deck(write(RC + ".tran 1n 1u\n.op\n.noise v(out) v1 dec 1 1 10\n.pss 1 2 out"))
    assert [a.kind for a in d.chosen()] == ["tran", "op", "noise"]
    assert [w.name for w in simulate_outside(d, kind="op").waves] == ["op"]
    with pytest.raises(InputError, match=r"no \.ac"):
        d.chosen("ac")
    with pytest.raises(InputError, match="allowed are op, dc, ac, tran, noise"):
        d.chosen("pss")
    assert d.skipped == ("deck.cir, line 8: .pss",)


@pytest.mark.parametrize(
    "body",
    [
        "v1 a 0 {nosuch}\nr1 a 0 1k\n.op",
        "v1 a 0 1\nm1 a 0 0 0 nomodel\n.op",
        "v1 a 0 1\nv2 a 0 2\n.op",
        "x1 a nosuch\n.op",
        "b1 a 0 v={nosuch(}\n.op",
    ],
)
def test_a_deck_that_ngspice_refuses_keeps_its_message(body, write, run):
    with pytest.raises(SimulationError) as e:
        run(write(body))
    assert e.value.ngspice_message


def test_a_run_that_takes_too_long_is_stopped(write):
    with pytest.raises(SimulationError, match=r"longer than 0\.3 s"):
        simulate_outside(read_outside_deck(write(RC + ".tran 1p 1")), ("v(out)",), timeout=0.3)


def test_an_early_end_is_an_error(write, monkeypatch):
    d = read_outside_deck(write(RC + ".tran 1n 1u"))
    longer = replace(d, analyses=(Analysis("tran", ("1n", "2u")),))
    monkeypatch.setattr(OutsideDeck, "deck", lambda self, analyses, *rest: DECK(self, d.analyses, *rest))
    with pytest.raises(SimulationError, match="ended at 1e-06 of 2e-06"):
        simulate_outside(longer)


def test_a_vector_that_is_not_there(write, run):
    with pytest.raises(InputError, match=r"v\(nope\)"):
        run(write(RC + ".op"), "v(out)", "v(nope)")


def test_our_own_decks_come_in_again(write, program3, circuit, run):
    chips = Chips.nominal(program3)
    ours = transition_deck(Converter(program3, circuit), chips, np.full((1, 7), circuit.v_cm), span=1e-3)
    path = write("")
    ours.write(path)
    waves = run(path, "v(ya0)")
    direct = engine.simulate(ours, ["ya0"])
    np.testing.assert_allclose(np.interp(direct["time"], waves["time"], waves["v(ya0)"]), direct["ya0"], atol=1e-4)


@given(st.text(alphabet="ab {}'\"=(),\t1", max_size=60))
def test_words_lose_no_characters(text):
    assert "".join(words(text)).replace(" ", "").replace("\t", "") == re.sub(r"\s", "", text)


def test_a_deck_of_another_kind_of_line_ends(tmp_path, run):
    """CR LF, a byte order mark, no last newline."""
    path = tmp_path / "d.cir"
    path.write_bytes(b"\xef\xbb\xbftitle\r\nv1 a 0 1\r\nr1 a 0\r\n+ 1k\r\n.op\r\n.end")
    assert run(path)["v(a)"][0] == 1
    assert [c.text for c in cards("t\nr1 a 0\n+1k", "x", title=True)] == ["r1 a 0 1k"]
    d = read_outside_deck(path)
    assert isinstance(d.deck(d.analyses, (), (), ()), Deck)
