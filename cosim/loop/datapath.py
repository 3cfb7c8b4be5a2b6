"""The datapath of one cell whose conversions ngspice does, all or some of them, in the lead or beside the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from cosim.chip import ChipCell, ChipPath
from cosim.network import Network, run_layer
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


class LoopPath:
    """As `forward.TimedDatapath`.

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
        self.cell = cell.cell
        self._chip, self._key, self._active, self._who, self._tell = chip, key, active, who, tell
        self._inner = ChipPath(cell, chip.evaluator.hardware, "numpy", chip.evaluator.dtype)
        self._matrices = cell.matrices
        self._counters, self._step = np.zeros(0, np.uint32), 0

    def at(self, counters: np.ndarray, step: int) -> None:
        self._counters, self._step = counters, step
        self._inner.at(counters, step)

    def activate(self, activation: str, values: np.ndarray) -> np.ndarray:
        return self._inner.activate(activation, values)

    def product(self, matrix: str, *parts: np.ndarray) -> Mapping[str, np.ndarray]:
        array = self._chip.arrays.get(f"{self._key}.{matrix}")
        if array is None:
            return self._inner.product(matrix, *parts)
        m = self._matrices[matrix]
        pwm = self._chip.evaluator.hardware.pwm
        assert pwm is not None
        assert m.ranges is not None
        rows = [pwm.quantize(part, full) for part, full in zip(parts, m.ranges, strict=True)]
        if m.matrix.bias:
            rows.append(np.ones((1, parts[0].shape[1]), parts[0].dtype))
        driven = np.concatenate(rows)
        z = m.sums[0].weights @ driven
        n = int(self._active[self._step])
        # The same rounded numbers as the quantized rows: whole but for their last bits.
        codes = np.rint(driven[:, :n] / array.row_scale[:, None] * pwm.max_code).astype(int)
        z[:, :n] = self._convert(array, z[:, :n], codes)
        z[:, n:] = 0.0
        return {g.name: z[m.matrix.columns(g.name)] for g in m.matrix.gates}

    def _convert(self, array: LoopArray, x: np.ndarray, drive: np.ndarray) -> np.ndarray:
        """Outputs of all columns, shape of ``x``."""
        identities = self._counters[: x.shape[1]]
        passed = self._chip.passed(array, np.arange(len(x)), x, self._step, identities)
        programs = [self._chip.ramps[array.gate(j).activation].program for j in range(len(x))]
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
                "To take the model's code in such a place: --on-failure model",
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
    x, active, counters : as for `forward.run_layer`
    """
    sequences = int(active[0])
    last = hidden = np.empty(0)
    for depth, layer in enumerate(chip.evaluator.layers):
        paths = [LoopPath(chip, cell, f"{depth}.{direction}", active, who, tell) for direction, cell in enumerate(layer)]
        parts = [run_layer(p, x, active, counters, backward=d == 1) for d, p in enumerate(paths)]
        last = np.concatenate([p.last for p in parts])
        hidden = x = parts[0].outputs if len(parts) == 1 else np.concatenate([p.outputs for p in parts], axis=1)
    return Trajectory(hidden[:, :, :sequences], network.read(last[:, :sequences].astype(np.float64)))
