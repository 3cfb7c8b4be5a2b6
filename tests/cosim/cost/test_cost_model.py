"""The cost model against hand computation, ramp programs, tiles and the scaling paper's formula."""

import math
import re
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import cosim.cost
from cosim.chip import Arrays, PwmInputs, matrix_places
from cosim.cost import ArrayShape, Design, DigitalWork, NetworkShape, lstm_shape, network_cost
from cosim.cost.electrical import (
    column_capacitance,
    integration_capacitance,
    mac_cell_energy,
    opamp_size,
    ramp_capacitance,
    ramp_cell_energy,
)
from cosim.cost.scaling import area_factor, energy_factor, nominal_supply
from cosim.cost.shape import digital_work
from cosim.network import DenseLayer, Layer, Network, Scaling
from cosim.network.cells.gru import GRU
from cosim.network.cells.lstm import LSTM
from cosim.network.cells.slstm import SLSTM
from netlists.array.pairs import weights_to_pairs
from netlists.array.pwm import Pwm
from netlists.converter.tile import Tile
from netlists.errors import InputError
from netlists.ramp.compiler import program_ramp
from netlists.technology.parameters import RampCircuit
from netlists.technology.profile import load_profile

FOLDER = Path(cosim.cost.__file__).parent
VALUE = {n: e["value"] for f in ("figures.toml", "measured.toml") for n, e in tomllib.loads((FOLDER / f).read_text()).items()}


def by_block(cost):
    return {(t.array, t.block): t for t in cost.terms}


def test_a_tiny_network_by_hand():
    """Two inputs, three columns, one ramp; 3 bits; every term of the step written out."""
    shape = NetworkShape((ArrayShape("w", 2, 3, ("sigmoid",), 0.5),), DigitalWork(3, 9, 3, 3, 10), steps=4)
    cost = network_cost(shape, Design(bits=3, n_in=3, lanes=2, mean_input=0.5, state_bits=8))
    found = by_block(cost)
    t_mac, t_ramp = 3 * 40e-9 + 20e-9, (8 + 5) * 32e-9
    assert found["w", "weight cells"].energy == pytest.approx(6 * 0.04 * (200e-6 + 300e-6 * 0.5) * 0.5 * 120e-9)
    assert found["w", "row drivers"].energy == pytest.approx(2 * VALUE["driver_energy"])
    assert found["w", "column integrators"].energy == pytest.approx(3 * VALUE["integrator_power"] * (t_mac + t_ramp))
    assert found["w", "comparators"].energy == pytest.approx(3 * VALUE["comparator_power"] * t_ramp)
    assert found["w", "ramp integrators"].energy == pytest.approx(VALUE["integrator_power"] * t_ramp)
    assert found["w", "latches and counters"].energy == pytest.approx(3 * 8 * (VALUE["counter_energy"] + VALUE["clock_energy"]))
    assert found["w", "hold switches"].energy == pytest.approx(3 * VALUE["hold_switch_energy"])
    # Products: 9 of 2 lanes take 5 cycles; 3 activations of 3 cycles each take 5 more.
    assert found["cell", "products and sums"].time == pytest.approx(10e-9)
    assert cost.step_time == pytest.approx(40e-9 + t_mac + t_ramp + 10e-9)
    assert cost.latency == pytest.approx(4 * cost.step_time)
    assert cost.operations == 12
    assert cost.tops == pytest.approx(12e-12 / cost.step_time)
    assert cost.tops_per_watt == pytest.approx(cost.tops / cost.power)
    assert cost.tops_per_mm2 == pytest.approx(cost.tops / (cost.area * 1e6))


@pytest.mark.parametrize(("activation", "steps"), [("gaussian", 31), ("silu", 17), ("tanh", 16)])
def test_a_ramp_takes_as_long_as_its_program_has_steps(activation, steps):
    program = program_ramp(activation, 4, load_profile("taox-100-400"))
    assert program.n_steps == steps
    found = by_block(network_cost(NetworkShape((ArrayShape("w", 2, 3, (activation, "sigmoid")),)), Design(bits=4)))
    assert found["w", "ramp cells"].time == pytest.approx((steps + 5) * 32e-9)
    assert found["w", "ramp cells"].count == steps + 16 + 2 * 5
    assert found["w", "comparators"].energy == pytest.approx(3 * VALUE["comparator_power"] * (steps + 5) * 32e-9)


