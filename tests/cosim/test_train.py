import math
from dataclasses import replace

import numpy as np
import pytest

import cosim.train
from cosim.evaluate import evaluate
from cosim.networks import LSTMNetwork
from cosim.tasks import SequenceSet, Task, load_task
from cosim.train import Adam, TrainingSettings, initial_weights, loss_and_gradients, split, train_lstm, train_task
from netlists.errors import InputError, ToolkitError

SMALL = TrainingSettings(n_hidden=6, epochs=40, batch=16)


def batch_of(rng, n=7, longest=6, n_in=3, n_classes=4):
    lengths = rng.integers(1, longest + 1, n)
    return SequenceSet.from_list([rng.normal(0, 1, (k, n_in)) for k in lengths], rng.integers(0, n_classes, n))


def sign_of_first_step(n=80, seed=0):
    """A task that needs memory: which of two features was larger in the first step, later steps being noise."""
    rng = np.random.default_rng(seed)
    sequences = [rng.normal(0, 1, (k, 2)) for k in rng.integers(2, 8, n)]
    return SequenceSet.from_list(sequences, np.array([int(s[0, 0] > s[0, 1]) for s in sequences]))


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_gradients_are_those_of_finite_differences(noise):
    rng = np.random.default_rng(2)
    batch = batch_of(rng)
    weights = rng.normal(0, 0.7, (3 + 5 + 1, 20))
    readout = rng.normal(0, 0.7, (6, 4))

    def loss(w, r):
        # The same noise at every call, so that the loss is a function of the weights.
        return loss_and_gradients(w, r, batch, noise, np.random.default_rng(9) if noise else None)

    _, gradients = loss(weights, readout)
    for which, matrix in enumerate((weights, readout)):
        numeric = np.empty_like(matrix)
        for at in np.ndindex(matrix.shape):
            moved = [[weights.copy(), readout.copy()] for _ in range(2)]
            moved[0][which][at] += 1e-5
            moved[1][which][at] -= 1e-5
            numeric[at] = (loss(*moved[0])[0] - loss(*moved[1])[0]) / 2e-5
        np.testing.assert_allclose(gradients[which], numeric, rtol=1e-6, atol=1e-9)


def test_loss_is_the_cross_entropy_of_the_network():
    rng = np.random.default_rng(3)
    batch = batch_of(rng)
    weights, readout = initial_weights(3, 5, 4, rng)
    scores = LSTMNetwork(weights, readout).scores(batch)
    expected = -np.mean([s[k] - math.log(np.exp(s).sum()) for s, k in zip(scores, batch.labels, strict=True)])
    assert loss_and_gradients(weights, readout, batch)[0] == pytest.approx(expected, abs=1e-12)


def test_a_batch_is_the_mean_of_its_sequences():
    rng = np.random.default_rng(4)
    batch = batch_of(rng)
    weights, readout = initial_weights(3, 5, 4, rng)
    loss, gradients = loss_and_gradients(weights, readout, batch)
    single = [loss_and_gradients(weights, readout, batch.select(np.array([i]))) for i in range(len(batch))]
    assert loss == pytest.approx(np.mean([s[0] for s in single]), abs=1e-12)
    for k in range(2):
        np.testing.assert_allclose(gradients[k], np.mean([s[1][k] for s in single], axis=0), atol=1e-12)


def test_adams_first_step_is_the_learning_rate_whatever_the_gradient():
    p = np.zeros((2, 3))
    gradient = np.array([[1e-3, -2.0, 5.0], [1.0, -1.0, 1e3]])
    Adam([p], TrainingSettings(clip=math.inf)).step([gradient], 0.1)
    np.testing.assert_allclose(p, -0.1 * np.sign(gradient), rtol=1e-4)


def test_clipping_scales_all_gradients_together():
    gradients = [np.array([[3.0], [0.0]]), np.array([[0.0], [4.0]])]
    adam = Adam([np.zeros((2, 1)), np.zeros((2, 1))], TrainingSettings(clip=1.0))
    adam.step(gradients, 0.1)
    # After one step Adam's mean is 0.1 of what it was given: (3, 4) scaled from norm 5 to norm 1.
    np.testing.assert_allclose(np.concatenate(adam.mean).ravel() * 10, [0.6, 0, 0, 0.8])


def test_weights_decay_and_biases_do_not():
    p = np.ones((3, 2))
    Adam([p], TrainingSettings(weight_decay=0.5)).step([np.zeros((3, 2))], 0.1)
    np.testing.assert_allclose(p, [[0.95, 0.95], [0.95, 0.95], [1.0, 1.0]])


