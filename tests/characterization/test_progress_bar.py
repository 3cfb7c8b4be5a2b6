"""Progress: a bar on a terminal, whole lines and few of them elsewhere."""

import io
import sys

import pytest

from characterization import progress_bar as module
from characterization.progress_bar import progress_bar


class Stream(io.StringIO):
    def __init__(self, terminal):
        super().__init__()
        self.isatty = lambda: terminal


def to(monkeypatch, *, terminal):
    """pytest puts its own stream back between a fixture and its test."""
    stream = Stream(terminal)
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


def test_a_terminal_has_a_bar(monkeypatch):
    written = to(monkeypatch, terminal=True)
    assert list(progress_bar("abc", "work", 3, "pieces")) == ["a", "b", "c"]
    assert "\rwork: 100%" in written.getvalue()
    assert "3/3" in written.getvalue()


def test_elsewhere_short_work_says_nothing(monkeypatch):
    written = to(monkeypatch, terminal=False)
    with progress_bar(None, "work", 300, "pieces") as bar:
        for _ in range(300):
            bar.update()
            bar.set_postfix_str("loss 1")
            bar.refresh()
    assert written.getvalue() == ""


def test_elsewhere_lines_are_whole(monkeypatch):
    written = to(monkeypatch, terminal=False)
    monkeypatch.setattr(module, "LINE_SECONDS", 0.0)
    with progress_bar(None, "work", 4, "pieces", done=1) as bar:
        for _ in range(3):
            bar.update()
    lines = written.getvalue().splitlines()
    assert lines[-1].startswith("work: 4 of 4 pieces, ")
    assert "\r" not in written.getvalue()
    assert all(line.startswith("work: ") for line in lines)


@pytest.mark.parametrize("terminal", [True, False])
def test_nothing_is_shown_that_was_not_asked_for(terminal, monkeypatch):
    written = to(monkeypatch, terminal=terminal)
    monkeypatch.setattr(module, "LINE_SECONDS", 0.0)
    assert len(list(progress_bar(range(5), "work", 5, "pieces", show=False))) == 5
    assert written.getvalue() == ""
