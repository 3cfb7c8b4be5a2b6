"""`--everything`: the whole chip of a budget, evaluated and trained for."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cosim.budget.chips import ChipBuilder
from cosim.budget.sources import block_amounts, default_amounts
from cosim.cli.app import run
from cosim.evaluation import evaluate
from cosim.network import Network
from cosim.tasks import load_task
from cosim.training import TrainingSettings, train_task
from netlists.outside import BlockFile, ComparatorMacro, UserSubcircuit
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


@pytest.fixture(scope="module")
def block(tmp_path_factory):
    """A comparator whose noise was not measured."""
    text = ".subckt mine inp inn out com\nb1 out com v={0.9*tanh(2000*(v(inp)-v(inn)))}\n.ends mine\n"
    own = UserSubcircuit("mine", text, ("inp", "inn", "out", "com"), ())
    macro = ComparatorMacro(20.0, 5e-9, 0.9, (0.9,), (1e-3,))
    path = tmp_path_factory.mktemp("block") / "block.json"
    return BlockFile("comparator", own, macro, {"comparator_offset": 20e-3}, {}, {}, {}, {}).save(path)


def test_a_measured_comparator_stands_for_its_amounts(trained, block, capsys):
    """Of a whole chip and of a budget; what is given by hand comes first, what was not measured is said."""
    base = ["evaluate", "--network", str(trained), "--everything", "--bits", "4", "--chips", "2", "--seed", "3", "--json"]
    found = []
    for more in (
        ["--comparator", str(block)],
        ["--set", "comparator_offset=0.02", "--set", "comparator_delay=5e-9"],
        ["--comparator", str(block), "--set", "comparator_offset=0", "--set", "comparator_noise=0"],
        [],
    ):
        assert run([*base, *more]) == 0
        said = capsys.readouterr()
        warned = "warning: comparator mine: comparator_noise: not measured, so that of our comparator is taken" in said.err
        assert warned == (len(more) == 2)
        answer = json.loads(said.out)
        assert any("comparator_noise: not measured" in line for line in answer["warnings"]) == warned
        found.append(answer["chips"])
    assert found[0] == found[1]
    assert found[0] not in (found[2], found[3])
    assert block_amounts(BlockFile.load(block)) == {"comparator_offset": 20e-3, "comparator_delay": 5e-9}
    assert run([*base[:3], "--comparator", str(block)]) == 2
    assert "--comparator" in capsys.readouterr().err


def test_a_budget_takes_a_measured_comparator(trained, block, tmp_path, capsys):
    """Its amounts and what it lacks stand in the folder."""
    without = [n for n in default_amounts(load_profile("taox-100-400"), RampCircuit(), 5) if not n.startswith("comparator_")]
    nothing = [word for name in without for word in ("--set", f"{name}=0")]
    options = ["--chips", "2", "--permutations", "4", "--comparator", str(block), "--out", str(tmp_path / "budget"), "--json"]
    assert run(["budget", "--network", str(trained), *nothing, *options]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary == json.loads((tmp_path / "budget" / "summary.json").read_text())
    assert any("comparator_noise: not measured" in line for line in summary["warnings"])
    assert f"--comparator {block}" in summary["command"]
    amounts = {row["source"]: row["amount"] for row in summary["sources"]}
    assert (amounts["comparator_offset"], amounts["comparator_delay"]) == (20e-3, 5e-9)


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
