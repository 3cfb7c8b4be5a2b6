"""`cosim simulate`: answers, files, exit codes and one clear line for each refusal."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import cosim.cli.circuits.simulate as command
from cosim.cli.app import run

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
    assert table["v(transfer_function)"].dropna().tolist() == [1.0]
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
        ("x1 out nx\n.op", 1, "x1: the subcircuit nx is defined nowhere"),
        ("b1 x 0 i=v(x)^2+1\nr2 x 0 1k\n.op", 1, "no convergence"),
        ("r2 out 0 {nope}\n.op", 1, "deck.cir, line 5: the parameter nope is defined nowhere"),
        ("r2 out 0 r='1k*2'\n.op", 0, "--compat 'hsa'"),
        ("e1 a 0 value {limit(v(out),0,1)}\n.op", 0, "--compat 'psa'"),
        ("r2 out 0 5\u00b5\n.op", 2, "5u"),
    ],
)
def test_what_is_said_of_a_deck(body, code, message, deck, capsys):
    assert run(["simulate", deck(body), "--time-limit", "20"]) == code
    said = capsys.readouterr().err
    assert message in said
    assert "gmin" not in said


def test_a_title_that_is_an_element_is_said(deck, capsys):
    Path("d.cir").write_text("V1 a 0 1.8\nR1 a b 1k\nR2 b 0 1k\n.op\n")
    assert run(["simulate", "d.cir", "--json"]) == 0
    said = capsys.readouterr()
    assert "d.cir, line 1: 'V1 a 0 1.8' is the title" in said.err
    assert json.loads(said.out)["warnings"]


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
        (".op", ["--save", ""], 2, "names no vector"),
        (".op", ["--save", "v(out) `touch marker`"], 2, "is no vector"),
        (".tran 1n 1u", ["--plot", "out.bmp"], 2, ".png, .svg, .pdf"),
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
