"""The search on problems whose answer is known: brute force, interruption, constraints."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, strategies as st

from characterization.resume import Parts
from cosim.optimize.search import front, importances, main_effects, run_search
from cosim.optimize.space import Space, Variable, variables
from netlists.errors import ToolkitError
from netlists.technology.profile import load_profile


def small_space():
    names = ("a", "b", "c")
    return Space(tuple(Variable(n, (0.0, 1.0, 2.0), 2.0, "", 1, n, True, 0, 2) for n in names), {})


def known(point):
    """Cost falls and loss rises with a; b costs and gains nothing; with c = 1 nothing can be built."""
    if point["c"] == 1:
        return {**point, "cost": 4.0, "loss": None}
    return {**point, "cost": 10.0 - point["a"] + point["b"], "loss": 0.015 * point["a"] + 0.001 * point["c"]}


def search(space, evaluate, folder, trials, seed=1):
    parts = Parts(folder, {"seed": seed})
    return run_search(space, evaluate, parts, trials=trials, seed=seed, objective="cost", judged="loss", max_loss=0.02)


def test_a_small_grid_is_searched_whole_and_the_best_is_brute_forces(tmp_path):
    space = small_space()
    rows = search(space, known, tmp_path, 1000)
    assert len(rows) == space.size == 27
    assert len({(r["a"], r["b"], r["c"]) for r in rows}) == 27
    assert [r["trial"] for r in rows] == list(range(27))
    best = min((r for r in rows if r["loss"] is not None and r["loss"] <= 0.02), key=lambda r: r["cost"])
    assert (best["a"], best["b"], best["c"]) == (1, 0, 0)


def test_the_default_comes_first(tmp_path):
    assert {k: v for k, v in search(small_space(), known, tmp_path, 2)[0].items() if k in "abc"} == {"a": 2, "b": 2, "c": 2}


def test_it_finds_the_best_of_many_designs_sooner_than_chance(tmp_path):
    """Median over seeds of the best cost within the limit, after 50 of 315,000 designs or so, against random designs."""
    space = Space(variables(load_profile("taox-100-400")), {})
    weight = {v.name: k + 1.0 for k, v in enumerate(space.variables)}

    def evaluate(point):
        place = {v.name: v.grid.index(point[v.name]) / (len(v.grid) - 1) for v in space.variables}
        return {**point, "cost": sum(weight[n] * p for n, p in place.items()), "loss": 0.03 - 0.03 * place["bits"]}

    best, chance = [], []
    for seed in range(3):
        rows = search(space, evaluate, tmp_path / str(seed), 50, seed)
        best.append(min(r["cost"] for r in rows if r["loss"] <= 0.02))
        rng = np.random.default_rng(seed)
        drawn = [evaluate(space.point({v.name: int(rng.integers(len(v.grid))) for v in space.free})) for _ in range(50)]
        chance.append(min(r["cost"] for r in drawn if r["loss"] <= 0.02))
    assert np.median(best) < 0.8 * np.median(chance)


@pytest.mark.parametrize("stop", [0, 1, 17, 20])
def test_a_search_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path, stop):
    space = small_space()
    whole = search(space, known, tmp_path / "whole", 22)
    calls = 0

    def interrupted(point):
        nonlocal calls
        calls += 1
        if calls > stop:
            raise KeyboardInterrupt
        return known(point)

    with pytest.raises(KeyboardInterrupt):
        search(space, interrupted, tmp_path / "stopped", 22)
    calls = -100
    assert search(space, interrupted, tmp_path / "stopped", 22) == whole
    # What was done was not done again.
    assert calls == -100 + 22 - stop


def test_another_seed_tries_other_designs(tmp_path):
    first, second = (search(small_space(), known, tmp_path / str(s), 12, s) for s in (1, 2))
    assert first != second


def test_nothing_to_search_is_one_trial(tmp_path):
    space = Space(small_space().variables, {"a": 1.0, "b": 0.0, "c": 0.0})
    rows = search(space, known, tmp_path, 10)
    assert [(r["a"], r["cost"]) for r in rows] == [(1, 9.0)]


@given(st.lists(st.tuples(st.integers(0, 5), st.one_of(st.none(), st.integers(0, 5))), max_size=30))
def test_no_design_beats_one_on_the_front(pairs):
    rows = [{"trial": n, "cost": c, "loss": x} for n, (c, x) in enumerate(pairs)]
    found = front(rows, "cost", "loss")
    built = [r for r in rows if r["loss"] is not None]

    def beaten(r):
        return any(
            o["cost"] <= r["cost"] and o["loss"] <= r["loss"] and (o["cost"], o["loss"]) != (r["cost"], r["loss"]) for o in built
        )

    assert {(r["cost"], r["loss"]) for r in found} == {(r["cost"], r["loss"]) for r in built if not beaten(r)}
    assert [r["cost"] for r in found] == sorted({r["cost"] for r in found})


def test_a_variable_that_does_nothing_has_no_importance(tmp_path):
    space = small_space()
    rows = search(space, known, tmp_path, 27)
    shares = importances(space, rows, "loss", 1)
    assert shares["a"] > 0.9
    assert shares["b"] < 0.02
    assert sum(shares.values()) <= 1 + 1e-9
    assert importances(space, rows[:1], "loss", 1) == {}


def test_small_units_do_not_hide_importances(tmp_path):
    space = small_space()
    rows = [r | {"loss": r["loss"] and 1e-7 * r["loss"]} for r in search(space, known, tmp_path, 27)]
    assert importances(space, rows, "loss", 1)["a"] > 0.9


def test_main_effects_are_those_of_the_closed_form():
    """y = 3 a + b c over 0, 1, 2: Var = 9 * 2/3 + Var(b c); the part of b alone is Var(b E[c]) = 2/3."""
    space = small_space()
    product = np.outer([0, 1, 2], [0, 1, 2])
    total = 6 + product.var()
    found = main_effects(space, lambda p: 3 * p["a"] + p["b"] * p["c"], 20_000, np.random.default_rng(1))
    for name, part in (("a", 6.0), ("b", 2 / 3), ("c", 2 / 3)):
        assert found[name] == pytest.approx(part / total, abs=0.01)
    assert main_effects(space, lambda _: 1.0, 10, np.random.default_rng(1)) == {}


def test_without_optuna_the_error_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ToolkitError, match=r"pip install 'nladc-cosim\[search\]'"):
        search(small_space(), known, tmp_path, 2)
