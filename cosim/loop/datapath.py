"""The datapath of one cell whose conversions ngspice does, all or some of them, in the lead or beside the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cosim.chip import ChipCell, ChipMatrix, ChipPath
from cosim.network import LayerRun, Network, pool, run_layer
from netlists.errors import SimulationError
from netlists.ramp import RampProgram

from .array import LoopArray
from .chip import LoopChip
from .simulators import FAILED, Answer, Simulator, Step


@dataclass(frozen=True, eq=False)
class StepConversion:
    """One step of one array.

    Attributes
    ----------
    step : Step
        Of the chosen columns.
    model : ndarray of int (columns, sequences)
        Codes of the model for the same pre-activations.
    answer : Answer or None
        Of the simulator; None if there is none.
    """

    step: Step
    model: np.ndarray
    answer: Answer | None


@dataclass(frozen=True)
class Who:
    """Who converts.

    Attributes
    ----------
    simulator : Simulator or None
        Converts the chosen columns; None: the model alone.
    leads : bool
        Whether its codes make the next state; else the model's do.
    failed : {"stop", "model"}
        What happens to a conversion without a code when the simulator leads: an error, or the model's code.
    """

    simulator: Simulator | None = None
    leads: bool = False
    failed: str = "stop"


class LoopPath(ChipPath):
    """The datapath of one direction of a layer on the loop's chip.

    Parameters
    ----------
    key : str
        ``layer.direction``.
    active : ndarray of int (steps,)
        Sequences that run at each step: the lanes after them hold nothing.
    tell : callable
        Told of each step of each array.
    """

    def __init__(
        self, chip: LoopChip, cell: ChipCell, key: str, active: np.ndarray, who: Who, tell: Callable[[StepConversion], None]
    ) -> None:
        super().__init__(cell, chip.evaluator.hardware, "numpy", chip.evaluator.dtype)
        self._loop, self._key, self._active, self._who, self._tell = chip, key, active, who, tell

    def convert(self, m: ChipMatrix, rows: np.ndarray, z: np.ndarray) -> None:
        array, pwm = self._loop.arrays.get(f"{self._key}.{m.matrix.name}"), self.hardware.pwm
        if array is None or pwm is None:
            super().convert(m, rows, z)
            return
        n = int(self._active[self._step])
        # The same rounded numbers as the quantized rows: whole but for their last bits.
        codes = np.rint(rows[:, :n] / array.row_scale[:, None] * pwm.max_code).astype(int)
        z[:, :n] = self._outputs(array, z[:, :n], codes)
        z[:, n:] = 0.0

    def _outputs(self, array: LoopArray, x: np.ndarray, drive: np.ndarray) -> np.ndarray:
        """Outputs of all columns, shape of ``x``."""
        identities = self._counters[: x.shape[1]]
        seen = x.copy()
        seen[array.chosen] += self._loop.integrated(array, drive)
        passed = self._loop.passed(array, np.arange(len(x)), seen, self._step, identities)
        programs = [self._loop.ramps[array.gate(j).activation].program for j in range(len(x))]
        codes = np.array([p.codes[k] for p, k in zip(programs, passed, strict=True)])
        step = Step(array, self._step, x[array.chosen].copy(), drive, identities)
        answer = None
        if self._who.simulator is not None and len(array.chosen):
            answer = self._who.simulator.answer(step)
        self._tell(StepConversion(step, codes[array.chosen], answer))
        if answer is not None and self._who.leads:
            codes[array.chosen] = self._led(step, codes[array.chosen], answer)
        tables = [array.gate(j).full_scale * _by_code(p) for j, p in enumerate(programs)]
        out = np.array([t[c] for t, c in zip(tables, codes, strict=True)])
        if len(bad := np.argwhere(np.isnan(out))):
            j, i = bad[0]
            raise SimulationError(f"column {j} of array {array.key} counted to {codes[j, i]}, a code that its ramp does not have")
        return out

    def _led(self, step: Step, model: np.ndarray, answer: Answer) -> np.ndarray:
        if answer.failures and self._who.failed == "stop":
            first = answer.failures[0]
            raise SimulationError(
                f"{len(answer.failures)} of {step.x.size} conversions failed at step {step.number} of array {step.array.key}; the "
                f"first is column {step.array.chosen[first.row]}, sequence {step.identities[first.sequence]}. "
                "To take the model's code in such a place: on_failure='model'",
                first.message,
            )
        return np.where(answer.codes == FAILED, model, answer.codes)


def _by_code(program: RampProgram) -> np.ndarray:
    """Value of each code, shape (2**bits,); NaN for a code that the ramp does not have."""
    out = np.full(2**program.bits, np.nan)
    out[program.codes] = program.values
    return out


@dataclass(frozen=True, eq=False)
class Trajectory:
    """What a network did.

    Attributes
    ----------
    hidden : ndarray (steps, features, sequences)
        Outputs of the top layer, both directions one below the other.
    scores : ndarray (sequences, classes)
    """

    hidden: np.ndarray
    scores: np.ndarray


def run_loop_network(
    network: Network,
    chip: LoopChip,
    x: np.ndarray,
    active: np.ndarray,
    counters: np.ndarray,
    who: Who,
    tell: Callable[[StepConversion], None],
) -> Trajectory:
    """Run a network over time on the chip.

    Parameters
    ----------
    x, active, counters : as for `cosim.network.run_layer`
    """
    sequences = int(active[0])
    hidden = np.empty(0)
    parts: list[LayerRun] = []
    for depth, layer in enumerate(chip.evaluator.layers):
        paths = [LoopPath(chip, cell, f"{depth}.{direction}", active, who, tell) for direction, cell in enumerate(layer)]
        parts = [run_layer(p, x, active, counters, backward=d == 1) for d, p in enumerate(paths)]
        hidden = x = parts[0].outputs if len(parts) == 1 else np.concatenate([p.outputs for p in parts], axis=1)
    pooled = pool(parts, active, network.pooling)[:, :sequences]
    return Trajectory(hidden[:, :, :sequences], network.read(pooled.astype(np.float64)))
