"""One sample of a run again: what it gives beside what is stored, its deck, and samples that failed."""

import json
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import characterization.run.reproduction as room
from characterization.plan.plan import RampPlan
from characterization.run.montecarlo import characterize
from characterization.workers import Lost
from cosim.cli.app import run
from netlists.errors import InputError
from netlists.outside import load_user_subcircuit
from netlists.spice import read_transitions

SAMPLES = 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "run"
    characterize(RampPlan("sigmoid", 2, seed=3), SAMPLES, folder, jobs=1, progress=False)
    return folder


def test_a_sample_comes_out_as_stored_and_its_deck_runs_in_plain_ngspice(folder, tmp_path, capsys):
    assert run(["reproduce", str(folder), "--sample", "2", "--out", str(tmp_path), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["same"]
    assert said["largest_difference_steps"] < 1e-3
    done = subprocess.run(shlex.split(said["command"]), capture_output=True, text=True, check=False)
    _, x, bracketed = read_transitions(done.stdout)
    assert bracketed.all()
    np.testing.assert_allclose(x[0], said["levels"], atol=2e-3)


def test_a_sample_that_takes_its_process_with_it_leaves_a_deck(folder, tmp_path, monkeypatch, capsys):
    """What was lost is the chip as programmed; that it is lost today and not in the run is a failure."""
    monkeypatch.setattr(room, "_again", lambda *_: (None, Lost("crashed", "the worker process died")))
    assert run(["reproduce", str(folder), "--sample", "1", "--out", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert "sample 1: crashed (in the run: ok)" in said.out
    assert "does not come out" in said.err
    assert ".tran" in (tmp_path / "sample-1.cir").read_text()


def test_a_sample_that_there_is_not(folder, tmp_path):
    with pytest.raises(InputError, match=r"samples 0\.\.3"):
        room.reproduce(folder, 4, tmp_path)
    with pytest.raises(InputError, match="sample=-1"):
        room.reproduce(folder, -1, tmp_path)


def test_a_sample_of_an_own_comparator_comes_out_within_its_brackets(tmp_path, capsys, monkeypatch):
    """A comparator that only tells the side has its levels cut to 50 uV, at other places alone than among many."""
    (tmp_path / "mine.cir").write_text(".subckt mine inp inn out com\nb1 out com v={0.9*tanh(2k*(v(inp)-v(inn)))}\n.ends\n")
    mine = load_user_subcircuit(f"{tmp_path / 'mine.cir'}:mine", "comparator")
    folder = tmp_path / "run"
    characterize(RampPlan("sigmoid", 2, seed=3, comparator=mine), 5, folder, jobs=1, progress=False)
    assert run(["reproduce", str(folder), "--sample", "2", "--out", str(tmp_path), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert room.TOLERANCE < said["allowed_difference_steps"] < 0.01
    # A check that can fail: half a millivolt is no bracket.
    again = room._again

    def moved(*arguments):
        found, lost = again(*arguments)
        return replace(found, after=replace(found.after, volts=found.after.volts + 5e-4)), lost

    monkeypatch.setattr(room, "_again", moved)
    assert run(["reproduce", str(folder), "--sample", "2", "--out", str(tmp_path)]) == 1
    assert "does not come out" in capsys.readouterr().err
