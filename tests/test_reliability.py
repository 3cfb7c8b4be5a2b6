"""docs/reliability.md and docs/security.md: their figures are those of the tables in results/faults and results/fuzz."""

import re
from pathlib import Path

import pytest

from scripts.faults import table

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "reliability.md").read_text()
FAULTS = (ROOT / "results" / "faults" / "README.md").read_text()
FUZZ = (ROOT / "results" / "fuzz" / "README.md").read_text()


def rows(text: str, head: str) -> list[dict[str, str]]:
    """The rows of the one table whose first column has this name and that has a column of the second."""
    first, _, second = head.partition(" .. ")
    found = []
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        lines = [[cell.strip() for cell in line.strip("|\n ").split("|")] for line in block.splitlines()]
        if lines[0][0] == first and second in lines[0]:
            found.append([dict(zip(lines[0], line, strict=True)) for line in lines[2:]])
    assert len(found) == 1, f"{len(found)} tables begin with {head}"
    return found[0]


def total(found: list[dict[str, str]], column: str) -> int:
    return sum(int(row[column]) for row in found)


def claims(text: str) -> list[str]:
    """What the tables let one say, as the page says it."""
    *commands, everything = rows(text, "command .. kills")
    places, damage, interrupts = rows(text, "fault .. went on"), rows(text, "file .. bytes"), rows(text, "command .. Ctrl-C")
    assert everything["kills"] == everything["same answer"] == str(total(commands, "kills"))
    assert total(places, "commands") == total(places, "no traceback") == total(places, "same answer after")
    assert total(interrupts, "Ctrl-C") == total(interrupts, "no traceback")
    for found in (commands, places, interrupts):
        assert total(found, "processes left") == 0
    assert total(damage, "read wrong") == total(damage, "traceback") == 0
    longest = max(float(row["seconds, longest"]) for row in interrupts)
    assert longest < table.LIMIT
    return [
        f"{everything['kills']} kills of {len(commands)} commands",
        f"{everything['of them went on by itself']} went on by themselves",
        f"{len(places)} faults of disks, memory, files, clock, ngspice and Dask; {total(places, 'commands')} rounds",
        f"{total(damage, 'damaged copies'):,} damaged copies of {len(damage)} kinds of file",
        f"{total(damage, 'refused or made again'):,} refused or made again",
        f"{total(damage, 'made no difference')} made no difference",
        f"{total(interrupts, 'Ctrl-C')} interrupts by Ctrl-C, {len(interrupts)} commands twice",
        f"the longest took {longest} s",
    ]


def test_figures_of_the_page_are_those_of_the_tables():
    assert [claim for claim in claims(FAULTS) if claim not in PAGE] == []


@pytest.mark.parametrize(
    ("sound", "wrong"),
    [
        ("| all | 201 | 201 | 0 |", "| all | 201 | 200 | 1 |"),
        ("| full disk | 9 | 6 | 3 | 9 | 9 |", "| full disk | 9 | 6 | 3 | 9 | 8 |"),
        ("| chunk of a run | 10725 | 320 | 320 | 0 | 0 |", "| chunk of a run | 10725 | 320 | 319 | 0 | 1 |"),
        ("| `doctor` | 2 | 0 | 2 |", "| `doctor` | 2 | 0 | 1 |"),
    ],
)
def test_a_fault_that_did_not_hold_is_found(sound, wrong):
    assert FAULTS.count(sound) == 1
    with pytest.raises(AssertionError):
        claims(FAULTS.replace(sound, wrong))


def test_tables_have_the_columns_that_the_command_prints():
    common = {"quiet": True, "differs": "", "left": {"processes": [], "temporary": [], "shared": []}, "seconds": 1.0, "waited": 0.0}
    common |= {"work": "train", "code": 0, "load": 1.0, "date": "2026-11-30", "hit": True, "interrupted": True}
    made = [
        common | {"section": "kills", "aim": "parent", "signal": "SIGTERM"},
        common | {"section": "places", "fault": "full disk"},
        common | {"section": "damage", "kind": "network", "bytes": 1, "refused": 1},
        common | {"section": "interrupts"},
    ]
    heads = re.findall(r"^(\|.*)\n\|-", table.page(made, 1), re.MULTILINE)
    assert len(heads) == 5
    assert [head for head in heads if head not in FAULTS] == []


def test_figures_of_the_fuzzed_doors_are_those_of_their_table():
    doors = rows(FUZZ, "door .. refused")
    for row in doors:
        assert int(row["files"]) == int(row["read"]) + int(row["refused"]), row["door"]
    said = f"{len(doors)} doors, {total(doors, 'files') / 1e6:.1f} million files, {total(doors, 'findings, mended')} findings"
    assert said in (ROOT / "docs" / "security.md").read_text()
