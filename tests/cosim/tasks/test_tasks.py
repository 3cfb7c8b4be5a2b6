import numpy as np
import pytest

from cosim.tasks import Provenance, SequenceSet, Task, load_characters, load_task
from cosim.tasks.digits import digits_from
from cosim.tasks.shipped import shipped
from cosim.tasks.vowels import FILES, vowels_from
from netlists.errors import InputError, ToolkitError
from netlists.files import sha256_of


@pytest.fixture(scope="module")
def vowels():
    return load_task("vowels")


def test_vowels_are_the_published_sets(vowels):
    assert (len(vowels.train), len(vowels.test)) == (270, 370)
    assert vowels.train.n_features == vowels.test.n_features == 12
    assert len(vowels.classes) == 9
    assert np.bincount(vowels.train.labels).tolist() == [30] * 9
    # The numbers of test utterances that the data set's own description gives, speaker by speaker.
    assert np.bincount(vowels.test.labels).tolist() == [31, 35, 88, 44, 29, 24, 40, 50, 29]
    lengths = np.concatenate([vowels.train.lengths, vowels.test.lengths])
    assert (lengths.min(), lengths.max()) == (7, 29)
    assert "Kudo" in str(vowels.provenance)
    assert vowels.provenance.items == {"train": 270, "test": 370}
    assert list(vowels.provenance.sha256.values()) == list(FILES.values())
    assert vowels.metric == "accuracy"


def published(arrays, part):
    """The lines behind ``@data`` of the published file: a case each, dimensions parted by colons, then the class."""
    cases = np.split(arrays[f"{part}_frames"], np.cumsum(arrays[f"{part}_lengths"], dtype=int)[:-1])
    lines = (":".join(",".join(map(decimal, d)) for d in case.T.tolist()) for case in cases)
    return "".join(f"{line}:{c}\n" for line, c in zip(lines, arrays[f"{part}_speakers"], strict=True))


def decimal(millionths):
    """A number as the file writes it: 0.02 as such, below a thousandth as 2.5E-4."""
    if abs(millionths) >= 1000 or not millionths:
        return str(millionths / 1e6)
    exponent = len(str(abs(millionths))) - 1
    return f"{millionths / 10**exponent}E{exponent - 6}"


def test_the_vowels_that_ship_are_the_published_files_to_the_byte():
    arrays = shipped("vowels")
    for part, digest in zip(("train", "test"), FILES.values(), strict=True):
        assert sha256_of(published(arrays, part).encode()) == digest


