"""The full mesh of a crossbar as SPICE text: a subcircuit for transient decks, and a plain operating-point deck.

The subcircuit's ports are one node a row, the chosen columns' terminals and analog ground, as those of the reduced
network (`netlists.array.reduction`): one can stand in for the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from netlists.checks import Array, Positive, check, checked
from netlists.errors import InputError
from netlists.spice import Deck, find_executable_version, subcircuits
from netlists.technology import SETTINGS, check_geometry, lib_card

from .crossbar import Crossbar

KLU_SINCE = 44
"""First ngspice whose ``.options klu`` does something in the usual builds; in 39 it is a silent no-op."""
_WORDS_PER_LINE = 16


@cache
def has_klu(executable: str = "ngspice") -> bool:
    """Whether this ngspice program has the KLU solver, judged by its version; False if there is no such program."""
    version = find_executable_version(executable)
    return version is not None and version >= KLU_SINCE


def chosen_columns(crossbar: Crossbar, columns: Sequence[int] | None) -> list[int]:
    """Column numbers as a list, default all.

    Raises
    ------
    InputError
        None at all, one that the crossbar does not have, or one twice.
    """
    chosen = list(range(crossbar.cols)) if columns is None else [int(j) for j in columns]
    if not chosen:
        raise InputError("columns: choose at least one")
    for k, j in enumerate(chosen):
        if not 0 <= j < crossbar.cols:
            raise InputError(f"column {j}: the crossbar has columns 0..{crossbar.cols - 1}")
        if j in chosen[:k]:
            raise InputError(f"column {j}: chosen twice")
    return chosen


def continued(words: Sequence[str]) -> str:
    """One SPICE card over continuation lines, each well below ngspice's line limit."""
    lines = [" ".join(words[k : k + _WORDS_PER_LINE]) for k in range(0, len(words), _WORDS_PER_LINE)]
    return "\n+ ".join(lines)


def ports(rows: int, columns: Sequence[int]) -> list[str]:
    """Port names of the subcircuit of a crossbar: ``r0`` .., ``c<j>`` of the chosen columns, ``com``."""
    return [*(f"r{i}" for i in range(rows)), *(f"c{j}" for j in columns), "com"]


@checked
@dataclass(frozen=True)
class AccessTransistor:
    """The transistor of each 1T1R cell on the SKY130 models, all selected.

    Attributes
    ----------
    width : float
        Gate width, micrometres; length 0.15 um.
    r_on : float
        On-resistance at the verifying read, ohm, which a cell's verified conductance includes; measured by `cosim blocks` at
        tt, 27 C with the source at 0 V (results/blocks/access.csv).
    select : float
        Select voltage, volts.
    """

    width: Positive = 2.0
    r_on: Positive = 395.561
    select: Positive = 1.8


def mesh_subcircuit(
    crossbar: Crossbar,
    columns: Sequence[int] | None = None,
    *,
    name: str = "crossbar_mesh",
    access: AccessTransistor | None = None,
) -> str:
    """Every cell, wire segment, driver and sense resistor of a crossbar as a ``.subckt``.

    Parameters
    ----------
    access : AccessTransistor, optional
        Cells are memristors with this transistor (block ``access_sky130``, gates on the global node ``select``); default
        resistors or I-V curves, with the crossbar's ``r_access`` in series.
    columns : sequence of int, optional
        Columns whose terminals are ports; the terminals of the others are joined to ``com``. Default all.

    Raises
    ------
    InputError
        A column that is not there, or twice; curvature or ``r_access`` together with transistors, or a cell that conducts more
        than its transistor.
    """
    if access is not None:
        _check_access(crossbar, access)
    chosen = chosen_columns(crossbar, columns)
    terminal = [f"c{j}" if j in chosen else "com" for j in range(crossbar.cols)]

    def row_node(i: int, j: int) -> str:
        return f"r{i}" if crossbar.row_end == 0 else f"r{i}_{j}" if crossbar.r_row > 0 else f"r{i}_w"

    def col_node(i: int, j: int) -> str:
        return terminal[j] if crossbar.col_end == 0 else f"c{i}_{j}" if crossbar.r_col > 0 else f"c_{j}w"

    rows, cols = range(crossbar.rows), range(crossbar.cols)
    lines = [
        f"* {name} - {crossbar.rows} x {crossbar.cols} crossbar, {crossbar.cell}, every wire segment",
        *([".global select"] if access else []),
        "* ports:  r<i>  source of row i    c<j>  terminal of column j    com  analog ground (unchosen columns)",
        continued([f".subckt {name}", *ports(crossbar.rows, chosen)]),
    ]
    for i in rows:
        lines += _line(f"r{i}", f"r{i}", [row_node(i, j) for j in cols], crossbar.r_row, crossbar.row_end, crossbar.driven)
    for j in cols:
        lines += _line(f"c{j}", terminal[j], [col_node(i, j) for i in rows], crossbar.r_col, crossbar.col_end, crossbar.sensed)
    for i in rows:
        for j in cols:
            lines += _cell(crossbar, i, j, row_node(i, j), col_node(i, j), access)
            if crossbar.c_row > 0:
                lines.append(f"cr{i}_{j} {row_node(i, j)} com {crossbar.c_row!r}")
            if crossbar.c_col > 0:
                lines.append(f"cc{i}_{j} {col_node(i, j)} com {crossbar.c_col!r}")
    return "\n".join([*lines, f".ends {name}"]) + "\n"


