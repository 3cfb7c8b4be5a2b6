"""The macro ramp in a simulator that shares no code with ngspice: the same deck, without commands, gives the same levels."""

import numpy as np
import pytest

from netlists.converter import Converter, transition_deck
from netlists.ramp import compensate, program_ramp, transition_levels
from netlists.spice import simulate

neospice = pytest.importorskip("neospice", reason="neospice is not installed: make test installs it with the other checkers")

SPAN = 2e-3


def levels(converter, guess, data):
    """Transition levels (n, thresholds), volts, from comparator outputs at the latching instants."""
    at = converter.clock.latch[: guess.shape[1]]
    a, b = (np.array([np.interp(at, data["time"], data[f"y{p}{i}"] - data["com"]) for i in range(len(guess))]) for p in ("a", "b"))
    return guess + SPAN * (a + b) / (a - b)


def in_neospice(deck, names):
    simulator = neospice.Simulator()
    found = simulator.run(simulator.parse(deck.text)).transient
    return {"time": np.array(found.time)} | {name: np.array(found.voltage(name)) for name in names}


@pytest.mark.parametrize("bits", [3, 5])
def test_levels_of_a_second_simulator(bits, profile, circuit, drawn_chips):
    program = compensate(program_ramp("sigmoid", bits, profile), circuit, profile)
    chips = drawn_chips(program, 2)
    guess = transition_levels(program, circuit, chips)
    names = ["com", *(f"y{p}{i}" for i in range(len(chips)) for p in "ab")]
    other_stage = circuit.with_(opamp_c_g2=1.2 * circuit.opamp_c_g2)
    found = []
    for run, c in ((simulate, circuit), (in_neospice, circuit), (in_neospice, other_stage)):
        converter = Converter(program, c)
        deck = transition_deck(converter, chips, guess, span=SPAN, control=False, tight=True)
        found.append(levels(converter, guess, run(deck, names)) / (program.lsb * program.volts_per_unit(circuit)))
    ours, theirs, wrong = found
    assert np.abs(theirs - ours).max() < 1e-3
    assert np.abs(wrong - ours).max() > 5e-3
