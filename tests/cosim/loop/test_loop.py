"""The loop against the evaluator, and ngspice against the chip's own thresholds."""

from dataclasses import replace

import numpy as np
import pytest

import cosim.loop.simulators as simulators
from characterization.chips import error_at
from cosim.chip.converters import Converters
from cosim.evaluation.evaluator import evaluate
from cosim.loop.chip import choose_columns, make_chip
from cosim.loop.column import _held, column_charge
from cosim.loop.datapath import Who, run_loop_network
from cosim.loop.run import choose_sequences
from cosim.loop.settings import LoopSettings
from cosim.loop.simulators import ModelSimulator, SpiceSimulator, Step
from cosim.network import Layer, Network
from cosim.network.cells.registry import make_cell
from netlists.converter.tile_reference import mac_voltages
from netlists.errors import InputError, SimulationError
from netlists.outside.subcircuit import UserSubcircuit
from netlists.spice.engine import simulate


def run(network, chip, some, who, tell=lambda _: None):
    return run_loop_network(network, chip, some.x, some.active, some.counters, who, tell)


def steps_of(network, chip, some):
    """Every step of the model's own run."""
    told = []
    run(network, chip, some, Who(), told.append)
    return told


def test_a_loop_that_the_model_leads_is_the_evaluator(network, task, chip, some):
    """Two datapaths on the same chip: scores to the last bit."""
    hardware = chip.evaluator.hardware
    expected = evaluate(
        network, task.test.select(some.numbers), hardware, [chip.evaluator], engine="numpy", dtype=np.float64, threads=1
    )
    for who in (Who(), Who(ModelSimulator(chip), leads=True), Who(ModelSimulator(chip))):
        np.testing.assert_array_equal(run(network, chip, some, who).scores, expected.scores[0])


def deep(kind, directions, layers, **options):
    """A network of several layers, read in one or both directions."""
    rng, n_in, out = np.random.default_rng(5), 2, []
    for _ in range(layers):
        cell = make_cell({"kind": kind, "n_in": n_in, "n_hidden": 3, **options})
        out.append(Layer(cell, *(cell.initial_parameters(rng) for _ in range(directions))))
        n_in = out[-1].n_out
    return Network(tuple(out), rng.normal(0, 1, (n_in + 1, 3)))


PROJECTED = {"n_projection": 2, "projection_full_scale": 2.0}


@pytest.mark.parametrize(
    ("kind", "directions", "layers", "options"), [("lstm", 2, 2, {}), ("gru", 1, 2, {}), ("lstm", 1, 1, PROJECTED)]
)
def test_other_networks_loop_as_the_evaluator_runs_them(task, make, kind, directions, layers, options):
    net, settings = deep(kind, directions, layers, **options), make(columns=(0, 1), utterances=3)
    chip, some = make_chip(net, settings), choose_sequences(task.test, settings)
    expected = evaluate(
        net, task.test.select(some.numbers), chip.evaluator.hardware, [chip.evaluator], engine="numpy", dtype=np.float64, threads=1
    )
    told = []
    found = run(net, chip, some, Who(ModelSimulator(chip), leads=True), told.append)
    np.testing.assert_array_equal(found.scores, expected.scores[0])
    assert {c.step.array.key for c in told} == set(chip.arrays)
    # One step of each array in ngspice as well.
    for step in {c.step.array.key: c.step for c in told}.values():
        assert np.mean(SpiceSimulator(chip).answer(step).codes == ModelSimulator(chip).answer(step).codes) > 0.8


def test_a_columns_integrator_hardly_moves_its_levels(make):
    """C_f puts the pre-activation on the ramp in units of the gate's full scale, here 2 of the projection."""
    net = deep("lstm", 1, 1, **PROJECTED)
    held, integrated = (make_chip(net, make(columns=(0,), scope=scope)).arrays for scope in ("converter", "column"))
    for key, array in held.items():
        np.testing.assert_allclose(integrated[key].levels[0], array.levels[0], atol=0.1 * np.ptp(array.levels[0]))


