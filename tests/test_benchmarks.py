"""The benchmarks find what they measure: all that they import is there. `make bench` runs them."""

import runpy
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_benchmarks_import(path, monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    try:
        names = runpy.run_path(str(path), run_name="benchmark")
    except ModuleNotFoundError as e:
        if e.name not in ("badcrossbar", "torch", "dask"):
            raise
        pytest.skip(f"needs {e.name}")
    assert path.stem == "comparator_offset" or callable(names["main"])


def test_make_runs_those_that_are_there():
    line = next(line for line in (FOLDER.parent / "Makefile").read_text().splitlines() if "for name in" in line)
    names = line.partition("for name in ")[2].partition(";")[0].split()
    assert {path.stem for path in FOLDER.glob("*.py")} == {*names, "train", "comparator_offset"}
