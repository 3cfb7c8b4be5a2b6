"""What the arrays under a network are made of: cells, their errors, mapping, tiles and wires."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from netlists.array import COMPENSATIONS, LAYOUTS
from netlists.check_rules import Choice, Number, Whole
from netlists.checks import NonNegative, Ohms, Positive, Seconds, checked
from netlists.errors import InputError
from netlists.technology import DeviceProfile

PARTIAL_SUMS = ("charge", "digital")
Cells = Annotated[int, Whole(2, 2**20)]
ReadVoltage = Annotated[float, Number(above=0, high=2.0, unit="V")]
BiasRows = Annotated[int, Whole(1, 64)] | None
CURVATURE_SPREAD = (0.6, 1.5)
"""b of single cells as parts of the mean: 0.4 to 1.0 for 0.64 (ReADC Fig. 3b, 94 to 375 uS); assumption: uniform between them."""


@checked
@dataclass(frozen=True)
class Arrays:
    """Weights as conductances on arrays of a given size.

    Attributes
    ----------
    profile : DeviceProfile
        Programming error, read noise, stuck cells and relaxation; `DeviceProfile.without_variation` switches them off.
    layout : {"rows", "columns"}
        The two cells of a weight are neighbours along a column or along a row (`netlists.array.pairs`).
    max_rows, max_columns : int or None
        Size of an array in cells; None: as large as the matrix.
    partial_sums : {"charge", "digital"}
        Where the sums of arrays that share a column meet: as charge, before the one conversion, or as numbers, after a linear
        conversion each; then the activation is a digital table.
    w_max : float or None
        Weight that takes the whole conductance range; larger ones are clipped. None: each matrix's largest.
    r_row, r_col, r_driver, r_sense : float
        Wires and drivers as in `netlists.array.crossbar.Crossbar`, ohm; all 0: no IR drop.
    drift_time : float or None
        Seconds after programming; None: no relaxation.
    compensate : {"none", "mean", "wires"}
        What makes good the loss in the wires: nothing, one gain for each matrix by C_f or the ramp's scale, or targets
        of the cells that allow for it (`netlists.array.wire_loss`).
    bias_rows : int or None
        Rows that share the bias of a matrix. A bias that is larger than all other weights takes the whole conductance range in one
        row; split, it leaves the others more of it, so that errors of cells weigh less. None: as few as leave the range to the
        others (`cosim.chip.bias_rows`).
    curvature : float
        Mean b of the cells' ``I = G (V + b V^3)``, V^-2, which verification has not seen.
    access : float
        On-resistance of the cells' transistors that verification has not seen, ohm.
    v_read : float
        Volts at which the curvature counts.
    """

    profile: DeviceProfile
    layout: Annotated[str, Choice(LAYOUTS)] = "rows"
    max_rows: Cells | None = None
    max_columns: Cells | None = None
    partial_sums: Annotated[str, Choice(PARTIAL_SUMS)] = "charge"
    w_max: Positive | None = None
    r_row: Ohms = 0.0
    r_col: Ohms = 0.0
    r_driver: Ohms = 0.0
    r_sense: Ohms = 0.0
    drift_time: Seconds | None = None
    compensate: Annotated[str, Choice(COMPENSATIONS)] = "mean"
    bias_rows: BiasRows = None
    curvature: NonNegative = 0.0
    access: Ohms = 0.0
    v_read: ReadVoltage = 0.2

    def __post_init__(self) -> None:
        if (self.bias_rows or 1) > 1 and self.partial_sums == "digital":
            raise InputError(f"bias_rows={self.bias_rows}: sums of rows that are converted apart have one row for the bias")
        if self.drift_time is not None and not self.profile.relaxation_times:
            raise InputError(f"drift_time={self.drift_time:g}: device profile {self.profile.name} has no relaxation data")

    @property
    def wired(self) -> bool:
        return any((self.r_row, self.r_col, self.r_driver, self.r_sense))

    @property
    def random(self) -> bool:
        """Whether chips differ, or conversions are noisy."""
        p = self.profile
        rates = (p.stuck_off_rate, p.stuck_on_rate, p.stuck_rate)
        return any((p.program_sigma, p.read_sigma, *rates, self.curvature)) or self.drift_time is not None


def drawn_curvature(mean: float, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """b of single cells, 1/V^2; one draw a cell whatever the mean."""
    return mean * rng.uniform(*CURVATURE_SPREAD, shape)


def read_through(conductance: np.ndarray, curvature: np.ndarray | float, resistance: float, v_read: float) -> np.ndarray:
    """Chord conductance of cells at ``v_read``, siemens: their I-V curve, then the transistor in series.

        G' = G (1 + b v_read^2)        G'' = G' / (1 + G' R)

    Cells are taken as verified at low voltage and without R: what verification has seen is no error.
    """
    g = conductance * (1 + curvature * v_read**2)
    return g / (1 + g * resistance)
