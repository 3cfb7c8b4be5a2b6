"""How commands answer: text or one JSON value on stdout, everything else on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any


def answer(data: Any, text: str, as_json: bool) -> None:
    """Print the answer of a command, machine-readable or for reading, and what it warns of (``warnings``) on stderr."""
    for line in data.get("warnings", ()) if isinstance(data, dict) else ():
        note(f"warning: {line}")
    print(json.dumps(data, indent=1, allow_nan=False) if as_json else text)


def note(text: str) -> None:
    """A line about what is going on, on stderr."""
    print(text, file=sys.stderr, flush=True)


def notes(quiet: bool) -> Callable[[str], None]:
    """What takes lines about what is going on: `note`, or nothing."""
    return (lambda _: None) if quiet else note
