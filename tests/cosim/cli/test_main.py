"""The command line as a newcomer and a script meet it: answers, JSON, exit codes, one clear line for each mistake."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cosim.cli.app import run
from netlists.errors import ToolkitError
from netlists.spice.program import read_transitions, run_batch

COSIM = Path(sys.executable).with_name("cosim")


def cosim(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """A command in this process: its start takes seconds of CPU, and most commands gain nothing from a process of their own."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(cwd), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(arguments)
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def own_process(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(COSIM), *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
    )


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, dict]]:
    """characterize, fit, validate, train and evaluate once, at 3 bits, and keep what each printed."""
    folder = tmp_path_factory.mktemp("pipeline")
    said = {}
    steps = {"doctor": ["doctor"], "train": ["train", "--task", "vowels", "--epochs", "8", "--quiet", "--out", "nets/vowels.npz"]}
    for a, seed, jobs in (("sigmoid", "1", "2"), ("tanh", "2", "1")):
        steps[f"characterize {a}"] = [
            "characterize",
            "--activation",
            a,
            "--bits",
            "3",
            "--samples",
            "20",
            "--seed",
            seed,
            "--jobs",
            jobs,
            "--quiet",
            "--out",
            f"runs/{a}3",
        ]
        steps[f"fit {a}"] = ["fit", f"runs/{a}3", "--out", f"models/{a}3.json"]
    steps["validate"] = ["validate", "models/sigmoid3.json", "--samples", "16", "--conversions", "4", "--seed", "99", "--quiet"]
    steps["evaluate"] = [
        "evaluate",
        "--task",
        "vowels",
        "--network",
        "nets/vowels.npz",
        "--sigmoid",
        "models/sigmoid3.json",
        "--tanh",
        "models/tanh3.json",
        "--chips",
        "4",
        "--seed",
        "1",
    ]
    for name, arguments in steps.items():
        done = cosim(*arguments, "--json", cwd=folder)
        assert done.returncode == 0, f"{name}: {done.stderr}"
        said[name] = json.loads(done.stdout)
    return folder, said


def test_doctor_finds_everything(pipeline: tuple[Path, dict]) -> None:
    assert pipeline[1]["doctor"]["ok"] is True


def test_characterize_writes_the_promised_columns(pipeline: tuple[Path, dict]) -> None:
    run = pipeline[0] / "runs" / "sigmoid3"
    table = pd.read_parquet(run / "transitions.parquet")
    assert {"sample", "k", "x_ideal", "x", "calibrated", "status"} <= set(table.columns)
    assert len(table) == 20 * 7 * 2
    assert sorted(table["k"].unique()) == list(range(1, 8))
    assert set(table["status"]) == {"ok"}
    np.testing.assert_allclose(table["x_ideal"].unique(), np.log(np.arange(1, 8) / np.arange(7, 0, -1)), atol=1e-12)
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["state"] == "complete"
    assert manifest["plan"]["seed"] == 1
    assert manifest["versions"]["libngspice"]


def test_validate_is_stored_in_the_model(pipeline: tuple[Path, dict]) -> None:
    folder, said = pipeline
    stored = json.loads((folder / "models" / "sigmoid3.json").read_text())["validation"]
    assert stored == said["validate"]
    assert {"passed", "fit", "decks", "rms_dt_lsb", "p99_dt_lsb"} <= set(stored)
    assert stored["decks"]["differ"] == 0


def test_evaluate_answers_with_the_promised_keys(pipeline: tuple[Path, dict]) -> None:
    answer = pipeline[1]["evaluate"]
    assert {"task", "metric", "float", "ideal", "chips", "mean", "ci95"} <= set(answer)
    assert len(answer["chips"]) == 4
    assert answer["mean"] == pytest.approx(np.mean(answer["chips"]))
    assert answer["ci95"][0] <= answer["mean"] <= answer["ci95"][1]


def test_evaluate_is_the_same_in_another_process(pipeline: tuple[Path, dict]) -> None:
    folder, said = pipeline
    again = own_process(
        "evaluate",
        "--network",
        "nets/vowels.npz",
        "--sigmoid",
        "models/sigmoid3.json",
        "--tanh",
        "models/tanh3.json",
        "--chips",
        "4",
        "--seed",
        "1",
        "--json",
        cwd=folder,
    )
    assert json.loads(again.stdout) == said["evaluate"]


