"""Formats that are learned: against a loop in NumPy, against the evaluator, and against formats that stay where they start."""

from dataclasses import replace

import numpy as np
import pytest

from cosim.chip import Hardware, PwmInputs, saturation
from cosim.evaluation import evaluate
from cosim.network import FixedPoint, Layer, Network
from cosim.network.cells import GRU, LSTM, Vanilla
from cosim.tasks import SequenceSet, Task
from cosim.training import HardwareAware, Model, TrainingSettings, train_task
from cosim.training.classification import LabelledData, loss_and_gradients
from cosim.training.fixed_point import FixedPointTraining
from netlists.errors import InputError

N_IN, N, CLASSES = 3, 4, 3


def start(cell, rng, backward=False):
    weights = [{m.name: rng.normal(0, 0.7, m.shape) for m in cell.matrices} for _ in range(2)]
    layer = Layer(cell, weights[0], weights[1] if backward else None)
    return Network((layer,), rng.normal(0, 0.7, (layer.n_out + 1, CLASSES)))


def sequences(rng, n=20):
    x = [rng.normal(0, 1.5, (k, N_IN)) for k in rng.integers(1, 6, n)]
    return SequenceSet.from_list(x, rng.integers(0, CLASSES, n))


@pytest.mark.parametrize(("bits", "exponent"), [(3, 1), (5, -2)])
def test_a_format_has_the_numbers_of_its_bits(bits, exponent):
    fixed = FixedPoint(bits, exponent)
    numbers = np.unique(fixed.round(np.linspace(-10, 10, 20001)))
    codes = np.arange(1 - 2 ** (bits - 1), 2 ** (bits - 1))
    np.testing.assert_allclose(numbers, codes * 2.0**exponent / 2 ** (bits - 1))


@pytest.mark.parametrize("cell", [LSTM(N_IN, N), GRU(N_IN, N, reset="before"), Vanilla(N_IN, N)], ids=lambda c: c.kind)
@pytest.mark.parametrize("backward", [False, True])
def test_the_evaluator_honours_what_was_learned(cell, backward, tmp_path):
    """The saved network on pulse widths of as many bits answers as the training's forward pass did."""
    rng = np.random.default_rng(1)
    model = Model(start(cell, rng, backward), np.float64, fixed_point=FixedPointTraining(5, True, 2.0))
    for name in [n for n in model.parameters if n.startswith("formats")]:
        # Points in between: what counts is the nearest whole one.
        model.parameters[name][:] += rng.uniform(-0.9, 0.4, model.parameters[name].shape)
    data = sequences(rng)
    batch = LabelledData.of(data, np.float64).batch(np.arange(len(data)))
    outputs = model.outputs(batch.x, batch.packing)
    rows = [batch.packing.last_rows, np.arange(batch.packing.sequences)][: len(outputs)]
    scores = model.read(np.concatenate([o[r] for o, r in zip(outputs, rows, strict=True)], axis=1))
    network = Network.load(model.network().save(tmp_path / "n.npz"))
    order = np.argsort(-data.lengths, kind="stable")
    found = evaluate(network, data, Hardware(pwm=PwmInputs(5)), dtype=np.float64).scores[0]
    np.testing.assert_allclose(found[order], scores, atol=1e-9)
    # Ranges of the hardware's own are another network; and without pulses inputs are not rounded.
    moved = replace(network, formats={k: FixedPoint(5, f.exponent + 2) for k, f in network.formats.items()})
    assert np.abs(evaluate(moved, data, Hardware(pwm=PwmInputs(5)), dtype=np.float64).scores[0] - found).max() > 1e-3
    least = min(2.0**f.exponent for k, f in network.formats.items() if k.endswith(".x"))
    clipped = saturation(network, data, PwmInputs(5))
    assert clipped.input_range == least


