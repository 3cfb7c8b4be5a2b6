"""Evaluation, budget, search and loop have the same chip from the same seed: cells, offsets of columns, levels of ramps."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from cosim.budget.chips import ChipBuilder
from cosim.budget.sources import default_amounts
from cosim.chip.draw import draw_chip
from cosim.chip.hardware import Arrays, Hardware, Integrators
from cosim.chip.mapping import describe_split_biases, matrix_places, split_biases, with_weights
from cosim.chip.pulses import PwmInputs
from cosim.chip.weights import bias_rows
from cosim.evaluation import compare, evaluate
from cosim.loop.chip import make_chip
from cosim.loop.settings import LoopSettings
from cosim.network import Layer, Network
from cosim.network.cells.registry import make_cell
from cosim.optimize import bench
from cosim.optimize.space import Space, design_of, variables
from cosim.studies.error_sources.run import only_programming
from cosim.tasks import load_task
from netlists.errors import InputError
from netlists.technology.noise import OPAMP_NOISE, ROOM
from netlists.technology.parameters import RampCircuit
from netlists.technology.profile import load_profile

PROFILE = load_profile("taox-100-400")
PWM = PwmInputs(5)
BITS, SEED, CHIP = 4, 1, 0
DESIGN = Space(variables(PROFILE), {}).default | {"bits": BITS, "n_in": PWM.bits}
DEFAULTS = default_amounts(PROFILE, RampCircuit(), BITS)


@pytest.fixture(scope="module")
def network():
    rng, layers, n_in = np.random.default_rng(3), [], 3
    for _ in range(2):
        cell = make_cell({"kind": "lstm", "n_in": n_in, "n_hidden": 4})
        layers.append(Layer(cell, cell.initial_parameters(rng), cell.initial_parameters(rng)))
        n_in = 8
    return Network(tuple(layers), rng.normal(0, 1, (9, 3)))


def matrices(chip):
    return [m for layer in chip.layers for cell in layer for m in cell.matrices.values()]


def weights(chip):
    return [m.sums[0].weights for m in matrices(chip)]


def thresholds(chip):
    """Of each column, (columns, levels) for each matrix; offsets included."""
    return [np.concatenate([u.bank.thresholds[:, : 2**BITS - 1] for u in m.units]) for m in matrices(chip)]


def same(found, expected, **tolerance):
    assert len(found) == len(expected) == 4
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, **({"rtol": 1e-12, "atol": 1e-13} | tolerance))


def budgeted(network, names, **settings):
    """The chip of a budget with these sources at their default amounts, and its hardware."""
    builder = ChipBuilder(network, PROFILE, BITS, SEED, **settings)
    amounts = {n: DEFAULTS[n] for n in (*names, "pwm_bits", "ramp_bits")}
    (chip,), hardware = builder.chips(amounts, [CHIP], np.float64)
    return chip, hardware


def test_a_budget_has_the_evaluators_chips(network):
    """With everything on: the same numbers to the last bit, by the seed and the chip's number alone."""
    chip, hardware = budgeted(network, DEFAULTS)
    own = draw_chip(network, hardware, CHIP, SEED, np.float64)
    for a, b in ((weights(chip), weights(own)), (thresholds(chip), thresholds(own))):
        same(a, b, rtol=0, atol=0)
    for a, b in zip(matrices(chip), matrices(own), strict=True):
        assert np.array_equal(a.sums[0].read_variance, b.sums[0].read_variance)
        assert np.array_equal(a.sums[0].read_keys, b.sums[0].read_keys)
        assert all(np.array_equal(u.bank.sigma, v.bank.sigma) for u, v in zip(a.units, b.units, strict=True))
    other = draw_chip(network, hardware, CHIP, SEED + 1, np.float64)
    assert not np.allclose(thresholds(own)[0], thresholds(other)[0], rtol=1e-3)


def test_a_search_has_them(network, monkeypatch):
    monkeypatch.setattr(bench, "opamp_size", lambda shape, design: 1.0)
    names = ("programming", "read_noise", "ir_drop", "integrator_gain", "integrator_settling", "integrator_offset")
    names += ("ramp_offset", "comparator_offset", "comparator_noise", "comparator_delay")
    design = design_of(DESIGN, PROFILE, network)
    search = bench.DesignBench(network, None, PROFILE, DEFAULTS["ir_drop"])
    hardware = search.hardware(design, search.closed_form(design, SEED))
    found = draw_chip(network, hardware, CHIP, SEED, np.float64)
    expected, _ = budgeted(network, names, pwm=bench.Pwm(design.n_in, design.t_unit, design.t_gap))
    same(weights(found), weights(expected))
    same(thresholds(found), thresholds(expected))
    assert not np.allclose(weights(found)[0], weights(budgeted(network, ("programming",))[0])[0], rtol=1e-3)


