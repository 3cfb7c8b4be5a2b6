"""Recurrent cells by name."""

from cosim.network.cells import GRU, LSTM, SLSTM, Cell, Datapath, DiagonalGRU, DiagonalLSTM, Gate, Matrix, State, Vanilla

from .registry import CELLS, make_cell

__all__ = [
    "CELLS", "GRU", "LSTM", "SLSTM", "Cell", "Datapath", "DiagonalGRU", "DiagonalLSTM", "Gate", "Matrix", "State", "Vanilla",
    "make_cell",
]  # fmt: skip
