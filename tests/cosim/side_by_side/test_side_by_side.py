"""Two results side by side: intervals against published ones and SciPy's, planted differences, kinds, the command."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from characterization.plan import Limits, RampPlan
from characterization.run import Run
from cosim import Hardware, Task, compare
from cosim.cli.app import run
from cosim.network import LSTMNetwork
from cosim.side_by_side import compare_results, independent, load_result, paired
from cosim.side_by_side.differences import Difference, KnownFigure, joined_figure
from cosim.side_by_side.tables import interval_columns, key_columns
from netlists.errors import InputError

RESULTS = Path(__file__).resolve().parents[3] / "results"
MODELS = RESULTS / "demo" / "models"


def shares(good, of):
    return KnownFigure(good / of, each=np.arange(of) < good)


def test_shares_have_newcombes_published_interval():
    # Newcombe 1998, table II: 56 of 70 against 48 of 80, method 10.
    low, high = independent(shares(48, 80), shares(56, 70))
    assert (round(low, 4), round(high, 4)) == (0.0524, 0.3339)


def test_means_have_welchs_and_students_interval():
    rng = np.random.default_rng(1)
    a, b = rng.normal(0, 1, 12), rng.normal(0.5, 3, 20)
    wanted = stats.ttest_ind(b, a, equal_var=False).confidence_interval(0.95)
    holed = np.append(a, np.nan)
    np.testing.assert_allclose(independent(KnownFigure(0, each=holed), KnownFigure(0, each=b)), (wanted.low, wanted.high))
    c = a + rng.normal(0.1, 0.1, 12)
    wanted = stats.ttest_rel(c, a).confidence_interval(0.95)
    np.testing.assert_allclose(paired(a, c), (wanted.low, wanted.high))
    np.testing.assert_allclose(paired(holed, np.append(c, 7.0)), (wanted.low, wanted.high))
    assert paired(a[:1], c[:1]) is None


def test_a_difference_is_clear_where_its_interval_leaves_out_zero():
    assert not Difference("x", 1, 2, 1, -0.1, 2.1).clear
    assert Difference("x", 1, 2, 1, 0.1, 2.1).clear
    assert Difference("x", 1, 2, 1).clear
    assert not Difference("x", 1, 1, 0).clear


def made(plan, off, n=24):
    """A run of chips that are off by so many LSB, from the plan's seed."""
    program, rng = plan.program(), np.random.default_rng(plan.seed)
    k, rows = np.arange(1, len(program.x) + 1), []
    for sample in range(n):
        error = off + 0.1 * rng.standard_normal(len(k))
        for state in (True, False):
            x = program.x + error * program.lsb
            rows.append(pd.DataFrame({"sample": sample, "k": k, "x_ideal": program.x, "x": x, "calibrated": state}))
    table = pd.concat(rows, ignore_index=True)
    samples = pd.DataFrame({"sample": range(n), "status": "ok"})
    return Run(plan, table, table[table["calibrated"]].drop(columns="calibrated"), samples)


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Folders a (off by 0.1 LSB), b (0.15, same seed) and c (0.1, another seed)."""
    stored = {
        "a": made(RampPlan("sigmoid", 3, seed=1), 0.1),
        "b": made(RampPlan("sigmoid", 3, seed=1, columns=48), 0.15),
        "c": made(RampPlan("sigmoid", 3, seed=2), 0.1),
    }
    for name in stored:
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text("{}")
    monkeypatch.setattr(sys.modules[load_result.__module__], "load_run", lambda path: stored[path.name])
    return tmp_path


def test_chips_of_one_seed_are_paired_others_are_not(runs):
    same, other = compare_results(runs / "a", runs / "b", Limits(max_inl=0.3)), compare_results(runs / "a", runs / "c")
    assert same.settings["columns"] == (96, 48)
    assert "seed" not in same.settings
    assert other.settings["seed"] == (1, 2)
    offset = {d.name: d for d in same.differences}
    inl = offset["offset, calibrating, after"]
    assert (inl.how, inl.clear) == ("paired", True)
    # The same chips, all moved alike: next to no spread is left.
    assert inl.high - inl.low < 0.2 * abs(inl.value)
    assert offset["yield, calibrating, after"].how == "paired"
    others = {d.name: d for d in other.differences}
    assert others["offset, calibrating, after"].how == "independent"
    assert not others["max_inl_in, calibrating, after"].clear
    assert "seed: 1 -> 2" in other.report()


def test_runs_of_unlike_length_are_compared_over_the_chips_of_both(tmp_path, monkeypatch):
    """Figure, difference and interval are of the same chips: of a run and its extension nothing differs."""
    plan = RampPlan("sigmoid", 3, seed=1)
    stored = {"short": made(plan, 0.1, 16), "long": made(plan, 0.1, 40), "off": made(plan, 0.2, 40)}
    for name in stored:
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text("{}")
    monkeypatch.setattr(sys.modules[load_result.__module__], "load_run", lambda path: stored[path.name])
    same, off = (compare_results(tmp_path / "short", tmp_path / other, Limits(max_inl=0.35)) for other in ("long", "off"))
    assert [d.value for d in same.differences] == [0.0] * len(same.differences)
    for d in off.differences:
        assert (d.how, d.items) == ("paired", 16)
        assert d.value == pytest.approx(d.second - d.first)
        if not d.name.startswith("yield"):
            assert d.low - 1e-12 <= d.value <= d.high + 1e-12
    known = stored["off"].figures("all").query("calibrated and sample < 16")["max_inl_in"].mean()
    assert {d.name: d for d in off.differences}["max_inl_in, all, after"].second == pytest.approx(known)
    assert "of the 16 items that both have" in off.as_dict()["warnings"][0]
    assert not compare_results(tmp_path / "long", tmp_path / "off").notes


def test_the_command_writes_a_page_and_ends_with_0(runs, tmp_path, capsys):
    assert run(["compare", str(runs / "a"), str(runs / "b"), "--out", str(tmp_path / "out"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    table = pd.read_csv(tmp_path / "out" / "figures.csv")
    assert len(table) == len(found["figures"]) > 30
    for name in ("report.html", "pictures/inl.png", "pictures/differences.svg", "settings.csv"):
        assert (tmp_path / "out" / name).is_file()
    assert "columns" in (tmp_path / "out" / "report.html").read_text()


def test_models_have_the_intervals_of_their_standard_errors():
    found = compare_results(MODELS / "sigmoid4.json", MODELS / "sigmoid5.json")
    a, b = found.first.content, found.second.content
    d = next(d for d in found.differences if d.name == "comparator_offset")
    half = 1.959963984540054 * np.hypot(a.comparator_offset.stderr, b.comparator_offset.stderr)
    np.testing.assert_allclose((d.low, d.high), (d.value - half, d.value + half))
    assert found.settings["bits"] == (4, 5)
    assert all(not d.clear and d.value == 0 for d in compare_results(MODELS / "tanh4.json", MODELS / "tanh4.json").differences)


def test_a_table_names_its_rows_and_finds_its_intervals():
    table = pd.DataFrame({"task": ["a", "a"], "bits": [3, 4], "mean": [0.5, 0.6], "low": [0.4, 0.5], "high": [0.6, 0.7]})
    assert key_columns(table) == ["task", "bits"]
    assert key_columns(pd.DataFrame({"a": [1, 1], "b": [2, 2]})) is None
    assert interval_columns("mean", list(table)) == ("low", "high")
    assert interval_columns("bits", list(table)) is None
    assert interval_columns("mean", ["mean", "x", "test_low", "test_high"]) == ("test_low", "test_high")


def test_folders_are_compared_by_rows_with_a_planted_difference(tmp_path):
    for name, score in (("a", 0.9), ("b", 0.7)):
        (tmp_path / name).mkdir()
        summary = {
            "study": "sweep",
            "settings": {"chips": 2, "seed": 1 if name == "a" else 2},
            "float": 0.95,
            "wall_seconds": score,
        }
        (tmp_path / name / "summary.json").write_text(json.dumps(summary))
        rows = {"bits": [3, 4], "mean": [score, 0.9], "test_low": [score - 0.05, 0.85], "test_high": [score + 0.05, 0.95]}
        pd.DataFrame(rows).to_csv(tmp_path / name / "sweep.csv", index=False)
    found = compare_results(tmp_path / "a", tmp_path / "b")
    assert found.settings == {"seed": (1, 2)}
    clear = [d for d in found.differences if d.clear]
    assert [d.name for d in clear] == ["sweep.csv: bits 3: mean"]
    np.testing.assert_allclose((clear[0].low, clear[0].high), (-0.2 - 0.05 * 2**0.5, -0.2 + 0.05 * 2**0.5))
    assert {d.name for d in found.differences} == {"float", "sweep.csv: bits 3: mean", "sweep.csv: bits 4: mean"}
    assert found.ranked[0] is clear[0]


def test_saved_answers_of_evaluations_are_compared(tmp_path):
    rng = np.random.default_rng(3)
    x = rng.normal(0, 2, (60, 5, 2))
    task = Task.from_arrays("mine", x, (x.sum(axis=(1, 2)) > 0).astype(int))
    network = LSTMNetwork(rng.normal(0, 0.8, (6, 12)), rng.normal(0, 1, (4, 2)))
    for bits in (2, 6):
        (tmp_path / f"{bits}.json").write_text(json.dumps(compare(network, task, Hardware(bits=bits)).as_dict()))
    found = compare_results(tmp_path / "2.json", tmp_path / "6.json")
    assert found.settings == {"bits": ([2], [6])}
    names = {d.name: d for d in found.differences}
    assert not names["accuracy, float"].clear
    assert names["accuracy, mean"].how == "independent"
    assert "balanced_accuracy, chips" in names


def test_few_chips_that_differ_make_no_clear_difference(tmp_path):
    """Other chips of the same hardware: what the test set leaves open is a tenth of what the chips do."""
    for name, mean in (("a", 0.6), ("b", 0.5)):
        near, far = [mean - 0.03, mean + 0.03], [mean - 0.3, mean + 0.3]
        answer = {
            "task": "mine",
            "metric": "accuracy",
            "float": 0.9,
            "ideal": 0.9,
            "mean": mean,
            "chips": [0.1, mean, 0.9],
            "paired": {},
        }
        answer |= {
            "chip_deviation": 0.4,
            "ci95": far,
            "test_set_ci95": {"float": [0.85, 0.95], "ideal": [0.85, 0.95], "mean": near},
        }
        (tmp_path / f"{name}.json").write_text(json.dumps(answer))
        (tmp_path / name).mkdir()
        (tmp_path / name / "summary.json").write_text(json.dumps({"study": "sweep", "settings": {}}))
        ends = {"test_low": near[0], "test_high": near[1], "chips_low": far[0], "chips_high": far[1]}
        less = {"minus_float": mean - 0.9, "minus_float_low": mean - 0.93, "minus_float_high": mean - 0.87}
        pd.DataFrame([{"bits": 3, "mean": mean, **ends, **less}]).to_csv(tmp_path / name / "sweep.csv", index=False)
    half = np.hypot(0.03, 0.3) * 2**0.5
    for pair, names in (
        (("a.json", "b.json"), ["accuracy, mean"]),
        (("a", "b"), ["sweep.csv: bits 3: mean", "sweep.csv: bits 3: minus_float"]),
    ):
        found = {d.name: d for d in compare_results(tmp_path / pair[0], tmp_path / pair[1]).differences}
        for name in names:
            d = found[name]
            np.testing.assert_allclose((d.value, d.low, d.high), (-0.1, -0.1 - half, -0.1 + half))
            assert not d.clear
    # One chip says nothing of others.
    assert vars(joined_figure(0.5, (0.4, 0.7), None)) == pytest.approx(vars(KnownFigure(0.5, 0.4, 0.7)))


def test_other_kinds_and_other_files_are_named(runs, tmp_path):
    with pytest.raises(InputError, match=r"is a run, .*sigmoid4\.json a model: two of the same kind"):
        compare_results(runs / "a", MODELS / "sigmoid4.json")
    with pytest.raises(InputError, match="study budget"):
        compare_results(RESULTS / "budget-voices", RESULTS / "cost")
    (tmp_path / "x.json").write_text("{}")
    for path in (tmp_path / "nowhere", tmp_path / "x.json", RESULTS / "demo" / "network.npz"):
        with pytest.raises(InputError, match="is not a result; take a run's folder"):
            load_result(path)
