"""Cells whose recurrence is diagonal: unit j sees its own past alone, so that training can run parallel in time.

The variant of ParaRNN (Danieli et al., arXiv 2510.21450): every matrix on the state is diagonal, matrices on the input stay
dense. On the crossbar the rows of the state have one cell for each gate, on the columns of their own unit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from .cell import Matrix
from .gru import GRU
from .lstm import LSTM


@dataclass(frozen=True)
class DiagonalLSTM(LSTM):
    """`LSTM` whose recurrent weights are diagonal in each gate."""

    kind: ClassVar[str] = "diagonal-lstm"

    @property
    def matrices(self) -> tuple[Matrix, ...]:
        return (replace(super().matrices[0], diagonal=("h",)), *super().matrices[1:])


@dataclass(frozen=True)
class DiagonalGRU(GRU):
    """`GRU` with the reset gate before the product and diagonal recurrent weights."""

    kind: ClassVar[str] = "diagonal-gru"
    reset: str = "before"

    @property
    def matrices(self) -> tuple[Matrix, ...]:
        return tuple(replace(m, diagonal=(m.parts[1][0],)) for m in super().matrices)
