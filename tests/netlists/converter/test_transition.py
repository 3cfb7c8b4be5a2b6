"""The converter's decks against closed forms, finer time steps, other cells, and literal conversions."""

import re
from dataclasses import replace

import numpy as np
import pytest

from netlists.converter.blocks import Blocks
from netlists.converter.cards import TIGHT_OPTIONS
from netlists.converter.conversion import conversion_deck
from netlists.converter.converter import Converter
from netlists.converter.transition import transition_deck
from netlists.errors import InputError
from netlists.outside.subcircuit import UserSubcircuit
from netlists.ramp.chips import Chips
from netlists.ramp.clock import tick_times, timing
from netlists.ramp.closed_form import to_input_units, to_volts, transition_levels
from netlists.ramp.compensation import compensate
from netlists.ramp.compiler import program_ramp
from netlists.spice.deck import Deck
from netlists.spice.engine import simulate
from netlists.spice.waveforms import pulses, pwl, pwl_texts, stairs, time_functions
from netlists.technology.parameters import RampCircuit

SPAN = 2e-3
# Largest |T - x_k| at level ideal, any of the programs below: 8.5e-5 LSB measured.
IDEAL = 1e-3


def levels_of(deck, program, circuit, n, guess, span=SPAN):
    """Transition levels (volts) from a transition deck, read the plain way: the probes must bracket."""
    data = simulate(deck, ["com", *(f"y{p}{i}" for i in range(n) for p in "ab")])
    at = timing(program, circuit).latch[:-1]
    out = np.empty((n, len(program.x)))
    for i in range(n):
        a, b = (np.interp(at, data["time"], data[f"y{p}{i}"] - data["com"]) for p in "ab")
        assert np.all(a > 0)
        assert np.all(b < 0)
        out[i] = guess[i] + span * (a + b) / (a - b)
    return out


def measured(program, circuit, chips, *, level="macro", cells="selected", change=lambda text: text, tight=False):
    guess = transition_levels(program, circuit, chips, first_order=level == "macro")
    deck = transition_deck(Converter(program, circuit, Blocks(level, cells)), chips, guess, span=SPAN, tight=tight)
    return levels_of(Deck(change(deck.circuit)), program, circuit, len(chips), guess)


def in_lsb(volts, program, circuit):
    return volts / program.volts_per_unit(circuit) / program.lsb


CASES = [(a, b, "auto") for a in ("sigmoid", "tanh") for b in (3, 4, 5)] + [
    (a, 4, s) for a in ("sigmoid", "tanh") for s in ("pulse", "hrs", "differential", "split")
]


@pytest.mark.parametrize(("activation", "bits", "scheme"), CASES)
def test_level_ideal_reproduces_the_thresholds(activation, bits, scheme, profile, circuit):
    program = program_ramp(activation, bits, profile, scheme=scheme)
    volts = measured(program, circuit, Chips.nominal(program), level="ideal")
    error = (to_input_units(volts, program, circuit) - program.x) / program.lsb
    assert np.abs(error).max() < IDEAL


@pytest.mark.parametrize("name", ["softsign", "softplus", "elu", "selu", "identity"])
def test_level_ideal_of_the_other_activations(name, profile, circuit):
    program = program_ramp(name, 3, profile)
    volts = measured(program, circuit, Chips.nominal(program), level="ideal")
    assert np.abs((to_input_units(volts, program, circuit) - program.x) / program.lsb).max() < IDEAL


@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
def test_level_macro_agrees_with_the_closed_form(activation, profile, circuit):
    fast = circuit.with_(gbw=1e9, a0=1e4, c_inject=0.5e-15)
    for operated, plain in ((circuit, 1.0), (fast, 0.15)):
        program = compensate(program_ramp(activation, 5, profile), operated, profile)
        chips = Chips.nominal(program)
        volts = measured(program, operated, chips)
        for first_order, tolerance in ((False, plain), (True, 0.005)):
            rest = volts - transition_levels(program, operated, chips, first_order=first_order)
            assert np.abs(in_lsb(rest, program, operated)).max() < tolerance
        assert np.abs((to_input_units(volts, program, operated) - program.x) / program.lsb).max() < 0.005


