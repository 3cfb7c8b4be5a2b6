"""The array solver against ngspice, badcrossbar, dense linear algebra and closed forms."""

import itertools
import logging
import re
import warnings

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.optimize import root

from netlists.array.crossbar import Crossbar
from netlists.array.deck import operating_point_deck
from netlists.array.network import elimination_order
from netlists.array.solver import KCL_TOLERANCE, ArraySolver, cell_law
from netlists.errors import InputError, ToolkitError
from netlists.spice.program import run_batch


def ngspice_currents(crossbar, v, folder, terminal=None) -> np.ndarray:
    printed = run_batch(operating_point_deck(crossbar, v, terminal).write(folder / "crossbar.cir"))
    return np.array([float(x) for x in re.findall(r"^i\(vc\d+\) = (\S+)", printed, re.MULTILINE)])


def dense_currents(crossbar, v, u) -> np.ndarray:
    """Column currents by dense modified nodal analysis: every branch current is an unknown, v_a - v_b = r i."""
    rows, cols = crossbar.rows, crossbar.cols
    n = rows * cols
    row = np.arange(n).reshape(rows, cols)
    col = n + row
    source, terminal = 2 * n + np.arange(rows), 2 * n + rows + np.arange(cols)
    branches = []
    for i, j in itertools.product(range(rows), range(cols)):
        branches.append((row[i, j], col[i, j], 1.0 / crossbar.conductance[i, j] + crossbar.r_access))
        if j:
            branches.append((row[i, j - 1], row[i, j], crossbar.r_row))
        if i:
            branches.append((col[i - 1, j], col[i, j], crossbar.r_col))
    for i, side in itertools.product(range(rows), (0, -1) if crossbar.driven == "both" and crossbar.row_end else (0,)):
        branches.append((source[i], row[i, side], crossbar.row_end))
    for j, side in itertools.product(range(cols), (-1, 0) if crossbar.sensed == "both" and crossbar.col_end else (-1,)):
        branches.append((col[side, j], terminal[j], crossbar.col_end))
    inner, m = 2 * n, len(branches)
    known = np.concatenate([np.zeros(inner), v, u])
    incidence = np.zeros((m, inner + rows + cols))
    for k, (a, b, _) in enumerate(branches):
        incidence[k, a] += 1.0
        incidence[k, b] -= 1.0
    matrix = np.zeros((inner + m, inner + m))
    matrix[:m, :inner] = incidence[:, :inner]
    matrix[:m, inner:] = -np.diag([r for _, _, r in branches])
    matrix[m:, inner:] = incidence[:, :inner].T
    solution = np.linalg.solve(matrix, np.concatenate([-incidence @ known, np.zeros(inner)]))
    return -incidence[:, terminal].T @ solution[inner:]


@pytest.mark.parametrize("signed", [False, True])
def test_linear_32x32_agrees_with_ngspice(signed, tmp_path):
    rng = np.random.default_rng(32)
    crossbar = Crossbar(rng.uniform(1e-4, 4e-4, (32, 32)), r_row=1.0, r_col=2.5, r_driver=20.0, r_sense=5.0)
    v = rng.uniform(-0.2 if signed else 0.0, 0.2, 32)
    expected = ngspice_currents(crossbar, v, tmp_path)
    solver = ArraySolver(crossbar)
    np.testing.assert_allclose(solver.solve(v).column_current, expected, rtol=1e-9)
    np.testing.assert_allclose(v @ solver.transfer, expected, rtol=1e-9)


@pytest.mark.parametrize("r_access", [0.0, 819.0])
@pytest.mark.parametrize("swing", [0.2, 2.0])
def test_curved_32x32_agrees_with_ngspice(r_access, swing, tmp_path):
    rng = np.random.default_rng(33)
    crossbar = Crossbar(rng.uniform(1e-4, 4e-4, (32, 32)), curvature=0.75, r_access=r_access)
    v = rng.uniform(0.0, swing, 32)
    solution = ArraySolver(crossbar).solve(v)
    np.testing.assert_allclose(solution.column_current, ngspice_currents(crossbar, v, tmp_path), rtol=1e-6)
    assert solution.kcl_residual < KCL_TOLERANCE
    assert 2 <= solution.steps <= 8


