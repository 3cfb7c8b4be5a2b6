"""A circuit whose sources are altered gives what the deck gives that is loaded with them."""

import numpy as np
import pytest

import netlists.spice.engine as engine
from netlists.errors import SimulationError
from netlists.spice import Deck, kept_circuit, pwl, simulate


@pytest.fixture
def loads(monkeypatch):
    """Decks that ngspice parsed."""
    seen, load = [], engine._load
    monkeypatch.setattr(engine, "_load", lambda ngspice, deck: (seen.append(deck), load(ngspice, deck)))
    return seen


@pytest.fixture
def deck(tmp_path):
    """``deck(volts, seed, offset, ohms)``: a waveform of 150 corners into a block's input, beside a constant one."""
    models = tmp_path / "models.lib"
    models.write_text("* models\n.lib tt\n.model d1 d is=1e-15\n.endl tt\n")

    def write(volts=0.5, seed=0, offset=0.01, ohms=1e3):
        wave = pwl(np.arange(150) * 1e-9, np.random.default_rng(seed).uniform(0, 1, 150))
        text = (
            f'.title two sources\n.lib "{models}" tt\n.subckt block_sky130 in out params: v_os=0\nvos x in {{v_os}}\n'
            f"r1 x out {ohms!r}\nd1 out 0 d1\n.ends\nVa a 0 {wave}\nVb b 0 DC {volts!r}\n"
            f"Xint0 a out block_sky130 v_os={offset!r}\nr2 b out 500\nc1 out 0 1p\n"
            ".save v(out)\n.tran 0.5n 149n 0 0.5n\n"
        )
        return Deck(text, trusted=True)

    return write


def test_altered_sources_give_the_numbers_of_a_new_circuit(deck, loads):
    decks = [deck(), deck(volts=0.7), deck(volts=0.7, seed=1), deck(seed=2, offset=-0.03), deck()]
    alone = [simulate(d, ["out"]) for d in decks]
    assert len(loads) == len(decks)
    loads.clear()
    with kept_circuit():
        kept = [simulate(d, ["out"]) for d in decks]
    assert loads == decks[:1]
    for a, b in zip(alone, kept, strict=True):
        np.testing.assert_allclose(b["time"], a["time"], rtol=1e-12)
        np.testing.assert_allclose(b["out"], a["out"], rtol=1e-9)
    # Whatever the circuit was before: to the bit.
    np.testing.assert_array_equal(kept[0]["out"], kept[-1]["out"])


def test_other_circuits_are_parsed(deck, loads):
    with kept_circuit():
        simulate(deck(), ["out"])
        with kept_circuit():
            simulate(deck(volts=0.6), ["out"])
        simulate(deck(ohms=2e3), ["out"])
        simulate(deck(ohms=2e3, volts=0.6), ["out"])
    simulate(deck(ohms=2e3), ["out"])
    assert [d.circuit for d in loads] == [deck().circuit, deck(ohms=2e3).circuit, deck(ohms=2e3).circuit]


def test_a_circuit_that_failed_is_not_kept(deck, loads):
    with kept_circuit():
        simulate(deck(), ["out"])
        with pytest.raises(SimulationError, match="did not produce the vector"):
            simulate(deck(volts=0.6), ["nowhere"])
        simulate(deck(volts=0.6), ["out"])
    assert len(loads) == 2
