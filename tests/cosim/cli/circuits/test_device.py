"""From a table of measured cells to a profile that other commands take."""

import json

import numpy as np
import pandas as pd
import pytest

from cosim.cli.app import run
from netlists.technology import load_profile


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(0)
    target = np.repeat([50.0, 150.0, 250.0], 20)
    path = tmp_path / "cells.csv"
    pd.DataFrame({"target_uS": target, "measured_uS": target + rng.uniform(-3, 2, 60)}).to_csv(path, index=False)
    return path


def test_table_to_profile_to_ramp(table, tmp_path, capsys):
    profile = tmp_path / "mine.toml"
    assert run(["device", str(table), "-o", str(profile), "--g-hrs-us", "10", "--json"]) == 0
    out, err = capsys.readouterr()
    summary = json.loads(out)
    assert "target = target_uS, measured = measured_uS" in err
    assert "warning: no times: drift is none" in err
    assert summary["written"]["kurtosis_of_law"] == pytest.approx(summary["written"]["kurtosis_of_cells"], rel=0.1)
    assert load_profile(profile).g_max == 250e-6
    folder = tmp_path / "mine-report"
    assert {"report.html", "summary.json", "written.csv", "profile.toml"} <= {p.name for p in folder.iterdir()}
    assert (
        run(["netlist", "ramp", "--activation", "tanh", "--bits", "3", "--profile", str(profile), "--out", str(tmp_path / "r.cir")])
        == 0
    )


def test_a_few_reads_of_each_cell(table, tmp_path, capsys):
    cells = pd.read_csv(table)
    rng = np.random.default_rng(2)
    reads = pd.concat(
        [cells.assign(cell=cells.index, read=k, measured_uS=cells["measured_uS"] + rng.normal(0, 0.2, 60)) for k in (1, 2, 3)]
    )
    reads.to_csv(table, index=False, sep=";")
    assert run(["device", str(table), "-o", str(tmp_path / "p.toml"), "--g-hrs-us", "10", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["read_sigma_us"] == pytest.approx(0.2, rel=0.3)
    assert "60 of 2 to 49" in err
    assert "warning: no series of many reads: read noise is taken to be drawn anew at each read" in err


def test_a_failed_check_is_a_failure(table, tmp_path, capsys):
    frame = pd.read_csv(table)
    frame = pd.concat([frame] * 4)
    frame["measured_uS"] = frame["target_uS"] + np.random.default_rng(1).choice([-3.0, 0.0, 3.0], len(frame))
    frame.to_csv(table, index=False)
    assert run(["device", str(table), "-o", str(tmp_path / "p.toml")]) == 1
    assert "held-out check failed" in capsys.readouterr().err
    assert (tmp_path / "p.toml").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.csv"], "none.csv: there is no such table"),
        (["TABLE", "-o", "x.json"], "--out x.json: must end in .toml"),
        (["TABLE", "--column", "measured"], "must be ROLE=NAME"),
        (["TABLE", "--window-us", "1"], "say with --stuck-beyond-us"),
        (["TABLE", "--base", "taox"], "unknown; built in are"),
    ],
)
def test_bad_use(table, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert run(["device", *(str(table) if a == "TABLE" else a for a in arguments)]) == 2
    assert message in capsys.readouterr().err


def test_a_file_with_blanks_gives_a_profile_with_a_name(tmp_path):
    table = tmp_path / "my table.csv"
    rows = "".join(f"{g},{g + d}\r\n" for g in (100, 300) for d in range(9))
    table.write_bytes(b"\xef\xbb\xbftarget_uS,measured_uS\r\n" + rows.encode())
    assert run(["device", str(table), "-o", str(tmp_path / "my dev.toml"), "--g-hrs-us", "34uS", "--quiet"]) == 0
    assert load_profile(tmp_path / "my dev.toml").name == "my-dev"
