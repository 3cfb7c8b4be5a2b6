"""Files that the packages read beside their code are in what is installed."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LISTED = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
TOPS = ("netlists", "characterization", "cosim")
READ = {".cir", ".css", ".j2", ".js", ".json", ".npz", ".toml", ".typed", ".pyi"}
"""What code reads; texts are read as `page.md`, others are for people alone."""


def installed(listed):
    """Files that setuptools' patterns take, those of ``*`` from every package."""
    found = set()
    for package, patterns in listed.items():
        homes = [ROOT / package.replace(".", "/")]
        if package == "*":
            homes = [init.parent for top in TOPS for init in (ROOT / top).rglob("__init__.py")]
        found |= {f for home in homes for pattern in patterns for f in home.glob(pattern)}
    return found


def needed():
    """Files beside the code that the packages read."""
    return {
        f
        for top in TOPS
        for f in (ROOT / top).rglob("*")
        if f.is_file() and (f.suffix in READ or f.name == "page.md") and "__pycache__" not in f.parts
    }


def test_every_file_that_is_read_is_installed():
    assert len(needed()) > 100
    assert sorted(needed() - installed(LISTED)) == []


@pytest.mark.parametrize("left", ["**/page.md", "studies/*/*.toml"])
def test_a_pattern_that_is_missing_shows(left):
    assert any(left in patterns for patterns in LISTED.values())
    without = {p: [x for x in patterns if x != left] for p, patterns in LISTED.items()}
    assert needed() - installed(without)
    assert re.search(r"page\.md|preset\.toml", str(needed() - installed(without)))
