"""Recurrent cells by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .alrnn import ALRNN
from .cell import Cell, build
from .diagonal import DiagonalGRU, DiagonalLSTM
from .gru import GRU
from .lstm import LSTM
from .slstm import SLSTM
from .vanilla import Vanilla

CELLS: dict[str, type[Cell]] = {c.kind: c for c in (LSTM, GRU, Vanilla, SLSTM, DiagonalLSTM, DiagonalGRU, ALRNN)}


def make_cell(description: Mapping[str, Any]) -> Cell:
    """A cell from its description: ``kind``, ``n_in``, ``n_hidden`` and the kind's options, as `Cell.describe` gives them."""
    return build(CELLS, description)
