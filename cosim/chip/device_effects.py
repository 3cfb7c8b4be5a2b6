"""What verification has not seen of a cell: its curved I-V characteristic, and the transistor in series."""

from __future__ import annotations

import numpy as np

CURVATURE_SPREAD = (0.6, 1.5)
"""b of single cells as parts of the mean: 0.4 to 1.0 for 0.64 (ReADC Fig. 3b, 94 to 375 uS); assumption: uniform between them."""


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
