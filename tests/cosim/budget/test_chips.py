"""Chips of a budget: each source against the evaluator's own, a second solver or a closed form; at zero it is not there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from characterization.ramp_model.draw import RampDraw
from cosim.budget.chips import ChipBuilder, whole_chip
from cosim.budget.sources import NAMES, SOURCES, check_amounts, default_amounts, source
from cosim.chip.hardware import Arrays, Hardware
from cosim.chip.pulses import PwmInputs
from cosim.chip.units import UnquantizedColumns
from cosim.chip.weights import effective_weights
from cosim.evaluation.evaluator import evaluate
from cosim.network import Layer, Network
from cosim.network.cells.cell import Gate
from cosim.network.cells.registry import make_cell
from cosim.network.cells.vanilla import Vanilla
from cosim.studies.error_sources.run import only_programming
from netlists.array.crossbar import Crossbar
from netlists.array.pairs import weights_to_pairs
from netlists.array.solver import ArraySolver
from netlists.converter.tile import Tile
from netlists.errors import InputError
from netlists.technology.parameters import RampCircuit
from netlists.technology.profile import load_profile

PROFILE = load_profile("taox-100-400")
DEFAULTS = default_amounts(PROFILE, RampCircuit(), 4) | {"stuck": 1e-3}


@pytest.fixture(scope="module")
def builder(network):
    return ChipBuilder(network, PROFILE, 4, seed=5)


def scores(builder, data, amounts, n=2):
    chips, hardware = builder.chips(amounts, range(n), np.float64)
    return evaluate(builder.network, data, hardware, chips, dtype=np.float64).scores


@pytest.fixture(scope="module")
def nothing(builder, sequences):
    """Scores without any source."""
    return scores(builder, sequences, {})


def shifts(chip, builder):
    """How much higher than its ramp's first level each column's is, (columns,), units."""
    out = []
    for unit in chip.layers[0][0].matrices["weights"].units:
        gates = unit.bank.thresholds[:, 0]
        out.append(gates)
    n = builder.network.n_hidden
    first = [builder.program("tanh" if g == 2 else "sigmoid").x[0] for g in range(4)]
    return np.concatenate(out) - np.repeat(first, n)


def weights(chip):
    return chip.layers[0][0].matrices["weights"].sums[0].weights.T


def variance(chip):
    return chip.layers[0][0].matrices["weights"].sums[0].read_variance.T


def test_no_source_is_floating_point_to_the_bit(builder, sequences):
    float_ = evaluate(builder.network, sequences, Hardware(), dtype=np.float64).scores
    assert np.array_equal(scores(builder, sequences, {})[0], float_[0])


@pytest.mark.parametrize("factor", [0, 1, 1000])
def test_the_ramp_stays_the_one_that_was_designed_whatever_its_cells_errors(builder, factor):
    hardware = builder.hardware({"programming": factor * PROFILE.program_sigma})
    for activation, ramp in hardware.ramps.items():
        assert ramp.plan.program().scheme == builder.program(activation).scheme


def test_resolutions_alone_are_the_evaluators_to_the_bit(builder, sequences):
    for amounts, hardware in (
        ({"ramp_bits": 4.0}, Hardware(bits=4)),
        ({"ramp_bits": 2.0}, Hardware(bits=2)),
        ({"pwm_bits": 4.0}, Hardware(pwm=PwmInputs(4))),
        ({"pwm_bits": 3.0, "ramp_bits": 4.0}, Hardware(bits=4, pwm=PwmInputs(3))),
    ):
        expected = evaluate(builder.network, sequences, hardware, dtype=np.float64).scores
        assert np.array_equal(scores(builder, sequences, amounts)[0], expected[0]), amounts


@pytest.mark.parametrize("name", NAMES)
def test_a_source_at_zero_is_not_there_to_the_bit(builder, sequences, nothing, name):
    rest = {n: a for n, a in DEFAULTS.items() if n != name}
    assert np.array_equal(scores(builder, sequences, rest), scores(builder, sequences, rest | {name: 0.0}))
    assert np.array_equal(nothing, scores(builder, sequences, {name: 0.0}))


@pytest.mark.parametrize("name", NAMES)
def test_a_source_changes_answers_alone_and_among_the_others(builder, sequences, nothing, name):
    amount = DEFAULTS[name] if source(name).resolution else min(40 * DEFAULTS[name], 0.9 * builder.largest(name))
    rest = {n: a for n, a in DEFAULTS.items() if n != name}
    assert not np.array_equal(scores(builder, sequences, {name: amount}), nothing)
    with_ramp = {n: a for n, a in rest.items() if n != "ramp_bits"}
    assert not np.array_equal(scores(builder, sequences, with_ramp | {name: amount}), scores(builder, sequences, with_ramp))


@pytest.mark.parametrize("s", SOURCES, ids=lambda s: s.name)
def test_what_is_called_random_differs_from_chip_to_chip(builder, sequences, s):
    amount = DEFAULTS[s.name] if s.resolution else min(40 * DEFAULTS[s.name], 0.9 * builder.largest(s.name))
    a, b = scores(builder, sequences, {s.name: amount})
    assert np.array_equal(a, b) == (not s.random)
    assert builder.random({s.name: amount}) == s.random


def test_a_chip_does_not_depend_on_its_company_nor_a_source_on_the_others(builder):
    three, _ = builder.chips(DEFAULTS, range(3))
    (last,), _ = builder.chips(DEFAULTS, [2])
    assert np.array_equal(weights(three[2]), weights(last))
    bits = {"ramp_bits": 4.0}
    (alone,), _ = builder.chips(bits | {"comparator_offset": 1e-3}, [0], np.float64)
    (both,), _ = builder.chips(bits | {"comparator_offset": 1e-3, "programming": 1e-6}, [0], np.float64)
    (programmed,), _ = builder.chips(bits | {"programming": 1e-6}, [0], np.float64)
    assert np.array_equal(weights(both), weights(programmed))
    own = shifts(alone, builder)
    assert own.std() > 0
    moved = shifts(both, builder) - shifts(programmed, builder) - own
    # The ramp's calibration cell takes up the offset of its comparator on a chip with other cells alike.
    n = builder.network.n_hidden
    for group in (np.r_[0 : 2 * n, 3 * n : 4 * n], np.r_[2 * n : 3 * n]):
        np.testing.assert_allclose(moved[group], moved[group][0], atol=1e-9)


def test_twice_the_amount_is_the_same_draw_twice(builder):
    (none,), (one,), (two,) = (builder.chips({"programming": a}, [0], np.float64)[0] for a in (1e-20, 1e-7, 2e-7))
    np.testing.assert_allclose(weights(two) - weights(none), 2 * (weights(one) - weights(none)), rtol=1e-6, atol=1e-12)
    (one,), (two,) = (builder.chips({"ramp_bits": 4.0, "comparator_offset": a}, [0], np.float64)[0] for a in (1e-5, 2e-5))
    np.testing.assert_allclose(shifts(two, builder), 2 * shifts(one, builder), rtol=1e-3, atol=1e-9)


def test_offsets_are_the_evaluators_column_offsets(builder, sequences):
    amounts = {"comparator_offset": 0.02, "ramp_bits": 4.0}
    (chip,), _ = builder.chips(amounts, [0], np.float64)
    shift = shifts(chip, builder)
    n = builder.network.n_hidden
    columns = {"sigmoid": np.r_[0 : 2 * n, 3 * n : 4 * n], "tanh": np.r_[2 * n : 3 * n]}
    ramps = {}
    for activation, at in columns.items():
        assert shift[at].std() == pytest.approx(0.02 / builder.program(activation).volts_per_unit(builder.circuit), rel=0.5)
        ideal = RampDraw.ideal(activation, 4)
        ramps[activation] = RampDraw(activation, 4, ideal.thresholds, shift[at][None], np.zeros(()))
    expected = evaluate(builder.network, sequences, Hardware(ramps=ramps), dtype=np.float64).scores
    np.testing.assert_allclose(scores(builder, sequences, amounts, 1), expected, atol=1e-9)


def test_comparator_noise_is_one_variance_of_every_conversion(builder):
    (chip,), _ = builder.chips({"comparator_noise": 1e-3}, [0], np.float64)
    n = builder.network.n_hidden
    expected = np.repeat([1e-3 / builder.program(a).volts_per_unit(builder.circuit) for a in ("sigmoid", "tanh")], [n, n])
    assert np.all(variance(chip)[:-1] == 0)
    np.testing.assert_allclose(variance(chip)[-1, n : 3 * n] ** 0.5, expected)


def test_read_noise_is_that_of_the_arrays(builder, network):
    (chip,), _ = builder.chips({"read_noise": 3 * PROFILE.read_sigma}, [0], np.float64)
    scale = np.array([4.0] * 3 + [1.0] * 6)
    m = network.layers[0].cell.matrices[0]
    w = network.layers[0].directions[0]["weights"]
    quiet = Arrays(replace(PROFILE.without_variation(), read_sigma=PROFILE.read_sigma))
    found = effective_weights(w, m.connected(), scale, quiet, np.random.default_rng(1)).read_variance
    # The noise depends on the state, which what lasts of it moves a little; the ramp's cells have theirs.
    np.testing.assert_allclose(variance(chip)[:-1], 9 * found[:-1], rtol=0.2)
    # What lasts moves the weights, by no more than a few of its sigmas.
    moved = weights(chip) - w
    assert 0 < moved.std() < 5 * np.sqrt(9 * found[:-1].max())


def test_programming_error_is_the_evaluators(builder, network):
    """The same spread of effective weights as `Arrays` with the same profile; tails alike."""
    scale = np.array([4.0] * 3 + [1.0] * 6)
    w, m = network.layers[0].directions[0]["weights"], network.layers[0].cell.matrices[0]
    chips, _ = builder.chips({"programming": PROFILE.program_sigma}, range(40), np.float64)
    ours = np.array([weights(c) - w for c in chips])
    arrays = Arrays(only_programming(PROFILE))
    rng = np.random.default_rng(2)
    theirs = np.array([effective_weights(w, m.connected(), scale, arrays, r).weights - w for r in rng.spawn(40)])
    np.testing.assert_allclose(ours[:, :3].std(), theirs[:, :3].std(), rtol=0.05)
    np.testing.assert_allclose(ours[:, 3:].std(), theirs[:, 3:].std(), rtol=0.05)
    np.testing.assert_allclose(np.abs(ours[:, 3:]).max(), np.abs(theirs[:, 3:]).max(), rtol=0.15)


@pytest.mark.parametrize("wire", [0.0, 2.0])
def test_access_transistors_and_wires_are_the_crossbar_solvers(network, wire):
    """The whole matrix in one array, transistor and wires solved together as the mesh has them."""
    builder = ChipBuilder(network, PROFILE, 4, 5, array_rows=64, array_columns=64, compensate="none")
    (chip,), _ = builder.chips({"access": 300.0, "ir_drop": wire}, [0], np.float64)
    scale = np.array([4.0] * 3 + [1.0] * 6)[:, None]
    pairs = weights_to_pairs(network.layers[0].directions[0]["weights"] * scale, PROFILE, layout="rows")
    mesh = Crossbar(pairs.conductance, r_row=wire, r_col=wire, r_access=300.0)
    g = ArraySolver(mesh).transfer if wire else mesh.cell_conductance
    np.testing.assert_allclose(weights(chip), (g[0::2] - g[1::2]) / (pairs.scale * scale), rtol=1e-9, atol=1e-12)


def test_sums_are_seen_through_the_drawn_ramp():
    levels, ideal = np.array([-1.1, 0.0, 0.3, 2.0]), np.array([-1.0, 0.0, 0.5, 1.5])
    each = np.repeat(levels[None], 3, axis=0)
    unit = UnquantizedColumns.through(slice(0, 3), Gate("i", "tanh"), each, ideal, np.float64)
    z = np.random.default_rng(1).uniform(-4, 4, (3, 64))
    # NumPy's interpolation, with points far out for what lies beyond.
    expected = np.interp(z, np.r_[-101.1, levels, 102.0], np.r_[-101.0, ideal, 101.5])
    np.testing.assert_allclose(unit.compute(z), np.tanh(expected), atol=1e-12)
    assert UnquantizedColumns.through(slice(0, 3), Gate("i", "tanh"), ideal[None], ideal, np.float64).slope is None


def test_fine_steps_approach_what_is_seen_without_steps(network, sequences):
    """The same errors with 8 bits and with no quantisation at all: scores differ by far less than with 3 bits."""
    amounts = {n: a for n, a in DEFAULTS.items() if n not in ("ramp_bits", "pwm_bits", "stuck")}
    off = {}
    for bits in (3, 8):
        builder = ChipBuilder(network, PROFILE, bits, 5)
        off[bits] = np.abs(
            scores(builder, sequences, amounts) - scores(builder, sequences, amounts | {"ramp_bits": float(bits)})
        ).mean()
    assert off[8] < 0.1 * off[3]


@pytest.mark.slow
def test_single_precision_gives_nearly_the_same(builder, sequences):
    chips, hardware = builder.chips(DEFAULTS, range(2))
    single = evaluate(builder.network, sequences, hardware, chips)
    double = scores(builder, sequences, DEFAULTS)
    assert np.mean(single.predictions == double.argmax(axis=2)) > 0.9


@pytest.mark.parametrize(
    ("amounts", "message"),
    [
        ({"wires": 1.0}, "source 'wires': unknown"),
        ({"ir_drop": -1.0}, "ir_drop=-1.0: must be a finite number"),
        ({"ir_drop": float("nan")}, "ir_drop=nan"),
        ({"stuck": 1.5}, "stuck=1.5: must be 1 at most"),
        ({"pwm_bits": 4.5}, "pwm_bits=4.5: must be a whole number of bits, 2..8"),
        ({"ramp_bits": 9.0}, "ramp_bits=9: must be a whole number of bits, 1..8"),
    ],
)
def test_amounts_that_cannot_be(amounts, message):
    with pytest.raises(InputError, match=message):
        check_amounts(amounts, PROFILE)


def test_a_profile_without_a_figure_cannot_be_scaled():
    with pytest.raises(InputError, match="read_noise: device profile"):
        check_amounts({"read_noise": 1e-7}, PROFILE.without_variation())


@pytest.mark.parametrize(("kind", "options"), [("gru", {}), ("vanilla", {}), ("lstm", {"n_projection": 3})])
def test_other_cells_have_budgets_too(kind, options, sequences):
    cell = make_cell({"kind": kind, "n_in": 3, "n_hidden": 5, **options})
    layer = Layer(cell, cell.initial_parameters(np.random.default_rng(1)))
    network = Network((layer,), np.random.default_rng(2).normal(0, 1, (cell.n_out + 1, 4)))
    builder = ChipBuilder(network, PROFILE, 4, 1)
    float_ = evaluate(network, sequences, Hardware(), dtype=np.float64).scores
    assert np.array_equal(scores(builder, sequences, {}, 1), float_)
    assert not np.allclose(scores(builder, sequences, DEFAULTS, 1), float_)


def test_two_layers_in_both_directions(sequences):
    """Rows of the second layer are driven by outputs within 1, in both directions."""
    rng = np.random.default_rng(1)
    first, second = (make_cell({"kind": "lstm", "n_in": n, "n_hidden": 5}) for n in (3, 10))
    layers = tuple(Layer(c, c.initial_parameters(rng), c.initial_parameters(rng)) for c in (first, second))
    network = Network(layers, rng.normal(0, 1, (11, 4)))
    builder = ChipBuilder(network, PROFILE, 4, 5)
    float_ = evaluate(network, sequences, Hardware(), dtype=np.float64).scores
    assert np.array_equal(scores(builder, sequences, {})[0], float_[0])
    expected = evaluate(network, sequences, Hardware(bits=4, pwm=PwmInputs(4)), dtype=np.float64).scores
    assert np.array_equal(scores(builder, sequences, {"ramp_bits": 4.0, "pwm_bits": 4.0})[0], expected[0])
    chips, _ = builder.chips({"programming": 1e-6}, [0])
    drawn = [c.matrices["weights"].sums[0].weights for layer in chips[0].layers for c in layer]
    assert len({float(w[0, 0]) for w in drawn}) == 4


def test_amplifiers_that_cannot_be_made_good(builder):
    """Where the tile refuses its feedback capacitance: nine tenths of the charge capacitance lost."""
    w = builder.network.layers[0].directions[0]["weights"] * np.array([4.0] * 3 + [1.0] * 6)[:, None]
    limit = builder.largest("integrator_settling")
    program = builder.program("sigmoid")
    for factor, fits in ((0.98, True), (1.02, False)):
        circuit = builder.circuit.with_(gbw=1 / (2 * np.pi * limit * factor))
        tile = Tile.from_weights(
            w,
            PROFILE,
            [(program, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 18, 19]), (builder.program("tanh"), [10, 11, 12, 13, 14])],
            circuit=circuit,
            pwm=builder.pwm,
            r_hold=1e-9,
            compensate="none",
        )
        if fits:
            assert np.all(tile.feedback_capacitance() > 0)
        else:
            with pytest.raises(InputError, match="too slow"):
                tile.feedback_capacitance()


def test_ramps_of_a_relu_have_the_room_that_the_rails_leave_and_it_is_said(network):
    """Half of the nominal span lies above the supply, so that the chip was refused."""
    cell = Vanilla(3, 4, "relu", 2.0, unbounded=True)
    rng = np.random.default_rng(5)
    relu = Network.of([Layer(cell, {"weights": rng.normal(0, 0.5, (8, 4))})], rng.normal(0, 1, (5, 2)))
    profile = load_profile("taox-100-400")
    chip = whole_chip(relu, profile, 4)
    plan = chip.ramps["relu"].plan
    low, high = plan.program().span(plan.circuit)
    assert plan.circuit.v_swing < 0.9
    assert 0 < low < high < plan.circuit.v_dd
    assert any("the ramps span less than the usual 1 V" in w for w in chip.warnings)
    plain = whole_chip(network, profile, 4)
    assert {r.plan.circuit.v_swing for r in plain.ramps.values()} == {RampCircuit().v_swing}
    assert not any("v_swing" in w for w in plain.warnings)
