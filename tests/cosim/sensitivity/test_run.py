"""The folder of sensitivities, and the command that writes it."""

import json

import pandas as pd
import pytest

from characterization.plan import RampPlan
from characterization.sensitivity import sensitivities
from cosim.cli.app import run

SMALL = ["sensitivity", "--bits", "2", "--sample", "1", "--chips", "100", "--trim-chips", "8"]


def test_folder_and_answer_hold_the_derivatives(tmp_path, capsys):
    assert run([*SMALL, "--out", str(tmp_path / "out"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    written = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert written["worst_case"] == said["worst_case"]
    found = sensitivities(RampPlan("sigmoid", 2, seed=1), 1)
    table = pd.read_csv(tmp_path / "out" / "derivatives.csv").set_index("parameter")
    assert table.loc["cell 3"].to_numpy() == pytest.approx(found.jacobian[:, found.names.index("cell 3")], rel=1e-6)
    assert said["cost"]["ngspice_ramps_of_central_differences"] == 2 * len(found.names)
    assert said["cost"]["ngspice_ramps_taken"] == 0
    page = (tmp_path / "out" / "report.html").read_text()
    assert "opamp_offset" in page
    assert {p.name for p in (tmp_path / "out" / "pictures").iterdir()} >= {"derivatives.png", "trimming.svg"}


def test_bad_use_is_said(capsys):
    assert run([*SMALL[:-1], "1"]) == 2
    assert "trim-chips=1" in capsys.readouterr().err
    assert run([*SMALL, "--level", "sky130"]) == 2
    assert "level='sky130'" in capsys.readouterr().err
