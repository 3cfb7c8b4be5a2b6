"""The reduced network against the full mesh in ngspice, in transients with integrators, and against dense elimination."""

import re

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from netlists.array.crossbar import Crossbar
from netlists.array.deck import continued, mesh_subcircuit, ports
from netlists.array.reduction import reduce_columns, summing_node_resistance
from netlists.array.solver import ArraySolver
from netlists.converter.cards import OPTIONS
from netlists.errors import InputError
from netlists.spice.deck import Deck, subcircuit
from netlists.spice.engine import simulate
from netlists.spice.program import run_batch
from netlists.spice.waveforms import pulses, pwl
from netlists.technology.parameters import RampCircuit

V_CM, V_READ, V_DD, T_RESET, T_BIT, EDGE = 0.9, 0.2, 1.8, 20e-9, 2e-9, 0.1e-9
LSB = 1.0 / 32


def integrator_outputs(crossbar, columns, widths, block, name, *, r_source=0.0, level="macro") -> np.ndarray:
    """Outputs of the chosen columns' integrators after PWM inputs of ``widths`` clock periods."""
    start, stop = T_RESET, T_RESET + 32 * T_BIT + 20e-9
    # The fullest column ends one volt from analog ground.
    c_f = float((crossbar.conductance * widths[:, None]).sum(axis=0).max()) * V_READ * T_BIT
    lines = [
        f"{name}: PWM inputs, integrators",
        subcircuit(f"integrator_{level}").rstrip(),
        block.rstrip(),
        f"vcom com 0 DC {V_CM}",
    ]
    lines.append(f"vrst rst 0 PWL(0 {V_DD} {start - 2 * EDGE!r} {V_DD} {start - EDGE!r} 0)")
    for i, width in enumerate(widths):
        t, v = pulses(np.array([start]), np.array([start + width * T_BIT]), np.array([-V_READ]), EDGE)
        lines.append(f"vr{i} {'s' if r_source else 'r'}{i} com {pwl(t, v)}")
        if r_source:
            lines.append(f"rsource{i} s{i} r{i} {r_source!r}")
    lines.append(continued(["x1", *ports(crossbar.rows, columns), name]))
    lines += [f"xint{j} c{j} out{j} com rst integrator_{level} c_f={c_f!r}" for j in columns]
    lines += [OPTIONS, continued([".save", *(f"v(out{j})" for j in columns)]), f".tran {T_BIT / 4!r} {stop!r} 0 {T_BIT / 4!r}"]
    waves = simulate(Deck("\n".join(lines) + "\n"), [f"out{j}" for j in columns])
    return np.array([waves[f"out{j}"][-1] for j in columns])


@pytest.mark.parametrize(
    ("options", "columns", "r_source", "ideal_sources"),
    [
        pytest.param({}, range(32), 0.0, True, marks=pytest.mark.slow),
        ({"r_row": 5.0, "r_col": 5.0, "r_driver": 100.0, "r_sense": 50.0, "r_access": 819.0}, range(0, 32, 4), 0.0, True),
        ({"driven": "both", "sensed": "both", "r_row": 10.0, "r_col": 10.0}, [3, 31, 4], 200.0, False),
    ],
)
def test_transient_18x32_with_integrators_agrees_with_the_mesh(options, columns, r_source, ideal_sources):
    rng = np.random.default_rng(18)
    crossbar = Crossbar(rng.uniform(1e-4, 4e-4, (18, 32)), **options)
    widths = rng.integers(1, 33, 18).astype(float)
    reduced = reduce_columns(ArraySolver(crossbar), columns).subcircuit(ideal_sources=ideal_sources)
    run = {"crossbar": crossbar, "columns": columns, "widths": widths, "r_source": r_source}
    mesh = integrator_outputs(block=mesh_subcircuit(crossbar, columns), name="crossbar_mesh", **run)
    network = integrator_outputs(block=reduced, name="crossbar_reduced", **run)
    np.testing.assert_allclose(network, mesh, atol=0.02 * LSB)
    # The figure asked for is 0.02 LSB; the networks are the same to rounding, only time steps could differ.
    np.testing.assert_allclose(network, mesh, atol=1e-5 * LSB)
    # The wires do matter.
    bare = crossbar.with_(r_row=0.0, r_col=0.0, r_driver=0.0, r_sense=0.0)
    without = integrator_outputs(block=mesh_subcircuit(bare, columns), name="crossbar_mesh", **run)
    assert np.abs(without - mesh).max() > 0.5 * LSB


