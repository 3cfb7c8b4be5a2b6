"""Work that is known only with its data is weighed before it begins: nothing is made where it is refused."""

import json
import subprocess
from collections import namedtuple
from pathlib import Path

import psutil
import pytest

from characterization import RampPlan, characterize
from cosim.cli.app import run
from cosim.report import STUDIES, load_study
from netlists.machine import HOURS

RESULTS = Path(__file__).parents[2] / "results"
Memory = namedtuple("Memory", "available")

BLOCK = """.subckt mine inp inn out com
b1 out com v=tanh(200*(v(inp)-v(inn)))
.ends mine
"""
NETWORK = f"--network {RESULTS / 'demo' / 'network.npz'}"


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (f"evaluate {NETWORK} --bits 4 --threshold-noise 0.5 --chips 9", "--chips=9: would take about"),
        (f"evaluate {NETWORK} --sweep threshold_noise=0.1,0.5 --bits 4 --chips 9 --out new", "chips=9: would take about"),
        (f"loop {NETWORK} --bits 3 --utterances 7 --out new", "--utterances=7: would take about"),
        (f"budget {NETWORK} --chips 3 --out new", "permutations=64: would take about"),
        (f"optimize {NETWORK} --trials 9 --out new", "--trials=9: would take about"),
        ("train --task vowels --epochs 7 --out new.npz", "--epochs=7: would take about"),
        ("comparator mine.cir:mine --samples 9 --out new", "chips=16: would take about"),
        ("opamp mine.cir:mine --chips 9 --out new", "--chips=9: would take about"),
        ("blocks --samples 9 --out new", "--samples=9: would take about"),
        (f"validate {RESULTS / 'demo' / 'models' / 'sigmoid3.json'} --samples 9", "would take about"),
        ("sensitivity --bits 2 --spice-chips 9 --out new", "--spice-chips=9: would take about"),
        ("characterize --bits 2 --samples 9 --out new", "--samples=9: would take about"),
        ("estimate --bits 2 --out new", "samples=128: would take about"),
        ("study demo --out new", "settings: would take about"),
        ("study demo --set chips=17 --out new", "chips=17: would take about"),
    ],
)
def test_more_hours_than_the_user_allows(command, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("mine.cir").write_text(BLOCK)
    monkeypatch.setenv(HOURS, "1e-9")
    assert run(command.split()) == 2
    answer = capsys.readouterr().err.splitlines()[-1]
    assert answer.startswith("error: ")
    assert says in answer
    assert "1e-09 h are allowed" in answer
    assert [p.name for p in tmp_path.iterdir()] == ["mine.cir"]


def test_tables_beyond_the_memory_are_not_read(tmp_path, monkeypatch, capsys):
    """A run's tables in `fit`, a table of measured cells in `device`: before they are read."""
    monkeypatch.chdir(tmp_path)
    characterize(RampPlan("sigmoid", 2, seed=5), 8, "run", progress=False)
    Path("written.csv").write_text("target_uS,measured_uS\n" + "100,101\n" * 2000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: Memory(1000))
    assert run(["fit", "run", "--out", "model.json"]) == 2
    assert "8 samples: would take about" in capsys.readouterr().err
    assert run(["figures", "run"]) == 2
    assert "rows: would take about" in capsys.readouterr().err
    assert run(["device", "written.csv"]) == 2
    assert "written.csv: would take about" in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run", "written.csv"]


CROWDED = {"kws-bits": 627 / 2, "lm-bits": 1192 / 2, "learned-ramps": 1203 / 2, "error-sources": 162 / 2, "models": 1405 / 2}
"""Processor seconds over two cores, of folders whose clock ran beside other jobs."""


@pytest.mark.parametrize("name", [n for n, entry in STUDIES.items() if entry.question and n != "devices"])
def test_a_study_takes_about_what_its_folder_says(name):
    """Held against the seconds of the folder under results/ as it is committed, whatever its settings."""
    study = load_study(name)
    show = ["git", "-C", str(RESULTS), "show", f"HEAD:./{name}/summary.json"]
    shown = subprocess.run(show, capture_output=True, text=True)
    if shown.returncode:
        pytest.skip("no checkout, or a folder that is not committed")
    summary = json.loads(shown.stdout)
    took = summary.get("wall_seconds")
    if took is None:
        pytest.skip("its folder says nothing of time")
    took = CROWDED.get(name) or (sum(took.values()) if isinstance(took, dict) else took)
    settings = study.settings(**{n: v for n, v in summary.get("settings", {}).items() if n in study.settings.model_fields})
    foretold = study.takes.seconds * study.takes.work(settings) / study.takes.work(study.settings())
    assert took / 3 < foretold < 3 * took
