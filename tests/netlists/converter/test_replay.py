"""Many columns on one ramp: against the ramp's measured levels, the closed form of a tile, and ngspice -b."""

from dataclasses import replace

import numpy as np
import pytest

from netlists.array.crossbar import Crossbar
from netlists.array.pairs import weights_to_pairs
from netlists.array.pwm import Pwm
from netlists.converter import Converter, replay as replayed
from netlists.converter.blocks import Blocks
from netlists.converter.conversion import conversion_deck
from netlists.converter.replay import ColumnCharge, Replay, replay_deck, saved_vectors
from netlists.converter.tile import ColumnGroup, Tile
from netlists.converter.tile_reference import mac_voltages
from netlists.errors import InputError, SimulationError
from netlists.ramp.chips import Chips
from netlists.ramp.closed_form import to_volts, transition_levels
from netlists.ramp.compiler import program_ramp
from netlists.spice.deck import Deck
from netlists.spice.engine import simulate
from netlists.technology.parameters import RampCircuit
from netlists.technology.profile import load_profile

PROGRAM = program_ramp("sigmoid", 3, load_profile("taox-100-400"))
CIRCUIT = RampCircuit()
RAMP = Chips(PROGRAM.conductance[None] * 1.01, np.array([1e-3]), np.zeros(1))


def run(replay, *, counters, runner="shared", tight=False):
    deck = replay_deck(Converter(PROGRAM, CIRCUIT), RAMP, replay, counters=counters, tight=tight)
    data = simulate(deck, saved_vectors(len(replay), counters=counters), runner)
    return replayed.codes(Converter(PROGRAM, CIRCUIT), data, replay, counters=counters)


@pytest.fixture(scope="module")
def bank():
    """Inputs, offsets and noise of converters, and the codes that the closed form expects; none within 3 mV of a level."""
    rng = np.random.default_rng(3)
    m = 24
    offset, noise = rng.normal(0, 7e-3, m), rng.normal(0, 4e-3, (m, PROGRAM.n_steps))
    levels = transition_levels(PROGRAM, CIRCUIT, RAMP)[0] + offset[:, None] + noise[:, :-1]
    v = to_volts(rng.uniform(PROGRAM.x[0] - 0.5, PROGRAM.x[-1] + 0.5, m), PROGRAM, CIRCUIT)
    good = np.abs(v[:, None] - levels).min(axis=1) > 3e-3
    assert good.sum() > 12
    expected = np.sum(v[good][:, None] > np.maximum.accumulate(levels[good], axis=1), axis=1)
    return Replay(v[good], offset[good], noise[good]), expected


@pytest.mark.parametrize("counters", [True, False])
def test_codes_are_those_of_the_levels_offset_and_noise(bank, counters):
    replay, expected = bank
    np.testing.assert_array_equal(run(replay, counters=counters), expected)


def test_the_other_deck_of_conversions_gives_the_same_codes(bank):
    """Without noise a column's offset is the same as an input that lies lower by it."""
    replay, _ = bank
    quiet = replace(replay, noise=None)
    data = simulate(
        conversion_deck(Converter(PROGRAM, CIRCUIT), RAMP, (quiet.v_mac - quiet.offset)[None]),
        [f"code0_{j}" for j in range(len(quiet))],
    )
    other = [round(data[f"code0_{j}"][-1]) for j in range(len(quiet))]
    np.testing.assert_array_equal(run(quiet, counters=False), other)


def test_the_second_runner_and_short_steps_give_the_same_codes(bank):
    replay, expected = bank
    few = Replay(replay.v_mac[:6], replay.offset[:6], replay.noise[:6])
    np.testing.assert_array_equal(run(few, counters=False, runner="batch"), expected[:6])
    np.testing.assert_array_equal(run(few, counters=False, tight=True), expected[:6])


def tile():
    rng = np.random.default_rng(5)
    profile = load_profile("taox-100-400")
    pairs = weights_to_pairs(rng.normal(0, 1, (7, 3)), profile, layout="rows")
    g = profile.programmed(pairs.conductance, rng)
    group = ColumnGroup(PROGRAM, (0, 1, 2))
    return Tile(Crossbar(g, r_row=0, r_col=0), pairs.scale, (group,), pwm=Pwm(n_in=4), opamp_offset=rng.normal(0, 2e-3, 3))


