"""The study of learned ramps at a small size; bits that are saved, where they are known; figures whose better side is wrong."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cosim.evaluation import METRICS, ScoredSequences, ScoredText, metric_of
from cosim.report import RunOptions
from cosim.studies.learned_ramps import subjects
from cosim.studies.learned_ramps.gates import spice_deviation, spice_warnings, use
from cosim.studies.learned_ramps.page import page, use_table
from cosim.studies.learned_ramps.run import COURSES, STUDY
from cosim.studies.learned_ramps.settings import LearnedRampsSettings
from cosim.studies.learned_ramps.tables import LEARNED, REFINED, gain_rows, order_warnings, result_rows, saved_rows
from cosim.tasks import CharacterTask, Provenance, load_task
from netlists import load_profile
from netlists.errors import InputError
from netlists.function import Staircase

KEY = ("t", "on ideal ramps")
SHARES = {("uniform", 2): 0.6, ("uniform", 3): 0.7, ("uniform", 4): 0.9, (LEARNED, 2): 0.65, (LEARNED, 3): 0.8, (LEARNED, 4): 0.95}
"""Of right answers."""


def settings():
    return LearnedRampsSettings(tasks=("t",), bits=(2, 3, 4))


def right(share):
    """Answers of one chip, of which that share is right; those that fewer bits get right, more get right too."""
    return (np.arange(1000) < 1000 * share)[None]


def surprise(share):
    """Bits of surprise at 40,000 characters, of which that share is expected; a block of the text is like any other."""
    wrong = np.arange(40_000) % 1000 >= 1000 * share
    return (0.5 + 4.0 * wrong + 0.01 * np.random.default_rng(1).standard_normal(40_000)).astype(np.float32)[None]


def sequences():
    return ScoredSequences(load_task("digits").test, ("a", "b"))


def text():
    return ScoredText(np.zeros(40_001, np.uint8), np.random.SeedSequence(1))


def tables(score, kind):
    """Bits saved and gains by ramps, bits and uniform bits."""
    answers = {(*KEY, ramps, b, "ideal"): kind(share) for (ramps, b), share in SHARES.items()}
    scores = {"t": score}
    saved = {r["bits"]: r for r in saved_rows(answers, scores, settings())}
    gains = {(r["ramps"], r["bits"], r["uniform_bits"]): r for r in gain_rows(answers, scores, settings())}
    return saved, gains, order_warnings(answers, scores, settings())


@pytest.mark.parametrize(("score", "kind", "unit"), [(sequences, right, 1.0), (text, surprise, 4.0)])
def test_bits_are_saved_where_uniform_ramps_need_more(score, kind, unit):
    """Right answers, and bits of surprise that are 4 fewer at each right one: as many bits are saved."""
    saved, gains, warnings = tables(score(), kind)
    assert [saved[b]["saved"] for b in (2, 3, 4)] == pytest.approx([0.5, 0.5, 0.0], abs=1e-6)
    assert [saved[b]["bound"] for b in (2, 3, 4)] == ["", "", "at least"]
    assert saved[3]["low"] <= 0.5 + 1e-6
    assert saved[3]["high"] >= 0.5 - 1e-6
    of = {key: gains[LEARNED, *key]["value"] / unit for key in ((2, 3), (3, 4), (2, 2), (3, 3), (4, 4))}
    assert of == pytest.approx({(2, 3): -0.05, (3, 4): -0.1, (2, 2): 0.05, (3, 3): 0.1, (4, 4): 0.05}, abs=1e-6)
    assert gains["uniform", 2, 3]["high"] < 0
    assert all(r["low"] <= r["value"] <= r["high"] for r in gains.values())
    assert warnings == []


def test_a_figure_whose_better_side_is_wrong_is_noticed(monkeypatch):
    """Uniform ramps of more bits would then be worse, beyond all uncertainty."""
    monkeypatch.setattr(ScoredText, "metric", replace(METRICS["bits per character"], higher_is_better=True))
    saved, gains, warnings = tables(text(), surprise)
    assert gains[LEARNED, 3, 3]["value"] < 0
    assert saved[3]["saved"] != pytest.approx(0.5)
    assert len(warnings) == 1
    assert "uniform ramps of 4 bits are worse than those of 2" in warnings[0]
    with pytest.raises(InputError, match="which way is better is known of accuracy, bits per character"):
        metric_of("perplexity")


def test_a_text_is_resampled_in_blocks():
    """Surprise that comes in runs of a block has intervals of few blocks, not of many characters."""
    score = text()
    runs = np.repeat(np.random.default_rng(1).standard_normal(40), 1000)[None]
    sums, sizes = score.blocks(runs)
    np.testing.assert_allclose(sums / sizes, runs[0, ::1000])
    sequence_sums, ones = sequences().blocks(right(0.3))
    np.testing.assert_array_equal(sequence_sums, right(0.3)[0])
    assert ones.sum() == 1000
    i = score.interval(runs)
    assert 0.2 < (i.high - i.low) / (2 * 1.96 * runs.std() / np.sqrt(40)) < 1.5


def test_results_have_value_interval_and_metric():
    answers = {(*KEY, "uniform", 2, "ideal"): np.concatenate([surprise(0.6), surprise(0.7)])}
    (row,) = result_rows(answers, {"t": text()})
    assert row["value"] == pytest.approx(answers[*KEY, "uniform", 2, "ideal"].mean(dtype=float))
    assert row["low"] < row["value"] < row["high"]
    assert row["chip_deviation"] == pytest.approx(0.4 / np.sqrt(2), rel=1e-3)
    assert row["metric"] == "bits per character"


def test_use_of_a_ramp_and_how_far_thresholds_moved():
    ramp = Staircase((-1.0, 0.0, 1.0), (0.1, 0.4, 0.6, 0.9))
    found = use(ramp, "sigmoid", np.array([-2.0, -2.0, 0.5, 0.5]))
    assert found["code_entropy"] == pytest.approx(1.0)
    assert found["rms_error"] == pytest.approx(np.sqrt(np.mean([(0.1 - 0.1192) ** 2, (0.6 - 0.62246) ** 2])), rel=1e-3)
    kinds = {"uniform": ("none", 0.0), "lloyd-max": ("none", 0.5), LEARNED: ("on ideal ramps", 0.1)}
    kinds |= {REFINED: ("on ideal ramps", 0.6)}
    of = [{"task": "t", "training": how, "ramps": kind, "bits": 1} for kind, (how, _) in kinds.items()]
    gates = pd.DataFrame([one | {"gate": g, "rms_error": 0.1, "code_entropy": 1.0} for one in of for g in "fo"])
    stairs = [
        one | {"gate": g, "code": k, "threshold": [np.nan, -1.0, 1.0, 3.0][k] + 2 * moved, "value": k / 4}
        for one, (_, moved) in zip(of, kinds.values(), strict=True)
        for g in "fo"
        for k in range(4)
    ]
    (row,) = use_table(gates.assign(bits=2), pd.DataFrame(stairs).assign(bits=2)).to_dict("records")
    assert {n: row[f"{n}_moved"] for n in ("uniform", "fitted", "learned")} == pytest.approx(
        {"uniform": 0, "fitted": 0.5, "learned": 0.1}
    )
    assert row["learned_top"] == 0.75
    assert row["fitted_error"] == pytest.approx(0.1)


def test_a_ramp_that_ngspice_finds_elsewhere_is_said():
    ramp = Staircase((-1.5, -0.4, 0.1, 0.3, 0.6, 1.1, 2.0), (0.0, 0.2, 0.45, 0.5, 0.6, 0.7, 0.8, 1.0))
    off = spice_deviation(ramp, load_profile("taox-100-400"))
    named = {"task": "t", "training": "none", "ramps": LEARNED, "bits": 3, "gate": "f"}
    assert spice_warnings([named | {"spice_lsb": off}]) == []
    nowhere, elsewhere = spice_warnings([named | {"spice_lsb": x} for x in (0.06, None)])
    assert "no levels" in nowhere
    assert "0.060 LSB from the thresholds, more than 0.05" in elsewhere


def small_text():
    rng = np.random.default_rng(1)
    words = np.array(["ab ", "abc ", "ba ", "cab "])
    parts = {name: "".join(words[rng.integers(4, size=n)]) for name, n in (("train", 1500), ("validation", 300), ("test", 400))}
    source = Provenance(source="four words", version="1", licence="none", sha256={}, items={}, synthetic=True)
    return CharacterTask.from_texts("words", parts, source)


@pytest.mark.slow
def test_the_study_at_a_small_size(tmp_path, monkeypatch):
    own = {"words": small_text(), "vowels": load_task("vowels")}
    monkeypatch.setattr(subjects, "load_data", own.__getitem__)
    small = {"tasks": ["vowels", "words"], "bits": [2, 3], "n_hidden": 4, "epochs": 1, "tuning_epochs": 1, "chips": 2}
    small |= {"errors": [3.0], "text_hidden": 4, "text_batch": 8, "train_characters": 0, "validation_characters": 0}
    summary = STUDY.run(STUDY.settings(**small, test_characters=1000), tmp_path, RunOptions(progress=False))
    results = pd.read_csv(tmp_path / "results.csv")
    assert len(results) == 2 * (1 + 2 * 2 * len(COURSES))
    assert results["value"].between(results["low"] - 1e-9, results["high"] + 1e-9).all()
    assert set(results["metric"]) == set(METRICS)
    assert results.query("task == 'words' and on == 'float'")["value"].item() < 2.0
    assert summary["of"] == 2
    assert 0 < summary["spice_lsb"] < 0.05
    gates = pd.read_csv(tmp_path / "gates.csv")
    assert gates["spice_lsb"].notna().sum() == summary["spice_ramps"] == 2 * 2 * 3 * 4
    text = (tmp_path / "report.html").read_text()
    assert "arXiv 2603.10540" in text
    assert "bits per character" in text


def test_the_committed_page_says_what_its_tables_hold():
    folder = Path(__file__).parents[3] / "results" / "learned-ramps"
    made = page(folder)
    assert [s.heading for s in made.sections if s.table is None] == ["Scores against bits", "Ramps"]
    assert not [s.heading for s in made.sections for text in (*s.text, *s.notes) if "[table" in text]
    gates = pd.read_csv(folder / "gates.csv")
    assert gates["spice_lsb"].max() < 0.05
    gains = pd.read_csv(folder / "gains.csv").query("task == 'sotu' and ramps == 'learned' and on == 'ideal'")
    values = pd.read_csv(folder / "results.csv").query("task == 'sotu' and on == 'ideal'")
    values = values.set_index(["training", "ramps", "bits"])["value"]
    for r in gains.itertuples():
        fewer = values[r.training, "uniform", r.uniform_bits] - values[r.training, "learned", r.bits]
        assert r.value == pytest.approx(fewer, abs=1e-5)


def test_data_that_is_not_there_is_said(tmp_path):
    with pytest.raises(InputError, match="networks: there is no"):
        subjects.Subject.of("kws-real", STUDY.settings(networks=str(tmp_path)))
