"""A simulation that its caller leaves: ngspice that stands still, and signals while it computes. Standing still is planted."""

import os
import signal
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest

from netlists.errors import SimulationError
from netlists.spice import attended
from netlists.spice.deck import Deck
from netlists.spice.engine import simulate, simulate_draws
from netlists.spice.pyspice import shared_instance

LOW_PASS = Deck("low pass\nv1 in 0 pulse(0 1 0 1n 1n 1 2)\nr1 in out 1k\nc1 out 0 1n\n.save v(out)\n.tran 5n 3u\n")


@pytest.fixture
def still(monkeypatch):
    """ngspice that computes on and gets nowhere; returns what lets it go on."""
    ngspice, gone = shared_instance(), threading.Event()
    real = ngspice.run

    def run():
        while not gone.is_set():
            sum(range(1000))
        real()

    monkeypatch.setattr(attended, "STANDSTILL", 0.3)
    monkeypatch.setattr(ngspice, "run", run, raising=False)
    yield gone
    gone.set()
    if attended._work is not None:
        attended._work.over.wait()
    monkeypatch.undo()
    simulate(LOW_PASS, ["out"])


def test_ngspice_that_stands_still_is_left_and_others_run_meanwhile(still):
    before = simulate(LOW_PASS, ["out"], runner="batch")
    with pytest.raises(SimulationError, match=r"stands still: 0\.3 s of processor time"):
        simulate(LOW_PASS, ["out"])
    assert not attended.free()
    # In a process of its own, with the same numbers.
    meanwhile = simulate(LOW_PASS, ["out"])
    np.testing.assert_array_equal(meanwhile["out"], before["out"])
    with pytest.raises(SimulationError, match="still computes in this process"):
        simulate_draws(LOW_PASS, ["out"], [1])
    still.set()
    attended._work.over.wait()
    # What was left behind is taken away: the same circuit gives the same numbers again.
    after = simulate(LOW_PASS, ["out"])
    np.testing.assert_array_equal(after["out"], before["out"])
    assert attended.free()


def test_a_simulation_that_goes_forward_is_not_left(monkeypatch):
    """As long as thousandths come, it may take any time."""
    ngspice, reports = shared_instance(), []

    def run():
        for _ in range(10):
            used = sum(i * i for i in range(300_000))
            ngspice.reports += 1
            reports.append(used)

    monkeypatch.setattr(attended, "STANDSTILL", 0.3)
    monkeypatch.setattr(attended, "LOOK", 1e-3)
    attended.attend(ngspice, run, [])
    assert len(reports) == 10


def test_ngspice_tells_how_far_it_is():
    ngspice = shared_instance()
    before = ngspice.reports
    simulate(LOW_PASS, ["out"])
    assert ngspice.reports > before


def test_ctrl_c_leaves_a_simulation_at_once(still, monkeypatch):
    monkeypatch.setattr(attended, "STANDSTILL", 1e9)
    real = attended.attend

    def interrupted(ngspice, work, signals):
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
        real(ngspice, work, signals)

    monkeypatch.setattr("netlists.spice.engine.attend", interrupted)
    with pytest.raises(KeyboardInterrupt):
        simulate(LOW_PASS, ["out"])
    assert not attended.free()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_a_simulation_raises_reaches_its_caller():
    def work():
        raise ValueError("planted")

    with pytest.raises(ValueError, match="planted"):
        attended.attend(shared_instance(), work, [])


def test_a_process_ends_while_a_simulation_that_was_left_computes():
    code = textwrap.dedent("""
        from netlists.spice import Deck, attended, simulate
        from netlists.errors import SimulationError
        attended.STANDSTILL, attended.LOOK = 0.2, 0.05
        # Minutes of time points, and no report of progress in the first of them.
        deck = Deck("long\\nv1 in 0 sin(0 1 1g)\\nr1 in out 1k\\nc1 out 0 1n\\n.save v(out)\\n.tran 1p 1 0 1p\\n")
        try:
            simulate(deck, ["out"])
        except SimulationError as e:
            print(e, attended.free())
    """)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("ngspice stands still")
    assert done.stdout.rstrip().endswith("False")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_forked_process_simulates_as_the_one_that_it_came_from():
    code = textwrap.dedent("""
        import os, signal
        from netlists.spice import Deck, simulate
        deck = Deck("a divider\\nv1 in 0 1\\nr1 in out 1k\\nr2 out 0 1k\\n.save v(out)\\n.tran 1n 10n\\n")
        def level():
            return float(simulate(deck, ["out"])["out"][-1])
        first = level()
        child = os.fork()
        if child == 0:
            # One that waits for a thread of its parent's waits for ever.
            signal.alarm(300)
            os._exit(0 if level() == first else 1)
        raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """)
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
