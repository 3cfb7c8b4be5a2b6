"""Port conductances of a crossbar after a few of its cells have changed, without another factorization.

A cell k between two wire nodes adds ``g_k u_k u_k^T`` to the nodal matrix A, with +1 and -1 at its nodes. Changes d_k of some cells
are an update of as low a rank, whose inverse follows from that of A (Woodbury; W. W. Hager, SIAM Rev. 31, 221, 1989):

    W' = W - P (1 + D M)^-1 D P^T,    P = B^T A^-1 U,    M = U^T A^-1 U,    D = diag(d)

with W between the terminals and B the conductances that link them to the nodes beside them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .network import DIRECT, NodalNetwork

if TYPE_CHECKING:
    from scipy.sparse.linalg import SuperLU

_BLOCK = 4  # as `solver` has it


def updated_ports(
    ports: np.ndarray, network: NodalNetwork, factor: SuperLU, rows: np.ndarray, cols: np.ndarray, change: np.ndarray
) -> np.ndarray:
    """Conductance between every two terminals, (R + C, R + C), siemens.

    Parameters
    ----------
    ports : ndarray (R + C, R + C)
        Before the change.
    network, factor : NodalNetwork, SuperLU
        Before the change, with unknowns on both sides of every cell.
    rows, cols : ndarray of int (k,)
        Cells that change, each once.
    change : ndarray (k,)
        Of their conductance, siemens.
    """
    start, end = network.row[rows, cols], network.col[rows, cols]
    assert not np.any(start == DIRECT)
    assert not np.any(end == DIRECT)
    reach = np.empty((network.size, len(rows)))
    for first in range(0, len(rows), _BLOCK):
        some = slice(first, min(first + _BLOCK, len(rows)))
        unit = np.zeros((network.size, some.stop - first), order="F")
        at = np.arange(unit.shape[1])
        unit[start[some], at], unit[end[some], at] = 1.0, -1.0
        reach[:, some] = factor.solve(unit)
    through = network.port_link.T @ reach[network.port]
    between = reach[start] - reach[end]
    lost = through @ np.linalg.solve(np.eye(len(rows)) + change[:, None] * between, change[:, None] * through.T)
    out = ports - 0.5 * (lost + lost.T)
    np.fill_diagonal(out, 0.0)
    return out
