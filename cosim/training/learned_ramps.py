"""Ramps that are learned with the weights: thresholds and output levels as parameters, held where cells can follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cosim.network import Network, Ramps, ramp_gates
from cosim.training.gradients import MatrixTape
from netlists.errors import InputError
from netlists.function import STEP_RATIO, Staircase, get_activation, holdable

from .hardware_aware import HardwareAware

THRESHOLDS, VALUES = "thresholds", "values"


@dataclass(frozen=True, eq=False)
class LearnedRamps:
    """The ramps that a training starts from, and what becomes of them.

    Attributes
    ----------
    given : mapping of str to Staircase
        Those to start from.
    ranges : mapping of str to (float, float)
        Least and largest output of each ramp's function. Levels are held within: a forget gate above 1 would let a state that is
        carried on grow without end.
    learned : bool
        Else they stay as they are.
    step_ratio : float
        Largest step over the smallest.
    """

    given: Ramps
    ranges: Mapping[str, tuple[float, float]]
    learned: bool
    step_ratio: float = STEP_RATIO

    @classmethod
    def of(cls, network: Network, on: HardwareAware | None) -> LearnedRamps:
        """Those of a network to start from.

        Raises
        ------
        InputError
            A training without converters, in which they would play no part.
        """
        ramps = network.ramps
        if ramps and (on is None or (on.hardware.bits is None and on.hardware.ramps is None)):
            raise InputError(
                "start: has ramps of its own, which a training in floating point does not see; train with hardware that has ramps "
                "of as many bits, or take them away: start.with_ramps({})"
            )
        gates = {n: get_activation(g.activation) for n, g in ramp_gates([(i.cell, len(i.directions)) for i in network.layers])}
        ranges = {name: (gates[name].y_min, gates[name].y_max) for name in ramps}
        return cls(
            dict(ramps), ranges, bool(ramps) and on is not None and on.learn_ramps, STEP_RATIO if on is None else on.step_ratio
        )

    @property
    def start(self) -> dict[str, np.ndarray]:
        """Parameters to start from, by ``ramps.layer.direction.matrix.gate.thresholds`` and ``.values``, each (1, number)."""
        if not self.learned:
            return {}
        out = {}
        for name, r in self.given.items():
            out[f"ramps.{name}.{THRESHOLDS}"] = holdable(np.array(r.thresholds), self.step_ratio)[None]
            out[f"ramps.{name}.{VALUES}"] = np.clip([r.values], *self.ranges[name])
        return out

    def ramps(self, parameters: Mapping[str, np.ndarray]) -> Ramps:
        """The ramps of these parameters."""
        if not self.learned:
            return self.given
        out = {}
        for name in self.given:
            levels = holdable(parameters[f"ramps.{name}.{THRESHOLDS}"][0].astype(float), self.step_ratio)
            values = np.clip(parameters[f"ramps.{name}.{VALUES}"][0].astype(float), *self.ranges[name])
            out[name] = Staircase(tuple(levels.tolist()), tuple(values.tolist()))
        return out

    def hold(self, parameters: Mapping[str, np.ndarray]) -> None:
        """Moves thresholds, in place, to where cells can follow, and levels into their range: gradients see what the chip has."""
        if self.learned:
            for name in self.given:
                levels = parameters[f"ramps.{name}.{THRESHOLDS}"]
                levels[0] = holdable(levels[0], self.step_ratio)
                values = parameters[f"ramps.{name}.{VALUES}"]
                np.clip(values, *self.ranges[name], out=values)

    def of_direction(
        self, parameters: Mapping[str, np.ndarray], layer: int, direction: int
    ) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Thresholds and values of one direction of a layer, by ``matrix.gate``."""
        where = f"{layer}.{direction}."
        if not self.learned:
            return {}
        return {
            name.removeprefix(where): (parameters[f"ramps.{name}.{THRESHOLDS}"][0], parameters[f"ramps.{name}.{VALUES}"][0])
            for name in self.given
            if name.startswith(where)
        }

    def gradients(self, layer: int, direction: int, tapes: Mapping[str, MatrixTape]) -> dict[str, np.ndarray]:
        """Gradients in them, after a backward pass of the direction."""
        if not self.learned:
            return {}
        found = {f"{matrix}.{name}": g for matrix, tape in tapes.items() for name, g in tape.ramp_gradients().items()}
        return {f"ramps.{layer}.{direction}.{name}": g for name, g in found.items()}
