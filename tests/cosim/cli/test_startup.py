"""What commands load: help imports what it prints, and a command what it computes with."""

import json
import re
import subprocess
import sys
from pathlib import Path

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


def test_ctrl_c_is_heard_before_the_command_line_is_imported():
    """One line and no traceback also while the libraries of the command line load."""
    code = (
        "import os, signal, sys\n"
        "import importlib.abc\n"
        "class Strikes(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'typer':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "sys.meta_path.insert(0, Strikes())\n"
        "from cosim.cli import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, "interrupted\n")


def test_a_thread_that_fails_after_sigterm_says_nothing():
    """One line also where a library's thread meets what is being taken down."""
    code = (
        "import os, signal, threading\n"
        "from cosim.cli import app\n"
        "struck = threading.Event()\n"
        "def fail():\n"
        "    struck.wait()\n"
        "    raise KeyError(7)\n"
        "thread = threading.Thread(target=fail)\n"
        "def command(**_):\n"
        "    thread.start()\n"
        "    try:\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "    finally:\n"
        "        struck.set()\n"
        "        thread.join()\n"
        "app.application = lambda: command\n"
        "app.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (143, "interrupted\n")


def test_ctrl_c_does_not_wait_for_threads_that_compute():
    """Where compiled code goes on for seconds, here for ever; what runs at the end of a process does, and workers end."""
    code = (
        "import atexit, os, signal, threading\n"
        "from characterization.processes import parallel, thread_pool\n"
        "from cosim.cli import app\n"
        "import joblib\n"
        "started, never = threading.Event(), threading.Event()\n"
        "def compute(_):\n"
        "    started.set()\n"
        "    never.wait()\n"
        "def command(**_):\n"
        # Workers of joblib, which are there for five minutes more.
        "    list(parallel([joblib.delayed(abs)(-1)] * 2, 2))\n"
        "    with thread_pool(2) as pool:\n"
        "        results = pool.map(compute, range(9))\n"
        "        started.wait()\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "        list(results)\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "atexit.register(print, 'cleaned up', flush=True)\n"
        "app.application = lambda: command\n"
        "app.main()\n"
    )
    # Workers that were left would end by themselves after 300 s.
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=240)
    assert (done.returncode, done.stdout, done.stderr) == (130, "cleaned up\n", "interrupted\n")


def test_ctrl_c_after_the_answer_changes_nothing():
    code = (
        "import atexit, os, signal\n"
        "from cosim.cli import app\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "atexit.register(os.kill, os.getpid(), signal.SIGINT)\n"
        "app.application = lambda: lambda **_: print('answer')\n"
        "app.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "answer\n", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_an_answer_that_cannot_be_written_is_one_line():
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-m", "cosim", "tasks"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert re.fullmatch(r"error: .*No space left on device.*\n", done.stderr)
