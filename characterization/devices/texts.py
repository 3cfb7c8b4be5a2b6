"""Texts of measured tables: code pages, separators, decimal commas, lines of units, reads or cells side by side."""

from __future__ import annotations

import re
import warnings
from io import StringIO
from pathlib import Path

import pandas as pd

from netlists.errors import InputError
from netlists.files import column_names, named_once, read_bytes
from netlists.machine import weigh

from .roles import ROLES, SIGNS, named_unit, recognised, without_unit

BYTE_BYTES = 30.0
"""Memory of a byte of a table while it is read."""
SIDE_BY_SIDE = re.compile(r"(?:g_?|r_?)?(?:read|measured|meas)?[ _#]*\d+[ _]*[\[(]?(?P<unit>[A-Za-z]+)[\])]?", re.IGNORECASE)
"""Names of reads in columns of their own."""


def text_of(path: Path, named: set[str]) -> pd.DataFrame:
    """The table as text, its columns named; ``attrs["taken"]`` says how, where that was not plain."""
    text, taken = _text(path)
    written = [line for line in text.splitlines() if line.strip()]
    lines = [line for line in written if not line.startswith("#")]
    if len(lines) < len(written):
        taken.append(f"{len(written) - len(lines)} lines that begin with # left out")
    # Spreadsheets say so in a line of its own.
    said = re.fullmatch(r"\s*\"?sep=(.)\"?[,;\s]*", lines[0], re.IGNORECASE) if lines else None
    lines = lines[1:] if said else lines
    head = lines[0] if lines else ""
    separator = said.group(1) if said else max((",", ";", "\t"), key=head.count)
    if not head.count(separator):
        raise InputError(f"{path}: has no line of column names, separated by commas, semicolons or tabs")
    named_once(column_names(head, separator, str(path)), str(path))
    try:
        with warnings.catch_warnings():
            # Of rows longer than the line of names: they would be cut.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(StringIO("\n".join(lines)), sep=separator, dtype=str, keep_default_na=False, index_col=False)
    except pd.errors.ParserWarning:
        raise InputError(f"{path}: a row has more fields than there are column names ({head.count(separator) + 1})") from None
    except (pd.errors.ParserError, ValueError) as e:
        raise InputError(f"{path}: {' '.join(str(e).split())}") from None
    frame.columns = [str(c).strip() for c in frame.columns]
    if frame.empty:
        raise InputError(f"{path}: has no rows below its names")
    if separator != ",":
        commas = [n for n in frame.columns if frame[n].str.fullmatch(r"\s*[-+]?\d+,\d+\s*").any()]
        plain = [n for n in commas if not frame[n].str.contains(".", regex=False).any()]
        frame[plain] = frame[plain].apply(lambda column: column.str.replace(",", "."))
        taken += [f"commas in {', '.join(plain)} taken for decimal points"] if plain else []
    frame = _with_units(frame, taken)
    if frame.empty:
        raise InputError(f"{path}: has no rows below its names")
    frame.attrs["taken"] = tuple(taken)
    return _one_cell_a_row(_one_read_a_row(frame), named)


def _with_units(frame: pd.DataFrame, taken: list[str]) -> pd.DataFrame:
    """The table without a line of units below its names, each unit with its name."""
    units = {unit for role in ROLES.values() for unit in role.units}
    first = [str(value).strip().strip("()[]") for value in frame.iloc[0]]
    spelled = ["".join(SIGNS.get(c, c) for c in word).replace("Ohm", "ohm") for word in first]
    if not any(spelled) or any(word and word not in units for word in spelled):
        return frame
    taken.append("its second line taken for units")
    out = frame.iloc[1:].reset_index(drop=True)
    out.columns = [f"{n} ({word})" if word else n for n, word in zip(frame.columns, spelled, strict=True)]
    return out


def _one_cell_a_row(frame: pd.DataFrame, named: set[str]) -> pd.DataFrame:
    """A table of numbered reads with a column a cell, with a row for each read of each cell instead."""
    roles = {n: [r for r, role in ROLES.items() if recognised(n, role) is not None] for n in frame.columns}
    known = {r for found in roles.values() for r in found}
    cells = {n: unit for n in frame.columns if not roles[n] and (unit := named_unit(n, ROLES["measured"].units))}
    if "read" not in known or known & {"cell", "target", "measured"} or len(cells) < 2 or len(set(cells.values())) > 1 or named:
        return frame
    taken = (*frame.attrs["taken"], f"{', '.join(cells)} taken for cells, each row for a read of all")
    value = f"measured_{next(iter(cells.values()))}"
    rest = frame.drop(columns=list(cells))
    long = pd.concat([rest.assign(cell=without_unit(n, unit).strip(), **{value: frame[n]}) for n, unit in cells.items()])
    long = long.reset_index(drop=True)
    long.attrs |= {"taken": taken}
    return long


def _text(path: Path) -> tuple[str, list[str]]:
    """The text of a file in UTF-8, UTF-16 with its mark, or else the Western code page of spreadsheets, which is said."""
    if path.is_file():
        weigh(str(path), memory=BYTE_BYTES * path.stat().st_size)
    content = read_bytes(path, "table")
    wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        return content.decode("utf-16" if wide else "utf-8-sig"), []
    except UnicodeDecodeError:
        if wide or b"\0" in content:
            raise InputError(f"{path}: is no text; a table is a CSV file with a line of names") from None
    try:
        return content.decode("cp1252"), ["read as Windows-1252, as it is not UTF-8"]
    except UnicodeDecodeError:
        raise InputError(f"{path}: is no text; a table is a CSV file with a line of names") from None


def _one_read_a_row(frame: pd.DataFrame) -> pd.DataFrame:
    """A table with its reads side by side, ``read1_uS``, ``read2_uS``, with a row for each instead, in the order of the columns."""
    found = {name: m["unit"] for name in frame.columns if (m := SIDE_BY_SIDE.fullmatch(name.replace("\N{MICRO SIGN}", "u")))}
    units = {unit for unit in found.values() if unit in ROLES["measured"].units}
    if len(found) < 2 or len(units) != 1 or {"read", (value := f"measured_{units.pop()}")} & set(frame.columns):
        return frame
    taken = (*frame.attrs["taken"], f"{', '.join(found)} taken for reads one after the other")
    long = pd.concat([frame.drop(columns=list(found)).assign(**{value: frame[n], "read": str(k)}) for k, n in enumerate(found, 1)])
    long = long.sort_index(kind="stable").reset_index(drop=True)
    long.attrs |= {"taken": taken, "side_by_side": len(found)}
    return long
