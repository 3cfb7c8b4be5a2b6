"""Gradients of every cell and head against central differences, in double precision."""

import numpy as np
import pytest

from cosim.network import Layer, Network
from cosim.network.cells.diagonal import DiagonalGRU, DiagonalLSTM
from cosim.network.cells.gru import GRU
from cosim.network.cells.lstm import LSTM
from cosim.network.cells.slstm import SLSTM
from cosim.network.cells.vanilla import Vanilla
from cosim.tasks import SequenceSet
from cosim.training import classification, language
from cosim.training.classification import LabelledData
from cosim.training.language import Streams
from cosim.training.model import Model, cross_entropy

N_IN, N, CLASSES = 3, 4, 5
CELLS = {
    "lstm": lambda n: LSTM(n, N),
    "lstm-projection": lambda n: LSTM(n, N, n_projection=3),
    "lstm-projection-on-the-crossbar": lambda n: LSTM(n, N, n_projection=3, projection_full_scale=2.0),
    "lstm-other-activations": lambda n: LSTM(n, N, gate="hard-sigmoid", candidate="softsign", state="softsign"),
    "gru-after": lambda n: GRU(n, N),
    "gru-before": lambda n: GRU(n, N, reset="before"),
    "vanilla": lambda n: Vanilla(n, N),
    "vanilla-softsign": lambda n: Vanilla(n, N, "softsign"),
    "slstm": lambda n: SLSTM(n, N),
    "slstm-exponential": lambda n: SLSTM(n, N, forget="exponential"),
    "diagonal-lstm": lambda n: DiagonalLSTM(n, N),
    "diagonal-gru": lambda n: DiagonalGRU(n, N),
}


def network(rng, makers, *, bidirectional=False, symbols=None):
    layers, n_in = [], N_IN
    for make in makers:
        cell = make(n_in)
        weights = [{m.name: rng.normal(0, 0.7, m.shape) * m.connected() for m in cell.matrices} for _ in range(2)]
        layers.append(Layer(cell, weights[0], weights[1] if bidirectional else None))
        n_in = layers[-1].n_out
    embedding = None if symbols is None else rng.normal(0, 1, (symbols, N_IN))
    return Network(tuple(layers), rng.normal(0, 0.7, (n_in + 1, symbols or CLASSES)), embedding)


def labelled(rng, n=6, longest=5):
    lengths = rng.integers(1, longest + 1, n)
    return SequenceSet.from_list([rng.normal(0, 1, (k, N_IN)) for k in lengths], rng.integers(0, CLASSES, n))


def check(model, run, crossings=40):
    """Compare some crossings of every parameter with central differences, and those without a weight with 0."""
    gradients = {name: g.copy() for name, g in run()[1].items()}
    assert set(gradients) == set(model.parameters)
    connected, rng = masks(model), np.random.default_rng(0)
    for name, p in model.parameters.items():
        mask = connected.get(name, np.ones(p.shape, bool))
        assert np.all(gradients[name][~mask] == 0)
        for at in map(tuple, rng.permutation(np.argwhere(mask))[:crossings]):
            kept = p[at]
            losses = []
            for moved in (kept + 1e-5, kept - 1e-5):
                p[at] = moved
                losses.append(run()[0].mean)
            p[at] = kept
            expected = (losses[0] - losses[1]) / 2e-5
            assert gradients[name][at] == pytest.approx(expected, rel=1e-5, abs=1e-8), (name, at)


def masks(model):
    return {
        f"layers.{i}.{d}.{m.name}": m.connected()
        for i, cell in enumerate(model.cells)
        for d in model.directions[i]
        for m in cell.matrices
    }


@pytest.mark.parametrize("cell", CELLS)
def test_classifier_of_sequences_of_different_lengths(cell):
    rng = np.random.default_rng(1)
    model = Model(network(rng, [CELLS[cell]]), np.float64)
    batch = LabelledData.of(labelled(rng), np.float64).batch(np.arange(6))
    check(model, lambda: classification.loss_and_gradients(model, batch))


@pytest.mark.parametrize("makers", [("lstm", "lstm"), ("lstm-projection", "gru-after"), ("vanilla", "slstm")])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_stacked_layers_in_one_direction_or_both(makers, bidirectional):
    rng = np.random.default_rng(2)
    model = Model(network(rng, [CELLS[m] for m in makers], bidirectional=bidirectional), np.float64)
    batch = LabelledData.of(labelled(rng), np.float64).batch(np.arange(6))
    check(model, lambda: classification.loss_and_gradients(model, batch))


def test_noise_on_pre_activations_is_part_of_the_function():
    rng = np.random.default_rng(3)
    model = Model(network(rng, [CELLS["lstm-projection"]]), np.float64, preactivation_noise=0.3)
    batch = LabelledData.of(labelled(rng), np.float64).batch(np.arange(6))
    # The same noise at every call, so that the loss is a function of the weights.
    check(model, lambda: classification.loss_and_gradients(model, batch, np.random.default_rng(9)))