def test_128x128_agrees_with_badcrossbar():
    with warnings.catch_warnings(record=True):  # it warns that its plotting needs cairo
        badcrossbar = pytest.importorskip("badcrossbar")
    if not hasattr(badcrossbar, "compute"):
        pytest.skip("badcrossbar lacks pathvalidate")
    logging.getLogger("badcrossbar").setLevel(logging.WARNING)
    rng = np.random.default_rng(128)
    g, v = rng.uniform(1e-4, 4e-4, (128, 128)), rng.uniform(0.0, 0.2, (3, 128))
    theirs = badcrossbar.compute(v.T, 1.0 / g, r_i_word_line=1.0, r_i_bit_line=2.0)
    solver = ArraySolver(Crossbar(g, r_row=1.0, r_col=2.0))
    ours = solver.solve(v)
    np.testing.assert_allclose(ours.column_current, theirs.currents.output, rtol=1e-9)
    np.testing.assert_allclose(v @ solver.transfer, theirs.currents.output, rtol=1e-9)
    np.testing.assert_allclose(np.moveaxis(ours.row_voltage, 0, 2), theirs.voltages.word_line, rtol=1e-9)
    np.testing.assert_allclose(np.moveaxis(ours.column_voltage, 0, 2), theirs.voltages.bit_line, rtol=1e-9)
    assert ours.kcl_residual.max() < KCL_TOLERANCE


@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    wires=st.tuples(*[st.sampled_from([0.0, 0.3, 5.0])] * 2),
    ends=st.tuples(*[st.sampled_from([0.0, 100.0])] * 2),
    driven=st.sampled_from(["left", "both"]),
    sensed=st.sampled_from(["bottom", "both"]),
    r_access=st.sampled_from([0.0, 819.0]),
    decades=st.sampled_from([0.5, 3.0]),
)
@settings(max_examples=120)
def test_every_network(seed, shape, wires, ends, driven, sensed, r_access, decades):
    """Dense solution; KCL; superposition; reciprocity; the transfer matrix and the solution are one."""
    rng = np.random.default_rng(seed)
    g = 1e-4 * 10.0 ** rng.uniform(-decades, decades, shape)
    crossbar = Crossbar(g, *wires, *ends, driven=driven, sensed=sensed, r_access=r_access)
    solver = ArraySolver(crossbar)
    v, u = rng.uniform(-0.2, 0.2, (3, shape[0])), rng.uniform(-0.01, 0.01, (3, shape[1]))
    solution = solver.solve(v, u)
    size = np.abs(solution.cell_current).sum(axis=(1, 2)).max()
    assert solution.kcl_residual.max() < KCL_TOLERANCE
    np.testing.assert_allclose(solution.column_current[0], dense_currents(crossbar, v[0], u[0]), atol=1e-9 * size)
    np.testing.assert_allclose(solver.column_currents(v, u), solution.column_current, atol=1e-12 * size)
    # Ports: all current that enters leaves, no negative conductance, reciprocity by solving for each port alone.
    np.testing.assert_allclose(solution.row_current.sum(axis=1), solution.column_current.sum(axis=1), atol=1e-12 * size)
    assert np.all(solver.port_conductance >= 0)
    forward = solver.solve(np.eye(shape[0])).column_current
    backward = -solver.solve(np.zeros((shape[1], shape[0])), np.eye(shape[1])).row_current
    np.testing.assert_allclose(forward, solver.transfer, rtol=1e-10)
    np.testing.assert_allclose(backward.T, forward, rtol=1e-10)
    superposed = 2.0 * solution.column_current[0] - 3.0 * solution.column_current[1]
    combined = solver.solve(2.0 * v[0] - 3.0 * v[1], 2.0 * u[0] - 3.0 * u[1]).column_current
    np.testing.assert_allclose(combined, superposed, atol=1e-11 * size)


@given(seed=st.integers(0, 2**32 - 1), shape=st.tuples(st.integers(1, 20), st.integers(1, 20)))
@settings(max_examples=30)
def test_without_wires_it_is_the_matrix_product(seed, shape):
    rng = np.random.default_rng(seed)
    g, v = rng.uniform(1e-6, 1e-3, shape), rng.normal(size=(2, shape[0]))
    solver = ArraySolver(Crossbar(g, r_row=0.0, r_col=0.0))
    np.testing.assert_array_equal(solver.transfer, g)
    np.testing.assert_allclose(solver.solve(v).column_current, v @ g, atol=1e-15)


