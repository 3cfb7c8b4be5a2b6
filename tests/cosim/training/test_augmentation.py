"""Augmented training sequences against loops written by hand; dropout and smoothing against central differences."""

from dataclasses import replace

import numpy as np
import pytest

from cosim.tasks import CharacterTask, Provenance, SequenceSet, Task
from cosim.training import Augmentation, TrainingSettings, train_task
from netlists.errors import InputError

OFF = TrainingSettings()
LENGTHS = np.array([9, 6, 1])
X = np.random.default_rng(1).normal(2.0, 3.0, (3, 9, 4))
HERE = Provenance(source="made here", version="1", licence="none", sha256={}, items={})


def applied(seed=0, x=X, lengths=LENGTHS, **amounts):
    settings = replace(OFF, **amounts)
    return Augmentation.of(settings, X, LENGTHS).apply(x, lengths, np.random.default_rng(seed))


def draws(function, n=200):
    return [function(seed) for seed in range(n)]


def test_a_shift_moves_each_sequence_by_whole_steps_and_repeats_its_ends():
    found = set()
    for y in draws(lambda seed: applied(seed, time_shift=2)):
        for i, length in enumerate(LENGTHS):
            moved = [s for s in range(-2, 3) if np.array_equal(y[i, :length], X[i, np.clip(np.arange(length) - s, 0, length - 1)])]
            assert moved
            found |= {(i, moved[0])} if len(moved) == 1 else set()
    assert {s for i, s in found if i == 0} == {-2, -1, 0, 1, 2}
    assert len({(a, b) for a, b in found if a == 1}) == 5


def test_a_stretch_is_linear_in_time_about_the_middle():
    ramp = np.arange(9.0)[None, :, None] * np.ones((1, 1, 4))
    for seed in range(20):
        y = applied(seed, ramp, np.array([9]), time_stretch=0.3)[0, :, 0]
        inside = (y > 0) & (y < 8)
        slopes = np.diff(y[inside])
        assert y[4] == pytest.approx(4.0)
        np.testing.assert_allclose(slopes, slopes[0])
        assert 0.7 <= slopes[0] <= 1.3


def test_offsets_gains_and_noise_have_their_deviation_and_place():
    frames = X[np.arange(9) < LENGTHS[:, None]]
    offset = np.array(draws(lambda seed: applied(seed, feature_offset=0.5) - X))
    np.testing.assert_allclose(offset[:, 0], offset[:, 0, :1].repeat(9, axis=1), atol=1e-12)
    np.testing.assert_allclose(offset[:, :, 0].std(axis=(0, 1)), 0.5 * frames.std(axis=0), rtol=0.1)
    assert abs(np.corrcoef(offset[:, 0, 0, 0], offset[:, 0, 0, 1])[0, 1]) < 0.3
    gain = np.log(np.array(draws(lambda seed: applied(seed, feature_gain=0.2) / X)))
    np.testing.assert_allclose(gain[:, 0], gain[:, 0, :1, :1].repeat(9, axis=1).repeat(4, axis=2), atol=1e-9)
    assert gain[:, :, 0, 0].std() == pytest.approx(0.2, rel=0.1)
    noise = np.array(draws(lambda seed: applied(seed, feature_noise=0.5) - X))
    np.testing.assert_allclose(noise.std(axis=(0, 1, 2)), 0.5 * frames.std(axis=0), rtol=0.05)


def test_masks_hide_a_run_of_at_most_so_many_and_put_the_mean_there():
    mean = X[np.arange(9) < LENGTHS[:, None]].mean(axis=0)
    widths = {"time_mask": set(), "feature_mask": set()}
    for name, seen in widths.items():
        for y in draws(lambda seed, name=name: applied(seed, **{name: 3})):
            hidden = y != X
            lines = hidden[1].any(axis=1 if name == "time_mask" else 0)
            np.testing.assert_array_equal(y[hidden], np.broadcast_to(mean, X.shape)[hidden])
            where = np.flatnonzero(lines)
            assert len(where) == 0 or where[-1] - where[0] + 1 == len(where)
            assert name == "feature_mask" or not lines[LENGTHS[1] :].any()
            seen.add(len(where))
    assert widths == {"time_mask": {0, 1, 2, 3}, "feature_mask": {0, 1, 2, 3}}
    assert max(np.count_nonzero((applied(s, time_mask=2, masks=3) != X)[0].any(axis=1)) for s in range(40)) > 3


def test_what_is_behind_a_sequences_end_reaches_nothing():
    amounts = {"time_shift": 3, "time_stretch": 0.4, "feature_offset": 0.1, "time_mask": 2}
    other = np.where((np.arange(9) < LENGTHS[:, None])[:, :, None], X, 1e6)
    a, b = applied(4, **amounts), applied(4, other, **amounts)
    for i, length in enumerate(LENGTHS):
        np.testing.assert_array_equal(a[i, :length], b[i, :length])


def test_nothing_asked_for_draws_nothing():
    assert Augmentation.of(OFF, X, LENGTHS) is None
    rng = np.random.default_rng(3)
    Augmentation.of(replace(OFF, time_shift=1), X, LENGTHS).apply(X, LENGTHS, rng)
    expected = np.random.default_rng(3)
    expected.integers(-1, 2, (3, 1))
    assert rng.random() == expected.random()


def test_a_network_remembers_what_is_on_and_a_text_takes_no_augmentation():
    data = SequenceSet(X, LENGTHS, np.array([0, 1, 0]))
    task = Task("toy", data, data, ("a", "b"), "accuracy", HERE)
    quick = replace(OFF, n_hidden=2, n_embedding=2, epochs=1, validation_fraction=0.0)
    plain, other = (
        train_task(task, seed=1, settings=s).metadata.settings for s in (quick, replace(quick, dropout=0.2, time_mask=2))
    )
    assert not {"dropout", "label_smoothing", "time_mask", "masks"} & set(plain)
    assert (other["dropout"], other["time_mask"], other["masks"]) == (0.2, 2, 1)
    text = CharacterTask.from_texts("text", dict.fromkeys(("train", "validation", "test"), "abacbcbaac" * 5), HERE)
    with pytest.raises(InputError, match="time_shift=2: task 'text' is a text"):
        train_task(text, seed=1, settings=replace(quick, time_shift=2))
    with pytest.raises(InputError, match=r"dropout=1\.0: must be a finite number, 0 or more and below 1"):
        replace(OFF, dropout=1.0)
