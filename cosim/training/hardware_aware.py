"""Training on chips: every gradient step sees a chip of its own, drawn from the same hardware that evaluates the network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cosim.chip import (
    ChipCell,
    DrawnParts,
    EffectiveWeights,
    Hardware,
    MatrixPlace,
    arrival,
    draw_chip,
    with_weights,
)
from cosim.evaluation import describe_hardware
from cosim.network import Network
from netlists.checks import Share, checked
from netlists.errors import InputError
from netlists.function import STEP_RATIO, StepRatio

WIRES_HELD = 32
"""Gradient steps that one solution of the arrays' wires serves: what part of a cell arrives changes slowly."""


@checked
@dataclass(frozen=True, eq=False)
class HardwareAware:
    """What disturbs the forward passes of a training.

    Attributes
    ----------
    hardware : Hardware
        Ramps (fitted, drawn or ideal), pulse widths, arrays, threshold noise. A chip is drawn for each gradient step.
        Partial sums in the digital domain cannot be trained through.
    weight_noise : float
        Standard deviation of Gaussian noise on every weight of a crossbar, drawn anew for each gradient step, in units of the
        largest weight of the matrix.
    learn_ramps : bool
        Thresholds and output levels of the ramps that the network to start from brings along are learned with its weights; else
        they stay as they are.
    step_ratio : float
        Largest step of a learned ramp over its smallest (`netlists.function.holdable`): what cells are to make.
    """

    hardware: Hardware
    weight_noise: Share = 0.0
    learn_ramps: bool = True
    step_ratio: StepRatio = STEP_RATIO
    _wires: dict[str, list[Any]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.hardware.arrays is not None and self.hardware.arrays.partial_sums == "digital":
            raise InputError("partial_sums='digital': cannot be trained through; train with partial_sums='charge'")

    def describe(self) -> dict[str, str | float | int | None]:
        """For a network's metadata, and to tell whether a training goes on under the same conditions."""
        out = describe_hardware(self.hardware) | {"weight_noise": self.weight_noise}
        # What came later is left out where it is as in networks of before.
        if not self.learn_ramps:
            out["learn_ramps"] = 0
        return out if self.step_ratio == STEP_RATIO else out | {"step_ratio": self.step_ratio}

    def begin_epoch(self) -> None:
        """Forgets what the wires were: an epoch is the same whether or not the training was stopped before it."""
        self._wires.clear()

    def wires(self) -> dict[str, np.ndarray]:
        """What the wires of each matrix let arrive, and for how many more steps that has served, as `hold_wires` takes them."""
        served = {f"{key}.steps": np.array(steps, np.int64) for key, (steps, _) in self._wires.items()}
        return served | {f"{key}.arrives": arrives for key, (_, arrives) in self._wires.items()}

    def hold_wires(self, stored: Mapping[str, np.ndarray]) -> None:
        """Goes on with stored solutions of the wires."""
        for name, steps in stored.items():
            if (key := name.removesuffix(".steps")) != name:
                self._wires[key] = [int(steps), stored[f"{key}.arrives"]]

    def draw(self, network: Network, rng: np.random.Generator, dtype: type) -> tuple[tuple[ChipCell, ...], ...]:
        """A fresh chip of the network with fresh noise on its weights: cells of each layer and direction."""
        if self.weight_noise:
            network = with_weights(network, lambda at: self._noisy(at, rng))
        many = self.hardware.drawn_chips()
        index = 0 if many is None else int(rng.integers(many))
        seed = int(rng.integers(2**63))
        parts = _TrainingParts(network, self.hardware, index, seed, dtype, self._wires)
        return draw_chip(network, self.hardware, index, seed, dtype, parts).layers

    def _noisy(self, at: MatrixPlace, rng: np.random.Generator) -> np.ndarray:
        w = at.weights
        return w + self.weight_noise * np.abs(w).max() * rng.standard_normal(w.shape) * at.matrix.connected()


class _TrainingParts(DrawnParts):
    """Parts of a chip for one gradient step, with a recent solution of the wires."""

    def __init__(
        self, network: Network, hardware: Hardware, index: int, seed: int, dtype: type, held: dict[str, list[Any]]
    ) -> None:
        super().__init__(network, hardware, index, seed, dtype)
        self._held = held

    def cells(self, at: MatrixPlace) -> EffectiveWeights:
        arrays = self.hardware.arrays
        if arrays is not None and arrays.wired:
            known = self._held.setdefault(at.key, [WIRES_HELD, None])
            if known[0] == WIRES_HELD:
                known[:] = 0, arrival(at.weights, at.matrix.connected(), at.row_scale, arrays, bias=at.matrix.bias)
            known[0] += 1
        return super().cells(at)

    def arrives(self, at: MatrixPlace) -> np.ndarray | None:
        return self._held.get(at.key, [0, None])[1]
