"""The benchmarks find what they measure: all that they import is there. `make bench` runs them."""

import runpy
import shlex
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
    lines = (FOLDER.parent / "Makefile").read_text().splitlines()
    given = [line.partition("=")[2] for line in lines if line.startswith(("BENCH =", "BENCH_LONG ="))]
    names = [one.split()[0] for one in shlex.split(" ".join(given))]
    others = {"comparator_offset", "fixed_point", "record", "bare_ngspice", "jax_epoch", "dask_cluster"}
    assert {path.stem for path in FOLDER.glob("*.py")} == {*names, *others}


def test_what_a_benchmark_found_is_kept_with_machine_and_versions(tmp_path, monkeypatch):
    names = runpy.run_path(str(FOLDER / "record.py"), run_name="benchmark")
    script = tmp_path / "small.py"
    script.write_text("import sys\nassert sys.argv[1:] == ['--json', '--repeats', '3']\nprint('{\"ratio\": 1.5}')\n")
    monkeypatch.setitem(names["record"].__globals__, "HERE", tmp_path)
    found = names["record"]("small", ["--repeats", "3"])
    assert found["figures"] == {"ratio": 1.5}
    assert {"command", "machine", "versions", "wall_s", "cpu_s"} < set(found)
    script.write_text("raise SystemExit(3)")
    with pytest.raises(SystemExit):
        names["record"]("small", [])


def test_the_exponent_of_a_power_law_is_found():
    names = runpy.run_path(str(FOLDER / "growth.py"), run_name="benchmark")
    slope, half = names["exponent"]((1, 2, 4, 8), [3.0, 12.0, 48.0, 192.0])
    assert slope == pytest.approx(2.0)
    assert half < 1e-6
    assert names["exponent"]((1, 2, 4, 8), [3.0, 13.0, 45.0, 192.0])[1] > 0.05


@pytest.mark.slow
def test_samples_that_cost_nothing_run_in_workers(monkeypatch):
    """Of `scale`, and of `dask_cluster`, which takes them from there."""
    monkeypatch.syspath_prepend(str(FOLDER))
    import scale

    assert scale.parent(64)["parent_samples"] == 64
