"""The search by gradients: derivatives, known problems, evaluations beside those of the search without, interruption, results."""

import json

import numpy as np
import pandas as pd
import pytest

from characterization.resume import Parts
from cosim.cli.app import run as run_command
from cosim.cli.networks.optimize import command_line
from cosim.optimize import run as run_module
from cosim.optimize.continuous import Places
from cosim.optimize.gradient import Guide, run_gradient_search
from cosim.optimize.loss_model import LossModel
from cosim.optimize.run import Job
from cosim.optimize.search import run_search
from cosim.optimize.settings import OptimizeSettings
from cosim.optimize.space import Space, variables
from cosim.report import RunOptions, Work
from cosim.tasks import load_task
from cosim.training import TrainingSettings, train_task
from netlists.errors import InputError
from netlists.technology import load_profile

QUIET = RunOptions(jobs=1, progress=False, command="cosim optimize --task digits")
PROFILE = load_profile("taox-100-400")
LIMIT = 0.01
ANSWERS = 3008
"""Answers of a trial: a loss is a whole number of them."""


def cost_of(p):
    time = p["t_step"] * (2.0 ** p["bits"] + p["calibration_cells"]) + 2.0 ** p["n_in"] * 4e-9
    power = 1.0 + 40 * p["v_read"] ** 2 * p["g_max"] / 4e-4 + (4.37e-3 / p["comparator_offset"]) ** 2 + 0.002 * 64 / p["array_size"]
    return time * power


def loss_of(p):
    """Laws of other powers than those of the model, and the whole answers that a network gives."""
    x = 0.5 * (p["comparator_offset"] / p["v_read"]) ** 1.6 + 1e-3 * (0.2 / p["v_read"]) ** 1.5
    x = x + 0.02 * np.exp(-p["t_step"] / 5e-9) + 1.2 * 3.0 ** -p["bits"] / 40 + 1.5 * 3.0 ** -p["n_in"] / 40
    x = x + 4e-3 * (1e-4 / p["g_max"]) + 1.5e-3 / p["calibration_cells"] + 1e-3 * p["array_size"] / 64 - 0.003
    return np.round(x * ANSWERS) / ANSWERS


def evaluate(point):
    values = {n: float(v) for n, v in point.items()}
    return {**point, "cost": float(cost_of(values)), "loss": float(loss_of(values))}


def best_of_the_grid(space):
    """Least cost within the limit over all 420,000 designs of the grid."""
    mesh = np.meshgrid(*(np.array(v.grid, float) for v in space.variables), indexing="ij")
    p = {v.name: m.ravel() for v, m in zip(space.variables, mesh, strict=True)}
    cost, loss = cost_of(p), loss_of(p)
    return float(cost[loss <= LIMIT].min())


SPACE = Space(variables(PROFILE), {})
GUIDE = Guide(lambda p: float(cost_of(p)), lambda _: True, PROFILE.g_min, True)


def searched(folder, seed, trials, *, gradient=True, judge=evaluate, space=SPACE):
    asked = {"trials": trials, "seed": seed, "objective": "cost", "judged": "loss", "max_loss": LIMIT}
    parts = Parts(folder, {"seed": seed, "gradient": gradient})
    return run_gradient_search(space, judge, parts, guide=GUIDE, **asked) if gradient else run_search(space, judge, parts, **asked)


def needed(rows, target):
    """Evaluations until a design within the limit costs at most 1 % more than the target; None: it was not found."""
    return next((n for n, r in enumerate(rows, 1) if r["loss"] <= LIMIT and r["cost"] <= 1.01 * target), None)