def test_drawn_chips_agree_with_the_closed_form(program3, circuit, drawn_chips):
    chips = drawn_chips(program3, 8, noise=1e-3)
    rest = measured(program3, circuit, chips) - transition_levels(program3, circuit, chips)
    assert np.abs(in_lsb(rest, program3, circuit)).max() < 0.005


def finer(text):
    """The same deck with steps of at most 50 ps."""
    assert TIGHT_OPTIONS in text
    text = text.replace(TIGHT_OPTIONS, ".options reltol=1e-6 abstol=1e-12 trtol=1")
    return re.sub(r"^\.tran \S+ (\S+) 0 \S+", r".tran 0.05n \1 0 0.05n", text, flags=re.MULTILINE)


@pytest.mark.parametrize("scheme", ["pulse", "differential"])
def test_time_steps_are_fine_enough(scheme, profile, circuit, drawn_chips):
    """Against a fine transient of the waveforms with all their edges."""
    program = program_ramp("sigmoid", 4, profile, scheme=scheme)
    chips = drawn_chips(program, 2, noise=1e-3)
    fine = measured(program, circuit, chips, change=finer, tight=True)
    for tight, most in ((False, 2e-3), (True, 1e-3)):
        assert np.abs(in_lsb(measured(program, circuit, chips, tight=tight) - fine, program, circuit)).max() < most


def test_slow_edges_are_simulated_as_they_are(profile, drawn_chips):
    """An op-amp that follows its output only after a nanosecond sees whether a cell turns on at once."""
    slow = RampCircuit(t_edge=1e-9, t_aperture=0.2e-9)
    program = program_ramp("sigmoid", 4, profile)
    chips = drawn_chips(program, 2)
    fine = measured(program, slow, chips, change=finer, tight=True)
    assert np.abs(in_lsb(measured(program, slow, chips) - fine, program, slow)).max() < 0.01


@pytest.mark.parametrize("scheme", ["pulse", "hrs", "differential", "split"])
def test_every_tick_has_a_time_point(scheme, profile, circuit, drawn_chips):
    program = program_ramp("sigmoid", 4, profile, scheme=scheme)
    chips = drawn_chips(program, 3)
    guess = transition_levels(program, circuit, chips)
    time = simulate(transition_deck(Converter(program, circuit), chips, guess, span=SPAN), ["com"])["time"]
    ticks = tick_times(program, circuit)
    assert np.abs(time[:, None] - ticks).min(axis=0).max() < 1e-15
    clock = timing(program, circuit)
    for edge in (clock.slot_start, clock.step_start):
        assert np.abs(ticks[:, None] - edge).min(axis=0).max() < 1e-15


def test_commands_are_left_out_on_request(program3, circuit):
    guess = np.full((1, 7), 0.9)
    whole, bare = (
        transition_deck(Converter(program3, circuit), Chips.nominal(program3), guess, span=SPAN, control=c) for c in (True, False)
    )
    assert bare.control == ""
    a, b = (re.sub(r"^\.tran (\S+) \S+", r".tran \1", deck.circuit, flags=re.MULTILINE) for deck in (whole, bare))
    assert a == b


def test_selected_and_switched_cells_give_the_same_levels(profile, circuit, drawn_chips):
    # ngspice's first time step in a switch's edge sees half of it: 0.0017 LSB measured (pulse), 0.0004-0.0006 (others).
    for level in ("ideal", "macro"):
        for scheme in ("pulse", "hrs", "differential", "split"):
            program = program_ramp("sigmoid", 4, profile, scheme=scheme)
            chips = drawn_chips(program, 2)
            a, b = (measured(program, circuit, chips, level=level, cells=cells) for cells in ("selected", "switch"))
            assert np.abs(in_lsb(a - b, program, circuit)).max() < 3e-3, (level, scheme)


