"""``cosim comparator``: from a file to a datasheet, a verdict and a block file that the converter takes."""

from __future__ import annotations

import json
from copy import deepcopy

import numpy as np
import pandas as pd
import pytest

from characterization.transistors import MacroCheck, measure_own_comparator
from cosim.cli.app import run
from cosim.datasheet import run as made
from cosim.datasheet.figures import ROLE_FIGURES, datasheet, load_limits, markdown, odd_limits
from cosim.datasheet.settings import DatasheetSettings
from netlists.errors import InputError
from netlists.outside import BlockFile, ComparatorMacro

TEXT = """.subckt mine a b q vss params: tau=1n
.param off={agauss(2m,4m,1)}
b1 vss q i={0.9*tanh(30*(v(a)-v(b)+off))}
r1 q vss 1
c1 q vss {tau}
.ends
"""


MEASURED = []
"""What the fixture measured."""


def _recorded(*arguments, **options):
    MEASURED.append(measure_own_comparator(*arguments, **options))
    return MEASURED[-1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("datasheet")
    (place / "mine.cir").write_text(TEXT)
    (place / "limits.toml").write_text("[offset_sigma]\nmax = 1e-3\n[delay_10mv]\nmax = 1e-7\n")
    asked = ["comparator", f"{place / 'mine.cir'}:mine", "--ports", "inp=a,inn=b,out=q,com=vss", "--out", str(place / "out")]
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr(made, "measure_own_comparator", _recorded)
    few = ["--samples", "40", "--chips", "0", "--temperatures", "85", "--spread", "0", "--jobs", "1", "--quiet"]
    code = run([*asked, *few, "--limits", str(place / "limits.toml")])
    monkeypatch.undo()
    return place, code


def test_a_file_becomes_a_datasheet_and_a_block(folder):
    place, code = folder
    out = place / "out"
    # The sigma of 4 mV is beyond its limit.
    assert code == 1
    table = pd.read_csv(out / "datasheet.csv").set_index("figure")
    assert table.loc["offset_sigma", "verdict"] == "fail"
    assert table.loc["delay_10mv", "verdict"] == "pass"
    assert table.loc["offset", "typical"] == pytest.approx(2.0, abs=0.01)
    for name in ("report.html", "datasheet.md"):
        text = (out / name).read_text()
        assert "A = inp, B = inn, Q = out, VSS = com" in text
        assert "sigma of the offset" in text
    summary = json.loads((out / "summary.json").read_text())
    assert summary["failed"] == ["offset_sigma"]
    block = BlockFile.load(out / "block.json")
    assert block.statistics["comparator_offset"] == pytest.approx(summary["mismatch"]["sigma"])
    assert "agauss" not in block.own.text
    assert run(["report", str(out)]) == 0


@pytest.mark.parametrize("given", [None, 0.3e-3])
def test_a_noise_that_is_not_measured_is_given_or_said(given, folder, tmp_path, monkeypatch):
    place, _ = folder
    own = BlockFile.load(place / "out" / "block.json").own
    settings = DatasheetSettings(own, samples=2, chips=0, noise=given)
    found = deepcopy(MEASURED[0])
    monkeypatch.setattr(made, "measure_own_comparator", lambda *a, **k: found)
    if given:
        with pytest.raises(InputError, match=r"noise=0\.0003: the noise of mine is measured, 7.*e-08 V"):
            made.make_datasheet(settings, tmp_path / "measured")
    # As of a comparator with a clock.
    for row in found.figures:
        row["noise"] = np.nan
    made.make_datasheet(settings, tmp_path / "out")
    block, text = BlockFile.load(tmp_path / "out" / "block.json"), (tmp_path / "out" / "datasheet.md").read_text()
    assert block.statistics.get("comparator_noise") == given
    assert ("is as given, not measured" if given else "block file: has no noise: runs draw that of our comparator") in text


def test_what_is_odd_of_limits_and_levels_is_in_the_answer(folder, tmp_path, monkeypatch):
    place, _ = folder
    macro = ComparatorMacro(20.0, 1e-9, 0.9, (-9.0, 0.9), (9e-3, 2e-3))
    rows = [{"chip": 0, "k": k, "block": 0.5, "macro": 0.5, "difference_lsb": 0.0} for k in (1, 2)]
    monkeypatch.setattr(made, "measure_own_comparator", lambda *a, **k: deepcopy(MEASURED[0]))
    monkeypatch.setattr(made, "check_macro", lambda *a, **k: MacroCheck(macro, rows, 0.0, True))
    settings = DatasheetSettings(BlockFile.load(place / "out" / "block.json").own, samples=2, chips=1)
    made.make_datasheet(settings, tmp_path, limits={"offset": {"max": 3.0}})
    warnings = json.loads((tmp_path / "summary.json").read_text())["warnings"]
    assert any("write 3e-3 for 3 mV" in line for line in warnings)
    assert any("1 of 2 levels of a 5-bit converter (-9..0.9 V) lie outside its input range" in line for line in warnings)


def test_the_converter_takes_the_block(folder, capsys):
    place, _ = folder
    for which in ("", ":transistors"):
        deck = place / f"deck{which[1:]}.cir"
        asked = ["netlist", "ramp", "--bits", "2", "--comparator", f"{place / 'out' / 'block.json'}{which}", "--out", str(deck)]
        assert run(asked) == 0
        assert (".subckt mine_macro" in deck.read_text()) == (which == "")


FIGURES = pd.DataFrame({"offset": [1e-3, 3e-3, -2e-3], "noise": [1e-4, np.nan, 2e-4]})


@pytest.mark.parametrize(
    ("limits", "verdicts"),
    [
        ({"offset": {"min": -2e-3, "max": 3e-3}}, {"offset": "pass"}),
        ({"offset": {"max": 2.9e-3}}, {"offset": "fail"}),
        ({"offset": {"min": -1.9e-3}}, {"offset": "fail"}),
        # A condition without a value, and a figure that was not measured, meet no limit.
        ({"noise": {"max": 1.0}}, {"noise": "fail"}),
        ({"power": {"max": 1.0}}, {"power": "fail"}),
    ],
)
def test_verdicts(limits, verdicts):
    table = datasheet(FIGURES, None, None, limits)
    assert dict(table.loc[table["verdict"] != "", ["figure", "verdict"]].to_numpy()) == verdicts
    assert markdown(table).count("\n") == len(table) + 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[speed]\nmax=1", "speed: unknown"),
        ("[noise]\nmost=1", "must be a table of min"),
        ("noise=1", "must be a table"),
        ("[", "TOML"),
    ],
)
def test_limits_that_are_none(text, message, tmp_path):
    (tmp_path / "l.toml").write_text(text)
    with pytest.raises(InputError, match=message):
        load_limits(tmp_path / "l.toml")


