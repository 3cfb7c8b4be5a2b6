"""DC solution of a wired crossbar: sparse nodal analysis, factored once for many inputs.

What is solved for is not the voltage of each wire node but how far it is from the voltage of its line's source or
terminal: then no current is the small difference of two large numbers, and Kirchhoff's current law holds to rounding
for milliohm wires as well. Newton's method serves all: a linear crossbar takes one step, with a second one as
iterative refinement where the first leaves too much; the I-V curve I = G (V + b V**3) takes a few.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from netlists.checks import Array, check
from netlists.errors import InputError, ToolkitError

from .crossbar import Crossbar
from .low_rank import updated_ports
from .network import NodalNetwork
from .port_conductance import port_conductance

if TYPE_CHECKING:
    import scipy.sparse as sp
    from scipy.sparse.linalg import SuperLU

KCL_TOLERANCE = 1e-12
"""Largest residual current at any node that a solution may have, relative to the largest line current."""
PORT_TOLERANCE = 1e-9
"""Largest relative difference of a column current by the transfer matrix from that of a solution."""
_ENOUGH = 0.1 * KCL_TOLERANCE
_MAX_STEPS = 50
_MAX_HALVINGS = 20
# SuperLU's solve slows down with wider blocks (128 x 128, 64 right-hand sides: 75 ms by fours, 680 ms at once).
_BLOCK = 4
# Narrower panels than SuperLU's default suit the small supernodes (128 x 128: 40 against 55 ms). Never much wider than
# the default: with 40 SciPy's SuperLU corrupts memory.
_PANEL = 4


@dataclass(frozen=True, eq=False)
class ArraySolution:
    """Operating point of a crossbar for each of the input vectors; the leading axes are those of the inputs.

    Attributes
    ----------
    column_current : ndarray (..., C)
        Out of the crossbar into each column's terminal, ampere.
    row_current : ndarray (..., R)
        Out of each row's source into the crossbar, ampere.
    row_voltage, column_voltage : ndarray (..., R, C)
        Of the row's and the column's wire at each cell, volts.
    cell_voltage, cell_current : ndarray (..., R, C)
        Across and through memristor and access transistor together, volts and ampere.
    kcl_residual : ndarray (...)
        Largest sum of currents at any wire node, relative to the largest current of a line (sum of the magnitudes of
        its cells' currents).
    steps : ndarray of int (...)
        Newton steps taken.
    """

    column_current: np.ndarray
    row_current: np.ndarray
    row_voltage: np.ndarray
    column_voltage: np.ndarray
    cell_voltage: np.ndarray
    cell_current: np.ndarray
    kcl_residual: np.ndarray
    steps: np.ndarray


class _State(NamedTuple):
    """Currents at a point of Newton's iteration."""

    across: np.ndarray
    current: np.ndarray
    slope: np.ndarray
    excess: np.ndarray
    residual: np.ndarray


class ArraySolver:
    """A crossbar made ready for many input vectors.

    Raises
    ------
    ToolkitError
        If the network is singular to working precision; the message names the wire node.
    """

    def __init__(self, crossbar: Crossbar) -> None:
        self.crossbar = crossbar
        self.network = NodalNetwork(crossbar)

    @cached_property
    def _factor(self) -> SuperLU | None:
        """LU of the linear network (the cells' conductance at 0 V)."""
        return self._factorize(self.crossbar.cell_conductance)

    @cached_property
    def port_conductance(self) -> np.ndarray:
        """Conductance between every two terminals at 0 V: R rows' sources, then C columns; (R + C, R + C), siemens.

        Raises
        ------
        ToolkitError
            Singular network, or column currents that differ from a solution's that obeys Kirchhoff's current law.
        """
        if not self.crossbar.linear:
            return ArraySolver(self.crossbar.with_(curvature=0.0)).port_conductance
        out = port_conductance(self.network, self._factor)
        out.setflags(write=False)
        # Elimination alone does not notice when it loses all digits; one solution, whose residual is known, does.
        rows = self.crossbar.rows
        expected = self.solve(np.ones(rows)).column_current
        off = np.abs(out[:rows, rows:].sum(axis=0) / expected - 1.0)
        if not off.max() <= PORT_TOLERANCE:
            raise ToolkitError(
                f"the transfer conductances of column {int(np.argmax(off))} are off by {off.max():.1e} of its current "
                f"(allowed {PORT_TOLERANCE:g}); look for conductances or resistances many decades apart"
            )
        return out

    def changed(self, rows: npt.ArrayLike, cols: npt.ArrayLike, conductance: npt.ArrayLike) -> ArraySolver:
        """The solver of the crossbar with other conductances of some cells, its port conductances by an update of low rank.

        Worth it while the cells are fewer than about a tenth of the lines: each costs a solution, all cells together a
        factorization. Solutions of inner nodes factor the changed network.

        Parameters
        ----------
        rows, cols : array_like of int (k,)
            The cells, each once.
        conductance : array_like (k,)
            Their new conductance, siemens.

        Raises
        ------
        InputError
            A cell that is not there or comes twice, or a conductance that a crossbar refuses.
        """
        shape = self.crossbar.rows, self.crossbar.cols
        i, j = (np.atleast_1d(np.asarray(a)) for a in (rows, cols))
        g = np.atleast_1d(np.asarray(conductance, float))
        if not i.shape == j.shape == g.shape or i.ndim != 1:
            raise InputError(
                f"rows, cols, conductance: have shapes {i.shape}, {j.shape}, {g.shape}; give one of each for every cell"
            )
        if len(i) and not (np.issubdtype(i.dtype, np.integer) and np.issubdtype(j.dtype, np.integer)):
            raise InputError("rows, cols: must be whole numbers")
        for name, index, most in (("rows", i, shape[0]), ("cols", j, shape[1])):
            if len(bad := index[(index < 0) | (index >= most)]):
                raise InputError(f"{name}: {int(bad[0])} is not among 0..{most - 1}")
        if len(np.unique(i * shape[1] + j)) < len(i):
            raise InputError("rows, cols: a cell comes twice; give each once")
        new = np.array(self.crossbar.conductance)
        new[i, j] = g
        out = ArraySolver(self.crossbar.with_(conductance=new))
        net = self.network
        if self.crossbar.linear and len(i) and not (net.row_direct or net.col_direct):
            change = out.crossbar.cell_conductance[i, j] - self.crossbar.cell_conductance[i, j]
            assert self._factor is not None
            ports = updated_ports(self.port_conductance, net, self._factor, i, j, change)
            ports.setflags(write=False)
            out.__dict__["port_conductance"] = ports
        return out

    @property
    def transfer(self) -> np.ndarray:
        """Effective conductances (R, C), siemens: column currents are ``v @ transfer`` with all terminals at 0 V.

        Exact for linear cells; for cells with curvature, the slope at 0 V.
        """
        return self.port_conductance[: self.crossbar.rows, self.crossbar.rows :]

    def column_currents(self, v: npt.ArrayLike, terminal: npt.ArrayLike | None = None) -> np.ndarray:
        """Column currents (..., C) alone, ampere; for linear cells from the port conductances, without inner nodes.

        Parameters and errors as for `solve`.
        """
        if not self.crossbar.linear:
            return self.solve(v, terminal).column_current
        v, u = self._ports(v, terminal)
        rows = self.crossbar.rows
        if not np.any(u):
            return v @ self.transfer
        between = self.port_conductance[rows:, rows:]
        return v @ self.transfer + u @ between - u * (self.transfer.sum(axis=0) + between.sum(axis=0))

    def solve(self, v: npt.ArrayLike, terminal: npt.ArrayLike | None = None) -> ArraySolution:
        """Operating point for source voltages ``v``.

        Parameters
        ----------
        v : array_like (..., R)
            Source voltage of each row; any number of input vectors.
        terminal : array_like (..., C), optional
            Voltage each column's terminal is held at; default 0 V.

        Raises
        ------
        InputError
            Shape, or a voltage that is not finite, named by row or column.
        ToolkitError
            Singular network, or no solution to `KCL_TOLERANCE`; the message names the wire node.
        """
        v, u = self._ports(v, terminal)
        lead = v.shape[:-1]
        v, u = v.reshape(-1, v.shape[-1]), u.reshape(-1, u.shape[-1])
        # One Jacobian serves all inputs of a linear crossbar; with curvature each has its own.
        width = _BLOCK if self.crossbar.linear else 1
        blocks = [self._newton(v[k : k + width], u[k : k + width]) for k in range(0, max(len(v), 1), width)]
        parts = (np.concatenate(part) for part in zip(*blocks, strict=True))
        return ArraySolution(*(p.reshape((*lead, *p.shape[1:])) for p in parts))

    def _ports(self, v: npt.ArrayLike, terminal: npt.ArrayLike | None) -> tuple[np.ndarray, np.ndarray]:
        v = check(Array((..., self.crossbar.rows), unit="V"), v, "v")
        if terminal is None:
            return v, np.zeros((*v.shape[:-1], self.crossbar.cols))
        u = check(Array((..., self.crossbar.cols), unit="V"), terminal, "terminal")
        try:
            lead = np.broadcast_shapes(v.shape[:-1], u.shape[:-1])
        except ValueError:
            raise InputError(f"v has shape {v.shape} and terminal {u.shape}: their leading axes do not match") from None
        return np.broadcast_to(v, (*lead, v.shape[-1])), np.broadcast_to(u, (*lead, u.shape[-1]))

    def _newton(self, v: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, ...]:
        """The fields of an `ArraySolution` for sources (n, R) and terminals (n, C)."""
        net = self.network
        applied = v[:, :, None] - u[:, None, :]
        x = np.zeros((len(v), net.size))
        state = self._kcl(x, applied)
        steps = np.zeros(len(v), int)
        # Written so that a residual that is not a number counts as too large.
        while not state.residual.max(initial=0.0) <= _ENOUGH:
            factor = self._factor if self.crossbar.linear else self._factorize(state.slope[0])
            assert factor is not None
            move = factor.solve(np.ascontiguousarray(state.excess).T).T
            if not np.all(np.isfinite(move)):
                raise self._singular(net.matrix(state.slope[0]))
            # Where the I-V curve bends much a full step may overshoot: halve it until the residual falls.
            for halvings in range(_MAX_HALVINGS):
                trial = self._kcl(x - 0.5**halvings * move, applied)
                if trial.residual.max() < state.residual.max() or state.residual.max() <= KCL_TOLERANCE:
                    break
            if steps.max() == _MAX_STEPS or not trial.residual.max() < state.residual.max():
                break
            x, state, steps = x - 0.5**halvings * move, trial, steps + 1
        if not state.residual.max(initial=0.0) <= KCL_TOLERANCE:
            worst = net.name(int(np.argmax(np.abs(state.excess[np.argmax(state.residual)]))))
            raise ToolkitError(
                f"the crossbar's equations were not solved: Kirchhoff's current law is off by {state.residual.max():.1e} of the "
                f"largest line current at the {worst} (allowed {KCL_TOLERANCE:g}); look for conductances or resistances many "
                "decades apart"
            )
        row_voltage = np.broadcast_to(v[:, :, None], applied.shape)
        column_voltage = np.broadcast_to(u[:, None, :], applied.shape)
        if not net.row_direct:
            row_voltage = row_voltage + x[:, net.row]
        if not net.col_direct:
            column_voltage = column_voltage + x[:, net.col]
        i = state.current
        return i.sum(axis=1), i.sum(axis=2), row_voltage, column_voltage, state.across, i, state.residual, steps

    def _kcl(self, x: np.ndarray, applied: np.ndarray) -> _State:
        """Currents for unknowns x (n, size) under voltages (n, R, C) from source to terminal."""
        across = applied + self.network.cell_voltage(x)
        current, slope = cell_law(self.crossbar, across)
        excess = self.network.leaving(current) + (self.network.wires @ x.T).T
        magnitude = np.abs(current)
        line = np.maximum(magnitude.sum(axis=1).max(axis=1), magnitude.sum(axis=2).max(axis=1))
        worst = np.abs(excess).max(axis=1, initial=0.0)
        return _State(across, current, slope, excess, np.divide(worst, line, out=np.zeros(len(x)), where=line > 0))

    def _factorize(self, cell_conductance: np.ndarray) -> SuperLU | None:
        from scipy.sparse.linalg import splu

        if self.network.size == 0:
            return None
        matrix = self.network.matrix(cell_conductance)
        diagonal = matrix.diagonal()
        if not np.all(np.isfinite(diagonal)):
            raise self._singular(matrix)
        try:
            # The matrix is a diagonally dominant M-matrix in the order of elimination: no pivoting, no reordering.
            factor = splu(matrix, permc_spec="NATURAL", diag_pivot_thresh=0.0, panel_size=_PANEL, options={"SymmetricMode": True})
        except RuntimeError:
            raise self._singular(matrix) from None
        natural = np.arange(self.network.size)
        if not (np.array_equal(factor.perm_r, natural) and np.array_equal(factor.perm_c, natural)):
            raise self._singular(matrix)
        return factor

    def _singular(self, matrix: sp.csc_matrix) -> ToolkitError:
        """Name the node whose conductances are not finite, or the farthest apart: where elimination loses all digits."""
        diagonal = matrix.diagonal()
        bad = np.flatnonzero(~np.isfinite(diagonal))
        with np.errstate(all="ignore"):
            size = np.abs(np.log10(diagonal) - np.median(np.log10(diagonal)))
        node = int(bad[0]) if len(bad) else int(np.argmax(size))
        return ToolkitError(
            f"the crossbar's network is singular to working precision at the {self.network.name(node)}, where the conductances "
            f"add up to {diagonal[node]:g} S: check this cell's conductance and the wire, driver and sense resistances"
        )


def cell_law(crossbar: Crossbar, across: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Current through memristor and access transistor in series, and its slope.

    Parameters
    ----------
    across : ndarray (..., R, C)
        Volts over both together.

    Returns
    -------
    current, slope : ndarray (..., R, C)
        Ampere and siemens. Exact: the memristor's share t of the voltage solves R G b t**3 + (1 + R G) t = V, a
        cubic with one real root, t = 2 sqrt(p/3) sinh(asinh(3 V' / (2 p) sqrt(3/p)) / 3).
    """
    g, b = crossbar.conductance, crossbar.curvature
    if b == 0:
        return crossbar.cell_conductance * across, np.broadcast_to(crossbar.cell_conductance, across.shape)
    share = across
    if crossbar.r_access > 0:
        cubic = crossbar.r_access * g * b
        p = (1.0 + crossbar.r_access * g) / cubic
        root = np.sqrt(p / 3.0)
        share = 2.0 * root * np.sinh(np.arcsinh(across / cubic / (2.0 * root**3)) / 3.0)
    slope = g * (1.0 + 3.0 * b * share**2)
    return g * share * (1.0 + b * share**2), slope / (1.0 + crossbar.r_access * slope)
