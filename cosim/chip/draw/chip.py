"""A chip as data: its layers, matrices and sums of arrays, and what a matrix may become."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from cosim.network import Network
from cosim.network.cells import Cell, Matrix

from ..converters import NO_KEYS, Converters
from ..hardware import Hardware
from ..mapping import (
    MatrixPlace,
)
from ..units import ConvertedColumns, Exact
from ..weights import EffectiveWeights


@dataclass(frozen=True, eq=False)
class ArraySum:
    """The sums of the rows of one array, or of all.

    Attributes
    ----------
    rows : slice
    weights : ndarray (columns, rows)
        Transposed.
    read_variance : ndarray (columns, rows) or None
        Variance of each weight from one conversion to the next.
    read_keys : ndarray of uint32
    bank : Converters or None
        Linear converters of this array alone; None if sums are converted once.
    """

    rows: slice
    weights: np.ndarray
    read_variance: np.ndarray | None = None
    read_keys: np.ndarray | None = None
    bank: Converters | None = None


@dataclass(frozen=True, eq=False)
class ChipMatrix:
    """A matrix on a chip.

    Attributes
    ----------
    matrix : Matrix
    sums : tuple of ArraySum
        One for all rows, or one for each array whose sum is converted by itself.
    units : tuple of ConvertedColumns or Exact
        What turns the columns' sums into outputs.
    ranges : tuple of float or None
        Full scale of the pulse widths of each part; None: not rounded.
    thresholds : tuple of float or None
        Change from which on a row of each part is driven; None: rows are driven at every step.
    """

    matrix: Matrix
    sums: tuple[ArraySum, ...]
    units: tuple[ConvertedColumns | Exact, ...]
    ranges: tuple[float, ...] | None
    thresholds: tuple[float, ...] | None = None


@dataclass(frozen=True, eq=False)
class ChipCell:
    """One direction of a layer on a chip; ``state_units`` holds the converters of activations of digital values."""

    cell: Cell
    matrices: dict[str, ChipMatrix]
    state_units: dict[str, Converters]


@dataclass(frozen=True, eq=False)
class Chip:
    """All layers of a network on one chip."""

    index: int
    seed: int
    dtype: type
    network: Network
    hardware: Hardware
    layers: tuple[tuple[ChipCell, ...], ...]


class ChipParts(ABC):
    """What the matrices of one chip become."""

    @abstractmethod
    def weights(self, at: MatrixPlace) -> EffectiveWeights:
        """What the columns of a matrix compute instead of the weights they were given."""

    @abstractmethod
    def units(self, at: MatrixPlace) -> tuple[ConvertedColumns | Exact, ...]:
        """What turns the columns' sums into outputs."""

    def read_keys(self, at: MatrixPlace, part: int) -> np.ndarray:
        """Keys of the noise of the sums of one array, uint32 (pairs of columns, 2)."""
        return NO_KEYS

    def array_bank(self, at: MatrixPlace, part: int) -> Converters | None:
        """Linear converters of one array alone; None if the sums of all arrays are converted once."""
        return None

    def state_units(self, cell: Cell, layer: int, direction: int) -> dict[str, Converters]:
        """Converters of activations of digital values, by activation; those that are not there are exact."""
        return {}