def charge(t, codes):
    g = t.crossbar.conductance
    units = np.arange(1, t.pwm.max_code + 1)
    on = np.sign(codes)[None] * (np.abs(codes)[None] >= units[:, None])
    current = t.circuit.v_read * (on @ (g[0::2] - g[1::2])).T
    closed, start, opened = t.mac_window()
    return ColumnCharge(
        current, g.sum(axis=0), t.feedback_capacitance(), t.opamp_offset, t.r_hold, closed, start, opened, t.pwm.t_unit, t.autozero
    )


@pytest.mark.parametrize("tight", [False, True])
def test_integrated_charge_is_that_of_the_tile_in_closed_form(tight):
    t = tile()
    codes = np.array([3, -2, 0, 7, -7, 1, 2])
    replay = Replay(charge(t, codes), np.zeros(3))
    nodes = ["mac0", "mac1", "mac2"]
    deck = replay_deck(Converter(PROGRAM, CIRCUIT), RAMP, replay, counters=False, tight=tight, save=nodes)
    data = simulate(deck, ["com", *nodes])
    v = [np.interp(t.mac_window()[2] + CIRCUIT.t_settle, data["time"], data[n]) for n in nodes]
    # The closed form leaves slewing and the hold switch's charge out.
    np.testing.assert_allclose(v, mac_voltages(t, codes, array="ideal"), atol=2e-3)


def test_codes_of_integrated_charge_are_those_of_their_voltage():
    t = tile()
    codes = np.array([3, -2, 0, 7, -7, 1, 2])
    v = mac_voltages(t, codes, array="ideal")
    levels = transition_levels(PROGRAM, CIRCUIT, RAMP)[0]
    assert np.abs(v[:, None] - levels).min() > 3e-3
    replay = Replay(charge(t, codes), np.zeros(3))
    for counters in (False, True):
        np.testing.assert_array_equal(run(replay, counters=counters), np.searchsorted(levels, v))


def test_a_counter_between_two_codes_is_an_error():
    replay = Replay(np.array([0.9]), np.zeros(1))
    with pytest.raises(SimulationError, match=r"the counter code0 ended at 2\.4: not a code of 3 bits"):
        replayed.codes(Converter(PROGRAM, CIRCUIT), {"code0": np.array([0.0, 2.4])}, replay, counters=True)


@pytest.mark.parametrize(
    ("replay", "message"),
    [
        (Replay(np.array([0.9]), np.zeros(2)), r"v_mac: has shape \(1,\), must be numbers of shape \(2,\)"),
        (Replay(np.zeros(0), np.zeros(0)), r"offset: has shape \(0,\)"),
        (Replay(np.array([0.9]), np.zeros(1), np.zeros((1, 2))), r"noise: has shape \(1, 2\), must be numbers of shape \(1, 8\)"),
    ],
)
def test_bad_shapes_are_named(replay, message):
    with pytest.raises(InputError, match=message):
        replay_deck(Converter(PROGRAM, CIRCUIT), RAMP, replay)


def test_what_cannot_be_simulated_is_refused():
    replay = Replay(np.array([0.9]), np.zeros(1))
    with pytest.raises(InputError, match="comparators' decisions"):
        replay_deck(Converter(PROGRAM, CIRCUIT, Blocks("sky130")), RAMP, replay)
    with pytest.raises(InputError, match="holds 2 chips"):
        replay_deck(Converter(PROGRAM, CIRCUIT), Chips.nominal(PROGRAM, 2), replay)


def test_the_deck_is_text_that_runs_by_itself():
    deck = replay_deck(Converter(PROGRAM, CIRCUIT), RAMP, Replay(np.array([0.9]), np.zeros(1)))
    assert isinstance(deck, Deck)
    assert ".tran" in deck.circuit
    assert max(map(len, deck.text.splitlines())) < 1000


@pytest.mark.slow
def test_transistors_tell_the_side_of_inputs_well_away_from_a_level():
    blocks = Blocks("sky130")
    v = to_volts(0.5 * (PROGRAM.x[1:4] + PROGRAM.x[2:5]), PROGRAM, CIRCUIT)
    replay = Replay(v, np.zeros(3))
    data = simulate(
        replay_deck(Converter(PROGRAM, CIRCUIT, blocks), Chips.nominal(PROGRAM), replay, counters=False),
        saved_vectors(3, counters=False),
    )
    np.testing.assert_array_equal(replayed.codes(Converter(PROGRAM, CIRCUIT, blocks), data, replay, counters=False), [2, 3, 4])