def test_the_evaluators_chip_computes_with_the_drawn_cells(network, chip):
    array = chip.arrays["0.0.weights"]
    programmed = network.layers[0].forward["weights"]
    assert 0 < np.abs(array.weights - programmed).max() < 0.2
    # With all inputs at their longest pulses, an ideal column holds the sum of its weights.
    codes = np.full(array.tile.inputs, array.tile.pwm.max_code)
    volts = mac_voltages(array.tile.with_(opamp_offset=np.zeros(12)), codes, level="ideal", array="ideal")
    unit = np.array([chip.ramps[array.gate(j).activation].volts_per_unit for j in range(array.tile.columns)])
    x = (array.weights * array.row_scale[:, None]).sum(axis=0)
    np.testing.assert_allclose((volts - 0.9) / unit, x, atol=2e-3 * np.abs(x).max())


def test_ngspice_gives_the_codes_of_the_chips_own_thresholds(network, chip, some):
    """All columns and sequences of a step, away from the thresholds by a hundredth of an LSB."""
    step = steps_of(network, chip, some)[1].step
    array = step.array
    own = [
        Converters.build(array.levels[j][None], np.zeros(()), np.arange(8.0), np.zeros((0, 2), np.uint32), np.float64)
        for j in array.chosen
    ]
    bank = Converters.join(own, np.zeros((0, 2), np.uint32))
    expected = bank.codes(step.x, step.identities.astype(np.uint32), step.number)
    found = SpiceSimulator(chip).answer(step)
    clear = np.array([[np.abs(v - array.levels[j]).min() > 0.01 for v in row] for j, row in zip(array.chosen, step.x, strict=True)])
    assert clear.mean() > 0.8
    np.testing.assert_array_equal(found.codes[clear], expected[clear])
    assert np.all(np.abs(found.codes - expected) <= 1)
    assert not found.failures


def test_both_runners_and_any_number_of_decks_give_the_same_codes(network, chip, some, monkeypatch):
    step = steps_of(network, chip, some)[0].step
    shared = SpiceSimulator(chip).answer(step)
    np.testing.assert_array_equal(SpiceSimulator(chip, runner="batch").answer(step).codes, shared.codes)
    monkeypatch.setattr(simulators, "deck_size", lambda *_, **__: 5)
    np.testing.assert_array_equal(SpiceSimulator(chip).answer(step).codes, shared.codes)


OWN = UserSubcircuit(
    "mine", ".subckt mine inn com out inp\nb1 out com v={0.9*tanh(5e3*(v(inp)-v(inn)))}\n.ends\n", ("inn", "com", "out", "inp"), ()
)


@pytest.mark.parametrize("scope", ["converter", *(pytest.param(scope, marks=pytest.mark.slow) for scope in ("column", "tile"))])
def test_a_comparator_of_ones_own_gives_the_codes_of_the_macro_model(network, task, make, scope):
    """It has no offset parameter and only tells the side."""
    codes = []
    for comparator in (None, OWN):
        settings = make(scope=scope, columns=(0, 7), utterances=1, comparator=comparator)
        assert ("comparator" in settings.as_dict()) == (comparator is not None)
        chip, some, told = make_chip(network, settings), choose_sequences(task.test, settings), []
        run(network, chip, some, Who(SpiceSimulator(chip)), told.append)
        codes.append(np.concatenate([c.answer.codes for c in told], axis=1))
        np.testing.assert_array_equal(codes[-1], np.concatenate([c.model for c in told], axis=1))
    assert len(set(codes[0].ravel())) > 3
    np.testing.assert_array_equal(codes[1], codes[0])


@pytest.mark.parametrize(
    "change",
    [
        {"latches": True},
        {"noise": True},
        {"scope": "column"},
        {"gates": ("f", "a"), "noise": True},
        {"scope": "tile", "utterances": 1, "columns": (0, 3, 7)},
    ],
)
def test_every_kind_of_loop_agrees_with_its_model(network, task, make, change):
    settings = make(**change)
    chip, some = make_chip(network, settings), choose_sequences(task.test, settings)
    told = []
    run(network, chip, some, Who(SpiceSimulator(chip)), told.append)
    apart = np.concatenate([(c.answer.codes - c.model).ravel() for c in told])
    assert len(apart) == len(chip.arrays["0.0.weights"].chosen) * some.active.sum()
    assert np.all(np.abs(apart) <= 1)
    assert np.mean(apart == 0) > (0.99 if settings.scope == "converter" else 0.9)