@pytest.mark.parametrize("columns", [range(0, 32, 8), pytest.param([31], marks=pytest.mark.slow)])
def test_unchosen_columns_behind_their_integrators_input_resistance(columns):
    """Against the mesh with an integrator on all 32 columns, only some of which the reduced deck has."""
    rng = np.random.default_rng(18)
    crossbar = Crossbar(rng.uniform(1e-4, 4e-4, (18, 32)))
    widths = rng.integers(1, 33, 18).astype(float)
    mesh = integrator_outputs(crossbar, range(32), widths, mesh_subcircuit(crossbar), "crossbar_mesh")[list(columns)]
    c_f = float((crossbar.conductance * widths[:, None]).sum(axis=0).max()) * V_READ * T_BIT
    error = {}
    circuit = RampCircuit()
    for termination in (0.0, summing_node_resistance(circuit.gbw, c_f) + circuit.opamp_resistance):
        block = reduce_columns(ArraySolver(crossbar), columns, termination=termination).subcircuit(ideal_sources=True)
        network = integrator_outputs(crossbar, columns, widths, block, "crossbar_reduced")
        error[termination > 0] = np.abs(network - mesh).max()
    assert error[True] < 0.02 * LSB
    assert error[True] < 0.1 * error[False]


def test_outputs_without_wires_are_the_charge_balance():
    """V_out - V_cm = V_read / C_f * sum G T, with the ideal integrator."""
    rng = np.random.default_rng(19)
    crossbar = Crossbar(rng.uniform(1e-4, 4e-4, (18, 4)), r_row=0.0, r_col=0.0)
    widths = rng.integers(1, 33, 18).astype(float)
    block = reduce_columns(ArraySolver(crossbar)).subcircuit()
    out = integrator_outputs(crossbar, range(4), widths, block, "crossbar_reduced", level="ideal")
    charge = (crossbar.conductance * widths[:, None]).sum(axis=0)
    np.testing.assert_allclose(out - V_CM, charge / charge.max(), atol=0.05 * LSB)


def test_72x128_with_16_integrators_runs():
    rng = np.random.default_rng(72)
    crossbar = Crossbar(rng.uniform(1e-4, 4e-4, (72, 128)))
    widths = rng.integers(1, 33, 72).astype(float)
    columns = range(0, 128, 8)
    block = reduce_columns(ArraySolver(crossbar), columns).subcircuit(ideal_sources=True)
    out = integrator_outputs(crossbar, columns, widths, block, "crossbar_reduced")
    assert np.all((out > V_CM + 0.15) & (out < V_CM + 1.0))