def test_it_learns_what_needs_memory():
    train, test = sign_of_first_step(300, seed=1), sign_of_first_step(200, seed=2)
    weights, readout, epochs, best = train_lstm(train, 2, SMALL, np.random.default_rng(1))
    assert evaluate(LSTMNetwork(weights, readout), test).accuracy[0] > 0.9
    assert epochs[best - 1].validation_loss == min(e.validation_loss for e in epochs)


def test_same_seed_same_weights():
    train = sign_of_first_step()
    runs = [train_lstm(train, 2, replace(SMALL, epochs=3, preactivation_noise=0.1), np.random.default_rng(s)) for s in (5, 5, 6)]
    np.testing.assert_array_equal(runs[0][0], runs[1][0])
    assert runs[0][2] == runs[1][2]
    assert np.any(runs[0][0] != runs[2][0])


def test_preactivation_noise_changes_the_training():
    train = sign_of_first_step()
    quiet, noisy = (
        train_lstm(train, 2, replace(SMALL, epochs=2, preactivation_noise=s), np.random.default_rng(5))[0] for s in (0.0, 0.5)
    )
    assert np.any(quiet != noisy)


def test_patience_stops_and_the_best_epoch_is_kept():
    train = sign_of_first_step(40)
    _, _, epochs, best = train_lstm(train, 2, replace(SMALL, epochs=200, patience=4), np.random.default_rng(3))
    assert len(epochs) == best + 4 < 200


def test_without_validation_the_last_weights_are_kept():
    _, _, epochs, best = train_lstm(
        sign_of_first_step(), 2, replace(SMALL, epochs=4, validation_fraction=0.0), np.random.default_rng(1)
    )
    assert best == len(epochs) == 4
    assert epochs[-1].validation_loss is None


def test_split_takes_the_same_share_of_each_class_and_loses_nothing():
    labels = np.repeat([0, 1, 2], [30, 20, 10])
    sequences = SequenceSet(np.arange(60.0).reshape(60, 1, 1), np.ones(60, int), labels)
    train, validation = split(sequences, 0.1, np.random.default_rng(1))
    assert np.bincount(validation.labels).tolist() == [3, 2, 1]
    assert sorted(np.concatenate([train.inputs, validation.inputs]).ravel()) == list(range(60))


def test_metadata_says_how_the_network_was_made(capfd):
    sequences = sign_of_first_step()
    task = Task("toy", sequences, sequences, ("below", "above"), "accuracy", "made here")
    network = train_task(task, seed=11, settings=replace(SMALL, epochs=2), progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert "training" in err
    assert (network.metadata.task, network.metadata.seed, len(network.metadata.epochs)) == ("toy", 11, 2)
    assert network.metadata.settings["n_hidden"] == 6
    assert network.metadata.versions["numpy"] == np.__version__
    weights, *_ = train_lstm(sequences, 2, replace(SMALL, epochs=2), np.random.default_rng(11))
    np.testing.assert_array_equal(network.weights, weights)
    assert capfd.readouterr().err == ""


def test_vowels_reach_95_percent():
    task = load_task("vowels")
    assert evaluate(train_task(task, seed=1), task.test).accuracy[0] >= 0.95


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_hidden": 0}, "n_hidden=0: must be a whole number of at least 1"),
        ({"epochs": 2.5}, "epochs=2.5"),
        ({"batch": True}, "batch=True"),
        ({"patience": -1}, "patience=-1"),
        ({"learning_rate": 0.0}, "learning_rate=0.0: must be a number above 0"),
        ({"learning_rate": math.nan}, "learning_rate=nan"),
        ({"clip": -1.0}, "clip=-1.0"),
        ({"validation_fraction": 0.6}, r"validation_fraction=0.6: must be a number, 0..0.5"),
        ({"preactivation_noise": -0.1}, "preactivation_noise=-0.1"),
        ({"preactivation_noise": math.inf}, "preactivation_noise=inf"),
        ({"weight_decay": "much"}, "weight_decay=much: must be a number"),
    ],
)
def test_bad_settings_are_named(change, message):
    with pytest.raises(InputError, match=message):
        TrainingSettings(**change)


def test_a_label_without_a_class_is_named():
    with pytest.raises(InputError, match="have label 1, the network would have 1 classes"):
        train_lstm(sign_of_first_step(), 1, SMALL, np.random.default_rng(1))


def test_a_loss_that_is_not_finite_ends_in_one_line(monkeypatch):
    monkeypatch.setattr(cosim.train, "loss_and_gradients", lambda w, r, *rest: (math.nan, [np.zeros_like(w), np.zeros_like(r)]))
    with pytest.raises(ToolkitError, match=r"training: the loss is nan in epoch 1; take a smaller learning_rate than 0\.01"):
        train_lstm(sign_of_first_step(), 2, SMALL, np.random.default_rng(1))
