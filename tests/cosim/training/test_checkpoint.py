from dataclasses import replace

import numpy as np
import pytest

import cosim.training.epochs as epochs_module
from cosim.chip.hardware import Hardware
from cosim.tasks import CharacterTask, Provenance, SequenceSet, Task
from cosim.training import HardwareAware, TrainingSettings, train_task
from netlists.errors import InputError

SETTINGS = TrainingSettings(n_hidden=5, n_embedding=4, epochs=5, batch=8, steps=10, preactivation_noise=0.1)
HERE = Provenance(source="made here", version="1", licence="none", sha256={}, items={})


def sequences(seed):
    rng = np.random.default_rng(seed)
    return SequenceSet.from_list([rng.normal(0, 1, (k, 2)) for k in rng.integers(2, 8, 50)], rng.integers(0, 2, 50))


TOY = Task("toy", sequences(1), sequences(2), ("a", "b"), "accuracy", HERE)
TEXT = CharacterTask.from_texts("text", dict.fromkeys(("train", "validation", "test"), "abacbcbaac" * 20), HERE)
AWARE = HardwareAware(Hardware(bits=4, threshold_noise=0.3), weight_noise=0.02)


class Stopped(Exception):
    pass


def interrupt_after(monkeypatch, epochs):
    real, calls = epochs_module.save_checkpoint, []

    def save(*arguments):
        real(*arguments)
        calls.append(1)
        if len(calls) == epochs:
            raise Stopped

    monkeypatch.setattr(epochs_module, "save_checkpoint", save)


REGULARISED = replace(SETTINGS, layers=2, dropout=0.2, label_smoothing=0.1)
AUGMENTED = replace(REGULARISED, time_shift=1, time_stretch=0.1, feature_gain=0.1, feature_offset=0.1, feature_noise=0.1,
                    time_mask=2, feature_mask=1)  # fmt: skip


@pytest.mark.parametrize("task", [TOY, TEXT], ids=["sequences", "text"])
@pytest.mark.parametrize("aware", [None, AWARE], ids=["float", "hardware-aware"])
@pytest.mark.parametrize("after", [1, 3])
def test_a_resumed_training_ends_in_the_same_bits(tmp_path, monkeypatch, task, aware, after):
    # Interrupted late with everything on that draws.
    settings = SETTINGS if after == 1 else AUGMENTED if isinstance(task, Task) else REGULARISED
    whole = train_task(task, seed=3, settings=settings, hardware_aware=aware)
    path = tmp_path / "x.checkpoint.npz"
    with monkeypatch.context() as patched:
        interrupt_after(patched, after)
        with pytest.raises(Stopped):
            train_task(task, seed=3, settings=settings, hardware_aware=aware, checkpoint=path)
    resumed = train_task(task, seed=3, settings=settings, hardware_aware=aware, checkpoint=path, resume=True)
    ours, theirs = whole.arrays(), resumed.arrays()
    for name in set(ours) - {"metadata"}:
        np.testing.assert_array_equal(ours[name], theirs[name])
    assert whole.metadata.epochs == resumed.metadata.epochs
    assert whole.metadata.best_epoch == resumed.metadata.best_epoch


def test_a_finished_training_can_be_prolonged(tmp_path):
    settings = replace(SETTINGS, schedule="constant")
    path = tmp_path / "x.npz"
    train_task(TOY, seed=3, settings=replace(settings, epochs=2), checkpoint=path)
    longer = train_task(TOY, seed=3, settings=settings, checkpoint=path, resume=True)
    np.testing.assert_array_equal(longer.weights, train_task(TOY, seed=3, settings=settings).weights)


def test_what_does_not_fit_a_checkpoint_is_named(tmp_path):
    path = tmp_path / "x.npz"
    with pytest.raises(InputError, match=r"x\.npz: there is no checkpoint to go on from"):
        train_task(TOY, seed=3, settings=SETTINGS, checkpoint=path, resume=True)
    train_task(TOY, seed=3, settings=replace(SETTINGS, epochs=1), checkpoint=path)
    for change, message in (
        ({"learning_rate": 0.5}, r"x\.npz: was trained with learning_rate=0\.01, now learning_rate=0\.5"),
        ({"layers": 2}, r"x\.npz: field 'best\.layers\.1\.forward\.weights' is missing"),
        ({"dropout": 0.1}, r"x\.npz: was trained with dropout=None, now dropout=0\.1"),
        ({"time_shift": 3}, r"x\.npz: was trained with time_shift=None, now time_shift=3"),
        ({"dtype": "float64"}, r"x\.npz: was trained with dtype='float32', now dtype='float64'"),
    ):
        with pytest.raises(InputError, match=message):
            train_task(TOY, seed=3, settings=replace(SETTINGS, **change), checkpoint=path, resume=True)
    with pytest.raises(InputError, match="was trained with seed=3, now seed=4"):
        train_task(TOY, seed=4, settings=SETTINGS, checkpoint=path, resume=True)
    with pytest.raises(InputError, match=r"was trained with hardware_bits=None, now hardware_bits=4"):
        train_task(TOY, seed=3, settings=SETTINGS, hardware_aware=AWARE, checkpoint=path, resume=True)


def test_a_damaged_checkpoint_is_named(tmp_path):
    path = tmp_path / "x.npz"
    train_task(TOY, seed=3, settings=replace(SETTINGS, epochs=1), checkpoint=path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"x\.npz: .*damaged"):
        train_task(TOY, seed=3, settings=SETTINGS, checkpoint=path, resume=True)