def test_a_gru_has_no_weights_between_its_candidate_and_the_part_that_it_does_not_take():
    cell = GRU(5, 6)
    network = Network((Layer(cell, cell.initial_parameters(np.random.default_rng(1))),), np.zeros((7, 2)))
    shape = NetworkShape.of(network, 1)
    # x and h each with three gates, four biases.
    assert shape.weights == 3 * 6 * (5 + 6) + 4 * 6
    cost = network_cost(shape, Design())
    assert cost.operations == 2 * shape.weights
    assert cost.terms[0].count == 2 * shape.weights
    with pytest.raises(InputError, match=r"absent=6.*below the 6 crossings"):
        ArrayShape("w", 2, 3, absent=6)


def test_all_digital_work_of_a_network_is_counted():
    """Scaling of 5 features at each step; 12 pooled outputs to 4 units with a tanh, to 3 of none, to 2 classes, once."""
    cell, rng = GRU(5, 6), np.random.default_rng(1)
    layer = Layer(cell, cell.initial_parameters(rng), cell.initial_parameters(rng))
    hidden = (DenseLayer(np.ones((13, 4)), "tanh"), DenseLayer(np.ones((5, 3)), "linear"))
    network = Network((layer,), np.zeros((4, 2)), hidden=hidden, scaling=Scaling(np.zeros(5), np.ones(5)))
    shape = NetworkShape.of(network, 1)
    # Two directions of h = n + z (h - n) and n = tanh(x + r h): 2 products, 3 sums and a tanh a unit.
    assert (shape.digital.multiplications, shape.digital.additions, shape.digital.activations) == (24 + 5, 36 + 5, 12)
    products = 12 * 4 + 4 * 3 + 3 * 2
    assert (shape.readout.multiplications, shape.readout.additions, shape.readout.activations) == (products, products, 4)
    assert [a.name for a in shape.arrays] == ["layer 0, forward: weights", "layer 0, backward: weights"]


def test_rows_hold_weights_times_the_inputs_that_take_the_longest_pulse():
    cell = GRU(5, 6)
    weights = cell.initial_parameters(np.random.default_rng(1))
    network = Network((Layer(cell, weights),), np.zeros((7, 2)))
    scaled = np.abs(weights["weights"]) * np.array([8.0] * 5 + [1.0] * 7)[:, None]
    (plain,), (found,) = (NetworkShape.of(network, 1, pwm=p).arrays for p in (None, PwmInputs(5, input_range=8.0)))
    assert found.mean_weight == pytest.approx(scaled.mean() / scaled.max())
    assert found.mean_weight < 0.8 * plain.mean_weight


def test_digital_energy_is_the_figure_scaled_by_the_papers_polynomial():
    shape = NetworkShape((ArrayShape("w", 2, 3),), DigitalWork(3, 9, 0, 0, 0))
    term = by_block(network_cost(shape, Design(node=16.0)))["cell", "products and sums"]
    at_16 = 0.2958 * 0.64 - 0.1241 * 0.8 + 0.03024
    at_45 = 1.103 * 0.81 - 0.362 * 0.9 + 0.2767
    assert term.energy == pytest.approx(9 * 0.2e-12 * at_16 / at_45)


def test_the_table_adds_up_to_the_totals():
    cost = network_cost(lstm_shape(5, 4, steps=3), Design(bits=4))
    table = cost.table()
    step = table[table["per"] == "time step"]
    assert step["energy"].sum() == pytest.approx(cost.step_energy)
    assert step["time"].sum() == pytest.approx(cost.step_time)
    assert table["area"].sum() == pytest.approx(cost.area)
    assert cost.energy == pytest.approx(3 * cost.step_energy)
    assert set(table["kind"].str.split(", ").explode()) <= {"SPICE", "published", "derived", "assumption"}
    assert (table["source"].str.len() > 10).all()


def test_half_the_read_voltage_is_a_quarter_of_the_arrays_energy():
    shape = lstm_shape(40, 32)
    for block in ("weight cells", "ramp cells"):
        full, half = (by_block(network_cost(shape, Design(v_read=v)))["weights", block].energy for v in (0.2, 0.1))
        assert half == pytest.approx(full / 4)


@given(st.integers(1, 200), st.integers(1, 300), st.integers(1, 6))
@settings(max_examples=30)
def test_activation_units_take_their_rounds(units, hidden, cycles):
    shape = lstm_shape(3, hidden)
    design = Design(activation_units=units, activation_cycles=cycles, converter="conventional")
    term = by_block(network_cost(shape, design))["weights", "activation units"]
    assert term.time == pytest.approx(math.ceil(4 * hidden / units) * cycles * 1e-9)
    assert term.count == units


