"""What a search expects a design to lose, from the designs that it evaluated: a smooth function with its gradient.

It guides steps and stands in no result. The loss is taken for a sum of error variances, each with its law in the variables:
rounding of levels and pulses, offset and noise of comparators against the read voltage, errors of cells against the conductance
range, what a step leaves unsettled, calibration, wires. How much each weighs is fitted to the evaluated designs (not below 0), and
what they differ from that is interpolated between them (a Gaussian process).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .continuous import Places

RELATIVE = 0.1
"""Rms by which the sum of variances is taken to miss a loss, as a part of limit plus loss."""
TRUST = 4.0
"""Standard deviation of each weight about the one before anything is known, as a part of that."""
REACH = {True: 1.0, False: 2.0}
"""Distance over which designs are alike, places on the grids: of whole numbers, and of others."""
AMPLITUDE, NUGGET = 0.5, 0.1
"""Of the interpolated difference and of its noise, in `LossModel.scaled` units."""


def variances(v: Mapping[str, np.ndarray], g_min: float, wired: bool) -> np.ndarray:
    """Error variances of designs, each up to a factor; shape (..., sources). Analytic, so that steps may be complex."""
    g = v["g_max"]
    rows = [
        4.0 ** -v["bits"],
        4.0 ** -v["n_in"],
        (v["comparator_offset"] / v["v_read"]) ** 2,
        v["v_read"] ** -2.0,
        (g - g_min) ** -2.0,
        v["t_step"] ** -2.0,
        v["t_step"] ** -4.0,
        v["calibration_cells"] ** -1.0,
    ]
    if wired:
        rows.append((v["array_size"] ** 2 * g) ** 2)
    return np.stack(rows, axis=-1)


@dataclass(frozen=True, eq=False)
class LossModel:
    """Expected loss of accuracy.

    Attributes
    ----------
    places : Places
        Coordinates.
    limit : float
        Loss that is allowed; `scaled` is ``asinh(loss / limit)``.
    constant : float
        What a design loses without errors.
    weights : ndarray (sources,)
    scale : ndarray (sources,)
        Variances of the default design.
    at, solved : ndarray
        Coordinates (n, variables) of the evaluated designs, and what the interpolation weighs each with.
    inverse : ndarray (n, n)
    g_min, wired
        As for `variances`.
    """

    places: Places
    limit: float
    constant: float
    weights: np.ndarray
    scale: np.ndarray
    at: np.ndarray
    solved: np.ndarray
    inverse: np.ndarray
    g_min: float
    wired: bool

    @classmethod
    def fit(
        cls, places: Places, rows: Sequence[Mapping[str, Any]], judged: str, limit: float, *, g_min: float, wired: bool
    ) -> LossModel:
        """Fits it to evaluated designs, one at least."""
        from scipy.optimize import nnls

        limit = max(limit, 1e-3)
        at = np.array([places.of(row) for row in rows])
        y = np.array([row[judged] for row in rows])
        scale = variances(places.values(places.of(places.space.default)), g_min, wired)
        v = variances(places.values(at), g_min, wired) / scale
        before = np.full(v.shape[1], max(limit, abs(float(y[0]))) / v.shape[1])
        miss = RELATIVE * (limit + np.abs(y))
        design = np.block(
            [
                [v / miss[:, None], 1 / miss[:, None], -1 / miss[:, None]],
                [np.diag(1 / (TRUST * before)), np.zeros((len(before), 2))],
                [np.zeros((2, len(before))), np.eye(2) / limit],
            ]
        )
        found = nnls(design, np.concatenate([y / miss, np.full(len(before), 1 / TRUST), np.zeros(2)]))[0]
        model = cls(places, limit, found[-2] - found[-1], found[:-2], scale, at[:0], np.zeros(0), np.zeros((0, 0)), g_min, wired)
        rest = np.arcsinh(y / limit) - model.scaled(at)
        inverse = np.linalg.inv(_alike(places, at, at) * AMPLITUDE**2 + NUGGET**2 * np.eye(len(at)))
        return cls(places, limit, model.constant, model.weights, scale, at, inverse @ rest, inverse, g_min, wired)

    def scaled(self, at: np.ndarray) -> np.ndarray:
        """``asinh(loss / limit)`` at coordinates (..., variables), which may be complex."""
        v = variances(self.places.values(at), self.g_min, self.wired) / self.scale
        out = np.arcsinh((v @ self.weights + self.constant) / self.limit)
        if len(self.at):
            out = out + AMPLITUDE**2 * (_alike(self.places, at, self.at) @ self.solved)
        return out

    def doubt(self, at: np.ndarray) -> np.ndarray:
        """Standard deviation of `scaled` at coordinates (n, variables)."""
        k = AMPLITUDE**2 * _alike(self.places, at, self.at)
        return np.sqrt(np.maximum(AMPLITUDE**2 - np.sum((k @ self.inverse) * k, axis=1), 0.0))

    def gradient(self, at: np.ndarray) -> np.ndarray:
        """Derivatives of `scaled` in the coordinates (variables,), by complex steps."""
        step = 1e-20
        slopes: np.ndarray = self.scaled(at + 1j * step * np.eye(len(at))).imag / step
        return slopes


def _alike(places: Places, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    reach = np.array([REACH[v.whole] for v in places.space.free])
    d = (a[..., None, :] - b) / reach
    return np.exp(-0.5 * np.sum(d * d, axis=-1))
