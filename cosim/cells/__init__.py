"""Recurrent cells by name."""

from .cell import Cell, Datapath, Gate, Matrix, State
from .diagonal import DiagonalGRU, DiagonalLSTM
from .gru import GRU
from .lstm import LSTM
from .registry import CELLS, make_cell
from .slstm import SLSTM
from .vanilla import Vanilla

__all__ = [
    "CELLS", "GRU", "LSTM", "SLSTM", "Cell", "Datapath", "DiagonalGRU", "DiagonalLSTM", "Gate", "Matrix", "State", "Vanilla",
    "make_cell",
]  # fmt: skip