@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
@pytest.mark.parametrize("bits", [3, 5])
def test_ramp_cells_are_those_of_the_program(activation, bits):
    profile, circuit = load_profile("taox-100-400"), RampCircuit()
    program = program_ramp(activation, bits, profile, scheme="pulse")
    design = Design(bits=bits)
    expected = 0.04 * float(np.sum(program.conductance * program.width)) * circuit.t_pulse
    assert ramp_cell_energy(activation, design) == pytest.approx(expected, rel=1e-6)
    assert ramp_capacitance(activation, design) == pytest.approx(program.feedback_capacitance(circuit), rel=1e-6)


def test_column_capacitor_is_that_of_a_tile():
    profile = load_profile("taox-100-400")
    program = program_ramp("sigmoid", 5, profile)
    weights = np.random.default_rng(1).uniform(-2, 2, (6, 2))
    tile = Tile.from_weights(weights, profile, [(program, (0, 1))], w_max=2.0, pwm=Pwm(n_in=5))
    found = integration_capacitance("sigmoid", Design(weight_range=2.0), wire_gain=tile.wire_gain)
    assert tile.wire_gain > 1.005
    assert found == pytest.approx(tile.charge_capacitance()[0], rel=1e-6)


def test_a_shape_is_that_of_the_cells_that_are_programmed(network):
    """Rows of the bias, range of the weights and loss in the wires as a tile of the same weights has them."""
    profile = load_profile("taox-100-400")
    program = program_ramp("sigmoid", 5, profile)
    arrays = Arrays(profile, r_row=20.0, r_col=20.0, bias_rows=3)
    ((at,), pwm) = matrix_places(network, PwmInputs(5)), PwmInputs(5)
    scaled = at.weights * at.row_scale[:, None]
    split = np.concatenate([scaled[:-1], np.repeat(scaled[-1:] / 3, 3, axis=0)])
    columns = tuple(range(20))
    tile = Tile.from_weights(split, profile, [(program, columns)], wires={"r_row": 20.0, "r_col": 20.0}, pwm=Pwm(n_in=5))
    (found,), (plain,) = (NetworkShape.of(network, 7, a, pwm).arrays for a in (arrays, replace(arrays, bias_rows=1)))
    assert (found.rows, plain.rows) == (11, 9)
    assert NetworkShape((found,)).operations == NetworkShape((plain,)).operations == 2 * 9 * 20
    assert found.wire_gain == pytest.approx(tile.wire_gain)
    assert found.wire_gain > 1.05
    design = Design(bits=5)
    assert found.rows * design.pair_conductance(found.mean_weight) == pytest.approx(tile.crossbar.conductance.sum(axis=0).mean())
    capacitance = column_capacitance(replace(found, activations=("sigmoid",), full_scales=()), design)
    assert capacitance == pytest.approx(tile.charge_capacitance()[0])


def test_auto_zero_costs_a_capacitor_a_column():
    shape = NetworkShape((ArrayShape("w", 2, 3, ("sigmoid",), 0.5),))
    with_, twice, without = (by_block(network_cost(shape, Design(c_az=c))) for c in (10e-12, 20e-12, 0.0))
    assert ("w", "auto-zero") not in without
    assert twice["w", "auto-zero"].area - with_["w", "auto-zero"].area == pytest.approx(3 * 10e-12 / VALUE["capacitor_density"])
    assert with_["w", "auto-zero"].energy == pytest.approx(3 * VALUE["autozero_energy"])


def test_mac_energy_is_the_sum_over_the_cells():
    profile = load_profile("taox-100-400")
    rng = np.random.default_rng(2)
    weights, codes = rng.normal(0, 0.5, (30, 8)), rng.integers(-15, 16, 30)
    pairs = weights_to_pairs(weights, profile, layout="rows").conductance.reshape(30, 2, 8).sum(axis=1)
    expected = 0.04 * float(np.sum(pairs * np.abs(codes)[:, None])) * 40e-9
    array = ArrayShape("w", 30, 8, mean_weight=float(np.abs(weights).mean() / np.abs(weights).max()))
    design = Design(mean_input=float(np.abs(codes).mean()) / 15)
    # Inputs and weights are independent: the means' product is the mean of the products but for sampling.
    assert mac_cell_energy(array, design) == pytest.approx(expected, rel=0.05)


def test_arrays_that_are_split_repeat_drivers_ramps_and_switches():
    shape = NetworkShape((ArrayShape("w", 70, 130, ("sigmoid", "tanh")),))
    whole, split = (by_block(network_cost(shape, Design(max_rows=r, max_columns=c))) for r, c in ((None, None), (32, 64)))
    assert whole["w", "row drivers"].count == 70
    assert split["w", "row drivers"].count == 70 * 3
    assert whole["w", "ramp integrators"].count == 2
    assert split["w", "ramp integrators"].count == 6
    assert split["w", "hold switches"].count == 130 * 3
    assert split["w", "weight cells"].energy == whole["w", "weight cells"].energy