def test_vowels_are_the_published_numbers_scaled_by_the_training_frames(vowels):
    arrays = shipped("vowels")
    frames = arrays["train_frames"] / 1e6
    tests = np.concatenate([x[:n] for x, n in zip(vowels.test.inputs, vowels.test.lengths, strict=True)])
    np.testing.assert_allclose(tests, (arrays["test_frames"] / 1e6 - frames.mean(axis=0)) / frames.std(axis=0), atol=1e-12)
    np.testing.assert_array_equal(vowels.test.lengths, arrays["test_lengths"])
    np.testing.assert_array_equal(vowels.test.labels, arrays["test_speakers"] - 1)
    valid = np.concatenate([x[:n] for x, n in zip(vowels.train.inputs, vowels.train.lengths, strict=True)])
    np.testing.assert_allclose(valid.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(valid.std(axis=0), 1)


def test_an_unknown_task_is_named_with_the_known_ones():
    with pytest.raises(InputError, match=r"task='digitz': unknown; this toolkit has vowels, digits"):
        load_task("digitz")


def test_sequences_and_characters_are_not_mixed_up():
    with pytest.raises(InputError, match=r"task='digits': is a classification task; a language model takes one of sotu"):
        load_characters("digits")


def test_digits_are_the_images_row_by_row():
    task, known = load_task("digits"), shipped("digits")
    assert (len(task.train), len(task.test), task.train.inputs.shape[1:]) == (1347, 450, (8, 8))
    pixels = np.concatenate([task.train.inputs, task.test.inputs]) * 16
    np.testing.assert_array_equal(pixels.reshape(-1, 64), known["images"])
    np.testing.assert_array_equal(np.concatenate([task.train.labels, task.test.labels]), known["labels"])


def test_changed_or_missing_data_is_named(monkeypatch):
    digits = shipped("digits")
    digits["images"][5, 5] += 1
    with pytest.raises(ToolkitError, match="SHA-256 of pixels and labels is"):
        digits_from(**digits)
    vowels = shipped("vowels")
    vowels["test_speakers"][-1] = 1
    with pytest.raises(ToolkitError, match="task 'vowels': SHA-256 of its data is"):
        vowels_from(vowels)
    with pytest.raises(ToolkitError, match=r"task 'nothing': .*nothing\.npz cannot be read"):
        shipped("nothing")


def make(**change):
    fields = {"inputs": np.zeros((4, 5, 2)), "lengths": np.array([1, 5, 3, 3]), "labels": np.array([0, 1, 0, 2])}
    return SequenceSet(**(fields | change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": np.zeros((4, 5))}, "inputs: have shape"),
        ({"inputs": np.zeros((0, 5, 2))}, "inputs: have shape"),
        ({"inputs": np.zeros((4, 5, 2), complex)}, "inputs: have type complex128, must be real numbers"),
        ({"inputs": np.full((4, 5, 2), "x")}, "inputs: have type <U1, must be real numbers"),
        ({"inputs": np.full((4, 5, 2), None)}, "inputs: have type object, must be real numbers"),
        ({"inputs": np.full((4, 5, 2), np.nan)}, "inputs: sequence 0, step 0, feature 0 is nan"),
        ({"inputs": np.full((4, 5, 2), -np.inf)}, "is -inf: every value must be finite"),
        ({"lengths": np.array([1, 5, 3])}, "lengths: have shape"),
        ({"lengths": np.array([1.0, 5, 3, 3])}, "lengths: have type float64, must be whole numbers"),
        ({"lengths": np.array([1, 6, 3, 3])}, r"lengths\[1\]=6: must be 1..5"),
        ({"lengths": np.array([1, 5, 0, 3])}, r"lengths\[2\]=0"),
        ({"labels": np.array([0, 1, 0, -1])}, r"labels\[3\]=-1"),
        ({"labels": np.array([0, 1])}, "labels: have shape"),
    ],
)
def test_bad_sequences_are_named(change, message):
    with pytest.raises(InputError, match=message):
        make(**change)


@pytest.mark.parametrize(
    ("sequences", "message"),
    [
        ([], "the list is empty"),
        ([np.zeros((3, 2)), np.zeros((3, 4))], r"sequence 1: has shape \(3, 4\), must be \(steps, 2\)"),
        ([np.zeros((3, 2)), np.zeros((0, 2))], "sequence 1: has shape"),
        ([np.zeros(3)], "sequence 0: has shape"),
    ],
)
def test_bad_lists_are_named(sequences, message):
    with pytest.raises(InputError, match=message):
        SequenceSet.from_list(sequences, np.zeros(len(sequences), int))


def test_padding_is_cleared_and_arrays_are_read_only():
    inputs = np.full((4, 5, 2), 7.0)
    inputs[0, 1:] = np.nan
    sequences = make(inputs=inputs)
    assert sequences.inputs[0, 1:].sum() == 0
    assert sequences.inputs.sum() == 7.0 * 2 * (1 + 5 + 3 + 3)
    with pytest.raises(ValueError, match="read-only"):
        sequences.labels[0] = 1


def test_packing_orders_by_length_and_counts_the_running():
    order, active = make().packing()
    assert order.tolist() == [1, 2, 3, 0]
    assert active.tolist() == [4, 3, 3, 1, 1]


def test_tasks_say_in_one_line_what_they_are(vowels):
    assert repr(vowels) == "Task(vowels, 9 classes, 12 features a step, 270 train, 370 test)"
    assert repr(vowels.train) == "SequenceSet(270 sequences of 7..26 steps, 12 features)"


def test_a_task_checks_its_labels_and_features():
    origin = Provenance(source="made here", version="1", licence="none", sha256={}, items={})
    with pytest.raises(InputError, match="train has label 2, there are 2 classes"):
        Task("toy", make(), make(), ("a", "b"), "accuracy", origin)
    with pytest.raises(InputError, match="test has 3 features a step, train has 2"):
        Task("toy", make(), make(inputs=np.zeros((4, 5, 3))), ("a", "b", "c"), "accuracy", origin)
    with pytest.raises(InputError, match="validation has label 3"):
        Task("toy", make(), make(), ("a", "b", "c"), "accuracy", origin, validation=make(labels=np.array([0, 1, 3, 2])))
