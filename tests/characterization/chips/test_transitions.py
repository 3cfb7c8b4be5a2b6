import re
from dataclasses import replace

import numpy as np
import pytest

import characterization.chips.batch as batch
import characterization.chips.transitions as transitions
from characterization.chips.sampling import draw, nominal_chips
from characterization.chips.transitions import SPAN, measure, probe_span
from characterization.figures.inl_dnl import codes
from characterization.plan import RampPlan
from characterization.ramp_model.validation import convert
from netlists.converter import cards
from netlists.converter.blocks import Blocks
from netlists.converter.cards import TIGHT_OPTIONS
from netlists.converter.converter import Converter
from netlists.errors import SimulationError
from netlists.outside import UserSubcircuit
from netlists.ramp.chips import Chips
from netlists.ramp.clock import tick_times
from netlists.ramp.closed_form import to_input_units, to_volts, transition_levels
from netlists.spice.engine import RUNNERS
from netlists.spice.program import read_transitions, run_batch
from netlists.technology.parameters import RampCircuit


def lsb_volts(program, circuit):
    return program.lsb * program.volts_per_unit(circuit)


@pytest.mark.parametrize("level", ["ideal", "macro"])
@pytest.mark.parametrize("shift", [0.1, -0.1, 0.013, -0.5])
def test_probes_that_start_far_away_end_at_the_same_level(level, shift, program3, circuit, drawn_chips):
    chips = drawn_chips(program3, 2)
    near = measure(Converter(program3, circuit, Blocks(level)), chips)
    far = measure(Converter(program3, circuit, Blocks(level)), chips, guess=transition_levels(program3, circuit, chips) + shift)
    assert near.status == far.status == ["ok", "ok"]
    assert far.passes > near.passes == 1
    assert np.abs((far.volts - near.volts) / lsb_volts(program3, circuit)).max() < 1e-3


def test_each_probe_may_start_anywhere(program3, circuit, drawn_chips):
    chips = drawn_chips(program3, 3)
    guess = transition_levels(program3, circuit, chips) + np.random.default_rng(0).uniform(-0.1, 0.1, (3, 7))
    near, far = measure(Converter(program3, circuit), chips), measure(Converter(program3, circuit), chips, guess=guess)
    assert np.abs((far.volts - near.volts) / lsb_volts(program3, circuit)).max() < 1e-3


def test_one_comparator_a_chip_measures_what_two_do(program3, circuit, drawn_chips, monkeypatch):
    """Also where the first chip, whose two tell the gain, starts with probes that enclose some levels or none."""
    chips = drawn_chips(program3, 4, noise=1e-3)
    guess = transition_levels(program3, circuit, chips)
    found = []
    for moved in (0.0, np.array([0.1, -0.1, 0.0, 0.0, 0.1, 0.0, 0.1]), 0.1):
        guess[0] += moved
        found.append(measure(Converter(program3, circuit), chips, guess=guess).volts)
        guess[0] -= moved
    monkeypatch.setattr(transitions._Search, "_probed", transitions._Search._outputs)
    pairs = measure(Converter(program3, circuit), chips).volts
    for volts in found:
        assert np.abs((volts - pairs) / lsb_volts(program3, circuit)).max() < 1e-3


# With seed 0 ngspice stands still in the fine transient, for ever, on some processors (a step that ends just before an edge).
@pytest.mark.parametrize("seed", [1, 2])
def test_levels_of_any_program_are_those_of_a_fine_transient(seed, circuit, monkeypatch):
    """Within the documented 5e-3 LSB, of waveforms with all their edges; with noise of the decisions."""
    rng = np.random.default_rng(seed)
    name, scheme = (
        rng.choice(["sigmoid", "tanh", "softplus", "selu", "identity"]),
        rng.choice(["auto", "pulse", "differential", "split"]),
    )
    plan = RampPlan(str(name), int(rng.integers(3, 6)), scheme=str(scheme), seed=seed)
    drawn = draw(plan, np.arange(3))
    chips = drawn.conversions(drawn.chips().conductance, plan.profile)
    volts = measure(plan.converter, chips).volts
    monkeypatch.setattr(cards, "TIGHT_OPTIONS", ".options reltol=1e-6 abstol=1e-12 trtol=1")
    text = cards.step_options
    monkeypatch.setattr(cards, "step_options", lambda *a, **k: (text(*a, **k)[0], plan.circuit.t_pulse / 80))
    fine = measure(plan.converter, chips, tight=True).volts
    assert np.abs((volts - fine) / lsb_volts(plan.program(), plan.circuit)).max() < 5e-3