@pytest.mark.parametrize(("compensate", "rows", "calibration"), [("mean", 1, "per-column"), ("wires", 3, "one-point")])
def test_a_loop_has_them(network, compensate, rows, calibration):
    """Cells to rounding, offsets but for the spread of delays; levels by ngspice within 0.05 LSB of the same in closed form."""
    names = ("programming", "ir_drop", "ramp_offset", "comparator_offset", "comparator_delay")
    expected, _ = budgeted(network, names, compensate=compensate, bias_rows=rows, calibration=calibration)
    about = {"r_wire": DEFAULTS["ir_drop"], "compensate": compensate, "bias_rows": rows, "calibration": calibration}
    settings = LoopSettings("none", bits=BITS, seed=SEED, columns=(0,), **about)
    loop = make_chip(network, settings)
    same(weights(loop.evaluator), weights(expected))
    for m, found, levels in zip(matrices(expected), thresholds(loop.evaluator), thresholds(expected), strict=True):
        np.testing.assert_allclose(found, levels, atol=0.05 * np.diff(levels[0]).min(), err_msg=m.matrix.name)
    if calibration == "per-column":
        return
    for array, levels in zip(loop.arrays.values(), thresholds(expected), strict=True):
        ramp = loop.ramps["sigmoid"]
        own = array.tile.comparator_offset[:4] / ramp.volts_per_unit
        np.testing.assert_allclose(levels[:4, 0] - levels[0, 0], own - own[0], atol=1e-6)


def test_a_profile_is_taken_whole_by_budget_and_evaluation(network):
    """Everything on in a budget is what the evaluator finds on the same chips, stuck cells of both kinds included."""
    task = load_task("vowels")
    cell = make_cell({"kind": "lstm", "n_in": task.test.n_features, "n_hidden": 6})
    rng = np.random.default_rng(2)
    own = Network((Layer(cell, cell.initial_parameters(rng)),), rng.normal(0, 1, (7, len(task.classes))))
    profile = replace(PROFILE, stuck_off_rate=0.02, stuck_on_rate=0.03)
    builder = ChipBuilder(own, profile, BITS, SEED)
    amounts = default_amounts(profile, RampCircuit(), BITS)
    chips, hardware = builder.chips(amounts, range(2), np.float64)
    budget = evaluate(own, task.test, hardware, chips, dtype=np.float64).accuracy
    assert compare(own, task, hardware, chips=2, seed=SEED).chips == budget.tolist()
    for part in (hardware.arrays, *(r.plan for r in hardware.ramps.values())):
        assert part.profile.stuck_on_rate == pytest.approx(0.03)
        assert part.profile.stuck_off_rate == pytest.approx(0.02)
        assert part.profile.program_sigma == profile.program_sigma
        assert part.profile.read_sigma == profile.read_sigma


def test_wires_of_a_search_are_those_of_the_evaluator(network):
    """Nothing random; the search without the gains of its op-amps."""
    perfect = PROFILE.without_variation()
    arrays = Arrays(perfect, max_rows=64, max_columns=64, r_row=2.0, r_col=2.0)
    expected = weights(draw_chip(network, Hardware(bits=BITS, arrays=arrays, pwm=PWM), CHIP, SEED, np.float64))
    hardware = bench.DesignBench(network, None, perfect, 2.0).hardware(design_of(DESIGN, PROFILE, network), {})
    assert hardware.integrators.settling == pytest.approx(1 / (2 * math.pi * RampCircuit().gbw))
    free = replace(hardware, integrators=None, ramps={"sigmoid": None, "tanh": None})
    same(weights(draw_chip(network, free, CHIP, SEED, np.float64)), expected)


def test_levels_as_designed(network):
    """Thresholds of each column, without any error."""
    expected = thresholds(draw_chip(network, Hardware(bits=BITS, pwm=PWM), CHIP, SEED, np.float64))
    same(thresholds(budgeted(network, ())[0]), expected, rtol=0, atol=0)


def test_other_weights_on_the_crossbars(network):
    doubled = with_weights(network, lambda at: 2 * at.weights)
    for at, was in zip(matrix_places(doubled, None), matrix_places(network, None), strict=True):
        np.testing.assert_array_equal(at.weights, 2 * was.weights)
        assert at.key == was.key


