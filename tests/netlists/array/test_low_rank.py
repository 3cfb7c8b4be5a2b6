"""Port conductances after a change of a few cells, against a crossbar that is factored anew."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from netlists.array import ArraySolver, Crossbar
from netlists.errors import InputError


@settings(max_examples=30, deadline=None)
@given(
    st.integers(2, 12),
    st.integers(2, 12),
    st.integers(0, 9),
    st.integers(0, 10**6),
    st.sampled_from(["left", "both"]),
    st.sampled_from([0.0, 900.0]),
)
def test_an_update_is_the_solution_of_the_changed_crossbar(rows, cols, cells, seed, driven, access):
    """Cells that vanish, appear, or change by a hair; behind access transistors, rows driven from one side or both."""
    rng = np.random.default_rng(seed)
    crossbar = Crossbar(rng.uniform(1e-4, 4e-4, (rows, cols)), r_row=2.0, r_col=0.7, r_driver=50.0, driven=driven, r_access=access)
    i, j = np.divmod(rng.choice(rows * cols, min(cells, rows * cols), replace=False), cols)
    g = crossbar.conductance[i, j] * rng.choice([1e-9, 1 + 1e-9, 3.0], len(i))
    changed = ArraySolver(crossbar).changed(i, j, g)
    anew = ArraySolver(changed.crossbar)
    np.testing.assert_array_equal(changed.crossbar.conductance[i, j], g)
    assert np.abs(changed.port_conductance - anew.port_conductance).max() < 1e-10 * anew.port_conductance.max()
    v = rng.uniform(0, 0.2, rows)
    np.testing.assert_allclose(changed.column_currents(v), anew.solve(v).column_current, rtol=1e-10)


def test_a_wrong_cell_would_show():
    crossbar = Crossbar(np.full((6, 6), 2e-4), r_row=1.0, r_col=1.0)
    changed = ArraySolver(crossbar).changed([1], [2], [4e-4])
    other = ArraySolver(crossbar).changed([1], [3], [4e-4])
    assert np.abs(changed.transfer / other.transfer - 1).max() > 0.5


def test_sides_without_resistance_and_bent_cells_are_solved_anew():
    ideal = Crossbar(np.full((3, 4), 2e-4), r_row=1.0)
    for crossbar in (ideal, Crossbar(np.full((3, 4), 2e-4), r_row=1.0, r_col=1.0, curvature=0.5)):
        changed = ArraySolver(crossbar).changed([0, 2], [3, 1], [1e-4, 3e-4])
        np.testing.assert_allclose(changed.transfer, ArraySolver(changed.crossbar).transfer, rtol=1e-12)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (([0], [9], [1e-4]), "cols: 9 is not among 0..3"),
        (([-1], [0], [1e-4]), "rows: -1"),
        (([1, 1], [2, 2], [1e-4, 2e-4]), "comes twice"),
        (([1, 1], [2], [1e-4]), "shapes"),
        (([0.5], [2], [1e-4]), "whole numbers"),
        (([1], [2], [-1e-4]), "conductance"),
    ],
)
def test_cells_that_are_not_there_are_named(cells, message):
    with pytest.raises(InputError, match=message):
        ArraySolver(Crossbar(np.full((3, 4), 2e-4), r_row=1.0, r_col=1.0)).changed(*cells)
