"""Every example in a docstring of the packages runs and answers what it says."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("netlists", "characterization", "cosim")
FILES = [p.relative_to(ROOT) for package in PACKAGES for p in sorted((ROOT / package).rglob("*.py")) if ">>> " in p.read_text()]


@pytest.fixture
def files(tmp_path, monkeypatch):
    """What examples read: the network and models that the README's commands make, from the demo."""
    demo = ROOT / "results" / "demo"
    for folder in ("nets", "models"):
        (tmp_path / folder).mkdir()
    (tmp_path / "nets" / "vowels.npz").symlink_to(demo / "network.npz")
    for name in ("sigmoid5", "tanh5"):
        (tmp_path / "models" / f"{name}.json").symlink_to(demo / "models" / f"{name}.json")
    monkeypatch.chdir(tmp_path)


def dotted(path):
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("name", [dotted(path) for path in FILES])
@pytest.mark.usefixtures("files")
def test_examples_in_docstrings(name):
    try:
        module = import_module(name)
    except ModuleNotFoundError as e:
        if e.name not in ("torch", "jax"):
            raise
        pytest.skip(f"needs {e.name}")
    found = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert found.attempted > 0, "skipped, or in no docstring"
    assert found.failed == 0


def test_each_package_has_an_example():
    assert {path.parts[0] for path in FILES} == set(PACKAGES)


def test_a_wrong_answer_is_found():
    import types

    module = types.ModuleType("planted", "Adds.\n\n>>> 1 + 1\n3\n")
    assert doctest.testmod(module, report=False, verbose=False).failed == 1
