"""A whole co-simulation: what it lists, interrupted, with conversions that fail, and its report."""

import json

import numpy as np
import pandas as pd
import pytest

from characterization.resume import Parts
from cosim.loop.chip import make_chip
from cosim.loop.run import choose_sequences, run_loop
from cosim.report.registry import write_report
from cosim.report.settings import RunOptions
from netlists.errors import InputError, SimulationError


def loop(network, task, out, made, nudged, places, **options):
    stop_at = options.pop("stop_at", None)
    seen = []

    def simulator(chip):
        seen.append(nudged(chip, places, stop_at))
        return seen[-1]

    summary = run_loop(network, task, made, out, RunOptions(progress=False), simulator=simulator, **options)
    return summary, seen[-1]


def test_a_disagreement_is_listed_with_its_margin_and_travels(network, task, make, nudged, tmp_path):
    summary, _ = loop(network, task, tmp_path, make(), nudged, {(1, 2, 0): 1, (2, 7, 1): -1})
    found = pd.read_csv(tmp_path / "disagreements.csv")
    assert summary["disagreements"] == len(found) == 2
    assert summary["codes_equal"] == 1 - 2 / summary["conversions"]
    assert summary["codes_within_1"] == 1.0
    assert (found["code_spice"] - found["code_model"]).abs().tolist() == [1, 1]
    chip, sequences = make_chip(network, make()), choose_sequences(task.test, make())
    array, program = chip.arrays["0.0.weights"], chip.ramps["sigmoid"].program
    for row in found.itertuples():
        k = min(row.code_spice, row.code_model)
        assert row.margin_lsb == pytest.approx(
            abs(row.x - array.levels[row.column][k]) / chip.ramps[array.gate(row.column).activation].program.lsb[k]
        )
    assert program.bits == 3
    travel = pd.read_csv(tmp_path / "travel.csv")
    first = travel[travel["sequence"] == sequences.numbers[0]]
    assert first["after"].tolist() == list(range(len(first)))
    assert first["step"].iloc[0] == 1
    assert first["distance"].iloc[0] > 0
    assert summary["sequences_apart"] == 2


def test_a_loop_without_disagreements_is_the_model(network, task, make, nudged, tmp_path):
    summary, _ = loop(network, task, tmp_path, make(), nudged, {})
    assert summary["codes_equal"] == 1.0
    assert summary["metric_spice"] == summary["metric_model"]
    assert summary["paired"]["model_within"]
    assert summary["paired"]["p"] == 1.0
    assert summary["distance_largest"] == 0.0
    assert (tmp_path / "report.html").exists()
    assert not (tmp_path / ".parts").exists()


def test_shadow_keeps_the_models_states(network, task, make, nudged, tmp_path):
    places = {(0, i, 0): 1 for i in range(5)}
    summary, _ = loop(network, task, tmp_path, make(mode="shadow"), nudged, places)
    assert summary["disagreements"] == 5
    assert summary["metric_spice"] is None
    steps = pd.read_csv(tmp_path / "steps.csv")
    assert steps[steps["step"] > 0]["equal"].sum() == steps[steps["step"] > 0]["conversions"].sum()
    assert not (tmp_path / "travel.csv").exists()


FIXED = ("wall_seconds",)


def test_a_loop_that_was_stopped_goes_on_with_the_same_bits(network, task, make, nudged, tmp_path):
    places = {(1, 2, 0): 1, (3, 0, 1): None}
    whole, _ = loop(network, task, tmp_path / "whole", make(), nudged, places, on_failure="model")
    with pytest.raises(KeyboardInterrupt):
        loop(network, task, tmp_path / "parts", make(), nudged, places, on_failure="model", stop_at=2)
    again, simulator = loop(network, task, tmp_path / "parts", make(), nudged, places, on_failure="model")
    # Only the steps that were not done yet.
    assert simulator.asked == list(range(2, again["steps"]))
    assert {k: v for k, v in again.items() if k not in FIXED} == {k: v for k, v in whole.items() if k not in FIXED}
    for name in ("steps", "disagreements", "failures", "travel"):
        assert (tmp_path / "whole" / f"{name}.csv").read_bytes() == (tmp_path / "parts" / f"{name}.csv").read_bytes()


def test_another_loop_does_not_take_a_stopped_ones_parts(network, task, make, nudged, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        loop(network, task, tmp_path, make(), nudged, {}, stop_at=1)
    with pytest.raises(InputError, match="seed: 1 there, 2 now"):
        loop(network, task, tmp_path, make(seed=2), nudged, {})
    (path,) = (tmp_path / ".parts").glob("answer-0.0.weights-0000.*")
    with np.load(path) as data:
        stored = {name: data[name] for name in data.files}
    path.unlink()
    parts = Parts(tmp_path, json.loads((tmp_path / ".parts" / "settings.json").read_text()))
    parts.arrays("answer-0.0.weights-0000", lambda: stored | {"asked": np.array("0" * 64)})
    with pytest.raises(InputError, match="holds the codes of other pre-activations"):
        loop(network, task, tmp_path, make(), nudged, {})


def test_a_failed_conversion_stops_a_closed_loop_unless_the_model_may_stand_in(network, task, make, nudged, tmp_path):
    places = {(1, 3, 0): None}
    with pytest.raises(
        SimulationError, match=r"1 of 24 conversions failed at step 1 of array 0\.0\.weights.*\n.*timestep too small"
    ):
        loop(network, task, tmp_path, make(), nudged, places)
    summary, simulator = loop(network, task, tmp_path, make(), nudged, places, on_failure="model")
    assert 1 not in simulator.asked
    assert summary["failed"] == 1
    assert summary["codes_equal"] == 1.0
    assert summary["on_failure"] == "model"
    row = pd.read_csv(tmp_path / "failures.csv").iloc[0]
    assert (row["column"], row["step"], row["seed"], row["message"]) == (3, 1, 1, "timestep too small")
    assert "stands in their place" in (tmp_path / "report.html").read_text()
    with pytest.raises(InputError, match="allowed are stop, model"):
        loop(network, task, tmp_path, make(), nudged, places, on_failure="ignore")


def test_a_failed_conversion_in_shadow_is_counted_and_left_out(network, task, make, nudged, tmp_path):
    summary, _ = loop(network, task, tmp_path, make(mode="shadow"), nudged, {(1, 3, 0): None})
    assert (summary["failed"], summary["disagreements"], summary["codes_equal"]) == (1, 0, 1.0)


def test_the_report_is_made_of_the_folder_alone(network, task, make, nudged, tmp_path, monkeypatch):
    loop(network, task, tmp_path, make(), nudged, {(1, 2, 0): 1})
    before = (tmp_path / "report.html").read_bytes()
    (tmp_path / "report.html").unlink()
    monkeypatch.setattr("netlists.spice.engine.shared_instance", None)
    write_report(tmp_path)
    assert (tmp_path / "report.html").read_bytes() == before
    json.loads((tmp_path / "summary.json").read_text())


def test_a_network_of_another_task_is_refused(network, task, make, tmp_path):
    with pytest.raises(InputError, match="the data is of task 'tiny'"):
        run_loop(network, task, make(task="vowels"), tmp_path)