def test_random_inputs_convert_to_the_codes_of_the_measured_levels(plan3, program3, drawn_chips):
    """A second way through the circuit: constant V_mac, latch and counter, against the levels of sampled V_mac."""
    circuit, chips = plan3.circuit, drawn_chips(program3, 4)
    levels = measure(Converter(program3, circuit), chips).volts
    low, high = to_volts(program3.x[[0, -1]], program3, circuit)
    v_mac = np.random.default_rng(2).uniform(low - 0.1, high + 0.1, (4, 12))
    clear = np.abs(v_mac[:, :, None] - levels[:, None, :]).min(axis=2) > 0.01 * lsb_volts(program3, circuit).min()
    assert clear.mean() > 0.9
    np.testing.assert_array_equal(convert(plan3, chips, v_mac)[clear], codes(v_mac, levels)[clear])


def test_codes_of_a_ramp_that_is_not_monotonic(plan3, program3):
    """Decision noise that puts level 4 below level 3: the counter stops at the first trip."""
    noise = np.zeros((1, 8))
    noise[0, 3] = -1.3 * lsb_volts(program3, plan3.circuit)[2]
    chips = replace(Chips.nominal(program3), comparator_noise=noise)
    levels = measure(Converter(program3, plan3.circuit), chips).volts
    assert levels[0, 3] < levels[0, 2]
    v_mac = np.sort(np.concatenate([levels - 2e-3, levels + 2e-3], axis=1))
    np.testing.assert_array_equal(convert(plan3, chips, v_mac), codes(v_mac, levels))


@pytest.mark.parametrize("gain", [5.0, 200.0, 2000.0])
def test_the_comparators_gain_does_not_move_the_levels(gain, program3, circuit, drawn_chips):
    """Probes that the comparator limits would give the guess back: they come closer instead."""
    chips = drawn_chips(program3, 2)
    other = circuit.with_(comparator_gain=gain)
    guess = transition_levels(program3, circuit, chips) + 0.7e-3
    a, b = measure(Converter(program3, circuit), chips), measure(Converter(program3, other), chips, guess=guess)
    assert b.status == ["ok", "ok"]
    assert np.abs((a.volts - b.volts) / lsb_volts(program3, circuit)).max() < 5e-3


def test_probe_span():
    assert probe_span(RampCircuit()) == SPAN
    assert probe_span(RampCircuit(comparator_gain=1000.0)) == pytest.approx(0.1 * 0.9 / 1000)


def test_a_chip_that_ngspice_fails_on_stands_alone(monkeypatch, program3, circuit, drawn_chips):
    chips = drawn_chips(program3, 5)
    good = measure(Converter(program3, circuit), chips)
    offset = repr(float(chips.opamp_offset[3]))
    real = transitions.simulate

    def fails_on_chip_3(deck, vectors, runner):
        if f"v_os={offset}" in deck.circuit:
            raise SimulationError("the simulation failed", "timestep too small")
        return real(deck, vectors, runner)

    monkeypatch.setattr(transitions, "simulate", fails_on_chip_3)
    found = measure(Converter(program3, circuit), chips)
    assert found.status == ["ok", "ok", "ok", "not converged", "ok"]
    assert found.message[3] == "the simulation failed\nngspice: timestep too small"
    assert not any(found.message[:3])
    assert np.isnan(found.volts[3]).all()
    assert found.retried == [False, False, False, True, False]
    others = [0, 1, 2, 4]
    assert np.abs((found.volts - good.volts)[others] / lsb_volts(program3, circuit)).max() < 1e-3


