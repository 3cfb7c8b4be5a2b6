import math
from dataclasses import replace

import numpy as np
import pytest

import cosim.training.classification as classification
from cosim.evaluation.evaluator import evaluate, evaluate_text
from cosim.network import LSTMNetwork, Network
from cosim.tasks import CharacterTask, Provenance, SequenceSet, Task, load_task
from cosim.training import TrainingSettings, split, train_task
from netlists.errors import InputError, ToolkitError

SMALL = TrainingSettings(n_hidden=6, epochs=40, batch=16)
HERE = Provenance(source="made here", version="1", licence="none", sha256={}, items={})


def sign_of_first_step(n=80, seed=0):
    """A task that needs memory: which of two features was larger in the first step, later steps being noise."""
    rng = np.random.default_rng(seed)
    sequences = [rng.normal(0, 1, (k, 2)) for k in rng.integers(2, 8, n)]
    return SequenceSet.from_list(sequences, np.array([int(s[0, 0] > s[0, 1]) for s in sequences]))


def toy(n=80, *, validation=None):
    return Task("toy", sign_of_first_step(n, 1), sign_of_first_step(200, 2), ("below", "above"), "accuracy", HERE, validation)


def text_task():
    """A text whose every character follows from the two before it."""
    text = "abacbc" * 200
    return CharacterTask.from_texts("cycle", {"train": text, "validation": text[:200], "test": text[:300]}, HERE)


@pytest.mark.parametrize("cell", ["lstm", "gru", "vanilla", "slstm"])
def test_it_learns_what_needs_memory(cell):
    task = toy(300)
    network = train_task(task, seed=1, settings=replace(SMALL, cell=cell, n_hidden=8))
    assert evaluate(network, task.test).accuracy[0] > 0.88
    epochs, best = network.metadata.epochs, network.metadata.best_epoch
    assert epochs[best - 1].validation_loss == min(e.validation_loss for e in epochs)


def test_it_learns_a_text():
    task = text_task()
    network = train_task(task, seed=1, settings=TrainingSettings(n_hidden=12, n_embedding=4, epochs=15, batch=4, steps=20))
    assert evaluate_text(network, task.test).bits_per_character[0] < 0.1
    assert network.embedding.shape == (3, 4)


def test_the_best_epoch_of_a_text_is_judged_as_the_evaluator_judges_it():
    task = text_task()
    network = train_task(task, seed=2, settings=TrainingSettings(n_hidden=5, n_embedding=4, epochs=2, batch=1, dtype="float64"))
    judged = network.metadata.epochs[network.metadata.best_epoch - 1].validation_loss
    evaluated = evaluate_text(network, task.validation, streams=1, dtype=np.float64).bits_per_character[0]
    assert judged / math.log(2) == pytest.approx(evaluated, rel=1e-6)


def test_same_seed_same_weights():
    settings = replace(SMALL, epochs=3, preactivation_noise=0.1)
    runs = [train_task(toy(), seed=s, settings=settings) for s in (5, 5, 6)]
    np.testing.assert_array_equal(runs[0].weights, runs[1].weights)
    assert runs[0].metadata.epochs == runs[1].metadata.epochs
    assert np.any(runs[0].weights != runs[2].weights)


def test_noise_on_pre_activations_changes_the_training():
    quiet, noisy = (train_task(toy(), seed=5, settings=replace(SMALL, epochs=2, preactivation_noise=s)).weights for s in (0.0, 0.5))
    assert np.any(quiet != noisy)


def test_patience_stops_and_the_best_epoch_is_kept():
    network = train_task(toy(40), seed=3, settings=replace(SMALL, epochs=200, patience=4, learning_rate=0.2))
    assert len(network.metadata.epochs) == network.metadata.best_epoch + 4 < 200


def test_without_validation_the_last_weights_are_kept():
    metadata = train_task(toy(), seed=1, settings=replace(SMALL, epochs=4, validation_fraction=0.0)).metadata
    assert metadata.best_epoch == len(metadata.epochs) == 4
    assert metadata.epochs[-1].validation_loss is None


def test_a_tasks_own_validation_sequences_are_taken():
    validation = sign_of_first_step(60, 9)
    network = train_task(toy(validation=validation), seed=1, settings=replace(SMALL, epochs=3, schedule="constant"))
    record = network.metadata.epochs[network.metadata.best_epoch - 1]
    assert record.validation_accuracy == pytest.approx(evaluate(network, validation).accuracy[0])


