"""Straight-through training against the evaluator (forward) and against the chain rule by hand (backward)."""

from dataclasses import replace

import numpy as np
import pytest

from characterization.ramp_model.draw import RampDraw
from cosim.chip.draw import draw_chip
from cosim.chip.hardware import Arrays, Hardware, LinearAdc
from cosim.chip.mapping import with_weights
from cosim.chip.pulses import DeltaInputs, PwmInputs
from cosim.evaluation.evaluator import evaluate
from cosim.network import Layer, Network
from cosim.network.cells.gru import GRU
from cosim.network.cells.lstm import LSTM
from cosim.network.cells.slstm import SLSTM
from cosim.network.cells.vanilla import Vanilla
from cosim.tasks import Provenance, SequenceSet, Task
from cosim.training import HardwareAware, Model, TrainingSettings, train_task
from cosim.training.classification import LabelledData, loss_and_gradients
from netlists.errors import InputError
from netlists.technology.profile import load_profile

N_IN, N, CLASSES, BATCH = 3, 4, 5, 12


def network(rng, cell, bidirectional=False, layers=1):
    out = []
    for _ in range(layers):
        weights = [{m.name: rng.normal(0, 0.7, m.shape) * m.connected() for m in cell.matrices} for _ in range(2)]
        out.append(Layer(cell, weights[0], weights[1] if bidirectional else None))
        cell = replace(cell, n_in=out[-1].n_out)
    return Network(tuple(out), rng.normal(0, 0.7, (out[-1].n_out + 1, CLASSES)))


def sequences(rng):
    lengths = rng.integers(1, 6, BATCH)
    return SequenceSet.from_list([rng.normal(0, 1, (k, N_IN)) for k in lengths], rng.integers(0, CLASSES, BATCH))


def noisy(activation, bits=4, chips=1):
    ideal = RampDraw.ideal(activation, bits)
    rng = np.random.default_rng(len(activation))
    thresholds = ideal.thresholds + 0.05 * rng.standard_normal((chips, ideal.thresholds.shape[1]))
    return RampDraw(activation, bits, thresholds, np.zeros((chips, 1)), np.array(0.1))


HARDWARE = {
    "ideal ramps": Hardware(bits=4),
    "noise on thresholds": Hardware(bits=4, threshold_noise=0.5),
    "drawn ramps with noise": Hardware(ramps={a: noisy(a) for a in ("sigmoid", "tanh", "identity")}),
    "state unit through a ramp": Hardware(bits=4, state_unit="ramp"),
    "pulse widths": Hardware(bits=5, pwm=PwmInputs(bits=4, input_range=1.5)),
    "rows driven when they change": Hardware(
        bits=5,
        pwm=PwmInputs(bits=5, input_range=1.5),
        delta=DeltaInputs(0.3, 0.15),
        arrays=Arrays(load_profile("hfox-wan-1-40")),
    ),
    "linear converters": Hardware(adc=LinearAdc(bits=5, noise_sigma=0.1, offset_sigma=0.1), state_unit="table"),
}


@pytest.mark.parametrize("hardware", HARDWARE.values(), ids=HARDWARE)
@pytest.mark.parametrize(
    "cell",
    [LSTM(N_IN, N), LSTM(N_IN, N, n_projection=3, projection_full_scale=2.0), GRU(N_IN, N), GRU(N_IN, N, reset="before"),
     Vanilla(N_IN, N), SLSTM(N_IN, N)],
    ids=["lstm", "projection", "gru", "gru-before", "vanilla", "slstm"],
)  # fmt: skip
@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_forward_pass_is_the_evaluators(cell, hardware, bidirectional):
    rng = np.random.default_rng(1)
    net, data = network(rng, cell, bidirectional, layers=2), sequences(rng)
    model = Model(net, np.float64, hardware_aware=HardwareAware(hardware))
    loss, _ = loss_and_gradients(model, LabelledData.of(data, np.float64).batch(np.arange(BATCH)), np.random.default_rng(7))
    seed = int(np.random.default_rng(7).integers(2**63))
    chip = draw_chip(net, hardware, 0, seed, np.float64)
    places = np.argsort(np.argsort(-data.lengths, kind="stable"))
    scores = evaluate(net, data, hardware, [chip], identities=places, dtype=np.float64).scores[0]
    log_p = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    assert loss.mean == pytest.approx(-log_p[np.arange(BATCH), data.labels].mean(), rel=1e-9)