def test_a_chip_that_fails_once_is_measured_with_tighter_options(monkeypatch, program3, circuit, drawn_chips):
    chips = drawn_chips(program3, 5)
    good = measure(Converter(program3, circuit), chips)
    offset, real, tight = repr(float(chips.opamp_offset[3])), transitions.simulate, []

    def fails_unless_tight(deck, vectors, runner):
        if f"v_os={offset}" in deck.circuit:
            if TIGHT_OPTIONS not in deck.circuit:
                raise SimulationError("the simulation failed", "timestep too small")
            tight.append(deck)
        return real(deck, vectors, runner)

    monkeypatch.setattr(transitions, "simulate", fails_unless_tight)
    found = measure(Converter(program3, circuit), chips)
    assert found.status == ["ok"] * 5
    assert found.retried == [False, False, False, True, False]
    assert len(tight) == 1
    assert np.abs((found.volts - good.volts) / lsb_volts(program3, circuit)).max() < 2e-3


def test_a_clock_edge_that_ngspice_stepped_over_is_a_failure(monkeypatch, program3, circuit, drawn_chips):
    real, lost = transitions.simulate, tick_times(program3, circuit)[5]

    def without_a_point(deck, vectors, runner):
        data = real(deck, vectors, runner)
        keep = np.abs(data["time"] - lost) > 1e-15 if TIGHT_OPTIONS not in deck.circuit else slice(None)
        return {name: values[keep] for name, values in data.items()}

    monkeypatch.setattr(transitions, "simulate", without_a_point)
    found = measure(Converter(program3, circuit), drawn_chips(program3, 2))
    assert found.status == ["ok", "ok"]
    assert found.retried == [True, True]


def test_both_runners_give_the_same_levels(program3, circuit, drawn_chips):
    chips = drawn_chips(program3, 5, noise=1e-3)
    shared, batch = (measure(Converter(program3, circuit), chips, runner=runner) for runner in RUNNERS)
    assert shared.status == batch.status == ["ok"] * 5
    assert np.abs((shared.volts - batch.volts) / lsb_volts(program3, circuit)).max() < 1e-9


def test_a_chip_that_really_cannot_be_simulated(program3, circuit, drawn_chips):
    """A conductance of 1e300 S in one chip: whatever ngspice says, it is reported and the others are measured."""
    chips = drawn_chips(program3, 4)
    good = measure(Converter(program3, circuit), chips)
    chips.conductance[2, 7] = 1e300
    with np.errstate(all="ignore"):
        found = measure(Converter(program3, circuit), chips, guess=transition_levels(program3, circuit, drawn_chips(program3, 4)))
    assert found.status[2] != "ok"
    assert found.message[2]
    assert np.isnan(found.volts[2]).all()
    others = [0, 1, 3]
    assert [found.status[i] for i in others] == ["ok"] * 3
    assert np.abs((found.volts - good.volts)[others] / lsb_volts(program3, circuit)).max() < 1e-3


def test_a_level_out_of_reach_is_reported_not_guessed(program3, circuit):
    chips = Chips.nominal(program3)
    guess = transition_levels(program3, circuit, chips)
    guess[0, 4] += 5.0
    found = measure(Converter(program3, circuit), chips, guess=guess)
    assert found.status == ["not bracketed"]
    assert found.message[0].startswith("transition level 5 (and 0 more) not bracketed after 12 passes")
    assert np.isnan(found.volts).all()


def test_levels_do_not_depend_on_the_neighbours_in_the_deck(program3, circuit, drawn_chips):
    chips = drawn_chips(program3, 6)
    together = measure(Converter(program3, circuit), chips).volts
    alone = measure(
        Converter(program3, circuit), Chips(chips.conductance[[4]], chips.opamp_offset[[4]], chips.comparator_offset[[4]])
    ).volts
    assert np.abs((together[4] - alone[0]) / lsb_volts(program3, circuit)).max() < 1e-3


