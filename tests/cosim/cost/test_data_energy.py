"""Energy of the data: counts and prices against a loop in plain NumPy, the model against ngspice, and errors that must be seen."""

from dataclasses import replace

import numpy as np
import pytest

from cosim.chip import Arrays, DeltaInputs, Hardware, LinearAdc, PwmInputs, mapped_pairs, matrix_places
from cosim.cost import (
    ALL_MEASURES,
    Design,
    Measures,
    count_sequences,
    data_energy,
    figure,
    network_cost,
    ramp_cell_energy,
    ramp_charge,
)
from cosim.cost.saving import design_of
from cosim.cost.shape import NetworkShape
from cosim.evaluation import evaluate
from cosim.network import Layer, LSTMNetwork, Network
from cosim.network.cells import GRU, DiagonalLSTM, Vanilla
from cosim.studies.data_energy.spice import LIMIT, ColumnBench, sequence_row
from cosim.tasks import SequenceSet
from netlists.errors import InputError
from netlists.ramp import program_ramp
from netlists.technology import load_profile

N_IN, N, CLASSES, BITS = 3, 4, 3, 4
ROWS, COLUMNS, STEPS = N_IN + N + 1, 4 * N, 2**BITS
PWM = PwmInputs(bits=5, input_range=2.0)
EXACT = Hardware(bits=BITS, pwm=PWM)
DESIGN = Design(bits=BITS, n_in=5)


@pytest.fixture(scope="module")
def net():
    rng = np.random.default_rng(1)
    return LSTMNetwork(rng.normal(0, 1, (ROWS, COLUMNS)), rng.normal(0, 1, (N + 1, CLASSES)))


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(2)
    x = [np.cumsum(rng.normal(0, 0.3, (k, N_IN)), axis=0) for k in rng.integers(2, 9, 12)]
    return SequenceSet.from_list(x, rng.integers(0, CLASSES, len(x)))