@given(seed=st.integers(0, 2**32 - 1), r=st.floats(1e-9, 1e-4))
@settings(max_examples=30)
def test_small_wire_resistance_tends_to_none(seed, r):
    rng = np.random.default_rng(seed)
    g, v = rng.uniform(1e-4, 4e-4, (7, 5)), rng.uniform(0.1, 0.2, 7)
    solution = ArraySolver(Crossbar(g, r_row=r, r_col=r)).solve(v)
    assert solution.kcl_residual < KCL_TOLERANCE
    # First order in r: the drop along a line is below r * (cells in line)**2 * g_max / 2, for rows and columns together.
    np.testing.assert_allclose(solution.column_current, v @ g, rtol=2 * r * 7**2 * 4e-4)


@pytest.mark.parametrize("conductance", [1e-12, 1e-4, 1.0, 100.0])
def test_all_open_and_all_shorted_keep_kirchhoff(conductance):
    solver = ArraySolver(Crossbar(np.full((24, 16), conductance)))
    v = np.linspace(0.05, 0.2, 24)
    solution = solver.solve(v)
    assert solution.kcl_residual < KCL_TOLERANCE
    np.testing.assert_allclose(v @ solver.transfer, solution.column_current, rtol=1e-9)
    if conductance == 1e-12:
        np.testing.assert_allclose(solution.column_current, v.sum() * conductance, rtol=1e-6)
    if conductance == 100.0:
        # Shorted cells join all lines into one sheet: no column node can be above what the wires to it allow.
        assert np.all(solution.column_voltage < 0.2)
        assert solution.column_current.sum() == pytest.approx(solution.row_current.sum(), rel=1e-9)


def test_single_cell_is_a_series_circuit():
    crossbar = Crossbar([[1e-3]], r_row=2.0, r_col=3.0, r_driver=40.0, r_sense=50.0, r_access=600.0)
    solution = ArraySolver(crossbar).solve([0.5])
    assert solution.column_current[0] == pytest.approx(0.5 / (1000 + 2 + 3 + 40 + 50 + 600), rel=1e-13)
    both = ArraySolver(crossbar.with_(driven="both", sensed="both")).transfer
    assert both[0, 0] == pytest.approx(1.0 / (1000 + 600 + 42 / 2 + 53 / 2), rel=1e-13)


def test_one_row_is_a_ladder():
    """A row of equal cells on ideal columns is a discrete transmission line: closed form with cosh."""
    n, g, r = 30, 1e-3, 5.0
    solution = ArraySolver(Crossbar(np.full((1, n), g), r_row=r, r_col=0.0)).solve([1.0])
    theta = np.arccosh(1.0 + r * g / 2.0)
    voltage = np.cosh((n - np.arange(n) - 0.5) * theta) / np.cosh((n + 0.5) * theta)
    np.testing.assert_allclose(solution.row_voltage[0], voltage, rtol=1e-12)


@pytest.mark.parametrize("curvature", [0.0, 0.5])
def test_zero_input_draws_no_current(curvature):
    solution = ArraySolver(Crossbar(np.full((4, 3), 1e-4), curvature=curvature)).solve(np.zeros((2, 4)))
    assert not solution.column_current.any()
    assert not solution.kcl_residual.any()
    assert not solution.steps.any()


@pytest.mark.parametrize("stuck", [1e-9, 1e-2])
def test_stuck_rows(stuck, tmp_path):
    rng = np.random.default_rng(8)
    g = rng.uniform(1e-4, 4e-4, (12, 10))
    g[[0, 7, 11]] = stuck
    crossbar, v = Crossbar(g), rng.uniform(0.0, 0.2, 12)
    solution = ArraySolver(crossbar).solve(v)
    assert solution.kcl_residual < KCL_TOLERANCE
    np.testing.assert_allclose(solution.column_current, ngspice_currents(crossbar, v, tmp_path), rtol=1e-9)


def test_terminals_at_a_voltage_agree_with_ngspice(tmp_path):
    rng = np.random.default_rng(9)
    crossbar = Crossbar(rng.uniform(1e-4, 4e-4, (8, 6)), r_driver=30.0, driven="both", sensed="both")
    v, u = rng.uniform(0.0, 0.2, 8), rng.uniform(-0.05, 0.05, 6)
    expected = ngspice_currents(crossbar, v, tmp_path, u)
    solver = ArraySolver(crossbar)
    np.testing.assert_allclose(solver.solve(v, u).column_current, expected, rtol=1e-9)
    np.testing.assert_allclose(solver.column_currents(v, u), expected, rtol=1e-9)