def test_noise_depends_on_sequence_and_column_alone(network, make):
    chip = make_chip(network, make(noise=True))
    array = chip.arrays["0.0.weights"]
    both = chip.noise(array, np.array([1, 4]), 3, np.array([5, 9]))
    np.testing.assert_array_equal(chip.noise(array, np.array([4]), 3, np.array([9])), both[1:, 1:])
    assert abs(both.std() / chip.noise_sigma - 1) < 0.5
    level = chip.thresholds(array, 4, 3, 9)
    x = np.array([[0.5 * (level[2] + level[3])]])
    assert chip.passed(array, np.array([4]), x, 3, np.array([9]))[0, 0] == 3


def test_columns_that_are_not_simulated_have_the_ramps_levels_and_their_own_offset(network, make, chip):
    few = make_chip(network, make(columns=(1, 6)))
    every, some = chip.arrays["0.0.weights"], few.arrays["0.0.weights"]
    np.testing.assert_array_equal(some.chosen, [1, 6])
    for j in range(12):
        # Measured in ngspice column by column, or once for the ramp: 20 uV of 100 mV and more.
        unit = chip.ramps[every.gate(j).activation].volts_per_unit
        np.testing.assert_allclose(some.levels[j], every.levels[j], atol=2e-4 / unit)


def test_choice_of_columns(network, make):
    matrix = network.layers[0].cell.matrices[0]
    assert choose_columns(matrix, make()).tolist() == list(range(12))
    assert choose_columns(matrix, make(gates=("f",))).tolist() == [3, 4, 5]
    assert choose_columns(matrix, make(gates=("f",), columns=(11, 4))).tolist() == [4]
    assert choose_columns(matrix, make(level="sky130")).tolist() == [0, 1, 3, 4, 6, 7, 9, 10]
    with pytest.raises(InputError, match=r"columns: 12 is not among the columns of matrix weights, 0\.\.11"):
        choose_columns(matrix, make(columns=(12,)))
    with pytest.raises(InputError, match="gate 'z': the network has no such"):
        make_chip(network, make(gates=("f", "z")))
    with pytest.raises(InputError, match="nothing would be simulated"):
        make_chip(network, make(gates=("f",), columns=(0,)))


def test_sequences_are_drawn_from_the_seed(task, make):
    a, b = (choose_sequences(task.test, make(seed=s, utterances=3)) for s in (1, 2))
    assert sorted(a.numbers) != sorted(b.numbers)
    assert np.all(np.diff(a.active) <= 0)
    np.testing.assert_array_equal(a.labels, task.test.labels[a.numbers])
    with pytest.raises(InputError, match="the test set has 6 sequences"):
        choose_sequences(task.test, make(utterances=7))


def test_a_deck_that_fails_is_halved_until_the_fault_stands_alone(network, chip, some, monkeypatch):
    """ngspice is made to fail on every deck that holds one offset or has comparators in turns; the others keep their codes."""
    step = steps_of(network, chip, some)[0].step
    expected = SpiceSimulator(chip).answer(step)
    bad = f"v_os={float(step.array.tile.comparator_offset[2])!r}"
    tight = []

    def failing(deck, vectors, runner):
        if " in turns on " in deck.circuit:
            raise SimulationError("the simulation failed", "timestep too small")
        if bad in deck.circuit:
            tight.append("method=gear" in deck.circuit)
            raise SimulationError("the simulation failed", "timestep too small")
        return simulate(deck, vectors, runner)

    monkeypatch.setattr(simulators, "simulate", failing)
    found = SpiceSimulator(chip).answer(step)
    assert [(f.row, f.sequence) for f in found.failures] == [(2, 0), (2, 1)]
    assert all("timestep too small" in f.message for f in found.failures)
    assert found.retried == tight.count(True) == 2
    assert (found.repeated, found.foretold_wrong) == (24, 0)
    assert np.all(found.codes[2] == simulators.FAILED)
    others = np.arange(12) != 2
    np.testing.assert_array_equal(found.codes[others], expected.codes[others])


@pytest.mark.parametrize("moved", [1, -1, 3, "any"])
def test_conversions_foretold_wrongly_are_done_again_and_counted(network, chip, some, monkeypatch, moved):
    step = steps_of(network, chip, some)[0].step
    expected = SpiceSimulator(chip).answer(step)
    assert expected.foretold_wrong == 0
    true, rng = type(chip).passed, np.random.default_rng(4)

    def wrong(self, array, columns, x, number, identities):
        k = true(self, array, columns, x, number, identities)
        return rng.integers(0, 8, k.shape) if moved == "any" else np.clip(k + moved, 0, 7)

    monkeypatch.setattr(type(chip), "passed", wrong)
    found = SpiceSimulator(chip).answer(step)
    np.testing.assert_array_equal(found.codes, expected.codes)
    assert found.repeated >= found.foretold_wrong >= 4
    again = simulators._unpacked(simulators._packed(found))
    assert (again.repeated, again.foretold_wrong) == (found.repeated, found.foretold_wrong)


