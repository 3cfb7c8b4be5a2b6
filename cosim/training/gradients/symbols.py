"""A first layer that reads symbols: embedding times weights is a table with a row for each symbol.

With fewer symbols than an embedding has numbers, a product with that table in place of the input weights is less work; the
symbols drive it as one-hot rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from cosim.network.cells import Cell

from .workspace import Workspace


def one_hot(symbols: np.ndarray, n: int, dtype: np.dtype | type) -> np.ndarray:
    """Rows (len(symbols), n) with a 1 at each symbol."""
    return np.eye(n, dtype=dtype)[symbols]


class FoldedEmbedding:
    """An embedding and the input weights of one direction of a layer as one table.

    Parameters
    ----------
    cell : Cell
        As it is evaluated, on embeddings.
    symbols : int

    Attributes
    ----------
    folded : Cell
        The same on one-hot rows.
    """

    def __init__(self, cell: Cell, symbols: int, workspace: Workspace, place: str) -> None:
        self.cell, self.symbols, self.workspace, self.place = cell, symbols, workspace, place
        self.folded = replace(cell, n_in=symbols)
        self.on_inputs = {m.name for m in cell.matrices if m.parts[0][0] == "x"}

    def fold(self, embedding: np.ndarray, weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Weights for one-hot rows."""
        out = dict(weights)
        for name in self.on_inputs:
            w = weights[name]
            joined = self._array("table", name)
            np.matmul(embedding, w[: self.cell.n_in], out=joined[: self.symbols])
            joined[self.symbols :] = w[self.cell.n_in :]
            out[name] = joined
        return out

    def unfold(
        self, embedding: np.ndarray, weights: Mapping[str, np.ndarray], gradients: Mapping[str, np.ndarray]
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Gradients in the weights and in the embedding, from those in the folded weights."""
        out, d_embedding = dict(gradients), np.zeros_like(embedding)
        for name in self.on_inputs:
            g, n_in = gradients[name], self.cell.n_in
            d_table = g[: self.symbols]
            joined = self.workspace.array(f"{self.place}.{name}.d_weights", *weights[name].shape)
            np.matmul(embedding.T, d_table, out=joined[:n_in])
            joined[n_in:] = g[self.symbols :]
            out[name] = joined
            d_embedding += d_table @ weights[name][:n_in].T
        return out, d_embedding

    def _array(self, what: str, name: str) -> np.ndarray:
        return self.workspace.array(f"{self.place}.{name}.{what}", *self.folded.matrix(name).shape)