def test_expected_loss_has_the_gradient_of_its_central_differences():
    rng, places = np.random.default_rng(1), Places(SPACE)
    rows = [evaluate(places.point(np.where(places.whole, np.rint(u), u))) for u in rng.uniform(0, 1, (9, 8)) * places.ends]
    model = LossModel.fit(places, rows, "loss", LIMIT, g_min=PROFILE.g_min, wired=True)
    for u in rng.uniform(0.05, 0.95, (20, 8)) * places.ends:
        sides = np.array([[model.scaled(u + s * 1e-6 * e) for e in np.eye(8)] for s in (1, -1)])
        np.testing.assert_allclose(model.gradient(u), (sides[0] - sides[1]) / 2e-6, rtol=1e-4, atol=1e-6)
    # It meets what was evaluated, as far as it is not taken for noise, and doubts what is far from it.
    at = np.array([places.of(r) for r in rows])
    assert np.abs(model.scaled(at) - np.arcsinh(np.array([r["loss"] for r in rows]) / LIMIT)).max() < 0.15
    assert model.doubt(at).max() < 0.2 < model.doubt(np.full((1, 8), 50.0))[0]


def test_places_are_designs_of_the_grid_and_between():
    places, rng = Places(SPACE), np.random.default_rng(2)
    for _ in range(10):
        index = {v.name: int(rng.integers(len(v.grid))) for v in SPACE.free}
        point = SPACE.point(index)
        assert places.point(places.of(point)) == point
        assert SPACE.index(point) == index
    u = np.where(places.whole, 1.0, 0.5)
    between = places.point(u)
    np.testing.assert_allclose(places.of(between), u, atol=1e-5)
    assert between["v_read"] == pytest.approx(np.sqrt(0.05 * 0.1), rel=1e-5)
    assert between["bits"] == 3


def test_steps_go_along_what_cannot_be_built(tmp_path):
    """Where the limit holds nothing back, the cheapest design lies beside those that cannot be built: steps ended there at once."""

    def can_build(p):
        return p["t_step"] * p["v_read"] >= 11e-9 * 0.1 and p["bits"] >= 3

    mesh = np.meshgrid(*(np.array(v.grid, float) for v in SPACE.variables), indexing="ij")
    p = {v.name: m.ravel() for v, m in zip(SPACE.variables, mesh, strict=True)}
    cost = cost_of(p)[(p["t_step"] * p["v_read"] >= 11e-9 * 0.1) & (p["bits"] >= 3) & (loss_of(p) <= 1.0)]
    guide = Guide(lambda p: float(cost_of(p)), can_build, PROFILE.g_min, True)
    asked = {"trials": 20, "seed": 3, "objective": "cost", "judged": "loss", "max_loss": 1.0}
    rows = run_gradient_search(SPACE, evaluate, Parts(tmp_path, {}), guide=guide, **asked)
    assert all(can_build(r) for r in rows)
    assert min(r["cost"] for r in rows) <= 1.05 * cost.min()


def test_a_known_optimum_takes_few_evaluations(tmp_path):
    """Among 420,000 designs of a made-up network, whose best is known by enumeration."""
    assert needed(searched(tmp_path, 2, 14), best_of_the_grid(SPACE)) is not None


@pytest.mark.slow
def test_at_most_a_third_of_the_evaluations_of_the_search_without(tmp_path):
    """The same problem and seeds; what the estimator does not find in 120 trials counts as 120."""
    target = best_of_the_grid(SPACE)
    with_steps = [needed(searched(tmp_path / f"g{s}", s, 40), target) or 999 for s in range(1, 5)]
    without = [needed(searched(tmp_path / f"t{s}", s, 120, gradient=False), target) or 120 for s in range(1, 5)]
    assert all(3 * g <= t for g, t in zip(with_steps, without, strict=True)), (with_steps, without)


@pytest.mark.parametrize("stop", [7])
def test_a_search_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path, stop):
    small = Space(variables(PROFILE), {"bits": 4, "n_in": 5, "array_size": 64, "calibration_cells": 3})
    whole = searched(tmp_path / "whole", 1, 9, space=small)
    calls = 0

    def interrupted(point):
        nonlocal calls
        calls += 1
        if calls == stop + 1:
            raise KeyboardInterrupt
        return evaluate(point)

    with pytest.raises(KeyboardInterrupt):
        searched(tmp_path / "stopped", 1, 9, judge=interrupted, space=small)
    assert searched(tmp_path / "stopped", 1, 9, judge=interrupted, space=small) == whole
    assert calls == len(whole) + 1
    # More trials go on where it ended, and it ends where nothing is expected to be better.
    longer = searched(tmp_path / "longer", 1, 40, space=small)
    assert longer[: len(whole)] == whole
    assert len(longer) < 40


