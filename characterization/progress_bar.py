"""Progress of long work on stderr: a bar on a terminal, a line every ten seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from functools import cache
from typing import Any

LINE_SECONDS = 10.0
"""From one line to the next where stderr is no terminal."""


def progress_bar(work: Iterable[Any] | None, title: str, total: int, unit: str, *, show: bool = True, done: int = 0) -> Any:
    """Makes the progress of some work, a `tqdm.tqdm`: iterated over, or moved on by ``update``.

    Parameters
    ----------
    work : iterable or None
        What is done, piece by piece.
    total, done : int
        Pieces in all, and those that an earlier run finished.
    unit : str
        What a piece is, in the plural.
    show : bool
        False: nothing is written.
    """
    from tqdm import tqdm

    kind, more = (tqdm, {"mininterval": 0.2}) if sys.stderr.isatty() else (_lines(), {"mininterval": LINE_SECONDS})
    return kind(work, title, total, unit=f" {unit}", disable=not show, initial=done, smoothing=0.1, **more)


@cache
def _lines() -> type:
    """tqdm is slow to load."""
    from tqdm import tqdm

    class Lines(tqdm):
        """Writes lines where a bar would be drawn over the last."""

        def __init__(self, *args: Any, **options: Any) -> None:
            self._said = time.monotonic()
            form = "{desc}: {n_fmt} of {total_fmt}{unit}, {elapsed} passed, {remaining} left{postfix}"
            super().__init__(*args, bar_format=form, leave=False, **options)

        def display(self, msg: str | None = None, pos: int | None = None) -> bool:
            now = time.monotonic()
            # An empty message would clear a bar, which a line is not.
            if msg == "" or now - self._said < LINE_SECONDS:
                return False
            self._said = now
            self.fp.write(f"{self if msg is None else msg}\n")
            self.fp.flush()
            return True

    return Lines
