"""Tables of a study's folder, written by its run and read for its page."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from netlists.errors import InputError
from netlists.files import write_atomic, write_csv


def write_table(path: Path, table: pd.DataFrame, float_format: str | None = None) -> None:
    """Writes a table without its index; the suffix of the file says whether as CSV or Parquet."""
    if path.suffix == ".parquet":
        write_atomic(path, partial(table.to_parquet, index=False))
    else:
        write_csv(path, table, index=False, float_format=float_format)


def read_table(folder: Path, name: str, columns: Sequence[str] = ()) -> pd.DataFrame:
    """Reads a CSV table of a study.

    Parameters
    ----------
    folder : Path
    name : str
        File in it.
    columns : sequence of str
        Columns that it must have.

    Raises
    ------
    InputError
        The file is missing or no such table; the message names it.
    """
    path = Path(folder) / name
    try:
        table = pd.read_csv(path)
    except OSError as e:
        raise InputError(f"{path}: the table cannot be read ({e.strerror}); run the study again") from None
    except ValueError as e:
        raise InputError(f"{path}: not a valid table ({e}); run the study again") from None
    if missing := [c for c in columns if c not in table.columns]:
        raise InputError(f"{path}: has no column {', '.join(missing)}; run the study again")
    return table
