"""What commands load: help imports what it prints, and a command what it computes with."""

import json
import subprocess
import sys

import pytest

CODE = """
import contextlib, io, json, sys
from cosim.cli.app import application, run

LIBRARIES = ("numpy", "scipy", "numba", "pandas", "pyarrow", "matplotlib", "PySpice", "joblib")

def leaves(group, path=()):
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        if hasattr(command, "list_commands"):
            yield from leaves(command, (*path, name))
        else:
            yield [*path, name]

lines = json.loads(sys.argv[1])
if lines == "all":
    lines = [[*path, "--help"] for path in leaves(application())]
codes = []
with contextlib.redirect_stdout(io.StringIO()):
    for line in lines:
        codes.append(run(line))
print(json.dumps([codes, [name for name in LIBRARIES if name in sys.modules]]))
"""


def loaded(lines, cwd) -> tuple[list[int], set[str]]:
    """Exit codes of commands in one new process, and the libraries that it has loaded."""
    done = subprocess.run([sys.executable, "-c", CODE, json.dumps(lines)], cwd=cwd, capture_output=True, text=True, check=True)
    codes, libraries = json.loads(done.stdout)
    return codes, set(libraries)


@pytest.mark.parametrize(
    ("lines", "allowed"),
    [
        ([["--help"], ["--version"], ["doctor", "--help"], ["tasks", "--help"]], set()),
        ("all", {"numpy"}),
        ([["tasks"]], {"numpy"}),
        ([["netlist", "ramp", "--bits", "2", "--out", "deck.cir"]], {"numpy", "scipy"}),
    ],
)
def test_a_command_loads_what_it_uses(lines, allowed, tmp_path):
    codes, libraries = loaded(lines, tmp_path)
    assert set(codes) == {0}
    assert libraries <= allowed


def test_the_module_is_the_command(tmp_path):
    done = subprocess.run([sys.executable, "-m", "cosim", "--version"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0.1.0"
