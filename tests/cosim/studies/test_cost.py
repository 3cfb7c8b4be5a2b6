"""The cost study at its smallest: what it writes, that it goes on when it was stopped, and that its page reads the folder alone."""

import json

import numpy as np
import pandas as pd
import pytest

from characterization.transistors import energy
from cosim.cost.figures import all_figures
from cosim.network import LSTMNetwork
from cosim.report.registry import write_report
from cosim.report.settings import RunOptions, load_settings
from cosim.studies.cost import run as cost
from cosim.studies.cost.page import page
from cosim.studies.cost.settings import CostSettings
from netlists.errors import InputError


class FakeTask:
    """A task of random sequences."""

    def __init__(self, test):
        self.test = test
        self.provenance = "drawn for this test"


@pytest.fixture
def settings(tmp_path, monkeypatch, network, make_sequences):
    path = network.save(tmp_path / "network.npz")
    monkeypatch.setattr(cost, "load_task", lambda name: FakeTask(make_sequences()))
    return load_settings(
        CostSettings,
        None,
        [
            f"network={path}",
            "bits=[3, 5]",
            "chips=2",
            'levels=["ideal"]',
            "ramp_bits=3",
            "mismatch_chips=0",
            "hidden=[4]",
            "arrays=[8]",
        ],
    )


def test_it_writes_what_the_page_needs(settings, tmp_path, monkeypatch):
    summary = cost.STUDY.run(settings, tmp_path / "out", RunOptions(progress=False))
    assert summary == json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["bounds_hold"]
    assert [r["ratio"] for r in summary["halving"]] == pytest.approx([0.25] * 3, rel=1e-3)
    assert [r["model"] for r in summary["halving"]] == pytest.approx([0.25] * 3)
    assert not (tmp_path / "out" / ".parts").exists()
    assert (tmp_path / "out" / "report.html").is_file()
    # The page reads files alone.
    monkeypatch.setattr(energy, "simulate", None)
    monkeypatch.setattr(cost, "evaluate", None)
    made = page(tmp_path / "out")
    assert len(made.sections) == 10
    html = write_report(tmp_path / "out").read_text()
    for section in made.sections:
        assert section.heading.replace("'", "&#39;") in html
    assert "8 bits predicted from 5 bits: 8 of 8 figures within the limits" in cost.describe(summary)


def test_stopped_and_started_again_it_gives_the_same(settings, tmp_path, monkeypatch, no_pictures):
    whole = cost.STUDY.run(settings, tmp_path / "whole", RunOptions(progress=False))
    measured = energy.measure_ramp

    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(energy, "measure_ramp", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cost.STUDY.run(settings, tmp_path / "out", RunOptions(progress=False))
    assert (tmp_path / "out" / ".parts").is_dir()
    assert not (tmp_path / "out" / "summary.json").exists()
    with pytest.raises(InputError, match="chips: 2 there, 3 now"):
        cost.STUDY.run(settings.model_copy(update={"chips": 3}), tmp_path / "out", RunOptions(progress=False))
    monkeypatch.setattr(energy, "measure_ramp", measured)
    again = cost.STUDY.run(settings, tmp_path / "out", RunOptions(progress=False))
    assert {k: v for k, v in again.items() if k != "wall_seconds"} == {k: v for k, v in whole.items() if k != "wall_seconds"}
    for path in (tmp_path / "whole").glob("*.csv"):
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()
    sweep = pd.read_csv(tmp_path / "out" / "sweep.csv")
    assert len(sweep) == 2 * 1 * 1 * 2
    assert np.allclose(sweep["tops_per_watt"], sweep["tops"] / (1e-3 * sweep["power"]))
    terms = pd.read_csv(tmp_path / "out" / "terms.csv")
    assert terms.groupby(["where", "converter"])["share"].sum().to_numpy() == pytest.approx([1.0] * 4)


def test_the_packages_figures_are_those_of_the_stored_study():
    """Names and units of the measured file are those that the bench gives."""
    blocks = ("integrator", "comparator", "latch and counter", "clocks", "driver", "hold switch")
    rows = [energy.BlockEnergy(b, "sky130", "ramp", 0.2, 1e-12, 64e-9, 1e-12, "at most: a test", "") for b in blocks]
    found = energy.measured_figures(rows)
    stored = {n: f for n, f in all_figures().items() if f.kind == "SPICE"}
    assert {n: u for n, (_, u) in found.items()} == {n: f.unit for n, f in stored.items()}


def test_settings_that_cannot_be_are_refused(settings, tmp_path):
    with pytest.raises(InputError, match=r"levels\.0='spice': unknown; allowed are ideal, macro, sky130"):
        load_settings(CostSettings, None, ['levels=["spice"]'])
    with pytest.raises(InputError, match="no such file; `cosim study error-sources` makes it"):
        cost.STUDY.run(settings.model_copy(update={"network": "nowhere.npz"}), tmp_path, RunOptions(progress=False))
    assert isinstance(LSTMNetwork.load(settings.network), LSTMNetwork)
