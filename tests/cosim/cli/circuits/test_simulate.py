"""`cosim simulate`: answers, files, exit codes and one clear line for each refusal."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import cosim.cli.circuits.simulate as command
from cosim.cli.app import run
from netlists.technology.pdk import library

RC = "low pass\nv1 in 0 dc 1 ac 1 pulse(0 1 0 1p 1p 1 2)\nr1 in out 1k\nc1 out 0 1n\n"


@pytest.fixture
def deck(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def _deck(body: str, name: str = "deck.cir") -> str:
        Path(name).write_text(RC + body + "\n.end\n")
        return name

    return _deck


def test_rc_step_to_parquet_and_picture(deck, capsys):
    path = deck(".tran 1n 5u\n.print tran v(in)")
    assert (
        run(["simulate", path, "--save", "v(out)", "--save", "i(v1) v(in,out)", "--plot", "out.png", "--out", "waves.parquet"]) == 0
    )
    said = capsys.readouterr().out
    assert "deck.cir: .tran 1n 5u" in said
    assert "left out: deck.cir, line 6: .print" in said
    table = pd.read_parquet("waves.parquet")
    assert list(table) == ["time", "v(out)", "i(v1)", "v(in,out)"]
    exact = 1 - np.exp(-table["time"] / 1e-6)
    np.testing.assert_allclose(table["v(out)"], exact, atol=1e-3)
    np.testing.assert_allclose(table["v(in,out)"][1:], -1e3 * table["i(v1)"][1:], atol=1e-6)
    assert Path("out.png").read_bytes().startswith(b"\x89PNG")


def test_ac_has_magnitude_and_phase(deck, capsys):
    path = deck(".ac dec 20 1k 10meg")
    assert run(["simulate", path, "--save", "v(out)", "--plot", "out.svg", "--out", "ac.parquet", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["points"] == 81
    assert data["vectors"][0]["max"] == pytest.approx(1, abs=1e-4)
    table = pd.read_parquet("ac.parquet")
    assert list(table) == ["frequency", "mag(v(out))", "phase_deg(v(out))"]
    exact = 1 / (1 + 2j * np.pi * table["frequency"].to_numpy() * 1e-6)
    np.testing.assert_allclose(table["mag(v(out))"], np.abs(exact), rtol=1e-6)
    np.testing.assert_allclose(table["phase_deg(v(out))"], np.degrees(np.angle(exact)), atol=1e-4)
    picture = Path("out.svg").read_text()
    assert "<svg" in picture


def test_axes_carry_units(deck):
    from netlists.outside.deck import read_outside_deck
    from netlists.outside.run import simulate_outside

    results = simulate_outside(read_outside_deck(deck(".tran 1n 1u\n.dc v1 0 1 0.1")))
    axes = command.draw_all(list(results.waves)).axes
    assert [a.get_ylabel() for a in axes] == ["voltage (V)", "current (A)"] * 2
    assert [a.get_xlabel() for a in axes[1::2]] == ["time (s)", "v-sweep (V)"]


def test_operating_point(deck, capsys):
    assert run(["simulate", deck(".op"), "--out", "op.parquet", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["points"] == 1
    assert data["scales"] == []
    assert pd.read_parquet("op.parquet")["v(out)"][0] == pytest.approx(1)
    assert run(["simulate", deck(".op"), "--plot", "op.png"]) == 2
    assert "single point" in capsys.readouterr().err


def test_all_analyses_come_back_each_under_its_name(deck, capsys):
    path = deck(".tran 1n 1u\n.op\n.tran 1n 2u\n.noise v(out) v1 dec 5 1 1meg\n.tf v(out) v1\n.four 1meg v(out)")
    assert run(["simulate", path, "--json", "--out", "all.csv"]) == 0
    found = {a["name"]: a for a in json.loads(capsys.readouterr().out)["analyses"]}
    assert list(found) == ["tran1", "four1", "op", "tran2", "four2", "noise", "noise_total", "tf"]
    assert found["tran2"]["scales"][0]["max"] == pytest.approx(2e-6)
    # kT/C of 1 nF, which the sweep to 1 MHz holds nine tenths of.
    assert found["noise_total"]["vectors"][0]["max"] == pytest.approx(np.sqrt(1.380649e-23 * 300.15 / 1e-9), rel=0.06)
    table = pd.read_csv("all.csv")
    assert list(dict.fromkeys(table["analysis"])) == list(found)
    assert table["transfer_function"].dropna().tolist() == [1.0]
    assert run(["simulate", path, "--analysis", "op"]) == 0
    assert "tran" not in capsys.readouterr().out


def test_loops_measurements_and_notes_of_a_control_block(deck, capsys):
    path = deck(
        ".param half=0.5\n.csparam vhalf={half}\n.control\nset appendwrite\nforeach r 1k 2k\n  alter r1 = $r\n  tran 1n 5u\n"
        "  meas tran tpd when v(out)=$&vhalf rise=1\n  write all.raw\nend\nlet twice = 2*tpd\nprint twice\nplot v(out)\n.endc"
    )
    assert run(["simulate", path, "--json", "--out", "all.raw"]) == 0
    said = json.loads(capsys.readouterr().out)
    delays = [a["measurements"]["tpd"] for a in said["analyses"]]
    np.testing.assert_allclose(delays, [np.log(2) * 1e-6, np.log(2) * 2e-6], rtol=1e-3)
    assert [a["step"]["r1"] for a in said["analyses"]] == ["1k", "2k"]
    assert [v["max"] for v in said["analyses"][1]["vectors"] if v["name"] == "twice"] == [pytest.approx(2 * delays[1])]
    assert len(said["printed"]) == 1
    assert said["printed"][0].startswith("twice = 2.77")
    assert said["left_out"] == ["deck.cir, line 13: write all.raw", "deck.cir, line 17: plot v(out)"]
    assert Path("all.raw").read_bytes().count(b"Plotname: Transient Analysis") == 2
    assert sorted(p.name for p in Path().iterdir()) == ["all.raw", "deck.cir"]


def test_ngspice_loads_the_raw_file(deck):
    import subprocess

    assert run(["simulate", deck(".tran 1n 5u\n.ac dec 2 1 1k"), "--out", "all.raw"]) == 0
    Path("load.cir").write_text("t\nr1 a 0 1\n.control\nload all.raw\necho $plots\nprint length(frequency)\nquit\n.endc\n.end\n")
    printed = subprocess.run(["ngspice", "-n", "-b", "load.cir"], capture_output=True, text=True, check=False).stdout
    assert "length(frequency) = 7.0" in printed


def test_bus_names_device_vectors_and_a_node_called_error(deck, capsys):
    body = "e1 error 0 out d[0] 10\nr2 error d[0] 1k\nr3 d[0] a<1> 1k\nr4 a<1> 0 1k\n"
    body += ".save all\n.save v(d[0]) v(a<1>) @r2[i]\n.tran 1n 1u"
    assert run(["simulate", deck(body), "--json"]) == 0
    names = {v["name"] for v in json.loads(capsys.readouterr().out)["vectors"]}
    assert {"v(d[0])", "v(a<1>)", "v(error)", "i(@r2[i])"} <= names


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (
            "m1 out out 0 0 nx\n.model nx nmos level=1 vto=0.4 foo=3\n.op",
            0,
            "deck.cir, line 6 : .model nx nmos level=1 vto=0.4 foo=3",
        ),
        ("* one\n\n* two\nr2 out 0 1k foo=3\n.op", 1, "deck.cir, line 8: the parameter foo"),
        ("c2 out b 1p\nc3 b 0 1p\n.op", 1, "node b floats"),
        ("l1 in 0 1n\n.op", 1, "l1: is in a loop of inductors or voltage sources"),
        ("m1 out out 0 0 nx\n.op", 1, "deck.cir, line 5: m1: the model nx is defined nowhere"),
        ("x1 out nx\n.op", 1, "deck.cir, line 5: x1: the subcircuit nx is defined nowhere"),
        ("b1 x 0 i=v(x)^2+1\nr2 x 0 1k\n.op", 1, "no convergence"),
        ("r2 out 0 {nope}\n.op", 1, "deck.cir, line 5: the parameter nope is defined nowhere"),
        ("r2 out 0 r='1k*2'\n.op", 0, "--compat 'hsa'"),
        ("e1 a 0 value {limit(v(out),0,1)}\n.op", 0, "--compat 'psa'"),
        ("r2 out 0 5\u00b5\n.op", 2, "5u"),
        ("r2 out 0 4k7\n.op", 0, "--compat 'lta'"),
        ("r2 out 0 {mc(1k,0.1)}\n.op", 2, "deck.cir, line 5: r2 out 0 {mc(1k,0.1)}: mc: draws a random number in LTspice"),
        (".func mc(x) {2*x}\nr2 out 0 {mc(1k)}\n.op", 0, ""),
        ("e2 a 0 vcvs out 0 2 max=1\n.op", 2, "HSPICE's controlled sources"),
        ("e2 a 0 laplace {v(out)} {1/(1+s)}\n.op", 2, "a source of PSpice"),
        (".tran 1n 1u sweep r 1k 2k 1k", 2, "sweep is HSPICE's"),
        (".tran 1u", 2, "a stop time alone, as LTspice takes it"),
        (".tran 0 1u 0 1n startup", 2, "startup is LTspice's"),
        ("x1 out amp\n.subckt amp a b\nr1 a b 1k\n.ends\n.op", 1, "deck.cir, line 5: x1: has too few nodes for the subcircuit amp"),
        (".save v(out) @r1[foo]\n.op", 0, "saved vector @r1[foo]: no analysis gave it"),
        (".save all v(nope)\n.op", 0, "saved vector v(nope): no analysis gave it"),
    ],
)
def test_what_is_said_of_a_deck(body, code, message, deck, capsys):
    assert run(["simulate", deck(body), "--time-limit", "20"]) == code
    said = capsys.readouterr().err
    assert message in said
    assert "gmin" not in said


TITLES = ["V1 a 0 1.8", "B1 a 0 V={2*v(b)}", "E1 a 0 b 0 10", "G1 a 0 value {v(b)}", "F1 a 0 V2 3", "K1 L1 L2 0.9", "S1 a 0 b 0 sw"]


@pytest.mark.parametrize("title", TITLES)
def test_a_title_that_is_an_element_is_said(title, deck, capsys):
    Path("d.cir").write_text(f"{title}\nR1 a b 1k\nR2 b 0 1k\n.model sw sw\n.op\n")
    assert run(["simulate", "d.cir", "--json"]) == 0
    said = capsys.readouterr()
    assert f"d.cir, line 1: '{title}' is the title" in said.err
    assert json.loads(said.out)["warnings"]


@pytest.mark.parametrize("title", ["Comparator, delay against overdrive 1m", "R divider of the bench", "E2 of four: bits 3", ""])
def test_a_title_is_a_title(title, deck, capsys):
    Path("d.cir").write_text(f"{title}\nV1 a 0 1\nR1 a 0 1k\n.op\n")
    assert run(["simulate", "d.cir"]) == 0
    assert not capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("// Cell name: y\nsubckt comp inp out\nM0 (out inp 0) nch\nends comp\n", "is a Spectre netlist (line 2"),
        ("Version 4\nSHEET 1 880 680\n", "LTspice schematic"),
        ("v {xschem version=3.4.5}\nG {}\n", "xschem schematic"),
        ("G {}\nK {}\nV {}\n", "xschem schematic"),
        ("<Qucs Schematic 0.0.19>\n", "Qucs schematic"),
        ('`include "disciplines.vams"\nmodule comp(a, b);\nendmodule\n', "is Verilog"),
        ("Title: x\nDate: now\nPlotname: Transient\n", "a raw file"),
        ("t\nv1 a 0 1\n.op\n".encode("utf-16"), "UTF-16"),
    ],
)
def test_files_that_are_no_netlists_are_named(text, message, deck, capsys):
    Path("d.cir").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert run(["simulate", "d.cir"]) == 2
    assert message in capsys.readouterr().err


CASES = Path(__file__).parent / "data" / "spice"
"""Decks as their designers have them."""


@pytest.mark.parametrize(
    ("file", "options", "values", "message"),
    [
        ("bus_names.cir", [], {"v(d[1])": 2.0, "i(@r1[i])": -1e-3}, ""),
        # Half of an RC step whose edge lasts 1 ns: 0.5 ns and ln 2 of 10 ns.
        ("csparam.cir", [], {"t2": 7.43e-9, "tr": 7.43e-9}, ""),
        ("ignored_parameter.cir", [], {"i(v1)": -18e-6}, "ignored_parameter.cir, line 5 : .model nx nmos"),
        ("line_number.cir", [], 1, "line_number.cir, line 9: the parameter foo"),
        ("meas.cir", [], {"tpd": 0.693e-9, "vavg": 0.505}, ""),
        ("node_called_error.cir", [], {"v(error)": 9.95}, ""),
        # sqrt(kT/C) of 1 pF, of which the band to 100 MHz holds 2/pi atan(2 pi).
        ("noise.cir", [], {"onoise_total": 61.04e-6}, ""),
        ("plot_command.cir", [], {"v(out)": 0.9937}, ""),
        ("pspice_limit.cir", [], {"v(x1.n1)": 2000.9}, "--compat 'psa'"),
        # At the ends of its table ngspice's source is rounded: 0.855 of 0.9 above analog ground.
        ("pspice_limit.cir", ["--compat", "psa"], {"v(x1.n1)": 1.8, "v(o)": 1.755}, ""),
        ("title_is_element.cir", [], {"v(a)": 0.0}, "line 1: 'V1 a 0 1.8' is the title"),
        # gm (ro || 10 kohm) of a square law in saturation, 7.54: what the control block measures.
        ("xschem_testbench.spice", ["--analysis", "ac"], {"g0": -7.544}, "--compat 'hsa'"),
    ],
)
def test_decks_of_designers(file, options, values, message, capsys):
    code = values if isinstance(values, int) else 0
    assert run(["simulate", str(CASES / file), "--json", *options]) == code
    said = capsys.readouterr()
    assert message in said.err
    assert bool(said.err) == bool(message)
    if code:
        return
    found = {}
    for analysis in json.loads(said.out)["analyses"]:
        found |= {v["name"]: max(v["min"], v["max"], key=abs) for v in analysis["vectors"]} | analysis["measurements"]
    assert {name: found[name] for name in values} == pytest.approx(values, rel=2e-3)


def test_a_spiceinit_is_named_not_run(deck, capsys):
    Path(".spiceinit").write_text((CASES / "spiceinit.txt").read_text())
    assert run(["simulate", deck(".op")]) == 0
    assert "is not run, which plain ngspice would do; it sets ngbehavior=hsa: --compat 'hsa' does" in capsys.readouterr().err


def test_fingers_of_sky130_need_the_mode_and_are_then_transistors_of_their_own(tmp_path, capsys):
    """Eight fingers of 2 um: as many transistors of one finger, which need no mode."""
    text = (
        (CASES / "sky130_nf8.spice")
        .read_text()
        .replace("PDK/sky130_fd_pr/combined_models/continuous/sky130.lib.spice", str(library()))
    )
    one = (
        text.replace(" W=16 nf=8", " W=2 nf=1")
        .replace("XM1 d g", "XM{0} d g")
        .replace(".save @m.xm1.msky130_fd_pr__nfet_01v8[id]", "")
    )
    card = next(part for part in re.findall(r"^XM\{0\}.*(?:\n\+.*)*", one, re.MULTILINE))
    currents = {}
    for name, body, options in (
        ("plain", text, []),
        ("mode", text, ["--compat", "hsa"]),
        ("eight", one.replace(card, "\n".join(card.replace("{0}", str(i)) for i in range(8))), []),
    ):
        (tmp_path / "deck.spice").write_text(body)
        assert run(["simulate", str(tmp_path / "deck.spice"), "--save", "i(vd)", "--json", *options]) == 0
        said = capsys.readouterr()
        assert ("--compat 'hsa'" in said.err) == (not options)
        currents[name] = json.loads(said.out)["vectors"][0]["max"]
    assert currents["mode"] == pytest.approx(currents["eight"], rel=1e-3)
    assert abs(currents["plain"] / currents["mode"] - 1) > 0.1


def test_a_compatibility_mode_is_part_of_the_result(deck, capsys):
    """PSpice's LIMIT(x, low, high): the middle one is no value of x there."""
    path = deck("e1 a 0 VALUE {LIMIT(2000*V(out),-0.5,0.5)}\n.op")
    found = {}
    for mode in ([], ["--compat", "psa"]):
        assert run(["simulate", path, "--json", *mode]) == 0
        said = json.loads(capsys.readouterr().out)
        found[said["compat"]] = next(v["max"] for v in said["vectors"] if v["name"] == "v(a)")
    assert found["psa"] == pytest.approx(0.5)
    assert found[None] != pytest.approx(0.5)
    assert run(["simulate", path, "--compat", "nope"]) == 2
    assert "hsa, psa" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("body", "arguments", "code", "message"),
    [
        (".control\nshell touch marker\n.endc\n.op", [], 2, "deck.cir, line 6: shell touch marker"),
        ("*#shell touch marker\n.op", [], 2, "line 5"),
        (".include ../secret.inc\n.op", [], 2, "outside the folder"),
        (".op", ["--save", "v(nope)"], 2, "v(nope)"),
        (".op", ["--save", ","], 2, "names no vector"),
        (".op", ["--save", "v(out) `touch marker`"], 2, "is no vector"),
        (".tran 1n 1u", ["--plot", "out.bmp"], 2, ".png, .svg or .pdf"),
        (".op", ["--out", "deck.cir/x.parquet"], 1, "deck.cir"),
        ("", [], 2, "has no .tran"),
        ("r9 out 0 {nosuch}\n.op", [], 1, "ngspice:"),
    ],
)
def test_refusals_are_one_line_and_leave_nothing(body, arguments, code, message, deck, capsys):
    path = deck(body)
    assert run(["simulate", path, *arguments]) == code
    said = capsys.readouterr()
    assert message in said.err
    assert said.err.startswith("error: ")
    assert said.out == ""
    assert [p.name for p in Path().iterdir()] == ["deck.cir"]


