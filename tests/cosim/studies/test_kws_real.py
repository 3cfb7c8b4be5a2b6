"""Published networks on real speech, with a small network and a few tones in the layout of the test set."""

from __future__ import annotations

import wave

import numpy as np
import pandas as pd
import pytest

from cosim.network.importers import Convention, import_network
from cosim.report import RunOptions, write_report
from cosim.studies.kws_real.conditions import EVERYTHING, FLOAT, IDEAL, MEMRISTORS
from cosim.studies.kws_real.placement import RANGE, place_rows
from cosim.studies.kws_real.run import STUDY
from cosim.studies.kws_real.speech import CLASSES as ORDER, load_speech
from cosim.studies.kws_real.tuning import PUBLISHED, judged_clips
from cosim.tasks import Task
from cosim.tasks.own.arrays import save_arrays
from cosim.tasks.speech import clip_speakers
from cosim.tasks.speech.keywords import TEST_FOLDERS
from cosim.tasks.speech.synthetic import CLASSES
from netlists.errors import InputError

UNITS = 3


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """A test set of 24 clips and a network of 3 units, as the published ones are stored."""
    folder, rng = tmp_path_factory.mktemp("kws"), np.random.default_rng(1)
    names = {c: next((f for f, own in TEST_FOLDERS.items() if own == c), c) for c in CLASSES}
    for number, name in enumerate(names.values()):
        (folder / "set" / name).mkdir(parents=True)
        for clip in range(2):
            tone = np.sin(2 * np.pi * (200 + 150 * number) * np.arange(15000) / 16000) + 0.1 * rng.standard_normal(15000)
            with wave.open(str(folder / "set" / name / f"{clip}_nohash_0.wav"), "wb") as w:
                w.setnchannels(1), w.setsampwidth(2), w.setframerate(16000)
                w.writeframes((8000 * tone).astype("<i2").tobytes())
    arrays = {
        "lstm/rnn/basic_lstm_cell/kernel": 0.3 * rng.standard_normal((10 + UNITS, 4 * UNITS)),
        "lstm/rnn/basic_lstm_cell/bias": 0.3 * rng.standard_normal(4 * UNITS),
        "W_o": rng.standard_normal((UNITS, 12)),
        "b_o": 0.1 * rng.standard_normal(12),
    }
    np.savez(folder / "tiny.npz", **arrays)
    return folder, arrays


def settings(folder, **changes):
    given = {"data": str(folder / "set"), "networks": str(folder), "files": ["tiny.npz"], "chip_files": ["tiny.npz"]}
    return STUDY.settings(
        **given | {"bits": [3], "chip_bits": [3], "alone_bits": 3, "chips": 2, "spice_clips": 0, "tuning_epochs": 0} | changes
    )


def textbook(arrays, x):
    """Answers of a BasicLSTMCell in NumPy: gates i, j, f, o, and 1 on top of the forget gate's bias."""

    def s(v):
        return 1 / (1 + np.exp(-v))

    h = c = np.zeros((len(x), UNITS))
    for t in range(x.shape[1]):
        i, j, f, o = np.split(np.hstack([x[:, t], h]) @ arrays["lstm/rnn/basic_lstm_cell/kernel"], 4, axis=1)
        bi, bj, bf, bo = np.split(arrays["lstm/rnn/basic_lstm_cell/bias"], 4)
        c = s(f + bf + 1.0) * c + s(i + bi) * np.tanh(j + bj)
        h = s(o + bo) * np.tanh(c)
    return (h @ arrays["W_o"] + arrays["b_o"]).argmax(axis=1)


def test_study_of_a_small_network(room, tmp_path):
    folder, arrays = room
    summary = STUDY.run(settings(folder), tmp_path / "out", RunOptions(progress=False))
    rows = pd.read_csv(tmp_path / "out" / "results.csv").set_index("condition")
    test = load_speech(str(folder / "set")).test
    assert rows.loc[FLOAT, "accuracy"] == pytest.approx(np.mean(textbook(arrays, test.inputs) == test.labels), abs=1e-5)
    assert {IDEAL, MEMRISTORS, EVERYTHING} < set(rows.index)
    assert rows.loc[EVERYTHING, "chips"] == 2
    assert summary["clips"] == 24
    assert any("UNCHECKED" in w for w in summary["warnings"])
    text = write_report(tmp_path / "out").read_text()
    assert "Accuracy against bits" in text
    assert "88.5" in text or "0.885" in text


