"""The second runner on the same decks."""

import os

import numpy as np
import pytest

from netlists.converter.blocks import Blocks
from netlists.converter.conversion import conversion_deck
from netlists.converter.converter import Converter
from netlists.converter.transition import transition_deck
from netlists.errors import InputError, SimulationError, ToolkitError
from netlists.ramp.chips import Chips
from netlists.ramp.clock import timing
from netlists.ramp.closed_form import to_input_units, transition_levels
from netlists.ramp.compiler import program_ramp
from netlists.spice.deck import Deck
from netlists.spice.engine import RUNNERS, simulate
from netlists.spice.program import TIME_LIMIT, read_transitions, run_batch, transient_vectors

SPAN = 2e-3


def both_runners(program, circuit, chips, folder, level="macro", cells="selected"):
    guess = transition_levels(program, circuit, chips, first_order=level != "ideal")
    deck = transition_deck(Converter(program, circuit, Blocks(level, cells)), chips, guess, span=SPAN)
    volts, x, bracketed = read_transitions(run_batch(deck.write(folder / "deck.cir")))
    assert bracketed.all()
    data = simulate(deck, ["com", *(f"y{p}{i}" for p in "ab" for i in range(len(chips)))])
    at = timing(program, circuit).latch[:-1]
    a, b = (np.array([np.interp(at, data["time"], data[f"y{p}{i}"] - data["com"]) for i in range(len(chips))]) for p in "ab")
    return volts, x, guess + SPAN * (a + b) / (a - b)


@pytest.mark.parametrize(
    ("bits", "scheme", "level", "cells"),
    [(5, "auto", "macro", "selected"), (4, "differential", "macro", "switch"), (3, "split", "ideal", "selected")],
)
def test_plain_ngspice_prints_the_same_levels(bits, scheme, level, cells, tmp_path, profile, circuit):
    program = program_ramp("sigmoid", bits, profile, scheme=scheme)
    volts, x, shared = both_runners(program, circuit, Chips.nominal(program), tmp_path, level=level, cells=cells)
    np.testing.assert_allclose(volts, shared, rtol=1e-6)
    np.testing.assert_allclose(x, to_input_units(volts, program, circuit), rtol=1e-9, atol=1e-9)


def test_plain_ngspice_on_several_chips(tmp_path, program3, circuit, drawn_chips):
    volts, _, shared = both_runners(program3, circuit, drawn_chips(program3, 5, noise=1e-3), tmp_path)
    assert volts.shape == (5, 7)
    np.testing.assert_allclose(volts, shared, rtol=1e-6)


def test_probes_that_miss_are_printed_as_not_bracketed(tmp_path, program3, circuit):
    chips = Chips.nominal(program3)
    guess = transition_levels(program3, circuit, chips)
    guess[0, 2] += 0.01
    deck = transition_deck(Converter(program3, circuit), chips, guess, span=SPAN)
    _, _, bracketed = read_transitions(run_batch(deck.write(tmp_path / "deck.cir")))
    np.testing.assert_array_equal(np.flatnonzero(~bracketed[0]), [2])


def test_conversions_in_plain_ngspice(tmp_path, program3, circuit):
    chips = Chips.nominal(program3)
    v_mac = transition_levels(program3, circuit, chips)[:, [0, 3, 6]] + 0.02
    printed = run_batch(conversion_deck(Converter(program3, circuit), chips, v_mac).write(tmp_path / "codes.cir"))
    rows = [line.split()[1:] for line in printed.splitlines() if line.startswith("conversion ")]
    assert [round(float(r[3])) for r in rows] == [1, 4, 7]
    np.testing.assert_allclose([float(r[2]) for r in rows], v_mac[0])


def test_a_bad_deck_keeps_what_ngspice_said(tmp_path):
    path = Deck("* bad\nv1 a 0 1\nx1 a 0 nothing_like_it\n.tran 1n 1u\n", "run\nquit").write(tmp_path / "bad.cir")
    with pytest.raises(SimulationError, match=r"ngspice -b bad\.cir failed") as e:
        run_batch(path)
    assert "nothing_like_it" in e.value.ngspice_message or "subckt" in e.value.ngspice_message


