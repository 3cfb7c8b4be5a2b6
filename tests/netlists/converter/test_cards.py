"""Every deck of a converter takes every block or says why not; a user's comparator and cells with switches give the same codes."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from netlists.array.pwm import Pwm
from netlists.converter import replay as replayed
from netlists.converter.blocks import MACRO, Blocks
from netlists.converter.conversion import conversion_deck
from netlists.converter.converter import Converter
from netlists.converter.counter import latch_clocks
from netlists.converter.replay import ColumnCharge, Replay, replay_deck, saved_vectors
from netlists.converter.tile import Tile
from netlists.converter.tile_deck import convert, tile_deck
from netlists.converter.transition import transition_deck
from netlists.errors import InputError
from netlists.outside.subcircuit import UserSubcircuit
from netlists.ramp.chips import Chips
from netlists.ramp.closed_form import to_volts
from netlists.ramp.compiler import program_ramp
from netlists.spice.deck import subcircuit
from netlists.spice.engine import simulate
from netlists.technology.parameters import RampCircuit
from netlists.technology.profile import load_profile
from netlists.testbench.column import comparator_step_deck, decision_deck, integrator_pulse_deck, offset_ramp_deck, triangle_deck
from netlists.testbench.energy import mac_bench, ramp_bench

PROFILE = load_profile("taox-100-400")
PROGRAM = program_ramp("sigmoid", 2, PROFILE)
CIRCUIT = RampCircuit()
CHIP = Chips.nominal(PROGRAM)
PORTS = ("inp", "inn", "out", "com")


def own(kind: str) -> UserSubcircuit:
    """The macro-model under a name of the user's."""
    text = subcircuit(f"{kind}_macro").replace(f"{kind}_macro", f"my_{kind}")
    params = tuple(re.findall(r"(\w+)=", next(line for line in text.splitlines() if line.startswith(".subckt"))))
    return UserSubcircuit(f"my_{kind}", text, PORTS, params)


HARD = UserSubcircuit(
    "mine", ".subckt mine inn com out inp vdd\nb1 out com v={0.9*tanh(5e3*(v(inp)-v(inn)))}\nr1 vdd com 1e9\n.ends mine\n",
    ("inn", "com", "out", "inp", "vdd"), (),
)  # fmt: skip


def tile(bits: int = 2) -> Tile:
    groups = [(program_ramp("sigmoid", bits, PROFILE), (0, 1)), (program_ramp("tanh", bits, PROFILE), (2,))]
    weights = np.array([[1.0, -0.6, 0.9], [-0.4, 0.8, -1.0], [0.3, 0.1, -0.7]])
    wires = {"r_driver": 10.0}
    return Tile.from_weights(
        weights, PROFILE, groups, wires=wires, circuit=CIRCUIT, comparator_offset=np.array([2e-3, -3e-3, 1e-3])
    )


def charge(m: int) -> ColumnCharge:
    return ColumnCharge(np.full((m, 15), 4e-6), np.full(m, 1e-3), np.full(m, 5e-12), np.zeros(m), 5.0, 40e-9, 41e-9, 191e-9, 10e-9)


HELD = np.array([0.8])
DECKS = {
    "transition": lambda b: transition_deck(Converter(PROGRAM, CIRCUIT, b), CHIP, np.full((1, 3), 0.9), span=1e-3),
    "conversion": lambda b: conversion_deck(Converter(PROGRAM, CIRCUIT, b), CHIP, HELD[None]),
    "replay": lambda b: replay_deck(Converter(PROGRAM, CIRCUIT, b), CHIP, Replay(HELD, np.zeros(1)), counters=False),
    "replay, latches": lambda b: replay_deck(Converter(PROGRAM, CIRCUIT, b), CHIP, Replay(HELD, np.zeros(1))),
    "replay, column": lambda b: replay_deck(Converter(PROGRAM, CIRCUIT, b), CHIP, Replay(charge(1), np.zeros(1)), counters=False),
    "tile": lambda b: tile_deck(tile(), [3, -2, 1], b),
    "steps": lambda b: comparator_step_deck(b, CIRCUIT, [1e-3]),
    "decisions": lambda b: decision_deck(b, CIRCUIT, [[1e-3]], time=5e-9),
    "triangles": lambda b: triangle_deck(b, CIRCUIT, [1e5]),
    "offsets": lambda b: offset_ramp_deck(b, CIRCUIT, [1e-3], span=0.1),
    "pulses": lambda b: integrator_pulse_deck(b, CIRCUIT, [1e-5], c_f=7e-12),
    "energy of a MAC": lambda b: mac_bench(b, CIRCUIT, Pwm(), np.array([3]), np.full((1, 2), 2e-4), c_f=7e-12).deck,
    "energy of a ramp": lambda b: ramp_bench(b, PROGRAM, CIRCUIT, 0.9).deck,
}
REFUSED = {
    ("replay, latches", "sky130"), ("replay, column", "sky130"),
    *((d, f) for d in ("steps", "decisions", "triangles", "offsets") for f in ("cells", "opamp")),
    *((d, f) for d in ("pulses", "energy of a MAC") for f in ("cells", "comparator")),
}  # fmt: skip
FIELDS = {
    "ideal": Blocks("ideal"),
    "macro": MACRO,
    "sky130": Blocks("sky130"),
    "cells": Blocks(cells="switch"),
    "comparator": Blocks(comparator=HARD),
    "opamp": Blocks(opamp=own("opamp")),
}