def test_comparators_of_half_the_offset_are_four_times_as_large():
    shape = lstm_shape(4, 3)
    first, second = (by_block(network_cost(shape, Design(comparator_offset=s)))["weights", "comparators"] for s in (4e-3, 2e-3))
    assert second.area == pytest.approx(4 * first.area)
    assert second.energy == pytest.approx(4 * first.energy)


def test_wide_columns_take_larger_op_amps():
    design, narrow, wide = Design(), ArrayShape("w", 10, 4), ArrayShape("w", 700, 4)
    assert opamp_size(narrow, design) == 1.0
    loss = 700 * design.pair_conductance(wide.mean_weight) / (2 * math.pi * RampCircuit().gbw * column_capacitance(wide, design))
    assert opamp_size(wide, design) == pytest.approx(loss / 0.25)


def test_a_network_brings_its_own_shape(network):
    shape = NetworkShape.of(network, steps=7)
    weights = np.abs(network.weights)
    assert [(a.rows, a.columns, a.activations) for a in shape.arrays] == [(9, 20, ("sigmoid", "tanh"))]
    assert shape.arrays[0].mean_weight == pytest.approx(weights.mean() / weights.max())
    assert shape.digital == digital_work(LSTM(3, 5))
    assert (shape.readout.multiplications, shape.readout.units) == (20, 4)
    cost = network_cost(shape, Design())
    assert cost.energy > 7 * cost.step_energy


def test_digital_work_is_that_of_the_equations():
    assert digital_work(LSTM(2, 10)) == DigitalWork(10, 30, 10, 10, 40 + 2 * 20)
    assert digital_work(GRU(2, 10)) == DigitalWork(10, 20, 30, 10, 40 + 2 * 10)
    projected = digital_work(LSTM(2, 10, n_projection=4))
    assert projected.multiplications == 30 + 40
    with pytest.raises(InputError, match="cell 'slstm': its digital work is not known"):
        digital_work(SLSTM(2, 3))


def test_table_1s_arrays_have_its_weights():
    assert lstm_shape(40, 32, bias=False).weights == 9216
    lm = lstm_shape(128, 2016, n_projection=504)
    assert (lm.arrays[0].rows, lm.arrays[0].columns) == (633, 8064)


def test_scaling_goes_there_and_back():
    assert energy_factor(45.0, 0.9, 16.0, 0.8) * energy_factor(16.0, 0.8, 45.0, 0.9) == pytest.approx(1)
    assert area_factor(16.0, 130.0) == pytest.approx(0.03)
    assert nominal_supply(130.0) == 1.8
    # Beyond the nominal supply energy goes as its square.
    assert energy_factor(130.0, 1.8, 130.0, 1.2) == pytest.approx(2.25)


@given(st.floats(7, 130), st.floats(7, 130))
def test_a_smaller_node_is_never_larger(a, b):
    assert area_factor(min(a, b), max(a, b)) <= 1 + 1e-12


def test_impossible_designs_are_refused():
    with pytest.raises(InputError, match=r"g_min=0\.0005: must be below g_max"):
        Design(g_min=5e-4)
    with pytest.raises(InputError, match="design parameter 'bit': unknown"):
        Design().with_(bit=3)


def test_costs_say_in_one_line_what_they_are():
    shape, design = lstm_shape(5, 4, steps=3), Design(bits=4)
    cost = network_cost(shape, design)
    assert repr(design) == "Design(bits=4)"
    assert repr(shape) == "NetworkShape(weights 10 x 16, 3 steps)"
    assert re.fullmatch(r"NetworkCost\(\S+ J and \S+ s an inference of 3 steps, \S+ mm2, \S+ TOPS/W\)", repr(cost))
    assert cost._repr_html_().count("<tr") == len(cost.terms) + 1


def test_trimming_cells_cost_a_row_of_pairs():
    """Two cells a column, driven for the longest pulse like a weight, and the driver of one more input."""
    shape = NetworkShape((ArrayShape("w", 2, 3, ("sigmoid",), 0.5),))
    with_, without = (by_block(network_cost(shape, Design(column_trim=t))) for t in (True, False))
    assert ("w", "trimming cells") not in without
    trim, weights, share = with_["w", "trimming cells"], without["w", "weight cells"], math.sqrt(2 / math.pi) / 4
    assert trim.count == 6
    assert trim.area == pytest.approx(weights.area / 2)
    assert trim.energy == pytest.approx(3 * 0.04 * (200e-6 + 300e-6 * share) * 15 * 40e-9)
    assert trim.time == 0
    assert with_["w", "row drivers"].count == without["w", "row drivers"].count + 1