@pytest.mark.parametrize("termination", [0.0, 40.0])
def test_port_currents_of_both_subcircuits_in_plain_ngspice(termination, tmp_path):
    """All currents at all ports, rows' sources too, for arbitrary port voltages."""
    rng = np.random.default_rng(20)
    crossbar = Crossbar(rng.uniform(1e-5, 1e-3, (7, 9)), r_row=2.0, r_col=3.0, r_driver=10.0)
    columns = [8, 0, 3]
    solver = ArraySolver(crossbar)
    names = ports(7, columns)[:-1]
    voltage = rng.uniform(-0.5, 0.5, len(names))
    printed = {}
    loads = [f"rload{j} c{j} 0 {termination!r}" for j in range(9) if j not in columns] if termination else []
    mesh_columns = range(9) if termination else columns
    decks = {
        "crossbar_mesh": [
            mesh_subcircuit(crossbar, mesh_columns),
            *loads,
            continued(["x1", *ports(7, mesh_columns)[:-1], "0 crossbar_mesh"]),
        ],
        "crossbar_reduced": [
            reduce_columns(solver, columns, termination=termination).subcircuit(),
            continued(["x1", *names, "0 crossbar_reduced"]),
        ],
    }
    for name, network in decks.items():
        sources = [f"v{n} {n} 0 DC {float(v)!r}" for n, v in zip(names, voltage, strict=True)]
        deck = Deck(
            "\n".join(["ports", *network, *sources, ".op"]) + "\n",
            "\n".join(["set numdgt=15", "op", *(f"print i(v{n})" for n in names), "quit"]),
        )
        text = run_batch(deck.write(tmp_path / f"{name}.cir"))
        printed[name] = np.array([float(x) for x in re.findall(r"^i\(v\w+\) = (\S+)", text, re.MULTILINE)])
    np.testing.assert_allclose(printed["crossbar_reduced"], printed["crossbar_mesh"], rtol=1e-9)


@given(seed=st.integers(0, 2**32 - 1), shape=st.tuples(st.integers(1, 8), st.integers(1, 8)), data=st.data())
@settings(max_examples=60)
def test_reduced_network_carries_the_currents_of_the_crossbar(seed, shape, data):
    rng = np.random.default_rng(seed)
    columns = data.draw(st.lists(st.integers(0, shape[1] - 1), min_size=1, unique=True))
    r_row, r_col = data.draw(st.tuples(*[st.sampled_from([0.0, 1.0, 20.0])] * 2))
    crossbar = Crossbar(rng.uniform(1e-6, 1e-3, shape), r_row=r_row, r_col=r_col, r_driver=data.draw(st.sampled_from([0.0, 50.0])))
    solver = ArraySolver(crossbar)
    n = reduce_columns(solver, columns)
    v, u = rng.uniform(-0.2, 0.2, shape[0]), rng.uniform(-0.2, 0.2, len(columns))
    terminal = np.zeros(shape[1])
    terminal[columns] = u
    solution = solver.solve(v, terminal)
    column = v @ n.row_to_column + u @ n.column_to_column
    column -= u * (n.row_to_column.sum(axis=0) + n.column_to_column.sum(axis=0) + n.column_to_ground)
    row = v * (n.row_to_column.sum(axis=1) + n.row_to_row.sum(axis=1) + n.row_to_ground)
    row -= n.row_to_column @ u + n.row_to_row @ v
    size = np.abs(solution.cell_current).sum()
    np.testing.assert_allclose(column, solution.column_current[columns], atol=1e-12 * size)
    np.testing.assert_allclose(row, solution.row_current, atol=1e-12 * size)


def test_elements_that_conduct_nothing_are_left_out():
    n = reduce_columns(ArraySolver(Crossbar(np.full((3, 2), 1e-4), r_row=0.0, r_col=0.0)))
    elements = [line for line in n.subcircuit().splitlines() if line.startswith("r_")]
    assert elements == [f"r_r{i}_c{j} r{i} c{j} 10000.0" for j in range(2) for i in range(3)]


@pytest.mark.parametrize(
    ("options", "message"),
    [({"curvature": 0.5}, "curvature=0.5: only a linear"), ({"c_col": 1e-15}, "c_col=1e-15: the reduced network")],
)
def test_what_has_no_reduced_network(options, message):
    with pytest.raises(InputError, match=message):
        reduce_columns(ArraySolver(Crossbar(np.full((2, 2), 1e-4), **options)))


@pytest.mark.parametrize(
    ("columns", "message"), [([5], "column 5: the crossbar has columns 0..1"), ([0, 0], "twice"), ([], "at least one")]
)
def test_bad_choice_of_columns(columns, message):
    with pytest.raises(InputError, match=message):
        reduce_columns(ArraySolver(Crossbar(np.full((2, 2), 1e-4))), columns)
