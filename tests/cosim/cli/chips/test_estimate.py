"""The commands around a finished run: estimate, figures, export; as a newcomer and with wrong arguments."""

import json

import numpy as np
import pytest

from characterization.ramp_model.model import RampModel
from characterization.run.montecarlo import load_run
from characterization.streams import chip_ramp_stream
from cosim.cli.app import run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run that `cosim characterize --until-ci` stopped by itself."""
    out = tmp_path_factory.mktemp("runs") / "sigmoid2"
    assert run(["characterize", "--bits", "2", "--seed", "5", "--until-ci", "0.05", "--out", str(out), "--quiet"]) == 0
    return out


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("few")
    path = folder / "model.json"
    assert run(["characterize", "--bits", "2", "--samples", "16", "--out", str(folder / "run"), "--quiet"]) == 0
    assert run(["fit", str(folder / "run"), "--out", str(path)]) == 0
    return path


def test_estimate_goes_on_from_the_run_and_is_what_its_samples_say(folder, capsys):
    capsys.readouterr()
    arguments = [
        "estimate",
        "--bits",
        "2",
        "--seed",
        "5",
        "--until-ci",
        "0.01",
        "--columns",
        "calibrating",
        "--out",
        str(folder),
        "--control",
        "20000",
        "--json",
    ]
    assert run(arguments) == 0
    found = json.loads(capsys.readouterr().out)
    loaded = load_run(folder)
    n = len(loaded.samples)
    assert found["n_spice"] == n
    program = loaded.plan.program()
    plain = np.abs((loaded.levels(calibrated=True) - program.x) / program.lsb).max(axis=1)
    assert found["half_width"] <= 0.01
    assert abs(found["value"] - plain.mean()) < 4 * plain.std() / np.sqrt(n)
    assert found["equivalent_plain_samples"] > 10 * n


def test_yield_has_limits(folder, capsys):
    capsys.readouterr()
    common = ["estimate", "--bits", "2", "--seed", "5", "--out", str(folder), "--control", "20000", "--quantity", "yield"]
    assert run([*common, "--until-ci", "0.1", "--max-inl", "0.5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["high"] == 1.0


def test_figures_of_a_run(folder, tmp_path, capsys):
    capsys.readouterr()
    assert run(["figures", str(folder), "--max-inl", "0.5", "--table", str(tmp_path / "chips.csv"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    n = found["samples"]
    assert n == len(load_run(folder).samples)
    assert {c: f["yield"]["after"]["tested"] for c, f in found["columns"].items()} == {"calibrating": n, "any": n, "all": n}
    assert len((tmp_path / "chips.csv").read_text().splitlines()) == 1 + 3 * 2 * n
    assert run(["figures", str(folder)]) == 0
    said = capsys.readouterr().out
    assert said.count("yield after") == 3
    assert "a chip with all its 96 columns" in said


@pytest.mark.parametrize(("suffix", "word"), [(".cir", ".subckt mine in code out com"), (".va", "module mine(in, code, out, com)")])
def test_export_of_a_chip(model, suffix, word, tmp_path, capsys):
    capsys.readouterr()
    out = tmp_path / f"mine{suffix}"
    assert (
        run(["export", str(model), "--out", str(out), "--chip", "2", "--column", "1", "--seed", "3", "--name", "mine", "--json"])
        == 0
    )
    assert word in out.read_text()
    found = json.loads(capsys.readouterr().out)
    assert found["levels"] == 3
    levels = RampModel.load(model).sample(1, 96, chip_ramp_stream(3, 2, 0))
    first = np.maximum.accumulate(levels.thresholds[0] + levels.column_offset[0, 1])[0]
    assert repr(float(first * found["volts_per_unit"])) in out.read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["estimate", "--quantity", "mode"], "quantity='mode'"),
        (["estimate", "--until-ci", "-1"], "--until-ci=-1.0"),
        (["estimate", "--statistic", "beauty"], "beauty"),
        (["characterize", "--until-ci", "0.01", "--batch", "8"], "--batch: cannot be given with --until-ci"),
    ],
)
def test_wrong_arguments(arguments, message, tmp_path, capsys):
    assert run([*arguments, "--bits", "2", "--out", str(tmp_path / "run")]) == 2
    assert message in capsys.readouterr().err


def test_wrong_exports_and_figures(model, folder, tmp_path, capsys):
    for arguments, message in (
        (["export", str(model), "--out", "x.txt"], "must end in .cir"),
        (["export", str(model), "--out", str(tmp_path / "x.va"), "--chip", "1", "--corner", "2"], "give one of them"),
        (["export", str(model), "--out", str(tmp_path / "x.va"), "--chip", "-1"], "chip=-1"),
        (["export", str(model), "--out", str(tmp_path / "x.va"), "--name", "a b"], "name='a b'"),
        (["export", str(model), "--out", str(tmp_path / "x.va"), "--column", "3"], "--column 3: is of a drawn chip"),
        (["export", str(model), "--out", str(tmp_path / "x.va"), "--seed", "3"], "--seed 3: is of a drawn chip"),
        (["export", str(model), "--out", str(tmp_path / "x.va"), "--name", "module"], "is a word of Verilog"),
        (["figures", str(tmp_path)], "manifest.json"),
        (["figures", str(folder), "--max-inl", "0"], "--max-inl=0"),
        (["figures", str(folder), "--table", "x.doc"], "must end in .csv, .json or .parquet"),
    ):
        assert run(arguments) == 2
        assert message in capsys.readouterr().err