def test_a_missing_program_is_named(tmp_path):
    with pytest.raises(ToolkitError, match=r"the program 'ngspice-none' was not found: install it with `apt-get"):
        run_batch(Deck("* t").write(tmp_path / "t.cir"), executable="ngspice-none")


def test_a_run_that_takes_too_long(tmp_path):
    path = Deck("* long\nv1 a 0 sin(0 1 1meg)\nr1 a 0 1k\n.tran 1p 1m\n", "run\nquit").write(tmp_path / "long.cir")
    with pytest.raises(SimulationError, match=r"took longer than 0\.2 s"):
        run_batch(path, timeout=0.2)


@pytest.mark.parametrize("blocks", [Blocks(), Blocks(cells="switch"), Blocks("ideal")])
def test_both_runners_give_the_same_waveforms(blocks, program3, circuit, drawn_chips):
    chips = drawn_chips(program3, 4, noise=1e-3)
    guess = transition_levels(program3, circuit, chips, first_order=blocks.level != "ideal")
    deck = transition_deck(Converter(program3, circuit, blocks), chips, guess, span=SPAN)
    names = ["com", *(f"y{p}{i}" for p in "ab" for i in range(4))]
    shared, batch = (simulate(deck, names, runner=runner) for runner in RUNNERS)
    assert list(shared) == list(batch) == ["time", *names]
    for name in ("time", *names):
        np.testing.assert_allclose(batch[name], shared[name], rtol=0, atol=1e-12)


def test_an_unknown_runner(program3):
    with pytest.raises(InputError, match="runner='remote': unknown; allowed are shared, batch"):
        simulate(Deck("* t"), ["a"], runner="remote")


def test_batch_runner_refuses_what_the_shared_library_refuses():
    good = "v1 a 0 1\nr1 a 0 1k\n.save v(a)\n"
    with pytest.raises(SimulationError, match="did not produce the vector 'b'"):
        simulate(Deck(f"* t\n{good}.tran 1n 1u\n"), ["b"], runner="batch")
    with pytest.raises(SimulationError, match="no transient"):
        simulate(Deck(f"* t\n{good}.op\n"), ["a"], runner="batch")
    with pytest.raises(SimulationError, match="nothing_like_it"):
        simulate(Deck(f"* t\n{good}x1 a 0 nothing_like_it\n.tran 1n 1u\n"), ["a"], runner="batch")


def test_batch_runner_is_killed_in_time():
    deck = Deck("* long\nv1 a 0 sin(0 1 1meg)\nr1 a 0 1k\n.save v(a)\n.tran 1p 1m\n")
    with pytest.raises(SimulationError, match=r"took longer than 0\.2 s"):
        simulate(deck, ["a"], runner="batch", timeout=0.2)


def test_batch_runner_holds_the_settings_and_ignores_the_users(tmp_path, monkeypatch):
    """A variable set in a start-up file decides what `tran` saves; the user's own file must not."""
    (tmp_path / ".spiceinit").write_text("echo the user's file was read\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    deck = Deck("* t\nv1 a 0 1\nr1 a 0 1k\n.save v(a)\n.tran 1n 1u\n", settings=("own_setting=3",))
    data, printed = transient_vectors(deck, ["a"])
    assert data["a"][-1] == 1
    assert "the user's file was read" not in printed


@pytest.mark.parametrize(
    "printed", ["", "transition 0 1 0.9", "transition 0 1 0.9 0.0 1\ntransition 0 3 0.9 0.0 1", "transition a b c d e"]
)
def test_an_incomplete_table_is_refused(printed):
    with pytest.raises(SimulationError, match="ngspice -b printed no "):
        read_transitions(printed)


def test_the_program_runs_where_the_deck_is(tmp_path, monkeypatch):
    fake = tmp_path / "bin" / "ngspice"
    fake.parent.mkdir()
    fake.write_text('#!/bin/sh\necho "$PWD: $*"\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(fake.parent), prepend=os.pathsep)
    assert run_batch(tmp_path / "deck.cir") == f"{tmp_path}: -b deck.cir\n"
    # Transistors on a busy machine take their time.
    assert TIME_LIMIT >= 3600
