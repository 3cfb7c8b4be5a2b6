"""Evaluation, budget, search and loop build the same chip where they have the same errors and the same random numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import cosim.loop.chip as loop_chip
from characterization.streams import LoopSource
from cosim.budget.chips import ChipBuilder
from cosim.chip.draw import draw_chip
from cosim.chip.hardware import Arrays, Hardware
from cosim.chip.mapping import matrix_places, with_weights
from cosim.chip.pulses import PwmInputs
from cosim.loop.settings import LoopSettings
from cosim.network.cells.registry import make_cell
from cosim.network.network import Layer, Network
from cosim.optimize import bench
from cosim.optimize.space import Space, design_of, variables
from cosim.studies.error_sources.run import only_programming
from netlists.technology.noise import OPAMP_NOISE, ROOM
from netlists.technology.parameters import RampCircuit
from netlists.technology.profile import load_profile

PROFILE = load_profile("taox-100-400")
PWM = PwmInputs(5)
SEQUENCE = 9


@pytest.fixture(scope="module")
def network():
    rng, layers, n_in = np.random.default_rng(3), [], 3
    for _ in range(2):
        cell = make_cell({"kind": "lstm", "n_in": n_in, "n_hidden": 4})
        layers.append(Layer(cell, cell.initial_parameters(rng), cell.initial_parameters(rng)))
        n_in = 8
    return Network(tuple(layers), rng.normal(0, 1, (9, 3)))


def weights(chip):
    return [m.sums[0].weights for layer in chip.layers for cell in layer for m in cell.matrices.values()]


def evaluated(network, arrays):
    return draw_chip(network, Hardware(bits=4, arrays=arrays, pwm=PWM), 0, 1, np.float64)


def budgeted(network, amounts):
    return ChipBuilder(network, PROFILE, 4, 1).chips({"pwm_bits": 5.0, "ramp_bits": 4.0} | amounts, [0], np.float64)[0][0]


def same(found, expected):
    assert len(found) == len(expected) == 4
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)


def test_wires(network):
    """Nothing random: budget and search against the evaluator; the search without the gains of its op-amps."""
    perfect = PROFILE.without_variation()
    expected = weights(evaluated(network, Arrays(perfect, max_rows=64, max_columns=64, r_row=2.0, r_col=2.0)))
    same(weights(budgeted(network, {"ir_drop": 2.0})), expected)
    design = design_of(Space(variables(PROFILE), {}).default, PROFILE, network)
    hardware = bench.DesignBench(network, None, perfect, 2.0).hardware(design, {"sigmoid": None, "tanh": None})
    same(weights(draw_chip(network, hardware, 0, 1, np.float64)), expected)
    assert not np.allclose(expected[0], weights(evaluated(network, Arrays(perfect)))[0], rtol=1e-3)


def test_gains_of_integrators(network, monkeypatch):
    monkeypatch.setattr(bench, "opamp_size", lambda shape, design: 1.0)
    design = design_of(Space(variables(PROFILE), {}).default, PROFILE, network)
    circuit = RampCircuit()
    amounts = {"integrator_gain": 1 / circuit.a0, "integrator_settling": 1 / (2 * np.pi * circuit.gbw)}
    loaded = [at.weights.T for at in matrix_places(bench.loaded_network(network, design, PROFILE), None)]
    builder = ChipBuilder(network, PROFILE, design.bits, 1, pwm=bench.Pwm(design.n_in, design.t_unit, design.t_gap))
    found = weights(builder.chips(amounts, [0], np.float64)[0][0])
    same(found, loaded)
    assert not np.allclose(found[0], weights(budgeted(network, {}))[0], rtol=1e-4)


def test_programming_errors(network, monkeypatch):
    """Streams differ by design, so that each is given the same one."""
    sequence = np.random.SeedSequence
    monkeypatch.setattr("cosim.chip.draw.chip_sequence", lambda *_: sequence(SEQUENCE))
    monkeypatch.setattr("cosim.budget.chips.budget_sequence", lambda *_: sequence(SEQUENCE))
    expected = weights(evaluated(network, Arrays(only_programming(PROFILE))))
    same(weights(budgeted(network, {"programming": PROFILE.program_sigma})), expected)

    def stream(seed, source, *number):
        # Cells are the first of the three streams of an array.
        return np.random.default_rng(SEQUENCE).spawn(3)[0] if source == LoopSource.CELLS else np.random.default_rng(1)

    monkeypatch.setattr(loop_chip, "loop_stream", stream)
    monkeypatch.setattr(loop_chip, "load_profile", lambda _: only_programming(PROFILE))
    settings = LoopSettings("none", bits=2, columns=(0,))
    same(weights(loop_chip.make_chip(network, settings).evaluator), expected)


def test_levels_as_designed(network):
    """Thresholds of each column, without any error."""

    def levels(chip):
        units = [u for layer in chip.layers for cell in layer for m in cell.matrices.values() for u in m.units]
        rows = [(u.columns.start + i, t[:15]) for u in units for i, t in enumerate(u.bank.thresholds)]
        return [t for _, t in sorted(rows, key=lambda row: row[0])]

    expected = levels(evaluated(network, None))
    assert len(expected) == 4 * 16
    np.testing.assert_array_equal(levels(budgeted(network, {})), expected)


def test_other_weights_on_the_crossbars(network):
    doubled = with_weights(network, lambda at: 2 * at.weights)
    for at, was in zip(matrix_places(doubled, None), matrix_places(network, None), strict=True):
        np.testing.assert_array_equal(at.weights, 2 * was.weights)
        assert at.key == was.key


def test_read_noise_that_lasts_and_that_does_not(network, monkeypatch):
    """The same stream: effective weights with the noise that lasts, and the variance of what each conversion draws."""
    sequence = np.random.SeedSequence
    monkeypatch.setattr("cosim.chip.draw.chip_sequence", lambda *_: sequence(SEQUENCE))
    monkeypatch.setattr("cosim.budget.chips.budget_sequence", lambda *_: sequence(SEQUENCE))
    reading = replace(PROFILE.without_variation(), read_sigma=PROFILE.read_sigma)
    chips = evaluated(network, Arrays(reading)), budgeted(network, {"read_noise": PROFILE.read_sigma})
    same(weights(chips[1]), weights(chips[0]))
    variances = [[m.sums[0].read_variance for layer in c.layers for cell in layer for m in cell.matrices.values()] for c in chips]
    same(variances[1], variances[0])
    quiet = weights(evaluated(network, Arrays(PROFILE.without_variation())))
    moved = np.concatenate([(a - b).ravel() for a, b in zip(weights(chips[0]), quiet, strict=True)])
    assert 0 < moved.std() < 1e-2


def test_noise_of_op_amps_and_heat(network):
    perfect = PROFILE.without_variation()
    hardware = Hardware(bits=4, arrays=Arrays(perfect), pwm=PWM, circuit_noise=True)
    chip = draw_chip(network, hardware, 0, 1, np.float64)
    budget = budgeted(network, {"opamp_noise": OPAMP_NOISE, "thermal": ROOM})
    found = [
        [m.sums[0].read_variance for layer in c.layers for cell in layer for m in cell.matrices.values()] for c in (chip, budget)
    ]
    same(found[1], found[0])
    assert np.all(found[0][0][:, -1] > 0)
    assert not np.any(found[0][0][:, :-1])
