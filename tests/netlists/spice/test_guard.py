"""The one guarded way to an ngspice of its own: it ends in time, with its parent, within its memory, and writes nowhere else."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from netlists.errors import SimulationError
from netlists.outside.subcircuit import load_user_subcircuit
from netlists.spice import engine, program
from netlists.spice.deck import Deck

OURS = "t\nv1 a 0 1\nr1 a b 1k\n.save v(b)\n.tran 1n 1u\n"
SLEEPY = "#!/bin/sh\nexec sleep 1000000\n"


@pytest.fixture
def sleepy(tmp_path) -> str:
    path = tmp_path / "sleepy"
    path.write_text(SLEEPY)
    path.chmod(0o755)
    return str(path)


def test_what_is_printed_is_cut_in_the_middle(tmp_path, monkeypatch):
    monkeypatch.setattr(program, "PRINTED_LIMIT", 100)
    path = tmp_path / "talks"
    path.write_text("#!/bin/sh\necho first\nseq 1000\necho last\n")
    path.chmod(0o755)
    printed = program.run_ngspice([], tmp_path, executable=str(path)).stdout
    assert printed.startswith("first")
    assert printed.endswith("last\n")
    assert len(printed) < 300


def test_ngspice_that_was_killed_from_outside_runs_once_more(tmp_path):
    path = tmp_path / "mortal"
    path.write_text("#!/bin/sh\necho run >> runs\n[ -f reborn ] || { touch reborn; kill -9 $$; }\necho answer\n")
    path.chmod(0o755)
    done = program.run_ngspice([], tmp_path, executable=str(path))
    assert (done.returncode, done.stdout) == (0, "Warning: ngspice was ended by signal 9 and ran again\nanswer\n")
    # What crashes by itself crashes again.
    path.write_text("#!/bin/sh\necho run >> runs\nkill -SEGV $$\n")
    assert program.run_ngspice([], tmp_path, executable=str(path)).returncode == -signal.SIGSEGV
    assert (tmp_path / "runs").read_text() == "run\n" * 4


def test_memory_has_a_limit(tmp_path):
    path = tmp_path / "grows"
    path.write_text(f"#!{sys.executable}\nx = bytearray(300_000_000)\nimport time\ntime.sleep(1e6)\n")
    path.chmod(0o755)
    with pytest.raises(SimulationError, match=r"more memory than the 0\.0977 GiB"):
        program.run_ngspice([], tmp_path, executable=str(path), memory=100 * 2**20)


@pytest.mark.skipif(sys.platform != "linux", reason="the life line is Linux's")
@pytest.mark.parametrize("with_signal", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_ngspice_ends_with_its_parent(with_signal, tmp_path, sleepy, until):
    code = f"from netlists.spice import run_ngspice\nfrom pathlib import Path\nrun_ngspice([], Path('.'), executable={sleepy!r})"
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, "PYTHONPATH": os.getcwd()}, stderr=-3)
    children: list[psutil.Process] = []

    def started() -> bool:
        children[:] = psutil.Process(parent.pid).children(recursive=True)
        return any(c.name() == "sleep" for c in children)

    until(started, parent)
    parent.send_signal(with_signal)
    parent.wait()
    # Without an end to it: a child that lives on is a test that does.
    assert psutil.wait_procs(children)[1] == []


@pytest.fixture
def own_deck(tmp_path) -> Deck:
    path = tmp_path / "own.cir"
    path.write_text(".subckt mine inp inn out com\nb1 out com v=tanh(v(inp)-v(inn))\n.ends\n")
    own = load_user_subcircuit(f"{path}:mine", "comparator")
    return Deck(f"t\n{own.definitions}v1 a 0 1\nx1 a 0 b 0 mine\n.save v(b)\n.tran 1n 10n\n")


def test_a_deck_with_a_block_of_ones_own_runs_in_a_process_of_its_own(own_deck, monkeypatch):
    """The two runners give the same bits; the shared library, which nothing can end, is for processes that are watched over."""
    assert own_deck.foreign
    assert not Deck(OURS).foreign
    guarded = engine.simulate(own_deck, ["b"])
    monkeypatch.setattr(engine, "transient_vectors", None)
    with pytest.raises(TypeError):
        engine.simulate(own_deck, ["b"])
    monkeypatch.setattr(engine, "_watched", True)
    assert engine.simulate(own_deck, ["b"])["b"].tolist() == guarded["b"].tolist()


def test_models_write_no_logs_into_the_current_folder(own_deck, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    noisy = "m1 a a 0 0 n\n.model n nmos level=54 version=4.5 toxe=1e-12\n"
    before = sorted(p.name for p in Path().iterdir())
    data = engine.simulate(Deck(own_deck.circuit.replace(".save", noisy + ".save")), ["b"])
    assert len(data["b"]) > 2
    assert sorted(p.name for p in Path().iterdir()) == before
