"""Reads tables of measured cells: which column is what, in which unit. Nothing is guessed: what is not clear is an error.

A column is recognised by its name, with its unit at the end: ``target_uS``, ``measured (uS)``, ``R_kohm``, ``time_s``; or it is
named by the caller, ``{"measured": "Ist:uS"}``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from netlists.errors import InputError
from netlists.files import read_bytes

from .roles import MISSING, RESISTANCE, ROLES, SEVERAL, STUCK_NAMES, UNTRUE, named_unit, recognised
from .texts import text_of

NO_NUMBER = 9.9e37
"""What instruments write in place of a value: 9.9e37 for one beyond their range, 9.91e37 for none."""
LARGEST_CONDUCTANCE = 1.0
"""Siemens: above it a unit is wrong."""
SAME_TEMPERATURE = 2.0
"""Degrees within which temperatures are one."""
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
    content: dict[bytes, Path] = {}
    for path in filter(Path.is_file, paths):
        digest = hashlib.sha256(read_bytes(path, "table")).digest()
        if digest in content:
            raise InputError(f"tables: {path} is {content[digest]} once more; its cells would count twice")
        content[digest] = path
    frames = [text_of(path, {text.partition(":")[0] for text in given.values()}) for path in paths]
    for role, text in given.items():
        if not any(_split(text, frame)[0] in frame.columns for frame in frames):
            names = "; ".join(f"{path.name} has {', '.join(frame.columns)}" for path, frame in zip(paths, frames, strict=True))
            raise InputError(f"column {role}={text}: no table has a column {text.partition(':')[0]!r}: {names}")
    return [_table(path, frame, given) for path, frame in zip(paths, frames, strict=True)]


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
            found[role] = [(name, unit or named_unit(name, ROLES[role].units))]
            taken.add(name)
    for name in frame.columns:
        if name in taken:
            continue
        kinds = {role: recognised(name, ROLES[role]) for role in ROLES if role not in given}
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
    at_one = _at_one_voltage(frame, found)
    kind = _kind(path, frame, found, at_one)
    out, mapping, taken_as = pd.DataFrame(index=frame.index), {}, list(frame.attrs["taken"])
    for role, names in found.items():
        if role in SEVERAL:
            out[role] = frame[[n for n, _ in names]].agg(", ".join, axis=1)
            mapping[role] = " + ".join(n for n, _ in names)
            continue
        (name, unit), units = names[0], ROLES[role].units
        if not units:
            out[role] = _numbers(path, frame, name)[0] if role == "read" else frame[name].str.strip()
            if role == "note" and re.sub(r"[^a-z]", "", name.lower()) in STUCK_NAMES:
                out[role] = ["" if word.lower() in UNTRUE else f"stuck {word}" for word in out[role]]
            mapping[role] = name
            continue
        if unit not in units:
            said = f"{unit!r} is no unit of it" if unit else "has no unit"
            raise InputError(
                f"{path}: column {name!r} ({role}) {said}; write it into the name, such as {role}_{next(iter(units))}, "
                f"or give column {role}={name}:UNIT with one of {', '.join(units)}"
            )
        values, overflow = _numbers(path, frame, name, empty=role == "measured" or (at_one and role == "current"))
        taken_as += [f"{overflow} values of {name} of 9.9e37 or more taken for none, as instruments mean them"] if overflow else []
        # Divided by a whole number: 100 uS are 1e-4 S to the last bit.
        values = values / round(1 / units[unit]) if units[unit] < 1 else values * units[unit]
        if unit in RESISTANCE:
            if np.any(values <= 0):
                raise InputError(f"{path}: column {name!r}, row {int(np.argmax(values <= 0)) + 1}: a resistance must be above 0")
            values = 1 / values
        if role in ("target", "measured") and np.isfinite(values).any() and np.nanmedian(values) > LARGEST_CONDUCTANCE:
            raise InputError(f"{path}: column {name!r}: half of it is above {np.nanmedian(values):.3g} S; is {unit!r} its unit?")
        out[role], mapping[role] = (
            values,
            name if name.endswith(unit) or f"{unit})" in name or f"{unit}]" in name else f"{name} in {unit}",
        )
    used = {name for names in found.values() for name, _ in names}
    if at_one:
        _conductance_at(path, out, mapping)
    _name_cells(out, mapping)
    if "temperature" in out and len(several := different_temperatures(out["temperature"])) > 1:
        raise InputError(
            f"{path}: column {mapping['temperature']!r} has {len(several)} values, {', '.join(several[:4])}: a profile is of one "
            "temperature; give the rows of one"
        )
    if "temperature" in out and len(logged := different(out["temperature"])) > 1:
        taken_as.append(f"{logged[0]} to {logged[-1]} of {mapping['temperature']} taken for one temperature")
    return MeasuredTable(path, kind, out, mapping, tuple(c for c in frame.columns if c not in used), tuple(taken_as))


def _at_one_voltage(frame: pd.DataFrame, found: Mapping[str, list[tuple[str, str]]]) -> bool:
    """Whether currents are reads of cells at one voltage, and no I-V sweep."""
    if not {"voltage", "current"} <= set(found) or not {"target", "read"} & set(found):
        return False
    return len(different(frame[found["voltage"][0][0]])) == 1


def different(values: pd.Series) -> list[str]:
    """The different values of a column of text; numbers by what they are worth."""
    numbers = pd.to_numeric(values.str.strip(), errors="coerce")
    found = numbers.dropna().sort_values().map("{:g}".format).unique()
    return [*found, *sorted(values.str.strip()[numbers.isna()].unique())]


def different_temperatures(values: pd.Series) -> list[str]:
    """The different values of temperatures; one where all are within `SAME_TEMPERATURE`, as those of a chuck that is logged."""
    found = different(values)
    numbers = pd.to_numeric(pd.Series(found), errors="coerce")
    return found[:1] if numbers.notna().all() and np.ptp(numbers) <= SAME_TEMPERATURE else found


def _conductance_at(path: Path, out: pd.DataFrame, mapping: dict[str, str]) -> None:
    """Makes ``measured`` of a current at one voltage, or holds the two against each other."""
    voltage = float(out["voltage"].iloc[0])
    if voltage == 0:
        raise InputError(f"{path}: column {mapping['voltage']!r}: is 0 in all rows; there is no conductance at 0 V")
    own = out["current"] / voltage
    if "measured" not in out:
        out["measured"], mapping["measured"] = own, f"{mapping['current']} / {mapping['voltage']}"
    elif not 0.98 < (ratio := float(np.nanmedian(own / out["measured"]))) < 1.02:
        raise InputError(
            f"{path}: {mapping['current']} over {mapping['voltage']} is {ratio:.3g} times {mapping['measured']}; is a unit wrong?"
        )
    for role in ("voltage", "current"):
        del out[role], mapping[role]


def _name_cells(out: pd.DataFrame, mapping: dict[str, str]) -> None:
    """Makes ``cell`` of what tells cells apart: chip, and the cell or its row and column."""
    own = ["cell"] if "cell" in out else ["row", "column"] if {"row", "column"} <= set(out) else []
    if not own or own + ["chip"] * ("chip" in out) == ["cell"]:
        return
    parts = ["chip", *own] if "chip" in out else own
    out["cell"] = out[parts].agg(", ".join, axis=1)
    mapping["cell"] = " + ".join(mapping[p] for p in parts)


def _kind(path: Path, frame: pd.DataFrame, found: Mapping[str, object], at_one: bool) -> Kind:
    if at_one:
        return "reads" if "read" in found else "written"
    if {"voltage", "current"} <= set(found):
        if "measured" in found:
            raise InputError(f"{path}: has voltage and current, and measured conductances too; give them as two tables")
        return "iv"
    if "measured" in found and "read" in found:
        return "reads"
    if {"measured", "target"} <= set(found):
        return "written"
    missing = [role for role in ("target", "measured") if role not in found]
    fit = [name for name in frame.columns if named_unit(name, ROLES["measured"].units)]
    of_unit = f" ({' and '.join(map(repr, fit))} by {'its unit' if len(fit) == 1 else 'their units'})" if fit else ""
    raise InputError(
        f"{path}: no column is {' or '.join(missing)} by its name among {', '.join(frame.columns)}{of_unit}; "
        "a table has target and measured conductances of cells, measured with the number of each read, or voltage and "
        "current; say what columns are with column ROLE=NAME:UNIT"
    )


def _numbers(path: Path, frame: pd.DataFrame, name: str, *, empty: bool = False) -> tuple[np.ndarray, int]:
    """Values of a column, and how many are an instrument's for none; those and empty ones are NaN where that is allowed."""
    text = frame[name].str.strip()
    values = pd.to_numeric(text, errors="coerce").to_numpy(float)
    overflow = (np.abs(values) >= NO_NUMBER) & empty
    values = np.where(overflow, np.nan, values)
    bad = ~np.isfinite(values) & ~((text.str.lower().isin(MISSING).to_numpy() | overflow) & empty)
    if bad.any():
        first = int(np.argmax(bad))
        row = first // frame.attrs.get("side_by_side", 1) + 1
        raise InputError(f"{path}: column {name!r}, row {row} below the names: {frame[name].iloc[first]!r} is not a finite number")
    return values, int(overflow.sum())
