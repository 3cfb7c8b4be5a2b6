"""How commands answer: text or one JSON value on stdout, everything else on stderr."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netlists.errors import ToolkitError

if TYPE_CHECKING:
    import pandas as pd


def answer(data: Any, text: str, as_json: bool) -> None:
    """Print the answer of a command, machine-readable or for reading, and what it warns of (``warnings``) on stderr."""
    for line in data.get("warnings", ()) if isinstance(data, dict) else ():
        note(f"warning: {line}")
    try:
        print(json.dumps(data, indent=1, allow_nan=False) if as_json else text, flush=True)
    except BrokenPipeError:
        raise
    except OSError as e:
        # What is left in the buffer would be tried again as the process ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        raise ToolkitError(f"the answer cannot be written ({e.strerror})") from None


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Writes the columns of a table as the ending of the name says: CSV, JSON (a list of rows, null for no value) or Parquet."""
    from netlists.files import write_atomic, write_csv, write_json

    match path.suffix.lower():
        case ".csv":
            write_csv(path, table, index=False)
        case ".json":
            write_json(path, _rows(path, table))
        case ".parquet":
            write_atomic(path, lambda p: table.to_parquet(p, index=False))


def _rows(path: Path, table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table with every digit of its numbers; JSON has no infinite ones, which is said."""
    endless = table.isin([math.inf, -math.inf])
    if lost := int(endless.to_numpy().sum()):
        note(f"warning: {path}: {lost} infinite values are null, as JSON has none; .csv and .parquet keep them")
    return table.astype(object).where(table.notna() & ~endless, None).to_dict("records")


def note(text: str) -> None:
    """A line about what is going on, on stderr."""
    print(text, file=sys.stderr, flush=True)


def notes(quiet: bool) -> Callable[[str], None]:
    """What takes lines about what is going on: `note`, or nothing."""
    return (lambda _: None) if quiet else note
