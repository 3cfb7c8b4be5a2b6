"""The study of resolution of a language model on small sizes: rows against direct evaluation, intervals, bad sizes of text."""

from pathlib import Path

import numpy as np
import pytest

from cosim.chip.hardware import Hardware
from cosim.evaluation.evaluator import evaluate_text
from cosim.network import Network
from cosim.report.settings import RunOptions
from cosim.studies.bits import conditions as c
from cosim.studies.bits.networks import PLAIN
from cosim.studies.lm_bits import run as lm_bits
from cosim.studies.lm_bits.settings import LmSettings
from cosim.tasks import get_task
from netlists.errors import InputError

MODELS = Path(__file__).parents[3] / "results" / "demo" / "models"
QUIET = RunOptions(progress=False)


@pytest.fixture(autouse=True)
def no_data_of_the_user(tmp_path_factory, monkeypatch):
    monkeypatch.delenv("NLADC_COSIM_PTB", raising=False)
    monkeypatch.setenv("NLADC_COSIM_CACHE", str(tmp_path_factory.mktemp("cache")))


def row_of(summary, training, condition, bits):
    (row,) = (r for r in summary["results"] if (r["training"], r["condition"], r["bits"]) == (training, condition, bits))
    return row


def test_bits_of_a_text_are_judged_by_their_blocks():
    rng = np.random.default_rng(5)
    bits = rng.exponential(1.5, (2, 4000))
    judge = lm_bits.text_judge(np.zeros(4001, int), 100, 1, 1)
    value, low, high = judge.change(bits, np.zeros_like(bits))
    blocks = bits.mean(axis=0).reshape(40, 100).mean(axis=1)
    assert value == pytest.approx(bits.mean())
    # Of 40 independent block means the normal interval is close to that of the bootstrap.
    assert (low, high) == pytest.approx(value + 1.96 * np.array([-1, 1]) * blocks.std() / 40**0.5, abs=0.01)
    assert judge.interval(bits) == pytest.approx((low, high))
    assert judge.change(bits, bits) == (0, 0, 0)
    assert judge.change(bits + 0.25, bits) == pytest.approx((0.25, 0.25, 0.25))


@pytest.fixture
def ptb_folder(tmp_path):
    rng = np.random.default_rng(3)
    folder = tmp_path / "ptb"
    folder.mkdir()
    for split, lines in (("train", 300), ("valid", 40), ("test", 60)):
        words = [" ".join(rng.choice(["abba", "cad", "dab", "bead"], 6)) for _ in range(lines)]
        (folder / f"ptb.{split}.txt").write_text("\n".join(words) + "\n")
    return folder


def test_a_language_model_on_the_users_own_text(tmp_path, ptb_folder):
    settings = LmSettings(
        tasks=("ptb",),
        ptb_folder=str(ptb_folder),
        bits=(3, 5),
        seeds=(1,),
        models=str(MODELS),
        chips=2,
        n_hidden=12,
        n_embedding=4,
        epochs=2,
        batch=8,
        train_characters=4000,
        validation_characters=500,
        test_characters=900,
        block=100,
        aware_start="plain",
        aware_epochs=1,
        aware_learning_rate=1e-3,
        aware_characters=2000,
    )
    summary = lm_bits.STUDY.run(settings, tmp_path / "out", QUIET)
    task = get_task("ptb")
    assert summary["absent"] == {}
    assert summary["sizes"]["ptb"] == {"train characters": 4000, "validation characters": 500, "test characters": 900}
    network = Network.load(tmp_path / "out" / "networks" / "ptb-plain-seed-1.npz")
    aware = Network.load(tmp_path / "out" / "networks" / "ptb-hardware-aware-5-bits-seed-1.npz")
    assert (len(aware.metadata.epochs), aware.metadata.settings["learning_rate"]) == (1, 1e-3)
    # A single epoch with a small rate: near the plain network that it began with, on the start of the text alone.
    assert 0 < np.abs(aware.readout - network.readout).max() < 0.1
    assert aware.metadata.data_sha256 == task.shortened(2000).train_sha256
    for condition, bits, hardware in ((c.FLOAT, None, Hardware()), (c.IDEAL, 3, Hardware(bits=3))):
        own = evaluate_text(network, task.test[:900], hardware).bits_per_character[0]
        assert row_of(summary, PLAIN, condition, bits)["value"] == pytest.approx(own, rel=1e-6)
    # Four words of an alphabet of seven characters: below what characters drawn at random would take.
    assert row_of(summary, PLAIN, c.FLOAT, None)["value"] < np.log2(len(task.alphabet))
    text = (tmp_path / "out" / "report.html").read_text()
    assert "1.349" in text
    assert "Not the same text" not in text


def test_more_text_than_there_is_and_too_little_for_the_bootstrap(ptb_folder):
    task = get_task("ptb", ptb_folder)
    with pytest.raises(InputError, match="train_characters=99999"):
        lm_bits.shortened(task, LmSettings(train_characters=99_999))
    with pytest.raises(InputError, match="aware_characters=5000: 4000"):
        lm_bits.shortened(
            task, LmSettings(train_characters=4000, validation_characters=0, test_characters=0, aware_characters=5000)
        )
    everything = LmSettings(train_characters=0, validation_characters=0, test_characters=900)
    with pytest.raises(InputError, match="two blocks"):
        lm_bits.shortened(task, everything)
    whole = lm_bits.shortened(task, LmSettings(train_characters=0, validation_characters=0, test_characters=0))
    assert np.array_equal(whole.test, task.test)