def loop(net, data, threshold=None):
    """Pulses and codes of every step of every sequence, one at a time, from the cell's equations."""

    def levels(inverse, low, high):
        return inverse(low + np.arange(1, STEPS) * (high - low) / STEPS)

    ramps = {"s": levels(lambda y: np.log(y / (1 - y)), 0, 1), "t": levels(np.arctanh, -1, 1)}
    for x, length in zip(data.inputs, data.lengths, strict=True):
        h, c, held, steps = np.zeros(N), np.zeros(N), np.zeros(ROWS), []
        for t in range(length):
            now = np.concatenate([np.clip(np.rint(x[t] * 7.5), -15, 15) / 15, np.rint(h * 15) / 15, [1.0]])
            pulses = now if threshold is None else np.where(np.abs(now - held) * 15 > threshold, now - held, 0.0)
            held = now if threshold is None else held + pulses
            z = (held * np.repeat([2.0, 1.0], [N_IN, N + 1])) @ net.weights
            codes = np.array([sum(z[j] > level for level in ramps["t" if 2 * N <= j < 3 * N else "s"]) for j in range(COLUMNS)])
            out = np.where(np.arange(COLUMNS) // N == 2, -1 + (codes + 0.5) / STEPS * 2, (codes + 0.5) / STEPS).reshape(4, N)
            c = out[1] * c + out[0] * out[2]
            h = out[3] * np.tanh(c)
            steps.append((pulses, codes))
        yield steps


@pytest.mark.parametrize("threshold", [None, 1.5])
def test_counts_are_those_of_a_loop(net, data, threshold):
    # A threshold in input units: codes of inputs are 2 / 15 apart, those of states half of that.
    delta = None if threshold is None else DeltaInputs(1.5 * 2 / 15, 1.5 / 15)
    hardware = replace(EXACT, delta=delta)
    used = count_sequences(net, data, hardware, BITS, tile=6)
    (use,) = used.matrices.values()
    stops = np.zeros((len(data), STEPS + 1))
    for i, steps in enumerate(loop(net, data, threshold)):
        assert use.steps[i] == len(steps)
        np.testing.assert_allclose(use.width[:, i], np.sum([np.abs(p) for p, _ in steps], axis=0), atol=1e-5)
        np.testing.assert_array_equal(use.driven[:, i], np.sum([p != 0 for p, _ in steps], axis=0))
        assert use.longest[i] == pytest.approx(sum(np.abs(p).max() for p, _ in steps), abs=1e-5)
        assert use.clocked[i] == pytest.approx(sum((k + 1).mean() for _, k in steps))
        # Tiles of columns 0-5, 6-11 and 12-15.
        ends = [[k[a : a + 6].max() + 1 for a in (0, 6, 12)] for _, k in steps]
        assert use.held[i] == pytest.approx(sum((6 * a + 6 * b + 4 * c) / 16 for a, b, c in ends))
        assert use.last[i] == sum(max(e) for e in ends)
        for stop in np.ravel(ends):
            stops[i, stop] += 1 / 3
    np.testing.assert_allclose(use.stops, stops, atol=1e-9)
    np.testing.assert_array_equal(used.correct, evaluate(net, data, hardware).correct[0])


def test_one_sequence_by_hand(net, data):
    """Every block that follows the data, summed over steps, rows and columns one by one."""
    d, i = DESIGN, 3
    used = count_sequences(net, data, EXACT, BITS)
    found = data_energy(net, used, ALL_MEASURES, d)
    steps = list(loop(net, data))[i]
    scaled = np.abs(net.weights * np.repeat([2.0, 1.0], [N_IN, N + 1])[:, None])
    pair = 200e-6 + 300e-6 * scaled / scaled.max()
    power, watt = figure("integrator_power").value, figure("comparator_power").value
    cells = integrators = comparators = counters = ramps = 0.0
    time = 0.0
    for pulses, codes in steps:
        stop = codes.max() + 1
        ramp = (5 + stop) * 32e-9
        mac = 15 * 40e-9 * np.abs(pulses).max() + 20e-9
        cells += sum(0.04 * pair[r, j] * abs(pulses[r]) * 15 * 40e-9 for r in range(ROWS) for j in range(COLUMNS))
        integrators += COLUMNS * power * (mac + ramp)
        comparators += COLUMNS * watt * ramp
        counters += sum(codes + 1) * (figure("counter_energy").value + figure("clock_energy").value)
        for name in ("sigmoid", "tanh"):
            program = program_ramp(name, BITS, load_profile("taox-100-400"))
            x = [program.start, *program.x, 2 * program.x[-1] - program.x[-2]]
            span = max(np.diff(x))
            ramps += 0.04 * 400e-6 * 16e-9 * (abs(program.start) + x[stop] - x[0]) / span
        time += 40e-9 + mac + ramp
    got = {name: values[i] for name, values in found.blocks.items()}
    assert got["weight cells"] == pytest.approx(cells, rel=1e-5)
    assert got["column integrators"] == pytest.approx(integrators, rel=1e-5)
    assert got["comparators"] == pytest.approx(comparators)
    assert got["latches and counters"] == pytest.approx(counters)
    assert got["ramp cells"] == pytest.approx(ramps)
    assert sum(got.values()) == pytest.approx(found.energy[i])
    digital = [t.time for t in network_cost(NetworkShape.of(net, len(steps)), d).terms if t.block == "products and sums"]
    assert found.time[i] == pytest.approx(time + len(steps) * digital[0] + digital[1], rel=1e-5)


def test_each_measure_saves_only_its_own(net, data):
    used = count_sequences(net, data, EXACT, BITS)

    def blocks(**measures):
        return data_energy(net, used, Measures(**measures), DESIGN).blocks

    plain, gated, early = blocks(), blocks(gated_clocks=True), blocks(early_stop=True)
    assert {b for b in plain if np.any(gated[b] != plain[b])} == {"latches and counters"}
    stopped = {"latches and counters", "ramp cells", "ramp integrators", "column integrators", "comparators"}
    assert {b for b in plain if np.any(early[b] != plain[b])} == stopped
    assert all(np.all(early[b] <= plain[b] * (1 + 1e-12)) for b in stopped)
    # The bias takes the longest pulse at every step: nothing ends before it.
    assert np.allclose(data_energy(net, used, Measures(pulses_end=True), DESIGN).energy, sum(plain.values()))
    changed = count_sequences(net, data, replace(EXACT, delta=DeltaInputs(0.1)), BITS)
    waits, starts = (data_energy(net, changed, Measures(pulses_end=on), DESIGN) for on in (False, True))
    assert np.all(starts.time < waits.time)
    assert np.all(starts.energy < waits.energy)


def test_without_measures_it_is_the_cost_of_the_mean_pulses(net, data):
    """Equal lengths: the mean over sequences is the cost of the counted network with every ramp step."""
    used = count_sequences(net, data, EXACT, BITS)
    found = data_energy(net, used, Measures(), DESIGN)
    cost = network_cost(NetworkShape.of(net, 1, pwm=PWM), DESIGN)
    for block in ("comparators", "latches and counters", "ramp cells", "hold switches"):
        each = sum(t.energy for t in cost.terms if t.block == block)
        np.testing.assert_allclose(found.blocks[block], each * data.lengths)
    assert ramp_charge("sigmoid", BITS)[-1] == 1
    assert 0 < ramp_charge("sigmoid", BITS)[0] * ramp_cell_energy("sigmoid", DESIGN) < ramp_cell_energy("sigmoid", DESIGN)


def test_rows_that_share_a_bias_are_counted_each(net, data):
    arrays = Arrays(load_profile("taox-100-400").without_variation(), bias_rows=2)
    used = count_sequences(net, data, replace(EXACT, arrays=arrays), BITS)
    (use,) = used.matrices.values()
    assert use.multiplicity.tolist() == [1.0] * (ROWS - 1) + [2.0]
    found = data_energy(net, used, Measures())
    drivers = (use.multiplicity @ use.driven) * figure("driver_energy").value
    np.testing.assert_allclose(found.blocks["row drivers"], drivers)


SPARSE = [GRU(3, 5), DiagonalLSTM(3, 5), Vanilla(3, 5, activation="silu"), Vanilla(3, 5, activation="gaussian")]
SMALL = load_profile("yang-0-150").without_variation()
PLACES = [None, Arrays(SMALL), Arrays(SMALL, r_row=1.0, r_col=1.0, max_rows=6, max_columns=4)]


@pytest.mark.parametrize("arrays", PLACES, ids=["ideal", "cells", "wires"])
@pytest.mark.parametrize("cell", SPARSE, ids=lambda cell: f"{cell.kind} {getattr(cell, 'activation', '')}")
def test_cells_that_there_are_take_their_energy_and_ramps_their_steps(cell, arrays, data):
    """Diagonal parts and gates without a part have crossings without cells; functions that turn have longer ramps."""
    rng = np.random.default_rng(4)
    layer = Layer(cell, cell.initial_parameters(rng))
    network = Network((layer,), readout=rng.normal(size=(layer.n_out + 1, CLASSES)))
    hardware = replace(EXACT, arrays=arrays)
    used = count_sequences(network, data, hardware, BITS)
    found = data_energy(network, used, Measures())
    (at,), (use,) = matrix_places(network, PWM), used.matrices.values()
    there, scaled = at.matrix.connected(), np.abs(at.weights * at.row_scale[:, None])
    if arrays is None:
        pairs = 200e-6 + 300e-6 * scaled / scaled.max()
    else:
        cells = mapped_pairs(at, arrays).conductance
        pairs = cells.reshape(-1, 2, cells.shape[1]).sum(axis=1)
        pairs = np.vstack([pairs[: len(there) - 1], pairs[len(there) - 1 :].sum(axis=0)])
    by_hand = 0.04 * 15 * 40e-9 * np.einsum("rc,rs->s", np.where(there, pairs, 0.0), use.width)
    np.testing.assert_allclose(found.blocks["weight cells"], by_hand)
    steps = max(program_ramp(g.activation, BITS, SMALL).n_steps for g in at.matrix.gates)
    assert use.stops.shape[1] == steps + 1
    counted = len(at.weights[0]) * steps * (figure("counter_energy").value + figure("clock_energy").value)
    np.testing.assert_allclose(found.blocks["latches and counters"], counted * data.lengths)


@pytest.mark.parametrize(("layout", "weights"), [("rows", (3, 4)), ("columns", (6, 2))])
def test_a_design_has_the_cells_of_the_arrays_and_their_size_in_weights(layout, weights):
    design = design_of(replace(EXACT, arrays=Arrays(SMALL, layout=layout, max_rows=6, max_columns=4, v_read=0.1)))
    assert (design.max_rows, design.max_columns) == weights
    assert (design.g_min, design.g_max, design.v_read) == (SMALL.g_min, SMALL.g_max, 0.1)


def test_pairs_along_a_row_are_refused(net, data):
    with pytest.raises(InputError, match=r"layout='columns'.*take layout rows"):
        count_sequences(net, data, replace(EXACT, arrays=Arrays(SMALL, layout="columns")), BITS)


def test_ngspice_agrees_and_an_error_is_seen(net, data):
    hardware = replace(EXACT, delta=DeltaInputs(0.1))
    for on in (EXACT, hardware):
        used = count_sequences(net, data, on, BITS, trace=True)
        bench = ColumnBench.of(net, used, 9, DESIGN)
        row = sequence_row(bench, "macro", used, 1, range(2))
        assert row["within"], row
    pulses, codes = used.trace["0.0.weights"]
    at = (pulses[0][:, 1], int(codes[0][9, 1]), STEPS)
    # Cells of another conductance than was priced.
    priced = bench.compare("macro", *at)["weight cells"][0]
    simulated = replace(bench, pairs=1.15 * bench.pairs).compare("macro", *at)["weight cells"][1]
    assert abs(priced / simulated - 1) > 2 * LIMIT
    # A ramp that ran to its end, priced as if it had stopped halfway.
    priced = bench.compare("macro", *at[:2], STEPS // 2)["ramp cells"][0]
    simulated = bench.compare("macro", *at)["ramp cells"][1]
    assert abs(priced / simulated - 1) > 2 * LIMIT


def test_what_cannot_be_is_refused(net, data):
    with pytest.raises(InputError, match="pwm: the energy of data"):
        count_sequences(net, data, Hardware(bits=BITS), BITS)
    with pytest.raises(InputError, match="hardware: the energy of data counts the steps of ramps"):
        count_sequences(net, data, Hardware(adc=LinearAdc(4), pwm=PWM), BITS)
    used = count_sequences(net, data, EXACT, BITS)
    with pytest.raises(InputError, match="design: has 5 bits"):
        data_energy(net, used, Measures(), Design(bits=5))