@pytest.mark.parametrize("kind", ["labelled", "text"])
def test_dropout_and_label_smoothing_are_part_of_the_function(kind):
    rng = np.random.default_rng(6)
    many = {"bidirectional": True} if kind == "labelled" else {"symbols": 5}
    makers = [CELLS["vanilla"], CELLS["lstm-projection"]]
    model = Model(network(rng, makers, **many), np.float64, dropout=0.4, label_smoothing=0.2)
    if kind == "labelled":
        batch = LabelledData.of(labelled(rng), np.float64).batch(np.arange(6))
        check(model, lambda: classification.loss_and_gradients(model, batch, np.random.default_rng(9)), 10)
        quiet = classification.loss_and_gradients(model, batch, np.random.default_rng(9), gradients=False)[0]
        model.dropout = model.label_smoothing = 0.0
        assert quiet == classification.loss_and_gradients(model, batch)[0]
    else:
        (window,) = Streams.of(rng.integers(0, 5, 25), 3).windows(8)
        check(model, lambda: language.loss_and_gradients(model, window, None, np.random.default_rng(9)), 10)


def test_dropout_drops_its_share_and_keeps_the_mean():
    model = Model(network(np.random.default_rng(7), [CELLS["vanilla"]]), dropout=0.25)
    ones = np.ones((200, 50), np.float32)
    seen, kept = model.dropped(ones, np.random.default_rng(1))
    assert set(np.unique(seen)) == {np.float32(0), np.float32(4 / 3)}
    assert np.mean(seen == 0) == pytest.approx(0.25, abs=0.02)
    assert seen is not ones
    np.testing.assert_array_equal(seen, kept)
    assert model.dropped(ones, None)[0] is ones


def test_smoothed_cross_entropy_is_that_of_smoothed_probabilities():
    rng = np.random.default_rng(8)
    scores, labels = rng.normal(0, 2, (7, 5)), rng.integers(0, 5, 7)
    wanted = 0.9 * np.eye(5)[labels] + 0.1 / 5
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    loss, d = cross_entropy(scores, labels, 0.1)
    assert loss.total == pytest.approx(-(wanted * np.log(p)).sum())
    np.testing.assert_allclose(d, (p - wanted) / 7, atol=1e-12)


@pytest.mark.parametrize("makers", [("lstm",), ("lstm-projection", "lstm-projection"), ("gru-after",), ("slstm",), ("vanilla",)])
@pytest.mark.parametrize("symbols", [2, 5])
def test_language_model_with_a_state_carried_in(makers, symbols):
    """Two symbols on an embedding of three numbers are folded into a table, five are not."""
    rng = np.random.default_rng(4)
    model = Model(network(rng, [CELLS[m] for m in makers], symbols=symbols), np.float64)
    assert bool(model.folded) == (symbols == 2)
    first, second = Streams.of(rng.integers(0, symbols, 25), 3).windows(4)
    language.loss_and_gradients(model, first, None, gradients=False)
    carried = [[{k: v.copy() for k, v in s.items()} for s in layer] for layer in model.states()]

    def run():
        start = [[{k: v.copy() for k, v in s.items()} for s in layer] for layer in carried]
        return language.loss_and_gradients(model, second, start)

    check(model, run)


def test_a_batch_is_the_mean_of_its_sequences():
    rng = np.random.default_rng(5)
    model = Model(network(rng, [CELLS["lstm"], CELLS["gru-before"]], bidirectional=True), np.float64)
    data = LabelledData.of(labelled(rng), np.float64)

    def copied(index):
        loss, gradients = classification.loss_and_gradients(model, data.batch(index))
        return loss.mean, {k: g.copy() for k, g in gradients.items()}

    loss, gradients = copied(np.arange(6))
    single = [copied(np.array([i])) for i in range(6)]
    assert loss == pytest.approx(np.mean([s[0] for s in single]), abs=1e-12)
    for name, g in gradients.items():
        np.testing.assert_allclose(g, np.mean([s[1][name] for s in single], axis=0), atol=1e-12)


@pytest.mark.parametrize("cell", ["lstm", "lstm-projection"])
def test_the_compiled_step_gives_the_same_in_single_precision(cell):
    rng = np.random.default_rng(6)
    shape = network(rng, [CELLS[cell], CELLS[cell]])
    results = []
    for dtype in (np.float32, np.float64):
        model = Model(shape, dtype)
        batch = LabelledData.of(labelled(np.random.default_rng(7), 40, 20), dtype).batch(np.arange(40))
        results.append(classification.loss_and_gradients(model, batch))
    (single, g32), (double, g64) = results
    assert single.mean == pytest.approx(double.mean, abs=2e-6)
    for name, g in g64.items():
        assert g32[name].dtype == np.float32
        np.testing.assert_allclose(g32[name], g, atol=2e-6, rtol=2e-4)


@pytest.mark.parametrize("makers", [("lstm",), ("gru-after", "slstm"), ("lstm-projection", "vanilla")])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_outputs_are_those_of_the_evaluated_network(makers, bidirectional):
    rng = np.random.default_rng(8)
    net = network(rng, [CELLS[m] for m in makers], bidirectional=bidirectional)
    data = labelled(rng, 30)
    scores = net.scores(data)
    log_p = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    model = Model(net, np.float64)
    loss, _ = classification.loss_and_gradients(model, LabelledData.of(data, np.float64).batch(np.arange(30)), gradients=False)
    assert loss.mean == pytest.approx(-log_p[np.arange(30), data.labels].mean(), abs=1e-12)
    assert loss.correct == np.sum(scores.argmax(axis=1) == data.labels)
