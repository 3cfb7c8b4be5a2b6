"""The study of the data's energy at its smallest: priced steps against ngspice, with a bias that takes several rows of cells."""

import numpy as np
import pytest

from cosim.network import LSTMNetwork
from cosim.report.settings import RunOptions, load_settings
from cosim.studies.data_energy import run as study
from cosim.studies.data_energy.settings import DataEnergySettings
from cosim.studies.data_energy.spice import ColumnBench
from tests.cosim.studies.test_cost import FakeTask


@pytest.fixture
def settings(tmp_path, monkeypatch, network, make_sequences):
    weights = network.weights.copy()
    weights[-1] *= 40.0
    path = LSTMNetwork(weights, network.readout).save(tmp_path / "network.npz")
    monkeypatch.setattr(study, "load_task", lambda name: FakeTask(make_sequences()))
    few = ["bits=[3]", "deltas=[0.2]", "tiles=[8]", "sequences=2", "steps_each=2", "transistor_steps=0"]
    return load_settings(DataEnergySettings, None, [f"network={path}", *few])


def test_steps_are_priced_as_ngspice_finds_them(settings, tmp_path, no_pictures, monkeypatch):
    rows = []
    made = ColumnBench.of.__func__

    def of(cls, network, used, column, design):
        bench = made(cls, network, used, column, design)
        rows.append(len(bench.pairs) - len(network.layers[0].forward["weights"]))
        return bench

    monkeypatch.setattr(ColumnBench, "of", classmethod(of))
    summary = study.STUDY.run(settings, tmp_path / "out", RunOptions(progress=False))
    assert min(rows) >= 1
    assert summary["checks"]["macro"] | {"lowest": 0, "highest": 0} == {
        "compared": 2, "steps": 3, "within": 2, "lowest": 0, "highest": 0,
    }  # fmt: skip
    assert np.isfinite([summary["checks"]["macro"][end] for end in ("lowest", "highest")]).all()
