"""The tables of results/faults/README.md, from the rows of all rounds."""

from __future__ import annotations

import platform
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

LIMIT = 3.0
"""Seconds after Ctrl-C, without those that a command waits for a core."""


def faulty(row: Mapping[str, Any]) -> str:
    """What did not hold in a round; empty if all did."""
    if row["section"] == "damage":
        bad = row.get("wrong", 0) + row.get("traceback", 0)
        return f"{bad} read wrong or ended otherwise: {row['examples']}" if bad else ""
    found = []
    if not row["quiet"]:
        found.append("traceback")
    if row.get("differs"):
        found.append(f"differs: {row['differs']}")
    if row.get("left", {}).get("processes") or row.get("left_again", {}).get("processes"):
        found.append("processes left")
    # In its first hundredths of a second Python itself has not heard of signals.
    ended = (0, 130, -2) if row.get("at", 1.0) < 0.1 else (0, 130)
    if row["section"] == "interrupts" and (quiet(row) > LIMIT or row["code"] not in ended):
        found.append(f"{quiet(row):.1f} s, exit code {row['code']}")
    if row["section"] == "interrupts" and row["code"] == 130 and row["lines"] != 1:
        found.append(f"{row['lines']} lines")
    return "; ".join(found)


def quiet(row: Mapping[str, Any]) -> float:
    """Seconds to the end after Ctrl-C, without those in which the command waited for a core that others had."""
    return max(0.0, row["seconds"] - row["waited"])


def page(rows: Sequence[Mapping[str, Any]], seed: int) -> str:
    """All tables as Markdown."""
    from importlib.metadata import version

    from netlists.spice import find_executable_version

    own = f"nladc-cosim {version('nladc-cosim')}, ngspice {find_executable_version()}, Python {platform.python_version()}"
    load = [row["load"] for row in rows] or [0.0]
    days = sorted({row["date"] for row in rows})
    when = " to ".join(dict.fromkeys((days[0], days[-1]))) if days else ""
    head = f"`make faults`, seed {seed}; {own}, {platform.system()}; load {min(load):.0f} to {max(load):.0f}; {when}."
    parts = [head, _kills(rows), _by_aim(rows), _places(rows), _damage(rows), _interrupts(rows)]
    return "\n\n".join(part for part in parts if part)


def _table(head: str, lines: Iterable[Sequence[Any]]) -> str:
    body = ["| " + " | ".join(map(str, line)) + " |" for line in lines]
    return "\n".join([head, "|" + "---|" * head.strip("|").count("|") + "---|", *body]) if body else ""


def _groups(rows: Iterable[Mapping[str, Any]], *keys: str) -> dict[tuple, list[Mapping[str, Any]]]:
    out: dict[tuple, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        out[tuple(row[k] for k in keys)].append(row)
    return dict(out)


def _of(rows: Iterable[Mapping[str, Any]], section: str) -> list[Mapping[str, Any]]:
    return [row for row in rows if row["section"] == section]


def _left(rows: Iterable[Mapping[str, Any]], what: str) -> int:
    return sum(len(row["left"][what]) for row in rows)


def _lefts(rows: Sequence[Mapping[str, Any]]) -> list[int]:
    return [_left(rows, what) for what in ("processes", "temporary", "shared")]


def _share(rows: Sequence[Mapping[str, Any]]) -> str:
    again = [row["share_again"] for row in rows if row.get("again") == 0 and row.get("share_again")]
    return f"{median(again):.2f}" if again else "-"


def _kills(rows: Sequence[Mapping[str, Any]]) -> str:
    found = _of(rows, "kills")
    lines: list[Sequence[Any]] = []
    for name, group in [*((k[0], g) for k, g in _groups(found, "work").items()), ("all", found)]:
        hit = [row for row in group if row["hit"]]
        if not hit:
            continue
        good = sum(not row["differs"] for row in hit)
        went_on = sum(row["code"] == 0 for row in hit)
        lines.append(
            [name, len(hit), good, len(hit) - good, went_on, _share(hit), *_lefts(hit), f"{median(r['seconds'] for r in hit):.1f}"]
        )
    head = (
        "| command | kills | same answer | lost | of them went on by itself | CPU of the second run | processes left "
        "| temporary files left | shared memory left | seconds to end |"
    )
    return _table(head, lines)


def _by_aim(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = []
    for (aim, name), group in sorted(_groups((r for r in _of(rows, "kills") if r["hit"]), "aim", "signal").items()):
        good = sum(not row["differs"] for row in group)
        said = sum(row["quiet"] for row in group)
        lines.append([aim, name, len(group), good, said, *_lefts(group)])
    return _table(
        "| hit | signal | kills | same answer | no traceback | processes left | temporary files left | shared memory left |", lines
    )


def _places(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = []
    for (fault,), group in _groups(_of(rows, "places"), "fault").items():
        good = sum(not row["differs"] for row in group)
        lines.append(
            [
                fault,
                len(group),
                sum(row["code"] == 0 for row in group),
                sum(row["code"] in (1, 2) for row in group),
                sum(row["quiet"] for row in group),
                good,
                _share(group),
                _left(group, "processes"),
                _left(group, "temporary"),
            ]
        )
    head = (
        "| fault | commands | went on | ended with a line | no traceback | same answer after | CPU of the second run "
        "| processes left | temporary files left |"
    )
    return _table(head, lines)


def _damage(rows: Sequence[Mapping[str, Any]]) -> str:
    head = "| file | bytes | damaged copies | refused or made again | made no difference | read wrong | traceback |"
    lines = []
    for row in _of(rows, "damage"):
        counts = [row.get(name, 0) for name in ("refused", "the same", "wrong", "traceback")]
        lines.append([row["kind"], row["bytes"], sum(counts), *counts])
    return _table(head, lines)


def _interrupts(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = []
    for (command,), group in _groups(_of(rows, "interrupts"), "work").items():
        hit = [row for row in group if row["interrupted"]]
        times, walls = [quiet(row) for row in hit] or [0.0], [row["seconds"] for row in hit] or [0.0]
        lines.append(
            [
                f"`{command.split(' --')[0]}`",
                len(group),
                len(hit),
                sum(row["quiet"] for row in group),
                f"{median(times):.2f}",
                f"{max(times):.2f}",
                f"{max(walls):.1f}",
                _left(group, "processes"),
            ]
        )
    return _table(
        "| command | Ctrl-C | met it at work | no traceback | seconds, median | seconds, longest | by the clock, longest "
        "| processes left |",
        lines,
    )