@pytest.mark.parametrize("level", ["ideal", "macro"])
def test_comparator_text_decides_the_levels(level, program3, circuit, drawn_chips):
    """An offset of +1 mV on the comparator's ramp input lets it trip 1 mV higher: every level moves by +1 mV."""
    chips = drawn_chips(program3, 2)

    def changed(text):
        new = text.replace("+v_os)", "+v_os+1m)", 1)
        assert new != text
        return new

    def comparator(text):
        head, name, rest = text.partition(f".subckt comparator_{level}")
        return head + name + changed(name + rest)[len(name) :]

    how = {"level": level, "tight": True}
    moved = measured(program3, circuit, chips, change=comparator, **how) - measured(program3, circuit, chips, **how)
    np.testing.assert_allclose(moved, 1e-3, atol=1e-9 if level == "ideal" else 4e-5)


@pytest.mark.parametrize("offset", [1e-3, -1e-3])
def test_comparator_offset_parameter_moves_every_level(offset, program3, circuit):
    chips = Chips.nominal(program3)
    # The probes stay where they were, so that ngspice alone can move the answer.
    guess = transition_levels(program3, circuit, chips)
    other = circuit.with_(comparator_offset=offset)
    how = {"span": SPAN, "tight": True}
    a = levels_of(transition_deck(Converter(program3, circuit), chips, guess, **how), program3, circuit, 1, guess)
    b = levels_of(transition_deck(Converter(program3, other), chips, guess, **how), program3, other, 1, guess)
    np.testing.assert_allclose(b - a, offset, atol=4e-5)


def test_chip_offset_and_noise_move_the_levels_they_belong_to(program3, circuit):
    nominal = Chips.nominal(program3)
    noise = 1e-3 * np.arange(8.0)[None]
    volts = measured(program3, circuit, replace(nominal, comparator_offset=np.array([2e-3]), comparator_noise=noise))
    np.testing.assert_allclose(volts - measured(program3, circuit, nominal), 2e-3 + noise[:, :-1], atol=5e-6)


def test_opamp_offset_moves_ramp_and_read_voltage(program3, circuit):
    """Cells that are off draw nothing: 2 mV of offset give 2 mV and 1 % of each step, not V_os times all cells."""
    shifted = replace(Chips.nominal(program3), opamp_offset=np.array([2e-3]))
    volts = measured(program3, circuit, shifted, level="ideal")
    scale = program3.volts_per_unit(circuit)
    up = program3.polarity > 0
    charge = program3.conductance * program3.width / program3.unit_charge
    lifted = np.array([charge[up & (program3.step <= k)].sum() for k in range(1, 8)])
    lowered = np.array([charge[~up & (program3.step <= k)].sum() for k in range(1, 8)])
    expected = 0.9 + 2e-3 + scale * (lifted * (1 + 0.01) - lowered * (1 - 0.01))
    np.testing.assert_allclose(volts[0], expected, atol=5e-6)


def test_measured_levels_agree_with_literal_conversions(program3, circuit, drawn_chips):
    """A constant V_mac just below level k gives code k - 1, just above it code k."""
    chips = drawn_chips(program3, 2)
    levels = measured(program3, circuit, chips)
    assert np.all(np.diff(levels) > 0)
    margin = 0.02 * program3.lsb * program3.volts_per_unit(circuit)
    v_mac = np.concatenate([levels - margin, levels + margin], axis=1)
    data = simulate(
        conversion_deck(Converter(program3, circuit), chips, v_mac), [f"code{i}_{j}" for i in range(2) for j in range(14)]
    )
    codes = np.array([[data[f"code{i}_{j}"][-1] for j in range(14)] for i in range(2)])
    np.testing.assert_allclose(codes, np.round(codes), atol=0.1)
    expected = np.concatenate([np.arange(7), np.arange(1, 8)])
    np.testing.assert_array_equal(np.rint(codes), [expected, expected])