def instances(text: str) -> tuple[list[str], set[str]]:
    """Subcircuits that a deck's cards call outside of definitions, and those that it defines."""
    joined = re.sub(r"\n\+ ?", " ", text).lower()
    defined = set(re.findall(r"^\.subckt (\S+)", joined, re.MULTILINE))
    outside = re.sub(r"^\.subckt .*?^\.ends[^\n]*$", "", joined, flags=re.MULTILINE | re.DOTALL)
    calls = [re.sub(r" \w+=.*", "", line).split() for line in outside.splitlines() if line.startswith("x")]
    return [words[-1] for words in calls], defined


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("kind", DECKS)
def test_a_deck_takes_every_block_or_says_why_not(kind, field):
    given = FIELDS[field]
    if kind == "energy of a ramp":
        given = replace(given, cells="switch")
    if (kind, field) in REFUSED:
        with pytest.raises(InputError, match=f"{field}|level='{field}'"):
            DECKS[kind](given)
        return
    called, defined = instances(DECKS[kind](given).circuit)
    assert set(called) <= defined
    expected = {
        "cells": {"ramp_cell_switch"} if given.cells == "switch" else {"ramp_cells_selected"},
        "comparator": {given.comparator.name if given.comparator else f"comparator_{given.level}"},
        "opamp": {"integrator_user" if given.opamp else f"integrator_{given.level}"},
    }
    for place, names in expected.items():
        like = [
            c for c in called if re.match({"cells": "ramp_cell", "comparator": "comparator|mine", "opamp": "integrator"}[place], c)
        ]
        assert set(like) == names or ((kind, place) in REFUSED and not like), place
    if given.opamp:
        assert "my_opamp" in defined


def test_the_energy_of_selected_cells_is_refused():
    with pytest.raises(InputError, match=r"cells='selected': .* take cells 'switch'"):
        ramp_bench(MACRO, PROGRAM, CIRCUIT, 0.9)


@pytest.fixture(scope="module")
def bank() -> Replay:
    """Inputs well inside every code, half of them with noise and offset that move a level to the other side of some."""
    middles = np.concatenate([[PROGRAM.x[0] - 1.0], 0.5 * (PROGRAM.x[1:] + PROGRAM.x[:-1]), [PROGRAM.x[-1] + 1.0]])
    v = to_volts(np.concatenate([middles, middles]), PROGRAM, CIRCUIT)
    offset = np.repeat([0.0, 0.21], len(middles))
    return Replay(v, offset, np.tile(np.linspace(-0.02, 0.02, PROGRAM.n_steps), (len(v), 1)))


BLOCKS = {
    "copy": Blocks(comparator=own("comparator")),
    "hard": Blocks(comparator=HARD),
    "switch": Blocks(cells="switch"),
    "opamp": Blocks(cells="switch", comparator=HARD, opamp=own("opamp")),
    "ideal": Blocks("ideal"),
}


def replayed_codes(replay: Replay, blocks: Blocks, counters: bool) -> np.ndarray:
    deck = replay_deck(Converter(PROGRAM, CIRCUIT, blocks), CHIP, replay, counters=counters)
    data = simulate(deck, saved_vectors(len(replay), counters=counters))
    return replayed.codes(Converter(PROGRAM, CIRCUIT, blocks), data, replay, counters=counters)


@pytest.mark.parametrize("blocks", BLOCKS.values(), ids=BLOCKS)
@pytest.mark.parametrize("counters", [False, True], ids=["decisions", "latches"])
def test_replayed_codes_are_those_of_the_built_in_blocks(bank, blocks, counters):
    expected = replayed_codes(bank, MACRO, counters)
    assert set(expected[: 2**PROGRAM.bits]) == set(range(2**PROGRAM.bits))
    assert np.any(expected[: 2**PROGRAM.bits] != expected[2**PROGRAM.bits :])
    np.testing.assert_array_equal(replayed_codes(bank, blocks, counters), expected)


@pytest.mark.parametrize("blocks", BLOCKS.values(), ids=BLOCKS)
def test_a_tile_converts_alike_with_other_blocks(blocks):
    expected, found = (convert(tile(), [9, -7, 4], b) for b in ("macro", blocks))
    assert len(set(expected.code)) > 1
    np.testing.assert_allclose(found.v_mac, expected.v_mac, atol=3e-3)
    np.testing.assert_array_equal(found.code, expected.code)


def test_latches_of_every_deck_have_one_clock():
    """The latch decides in a tenth of ``t_edge``: transistors, macro-models, replay and tile alike."""
    converter = Converter(PROGRAM, CIRCUIT)
    (clock, _), (_, step) = latch_clocks(converter, "macro"), latch_clocks(converter, "sky130")
    assert len(re.findall(r"\S+ 1\.8 \S+ 0\b", clock)) == PROGRAM.n_steps
    fall = [float(b) - float(a) for a, b in re.findall(r"(\S+) 1\.8 (\S+) 0\b", clock)]
    np.testing.assert_allclose(fall, CIRCUIT.t_edge / 10, rtol=1e-3)
    for kind in ("conversion", "replay, latches"):
        assert clock in DECKS[kind](MACRO).circuit
    assert clock in DECKS["conversion"](Blocks("sky130")).circuit
    assert step in DECKS["energy of a ramp"](Blocks("sky130", "switch")).circuit
    # The tile's conversion begins later.
    late = Converter(PROGRAM, CIRCUIT.with_(t_reset=tile().mac_window()[2] + CIRCUIT.t_settle))
    assert latch_clocks(late, "macro", "0")[0] in DECKS["tile"](MACRO).circuit
