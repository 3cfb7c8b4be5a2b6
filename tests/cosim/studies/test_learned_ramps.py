"""The study of learned ramps at a small size; bits that are saved, where they are known."""

import numpy as np
import pandas as pd
import pytest

from cosim.report import RunOptions
from cosim.studies.learned_ramps.run import COURSES, LEARNED, STUDY
from cosim.studies.learned_ramps.settings import LearnedRampsSettings
from cosim.studies.learned_ramps.tables import gain_rows, saved_rows


def right(share):
    """Answers of one chip, of which that share is right; those that fewer bits get right, more get right too."""
    return (np.arange(1000) < 1000 * share).astype(np.uint8)[None]


def test_bits_are_saved_where_uniform_ramps_need_more():
    s = LearnedRampsSettings(tasks=("t",), bits=(2, 3, 4))
    key = ("t", "on ideal ramps")
    answers = {(*key, "uniform", b, "ideal"): right(a) for b, a in ((2, 0.6), (3, 0.7), (4, 0.9))}
    answers |= {(*key, LEARNED, b, "ideal"): right(a) for b, a in ((2, 0.65), (3, 0.8), (4, 0.95))}
    saved = {r["bits"]: r for r in saved_rows(answers, s)}
    assert [saved[b]["saved"] for b in (2, 3, 4)] == pytest.approx([0.5, 0.5, 0.0])
    assert [saved[b]["bound"] for b in (2, 3, 4)] == ["", "", "at least"]
    assert saved[3]["low"] < 0.5 < saved[3]["high"]
    gains = {r["bits"]: r["value"] for r in gain_rows(answers, s) if r["ramps"] == LEARNED}
    assert gains == pytest.approx({2: -0.05, 3: -0.1})
    assert "uniform" in {r["ramps"] for r in gain_rows(answers, s)}


@pytest.mark.slow
def test_the_study_at_a_small_size(tmp_path):
    small = {"tasks": ["vowels"], "bits": [2, 3], "n_hidden": 4, "epochs": 1, "tuning_epochs": 1, "chips": 2, "errors": [3.0]}
    summary = STUDY.run(STUDY.settings(**small), tmp_path, RunOptions(progress=False))
    results = pd.read_csv(tmp_path / "results.csv")
    assert len(results) == 1 + 2 * 2 * len(COURSES)
    assert results["accuracy"].between(results["low"] - 1e-9, results["high"] + 1e-9).all()
    assert summary["of"] == 1
    assert "arXiv 2603.10540" in (tmp_path / "report.html").read_text()
