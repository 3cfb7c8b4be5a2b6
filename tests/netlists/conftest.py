"""Fixtures of decks from outside: written into a folder of their own, read with permissions, simulated."""

from pathlib import Path

import pytest

from netlists.outside.deck import read_outside_deck
from netlists.outside.run import simulate_outside
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
    """Read a deck and run it; the last of what comes of it, which is the only one of most decks."""

    def _run(path, *vectors, allowed=NOTHING, kind=None):
        folder = path.parent if allowed.files or allowed.commands else None
        return simulate_outside(read_outside_deck(path, allowed), vectors, kind, folder=folder).waves[-1]

    return _run
