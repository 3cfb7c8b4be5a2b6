"""Reads tables of measured cells: which column is what, in which unit. Nothing is guessed: what is not clear is an error.

A column is recognised by its name, with its unit at the end: ``target_uS``, ``measured (uS)``, ``R_kohm``, ``time_s``; or it is
named by the caller, ``{"measured": "Ist:uS"}``.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from netlists.errors import InputError
from netlists.files import column_names, named_once, read_bytes
from netlists.machine import weigh

_CONDUCTANCE = {"S": 1.0, "mS": 1e-3, "uS": 1e-6, "nS": 1e-9}
_RESISTANCE = {"ohm": 1.0, "kohm": 1e3, "Mohm": 1e6}
_VOLTAGE = {"V": 1.0, "mV": 1e-3}
_CURRENT = {"A": 1.0, "mA": 1e-3, "uA": 1e-6, "nA": 1e-9}
_TIME = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "min": 60.0, "h": 3600.0, "d": 86400.0}
_TIME |= {"sec": 1.0, "seconds": 1.0, "minutes": 60.0, "hours": 3600.0, "days": 86400.0}
_SIGNS = {"\N{MICRO SIGN}": "u", "\N{GREEK SMALL LETTER MU}": "u", "\N{GREEK CAPITAL LETTER OMEGA}": "ohm", "\N{OHM SIGN}": "ohm"}
MISSING = ("", "-", "--", "na", "n/a", "nan", "none", "null")
"""What stands, in small letters, where nothing was measured."""


@dataclass(frozen=True)
class Role:
    """What a column can be: names that it goes by, without signs and in small letters, and its units; none: text or a number."""

    names: tuple[str, ...]
    units: Mapping[str, float]
    what: str


ROLES: dict[str, Role] = {
    "cell": Role(("cell", "device", "cellid", "deviceid", "dut", "cellnumber"), {}, "which cell it is"),
    "target": Role(
        ("target", "gtarget", "targetg", "setpoint", "targetconductance", "gset", "rtarget", "goal", "desired", "wanted"),
        _CONDUCTANCE | _RESISTANCE,
        "conductance (or resistance) that was asked for",
    ),
    "measured": Role(
        (
            "measured",
            "gmeasured",
            "measuredg",
            "conductance",
            "g",
            "gread",
            "gmeas",
            "actual",
            "r",
            "resistance",
            "rmeasured",
            "rread",
        ),
        _CONDUCTANCE | _RESISTANCE,
        "conductance (or resistance) that was read",
    ),
    "time": Role(("time", "t", "delay", "age", "elapsed", "elapsedtime", "wait"), _TIME, "time since programming"),
    "read": Role(
        ("read", "readnumber", "readno", "readnr", "nread", "readindex", "iread", "repetition", "repeat"),
        {},
        "number of the read of one cell, in order",
    ),
    "note": Role(
        ("note", "notes", "comment", "remark", "status", "flag"), {}, "words; stuck, short, open and dead mean a stuck cell"
    ),
    "row": Role(("row", "wordline", "wl"), {}, "row of the cell in its array"),
    "column": Role(("column", "col", "bitline", "bl"), {}, "column of the cell in its array"),
    "voltage": Role(("voltage", "v", "bias", "vread", "u"), _VOLTAGE, "voltage of an I-V sweep"),
    "current": Role(("current", "i"), _CURRENT, "current of an I-V sweep"),
    "sweep": Role(
        ("sweep", "state", "compliance", "branch", "direction", "polarity"), _CURRENT | _CONDUCTANCE, "which I-V sweep it is"
    ),
}
SEVERAL = ("sweep",)
"""Roles that several columns may have together."""
BYTE_BYTES = 30.0
"""Memory of a byte of a table while it is read."""
SIDE_BY_SIDE = re.compile(r"(?:g_?|r_?)?(?:read|measured|meas)?[ _#]*\d+[ _]*[\[(]?(?P<unit>[A-Za-z]+)[\])]?", re.IGNORECASE)
"""Names of reads in columns of their own."""
Kind = Literal["written", "reads", "iv"]


@dataclass(frozen=True, eq=False)
class MeasuredTable:
    """A table in SI units, its columns named by their roles.

    Attributes
    ----------
    path : Path
    kind : {"written", "reads", "iv"}
    frame : DataFrame
    mapping : dict
        Role to what was found: the column's name and unit.
    unused : tuple of str
        Columns that have no role here.
    taken : tuple of str
        How its text was read where that was not plain.
    """

    path: Path
    kind: Kind
    frame: pd.DataFrame
    mapping: dict[str, str]
    unused: tuple[str, ...]
    taken: tuple[str, ...] = ()

    def describe(self) -> str:
        """A line about the table and what its columns are taken for."""
        columns = ", ".join(f"{role} = {name}" for role, name in self.mapping.items())
        left = f"; not used: {', '.join(self.unused)}" if self.unused else ""
        return f"{self.path.name}: {len(self.frame)} rows, {self.kind}: {columns}{left}{''.join(f'; {t}' for t in self.taken)}"


def read_tables(paths: list[Path], columns: Mapping[str, str] | None = None) -> list[MeasuredTable]:
    """Reads tables; ``columns`` maps roles to ``NAME`` or ``NAME:UNIT`` and holds for every table that has such a column.

    Raises
    ------
    InputError
        A file that cannot be read, a column that could be two things or is missing, a unit that is not known, a value that is
        no number; the message names file, column and row.
    """
    given = dict(columns or {})
    if unknown := sorted(set(given) - set(ROLES)):
        raise InputError(f"column {unknown[0]!r}: is nothing that a column can be; there are {', '.join(ROLES)}")
    if not paths:
        raise InputError("tables: none given")
    frames = [_frame(path) for path in paths]
    for role, text in given.items():
        if not any(_split(text, frame)[0] in frame.columns for frame in frames):
            names = "; ".join(f"{path.name} has {', '.join(frame.columns)}" for path, frame in zip(paths, frames, strict=True))
            raise InputError(f"column {role}={text}: no table has a column {text.partition(':')[0]!r}: {names}")
    return [_table(path, frame, given) for path, frame in zip(paths, frames, strict=True)]


def _frame(path: Path) -> pd.DataFrame:
    """The table as text, its columns named; ``attrs["taken"]`` says how, where that was not plain."""
    text, taken = _text(path)
    written = [line for line in text.splitlines() if line.strip()]
    lines = [line for line in written if not line.startswith("#")]
    if len(lines) < len(written):
        taken.append(f"{len(written) - len(lines)} lines that begin with # left out")
    head = lines[0] if lines else ""
    separator = max((",", ";", "\t"), key=head.count)
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
    frame.attrs["taken"] = tuple(taken)
    return _one_read_a_row(frame)


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


def _split(text: str, frame: pd.DataFrame) -> tuple[str, str]:
    """Name and unit of NAME:UNIT; a name may hold a colon itself."""
    if text in frame.columns or ":" not in text:
        return text, ""
    name, _, unit = text.rpartition(":")
    return name, unit


def _table(path: Path, frame: pd.DataFrame, given: Mapping[str, str]) -> MeasuredTable:
    found: dict[str, list[tuple[str, str]]] = {}
    taken = set()
    for role, text in given.items():
        name, unit = _split(text, frame)
        if name in frame.columns:
            found[role] = [(name, unit or _named_unit(name, ROLES[role].units))]
            taken.add(name)
    for name in frame.columns:
        if name in taken:
            continue
        kinds = {role: _recognised(name, ROLES[role]) for role in ROLES if role not in given}
        roles = [(role, unit) for role, unit in kinds.items() if unit is not None]
        if len(roles) > 1:
            raise InputError(
                f"{path}: column {name!r} could be {' or '.join(r for r, _ in roles)}; say which with column ROLE={name}"
            )
        for role, its_unit in roles:
            found.setdefault(role, []).append((name, its_unit))
    for role, names in found.items():
        if len(names) > 1 and role not in SEVERAL:
            shown = " and ".join(repr(n) for n, _ in names)
            raise InputError(
                f"{path}: columns {shown} could both be {role} ({ROLES[role].what}); say which with column {role}=NAME"
            )
    kind = _kind(path, frame, found)
    out, mapping = pd.DataFrame(index=frame.index), {}
    for role, names in found.items():
        if role in SEVERAL:
            out[role] = frame[[n for n, _ in names]].agg(", ".join, axis=1)
            mapping[role] = " + ".join(n for n, _ in names)
            continue
        (name, unit), units = names[0], ROLES[role].units
        if not units:
            out[role] = _numbers(path, frame, name) if role == "read" else frame[name].str.strip()
            mapping[role] = name
            continue
        if unit not in units:
            said = f"{unit!r} is no unit of it" if unit else "has no unit"
            raise InputError(
                f"{path}: column {name!r} ({role}) {said}; write it into the name, such as {role}_{next(iter(units))}, "
                f"or give column {role}={name}:UNIT with one of {', '.join(units)}"
            )
        values = _numbers(path, frame, name, empty=role == "measured")
        # Divided by a whole number: 100 uS are 1e-4 S to the last bit.
        values = values / round(1 / units[unit]) if units[unit] < 1 else values * units[unit]
        if unit in _RESISTANCE:
            if np.any(values <= 0):
                raise InputError(f"{path}: column {name!r}, row {int(np.argmax(values <= 0)) + 1}: a resistance must be above 0")
            values = 1 / values
        out[role], mapping[role] = (
            values,
            name if name.endswith(unit) or f"{unit})" in name or f"{unit}]" in name else f"{name} in {unit}",
        )
    used = {name for names in found.values() for name, _ in names}
    return MeasuredTable(path, kind, out, mapping, tuple(c for c in frame.columns if c not in used), frame.attrs["taken"])


def _kind(path: Path, frame: pd.DataFrame, found: Mapping[str, object]) -> Kind:
    if {"voltage", "current"} <= set(found):
        if "measured" in found:
            raise InputError(f"{path}: has voltage and current, and measured conductances too; give them as two tables")
        return "iv"
    if "measured" in found and "read" in found:
        return "reads"
    if {"measured", "target"} <= set(found):
        return "written"
    missing = [role for role in ("target", "measured") if role not in found]
    fit = [name for name in frame.columns if _named_unit(name, ROLES["measured"].units)]
    of_unit = f" ({' and '.join(map(repr, fit))} by {'its unit' if len(fit) == 1 else 'their units'})" if fit else ""
    raise InputError(
        f"{path}: no column is {' or '.join(missing)} by its name among {', '.join(frame.columns)}{of_unit}; "
        "a table has target and measured conductances of cells, measured with the number of each read, or voltage and "
        "current; say what columns are with column ROLE=NAME:UNIT"
    )


def _recognised(name: str, role: Role) -> str | None:
    """The unit in a column's name, "" without one, if the name is one of the role's; otherwise None."""
    unit = _named_unit(name, role.units)
    # At which voltage a cell was read is no part of its name: G @ 0.2 V.
    plain = re.sub(r"@\s*[\d.]+\s*m?v", "", _without_unit(name, unit).lower())
    plain = re.sub(r"[^a-z0-9]", "", plain)
    return unit if plain in role.names else None


def _named_unit(name: str, units: Mapping[str, float]) -> str:
    """The unit at the end of a name, in the spelling of ``units``; an unknown ending is no unit."""
    text = "".join(_SIGNS.get(c, c) for c in name).replace("Ohm", "ohm")
    ending = re.search(r"(?:^|[\s_(\[/,.-])([A-Za-z]+)\s*[)\]]?$", text)
    return ending.group(1) if ending and ending.group(1) in units else ""


def _without_unit(name: str, unit: str) -> str:
    return re.sub(r"(?<![\s_(\[/,.-])[\s_(\[/,.-]+[^\s_(\[/,.-]+$", "", name.rstrip(" )]")) if unit else name


def _numbers(path: Path, frame: pd.DataFrame, name: str, *, empty: bool = False) -> np.ndarray:
    text = frame[name].str.strip()
    values = pd.to_numeric(text, errors="coerce").to_numpy(float)
    bad = ~np.isfinite(values) & ~(text.str.lower().isin(MISSING).to_numpy() & empty)
    if bad.any():
        first = int(np.argmax(bad))
        row = first // frame.attrs.get("side_by_side", 1) + 1
        raise InputError(f"{path}: column {name!r}, row {row} below the names: {frame[name].iloc[first]!r} is not a finite number")
    return values
