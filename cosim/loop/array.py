"""Ramps and arrays of the drawn chip."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from characterization.plan import RampPlan
from cosim.network.cells import Gate, Matrix
from netlists.converter import MacResponse, Tile, mac_response
from netlists.ramp import Chips, RampProgram


@dataclass(frozen=True, eq=False)
class LoopRamp:
    """The one ramp of an activation on the chip, calibrated.

    Attributes
    ----------
    plan : RampPlan
    program : RampProgram
    column : Chips
        Of one chip, without comparator: the columns have their own.
    expected : ndarray (thresholds,)
        Where its transition levels are to be looked for, volts.
    warnings : tuple of str
        What is to be known of a block of the user's own.
    """

    plan: RampPlan
    program: RampProgram
    column: Chips
    expected: np.ndarray
    warnings: tuple[str, ...] = ()

    @property
    def volts_per_unit(self) -> float:
        return self.program.volts_per_unit(self.plan.circuit)


@dataclass(frozen=True, eq=False)
class LoopArray:
    """One weight matrix on the chip.

    Attributes
    ----------
    key : str
        ``layer.direction.matrix``.
    number : int
        Of its random streams.
    matrix : Matrix
    row_scale : ndarray (rows,)
        Input that takes the longest pulse.
    tile : Tile
        Cells, the offsets of integrators and comparators, and a group of columns for each activation. Where columns are trimmed its
        last input is that of the trimming cells: what they add in their own short pulse, as conductances under the longest pulse.
    chosen : ndarray of int (k,)
        Columns that ngspice simulates, increasing.
    levels : tuple of ndarray
        Transition levels of each column, (thresholds,) in the order of the ramp's steps, units of its pre-activation.
    warnings : tuple of str
        What is to be known of a block of the user's own.
    """

    key: str
    number: int
    matrix: Matrix
    row_scale: np.ndarray
    tile: Tile
    chosen: np.ndarray
    levels: tuple[np.ndarray, ...]
    warnings: tuple[str, ...] = ()

    def gate(self, column: int) -> Gate:
        """The gate that a column belongs to."""
        return self.matrix.gates[column // self.matrix.width]

    @property
    def difference(self) -> np.ndarray:
        """``G+ - G-`` of the weights, shape (rows, columns), siemens."""
        return self._pairs[: len(self.row_scale)]

    @property
    def _pairs(self) -> np.ndarray:
        g = self.tile.crossbar.conductance
        return g[0::2] - g[1::2]

    @property
    def trim(self) -> np.ndarray:
        """What the trimming cells add to each column, shape (columns,), units of its pre-activation."""
        return np.asarray(self._pairs[len(self.row_scale) :].sum(axis=0) / self.tile.scale)

    def driven(self, drive: np.ndarray) -> np.ndarray:
        """Pulse widths of all inputs of the tile, from those of the rows (rows, ...)."""
        longest = np.full((self.tile.inputs - len(drive), *drive.shape[1:]), self.tile.pwm.max_code)
        return np.concatenate([drive, longest])

    @cached_property
    def response(self) -> MacResponse:
        """The columns' integrators in closed form."""
        return mac_response(self.tile)

    def integrated(self, drive: np.ndarray) -> np.ndarray:
        """What the integrators add, in closed form, to the pre-activations that they are to make of pulses.

        Parameters
        ----------
        drive : ndarray of int (inputs, sequences)
            Pulse widths of all inputs of the tile.

        Returns
        -------
        ndarray (columns, sequences), units of the pre-activations
        """
        tile, per_unit = self.tile, np.empty((self.tile.columns, 1))
        for group in tile.groups:
            per_unit[list(group.columns)] = group.program.volts_per_unit(tile.circuit) / group.full_scale
        made = (self.response.volts(drive.T).T - tile.circuit.v_cm) / per_unit
        return np.asarray(made - self._pairs.T @ drive / (tile.scale * tile.pwm.max_code))

    @property
    def weights(self) -> np.ndarray:
        """What the columns compute, shape (rows, columns)."""
        return self.difference / self.tile.scale / self.row_scale[:, None]
