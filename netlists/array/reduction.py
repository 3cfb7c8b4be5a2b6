"""A crossbar's columns as their reduced network: the effect of every wire segment without the mesh.

The reduced network joins the ports directly: rows' sources, the chosen columns' terminals and analog ground, on which
the other columns' terminals lie, at once or through a resistance. Its conductances come from the crossbar's
`port_conductance` and are exact for any port voltages, so columns may end on integrators whose summing nodes move, and
rows on drivers that are not ideal:

row to column     the effective conductances, that is the weights as the integrator meets them
column to column  charge that goes over when two summing nodes differ
column to ground  the same towards the columns that were not chosen
row to row        current from one driver to another, through the wires of the columns
row to ground     current into the columns that were not chosen

The last two change nothing but the sources' own currents where the rows are driven by ideal voltage sources, with the
driver resistance inside the crossbar; such a deck may leave them out.

The columns that were not chosen load the rows too. On ideal ground they make an error: real integrators let their
summing nodes move, which at 18 x 32 with 1 ohm wires is worth up to 0.1 LSB at 5 bits in a chosen column (gain-bandwidth
500 MHz). With `summing_node_resistance` as their ``termination`` it is 0.002 LSB.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from netlists.checks import Array, Positive, check
from netlists.errors import InputError

from .deck import chosen_columns, continued, ports
from .solver import ArraySolver


@dataclass(frozen=True, eq=False)
class ReducedNetwork:
    """Conductances between the ports of a crossbar's chosen columns, siemens, 0 or more.

    Attributes
    ----------
    columns : tuple of int, length k
    row_to_column : ndarray (R, k)
    column_to_column : ndarray (k, k)
        Symmetric, 0 on the diagonal.
    column_to_ground : ndarray (k,)
    row_to_row : ndarray (R, R)
        Symmetric, 0 on the diagonal.
    row_to_ground : ndarray (R,)
    """

    columns: tuple[int, ...]
    row_to_column: np.ndarray
    column_to_column: np.ndarray
    column_to_ground: np.ndarray
    row_to_row: np.ndarray
    row_to_ground: np.ndarray

    def subcircuit(self, *, name: str = "crossbar_reduced", ideal_sources: bool = False) -> str:
        """The network as a ``.subckt`` with ports ``r0 .. c<j> .. com``, as `mesh_subcircuit` has them.

        Parameters
        ----------
        ideal_sources : bool
            Every row is held by an ideal voltage source in the deck: leave out what lies between rows, and between rows
            and ground, for speed. The currents of these sources then are not those of the crossbar; all else is.
        """
        rows = self.row_to_column.shape[0]
        names = ports(rows, self.columns)
        lines = [
            f"* {name} - reduced network of {len(self.columns)} crossbar columns with {rows} rows, exact",
            "* ports:  r<i>  source of row i    c<j>  terminal of column j    com  analog ground (unchosen columns)",
            *(["* rows must be held by ideal voltage sources"] if ideal_sources else []),
            continued([f".subckt {name}", *names]),
        ]
        row, column, com = names[:rows], names[rows:-1], names[-1]
        pairs = [(row[i], column[k], self.row_to_column[i, k]) for k in range(len(column)) for i in range(rows)]
        pairs += [(column[a], column[b], self.column_to_column[a, b]) for b in range(len(column)) for a in range(b)]
        pairs += [(column[k], com, self.column_to_ground[k]) for k in range(len(column))]
        if not ideal_sources:
            pairs += [(row[a], row[b], self.row_to_row[a, b]) for b in range(rows) for a in range(b)]
            pairs += [(row[i], com, self.row_to_ground[i]) for i in range(rows)]
        # A conductance of 0 is no element: without wires there is none between columns, say.
        lines += [f"r_{a}_{b} {a} {b} {1.0 / float(g)!r}" for a, b, g in pairs if g > 0]
        return "\n".join([*lines, f".ends {name}"]) + "\n"


def summing_node_resistance(gbw: float, c_f: float) -> float:
    """Input resistance of an integrator at its summing node, ohm: 1 / (2 pi gbw c_f).

    Holds between the op-amp's pole and its gain-bandwidth product ``gbw`` (hertz), where its gain is gbw / (j f) and the
    feedback capacitor ``c_f`` (farad) appears gbw / (j f) times as large: a resistor.
    """
    return 1.0 / (2.0 * math.pi * check(Positive, gbw, "gbw") * check(Positive, c_f, "c_f"))


def terminations(given: npt.ArrayLike, cols: int) -> np.ndarray:
    """Resistance (cols,) of each column's terminal to analog ground, ohm, from one for all or one each.

    Raises
    ------
    InputError
        Another shape, or a resistance that is negative or not finite.
    """
    shape = () if np.ndim(given) == 0 else (cols,)
    return np.broadcast_to(check(Array(shape, 0, unit="ohm"), given, "termination"), (cols,))


def reduce_columns(
    solver: ArraySolver, columns: Sequence[int] | None = None, *, termination: npt.ArrayLike = 0.0
) -> ReducedNetwork:
    """Reduced network of some columns of a linear crossbar.

    Parameters
    ----------
    solver : ArraySolver
        Factored once; reduces to as many choices of columns as wanted.
    columns : sequence of int, optional
        Default all.
    termination : array_like
        Resistance from the terminal of each column that was not chosen to analog ground, one for all or shape (C,), ohm;
        0 joins them.

    Raises
    ------
    InputError
        A column that is not there or twice; cells with curvature or wires with capacitance, which no network of
        conductances between the ports can stand for; a negative termination.
    """
    crossbar = solver.crossbar
    if not crossbar.linear:
        raise InputError(
            f"curvature={crossbar.curvature:g}: only a linear crossbar has a reduced network; reduce crossbar.with_(curvature=0), "
            "or simulate the mesh"
        )
    if crossbar.c_row > 0 or crossbar.c_col > 0:
        raise InputError(
            f"c_row={crossbar.c_row:g} c_col={crossbar.c_col:g}: the reduced network holds no wire capacitance; reduce "
            "crossbar.with_(c_row=0, c_col=0) and put a column's capacitance on its summing node, or simulate the mesh"
        )
    chosen = chosen_columns(crossbar, columns)
    rows = crossbar.rows
    kept = np.concatenate([np.arange(rows), rows + np.array(chosen)])
    others = np.setdiff1d(np.arange(crossbar.cols), chosen)
    load = terminations(termination, crossbar.cols)[others]
    loaded, joined = rows + others[load > 0], rows + others[load == 0]
    w = solver.port_conductance
    between, to_ground = w[np.ix_(kept, kept)], w[np.ix_(kept, joined)].sum(axis=1)
    if len(loaded):
        # Kron reduction once more, of the terminals behind their resistors.
        ground = 1.0 / load[load > 0]
        nodes = np.diag(w[loaded].sum(axis=1) + ground) - w[np.ix_(loaded, loaded)]
        through = np.linalg.solve(nodes, w[np.ix_(loaded, kept)])
        between = between + w[np.ix_(kept, loaded)] @ through
        to_ground = to_ground + (ground + w[np.ix_(loaded, joined)].sum(axis=1)) @ through
        np.fill_diagonal(between, 0.0)
    return ReducedNetwork(
        columns=tuple(chosen),
        row_to_column=between[:rows, rows:],
        column_to_column=between[rows:, rows:],
        column_to_ground=to_ground[rows:],
        row_to_row=between[:rows, :rows],
        row_to_ground=to_ground[:rows],
    )
