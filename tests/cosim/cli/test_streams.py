"""A command in a process of its own, where streams are closed or speak ASCII, and places are named as shells name them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

RAMP = [sys.executable, "-m", "cosim", "netlist", "ramp", "--bits", "2"]


def shell(line: str, tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", line, *RAMP], cwd=tmp_path, env=os.environ | environment, capture_output=True, encoding="utf-8", timeout=120
    )


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        ('"$0" "$@" --out a.cir >&-', 1, "error: the answer cannot be written (stdout is closed)"),
        ('"$0" "$@" --out a.cir 2>&-', 0, ""),
        ('"$0" "$@" --out a.cir --set v_read=nan 2>&-', 2, ""),
        ('"$0" "$@" --out a.cir >/dev/full', 1, "error: the answer cannot be written (No space left on device)"),
    ],
)
def test_a_closed_stream_is_no_traceback(line, code, says, tmp_path):
    done = shell(line, tmp_path)
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "a.cir").exists() == (code != 2)


def test_an_answer_in_ascii_shows_every_letter(tmp_path):
    done = shell('"$0" "$@" --out "grüße/ä b.cir"', tmp_path, PYTHONIOENCODING="ascii", LC_ALL="C", NO_COLOR="1", COLUMNS="40")
    assert done.returncode == 0, done.stderr
    assert "\\xe4 b.cir" in done.stdout
    assert (tmp_path / "grüße" / "ä b.cir").exists()


def test_a_home_that_is_none_or_read_only_is_no_matter(tmp_path):
    for home in ("/nonexistent", "/proc"):
        assert shell('"$0" "$@" --out a.cir', tmp_path, HOME=home, XDG_CACHE_HOME="").returncode == 0


def test_a_tilde_is_the_home(tmp_path, monkeypatch):
    from cosim.cli.app import run

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my comp.cir").write_text(".subckt comp inp inn out com\nb1 out com v=tanh(1000*(v(inp)-v(inn)))\n.ends comp\n")
    words = ["netlist", "ramp", "--bits", "2", "--comparator", "~/my comp.cir:comp"]
    assert run([*words, "--out=~/a.cir"]) == run([*words, "--out", "~/b.cir"]) == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.cir", "b.cir", "my comp.cir"]