@pytest.mark.parametrize("cells", ["selected", "switch"])
def test_inputs_beyond_the_ramp_give_the_outermost_codes(cells, program3, circuit):
    v_mac = to_volts(np.array([[program3.x[0] - 3, program3.x[-1] + 3]]), program3, circuit)
    data = simulate(
        conversion_deck(Converter(program3, circuit, Blocks(cells=cells)), Chips.nominal(program3), v_mac), ["code0_0", "code0_1"]
    )
    assert [round(data[n][-1]) for n in ("code0_0", "code0_1")] == [0, 7]


def test_pulse_area_is_exact():
    t, v = pulses(np.array([1.0, 3.0]), np.array([1.7, 3.2]), np.array([2.0, 5.0]), 0.1)
    assert np.trapezoid(v, t) == pytest.approx(2.0 * 0.7 + 5.0 * 0.2)
    assert v[0] == v[-1] == 0


def test_stairs_hold_the_value_before_each_edge():
    t, v = stairs(np.array([1.0, 2.0]), np.array([3.0, 4.0]), 0.1)
    np.testing.assert_allclose(np.interp([0.5, 1.5, 2.05, 2.5], t, v), [3.0, 3.0, 3.5, 4.0])


def test_long_pwl_stays_below_the_line_limit():
    text = pwl(np.arange(1000) * 1e-9, np.random.default_rng(0).standard_normal(1000))
    assert max(map(len, text.splitlines())) < 1000


def test_sources_share_their_times():
    """Each row of a table of waveforms is the text of that waveform alone."""
    rng = np.random.default_rng(1)
    start = np.array([1.0, 3.0, 5.0])
    height = rng.standard_normal((4, 3))
    for times, values in (pulses(start, start + 1, height, 0.1), stairs(start, height, 0.1)):
        assert values.shape == (4, len(times))
        assert pwl_texts(times, values) == [pwl(times, row) for row in values]
    for row, h in zip(stairs(start, height, 0.1)[1], height, strict=True):
        np.testing.assert_array_equal(row, stairs(start, h, 0.1)[1])


def test_a_time_function_is_the_pwl_source():
    """In ngspice, up to and beyond the last breakpoint, next to a PWL source that sets the time points."""
    times, values = pulses(np.array([1e-6, 3e-6]), np.array([1.5e-6, 4e-6]), np.array([2.0, -1.0]), 1e-8)
    (function,) = time_functions(times, values[None])
    deck = Deck(f"* both\nv1 a 0 {pwl(times, values)}\nb1 b 0 v={function}\n.save v(a) v(b)\n.tran 10n 6u 0 10n\n")
    data = simulate(deck, ["a", "b"])
    np.testing.assert_allclose(data["b"], data["a"], atol=1e-9)
    np.testing.assert_allclose(data["a"], np.interp(data["time"], times, values), atol=1e-9)


def test_edges_that_overlap_are_refused():
    with pytest.raises(InputError, match="two clock edges overlap at 1 s"):
        pwl(np.array([0.0, 2.0, 1.0]), np.zeros(3))


def test_no_line_of_a_deck_is_cut(profile, circuit):
    program = program_ramp("sigmoid", 5, profile)
    chips = Chips.nominal(program, 16)
    deck = transition_deck(Converter(program, circuit), chips, transition_levels(program, circuit, chips), span=SPAN)
    assert max(map(len, deck.text.splitlines())) < 1000


