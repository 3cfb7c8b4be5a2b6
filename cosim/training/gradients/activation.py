"""Slopes of activations, and what a digital activation did at every step."""

from __future__ import annotations

import numpy as np

from cosim.chip import ChipCell, Converters
from cosim.compiled import numba_fault
from cosim.network.cells import Gate
from netlists.function import get_activation

from .kernels import keep_within
from .sigmoid import sigmoid_slopes, slopes_are_known
from .workspace import Workspace

NUMBERS = 2**15
"""About so many slopes are computed together: their parts stay in a core's cache."""


def to_slopes(gate: Gate, sums: np.ndarray, columns: slice, *, converted: bool) -> None:
    """Replaces pre-activations, some columns of (rows, columns), by the slopes of a gate's activation.

    Converted by a ramp they are 0 beyond its domain, where its output does not change any more.
    """
    a = get_activation(gate.activation)
    low, high = (sums.dtype.type(end) for end in (a.x_min, a.x_max))
    of_itself = converted and gate.full_scale == 1.0 and sums.flags.c_contiguous
    if of_itself and gate.activation == "sigmoid" and sums.dtype == np.float32 and slopes_are_known(-a.x_min, a.x_max):
        sigmoid_slopes(sums, columns.start, columns.stop, low, high)
        return
    rows = max(NUMBERS // (columns.stop - columns.start), 1)
    for start in range(0, len(sums), rows):
        some = sums[start : start + rows]
        x = some[:, columns] if gate.full_scale == 1.0 else some[:, columns] / gate.full_scale
        slope = a.slope(x)
        if of_itself and not numba_fault():
            keep_within(some, columns.start, columns.stop, slope, low, high)
        else:
            some[:, columns] = np.where((x >= a.x_min) & (x <= a.x_max), slope, 0.0) if converted else slope


class ActivationTape:
    """An activation of a digital value, such as tanh(c), over all steps: outputs and slopes."""

    def __init__(self, activation: str, width: int, workspace: Workspace, place: str) -> None:
        self.gate = Gate(activation, activation)
        self.width = width
        self.workspace = workspace
        self.place = f"{place}.{activation}"
        self.bank: Converters | None = None

    def begin(self, total: int, chip: ChipCell | None) -> None:
        self.bank = None if chip is None else chip.state_units.get(self.gate.activation)
        self.values = self.workspace.array(f"{self.place}.values", total, self.width)
        self._met = self.workspace.array(f"{self.place}.slopes", total, self.width)
        self._sloped = False

    @property
    def slopes(self) -> np.ndarray:
        """Slopes of all steps, on the way back."""
        if not self._sloped:
            to_slopes(self.gate, self._met, slice(0, self.width), converted=self.bank is not None)
            self._sloped = True
        return self._met

    def activate(self, now: slice, step: int, x: np.ndarray) -> np.ndarray:
        self._met[now] = x
        if self.bank is None:
            self.values[now] = self.gate.exact(x)
        else:
            across = np.ascontiguousarray(x.T)
            self.bank.convert_compiled(across, across, np.arange(len(x), dtype=np.uint32), step)
            self.values[now] = across.T
        return self.values[now]
