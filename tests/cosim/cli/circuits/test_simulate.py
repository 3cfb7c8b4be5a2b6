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
    from netlists.outside.run import simulate_analysis

    read = read_outside_deck(deck(".tran 1n 1u"))
    axes = command.draw(simulate_analysis(read.deck(), read.analysis())).axes
    assert [a.get_ylabel() for a in axes] == ["voltage (V)", "current (A)"]
    assert axes[-1].get_xlabel() == "time (s)"
    read = read_outside_deck(deck(".dc v1 0 1 0.1"))
    axes = command.draw(simulate_analysis(read.deck(), read.analysis())).axes
    assert axes[-1].get_xlabel() == "v-sweep (V)"


def test_operating_point(deck, capsys):
    assert run(["simulate", deck(".op"), "--out", "op.parquet", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["points"] == 1
    assert data["scales"] == []
    assert pd.read_parquet("op.parquet")["v(out)"][0] == pytest.approx(1)
    assert run(["simulate", deck(".op"), "--plot", "op.png"]) == 2
    assert "single point" in capsys.readouterr().err


def test_one_of_several_analyses(deck, capsys):
    path = deck(".tran 1n 1u\n.op")
    assert run(["simulate", path]) == 2
    assert "--analysis" in capsys.readouterr().err
    assert run(["simulate", path, "--analysis", "op"]) == 0


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
