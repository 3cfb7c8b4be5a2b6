"""Signed weights on a crossbar of positive conductances: differential pairs of neighbouring columns or rows.

With column pairs, columns 2j and 2j+1 hold the positive and negative part of weight column j and their currents are
subtracted. With row pairs, rows 2i and 2i+1 hold the two parts and are driven with +v and -v; the column subtracts by
itself. The two cells of a pair are neighbours, so that wire resistance drops nearly the same voltage for both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from netlists.checks import Array, Choice, Positive, check
from netlists.technology import DeviceProfile

LAYOUTS = ("columns", "rows")


@dataclass(frozen=True, eq=False)
class DifferentialPairs:
    """Conductances that hold a weight matrix.

    Attributes
    ----------
    conductance : ndarray (R, 2 C) or (2 R, C)
        Siemens; pairs of columns or of rows, positive part first.
    scale : float
        Siemens per unit of weight: w = (G+ - G-) / scale.
    layout : {"columns", "rows"}
    """

    conductance: np.ndarray
    scale: float
    layout: str

    def drive(self, v: npt.ArrayLike) -> np.ndarray:
        """Row voltages for inputs ``v`` of shape (..., inputs): as they are, or +v and -v on each pair of rows."""
        v = np.asarray(v, float)
        return v if self.layout == "columns" else np.stack([v, -v], axis=-1).reshape(*v.shape[:-1], 2 * v.shape[-1])

    def combine(self, current: npt.ArrayLike) -> np.ndarray:
        """Signed output currents from column currents of shape (..., columns): I+ - I- of each pair of columns."""
        current = np.asarray(current, float)
        return current if self.layout == "rows" else current[..., 0::2] - current[..., 1::2]


def weights_to_pairs(
    weights: npt.ArrayLike, profile: DeviceProfile, *, layout: str = "columns", w_max: float | None = None
) -> DifferentialPairs:
    """Maps signed weights onto the programmable range of a device: w = (G+ - G-) / scale.

    The cell of the weight's sign gets ``g_min + scale * |w|``, the other one ``g_min``, with
    ``scale = (g_max - g_min) / w_max``: the least total conductance, hence the least voltage drop on the wires.

    Parameters
    ----------
    weights : array_like (inputs, outputs)
    w_max : float, optional
        Weight that takes the whole range; default the largest magnitude.

    Raises
    ------
    InputError
        A weight that is not finite or beyond ``w_max``, named by row and column; unknown layout; a wrong shape.

    Examples
    --------
    >>> from netlists import load_profile
    >>> pairs = weights_to_pairs([[1.0], [-0.5]], load_profile("taox-100-400"))
    >>> (1e6 * pairs.conductance).round(1).tolist()
    [[400.0, 100.0], [100.0, 250.0]]
    """
    check(Choice(LAYOUTS), layout, "layout")
    w = check(Array(("inputs", "outputs")), weights, "weights")
    w_max = check(Positive, float(np.max(np.abs(w))) or 1.0 if w_max is None else w_max, "w_max")
    beyond = f"beyond w_max={w_max:g} there is no conductance; clip the weights or raise w_max"
    check(Array(None, -w_max, w_max, why=beyond), w, "weights")
    scale = (profile.g_max - profile.g_min) / w_max
    parts = np.stack([np.maximum(w, 0.0), np.maximum(-w, 0.0)], axis=2 if layout == "columns" else 1)
    shape = (w.shape[0], 2 * w.shape[1]) if layout == "columns" else (2 * w.shape[0], w.shape[1])
    return DifferentialPairs(profile.g_min + scale * parts.reshape(shape), scale, layout)


def pair_halves(cells: np.ndarray, layout: str) -> tuple[np.ndarray, np.ndarray]:
    """What belongs to the positive and to the negative cells of each pair, (inputs, outputs) each."""
    return (cells[0::2], cells[1::2]) if layout == "rows" else (cells[:, 0::2], cells[:, 1::2])


def signed_conductance(conductance: np.ndarray, layout: str) -> np.ndarray:
    """``G+ - G-`` of each pair, shape (inputs, outputs), siemens."""
    positive, negative = pair_halves(conductance, layout)
    return positive - negative