def test_training_goes_on_from_a_network():
    first = train_task(toy(), seed=1, settings=replace(SMALL, epochs=3))
    second = train_task(toy(), seed=2, start=first, settings=replace(SMALL, n_hidden=99, epochs=1, learning_rate=1e-9))
    np.testing.assert_allclose(second.weights, first.weights, atol=1e-6)
    with pytest.raises(InputError, match="have 12 features, the network takes 2"):
        train_task(load_task("vowels"), seed=1, start=first)
    with pytest.raises(InputError, match="start: has no embedding; task 'cycle' has 3 characters"):
        train_task(text_task(), seed=1, start=first)
    text = train_task(text_task(), seed=1, settings=TrainingSettings(n_hidden=3, epochs=1))
    with pytest.raises(InputError, match="start: reads symbols; task 'toy' has features"):
        train_task(toy(), seed=1, start=text)


def test_split_takes_the_same_share_of_each_class_and_loses_nothing():
    labels = np.repeat([0, 1, 2], [30, 20, 10])
    sequences = SequenceSet(np.arange(60.0).reshape(60, 1, 1), np.ones(60, int), labels)
    train, validation = split(sequences, 0.1, np.random.default_rng(1))
    assert np.bincount(validation.labels).tolist() == [3, 2, 1]
    assert sorted(np.concatenate([train.inputs, validation.inputs]).ravel()) == list(range(60))


def test_metadata_says_how_the_network_was_made(capfd, tmp_path, monkeypatch):
    monkeypatch.setattr("characterization.progress_bar.LINE_SECONDS", 0.0)
    network = train_task(toy(), seed=11, settings=replace(SMALL, epochs=2, cell="gru", layers=2), progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert "training" in err
    network.save(tmp_path / "n.npz")
    metadata = Network.load(tmp_path / "n.npz").metadata
    assert (metadata.task, metadata.seed, metadata.cell, len(metadata.epochs)) == ("toy", 11, "gru", 2)
    assert metadata.settings["n_hidden"] == 6
    assert metadata.versions["numpy"] == np.__version__
    train_task(toy(), seed=11, settings=replace(SMALL, epochs=1))
    assert capfd.readouterr().err == ""


def test_one_plain_lstm_layer_is_an_lstm_network():
    assert isinstance(train_task(toy(), seed=1, settings=replace(SMALL, epochs=1)), LSTMNetwork)
    for other in ({"layers": 2}, {"n_projection": 3}, {"bidirectional": True}):
        assert not isinstance(train_task(toy(), seed=1, settings=replace(SMALL, epochs=1, **other)), LSTMNetwork)


def test_vowels_reach_95_percent():
    task = load_task("vowels")
    assert evaluate(train_task(task, seed=1), task.test).accuracy[0] >= 0.95


def test_a_projection_needs_a_cell_that_has_one():
    with pytest.raises(InputError, match="n_projection=3: cell 'gru' has no projection"):
        TrainingSettings(cell="gru", n_projection=3)


def test_bad_requests_are_named():
    with pytest.raises(InputError, match="a language model cannot read the characters that it predicts"):
        train_task(text_task(), seed=1, settings=TrainingSettings(bidirectional=True))
    with pytest.raises(InputError, match="batch=5000: the text has 1200 characters"):
        train_task(text_task(), seed=1, settings=TrainingSettings(batch=5000))
    with pytest.raises(InputError, match="resume=True: there is no checkpoint file"):
        train_task(toy(), seed=1, resume=True)


def test_a_cell_that_cannot_be_trained_is_named(monkeypatch):
    monkeypatch.delitem(classification.Model.__init__.__globals__["backprop"].__globals__["BACKPROP"], "slstm")
    with pytest.raises(InputError, match="cell 'slstm': can be evaluated, but not trained; cells that can are vanilla, lstm"):
        train_task(toy(), seed=1, settings=replace(SMALL, cell="slstm"))


def test_a_loss_that_is_not_finite_ends_in_one_line(monkeypatch):
    monkeypatch.setattr(classification, "loss_and_gradients", lambda *_, **__: (classification.TrainingLoss(math.nan, 1, 0), {}))
    with pytest.raises(ToolkitError, match=r"training: the loss is nan in epoch 1; take a smaller learning_rate than 0\.01"):
        train_task(toy(), seed=1, settings=SMALL)
