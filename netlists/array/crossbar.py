"""The wired crossbar: cell conductances and everything between the drivers' sources and the columns' terminals.

Rows run left to right, columns top to bottom. Row i is driven by a source behind ``r_driver``; one wire segment
``r_row`` lies before each cell of the row, so that the first separates the driver from cell 0. One segment ``r_col``
lies after each cell of a column, so that the last separates the bottom cell from ``r_sense`` and the column's
terminal, which an integrator holds near analog ground. A row driven at both ends has one more segment and a second
driver of the same source on the right; a column sensed at both ends has one more segment and a second sense
resistor, joined to the same terminal, at the top. Resistances of 0 are exact: the nodes are one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from netlists.checks import Array, Choice, Farads, Number, Ohms, changed, checked
from netlists.errors import InputError

DRIVEN = ("left", "both")
SENSED = ("bottom", "both")
SMALLEST = 1e-300
"""Least conductance and least resistance other than 0: their reciprocals are still finite."""
_OPEN = "give an open cell the conductance of its OFF state"


@checked
@dataclass(frozen=True, eq=False)
class Crossbar:
    """A crossbar of R rows and C columns, SI units, immutable.

    Attributes
    ----------
    conductance : ndarray (R, C)
        Of each memristor at 0 V, siemens, above 0. A read-only copy is kept.
    r_row, r_col : float
        Wire resistance of one segment along a row or a column, ohm. Default 1 ohm: derived from NeuroSim V1.3, to be
        swept over 0.3-5 ohm.
    r_driver, r_sense : float
        Output resistance of a row driver and resistance between a column's end and its terminal, ohm. Assumption: 0.
    c_row, c_col : float
        Wire capacitance of one segment to ground, farad. Assumption: 0. Only transient decks of the mesh have it.
    driven : {"left", "both"}
        Row ends that have a driver.
    sensed : {"bottom", "both"}
        Column ends that reach the terminal.
    r_access : float
        On-resistance of the access transistor in series with each memristor (1T1R), ohm. Leave it at 0 for 0T1R,
        and for 1T1R whose ``conductance`` is the write-verified value with the transistor included.
    curvature : float
        b of I = G (V + b V**3), the memristor's I-V curve, 1/V**2. 0 is a resistor. Measured cells in the
        low-resistance state: 0.3-0.75 (ReADC Fig. 3b, doi 10.1038/s41467-025-65233-w).

    Raises
    ------
    InputError
        Shape, sign or finiteness; a bad conductance is named by row and column.
    """

    conductance: Annotated[np.ndarray, Array(("rows", "columns"), low=SMALLEST, unit="S", why=_OPEN)]
    r_row: Ohms = 1.0
    r_col: Ohms = 1.0
    r_driver: Ohms = 0.0
    r_sense: Ohms = 0.0
    c_row: Farads = 0.0
    c_col: Farads = 0.0
    driven: Annotated[str, Choice(DRIVEN)] = "left"
    sensed: Annotated[str, Choice(SENSED)] = "bottom"
    r_access: Ohms = 0.0
    curvature: Annotated[float, Number(0, unit="1/V**2")] = 0.0

    def __post_init__(self) -> None:
        for name in ("r_row", "r_col", "r_driver", "r_sense", "r_access"):
            if 0 < getattr(self, name) < SMALLEST:
                raise InputError(f"{name}={getattr(self, name):g}: must be 0, which is exact, or at least {SMALLEST:g} (ohm)")

    @property
    def rows(self) -> int:
        return self.conductance.shape[0]

    @property
    def cols(self) -> int:
        return self.conductance.shape[1]

    @property
    def cell(self) -> str:
        """``1T1R`` where an access resistance is in series with the memristor, else ``0T1R``."""
        return "1T1R" if self.r_access > 0 else "0T1R"

    @property
    def linear(self) -> bool:
        return self.curvature == 0

    @property
    def cell_conductance(self) -> np.ndarray:
        """Memristor and access transistor in series at 0 V, shape (R, C), siemens."""
        return self.conductance / (1.0 + self.r_access * self.conductance)

    @property
    def row_end(self) -> float:
        """Resistance from a row's source to the nearest row node of a cell, ohm; 0: they are one node."""
        return self.r_driver + self.r_row

    @property
    def col_end(self) -> float:
        """Resistance from a column's terminal to the nearest column node of a cell, ohm; 0: they are one node."""
        return self.r_sense + self.r_col

    def with_(self, **changes: Any) -> Crossbar:
        """A copy with some fields changed; unknown names raise `InputError`."""
        return changed(self, changes, "crossbar parameter")
