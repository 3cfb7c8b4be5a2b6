"""Python and the command give the same answers: each command that computes, beside the function that a Python user would call."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from characterization.estimates.until import until_ci
from characterization.estimates.yields import summary
from characterization.plan.limits import Limits
from characterization.plan.plan import RampPlan
from characterization.ramp_model.condition_table import ConditionTable
from characterization.ramp_model.model import RampModel
from characterization.ramp_model.validation import validate
from characterization.run.montecarlo import characterize, load_run, simulate_run
from cosim.budget.run import BudgetSettings, run_budget
from cosim.budget.sources import NAMES
from cosim.chip.hardware import Arrays, Hardware
from cosim.chip.pulses import PwmInputs
from cosim.cli.app import run as run_command
from cosim.compiled import default_engine
from cosim.evaluation.comparison import compare, float_score
from cosim.evaluation.models import load_models
from cosim.loop.run import run_loop
from cosim.loop.settings import LoopSettings
from cosim.network import Network
from cosim.optimize import confirm
from cosim.optimize.run import OptimizeSettings, run_optimize
from cosim.report.settings import RunOptions
from cosim.tasks import load_task
from cosim.training import HardwareAware, TrainingSettings, train_task
from netlists.errors import InputError
from netlists.technology.profile import load_profile

DEMO = Path(__file__).resolve().parents[3] / "results" / "demo"
MODELS = DEMO / "models"
SIGMOID, TANH = MODELS / "sigmoid3.json", MODELS / "tanh3.json"
QUIET = RunOptions(progress=False)
BUDGET = dict.fromkeys(NAMES, 0.0) | {"programming": 8e-6, "ramp_bits": 2.0}
FIXED = {"bits": 2, "t_step": 16e-9, "v_read": 0.2, "n_in": 5, "array_size": 32, "g_max": 400e-6, "calibration_cells": 5}
NOT_NUMBERS = {"out", "command", "wall_seconds", "versions", "spice_seconds", "seconds_per_conversion", "conversions_per_second",
               "worker_seconds_per_conversion", "created"}  # fmt: skip
"""What may differ: names of folders, and what a clock says."""


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A run, the model fitted to it, and a network, for the steps that begin with them."""
    folder = tmp_path_factory.mktemp("answers")
    run = characterize(RampPlan("sigmoid", 2, seed=5), 16, folder / "run", progress=False)
    RampModel.fit(run).save(folder / "model.json")
    train_task(load_task("digits"), seed=4, settings=TrainingSettings(n_hidden=8, epochs=6)).save(folder / "digits.npz")
    return SimpleNamespace(folder=folder, run=folder / "run", model=folder / "model.json", network=folder / "digits.npz")


@pytest.fixture(autouse=True)
def simulate_here(monkeypatch: pytest.MonkeyPatch, no_pictures: None) -> None:
    """A search's ngspice in this process: starting workers takes longer than its few chips. Nothing is drawn."""
    monkeypatch.setattr(confirm, "characterize", lambda plan, samples, folder, **_: simulate_run(plan, samples, progress=False))


def characterized(here: SimpleNamespace, out: Path) -> tuple[list, dict]:
    run = characterize(RampPlan("tanh", 2, seed=3), 8, out / "python", progress=False)
    found = summary(run)
    means = {
        f"max_inl_lsb_{name}_calibration": {c: f[name]["max_inl_in"]["mean"] for c, f in found["columns"].items()}
        for name in ("before", "after")
    }
    line = ["--activation", "tanh", "--bits", 2, "--samples", 8, "--seed", 3, "--jobs", 1, "--quiet", "--out", out / "command"]
    return line, {"failed": run.failed, "failures": found["failures"], "samples": 8, "plan_sha256": run.plan.sha256} | means


def estimated(here: SimpleNamespace, out: Path) -> tuple[list, dict]:
    # More than so few chips can say.
    found = until_ci(RampPlan("sigmoid", 2, seed=5), "max_inl", 0.01, out / "run", quantity="yield",
                     limits=Limits(max_inl=0.5, max_dnl=0.5), n_control=20_000, most=64)  # fmt: skip
    line = ["--quantity", "yield", "--bits", 2, "--seed", 5, "--until-ci", 0.01, "--control", 20_000, "--most", 64]
    line += ["--jobs", 1, "--quiet"]
    # Too few chips to trust the closed form, and wider than asked for.
    assert len(found.warnings) == 2
    return [*line, "--out", out / "run"], found.as_dict()


