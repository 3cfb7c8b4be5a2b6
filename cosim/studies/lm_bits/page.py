"""Page of the study of resolution, language model."""

from __future__ import annotations

from pathlib import Path

from cosim.report import Page
from netlists.files import read_json

from ..bits import Reader, bits_page
from .settings import TITLES

READER = Reader(
    title="Bits per character against bits: language model",
    question="How many bits does an in-memory ramp need for a language model?",
    unit="bits per character",
    titles=TITLES,
    value=lambda v: f"{v:.3f}",
    headline=lambda v: f"{v:.3f}",
)


def page(folder: Path) -> Page:
    """Makes the page of a folder from ``summary.json`` and the tables."""
    summary = read_json(folder / "summary.json", "study summary")
    settings, tasks = summary["settings"], list(summary["tasks"])
    same = "ptb" in tasks
    main = "ptb" if same else tasks[0]
    projection = f" with projection {settings['n_projection']}" if settings["n_projection"] else ""
    network = f"LSTM of {settings['n_hidden']} units{projection}, embedding {settings['n_embedding']}"
    data = "" if same else "Not the same text: addresses here, newspaper there; bits of different texts cannot be compared. "
    here = (
        f"{data}Network: {network} here, LSTM of 2016 units with projection 504 and embedding 128 there. "
        f"Training: {settings['epochs']} epochs on {summary['sizes'][main]['train characters']:,} characters here."
    )
    differences = {"lm-bpc": here, "lm-bpc-rival": f"{here} Another circuit."}
    return bits_page(folder, summary, READER, ["ptb"] if same else tasks, same, differences, network)
