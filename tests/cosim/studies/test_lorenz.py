"""Invariants where they are known, and the study at a small size."""

import numpy as np
import pandas as pd
import pytest

from cosim.network import Layer, Network
from cosim.network.cells import ALRNN
from cosim.report import RunOptions
from cosim.studies.lorenz import run as study
from cosim.studies.lorenz.invariants import divergence_rate, network_exponent, spectrum_distance, state_space_divergence
from cosim.tasks.lorenz import lorenz_exponent, lorenz_trajectory

DT = 0.02


@pytest.fixture(scope="module")
def system():
    return lorenz_trajectory(6000, DT, 1), lorenz_trajectory(6000, DT, 2)


def test_two_trajectories_of_the_system_are_near_and_a_circle_is_not(system):
    """The system's exponent is 0.906 (Sprott, Chaos and Time-Series Analysis, 2003)."""
    one, two = system
    t = DT * np.arange(6000)
    circle = one.mean(axis=0) + one.std(axis=0) * np.stack([np.cos(t), np.sin(t), np.cos(2 * t)], axis=1)
    assert divergence_rate(one, DT) == pytest.approx(0.906, abs=0.2)
    assert np.isnan(divergence_rate(np.zeros((6000, 3)), DT))
    assert state_space_divergence(one, one) == pytest.approx(0.0, abs=1e-12)
    assert state_space_divergence(one, two) < 1.5 < 8 < state_space_divergence(one, circle)
    assert spectrum_distance(one, one) == pytest.approx(0.0, abs=1e-6)
    assert spectrum_distance(one, two) < 0.1 < 0.5 < spectrum_distance(one, circle)


def test_the_integrator_solves_the_system():
    """Central differences of a trajectory are its right-hand side."""
    x = lorenz_trajectory(200, 1e-3, 3)
    slope = (x[2:] - x[:-2]) / 2e-3
    a, b, c = x[1:-1].T
    right = np.stack([10 * (b - a), a * (28 - c) - b, a * b - 8 / 3 * c], axis=1)
    np.testing.assert_allclose(slope, right, atol=2e-2)
    assert np.array_equal(x, lorenz_trajectory(200, 1e-3, 3))


def test_the_exponent_of_a_linear_network_is_that_of_its_largest_eigenvalue():
    rng = np.random.default_rng(2)
    cell = ALRNN(2, 5, 1)
    weights = rng.normal(0, 0.3, (6, 5))
    weights[4] = 0.0  # nothing reads the rectified unit
    weights[-1] = 0.0
    network = Network((Layer(cell, {"weights": weights, "decay": 0.5 * np.eye(5)}),), np.eye(6, 2))
    largest = np.abs(np.linalg.eigvals(0.5 * np.eye(5) + weights[:5].T)).max()
    assert network_exponent(network, np.zeros((1, 2)), 4000, DT) == pytest.approx(np.log(largest) / DT, rel=0.02)


@pytest.mark.slow
def test_the_study_at_a_small_size(tmp_path, monkeypatch):
    monkeypatch.setattr(study, "EXPONENT_TIME", 1.0)
    small = {"points": 1500, "updates": 100, "trainings": 1, "bits": [5], "chips": 1, "generated": 1000, "n_hidden": 6, "n_relu": 2}
    summary = study.STUDY.run(study.STUDY.settings(**small), tmp_path, RunOptions(progress=False))
    table = pd.read_csv(tmp_path / "invariants.csv")
    assert list(table["on"]) == [study.SYSTEM, study.FLOAT, study.RAMPS, study.FINE_PULSES, study.MEMRISTORS]
    assert summary["scales"][0]["full_scale"] > 0
    assert "almost-linear" in (tmp_path / "report.html").read_text()


@pytest.mark.slow
def test_the_exponent_of_the_system():
    assert lorenz_exponent(200.0, 1) == pytest.approx(0.906, abs=0.04)