def test_noise_and_own_comparators_have_a_comparator_for_each_conversion(network, make, task):
    for change, in_turns in (({}, True), ({"noise": True}, False), ({"comparator": OWN}, False), ({"latches": True}, False)):
        chip = make_chip(network, make(columns=(0, 7), **change))
        step = steps_of(network, chip, choose_sequences(task.test, make(columns=(0, 7))))[0].step
        assert {b.passed is not None for b in SpiceSimulator(chip).batches(step)} == {in_turns}


def test_a_tile_that_fails_has_no_code_in_any_column(network, task, make, monkeypatch):
    settings = make(scope="tile", columns=(0, 7))
    chip, some = make_chip(network, settings), choose_sequences(task.test, settings)

    def failing(*args, **options):
        raise SimulationError("the simulation failed", "timestep too small")

    step = steps_of(network, chip, some)[0].step
    monkeypatch.setattr("netlists.converter.tile_deck.simulate", failing)
    found = SpiceSimulator(chip).answer(step)
    assert np.all(found.codes == simulators.FAILED)
    assert [(f.row, f.sequence) for f in found.failures] == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_a_code_that_the_ramp_does_not_have_is_an_error(network, chip, some):
    class Wild(ModelSimulator):
        def answer(self, step: Step):
            answer = super().answer(step)
            answer.codes[0, 0] = 7
            return answer

    ramp = chip.ramps["sigmoid"]
    short = replace(
        chip, ramps=chip.ramps | {"sigmoid": replace(ramp, program=replace(ramp.program, codes=np.minimum(ramp.program.codes, 6)))}
    )
    with pytest.raises(SimulationError, match=r"column 0 of array 0\.0\.weights counted to 7"):
        run(network, short, some, Who(Wild(short), leads=True))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mode": "open"}, "mode='open': unknown; allowed are closed, shadow"),
        ({"level": "ideal"}, "allowed are macro, sky130"),
        ({"scope": "chip"}, "allowed are converter, column, tile"),
        ({"scope": "tile", "noise": True}, "the deck of a whole tile has none"),
        ({"utterances": 0}, "utterances=0: must be a whole number, 1 or more"),
        ({"seed": -1}, "seed=-1"),
        ({"columns": ()}, "must name at least 1"),
        ({"columns": (1, 1)}, "each once"),
        ({"level": "sky130", "latches": True}, "take level macro"),
        ({"level": "sky130", "scope": "column"}, "take level macro"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        LoopSettings(**({"task": "tiny"} | changes))


def test_trimming_cells_take_each_columns_error(network, make):
    """Cells in a row of the tile move V_mac in ngspice by what the model took from the levels; converters get the same."""
    plain, trimmed = (make_chip(network, make(calibration=c, scope="column", columns=(0, 4))) for c in ("one-point", "per-column"))
    (before,), (after,) = plain.arrays.values(), trimmed.arrays.values()
    errors = [
        [error_at(0.0, levels[None], plain.ramps[a.gate(j).activation].program)[0] for j, levels in enumerate(a.levels)]
        for a in (before, after)
    ]
    assert np.std(errors[1]) < 0.15 * np.std(errors[0])
    np.testing.assert_allclose(np.subtract(*errors), after.trim, atol=1e-9)
    assert after.tile.inputs == before.tile.inputs + 1
    np.testing.assert_array_equal(after.weights, before.weights)
    own, rest = np.arange(3), np.zeros((before.tile.inputs, 3), int)
    rest[-1] = before.tile.pwm.max_code
    ramp = plain.ramps["sigmoid"]
    volts = [_held(a.tile, ramp, column_charge(a.tile, own, a.driven(rest))) for a in (before, after)]
    # The cells load the op-amps too, for which C_f is larger: gains within a thousandth.
    np.testing.assert_allclose(volts[1] - volts[0], after.trim[own] * ramp.volts_per_unit, atol=1e-3 * np.abs(volts[0] - 0.9).max())
    assert np.abs(volts[1] - volts[0]).max() > 2e-3
