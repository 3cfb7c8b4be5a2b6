"""Gradients of learned ramps against differences, and trainings that learn them."""

import numpy as np
import pytest

from cosim.chip import Hardware
from cosim.network import LSTMNetwork, ramp_gates
from cosim.tasks import Provenance, SequenceSet, Task
from cosim.training import HardwareAware, Model, TrainingSettings, train_task
from cosim.training.classification import LabelledData, loss_and_gradients
from cosim.training.gradients import ramp_gradients
from netlists.errors import InputError
from netlists.function import Staircase, uniform_staircase

STAIRS = Staircase((-1.5, -0.4, 0.1, 0.3, 0.6, 1.1, 2.0), (0.02, 0.2, 0.45, 0.5, 0.6, 0.7, 0.8, 0.97))


def with_ramps(network, bits=2):
    cells = [(layer.cell, len(layer.directions)) for layer in network.layers]
    return network.with_ramps({name: uniform_staircase(gate.activation, bits) for name, gate in ramp_gates(cells)})


@pytest.fixture(scope="module")
def network():
    rng = np.random.default_rng(1)
    return LSTMNetwork(rng.normal(0, 0.6, (9, 20)), rng.normal(0, 1, (6, 3)))


@pytest.fixture(scope="module")
def task():
    rng = np.random.default_rng(2)
    x = rng.standard_normal((300, 5, 3))
    data = SequenceSet(x, np.full(300, 5), (x[..., 0].sum(axis=1) > 0).astype(int))
    source = Provenance(source="sign of a sum", version="1", licence="none", sha256={}, items={"train": 300}, synthetic=True)
    return Task("sums", train=data, test=data, classes=("below", "above"), metric="accuracy", provenance=source)


def test_gradients_are_the_differences_of_a_linear_loss():
    """A threshold that moves by half a step to either side passes the inputs that its gradient counts."""
    rng = np.random.default_rng(3)
    x, d = rng.normal(0, 1, 3000), rng.normal(1, 1, 3000)
    t, v = np.array(STAIRS.thresholds), np.array(STAIRS.values)
    d_t, d_v = ramp_gradients(t, v, x, d)

    def loss(t, v):
        return float(d @ v[np.searchsorted(t, x)])

    edges = np.concatenate([[t[0] - (t[1] - t[0]) / 2], (t[1:] + t[:-1]) / 2, [t[-1] + (t[-1] - t[-2]) / 2]])
    for k in range(7):
        low, high = t.copy(), t.copy()
        low[k], high[k] = edges[k], edges[k + 1]
        assert d_t[k] == pytest.approx((loss(high, v) - loss(low, v)) / (edges[k + 1] - edges[k]))
    for k in range(8):
        assert d_v[k] == pytest.approx(loss(t, v + np.eye(8)[k]) - loss(t, v))


def test_output_levels_have_the_gradient_of_the_loss(network):
    """Over one step nothing goes through a rounding on its way from a level to the loss."""
    rng = np.random.default_rng(4)
    data = LabelledData(rng.normal(0, 1, (60, 1, 3)), np.ones(60, int), rng.integers(3, size=60))
    model = Model(with_ramps(network), np.float64, hardware_aware=HardwareAware(Hardware(bits=2)))
    found = loss_and_gradients(model, data.batch(np.arange(60)), np.random.default_rng(1))[1]
    found = {name: g.copy() for name, g in found.items()}
    for name in (n for n in found if n.endswith(".values")):
        for k in range(4):
            losses = []
            for step in (1e-4, -1e-4):
                model.parameters[name][0, k] += step
                losses.append(loss_and_gradients(model, data.batch(np.arange(60)), np.random.default_rng(1))[0].mean)
                model.parameters[name][0, k] -= step
            assert found[name][0, k] == pytest.approx((losses[0] - losses[1]) / 2e-4, rel=1e-4, abs=1e-8)
    assert np.any(found["ramps.0.0.weights.a.values"] != 0)
    assert found["ramps.0.0.weights.i.thresholds"].shape == (1, 3)


def test_learned_ramps_learn_within_what_cells_hold_and_fixed_ones_stay(task):
    settings = TrainingSettings(n_hidden=4, epochs=3)
    start = with_ramps(train_task(task, seed=1, settings=settings), bits=3)
    on = {"hardware": Hardware(bits=3), "step_ratio": 4.0}
    learned = train_task(task, seed=1, settings=settings, start=start, hardware_aware=HardwareAware(**on))
    fixed = train_task(task, seed=1, settings=settings, start=start, hardware_aware=HardwareAware(**on, learn_ramps=False))
    assert fixed.ramps == start.ramps
    assert fixed.metadata.settings["learn_ramps"] == 0
    for name, ramp in learned.ramps.items():
        steps = np.diff(ramp.thresholds)
        assert 0 < steps.max() <= 4.001 * steps.min()
        assert ramp.values != start.ramps[name].values
    assert learned.metadata.epochs[-1].loss < fixed.metadata.epochs[0].loss


def test_floating_point_does_not_train_them(network, task):
    with pytest.raises(InputError, match="does not see"):
        Model(with_ramps(network))
