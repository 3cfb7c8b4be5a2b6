"""`--everything`: the whole chip of a budget, evaluated and trained for."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cosim.budget.chips import ChipBuilder
from cosim.budget.sources import default_amounts
from cosim.cli.app import run
from cosim.evaluation import evaluate
from cosim.network import Network
from cosim.tasks import load_task
from cosim.training import TrainingSettings, train_task
from netlists.technology import RampCircuit, load_profile


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "vowels.npz"
    train_task(load_task("vowels"), seed=1, settings=TrainingSettings(n_hidden=4, epochs=2)).save(path)
    return path


def test_evaluate_has_the_budgets_accuracy_on_the_same_chips(trained, capsys):
    options = ["--bits", "4", "--chips", "2", "--seed", "3", "--bias-rows", "2", "--compensate", "wires", "--set", "stuck=0.01"]
    assert run(["evaluate", "--network", str(trained), "--everything", *options, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    network, profile = Network.load(trained), load_profile("taox-100-400")
    builder = ChipBuilder(network, profile, 4, 3, compensate="wires", bias_rows=2)
    chips, hardware = builder.chips(default_amounts(profile, RampCircuit(), 4) | {"stuck": 0.01}, range(2), np.float64)
    assert found["chips"] == evaluate(network, load_task("vowels").test, hardware, chips, dtype=np.float64).accuracy.tolist()
    (wires,) = found["wires"]
    assert wires["compensate"] == "wires"
    assert wires["weight_error"] < 1e-3
    assert 0 < wires["range_left"] < 1


def test_training_sees_the_whole_chip(trained, tmp_path, capsys):
    out = tmp_path / "aware.npz"
    options = ["--everything", "--bits", "3", "--epochs", "1", "--hidden", "4", "--batch", "270", "--quiet"]
    assert run(["train", "--task", "vowels", "--out", str(out), *options]) == 0
    about = Network.load(out).metadata.settings
    assert "CircuitRamp, 3 bits" in about["hardware_ramps"]
    assert about["hardware_pwm_bits"] == 5


@pytest.mark.parametrize(
    ("command", "options", "message"),
    [
        ("evaluate", ["--set", "stuck=0.1"], "--set stuck=0.1: is an amount of a whole chip; give --everything as well"),
        ("evaluate", ["--everything", "--r-wire", "2"], "--r-wire: is not for --everything"),
        ("evaluate", ["--everything", "--set", "wires=2"], "source 'wires': unknown"),
        ("train", ["--bias-rows", "2"], "--bias-rows: is of a whole chip; give --everything as well"),
        ("train", ["--everything", "--threshold-noise", "1"], "--everything: has ramps and drivers of its own"),
    ],
)
def test_what_does_not_go_together(command, options, message, trained, tmp_path, capsys):
    to = ["--network", str(trained)] if command == "evaluate" else ["--task", "vowels", "--out", str(tmp_path / "n.npz")]
    assert run([command, *to, *options]) == 2
    assert message in capsys.readouterr().err
