"""A linear crossbar seen from its terminals alone: the conductance between every two of them, exactly.

Eliminating all inner nodes of a resistor network leaves a resistor network (Kron reduction, the Schur complement):
conductances W_ab >= 0 between terminals, with the current out of the network at terminal b

    I_b = sum_a W_ab (V_a - V_b)

The nodes beside the terminals are last in the order of elimination, so the trailing corner of the LU factors *is*
the Schur complement onto them, and the whole matrix comes from one factorization without solving for any inner node.
Its entries are sums and products of positive numbers only; none is lost by cancellation, however small.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .crossbar import Crossbar
from .network import NodalNetwork

if TYPE_CHECKING:
    from scipy.sparse.linalg import SuperLU


def port_conductance(network: NodalNetwork, factor: SuperLU | None) -> np.ndarray:
    """Conductance between every two terminals, rows' sources first, then columns: shape (R + C, R + C), siemens.

    ``factor`` is of ``network.matrix``; it is not needed where rows or columns have no resistance at all.
    """
    crossbar = network.crossbar
    rows, cols = crossbar.rows, crossbar.cols
    g = crossbar.cell_conductance
    out = np.zeros((rows + cols, rows + cols))
    if network.row_direct and network.col_direct:
        out[:rows, rows:] = g
        out[rows:, :rows] = g.T
    elif network.row_direct:
        out[:rows, :rows], out[:rows, rows:] = _separate_lines(g, crossbar, crossbar.r_col, crossbar.col_end, crossbar.sensed)
        out[rows:, :rows] = out[:rows, rows:].T
    elif network.col_direct:
        out[rows:, rows:], out[rows:, :rows] = _separate_lines(g.T, crossbar, crossbar.r_row, crossbar.row_end, crossbar.driven)
        out[:rows, rows:] = out[rows:, :rows].T
    else:
        assert factor is not None
        out[:] = network.port_link.T @ _corner_solve(factor, network.port_link)
        out[:] = 0.5 * (out + out.T)
    np.fill_diagonal(out, 0.0)
    return out


def _corner_solve(factor: SuperLU, right: np.ndarray) -> np.ndarray:
    """Solution at the last nodes for currents (p, k) into these nodes alone; the factors are in natural order."""
    from scipy.linalg import solve_triangular

    first = factor.shape[0] - len(right)
    lower, upper = factor.L[first:, first:].toarray(), factor.U[first:, first:].toarray()
    return solve_triangular(upper, solve_triangular(lower, right, lower=True, unit_diagonal=True))


def _separate_lines(g: np.ndarray, crossbar: Crossbar, r_wire: float, r_end: float, ends: str) -> tuple[np.ndarray, np.ndarray]:
    """Conductances of lines that ideal sources cross: each line is a network of its own.

    Parameters
    ----------
    g : ndarray (n, m)
        Cells of m lines with n sources along each.

    Returns
    -------
    between_sources : ndarray (n, n)
    source_to_line : ndarray (n, m)
    """
    from scipy.linalg import solveh_banded

    n, m = g.shape
    at = {"left": [0], "bottom": [n - 1], "both": [0, n - 1]}[ends]
    if r_wire == 0:
        end = len(at) / r_end
        total = g.sum(axis=0) + end
        return (g / total) @ g.T, g * end / total
    inject = np.zeros(n)
    np.add.at(inject, at, 1.0 / r_end)
    between, to_line = np.zeros((n, n)), np.zeros((n, m))
    wire = np.zeros(n)
    wire[1:] += 1.0 / r_wire
    wire[:-1] += 1.0 / r_wire
    band = np.zeros((2, n))
    band[0, 1:] = -1.0 / r_wire
    for k in range(m):
        band[1] = wire + inject + g[:, k]
        # LAPACK's tridiagonal routine wants an off-diagonal; a line of one cell has none.
        solved = solveh_banded(band if n > 1 else band[1:], np.column_stack([np.diag(g[:, k]), inject]))
        between += g[:, k, None] * solved[:, :n]
        to_line[:, k] = g[:, k] * solved[:, n]
    return between, to_line