def test_the_backward_pass_takes_the_exact_slope_of_what_was_rounded():
    rng = np.random.default_rng(2)
    net = network(rng, Vanilla(N_IN, N))
    data = SequenceSet(rng.normal(0, 1, (2, 2, N_IN)), np.full(2, 2), np.array([1, 3]))
    pwm = PwmInputs(bits=4, input_range=1.0)
    model = Model(net, np.float64, hardware_aware=HardwareAware(Hardware(bits=3, pwm=pwm)))
    _, gradients = loss_and_gradients(model, LabelledData.of(data, np.float64).batch(np.arange(2)), rng)

    w, readout, ramp = net.layers[0].forward["weights"], net.readout, RampDraw.ideal("tanh", 3)
    ones = np.ones((2, 1))
    rows1 = np.hstack([pwm.quantize(data.inputs[:, 0], 1.0), np.zeros((2, N)), ones])
    h1 = ramp.apply(rows1 @ w)
    rows2 = np.hstack([pwm.quantize(data.inputs[:, 1], 1.0), pwm.quantize(h1, 1.0), ones])
    h2 = ramp.apply(rows2 @ w)
    scores = h2 @ readout[:-1] + readout[-1]
    d_scores = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    d_scores[[0, 1], data.labels] -= 1
    d_scores /= 2

    def slope(z):
        return (1 - np.tanh(z) ** 2) * (np.abs(z) <= 4)

    d_z2 = d_scores @ readout[:-1].T * slope(rows2 @ w)
    d_z1 = d_z2 @ w[N_IN:-1].T * slope(rows1 @ w)
    np.testing.assert_allclose(gradients["layers.0.forward.weights"], rows1.T @ d_z1 + rows2.T @ d_z2, atol=1e-12)
    expected = np.vstack([h2.T @ d_scores, d_scores.sum(axis=0)])
    np.testing.assert_allclose(gradients["readout"], expected, atol=1e-12)


@pytest.mark.parametrize("cell", [LSTM(N_IN, N), GRU(N_IN, N, reset="before"), Vanilla(N_IN, N)], ids=lambda c: c.kind)
def test_in_the_limit_of_fine_steps_it_is_the_exact_gradient(cell):
    rng = np.random.default_rng(3)
    net, batch = network(rng, cell), LabelledData.of(sequences(rng), np.float64).batch(np.arange(BATCH))
    found = []
    for aware in (None, HardwareAware(Hardware(bits=16, pwm=PwmInputs(bits=12, input_range=4.0)))):
        model = Model(net, np.float64, hardware_aware=aware)
        found.append(loss_and_gradients(model, batch, rng)[1]["layers.0.forward.weights"].copy())
    assert np.linalg.norm(found[1] - found[0]) < 5e-3 * np.linalg.norm(found[0])


def test_nothing_disturbing_is_floating_point():
    rng = np.random.default_rng(4)
    net, batch = network(rng, LSTM(N_IN, N)), LabelledData.of(sequences(rng), np.float64).batch(np.arange(BATCH))
    results = []
    for aware in (None, HardwareAware(Hardware(), 0.0)):
        loss, gradients = loss_and_gradients(Model(net, np.float64, hardware_aware=aware), batch, rng)
        results.append((loss.mean, gradients["layers.0.forward.weights"].copy()))
    assert results[0][0] == pytest.approx(results[1][0], abs=1e-13)
    np.testing.assert_allclose(results[0][1], results[1][1], atol=1e-13)


def test_every_step_sees_another_chip_and_other_weights():
    rng = np.random.default_rng(5)
    net, batch = network(rng, LSTM(N_IN, N)), LabelledData.of(sequences(rng), np.float32).batch(np.arange(BATCH))
    for aware in (HardwareAware(Hardware(bits=5, threshold_noise=0.5)), HardwareAware(Hardware(), 0.05)):
        model, draws = Model(net, hardware_aware=aware), np.random.default_rng(1)
        first, second = (loss_and_gradients(model, batch, draws)[0].mean for _ in range(2))
        again = loss_and_gradients(model, batch, np.random.default_rng(1))[0].mean
        assert first == again != second


def test_conditions_of_a_training_tell_hardware_apart():
    ramps = {a: noisy(a) for a in ("sigmoid", "tanh")}
    others = [
        Hardware(ramps=ramps),
        Hardware(ramps=ramps, state_unit="ramp"),
        Hardware(ramps=ramps, pwm=PwmInputs(bits=4)),
        Hardware(ramps=ramps, threshold_noise=0.5),
        Hardware(ramps=ramps | {"tanh": noisy("tanh", bits=3)}),
        Hardware(bits=4),
    ]
    described = [HardwareAware(h).describe() for h in others]
    assert described[0] == HardwareAware(Hardware(ramps=dict(ramps))).describe()
    assert all(a != b for i, a in enumerate(described) for b in described[:i])