def test_leading_axes_and_blocks_are_those_of_the_inputs():
    rng = np.random.default_rng(10)
    crossbar = Crossbar(rng.uniform(1e-4, 4e-4, (5, 4)))
    solver, v = ArraySolver(crossbar), rng.normal(size=(2, 3, 5))
    solution = solver.solve(v)
    assert solution.column_current.shape == (2, 3, 4)
    assert solution.cell_current.shape == (2, 3, 5, 4)
    assert solution.kcl_residual.shape == (2, 3)
    np.testing.assert_allclose(solution.column_current[1, 2], solver.solve(v[1, 2]).column_current, rtol=1e-12)
    assert solver.solve(np.zeros((0, 5))).column_current.shape == (0, 4)
    assert solver.solve(v, np.zeros(4)).column_current.shape == (2, 3, 4)
    curved = ArraySolver(crossbar.with_(curvature=0.5)).solve(v)
    one = ArraySolver(crossbar.with_(curvature=0.5)).solve(v[0, 1])
    np.testing.assert_allclose(curved.column_current[0, 1], one.column_current, rtol=1e-12)


@given(
    g=st.floats(1e-9, 1e-2), b=st.floats(1e-6, 10.0), r=st.sampled_from([0.0, 100.0, 1e4]), v=st.floats(-2.0, 2.0),
)  # fmt: skip
@settings(max_examples=100)
def test_cell_law_solves_the_series_circuit(g, b, r, v):
    current, slope = (a[0, 0] for a in cell_law(Crossbar([[g]], curvature=b, r_access=r), np.array([[v]])))
    found = root(lambda t: t + r * g * (t + b * t**3) - v, v / (1.0 + r * g), tol=1e-13).x[0]
    np.testing.assert_allclose(current, g * (found + b * found**3), rtol=1e-9, atol=1e-20)
    step = 1e-5
    above, below = (cell_law(Crossbar([[g]], curvature=b, r_access=r), np.array([[v + s]]))[0][0, 0] for s in (step, -step))
    np.testing.assert_allclose(slope, (above - below) / (2 * step), rtol=1e-6)


def test_no_curvature_is_the_limit_of_small_curvature():
    rng = np.random.default_rng(11)
    crossbar, v = Crossbar(rng.uniform(1e-4, 4e-4, (10, 10)), r_access=819.0), rng.uniform(0.0, 0.2, 10)
    curved = ArraySolver(crossbar.with_(curvature=1e-9))
    np.testing.assert_allclose(curved.column_currents(v), ArraySolver(crossbar).column_currents(v), rtol=1e-9)


@given(rows=st.integers(1, 40), cols=st.integers(1, 40))
@settings(max_examples=40)
def test_elimination_order_has_every_node_once(rows, cols):
    np.testing.assert_array_equal(np.sort(elimination_order(rows, cols)), np.arange(2 * rows * cols))


def test_singular_network_names_the_node():
    g = np.full((3, 4), 1e-4)
    g[2, 1] = 1e300
    for method in ("solve", "column_currents"):
        with pytest.raises(ToolkitError, match=r"not solved: .* at the (row|column) wire at row 2, column 1"):
            getattr(ArraySolver(Crossbar(g)), method)(np.ones(3))
        with pytest.raises(ToolkitError, match="singular to working precision at the row wire at row 2"):
            getattr(ArraySolver(Crossbar(g, r_row=0.0, r_driver=1.0)), method)(np.ones(3))


def test_hopelessly_scaled_network_is_refused_not_answered():
    rng = np.random.default_rng(12)
    crossbar = Crossbar(rng.uniform(0.5, 1.5, (8, 8)), r_row=1e6, r_col=1e6)
    with pytest.raises(ToolkitError, match=r"Kirchhoff's current law is off by .* at the (row|column) wire at row"):
        ArraySolver(crossbar).solve(rng.uniform(-0.2, 0.2, 8))


@pytest.mark.parametrize(
    ("v", "terminal", "message"),
    [
        (np.zeros(3), None, r"v: has shape \(3,\), must be numbers of shape \(..., 2\)"),
        ([[0.1, 0.1], [np.nan, 0.1]], None, r"v\[1, 0\]=nan"),
        ([0.1, 0.1], [0.0], r"terminal: has shape \(1,\), must be numbers of shape \(..., 3\)"),
        (np.zeros((2, 2)), np.zeros((5, 3)), "leading axes do not match"),
    ],
)
@pytest.mark.parametrize("method", ["solve", "column_currents"])
def test_bad_voltages(v, terminal, message, method):
    with pytest.raises(InputError, match=message):
        getattr(ArraySolver(Crossbar(np.full((2, 3), 1e-4))), method)(v, terminal)
