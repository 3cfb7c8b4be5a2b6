"""`cosim status`, `cosim characterize --plan` and what `cosim doctor` says about workers, on a run of a few samples."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cosim.cli.app import run

PLAN = """
[ramp]
activation = "sigmoid"
bits = 2

[sampling]
samples = 5
seed = 3
"""


def cosim(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run([*arguments])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "plan.toml"
    path.write_text(PLAN)
    return path


def _threads_after_reading(folder: Path) -> int:
    """Threads that reading a run leaves in a process: Arrow's can abort it as it ends."""
    code = (
        "import os, sys, pandas, numpy, scipy.special, pyarrow.parquet\n"
        "import characterization.run.montecarlo as m, cosim.cli.chips.status\n"
        "from characterization.run.folder import run_status\n"
        "pyarrow.table({'x': [1]}).to_pandas(use_threads=False)\n"
        "count = lambda: len(os.listdir('/proc/self/task'))\n"
        "before = count()\n"
        "run_status(sys.argv[1])\n"
        "run = m.load_run(sys.argv[1])\n"
        "run.samples, run.transitions, run.levels(calibrated=True), run.conversion_levels()\n"
        "print(count() - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_a_plan_file_and_its_status(plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "run"
    code, out, _ = cosim(
        capsys, "characterize", "--plan", str(plan), "--jobs", "1", "--quiet", "--json", "--batch", "8", "--out", str(folder)
    )
    assert code == 0
    said = json.loads(out)
    assert (said["samples"], said["failed"], said["failures"]) == (5, 0, {})
    code, out, _ = cosim(capsys, "status", str(folder), "--json")
    status = json.loads(out)
    assert (code, status["state"], status["done"], status["left"], status["failed"]) == (0, "complete", 5, 0, {})
    assert (status["holder"], status["damaged"], status["chunks"]) == (None, {}, 1)
    assert _threads_after_reading(folder) == 0
    chunk = next((folder / "chunks").glob("chunk-*.parquet"))
    chunk.write_bytes(chunk.read_bytes()[:-3])
    code, out, _ = cosim(capsys, "status", str(folder))
    assert code == 0
    for line in (": stopped", "0 of 5 done, 5 left", f"damaged   {chunk.name} its content does not match its checksum"):
        assert line in out


def test_a_sweep_makes_a_folder_for_each_plan(plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan.write_text(PLAN + '\n[sweep]\nactivation = ["sigmoid", "tanh"]\n')
    folder = tmp_path / "runs"
    code, out, _ = cosim(
        capsys, "characterize", "--plan", str(plan), "--samples", "2", "--batch", "2", "--jobs", "1", "--quiet", "--json",
        "--out", str(folder),
    )  # fmt: skip
    assert code == 0
    said = json.loads(out)
    assert sorted(Path(r["out"]) for r in said["runs"]) == sorted(p for p in folder.iterdir())
    assert [r["samples"] for r in said["runs"]] == [2, 2]


def test_what_a_plan_file_says_cannot_be_said_twice(plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = cosim(
        capsys, "characterize", "--plan", str(plan), "--bits", "3", "--set", "gbw=1e9", "--out", str(tmp_path / "x")
    )
    assert code == 2
    assert err == "error: --bits, --set: cannot be given with --plan; write it into the plan file\n"
    code, _, err = cosim(
        capsys, "estimate", "--plan", str(plan), "--level", "ideal", "--max-inl", "1", "--out", str(tmp_path / "y")
    )
    assert code == 2
    assert err == "error: --level, --max-inl: cannot be given with --plan; write it into the plan file\n"


def test_status_of_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = cosim(capsys, "status", str(tmp_path))
    assert code == 2
    assert err.startswith("error: ")
    assert "there is no such run manifest" in err


def test_doctor_tells_about_workers(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = cosim(capsys, "doctor")
    for name in ("workers", "memory", "cluster (--cluster)", "ngspice library"):
        assert name in out