def test_permission_runs_the_commands(deck, capsys):
    path = deck(".control\nshell touch marker\ntran 1n 1u\nquit\n.endc")
    assert run(["simulate", path, "--allow-commands", "--save", "v(out)"]) == 0
    assert Path("marker").exists()
    assert "v(out)" in capsys.readouterr().out


def test_a_missing_deck(capsys):
    assert run(["simulate", "nowhere.cir"]) == 2
    assert "no such file" in capsys.readouterr().err


def test_without_ngspice_it_says_how_to_get_it(deck, capsys, monkeypatch):
    path = deck(".op")
    monkeypatch.setenv("PATH", "")
    assert run(["simulate", path]) == 1
    assert "apt-get install ngspice" in capsys.readouterr().err


def test_a_deck_that_says_it_failed_ends_with_1(deck, capsys):
    path = deck(".control\nop\nif v(out) > 0.5\nquit 3\nend\n.endc")
    assert run(["simulate", path, "--json"]) == 1
    out, err = capsys.readouterr()
    assert (json.loads(out)["status"], json.loads(out)["vectors"][1]["max"]) == (3, pytest.approx(1))
    assert "status 3" in err
    assert run(["simulate", deck(".control\nop\nquit 0\n.endc"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["status"] == 0


def test_short_vectors_stand_once_in_a_table_and_are_named_where_they_cannot(deck, capsys):
    path = deck(".control\ntran 1n 100n\nlet x = vector(3)\nlet y = 7\n.endc\n.control\nlet z = unitvec(500)\n.endc")
    assert run(["simulate", path, "--out", "all.csv"]) == 0
    table = pd.read_csv("all.csv")
    assert table["x"].dropna().tolist() == [0, 1, 2]
    assert set(table["y"]) == {7}
    assert "z" not in table
    assert "all.csv: of another length than their analysis and not in it: vectors z of tran (500)" in capsys.readouterr().err
    assert run(["simulate", path, "--out", "all.raw"]) == 0
    assert "vectors x of tran (3), y of tran (1), z of tran (500)" in capsys.readouterr().err
