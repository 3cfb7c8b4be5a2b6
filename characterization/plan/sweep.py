"""Sweeps of a plan file: from lists of values to the grid of all combinations, each with a short name for its folder."""

from __future__ import annotations

import copy
import itertools
import math
import re
from collections import Counter
from pathlib import PurePath
from typing import Any

from netlists.errors import InputError

SWEPT = ("ramp", "profile", "circuit", "variation", "conditions")
"""Tables whose fields can be swept; a name without a table is a field of ``ramp``."""

LARGEST_GRID = 10_000
"""Combinations a sweep may have."""


def grid(tables: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """All combinations of the ``sweep`` table, the last field changing fastest.

    Parameters
    ----------
    tables : dict
        A plan file as TOML gives it, not yet checked. ``sweep`` holds lists by dotted name, quoted or not.

    Returns
    -------
    list of (name, what, tables)
        Name of the combination's folder, its swept values for messages, and the tables without ``sweep``.

    Raises
    ------
    InputError
        A name that cannot be swept, a value that is no list, an empty list, a value listed twice, too large a grid.
    """
    swept = _lists(tables.get("sweep", {}), "")
    if (size := math.prod(len(values) for values in swept.values())) > LARGEST_GRID:
        raise InputError(f"sweep: {size} combinations; at most {LARGEST_GRID}")
    out = []
    for values in itertools.product(*swept.values()):
        point = dict(zip(swept, values, strict=True))
        changed = {k: copy.deepcopy(v) for k, v in tables.items() if k != "sweep"}
        for path, value in point.items():
            _set(changed, path.split("."), value)
        what = ", ".join(f"sweep {_short(path)}={value!r}" for path, value in point.items())
        out.append((_name(changed, point), what, changed))
    name, count = Counter(name for name, _, _ in out).most_common(1)[0]
    if count > 1:
        raise InputError(f"sweep: {count} combinations would be called {name!r}; take values that can be told apart")
    return out


def _lists(table: Any, prefix: str) -> dict[str, list]:
    """Lists of values by full dotted name: TOML turns ``circuit.v_read = [...]`` into a table in a table."""
    if not isinstance(table, dict):
        raise InputError(f"sweep{prefix and '.' + prefix}={table!r}: must be a table of lists")
    out: dict[str, list] = {}
    for key, value in table.items():
        name = f"{prefix}.{key}" if prefix else key
        if isinstance(value, dict):
            found = _lists(value, name)
        else:
            found = {_full(name): value}
            _check(name, value)
        if both := sorted(set(found) & set(out)):
            raise InputError(f"sweep.{name}: {_short(both[0])} is swept twice")
        out |= found
    return out


def _full(name: str) -> str:
    path = name if "." in name else f"ramp.{name}"
    if path.split(".")[0] not in SWEPT:
        raise InputError(f"sweep.{name}: cannot be swept; fields of {', '.join(SWEPT)} can, such as bits or circuit.v_read")
    return path


def _check(name: str, values: Any) -> None:
    if not isinstance(values, list) or not values:
        raise InputError(f"sweep.{name}={values!r}: must be a list of values")
    if any(isinstance(v, dict) for v in values):
        raise InputError(f"sweep.{name}: takes single values, not tables")
    if twice := [v for i, v in enumerate(values) if v in values[:i]]:
        raise InputError(f"sweep.{name}: {twice[0]!r} is listed twice")


def _set(tables: dict[str, Any], path: list[str], value: Any) -> None:
    for part in path[:-1]:
        tables = tables.setdefault(part, {})
        if not isinstance(tables, dict):
            raise InputError(f"sweep.{'.'.join(path)}: {part} is no table in this file")
    tables[path[-1]] = value


def _short(path: str) -> str:
    return path.removeprefix("ramp.")


def _name(tables: dict[str, Any], point: dict[str, Any]) -> str:
    """Activation and bits, then every other swept field with its value; letters, digits and ``._+-`` only."""
    ramp = tables.get("ramp")
    ramp = ramp if isinstance(ramp, dict) else {}
    parts = [_text(ramp.get("activation", "")), f"{_text(ramp.get('bits', ''))}bit"]
    last = [path.rpartition(".")[2] for path in point]
    for path, value in point.items():
        if path in ("ramp.activation", "ramp.bits"):
            continue
        field = path.rpartition(".")[2]
        parts.append(f"{field if last.count(field) == 1 else _short(path)}-{_text(value)}")
    return "_".join(parts)


def _text(value: Any) -> str:
    """A value as part of a folder's name; of a file only its name."""
    text = PurePath(value).stem if isinstance(value, str) and value.endswith(".toml") else str(value)
    return re.sub(r"[^A-Za-z0-9._+-]", "-", text)