def test_netlist_runs_in_plain_ngspice(tmp_path: Path) -> None:
    done = cosim("netlist", "ramp", "--activation", "tanh", "--bits", "3", "--out", "deck.cir", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    _, x, bracketed = read_transitions(run_batch(tmp_path / "deck.cir"))
    assert bracketed.all()
    np.testing.assert_allclose(x[0], np.arctanh(np.arange(-3, 4) / 4), atol=0.02)


CHARACTERIZE = ["characterize", "--samples", "8", "--out", "run"]
MISTAKES = [
    ([*CHARACTERIZE, "--activation", "reluu"], "activation='reluu'"),
    ([*CHARACTERIZE, "--bits", "9"], "bits=9"),
    ([*CHARACTERIZE, "--bits", "0"], "bits=0"),
    ([*CHARACTERIZE, "--bits", "2.5"], "--bits"),
    ([*CHARACTERIZE, "--profile", "nothing"], "profile='nothing'"),
    ([*CHARACTERIZE, "--profile", "nothing.toml"], "nothing.toml"),
    ([*CHARACTERIZE, "--bits", "8", "--scheme", "hrs"], "cannot hold the steps"),
    ([*CHARACTERIZE, "--scheme", "magic"], "scheme='magic'"),
    ([*CHARACTERIZE, "--level", "quantum"], "level='quantum'"),
    ([*CHARACTERIZE, "--set", "v_read=nan"], "v_read=nan"),
    ([*CHARACTERIZE, "--set", "v_reed=0.2"], "v_reed"),
    ([*CHARACTERIZE, "--set", "v_read"], "NAME=VALUE"),
    (["characterize", "--out", "run", "--samples", "0"], "samples=0"),
    ([*CHARACTERIZE, "--samples", "0"], "--samples: is given twice"),
    ([*CHARACTERIZE, "--jobs", "-1"], "jobs=-1"),
    ([*CHARACTERIZE, "--seed", "-1"], "seed=-1"),
    (["characterize", "--activation", "sigmoid"], "--out"),
    (["fit", "no/such/run", "--out", "m.json"], "no/such/run"),
    (["validate", "missing.json"], "missing.json"),
    (["train", "--task", "cats", "--out", "n.npz"], "task='cats'"),
    (["nonsense"], "nonsense"),
    (["study", "demo", "--set", "samples=1"], "samples=1"),
]


@pytest.mark.parametrize(("arguments", "names"), MISTAKES, ids=lambda v: " ".join(v)[-40:] if isinstance(v, list) else None)
def test_bad_use_is_one_clear_line_and_code_2(
    arguments: list[str], names: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(arguments) == 2
    said = capsys.readouterr()
    assert names in said.err
    assert "Traceback" not in said.err
    assert said.out == ""
    assert not list(tmp_path.rglob("*.parquet"))


def test_model_of_the_wrong_activation(pipeline: tuple[Path, dict]) -> None:
    done = cosim(
        "evaluate", "--network", "nets/vowels.npz", "--sigmoid", "models/tanh3.json", "--tanh", "models/tanh3.json", cwd=pipeline[0]
    )
    assert done.returncode == 2
    assert "models/tanh3.json: is a model of tanh" in done.stderr


def test_unwritable_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = cosim("characterize", "--samples", "8", "--bits", "3", "--quiet", "--out", "file/run", cwd=tmp_path)
    assert done.returncode == 1
    assert "file/run" in done.stderr
    assert "Traceback" not in done.stderr


def test_missing_ngspice_is_named(tmp_path: Path) -> None:
    done = own_process("characterize", "--out", "run", "--jobs", "1", cwd=tmp_path, NGSPICE_LIBRARY_PATH="/nowhere/libngspice.so.0")
    assert done.returncode == 1
    assert "/nowhere/libngspice.so.0" in done.stderr
    assert "apt-get install" in done.stderr


def test_the_doctor_misses_ngspice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise ToolkitError("libngspice could not be loaded")

    monkeypatch.setattr("netlists.spice.shared_instance", missing)
    done = cosim("doctor", "--json", cwd=tmp_path)
    assert done.returncode == 1
    assert json.loads(done.stdout)["ok"] is False


def test_other_plan_in_the_folder_is_refused(pipeline: tuple[Path, dict]) -> None:
    done = cosim(
        "characterize",
        "--activation",
        "sigmoid",
        "--bits",
        "3",
        "--samples",
        "8",
        "--seed",
        "7",
        "--out",
        "runs/sigmoid3",
        cwd=pipeline[0],
    )
    assert done.returncode == 2
    assert "seed: 1 != 7" in done.stderr