def test_many_cells_are_cut_into_several_decks(monkeypatch, program3, circuit, drawn_chips):
    chips = drawn_chips(program3, 5)
    whole = measure(Converter(program3, circuit), chips)
    monkeypatch.setattr(transitions, "CELLS_A_DECK", 2 * program3.n_cells)
    cut = measure(Converter(program3, circuit), chips)
    assert (whole.passes, cut.passes) == (1, 3)
    assert np.abs((whole.volts - cut.volts) / lsb_volts(program3, circuit)).max() < 1e-3


def test_nominal_levels_are_near_the_thresholds(program3, circuit):
    x = to_input_units(measure(Converter(program3, circuit), Chips.nominal(program3)).volts, program3, circuit)
    # Without allowing for the op-amp's bandwidth: its 1.6 % add up over the ramp.
    assert 0.05 < np.abs((x - program3.x) / program3.lsb).max() < 0.25


def test_one_chip_tells_where_the_levels_of_others_are(drawn_chips, monkeypatch):
    """For comparators that only tell the side: fewer passes, the same levels; and again for a chip in another state."""
    monkeypatch.setattr("netlists.spice.engine._watched", True)
    text = ".subckt mine inp inn out com\nb1 out com v={0.9*tanh(2222*(v(inp)-v(inn)-3m))}\n.ends\n"
    plan = RampPlan("sigmoid", 2, seed=3, comparator=UserSubcircuit("mine", text, ("inp", "inn", "out", "com"), ()))
    chips = drawn_chips(plan.program(), 5)
    together = measure(plan.converter, chips)
    alone = [measure(plan.converter, transitions._take(chips, np.arange(i, i + 1))) for i in range(5)]
    assert together.passes < alone[0].passes
    np.testing.assert_allclose(together.volts, np.concatenate([one.volts for one in alone]), atol=2 * transitions.RESOLUTION)
    found = batch.measure_batch(plan, np.arange(2))
    assert found.after.passes < found.before.passes
    again = measure(plan.converter, found.drawn.chips(found.conductance))
    np.testing.assert_allclose(found.after.volts, again.volts, atol=2 * transitions.RESOLUTION)


def test_a_written_deck_encloses_its_levels_or_is_refused(monkeypatch, tmp_path):
    """Located 0.1 mV off, as decks of other inputs can be, its probes move apart; 2 mV off is said."""
    text = ".subckt mine inp inn out com\nb1 out com v={0.9*tanh(2222*(v(inp)-v(inn)))}\n.ends\n"
    plan = RampPlan("sigmoid", 2, comparator=UserSubcircuit("mine", text, ("inp", "inn", "out", "com"), ()))
    right = measure(plan.converter, nominal_chips(plan))
    spans = []
    for off in (0.0, 1e-4):
        monkeypatch.setattr(batch, "measure", lambda *_, off=off, **__: replace(right, volts=right.volts + off))
        deck = batch.nominal_deck(plan, locate=True)
        spans.append(float(re.search(r"^Vprobeb0 \S+ \S+ DC (\S+)", deck.text, re.MULTILINE)[1]))
        volts, _, bracketed = read_transitions(run_batch(deck.write(tmp_path / "deck.cir")))
        assert bracketed.all()
        np.testing.assert_allclose(volts, right.volts, atol=2 * spans[-1])
    np.testing.assert_allclose(spans, [50e-6, 150e-6])
    monkeypatch.setattr(batch, "measure", lambda *_, **__: replace(right, volts=right.volts + 2e-3))
    with pytest.raises(SimulationError, match="is over 450 uV from where it was located"):
        batch.nominal_deck(plan, locate=True)


def test_a_near_bracket_is_cut_twice():
    """Of comparators that only tell the side: three transients where the first encloses all levels."""
    assert 2 * transitions.NEAR_SPAN / 9 <= transitions.RESOLUTION < 2 * transitions.NEAR_SPAN / 3
