"""Versions that must not come back: lower bounds of what the package installs, for their advisories."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
ASKED = [Requirement(r) for r in (*PROJECT["dependencies"], *(r for e in PROJECT["optional-dependencies"].values() for r in e))]


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        # CVE-2025-68146: a symlinked lock file has its target truncated.
        ("filelock", "3.13.0"),
        ("filelock", "3.20.0"),
        # CVE-2025-32434: weights_only of torch.load runs code.
        ("torch", "2.2"),
        ("torch", "2.5.1"),
    ],
)
def test_a_version_with_an_advisory_is_not_installed(name, bad):
    asked = [r for r in ASKED if r.name == name]
    assert asked
    assert not any(r.specifier.contains(bad) for r in asked)