def test_one_design_alone_and_designs_of_whole_numbers_alone(tmp_path):
    everything = {v.name: v.default for v in SPACE.variables}
    assert len(searched(tmp_path / "a", 1, 5, space=Space(variables(PROFILE), everything))) == 1
    bits = Space(variables(PROFILE), {n: v for n, v in everything.items() if n != "bits"})
    rows = searched(tmp_path / "b", 1, 20, space=bits)
    assert len({r["bits"] for r in rows}) == len(rows) <= 5
    every = [evaluate(bits.default | {"bits": b}) for b in (2, 3, 4, 5, 6)]
    assert min(r["cost"] for r in rows if r["loss"] <= LIMIT) == min(r["cost"] for r in every if r["loss"] <= LIMIT)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    path = tmp_path_factory.mktemp("networks") / "digits.npz"
    train_task(load_task("digits"), seed=4, settings=TrainingSettings(n_hidden=8, epochs=2)).save(path)
    return path


def of(network, **changes):
    fixed = {"bits": 2, "n_in": 5, "array_size": 32, "calibration_cells": 3, "g_max": 400e-6}
    values = {"task": "digits", "network": str(network), "max_loss": 0.3, "trials": 7, "chips": 2, "fixed": fixed, "r_wire": 0.0}
    return OptimizeSettings.model_validate(values | {"method": "gradient", "samples": 10, "confirm_chips": 2} | changes)


def test_results_are_evaluations_and_say_what_found_them(network, tmp_path, monkeypatch, no_pictures):
    def unmeasured(self, row):
        raise InputError("no SPICE here: what confirms a design is the same with gradients and without")

    monkeypatch.setattr(Job, "simulated", unmeasured)
    monkeypatch.setattr(run_module, "COST_SAMPLES", 64)
    asked = of(network)
    summary = run_module.run_optimize(asked, tmp_path, QUIET)
    rows = pd.read_csv(tmp_path / "trials.csv")
    assert summary["settings"]["method"] == summary["method"] == "gradient"
    assert 1 <= summary["until_best"] <= summary["trials"] == len(rows)
    job = Job(asked, Work(asked, tmp_path / "other", QUIET))
    last = next(r for _, r in rows.iterrows() if any(r[v.name] not in v.grid for v in job.space.free))
    point = {v.name: last[v.name] for v in job.space.variables}
    assert last["loss"] == job.evaluate(point)["loss"]
    assert last["energy"] == pytest.approx(job.objective(point))
    # Between the grid's conductances the cost that steps go down is within 1 % of the cost.
    for g in (2.3e-4, 3.7e-4, 4e-4):
        assert job.smooth_objective(point | {"g_max": g}) == pytest.approx(job.objective(point | {"g_max": g}), rel=0.01)


def test_settings_without_gradients_are_those_of_before(network):
    assert "method" not in of(network, method="tpe").as_dict()
    assert of(network).as_dict()["method"] == "gradient"


def test_command(network, tmp_path, capsys, monkeypatch):
    found = []
    blank = {"settings": {"max_loss": 0.01}, "variables": [], "trials": 0, "designs": 0, "within": 0, "tries": [], "compared": []}
    monkeypatch.setattr("cosim.optimize.run.run_optimize", lambda settings, out, run: found.append(settings) or blank)
    line = ["optimize", "--task", "digits", "--network", str(network), "--out", str(tmp_path), "--json"]
    assert run_command([*line, "--method", "gradient"]) == 0
    assert "--method gradient" in command_line(found[0], tmp_path)
    assert json.loads(capsys.readouterr().out) == blank
    assert run_command([*line, "--method", "newton"]) == 2
    assert "method='newton': must be 'tpe' or 'gradient'" in capsys.readouterr().err
