"""Fixtures of decks from outside: written into a folder of their own, read with permissions, simulated."""

from pathlib import Path

import pytest

from netlists.outside.deck import read_outside_deck
from netlists.outside.run import simulate_analysis
from netlists.spice.safety import NOTHING


@pytest.fixture
def write(tmp_path):
    """Write a deck (title and .end added) into its own folder and return its path."""
    folder = tmp_path / "deck"
    folder.mkdir()

    def _write(body: str, name: str = "deck.cir") -> Path:
        (folder / name).write_text(f"title\n{body}\n.end\n")
        return folder / name

    return _write


@pytest.fixture
def run():
    """Read a deck and run its analysis, the only one or the only one of a kind; what it saves."""

    def _run(path, *vectors, allowed=NOTHING, kind=None):
        d = read_outside_deck(path, allowed)
        folder = path.parent if allowed.files or allowed.commands else None
        analysis = None if d.commands else d.analysis(kind)
        return simulate_analysis(d.deck(vectors, kind), analysis, vectors or d.saved, folder=folder)

    return _run