def test_fine_tuning_parts_speakers(room, tmp_path):
    """No speaker on both sides, a third of the clips judges, and what is trained differs from what was published."""
    folder, _ = room
    speakers = [f"s{k % 40}" for k in range(200)]
    judges = judged_clips(speakers)
    assert 200 / 3 <= judges.sum() < 200 / 3 + 5
    assert not {s for s, j in zip(speakers, judges, strict=True) if j} & {s for s, j in zip(speakers, judges, strict=True) if not j}
    assert len(clip_speakers(folder / "set")) == 24
    some = settings(folder, chips=1, parts_alone=False, tuning_epochs=1, tuning_rate=0.1, tuning_batch=16, slow_chips=0)
    STUDY.run(some, tmp_path / "out", RunOptions(progress=False))
    rows = pd.read_csv(tmp_path / "out" / "tuning.csv").set_index(["training", "on"])
    assert list(rows["clips"].unique() + rows["train_clips"].unique()) == [24]
    test = load_speech(str(folder / "set")).test
    network = import_network(folder / "tiny.npz", Convention(pooling="last")).network
    right = (network.scores(test).argmax(axis=1) == test.labels)[judged_clips(clip_speakers(folder / "set"))]
    assert rows.loc[(PUBLISHED, FLOAT), "accuracy"] == pytest.approx(right.mean(), abs=1e-5)
    assert "Fine-tuned on two thirds" in (tmp_path / "out" / "report.html").read_text()
    with pytest.raises(InputError, match="tuning_epochs=1: fine-tuning parts the clips by speaker"):
        STUDY.run(settings(folder, data=str(folder / "tiny.npz"), tuning_epochs=1), tmp_path / "no", RunOptions(progress=False))


def test_labels_are_in_the_order_of_the_networks_scores(room, tmp_path):
    """The order of the published networks (ML-KWS-for-MCU), whatever order the data comes in."""
    folder, _ = room
    task = load_speech(str(folder / "set"))
    published = ("silence", "unknown", "yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
    assert task.classes == ORDER == published
    turned = tuple(reversed(published))
    names = [task.classes[k] for k in task.test.labels]
    save_arrays(Task.from_arrays("turned", task.test.inputs, names, classes=turned), tmp_path / "turned.npz")
    again = load_speech(str(tmp_path / "turned.npz"))
    np.testing.assert_array_equal(again.test.labels, task.test.labels)
    # Two clips of each folder, in the order in which they are read.
    assert names == [c for c in CLASSES for _ in range(2)]
    save_arrays(Task.from_arrays("other", task.test.inputs, ["a", "b"] * 12), tmp_path / "other.npz")
    with pytest.raises(InputError, match="the classes a, b; the networks take"):
        load_speech(str(tmp_path / "other.npz"))


def test_rows_that_share_a_weight_change_nothing_in_floating_point(room):
    folder, _ = room
    network = import_network(folder / "tiny.npz", Convention(pooling="last")).network
    test = load_speech(str(folder / "set")).test
    placed = place_rows(network, test, deviations=2.5, largest=0.6)
    np.testing.assert_allclose(placed.network.scores(placed.data), network.scores(test), atol=1e-9)
    cells = placed.network.layers[0].forward["weights"]
    assert RANGE * np.abs(cells[: placed.rows.sum()]).max() <= 0.6
    assert placed.rows.max() > 1
    # A row that is missing is seen.
    fewer = place_rows(network, test, deviations=2.5, largest=100.0)
    assert fewer.rows.sum() == 10
    assert np.abs(placed.network.scores(placed.data) - 1.01 * network.scores(test)).max() > 1e-6


def test_what_is_missing_is_said_with_where_to_get_it(room, tmp_path):
    folder, _ = room
    with pytest.raises(InputError, match=r"data: there is no .*speech_commands_test_set_v0\.02\.tar\.gz"):
        STUDY.run(settings(folder, data=str(tmp_path / "none")), tmp_path / "a", RunOptions(progress=False))
    with pytest.raises(InputError, match=r"networks: there is no .*ML-KWS-for-MCU"):
        STUDY.run(settings(folder, networks=str(tmp_path)), tmp_path / "b", RunOptions(progress=False))
    with pytest.raises(InputError, match="chip_files: 'other' is not among files"):
        STUDY.run(settings(folder, chip_files=["other"]), tmp_path / "c", RunOptions(progress=False))
    assert not any((tmp_path / name).exists() for name in "abc")