def test_timing(program3, circuit):
    clock = timing(program3, circuit)
    assert np.all(np.diff(clock.slot_end) > 0)
    np.testing.assert_allclose(clock.slot_start[1:], clock.slot_end[:-1])
    np.testing.assert_allclose(clock.latch[-1], clock.slot_end[-1] - circuit.t_aperture)
    assert clock.slot_end[-1] == pytest.approx(program3.conversion_time(circuit))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("conductance", np.ones((2, 3)), r"conductance: has shape \(2, 3\), must be numbers of shape \(2, 13\)"),
        ("conductance", np.zeros((2, 13)), r"conductance\[0, 0\]=0.0: must be a finite number above 0 \(S\)"),
        ("opamp_offset", np.zeros(3), r"opamp_offset: has shape \(3,\), must be numbers of shape \(2,\)"),
        ("comparator_offset", np.array([0.0, np.nan]), r"comparator_offset\[1\]=nan"),
        ("comparator_noise", np.zeros((2, 7)), r"comparator_noise: has shape \(2, 7\), must be numbers of shape \(2, 8\)"),
    ],
)
def test_bad_chips(field, value, message, program3, circuit):
    chips = replace(Chips.nominal(program3, 2), **{field: value})
    with pytest.raises(InputError, match=message):
        conversion_deck(Converter(program3, circuit), chips, np.full((2, 1), 0.9))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"guess": np.zeros((1, 6))}, r"guess: has shape \(1, 6\), must be numbers of shape \(1, 7\)"),
        ({"span": 0.0}, "span=0.0: must be a finite number above 0"),
    ],
)
def test_bad_options(options, message, program3, circuit):
    good = {"guess": np.full((1, 7), 0.9), "span": SPAN}
    with pytest.raises(InputError, match=message):
        transition_deck(Converter(program3, circuit), Chips.nominal(program3), **(good | options))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"level": "sky"}, "level='sky': unknown"), ({"cells": "mos"}, "cells='mos': unknown; allowed are selected, switch")],
)
def test_bad_blocks(options, message):
    with pytest.raises(InputError, match=message):
        Blocks(**options)


@pytest.mark.parametrize("v_mac", [np.zeros(3), np.zeros((2, 3))])
def test_bad_inputs_of_conversions(v_mac, program3, circuit):
    with pytest.raises(InputError, match=r"v_mac: .* must be numbers of shape \(1, m\)"):
        conversion_deck(Converter(program3, circuit), Chips.nominal(program3), v_mac)


def test_edges_longer_than_the_shortest_pulse(profile):
    program, slow = program_ramp("sigmoid", 5, profile), RampCircuit(t_edge=3e-9)
    with pytest.raises(InputError, match=r"t_edge=3e-09 s: the shortest select pulse, 4e-09 s, must be at least twice as long"):
        transition_deck(Converter(program, slow), Chips.nominal(program), np.full((1, 31), 0.9), span=SPAN)


def test_held_probes_of_a_clocked_comparator_have_ramps_of_their_own(program3, circuit):
    """It kicks the ramp that it sees: probes on one ramp would move one another's levels."""
    head = ".subckt mine inp inn out {}\nb1 out 0 v={{1.8*(v(inp)>v(inn))}}\n.ends\n"
    chips = Chips(np.stack([program3.conductance, 1.01 * program3.conductance]), np.array([0.0, 1e-3]), np.zeros(2))
    guess = np.full((2, len(program3.x)), circuit.v_cm)
    for port, ramps in (("clk", 2 * 2 * len(program3.x)), ("com", 2)):
        own = UserSubcircuit("mine", head.format(port), ("inp", "inn", "out", port), ())
        text = transition_deck(Converter(program3, circuit, Blocks(comparator=own)), chips, guess, span=1e-3, held=True).text
        assert len(re.findall(r"^Xint\d+ ", text, re.MULTILINE)) == ramps
        seen = re.findall(r"^(?!Xint).*\b(ramp\d+)\b", text, re.MULTILINE)
        assert len(seen) == 2 * 2 * len(program3.x)
        assert len(set(seen)) == ramps
