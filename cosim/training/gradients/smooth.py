"""Converters with smoothed steps, so that a network's loss has a derivative with respect to every threshold.

A comparator with Gaussian noise of rms ``w`` passes level T with probability ``Phi((x - T) / w)``: a conversion yields
``y_0 + sum_k (y_k - y_(k-1)) Phi((x - T_k) / w_k)`` on average. It tends to the staircase as w goes to 0, and is smooth in x and T.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .kernels import smooth_outputs, smooth_threshold_gradients


@dataclass(frozen=True, eq=False)
class SmoothBank:
    """Mean outputs of noisy converters, one a column, and their derivatives.

    Attributes
    ----------
    thresholds : ndarray (columns, levels)
    widths : ndarray (columns, levels)
        Rms noise at each threshold, in its units; above 0.
    values : ndarray (columns, levels + 1)
        Output of each code.
    """

    thresholds: np.ndarray
    widths: np.ndarray
    values: np.ndarray

    def outputs(self, x: np.ndarray) -> np.ndarray:
        """Mean outputs of pre-activations (rows, columns)."""
        return self._both(x)[0]

    def slopes(self, x: np.ndarray) -> np.ndarray:
        """Their derivatives in the pre-activations."""
        return self._both(x)[1]

    def threshold_gradients(self, x: np.ndarray, d: np.ndarray) -> np.ndarray:
        """Gradients (columns, levels) in the thresholds, from those in the outputs (rows, columns) of pre-activations ``x``."""
        out = np.zeros(self.thresholds.shape)
        smooth_threshold_gradients(*_wide(x, d), self.thresholds, self.widths, np.diff(self.values, axis=1), out)
        return out

    def _both(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        (x,) = _wide(x)
        y, slope = np.empty_like(x), np.empty_like(x)
        smooth_outputs(x, self.thresholds, self.widths, self.values, y, slope)
        return y, slope


def _wide(*arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    return tuple(np.ascontiguousarray(a, np.float64) for a in arrays)
