import os
import signal
import subprocess
import sys
import textwrap
from contextlib import suppress

import numpy as np
import pytest

from netlists.errors import InputError, SimulationError
from netlists.spice import engine
from netlists.spice.deck import Deck
from netlists.spice.engine import simulate, simulate_draws
from netlists.spice.pyspice import shared_instance

TAU = 1e-6


def rc(value="1k", title="* low pass", extra=""):
    return Deck(f"{title}\nv1 in 0 pulse(0 1 0 1n 1n 1 2)\nr1 in out {value}\nc1 out 0 1n\n{extra}\n.save v(out)\n.tran 5n 3u\n")


def check(data, tau=TAU):
    after = data["time"] > 1e-8
    expected = 1 - np.exp(-data["time"][after] / tau)
    np.testing.assert_allclose(data["out"][after], expected, atol=3e-3)


def test_step_response_of_a_low_pass():
    check(simulate(rc(), ["out"]))


def test_results_outlive_the_next_run():
    first = simulate(rc(), ["out"])
    second = simulate(rc("2k"), ["out"])
    check(first)
    check(second, 2 * TAU)


@pytest.mark.parametrize(
    "bad",
    [
        rc(extra="xfoo out 0 nothing_like_it"),
        rc(extra="m1 out in 0 0 nomodel"),
        rc(extra="b1 out 0 v={nosuch(}"),
        Deck("* empty\n.tran 1n 1u\n"),
    ],
)
def test_a_bad_deck_never_returns_the_previous_circuit(bad):
    check(simulate(rc(), ["out"]))
    with pytest.raises(SimulationError):
        simulate(bad, ["out"])
    check(simulate(rc("2k"), ["out"]), 2 * TAU)


def test_a_refused_deck_keeps_what_ngspice_said():
    with pytest.raises(SimulationError) as e:
        simulate(rc(extra="xfoo out 0 nothing_like_it"), ["out"])
    assert "nothing_like_it" in e.value.ngspice_message


def test_a_missing_vector_is_named():
    with pytest.raises(SimulationError, match="did not produce the vector 'nowhere'"):
        simulate(rc(), ["out", "nowhere"])
    check(simulate(rc(), ["out"]))


def test_a_transient_that_cannot_converge():
    """A negative capacitor with a positive feedback that runs away: ngspice gives up with its own words."""
    stuck = rc(extra="b9 run 0 i={-1e3*exp(40*v(run))}\nc9 run 0 1p\nr9 run out 1k")
    with pytest.raises(SimulationError) as e:
        simulate(stuck, ["out"])
    assert e.value.ngspice_message
    assert str(e.value).endswith(e.value.ngspice_message)
    check(simulate(rc(), ["out"]))


def test_a_title_with_the_word_error_is_no_error():
    check(simulate(rc(title="* error amplifier: error budget"), ["out"]))
    check(simulate(rc(title="error amplifier"), ["out"]))


def test_a_deck_without_transient():
    with pytest.raises(SimulationError, match="transient"):
        simulate(Deck("* op\nv1 a 0 1\nr1 a 0 1k\n.op\n"), ["a"])


@pytest.mark.parametrize("runner", engine.RUNNERS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_a_failure(runner, bad, monkeypatch):
    """ngspice itself rarely lets one through: it is put into what came back."""
    real = engine._problem

    def spoiled(data, stop):
        data["out"][-1] = bad
        return real(data, stop)

    monkeypatch.setattr(engine, "_problem", spoiled)
    with pytest.raises(SimulationError, match="gave out a value that is not finite at 3e-06 s"):
        simulate(rc(), ["out"], runner=runner)


def test_two_hundred_runs_give_the_same_numbers():
    first = simulate(rc(), ["out"])
    for _ in range(200):
        last = simulate(rc(), ["out"])
    np.testing.assert_array_equal(first["out"], last["out"])
    np.testing.assert_array_equal(first["time"], last["time"])


def test_interrupt_during_a_run_arrives_after_it(monkeypatch):
    def interrupted(*args):
        os.kill(os.getpid(), signal.SIGINT)
        return {}

    monkeypatch.setattr(engine, "_run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        simulate(rc(), ["out"])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_interrupt_during_a_run_that_fails_is_not_lost(monkeypatch):
    def interrupted(*args):
        os.kill(os.getpid(), signal.SIGINT)
        raise SimulationError("failed")

    monkeypatch.setattr(engine, "_run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        simulate(rc(), ["out"])


def test_missing_library_is_one_clear_line():
    code = textwrap.dedent("""
        from netlists.spice.deck import Deck
        from netlists.spice.engine import simulate
        from netlists.errors import ToolkitError
        for _ in range(2):
            try:
                simulate(Deck("* t"), ["a"])
            except ToolkitError as e:
                print(e)
    """)
    env = os.environ | {"NGSPICE_LIBRARY_PATH": "/nonexistent/libngspice.so.0"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert len(lines) == 2, done.stderr
    assert lines[0] == lines[1]
    assert "/nonexistent/libngspice.so.0 could not be loaded" in lines[0]
    assert "apt-get install" in lines[0]


def test_nothing_stays_in_ngspice_after_a_run():
    """Neither data nor circuit: both would leak, and a later deck that does not load could return them."""
    for deck in (rc(), rc(extra="xfoo out 0 nothing_like_it")):
        with suppress(SimulationError):
            simulate(deck, ["out"])
        assert shared_instance().plot_names == ["const"]
        shared_instance().exec_command("remcirc")
        assert any("no circuit loaded" in line for line in shared_instance().messages)


def test_a_draw_depends_on_its_seed_alone():
    """Not on what was drawn before it, nor on whether the deck was parsed for it."""
    deck = rc("{r}", extra=".param r = agauss(1k, 300, 1)")
    first, again, other = simulate_draws(deck, ["out"], [7, 8, 7])[0], *simulate_draws(deck, ["out"], [9, 7])[::-1]
    np.testing.assert_array_equal(first["out"], again["out"])
    assert np.abs(np.interp(first["time"], other["time"], other["out"]) - first["out"]).max() > 1e-3


def test_a_deck_with_a_seed_of_its_own_would_never_change():
    with pytest.raises(InputError, match="the deck sets a seed"):
        simulate_draws(rc(extra=".options reltol=1e-3 seed=4"), ["out"], [1])
