"""A sweep's points are single evaluations; its folder; what was stopped goes on; what cannot be is said first."""

import json

import numpy as np
import pandas as pd
import pytest

from cosim import Hardware, Task, compare
from cosim.chip import PwmInputs
from cosim.cli.app import run
from cosim.evaluation import grid, sweep
from cosim.network import LSTMNetwork
from cosim.report import RunOptions
from cosim.sweep import run_sweep
from cosim.tasks import save_arrays
from netlists.errors import InputError

VALUES = {"bits": (3, 4), "threshold_noise": (0.0, 0.5)}
QUIET = RunOptions(progress=False)


@pytest.fixture(scope="module")
def task():
    rng = np.random.default_rng(3)
    x = rng.normal(0, 2, (40, 5, 2))
    y = np.array(["below", "above"])[(x.sum(axis=(1, 2)) > 0).astype(int)]
    return Task.from_arrays("mine", x[:30], y[:30], x[30:], y[30:])


@pytest.fixture(scope="module")
def network():
    rng = np.random.default_rng(7)
    return LSTMNetwork(rng.normal(0, 0.8, (2 + 3 + 1, 4 * 3)), rng.normal(0, 1, (4, 2)))


def hardware(point):
    return Hardware(bits=int(point["bits"]), threshold_noise=point["threshold_noise"], pwm=PwmInputs(4, 2.0))


def test_a_point_is_a_single_evaluation_and_the_table_has_its_figures(task, network):
    table, warnings = sweep(network, task, hardware, VALUES, chips=3, seed=2)
    assert table[["bits", "threshold_noise"]].to_numpy().tolist() == [[3, 0], [3, 0.5], [4, 0], [4, 0.5]]
    alone = compare(network, task, hardware({"bits": 4, "threshold_noise": 0.5}), chips=3, seed=2)
    last = table.iloc[3]
    for name, value in {
        "mean": alone.over_chips.mean,
        "test_low": alone.pooled.low,
        "minus_float_high": alone.chips_to_float.high,
        "balanced_accuracy": alone.figures["chips"].balanced_accuracy,
        "macro_f1": alone.figures["chips"].macro_f1,
        "clipped_inputs": np.mean(np.abs(task.test.inputs) > 2.0),
    }.items():
        assert last[name] == pytest.approx(value), name
    assert any("are beyond it and clipped" in line for line in warnings)


def test_the_command_writes_a_folder_with_a_page(task, network, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_arrays(task, tmp_path / "mine.npz")
    network.save("net.npz")
    line = ["evaluate", "--network", "net.npz", "--data", "mine.npz", "--chips", "2", "--pwm-bits", "4", "--engine", "numpy"]
    assert run([*line, "--sweep", "bits=3..4", "--sweep", "threshold-noise=0,0.5", "--out", "sweep", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["engine"] == "numpy"
    table = pd.read_csv("sweep/sweep.csv")
    pd.testing.assert_frame_equal(table, pd.read_parquet("sweep/sweep.parquet"), check_dtype=False, rtol=1e-7)
    assert [row["mean"] for row in found["rows"]] == table["mean"].to_list()
    for name in ("sweep.tex", "summary.json", "report.html", "pictures/curves.png", "pictures/heatmap.svg"):
        assert (tmp_path / "sweep" / name).is_file(), name
    tex = (tmp_path / "sweep" / "sweep.tex").read_text().splitlines()
    assert tex[1].startswith(r"bits & threshold\_noise & float & ideal & mean & minus\_float & balanced\_accuracy \\")
    assert [line.split(" & ")[4] for line in tex[2:-1]] == [f"{v:.4f}" for v in table["mean"]]
    page = (tmp_path / "sweep" / "report.html").read_text()
    assert f"{table['mean'].max():.4f}" in page
    assert "inputs clipped" in page
    assert "Networks on chips: numpy." in page
    assert run(["report", "sweep"]) == 0
    wrong = {
        "bits=3.5": "must be a whole number",
        "size=1,2": "cannot be varied",
        "bits=a": "must be NAME=3..8",
        "bits=3,3": "different",
    }
    for value, words in wrong.items():
        assert run([*line, "--sweep", value, "--out", "wrong"]) == 2
        assert words in capsys.readouterr().err
    assert run([*line, "--sweep", "bits=3..4"]) == 2
    assert not (tmp_path / "wrong").exists()


def test_a_stopped_sweep_goes_on_and_may_have_more_values(task, network, tmp_path, no_pictures, monkeypatch):
    done, real = [], grid.compare

    def counted(*arguments, **options):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(1)
        return real(*arguments, **options)

    whole = run_sweep(network, task, hardware, VALUES, tmp_path / "whole", QUIET, chips=2)
    monkeypatch.setattr(grid, "compare", counted)
    with pytest.raises(KeyboardInterrupt):
        run_sweep(network, task, hardware, VALUES, tmp_path / "stopped", QUIET, chips=2)
    done.clear()
    with pytest.raises(InputError, match="chips"):
        run_sweep(network, task, hardware, VALUES, tmp_path / "stopped", QUIET, chips=3)
    found = run_sweep(network, task, hardware, VALUES | {"bits": (3, 4, 5)}, tmp_path / "stopped", QUIET, chips=2)
    assert len(done) == 3
    assert found["points"] == whole["points"] + 2
    assert not (tmp_path / "stopped" / ".parts").exists()
    both = [pd.read_csv(tmp_path / name / "sweep.csv") for name in ("whole", "stopped")]
    pd.testing.assert_frame_equal(both[0], both[1].iloc[:4])


def test_a_point_that_cannot_be_leaves_no_folder(task, network, tmp_path):
    with pytest.raises(InputError, match="bits"):
        run_sweep(network, task, hardware, {"bits": (4, 99), "threshold_noise": (0.0,)}, tmp_path / "out", QUIET)
    with pytest.raises(InputError, match="has 0 points"):
        run_sweep(network, task, hardware, {}, tmp_path / "out", QUIET)
    assert not (tmp_path / "out").exists()