OTA = """.subckt ota plus minus q com params: gm=1m
b1 d2 com i={0.1m*tanh(gm/0.1m*(v(plus)-v(minus)))}
r1 d2 com 60k
c1 d2 com 0.5p
rz d2 z 400
cc z q 1p
g2 q com d2 com 5m
ro q com 12k
co q com 0.4p
.ends
"""


def test_an_opamp_becomes_a_datasheet_and_a_block(tmp_path, capsys):
    (tmp_path / "ota.cir").write_text(OTA)
    asked = ["opamp", f"{tmp_path / 'ota.cir'}:ota", "--ports", "out=q", "--param", "gm=2m", "--out", str(tmp_path / "out")]
    few = ["--temperatures", "none", "--spread", "0", "--jobs", "1", "--quiet", "--chips", "1"]
    assert run([*asked, *few]) == 0
    table = pd.read_csv(tmp_path / "out" / "datasheet.csv").set_index("figure")
    assert table.loc["gain", "typical"] == pytest.approx(2e-3 * 60e3 * 5e-3 * 12e3, rel=1e-3)
    assert table.loc["r_out", "typical"] == pytest.approx(12, rel=1e-3)
    assert table.loc["slew", "typical"] == pytest.approx(100, rel=0.2)
    # The two-stage macro-model is its transistors' equal at every level.
    assert table.loc["macro_error", "typical"] < 0.1
    assert "neither its text nor its models have mismatch" in capsys.readouterr().err
    deck = tmp_path / "deck.cir"
    assert run(["netlist", "ramp", "--bits", "2", "--opamp", str(tmp_path / "out" / "block.json"), "--out", str(deck)]) == 0
    assert "g2 out com d2 com" in deck.read_text()


def test_limits_in_the_units_of_the_table_are_said():
    assert "write 3e-3 for 3 mV" in odd_limits({"offset": {"max": 3.0}})[0]
    assert "write 0.4e-9 for 0.4 ns" in odd_limits({"delay_10mv": {"max": 0.4}})[0]
    assert "write 100e6 for 100 MHz" in odd_limits({"gbw": {"min": 100.0}}, "opamp")[0]
    assert odd_limits({"offset": {"min": -5e-3, "max": 5e-3}, "gain": {"min": 100.0}, "input_low": {"max": 0.6}}) == []
    assert odd_limits({"gbw": {"min": 100e6}, "phase_margin": {"min": 60.0}, "offset": {"min": 0.0}}, "opamp") == []


def test_levels_outside_the_input_range_and_far_from_the_macro_model_are_said():
    macro = ComparatorMacro(20.0, 1e-9, 0.9, (0.5, 0.6, 0.9, 1.2), (9e-3, 1e-3, 2e-3, 2e-3))
    line = made._beyond_range(macro, {"input_low": 0.55, "input_high": 1.25, "offset": 2e-3})[0]
    assert line.startswith("1 of 4 levels")
    assert "up to 7 mV" in line
    assert made._beyond_range(macro, {"input_low": 0.5, "input_high": 1.25, "offset": 2e-3}) == []
    rows = [{"k": k, "block": 0.5, "difference_lsb": 0.01 * k} for k in range(1, 32)]
    line = made._where_it_differs(rows)[0]
    assert "level 28 (" in line
    assert "31 (V_mac near 0.5 V: 0.31 LSB) and 17 more, all in macro.csv" in line


def test_figures_that_hang_on_a_load_name_it():
    assert all("20 fF" in what.text for name, what in ROLE_FIGURES["comparator"].items() if name.startswith("delay"))
    assert "1 pF at the output" in ROLE_FIGURES["opamp"]["slew"].text
