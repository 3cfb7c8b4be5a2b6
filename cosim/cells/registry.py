"""Recurrent cells by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cosim.network.cells import GRU, LSTM, SLSTM, Cell, DiagonalGRU, DiagonalLSTM, Vanilla, build

CELLS: dict[str, type[Cell]] = {c.kind: c for c in (LSTM, GRU, Vanilla, SLSTM, DiagonalLSTM, DiagonalGRU)}


def make_cell(description: Mapping[str, Any]) -> Cell:
    """A cell from its description: ``kind``, ``n_in``, ``n_hidden`` and the kind's options, as `Cell.describe` gives them."""
    return build(CELLS, description)
