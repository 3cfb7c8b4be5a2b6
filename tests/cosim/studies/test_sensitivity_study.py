"""The study of sensitivities on a small network: the four parts, the folder, and the committed one."""

import json
from pathlib import Path

import pandas as pd
import pytest

from characterization.plan import RampPlan
from characterization.sensitivity import trimming_table
from cosim.report import RunOptions
from cosim.studies.sensitivity.run import STUDY
from cosim.studies.sensitivity.settings import SensitivityStudySettings
from cosim.tasks import load_task
from cosim.training import TrainingSettings, train_task

COMMITTED = Path(__file__).resolve().parents[3] / "results" / "sensitivity"


@pytest.mark.slow
def test_small_study(tmp_path):
    network = train_task(load_task("digits"), seed=4, settings=TrainingSettings(n_hidden=8, epochs=2)).save(tmp_path / "net.npz")
    small = SensitivityStudySettings(
        task="digits", network=str(network), bits=2, trim_chips=8, yield_chips=200, limits=(0.1,), spice_chips=8, network_chips=8,
        max_loss=0.3, trials=10, search_seeds=(1,), search_chips=2,
    )  # fmt: skip
    out = tmp_path / "out"
    summary = STUDY.run(small, out, RunOptions(progress=False))
    assert {r["method"] for r in summary["searches"]} == {"gradient", "tpe"}
    assert min(r["energy"] for r in summary["searches"]) == summary["best_energy"]
    assert {p.name for p in out.iterdir()} >= {"trimming.csv", "yield.csv", "prediction.csv", "searches.csv", "report.html"}
    assert not (out / ".parts").exists()


def test_committed_study_holds_what_it_says():
    """Of the committed numbers: gradient first, within the interval, positive, and at most a third of the evaluations."""
    s = json.loads((COMMITTED / "summary.json").read_text())
    trimming = pd.read_csv(COMMITTED / "trimming.csv").set_index(["order", "writes"])["within"]
    n = s["trimming"]["most"]["writes"]
    assert trimming["ranked", n] > trimming["random", n]
    yields = pd.read_csv(COMMITTED / "yield.csv").pivot(index="limit", columns="by", values="value")
    assert (yields["linear"] - yields["closed form"]).abs().max() < 0.02
    assert s["prediction"]["loss"]["low"] > 0.5
    need = {(r["method"], r["seed"]): r["until_optimum"] or r["evaluations"] + 1 for r in s["searches"]}
    for seed in s["settings"]["search_seeds"]:
        assert need["gradient", seed] < need["tpe", seed]


def test_share_within_a_limit_is_of_the_same_chips():
    plan = RampPlan("sigmoid", 2)
    table = trimming_table(plan, range(8), [0, 2], random=3, limit=0.03).set_index(["order", "writes"])
    assert "within" not in trimming_table(plan, range(8), [0], random=1).columns
    assert table.loc[("ranked", 0), "within"] == table.loc[("random", 0), "within"] == table.loc[("largest error", 0), "within"]
    every = trimming_table(plan, range(8), [0, 2], random=3, limit=10.0)
    assert every["within"].to_numpy() == pytest.approx(1.0)
