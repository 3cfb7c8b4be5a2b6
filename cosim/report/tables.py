"""Tables of a study's folder, read for its page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from netlists.errors import InputError


def read_table(folder: Path, name: str, columns: Sequence[str] = ()) -> pd.DataFrame:
    """A CSV table of a study.

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
