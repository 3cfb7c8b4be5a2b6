"""The command: answers, progress, bad use."""

import json

import pytest

import cosim.cli.networks.loop as command
from cosim.cli.app import run
from netlists.spice.deck import subcircuit


@pytest.fixture
def files(network, task, tmp_path, monkeypatch):
    path = tmp_path / "tiny.npz"
    network.save(path)
    monkeypatch.setattr(command, "load_task", lambda name: task)
    return path


def test_the_command_answers_in_json_and_writes_a_folder(files, tmp_path, capsys):
    out = tmp_path / "loop"
    arguments = ["--network", str(files), "--bits", "3", "--utterances", "2", "--jobs", "1", "--columns", "0-2,7"]
    assert run(["loop", *arguments, "--out", str(out), "--json", "--quiet"]) == 0
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert captured.err == ""
    assert {"codes_equal", "codes_within_1", "metric_model", "metric_spice", "conversions"} <= set(found)
    assert found["codes_equal"] >= 0.995
    assert found["settings"]["columns"] == [0, 1, 2, 7]
    for name in ("summary.json", "steps.csv", "disagreements.csv", "failures.csv", "travel.csv", "report.html"):
        assert (out / name).exists()
    assert (out / "pictures" / "agreement.png").exists()
    assert run(["report", str(out)]) == 0


def test_a_comparator_of_a_file_converts_and_is_told_of(files, tmp_path, capsys):
    (tmp_path / "my.cir").write_text(subcircuit("comparator_macro").replace("comparator_macro", "mine"))
    out = tmp_path / "loop"
    arguments = ["--network", str(files), "--bits", "3", "--utterances", "1", "--jobs", "1", "--columns", "0", "--quiet", "--json"]
    assert run(["loop", *arguments, "--comparator", f"{tmp_path}/my.cir:mine", "--out", str(out)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["codes_equal"] == 1
    assert found["settings"]["comparator"]["name"] == "mine"
    assert "the comparator mine of a file" in (out / "report.html").read_text()
    assert run(["loop", *arguments, "--comparator", f"{tmp_path}/my.cir:yours", "--out", str(out)]) == 2
    assert "has no .subckt yours; it has mine" in capsys.readouterr().err


def test_bad_use_is_named(files, tmp_path, capsys):
    assert run(["loop", "--network", str(files), "--task", "vowels"]) == 2
    assert "was trained on task 'tiny', not on 'vowels'" in capsys.readouterr().err
    assert run(["loop", "--network", str(files), "--mode", "open"]) == 2
    assert "mode='open'" in capsys.readouterr().err
    assert run(["loop", "--network", str(tmp_path / "none.npz")]) == 2
