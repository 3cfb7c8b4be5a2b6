"""Page of the study of resolution, keyword spotting."""

from __future__ import annotations

from pathlib import Path

from cosim.report import Page, percent
from netlists.files import read_json

from ..bits import Reader, bits_page
from ..error_sources import COMMON
from .settings import TITLES

ON_OTHER_DATA = (
    "Not the same data: Google Speech Commands there; other recordings and classes, or synthetic speech, here. An accuracy on one "
    "set of data says nothing about one on another."
)
ON_THE_SAME = "The same data set, 12 classes; features, training and the choice of unknown words are ours, the chips are simulated."
READER = Reader(
    title="Accuracy against bits: keyword spotting",
    question="How many bits does an in-memory ramp need for keyword spotting?",
    unit="accuracy (%)",
    titles=TITLES,
    value=lambda v: f"{100 * v:.1f}",
    headline=lambda v: percent(v, 1),
)


def page(folder: Path) -> Page:
    """Makes the page of a folder from ``summary.json`` and the tables."""
    summary = read_json(folder / "summary.json", "study summary")
    same = "keywords" in summary["tasks"]
    common = ON_THE_SAME if same else ON_OTHER_DATA
    differences = {
        "kws-accuracy": common,
        "kws-accuracy-follow-up": f"{common} Another circuit, in SRAM.",
        "kws-accuracy-ibm": f"{common} Another circuit and another network.",
    }
    ours = ["keywords"] if same else list(summary["tasks"])
    return bits_page(folder, summary, READER, ours, same, differences, f"LSTM of {COMMON['n_hidden']} units")