def figures(here: SimpleNamespace, out: Path) -> tuple[list, dict]:
    return [here.run, "--max-inl", 0.3], summary(load_run(here.run), Limits(max_inl=0.3, max_dnl=0.5))


def fitted(here: SimpleNamespace, out: Path) -> tuple[list, dict]:
    model = RampModel.fit(load_run(here.run))
    values = {name: getattr(model, name).model_dump() for name in ("comparator_offset", "comparator_noise", "read_noise")}
    return [here.run, "--out", out / "model.json"], values | {"samples": 16, "failed": 0}


def validated(here: SimpleNamespace, out: Path) -> tuple[list, dict]:
    copy = RampModel.load(here.model)
    copy.save(out / "model.json")
    line = [out / "model.json", "--samples", 8, "--seed", 99, "--conversions", 2, "--jobs", 1, "--quiet"]
    return line, validate(copy, 8, 99, conversions=2, progress=False)


def trained(here: SimpleNamespace, out: Path) -> tuple[list, dict]:
    task = load_task("digits")
    aware = HardwareAware(Hardware(ramps=load_models([SIGMOID, TANH]), pwm=PwmInputs(5)), weight_noise=0.01)
    network = train_task(task, seed=2, settings=TrainingSettings(n_hidden=6, epochs=2), hardware_aware=aware, progress=False)
    score = float_score(network, task, seed=2)
    assert score == compare(network, task, Hardware(), seed=2).float_
    line = ["--task", "digits", "--hidden", 6, "--epochs", 2, "--hardware-aware", SIGMOID, TANH, "--pwm-bits", 5]
    line += ["--weight-noise", 0.01, "--seed", 2, "--quiet", "--out", out / "net.npz"]
    return line, {"float": score.value, "test_set_ci95": [score.low, score.high], "best_epoch": network.metadata.best_epoch}


def evaluated(here: SimpleNamespace, out: Path) -> tuple[list, dict]:
    ramps = load_models(sigmoid=SIGMOID, tanh=TANH)
    found = compare(Network.load(here.network), "digits", Hardware(ramps=ramps), chips=3, seed=2)
    return ["--network", here.network, "--sigmoid", SIGMOID, "--tanh", TANH, "--chips", 3, "--seed", 2], found.as_dict()


def evaluated_elsewhere(here: SimpleNamespace, out: Path) -> tuple[list, dict]:
    arrays = Arrays(load_profile("hfox-wan-1-40"), r_row=0.1, r_col=0.1)
    hardware = Hardware(ramps=load_models([SIGMOID, TANH]), arrays=arrays, v_read=0.3)
    found = compare(Network.load(here.network), None, hardware, chips=2)
    assert len(found.warnings) == 4
    line = ["--network", here.network, "--model", SIGMOID, "--model", TANH, "--bits", 3, "--weights", "hfox-wan-1-40"]
    return [*line, "--r-wire", 0.1, "--v-read", 0.3, "--chips", 2], found.as_dict()


def budgeted(here: SimpleNamespace, out: Path) -> tuple[list, dict]:
    common = {"network": str(here.network), "task": "digits", "bits": 2, "chips": 2, "permutations": 4, "amounts": BUDGET}
    found = run_budget(BudgetSettings(**common), out / "python", QUIET)
    line = ["--network", here.network, "--bits", 2, "--chips", 2, "--permutations", 4, "--jobs", 1, "--quiet"]
    return [*line, *(w for n, v in BUDGET.items() for w in ("--set", f"{n}={v}")), "--out", out / "command"], found


def looped(here: SimpleNamespace, out: Path) -> tuple[list, dict]:
    settings = LoopSettings(task="digits", bits=2, utterances=1, columns=(0, 9))
    found = run_loop(Network.load(here.network), load_task("digits"), settings, out / "python", QUIET)
    line = ["--network", here.network, "--bits", 2, "--utterances", 1, "--columns", "0,9", "--jobs", 1, "--quiet"]
    return [*line, "--out", out / "command"], found