def test_slopes_in_the_binary_point_are_those_of_the_rounded_number():
    """One step of a linear unit by hand: within the range ln 2 (rounded - v), beyond it ln 2 times the end."""
    cell = Vanilla(2, 1, activation="identity")
    weights = np.array([[0.3], [3.0], [0.0], [0.0]])
    net = Network((Layer(cell, {"weights": weights}),), np.array([[1.0, 0.0], [0.0, 0.0]]))
    model = Model(net, np.float64, fixed_point=FixedPointTraining(3, True, 2.0))
    data = SequenceSet(np.array([[[0.7, 5.0]]]), np.array([1]), np.array([0]))
    batch = LabelledData.of(data, np.float64).batch(np.arange(1))
    _, found = loss_and_gradients(model, batch)
    w, x, v = np.array([0.5, 1.5]), np.array([0.5, 1.5]), np.array([0.7, 5.0])  # steps of 2 / 4, ends at 1.5
    p = np.exp(w @ x) / (np.exp(w @ x) + 1)
    slope = p - 1
    in_weights = slope * np.log(2) * (x[0] * (w[0] - 0.3) + x[1] * w[1])
    in_inputs = slope * np.log(2) * (w[0] * (x[0] - v[0]) + w[1] * x[1])
    points = found["formats.0.0.weights"][0]
    assert points[:2] == pytest.approx([in_weights, in_inputs])
    # Straight through within the range, nothing beyond it.
    assert found["layers.0.forward.weights"][:, 0] == pytest.approx([slope * x[0], 0.0, 0.0, slope])
    fixed = Model(net, np.float64, fixed_point=FixedPointTraining(3, False, 2.0))
    assert not loss_and_gradients(fixed, batch)[1]["formats.0.0.weights"].any()


def test_learned_points_move_to_where_the_numbers_are(tmp_path):
    """One input in thousands is eight deviations: a format that holds it has next to no numbers for the others."""
    rng = np.random.default_rng(3)
    x = 0.5 * rng.normal(0, 1, (600, 5, 2))
    x[0, 0, 0] = 4.0
    labels = (x[:, :, 0].sum(axis=1) > 0).astype(int)
    task = Task.from_arrays("small", x[200:], labels[200:], x[:200], labels[:200])
    how = TrainingSettings(n_hidden=4, cell="vanilla", epochs=30, batch=32, learning_rate=0.05, fixed_point_bits=3)
    accuracy, points = {}, {}
    for learned in (False, True):
        network = train_task(task, seed=1, settings=replace(how, fixed_point_learned=learned))
        network = Network.load(network.save(tmp_path / "n.npz"))
        assert network.metadata.settings["fixed_point_bits"] == 3
        accuracy[learned] = evaluate(network, task.test, Hardware(pwm=PwmInputs(3)), dtype=np.float64).accuracy[0]
        points[learned] = network.formats["0.0.weights.x"].exponent
    assert points[False] == 2 > points[True]
    assert accuracy[True] > accuracy[False] + 0.03


def test_what_does_not_fit_is_named(tmp_path):
    rng = np.random.default_rng(4)
    net = start(LSTM(N_IN, N), rng)
    fixed = FixedPointTraining(5)
    with pytest.raises(InputError, match="fixed_point_bits: weights on a chip"):
        Model(net, fixed_point=fixed, hardware_aware=HardwareAware(Hardware(bits=4)))
    with pytest.raises(InputError, match=r"formats: 0\.0\.weights is missing"):
        replace(Model(net, fixed_point=fixed).network(), formats={"0.0.weights.x": FixedPoint(4, 0)})
    saved = replace(Model(net, fixed_point=fixed).network(), layers=net.layers).save(tmp_path / "n.npz")
    with pytest.raises(InputError, match=r"n\.npz: formats: weight 0\.0\.weights\[0, 0\]=.* is no multiple of 0\.125"):
        Network.load(saved)
    plain = train_task(
        Task.from_arrays("few", np.zeros((6, 2, 1)), [0, 1] * 3, np.zeros((6, 2, 1)), [0, 1] * 3),
        seed=1,
        settings=TrainingSettings(epochs=1, n_hidden=2),
    )
    assert "fixed_point_bits" not in plain.metadata.settings
