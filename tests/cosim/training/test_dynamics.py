"""Training on trajectories: gradients against differences, and a linear system that is found."""

import numpy as np
import pytest

from cosim.network import Network
from cosim.network.cells import ALRNN
from cosim.training import DynamicsSettings, train_dynamics
from cosim.training.dynamics import _Pieces
from netlists.errors import InputError


def test_gradients_are_those_of_the_loss():
    rng = np.random.default_rng(1)
    cell, s = ALRNN(2, 6, 3), DynamicsSettings(n_hidden=6, n_relu=3, steps=7, batch=4, forcing=3, warm_up=2)
    p = {"weights": rng.normal(0, 0.4, (7, 6)), "decay": rng.uniform(0.3, 0.9, (1, 6))}
    data = rng.normal(0, 1, (8, 4, 2))
    pieces = _Pieces(cell, s)
    pieces.forward(p, data, data[:-1])
    found = {k: g.copy() for k, g in pieces.backward(p).items()}
    for name, at in (("weights", (0, 1)), ("weights", (4, 2)), ("weights", (6, 5)), ("decay", (0, 0)), ("decay", (0, 4))):
        ends = []
        for shift in (1e-6, -1e-6):
            moved = {k: v.copy() for k, v in p.items()}
            moved[name][at] += shift
            ends.append(pieces.forward(moved, data, data[:-1]))
        assert found[name][at] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5, abs=1e-9)


def test_a_turning_point_is_found(tmp_path):
    """A rotation goes on by itself for many turns, and its network is the same after it was saved."""
    t = 0.2 * np.arange(400)
    points = np.stack([np.cos(t), np.sin(t)], axis=1)
    settings = DynamicsSettings(n_hidden=5, n_relu=2, steps=30, batch=8, forcing=10, updates=400, learning_rate=0.02)
    network = train_dynamics(points, settings, seed=1, task="circle")
    network = Network.load(network.save(tmp_path / "circle.npz"))
    cell, p = network.layers[0].cell, network.layers[0].forward
    assert isinstance(cell, ALRNN)
    h = np.zeros(5)
    for k in range(200):
        z = np.concatenate([points[k], h[2:]]) if k < 50 else h
        r = np.concatenate([z[:3], np.maximum(z[3:], 0.0)])
        h = np.diag(p["decay"]) * z + r @ p["weights"][:-1] + p["weights"][-1]
    assert np.abs(h[:2] - points[200]).max() < 0.1
    assert cell.full_scale < 1.0 < cell.state_full_scale * 1.2
    assert np.array_equal(network.readout[:2], np.eye(2))


def test_a_trajectory_that_is_too_short_is_named():
    with pytest.raises(InputError, match="points: has 10 steps, must have 62"):
        train_dynamics(np.zeros((10, 2)), seed=1)
    with pytest.raises(InputError, match="warm_up=9: must be below steps=5"):
        DynamicsSettings(steps=5, warm_up=9)
    with pytest.raises(InputError, match="n_hidden=4: must hold 3 observed and n_relu=2"):
        ALRNN(3, 4, 2)
