import os
import subprocess
import sys
from pathlib import Path

import pytest

from netlists.spice.pyspice import environment, find_executable_version, find_library, is_error, shared_instance


@pytest.mark.parametrize(
    "line",
    [
        "Error: unknown subckt: x1 a 0 nothing",
        "Fatal error: instance x1",
        "doAnalyses: TRAN:  Timestep too small; time = 1e-9",
        "tran simulation(s) aborted",
        "singular matrix:  check node a",
        "Error on line 3 : r1 a",
        "  error: no such vector v(x)",
        "could not find a valid modelname",
    ],
)
def test_failures(line):
    assert is_error(line)


@pytest.mark.parametrize(
    "line",
    [
        "Circuit: error amplifier",
        "Circuit: * error budget of a ramp",
        "Note: No compatibility mode selected!",
        "Warning: r1: resistance to low, set to 1 mOhm",
        "Warning: singular matrix:  check node a",
        "Doing analysis at TEMP = 27.000000 and TNOM = 27.000000",
        "No. of Data Rows : 1553",
        "",
    ],
)
def test_everything_else(line):
    assert not is_error(line)


def test_one_instance_a_process():
    assert shared_instance() is shared_instance()
    assert shared_instance().ngspice_version >= 39


def test_library_from_the_environment(monkeypatch):
    monkeypatch.setenv("NGSPICE_LIBRARY_PATH", "/somewhere/libngspice.so.0")
    assert find_library() == "/somewhere/libngspice.so.0"


def test_program_version():
    assert find_executable_version() >= 39
    assert find_executable_version("ngspice-none") is None


THREADS = """
from pathlib import Path
from netlists.spice.deck import Deck
from netlists.spice.engine import simulate

def threads():
    return int(Path("/proc/self/status").read_text().partition("Threads:")[2].split()[0])

# Of Python's: the one that simulations run in.
simulate(Deck("a divider\\nv1 in 0 1\\nr1 in out 1k\\nr2 out 0 1k\\n.save v(out)\\n.tran 1n 10n\\n"), ["out"])
before = threads()
cards = ["* BSIM4", ".model n nmos level=14 version=4.8", "v1 d 0 1", "v2 g 0 pulse(0 1 0 1n 1n 5n)"]
cards += [*(f"m{k} d g 0 0 n w=1u l=0.1u" for k in range(64)), ".tran 0.1n 10n", ".save v(g)"]
simulate(Deck("\\n".join(cards) + "\\n"), ["g"])
print(threads() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="counts threads where Linux tells them")
@pytest.mark.parametrize(("limit", "spawned"), [(None, 0), ("2", 1)])
def test_ngspice_runs_on_one_thread_unless_the_user_says_otherwise(limit, spawned):
    """OpenMP keeps the threads that it made, so they are counted after the run."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("OMP_")} | ({} if limit is None else {"OMP_THREAD_LIMIT": limit})
    done = subprocess.run([sys.executable, "-c", THREADS], env=env, capture_output=True, text=True)
    assert done.stdout.split() == [str(spawned)], done.stderr


@pytest.mark.parametrize(("limit", "seen"), [(None, "1"), ("4", "4")])
def test_environment_of_an_ngspice_of_its_own(monkeypatch, limit, seen):
    monkeypatch.delenv("OMP_THREAD_LIMIT", raising=False)
    if limit is not None:
        monkeypatch.setenv("OMP_THREAD_LIMIT", limit)
    before = dict(os.environ)
    assert environment() == before | {"OMP_THREAD_LIMIT": seen}
    assert dict(os.environ) == before
