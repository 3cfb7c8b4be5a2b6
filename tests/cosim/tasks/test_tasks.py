import shutil
from pathlib import Path

import aeon.datasets
import numpy as np
import pytest

from cosim.tasks import Provenance, SequenceSet, Task, load_characters, load_task
from cosim.tasks.digits import digits_from
from cosim.tasks.vowels import FILES, vowels_from
from netlists.errors import InputError, ToolkitError

FOLDER = Path(aeon.datasets.__file__).parent / "data" / "JapaneseVowels"


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


def read_ts(path):
    """The file without aeon: one line a case, dimensions parted by colons, values by commas, then the class."""
    lines = path.read_text().split("@data\n")[1].split()
    cases = [[[float(v) for v in d.split(",")] for d in line.split(":")[:-1]] for line in lines]
    return [np.array(c).T for c in cases], [int(line.split(":")[-1]) for line in lines]


def test_vowels_are_the_files_scaled_by_the_training_frames(vowels):
    train, _ = read_ts(FOLDER / "JapaneseVowels_TRAIN.ts")
    test, speakers = read_ts(FOLDER / "JapaneseVowels_TEST.ts")
    frames = np.concatenate(train)
    for u, scaled, n in zip(test, vowels.test.inputs, vowels.test.lengths, strict=True):
        np.testing.assert_allclose(scaled[:n], (u - frames.mean(axis=0)) / frames.std(axis=0), atol=1e-12)
        assert not scaled[n:].any()
    np.testing.assert_array_equal(vowels.test.labels, np.array(speakers) - 1)
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
    from sklearn.datasets import load_digits

    task, known = load_task("digits"), load_digits()
    assert (len(task.train), len(task.test), task.train.inputs.shape[1:]) == (1347, 450, (8, 8))
    np.testing.assert_array_equal(np.concatenate([task.train.inputs, task.test.inputs]) * 16, known.images)
    np.testing.assert_array_equal(np.concatenate([task.train.labels, task.test.labels]), known.target)
    changed = known.data.copy()
    changed[5, 5] += 1
    with pytest.raises(ToolkitError, match="SHA-256 of pixels and labels is"):
        digits_from(changed, known.target)


def test_line_ends_do_not_matter_and_changed_or_missing_data_is_named(tmp_path, vowels):
    for name in FILES:
        shutil.copy(FOLDER / name, tmp_path)
    train, test = (tmp_path / name for name in FILES)
    train.write_bytes(train.read_bytes().replace(b"\n", b"\r\n"))
    np.testing.assert_array_equal(vowels_from(tmp_path).train.inputs, vowels.train.inputs)
    test.write_text(test.read_text()[:-2] + "1\n")
    with pytest.raises(InputError, match=r"JapaneseVowels_TEST\.ts: SHA-256 of its data is"):
        vowels_from(tmp_path)
    test.unlink()
    with pytest.raises(InputError, match=r"JapaneseVowels_TEST\.ts: cannot be read \(No such file"):
        vowels_from(tmp_path)


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
