"""scripts/python.sh with a Python whose venv module fails."""

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "python.sh"


@pytest.mark.parametrize("there", [False, True])
def test_a_folder_that_it_did_not_make_is_kept(there: bool, tmp_path: Path) -> None:
    python, venv = tmp_path / "python", tmp_path / "my venv"
    python.write_text('#!/bin/sh\n[ "$1" = -c ] && { echo 3.12; exit; }\nmkdir -p "$3"\ntouch "$3/half"\nexit 1\n')
    python.chmod(0o755)
    if there:
        venv.mkdir()
        (venv / "thesis.txt").write_text("mine")
    done = subprocess.run(["sh", SCRIPT, python, venv], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert "the venv module is missing" in done.stderr
    assert venv.exists() == there
    if there:
        assert (venv / "thesis.txt").read_text() == "mine"