def optimized(here: SimpleNamespace, out: Path) -> tuple[list, dict]:
    settings = OptimizeSettings(
        task="digits",
        network=str(here.network),
        max_loss=0.0,
        trials=2,
        chips=2,
        samples=10,
        confirm_chips=2,
        fixed=FIXED,
        r_wire=0.0,
    )
    found = run_optimize(settings, out / "python", QUIET)
    line = ["--task", "digits", "--network", here.network, "--max-loss", "0%", "--trials", 2, "--chips", 2, "--samples", 10]
    line += ["--confirm-chips", 2, "--r-wire", 0, "--jobs", 1, "--quiet", "--out", out / "command"]
    return [*line, *(w for n, v in FIXED.items() for w in ("--set", f"{n}={v}"))], found


STEPS: dict[str, tuple[str, Callable[[SimpleNamespace, Path], tuple[list, dict]]]] = {
    "characterize": ("characterize", characterized),
    "estimate": ("estimate", estimated),
    "figures": ("figures", figures),
    "fit": ("fit", fitted),
    "validate": ("validate", validated),
    "train": ("train", trained),
    "evaluate": ("evaluate", evaluated),
    "evaluate outside the fit": ("evaluate", evaluated_elsewhere),
    "budget": ("budget", budgeted),
    "loop": ("loop", looped),
    "optimize": ("optimize", optimized),
}


@pytest.mark.parametrize("step", STEPS)
def test_the_command_answers_as_python_does(here, step, tmp_path, capsys):
    command, of = STEPS[step]
    line, expected = of(here, tmp_path)
    capsys.readouterr()
    assert run_command([command, *map(str, line), "--json"]) == 0
    said = capsys.readouterr()
    answer = json.loads(said.out)
    expected = json.loads(json.dumps(expected))
    numbers: dict[str, Any] = {k: v for k, v in expected.items() if k not in NOT_NUMBERS}
    assert {k: answer[k] for k in numbers} == numbers
    # A result's warnings, and no others, are on stderr.
    assert [w for w in said.err.splitlines() if w.startswith("warning: ")] == [f"warning: {w}" for w in answer.get("warnings", [])]
    if "warnings" in expected:
        assert answer["warnings"] == expected["warnings"]


def test_the_demos_files_give_the_demos_numbers():
    # The folder is older than the field that says which engine computed.
    published = {"engine": default_engine()} | json.loads((DEMO / "summary.json").read_text())["accuracy"][-1]
    ramps = load_models([MODELS / "sigmoid5.json", MODELS / "tanh5.json"])
    found = compare(Network.load(DEMO / "network.npz"), "vowels", Hardware(ramps=ramps), chips=16, seed=1).as_dict()
    assert published == found | {"bits": 5}


def test_a_fitted_table_is_followed_by_whoever_reads_it():
    """`Hardware` itself moves a model to other conditions: nobody has to know of `RampModel.at`."""
    model = RampModel.load(SIGMOID)
    n = len(model.x_ideal)
    zeros, ones = np.zeros((2, n)), np.ones(2)
    shift = np.array([np.zeros(n), 2 * model.lsb])
    scales = dict.fromkeys(("scale", "scale_before", "offset", "noise", "read_noise"), ones)
    table = ConditionTable(quantity="v_read", unit="V", nominal=0.2, values=[0.2, 0.3], shift=shift, shift_before=zeros, **scales)
    known = model.model_copy(update={"conditions": (table,)})
    there = Hardware(ramps={"sigmoid": known, "tanh": None}, v_read=0.4)
    moved = there.ramp("sigmoid")
    assert isinstance(moved, RampModel)
    np.testing.assert_allclose(moved.mean - model.mean, 2 * model.lsb)
    assert there.read_gain == 1.0
    assert there.warnings == ("model of sigmoid: v_read=0.4: fitted from 0.2 to 0.3 V; the nearest fitted value is taken",)
    assert Hardware(ramps={"sigmoid": model}, v_read=0.4).read_gain == 0.5
    with pytest.raises(InputError, match=r"v_read=0.4: the models differ in what they know of it \(no table: tanh\)"):
        Hardware(ramps={"sigmoid": known, "tanh": RampModel.load(TANH)}, v_read=0.4)