def _line(tag: str, port: str, nodes: list[str], r_wire: float, r_end: float, ends: str) -> list[str]:
    """Wire of one row or column with what joins its ends to the port."""
    out = []
    if r_wire > 0:
        out += [f"rw_{tag}_{k} {a} {b} {r_wire!r}" for k, (a, b) in enumerate(pairwise(nodes))]
    if r_end > 0:
        at = {"left": (0,), "bottom": (len(nodes) - 1,), "both": (0, len(nodes) - 1)}[ends]
        out += [f"re_{tag}_{k} {port} {nodes[node]} {r_end!r}" for k, node in enumerate(at)]
    return out


def _check_access(crossbar: Crossbar, access: AccessTransistor) -> None:
    if not crossbar.linear or crossbar.r_access > 0:
        raise InputError(
            f"curvature={crossbar.curvature:g} r_access={crossbar.r_access:g}: cells with transistors are resistors; set both to 0"
        )
    check_geometry("nmos_sky130", w=access.width * 1e-6, length=0.15e-6)
    too_much = np.argwhere(crossbar.conductance * access.r_on >= 1)
    if len(too_much):
        i, j = too_much[0]
        raise InputError(
            f"row {i}, column {j}: {crossbar.conductance[i, j]:g} S with a transistor of {access.r_on:g} ohm in it leaves nothing "
            "for the memristor; take a wider gate"
        )


def _cell(crossbar: Crossbar, i: int, j: int, row: str, col: str, access: AccessTransistor | None) -> list[str]:
    out = []
    if access is not None:
        g = float(crossbar.conductance[i, j])
        return [f"xc{i}_{j} {row} {col} select 0 access_sky130 g={g!r} r_on={access.r_on!r} w={access.width!r}"]
    if crossbar.r_access > 0:
        out.append(f"ra{i}_{j} {row} m{i}_{j} {crossbar.r_access!r}")
        row = f"m{i}_{j}"
    g = float(crossbar.conductance[i, j])
    if crossbar.linear:
        return [*out, f"rm{i}_{j} {row} {col} {1.0 / g!r}"]
    v = f"v({row},{col})"
    return [*out, f"bm{i}_{j} {row} {col} i={{{g!r}*{v}*(1+{crossbar.curvature!r}*{v}*{v})}}"]


def operating_point_deck(
    crossbar: Crossbar,
    v: npt.ArrayLike,
    terminal: npt.ArrayLike | None = None,
    *,
    klu: bool | None = None,
    access: AccessTransistor | None = None,
) -> Deck:
    """Deck that prints every column current for one input vector: ``i(vc<j>)``, ampere out of the crossbar.

    Parameters
    ----------
    v : array_like (R,)
        Source voltage of each row.
    terminal : array_like (C,), optional
        Voltage each column's terminal is held at; default 0 V.
    klu : bool, optional
        Write ``.options klu``; default: where the ``ngspice`` on the path has it (`has_klu`).
    access : AccessTransistor, optional
        As for `mesh_subcircuit`.

    Raises
    ------
    InputError
        Shapes or values, named by row or column.
    ToolkitError
        Transistors without the SKY130 models.
    """
    v = check(Array((crossbar.rows,), unit="V"), v, "v")
    u = check(Array((crossbar.cols,), unit="V"), np.zeros(crossbar.cols) if terminal is None else terminal, "terminal")
    names = ports(crossbar.rows, range(crossbar.cols))
    lines = [
        f"wired crossbar {crossbar.rows} x {crossbar.cols}: column currents",
        *([lib_card(), subcircuits("access_sky130").rstrip(), f"vselect select 0 DC {access.select!r}"] if access else []),
        mesh_subcircuit(crossbar, access=access).rstrip(),
        *(f"vr{i} r{i} 0 DC {x!r}" for i, x in enumerate(v.tolist())),
        *(f"vc{j} c{j} 0 DC {x!r}" for j, x in enumerate(u.tolist())),
        continued(["x1", *names[:-1], "0", "crossbar_mesh"]),
        # Tolerances on the error of Newton's iteration; a linear mesh is solved directly and does not depend on them.
        ".options reltol=1e-10 abstol=1e-16 vntol=1e-14 gmin=1e-18 itl1=500"
        if access is None
        else ".options reltol=1e-6 abstol=1e-14",
        *([".options klu"] if (has_klu() if klu is None else klu) else []),
        ".op",
    ]
    control = ["set numdgt=15", "op", *(f"print i(vc{j})" for j in range(crossbar.cols)), "quit"]
    return Deck("\n".join(lines) + "\n", "\n".join(control), SETTINGS if access else ())
