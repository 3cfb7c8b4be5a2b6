"""`cosim netlist crossbar|column|tile`: what they write runs in plain ngspice and prints what they said; mistakes are one line."""

import json
import re

import numpy as np
import pytest

from cosim.cli.app import run
from netlists.converter.tile_deck import read_tile
from netlists.spice.program import run_batch


def said(capsys, *arguments):
    assert run(["netlist", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("level", ["ideal", "macro"])
def test_crossbar_prints_the_solvers_currents(level, tmp_path, capsys):
    deck = tmp_path / "crossbar.cir"
    data = said(capsys, "crossbar", "--rows", 6, "--columns", 5, "--level", level, "--r-driver", 3, "--out", deck)
    printed = re.findall(r"^i\(vc(\d+)\) = (\S+)", run_batch(deck), re.MULTILINE)
    assert [int(j) for j, _ in printed] == list(range(5))
    np.testing.assert_allclose([float(i) for _, i in printed], data["solver_currents"], rtol=1e-9)


def test_crossbar_of_transistors_is_near_the_solver(tmp_path, capsys):
    """Verified conductances include the transistor: at 0.2 V its own curvature leaves a few per cent."""
    deck = tmp_path / "crossbar.cir"
    data = said(capsys, "crossbar", "--rows", 6, "--columns", 5, "--level", "sky130", "--out", deck)
    printed = [float(i) for i in re.findall(r"^i\(vc\d+\) = (\S+)", run_batch(deck), re.MULTILINE)]
    assert len(printed) == 5
    largest = np.abs(data["solver_currents"]).max()
    np.testing.assert_allclose(printed, data["solver_currents"], atol=0.05 * largest)
    assert np.abs(np.subtract(printed, data["solver_currents"])).max() > 1e-6 * largest


@pytest.mark.parametrize(
    "arguments",
    [
        ("column", "--inputs", 4, "--bits", 3, "--activation", "tanh"),
        ("column", "--inputs", 4, "--bits", 3, "--level", "ideal", "--array", "mesh", "--seed", 3),
        ("tile", "--inputs", 4, "--columns", 6, "--bits", 3, "--chosen", "0-1,5", "--set", "v_read=0.18"),
        ("column", "--inputs", 4, "--bits", 3, "--comparator", "OWN", "--ports", "out=decision"),
    ],
)
def test_column_and_tile_print_what_the_closed_form_says(arguments, tmp_path, capsys):
    deck = tmp_path / "deck.cir"
    own = tmp_path / "own.cir"
    own.write_text(".subckt own inp inn decision com\nb1 decision com v={0.9*tanh(2222*(v(inp)-v(inn)))}\n.ends own\n")
    arguments = [f"{own}:own" if a == "OWN" else a for a in arguments]
    data = said(capsys, *arguments, "--out", deck)
    printed = read_tile(run_batch(deck))
    assert (" own\n" in deck.read_text()) == ("--comparator" in arguments) == bool(data["warnings"])
    assert list(printed) == data["columns"]
    np.testing.assert_allclose([v for v, _ in printed.values()], data["closed_form_v_mac"], atol=1e-3)
    assert np.abs(np.subtract([c for _, c in printed.values()], data["closed_form_code"])).max() <= 1


def test_the_seed_decides(tmp_path, capsys):
    a, b, c = (
        said(capsys, "tile", "--inputs", 2, "--columns", 2, "--bits", 2, "--seed", s, "--out", tmp_path / "t.cir")
        for s in (1, 1, 2)
    )
    assert a["sha256"] == b["sha256"] != c["sha256"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("tile", "--level", "spice"), "level='spice': unknown"),
        (("tile", "--array", "wires"), "array='wires': unknown"),
        (("tile", "--chosen", "0-99"), "--chosen '0-99': the tile has columns 0..31"),
        (("tile", "--tanh-columns", "40"), "--tanh-columns=40: must be 0..32"),
        (("tile", "--level", "sky130"), "r_driver=0: at level sky130"),
        (("crossbar", "--level", "spice"), "level='spice': unknown"),
        (("column", "--n-in", "1"), "--n-in=1"),
        (("column", "--t-unit", "1e-10"), "too slow"),
    ],
)
def test_mistakes_are_one_line(arguments, message, tmp_path, capsys):
    assert run(["netlist", *arguments, "--out", str(tmp_path / "deck.cir")]) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: ")
    assert message in error
    assert "\n" not in error
    assert not list(tmp_path.iterdir())
