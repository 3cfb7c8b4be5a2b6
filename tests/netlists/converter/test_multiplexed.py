"""Conversions in turns on few comparators, against the same ones with a comparator each."""

from dataclasses import replace

import numpy as np
import pytest

from netlists.converter import (
    Blocks,
    Converter,
    Replay,
    can_multiplex,
    multiplexed_codes,
    multiplexed_deck,
    multiplexed_vectors,
    replay_deck,
    saved_vectors,
    turns,
)
from netlists.converter.multiplexed import NEAR
from netlists.converter.replay import UNDECIDED, ColumnCharge, codes
from netlists.errors import InputError, SimulationError
from netlists.ramp.chips import Chips
from netlists.ramp.closed_form import transition_levels
from netlists.ramp.compiler import program_ramp
from netlists.spice.engine import simulate
from netlists.technology.parameters import RampCircuit
from netlists.technology.profile import load_profile

PROGRAM = program_ramp("sigmoid", 5, load_profile("taox-100-400"))
CONVERTER = Converter(PROGRAM)
RAMP = Chips(PROGRAM.conductance[None] * 1.01, np.array([1e-3]), np.array([2e-3]))
N = len(PROGRAM.x)


def in_turns(replay, passed, converter=CONVERTER):
    own = turns(passed, N)
    return own, simulate(multiplexed_deck(converter, RAMP, replay, own), multiplexed_vectors(own))


@pytest.fixture(scope="module")
def bank():
    """Inputs from below the ramp to above it, a third of them within 2 mV of a level; levels that they are foretold to pass."""
    rng = np.random.default_rng(3)
    levels, m = transition_levels(PROGRAM, CONVERTER.circuit, RAMP)[0], 1200
    offset = rng.normal(0, 7e-3, m)
    v = rng.uniform(levels[0] - 0.05, levels[-1] + 0.05, m)
    v[:400] = rng.choice(levels, 400) + rng.uniform(-2e-3, 2e-3, 400)
    return Replay(v + offset, offset), np.searchsorted(levels, v)


@pytest.fixture(scope="module")
def apart(bank):
    """Codes of comparators that have their inputs from the start."""
    replay, out = bank[0], []
    for rows in np.array_split(np.argsort(replay.v_mac - replay.offset), 12):
        some = Replay(replay.v_mac[rows], replay.offset[rows])
        data = simulate(replay_deck(CONVERTER, RAMP, some, counters=False), saved_vectors(len(rows), counters=False))
        out.append((rows, codes(CONVERTER, data, some, counters=False)))
    rows, found = (np.concatenate(part) for part in zip(*out, strict=True))
    return found[np.argsort(rows)]


def test_codes_are_those_of_comparators_with_one_input_each(bank, apart):
    own, data = in_turns(*bank)
    told = multiplexed_codes(CONVERTER, data, own)
    shown = told.codes != UNDECIDED
    assert own.comparators < 300
    assert shown.mean() > 0.9
    # The closed form foretells: it is off where inputs are near to a level.
    assert set(apart) == set(range(32))
    assert 0 < told.near.sum() < 50
    sure = shown & ~told.near
    np.testing.assert_array_equal(told.codes[sure], apart[sure])


@pytest.mark.parametrize("moved", [1, -1, 2, -5, None])
def test_a_wrong_forecast_never_gives_a_wrong_code(bank, apart, moved):
    replay = bank[0]
    passed = np.random.default_rng(1).integers(0, N + 1, len(apart)) if moved is None else np.clip(apart + moved, 0, N)
    own, data = in_turns(replay, passed)
    told = multiplexed_codes(CONVERTER, data, own)
    shown = told.codes != UNDECIDED
    assert (~shown).mean() > (0.3 if moved is None or moved < 0 else 0.02)
    np.testing.assert_array_equal(told.codes[shown & ~told.near], apart[shown & ~told.near])


def test_turns_are_apart_and_as_few_comparators_as_there_can_be():
    for seed, m in ((0, 1), (1, 40), (2, 400)):
        passed = np.random.default_rng(seed).binomial(N, 0.6, m)
        passed[0] = N
        own = turns(passed, N)
        held = np.zeros((own.comparators, N), int)
        needed = np.zeros(N, int)
        for p, c, begin, end in zip(passed, own.comparator, own.begin, own.end, strict=True):
            assert begin <= max(p - 1, 0)
            assert end == min(p, N - 1)
            held[c, begin : end + 1] += 1
            needed[max(p - 1, 0) : end + 1] += 1
        assert held.max() == 1
        assert own.comparators == needed.max()