def test_a_bias_of_several_rows(network):
    """Perfect cells show the weights; a bias that takes the whole range leaves the others more of it when it is split."""
    network = with_weights(network, lambda at: np.vstack([at.weights[:-1], 12 * np.sign(at.weights[-1:] - 0.5)]))
    perfect = Arrays(PROFILE.without_variation(), max_rows=64, max_columns=64, r_row=1.0, r_col=1.0, compensate="wires")
    one, three = (
        draw_chip(network, Hardware(arrays=replace(perfect, bias_rows=n), pwm=PWM), CHIP, SEED, np.float64) for n in (1, 3)
    )
    asked = [at.weights.T for at in matrix_places(network, PWM)]
    same(weights(one), asked, rtol=0, atol=3e-3)
    same(weights(three), asked, rtol=0, atol=3e-3)
    errors = {}
    for n in (1, 3):
        arrays = replace(perfect, profile=only_programming(PROFILE), r_row=0.0, r_col=0.0, bias_rows=n)
        chip = draw_chip(network, Hardware(bits=BITS, arrays=arrays, pwm=PWM), CHIP, SEED, np.float64)
        errors[n] = np.mean([(w - a)[:, :-1].std() for w, a in zip(weights(chip), asked, strict=True)])
    assert errors[3] == pytest.approx(errors[1] / 3, rel=0.25)
    with pytest.raises(InputError, match="bias_rows=2: sums of rows that are converted apart"):
        Arrays(PROFILE, partial_sums="digital", bias_rows=2)


def test_noise_of_op_amps_and_heat(network):
    """On the row of the bias, which is always driven with 1; what an op-amp adds at a decision is the converter's."""
    hardware = replace(
        evaluated_hardware(Arrays(PROFILE.without_variation(), max_rows=64, max_columns=64)),
        integrators=Integrators(opamp_noise=OPAMP_NOISE, heat=ROOM),
    )
    chip = draw_chip(network, hardware, CHIP, SEED, np.float64)
    for m in matrices(chip):
        variance = m.sums[0].read_variance
        assert np.all(variance[:, -1] > 0)
        assert not np.any(variance[:, :-1])
    decided, _ = budgeted(network, ["opamp_noise"])
    bank = matrices(decided)[0].units[0].bank
    assert np.all(bank.sigma > 0)
    np.testing.assert_allclose(bank.sigma[:, :1], bank.shared[:, :1], rtol=1e-6)


def evaluated_hardware(arrays):
    return Hardware(bits=BITS, arrays=arrays, pwm=PWM)


def test_read_noise_that_lasts_moves_weights_and_ramps_the_rest_is_drawn(network):
    quiet, _ = budgeted(network, [])
    noisy, _ = budgeted(network, ["read_noise"])
    for a, b in zip(weights(quiet), weights(noisy), strict=True):
        assert 0 < np.std(a - b) < 1e-2
    assert all(np.any(a != b) for a, b in zip(thresholds(quiet), thresholds(noisy), strict=True))
    assert all(np.any(m.sums[0].read_variance > 0) for m in matrices(noisy))


def test_a_bias_takes_the_rows_that_it_needs(network):
    """By default so many that no cell of it holds more than the largest other weight; told by key, and as the number given."""
    tall = with_weights(network, lambda at: np.vstack([at.weights[:-1], 12 * np.sign(at.weights[-1:] - 0.5)]))
    perfect = Arrays(PROFILE.without_variation())
    for at in matrix_places(tall, PWM):
        needed = math.ceil(12 / np.abs(at.weights * at.row_scale[:, None])[:-1].max())
        assert needed > 1
        assert split_biases(tall, Hardware(arrays=perfect, pwm=PWM))[at.key] == needed
    assert describe_split_biases({"0.0.weights": 2}) == [
        "bias of 0.0.weights: shared by 2 rows, so that it leaves the conductance range to the other weights"
    ]
    by_default, given = (Hardware(arrays=replace(perfect, bias_rows=n), pwm=PWM) for n in (None, needed))
    same(*(weights(draw_chip(tall, h, CHIP, SEED, np.float64)) for h in (by_default, given)))
    small = with_weights(network, lambda at: np.vstack([at.weights[:-1], 0.1 * at.weights[-1:]]))
    assert split_biases(small, by_default) == {}
    assert bias_rows(at.weights, Arrays(PROFILE, max_rows=8, partial_sums="digital")) == 1