def test_weight_noise_is_in_units_of_the_largest_weight_and_spares_what_is_digital():
    rng = np.random.default_rng(6)
    net = network(rng, LSTM(40, 50, n_projection=30))
    (layer,) = HardwareAware(Hardware(), 0.02).draw(net, rng, np.float64)
    moved = layer[0].matrices["weights"].sums[0].weights.T - net.layers[0].forward["weights"]
    assert moved.std() == pytest.approx(0.02 * np.abs(net.layers[0].forward["weights"]).max(), rel=0.03)
    np.testing.assert_array_equal(layer[0].matrices["projection"].sums[0].weights.T, net.layers[0].forward["projection"])


def test_training_on_noisy_ramps_helps_on_noisy_ramps():
    rng = np.random.default_rng(7)
    lists = [rng.normal(0, 1, (8, 2)) for _ in range(600)]
    data = SequenceSet.from_list(lists, np.array([int(s[0, 0] > s[0, 1]) for s in lists]))
    train, test = data.select(np.arange(300)), data.select(np.arange(300, 600))
    here = Provenance(source="made here", version="1", licence="none", sha256={}, items={})
    task = Task("toy", train, test, ("a", "b"), "accuracy", here)
    hardware = Hardware(bits=3, threshold_noise=1.0)
    settings = TrainingSettings(n_hidden=8, epochs=20)
    accuracy = [
        evaluate(train_task(task, seed=1, settings=settings, hardware_aware=aware), test, hardware, 16, np.random.default_rng(1))
        .accuracy.mean()
        for aware in (None, HardwareAware(hardware))
    ]  # fmt: skip
    assert accuracy[1] > accuracy[0] + 0.1


def test_bad_requests_are_named():
    net = network(np.random.default_rng(8), GRU(N_IN, N))
    aware = HardwareAware(Hardware(ramps={a: noisy(a) for a in ("sigmoid", "tanh")}))
    with pytest.raises(InputError, match="activation 'identity': the network needs a ramp of it"):
        aware.draw(net, np.random.default_rng(1), np.float32)
    arrays = Arrays(load_profile("hfox-wan-1-40"), partial_sums="digital", max_rows=4)
    with pytest.raises(InputError, match="partial_sums='digital': cannot be trained through"):
        HardwareAware(Hardware(adc=LinearAdc(), arrays=arrays))


@pytest.mark.parametrize("compensate", ["mean", "wires"])
def test_one_solution_of_the_wires_serves_the_next_steps(compensate):
    """Chips of later gradient steps, whose weights have moved, against those whose arrays are solved."""
    cell = LSTM(6, 8)
    rng = np.random.default_rng(5)
    network = Network((Layer(cell, cell.initial_parameters(rng)),), rng.normal(0, 1, (9, 3)))
    profile = load_profile("taox-100-400")
    hardware = Hardware(arrays=Arrays(profile, r_row=5.0, r_col=5.0, max_rows=16, max_columns=16, compensate=compensate))
    aware = HardwareAware(hardware)
    aware.draw(network, np.random.default_rng(1), np.float64)
    moved = with_weights(network, lambda at: at.weights * (1 + 0.1 * rng.standard_normal(at.weights.shape)))

    def drawn(aware, network):
        return aware.draw(network, np.random.default_rng(2), np.float64)[0][0].matrices["weights"].sums[0].weights

    found, exact = drawn(aware, moved), drawn(HardwareAware(hardware), moved)
    solved = draw_chip(moved, hardware, 0, int(np.random.default_rng(2).integers(2**63)), np.float64)
    solved = solved.layers[0][0].matrices["weights"].sums[0].weights
    bare = replace(hardware.arrays, r_row=0.0, r_col=0.0)
    without, lost = (drawn(HardwareAware(Hardware(arrays=a)), moved) for a in (bare, replace(hardware.arrays, compensate="none")))
    # What the wires take is known to a tenth of it, by a fresh solution of perfect cells to a twentieth.
    wires = np.std(without - lost)
    assert np.std(found - solved) < 0.1 * wires
    assert np.std(exact - solved) < 0.05 * wires
    aware.begin_epoch()
    assert np.array_equal(drawn(aware, moved), exact)
