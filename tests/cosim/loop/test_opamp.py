"""An op-amp of one's own in the loop: it must reach the ramps, the replayed columns and the tile."""

from dataclasses import replace

import numpy as np
import pytest

from cosim.loop.chip import make_chip
from cosim.loop.datapath import Who, run_loop_network
from cosim.loop.run import choose_sequences
from cosim.loop.simulators import SpiceSimulator
from netlists.errors import InputError
from netlists.outside import load_user_subcircuit
from netlists.spice.deck import subcircuit


@pytest.fixture
def opamp(tmp_path):
    """Loads our macro-model out of a user's file, with another GBW."""

    def load(gbw: str):
        text = subcircuit("opamp_macro").replace("opamp_macro", "mine")
        (tmp_path / "my.cir").write_text(text.replace("gbw=136.32meg", f"gbw={gbw}"))
        return load_user_subcircuit(f"{tmp_path}/my.cir:mine", "opamp")

    return load


def test_a_copy_of_ours_gives_our_codes_and_a_slow_one_others(network, task, make, opamp):
    """In the replayed columns and in the tile, on chips measured once."""
    change = {"columns": (0, 7), "utterances": 1}
    found = {}
    for name, own in (("ours", None), ("copy", opamp("136.32meg")), ("slow", opamp("8meg"))):
        settings = make(**change, scope="column", opamp=own)
        chip, some = make_chip(network, settings), choose_sequences(task.test, settings)
        for scope in ("column", "tile"):
            told = []
            here = replace(chip, settings=make(**change, scope=scope, opamp=own))
            run_loop_network(network, here, some.x, some.active, some.counters, Who(SpiceSimulator(here)), told.append)
            found[name, scope] = np.array([[c.answer.codes, c.model] for c in told])
        warned = chip.arrays["0.0.weights"].warnings
        assert bool(warned) == (own is not None)
    for scope in ("column", "tile"):
        np.testing.assert_array_equal(found["copy", scope], found["ours", scope])
        codes, model = found["slow", scope].swapaxes(0, 1)
        assert np.mean(codes != found["ours", scope][:, 0]) > 0.3
        # What is left of an input is measured, so that the model follows.
        assert np.abs(codes - model).max() <= 1
    assert "C_f of the columns is sized for the gain 3780 and the GBW 136.3 MHz of our op-amp; with mine" in warned[0]


def test_it_is_stored_and_refused_among_transistors(make, opamp):
    own = opamp("136.32meg")
    assert make(opamp=own).as_dict()["opamp"]["name"] == "mine"
    assert "opamp" not in make().as_dict()
    with pytest.raises(InputError, match="level='sky130': an op-amp of your own takes the place of the macro-model"):
        make(level="sky130", opamp=own)