def test_what_a_transient_does_not_show_has_no_code():
    """Waveforms made by hand: two conversions on one comparator, at steps 0..4 and 5..6."""
    replay = Replay(np.array([0.5, 0.6]), np.zeros(2))
    own = replace(turns(np.array([4, 6]), N), comparator=np.array([0, 0]), begin=np.array([0, 5]))
    circuit, at = CONVERTER.circuit, CONVERTER.clock.latch[:7]
    time = np.union1d(np.concatenate([[0.0], *CONVERTER.select, CONVERTER.clock.step_start]), np.append(at, at[-1] + 1e-9))
    good, ramp = np.array([-1, -1, -1, -1, 1, -1, 1]) * 0.5, np.linspace(0.4, 0.6, 7)

    def told(y, level=ramp, keep=slice(None)):
        data = {"time": time, "ramp": np.interp(time, at, level), "com": np.full(len(time), circuit.v_cm)}
        data["y0"] = circuit.v_cm + np.array(y)[np.minimum(np.searchsorted(at, time - 1e-15), 6)]
        return multiplexed_codes(CONVERTER, {name: wave[keep] for name, wave in data.items()}, own)

    def changed(step, value):
        return np.where(np.arange(7) == step, value, good)

    np.testing.assert_array_equal(told(good).codes, PROGRAM.codes[[4, 6]])
    assert not told(good).near.any()
    # Tripped at the first step of its turn; not at the last; as high a ramp before.
    assert told(changed(5, 0.5)).codes.tolist() == [PROGRAM.codes[4], UNDECIDED]
    assert told(changed(6, -0.5)).codes.tolist() == [PROGRAM.codes[4], UNDECIDED]
    assert told(changed(4, -0.5)).codes.tolist() == [UNDECIDED, PROGRAM.codes[6]]
    assert told(good, np.where(np.arange(7) == 2, 0.7, ramp)).codes.tolist() == [PROGRAM.codes[4], UNDECIDED]
    # One that trips earlier than foretold within its turn has that code; a small output is near.
    assert told(changed(2, 0.5)).codes.tolist() == PROGRAM.codes[[2, 6]].tolist()
    small = 0.5 * NEAR * circuit.comparator_gain
    assert told(changed(5, -small)).near.tolist() == told(changed(6, small)).near.tolist() == [False, True]
    assert told(changed(1, -small)).near.tolist() == [False, False]
    # Of the time points only that at a clock edge counts.
    edge = int(np.argmin(np.abs(time - CONVERTER.select[0][3])))
    with pytest.raises(SimulationError, match="stepped over the clock edge"):
        told(good, keep=np.arange(len(time)) != edge)
    assert len(replay) == 2


def test_what_takes_a_comparator_of_its_own_is_refused(bank):
    replay, passed = bank
    few = Replay(replay.v_mac[:3], replay.offset[:3])
    own = turns(passed[:3], N)
    with pytest.raises(InputError, match="held inputs without noise"):
        multiplexed_deck(CONVERTER, RAMP, replace(few, noise=np.zeros((3, PROGRAM.n_steps))), own)
    charge = ColumnCharge(np.zeros((3, 4)), np.ones(3), np.ones(3), np.zeros(3), 1e3, 1e-9, 2e-9, 3e-9, 1e-10)
    with pytest.raises(InputError, match="held inputs without noise"):
        multiplexed_deck(CONVERTER, RAMP, replace(few, v_mac=charge), own)
    slow = Converter(PROGRAM, RampCircuit(comparator_tau=4e-9))
    for converter in (slow, Converter(PROGRAM, blocks=Blocks("sky130"))):
        assert not can_multiplex(converter)
        with pytest.raises(InputError, match="take turns"):
            multiplexed_deck(converter, RAMP, few, own)
    assert can_multiplex(CONVERTER)
    assert can_multiplex(Converter(PROGRAM, blocks=Blocks("ideal")))
