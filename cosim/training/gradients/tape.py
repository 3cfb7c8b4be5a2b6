"""What one matrix or one digital activation did at every step, and the gradients back through it.

On a chip the forward pass takes what the chip computes: effective weights, rounded inputs, rows that are driven when they change,
codes of its ramps. The backward pass goes straight through all roundings and takes the slope of the exact activation (Bengio et
al., arXiv 1308.3432), which is 0 where a ramp or a pulse width is at the end of its range. Thresholds and output
levels that are learned have gradients of their own (`ramp_gradients`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from cosim.chip import (
    LEAST_ROWS,
    ChipCell,
    ChipMatrix,
    ConvertedColumns,
    PwmInputs,
    Tables,
    keep_rows,
    kernels,
    row_tables,
)
from cosim.network import EXPONENTS, FixedPoint
from cosim.network.cells import Matrix, State

from .activation import to_slopes
from .smooth import SmoothBank
from .workspace import Workspace


@dataclass(frozen=True, eq=False)
class Disturbance:
    """What differs from floating point in a forward pass of one direction of a layer.

    Attributes
    ----------
    noise : float
        Standard deviation of Gaussian noise on pre-activations, drawn from ``rng``.
    rng : Generator or None
    chip : ChipCell or None
    pwm : PwmInputs or None
    points : mapping of str to ndarray, or None
        Binary points of each matrix (the exponent of its weights, then of each part), of formats of ``bits``.
    bits : int
    ramps : mapping of str to (ndarray, ndarray)
        Thresholds and output levels of the gates whose ramps are learned, by ``matrix.gate``.
    smooth : mapping of str to (mapping of int to SmoothBank)
        Converters whose steps are smoothed, by matrix and first column: the forward pass is then a smooth function.
    """

    noise: float = 0.0
    rng: np.random.Generator | None = None
    chip: ChipCell | None = None
    pwm: PwmInputs | None = None
    points: Mapping[str, np.ndarray] | None = None
    bits: int = 8
    ramps: Mapping[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    smooth: Mapping[str, Mapping[int, SmoothBank]] = field(default_factory=dict)


NONE = Disturbance()


class MatrixTape:
    """One matrix over all steps: the rows that drove it, the gates, their slopes; all weight gradients in one product at the end.

    Parameters
    ----------
    matrix : Matrix
    workspace : Workspace
    place : str
        Distinguishes this matrix's arrays in the workspace.

    Attributes
    ----------
    rows : ndarray (total, rows of the matrix)
        What drove the matrix; the last is 1 for the bias.
    gates : ndarray (total, columns)
        Pre-activations; outputs after `activate`.
    slopes : ndarray (total, columns)
        Slopes of the activations, until the way back their pre-activations; gradients in these after `backward`.
    """

    def __init__(self, matrix: Matrix, workspace: Workspace, place: str) -> None:
        self.matrix = matrix
        self.workspace = workspace
        self.place = f"{place}.{matrix.name}"
        self.takes_inputs = matrix.parts[0][0] == "x"
        self.n_x = matrix.parts[0][1] if self.takes_inputs else 0
        self.stop = matrix.shape[0] - matrix.bias
        self.weights: np.ndarray = np.empty(0)
        self.columns: np.ndarray = np.empty(0)
        self.d_sums: np.ndarray = np.empty(0)
        self.held: np.ndarray = np.empty(0)
        self.kept_noise: np.ndarray = np.empty(0)
        self.changes: np.ndarray = np.empty(0)
        self.fixed: list[FixedPoint] = []
        self.exact: np.ndarray = np.empty(0)
        self.unrounded: np.ndarray = np.empty(0)
        self.d_points: np.ndarray = np.empty(0)
        self.disturbance = NONE
        self.gate_columns = [(gate, matrix.columns(gate.name)) for gate in matrix.gates]
        self.sloped = False
        self.chip: ChipMatrix | None = None
        self.converted: set[int] = set()
        self.learned: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self.smooth: Mapping[int, SmoothBank] = {}
        self.tables: Tables | None = None

    def begin(self, weights: np.ndarray, total: int, disturbance: Disturbance, state: State, sequences: int) -> None:
        """Starts a forward pass over ``total`` rows with weights as `Matrix` has them.

        With delta inputs ``state`` also has what the rows of each sequence stand for, and the noise in their sums.
        """
        self.disturbance = disturbance
        self.chip = None if disturbance.chip is None else disturbance.chip.matrices[self.matrix.name]
        shape = self.matrix.shape
        units = () if self.chip is None else self.chip.units
        self.converted = {j for u in units if isinstance(u, ConvertedColumns) for j in range(u.columns.start, u.columns.stop)}
        mine = f"{self.matrix.name}."
        self.learned = {n.removeprefix(mine): r for n, r in disturbance.ramps.items() if n.startswith(mine)}
        self.smooth = disturbance.smooth.get(self.matrix.name, {})
        self.tables = None if self.chip is None or self.smooth else row_tables(self.chip, self.workspace.dtype)
        points = None if self.matrix.digital or disturbance.points is None else disturbance.points[self.matrix.name].ravel()
        self.fixed = [] if points is None else [learned_format(disturbance.bits, p) for p in points]
        if self.fixed:
            self.exact, weights = weights, self.fixed[0].round(weights)
            self.unrounded = self._array("unrounded", total, shape[0])
        if self.chip is None:
            # Products of few rows are a third faster where the weights of a column are neighbours.
            self.weights, self.columns = weights, self._array("columns", shape[1], shape[0])
            self.columns[:] = weights.T
        else:
            self.columns = self.chip.sums[0].weights
            self.weights = self.columns.T
        if self.chip is not None and self.chip.thresholds is not None:
            dtype = self.workspace.dtype
            self.held, self.kept_noise = (
                state.setdefault(name, np.zeros((sequences, n), dtype)) for name, n in self.kept_sizes().items()
            )
            self.changes = self._array("changes", total, shape[0])
        self.rows = self._array("rows", total, shape[0])
        self.gates = self._array("gates", total, shape[1])
        self.slopes, self.sloped = self._array("slopes", total, shape[1]), False
        if self.matrix.bias:
            self.rows[:, -1] = 1.0

    def kept_sizes(self) -> dict[str, int]:
        """Columns of the states that delta inputs add: what each row stands for, and the noise in the sums."""
        if self.matrix.digital:
            return {}
        return {f"{self.matrix.name} held": self.matrix.shape[0], f"{self.matrix.name} noise": self.matrix.shape[1]}

    def drive_inputs(self, x: np.ndarray, steps: Iterable[tuple[int, slice, int]]) -> None:
        """The layer's inputs of all steps, which come in this order."""
        if self.chip is None or self.chip.thresholds is None:
            self._drive(slice(0, len(x)), 0, x)
            return
        for _, now, _ in steps:
            self._drive(now, 0, x[now])

    def sums(self, now: slice, *parts: np.ndarray) -> np.ndarray:
        """Pre-activations of a step, (sequences, columns), for the parts after the inputs."""
        for i, part in enumerate(parts, int(self.takes_inputs)):
            self._drive(now, i, part)
        if self.matrix.bias and self.chip is not None and self.chip.thresholds is not None:
            self.changes[now, -1] = keep_rows(self.rows[now, -1], self.held[: now.stop - now.start, -1], 0.0)
        z = self.gates[now]
        self.workspace.matmul(self.rows[now], self.columns.T, z)
        d = self.disturbance
        if d.noise and d.rng is not None and not self.matrix.digital:
            z += z.dtype.type(d.noise) * d.rng.standard_normal(z.shape, z.dtype)
        return z

    def activate(self, now: slice, step: int) -> dict[str, np.ndarray]:
        """Gates of a step by name, from the sums that `sums` left; keeps their slopes."""
        z = self.gates[now]
        # Pre-activations until all steps are done: the slopes of all steps together cost a fraction of those of each.
        self.slopes[now] = z
        if self.tables is not None and len(z) >= LEAST_ROWS:
            self.tables.convert_rows(self.slopes[now], z)
        elif self.chip is not None:
            self._convert(now, z, step)
        elif not self.matrix.digital:
            for gate, columns in self.gate_columns:
                z[:, columns] = gate.exact(z[:, columns])
        return {gate.name: z[:, columns] for gate, columns in self.gate_columns}

    def product(self, now: slice, step: int, *parts: np.ndarray) -> dict[str, np.ndarray]:
        """`sums`, then `activate`."""
        self.sums(now, *parts)
        return self.activate(now, step)

    def gates_of(self, now: slice) -> dict[str, np.ndarray]:
        """Gates of a step once more."""
        return {gate.name: self.gates[now, columns] for gate, columns in self.gate_columns}

    def backward(self, now: slice, **d_gates: np.ndarray) -> np.ndarray:
        """Gradient in the parts after the inputs, (sequences, their rows), from the gradients in the gates."""
        self.d_sums = self.slopes
        if not self.sloped:
            if self.learned or self.smooth:
                self._array("converted", *self.gates.shape)[:] = self.slopes
            self._to_slopes()
        for gate, columns in self.gate_columns:
            if gate.name in d_gates:
                if self.learned or self.smooth:
                    self._array("d_out", *self.gates.shape)[now, columns] = d_gates[gate.name]
                self.slopes[now, columns] *= d_gates[gate.name]
        return self.backward_from_sums(now, self.slopes)

    def _to_slopes(self) -> None:
        for gate, columns in self.gate_columns:
            if self.matrix.digital:
                self.slopes[:, columns] = 1.0
            else:
                to_slopes(gate, self.slopes, columns, converted=columns.start in self.converted)
        for columns, bank in self._smooth_banks():
            self.slopes[:, columns] = bank.slopes(self._array("converted", *self.gates.shape)[:, columns])
        self.sloped = True

    def all_slopes(self) -> np.ndarray:
        """Slopes of all steps, (total, columns), to be replaced by the gradients in the pre-activations."""
        if not self.sloped:
            self._to_slopes()
        return self.slopes

    def backward_from_sums(self, now: slice, d_sums: np.ndarray) -> np.ndarray:
        """As `backward`, from an array with the gradients in the pre-activations of all steps, filled for this step."""
        self.d_sums = d_sums
        rows = slice(self.n_x, self.stop)
        d = self._array("d_parts", now.stop - now.start, rows.stop - rows.start)
        self.workspace.matmul(d_sums[now], self.weights[rows].T, d)
        inside = self._inside()
        return d if inside is None else d * inside[now, rows]

    def gradient(self) -> np.ndarray:
        """Gradient in the weights: one product over all steps and sequences."""
        out = self.workspace.array(f"{self.place}.gradient", *self.matrix.shape)
        self.workspace.matmul(self.rows.T, self.d_sums, out)
        if self.fixed:
            self._through_formats(out)
        if self.matrix.diagonal or self.matrix.absent:
            out *= self.matrix.connected()
        return out

    def ramp_gradients(self) -> dict[str, np.ndarray]:
        """Gradients in learned thresholds and output levels, by ``gate.thresholds`` and ``gate.values``, each (1, number).

        An output level has the gradients of all outputs that it was. A threshold moves the outputs near it from one level to the
        next: with the gradients within half a step to either side it is the slope of the staircase whose risers are as wide.
        """
        out: dict[str, np.ndarray] = {}
        for gate in self.matrix.gates:
            if (ramp := self.learned.get(gate.name)) is None:
                continue
            columns, s = self.matrix.columns(gate.name), gate.full_scale
            sums = self._array("converted", *self.gates.shape)
            x = sums[:, columns].ravel() / sums.dtype.type(s)
            d = self._array("d_out", *self.gates.shape)[:, columns].ravel()
            found = ramp_gradients(*ramp, x, d)
            for name, g in zip(("thresholds", "values"), found, strict=True):
                out[f"{gate.name}.{name}"] = (s * g)[None].astype(sums.dtype)
        return out

    def threshold_gradients(self) -> dict[int, np.ndarray]:
        """Gradients (columns, levels) in the thresholds of smoothed converters, by their first column."""
        x, d = (self._array(name, *self.gates.shape) for name in ("converted", "d_out"))
        return {c.start: bank.threshold_gradients(x[:, c], d[:, c]) for c, bank in self._smooth_banks()}

    def _smooth_banks(self) -> list[tuple[slice, SmoothBank]]:
        return [(slice(start, start + len(bank.thresholds)), bank) for start, bank in self.smooth.items()]

    def _through_formats(self, out: np.ndarray) -> None:
        """Gradients through the roundings: of the weights, in place, and in the binary points.

        A rounded number is ``s * round(v / s)``; straight through the rounding its slope in log2 s is ``ln 2 (rounded - v)`` within
        the range and ``ln 2`` times the end beyond it (Jain et al., arXiv 1903.08066).
        """
        fixed, inside = self.fixed[0], self._inside()
        assert inside is not None
        held = np.abs(self.exact) <= fixed.largest + fixed.step / 2
        found = [np.vdot(out, self.weights - self.exact * held)]
        out *= held
        d_rows = self.workspace.matmul(self.d_sums, self.weights.T, self._array("d_rows", *self.rows.shape))
        for name, _ in self.matrix.parts:
            c = self.matrix.rows(name)
            found.append(np.sum(d_rows[:, c] * (self.rows[:, c] - self.unrounded[:, c] * inside[:, c])))
        self.d_points = np.log(2.0) * np.array([found], out.dtype)

    def d_inputs(self) -> np.ndarray:
        """Gradient in the layer's inputs of all steps."""
        d = self._array("d_inputs", len(self.rows), self.n_x)
        self.workspace.matmul(self.d_sums, self.weights[: self.n_x].T, d)
        inside = self._inside()
        return d if inside is None else d * inside[:, : self.n_x]

    def _drive(self, now: slice, part: int, values: np.ndarray) -> None:
        name, _ = self.matrix.parts[part]
        columns = self.matrix.rows(name)
        inside = self._inside()
        if inside is not None and self.fixed:
            fixed = self.fixed[1 + part]
            inside[now, columns] = np.abs(values) <= fixed.largest + fixed.step / 2
            self.unrounded[now, columns] = values
            values = fixed.round(values)
        elif inside is not None:
            assert self.chip is not None
            assert self.chip.ranges is not None
            assert self.disturbance.pwm is not None
            full_scale = self.chip.ranges[part]
            inside[now, columns] = np.abs(values) <= full_scale
            values = self.disturbance.pwm.quantize(values, full_scale)
        if self.chip is not None and self.chip.thresholds is not None:
            held = self.held[: now.stop - now.start, columns]
            self.changes[now, columns] = keep_rows(values, held, self.chip.thresholds[part])
            values = held
        self.rows[now, columns] = values

    def _inside(self) -> np.ndarray | None:
        """Where an input or state was within the range of its pulse width or format; None without either."""
        if self.fixed:
            return self.workspace.array(f"{self.place}.inside", len(self.rows), self.matrix.shape[0], bool)
        if self.disturbance.pwm is None or self.chip is None or self.chip.ranges is None:
            return None
        return self.workspace.array(f"{self.place}.inside", len(self.rows), self.matrix.shape[0], bool)

    def _convert(self, now: slice, z: np.ndarray, step: int) -> None:
        """What the chip makes of a step's sums, in place."""
        assert self.chip is not None
        array = self.chip.sums[0]
        counters = np.arange(len(z), dtype=np.uint32)
        across = np.ascontiguousarray(z.T)
        if array.read_variance is not None and array.read_keys is not None:
            pulses = self.rows if self.chip.thresholds is None else self.changes
            driven = np.ascontiguousarray(pulses[now].T)
            variance = array.read_variance @ (driven * driven)
            if self.chip.thresholds is None:
                kernels.add_noise(across, variance, array.read_keys, counters, step)
            else:
                # The noise of earlier pulses stays in charge that is kept.
                noise = np.ascontiguousarray(self.kept_noise[: len(z)].T)
                kernels.add_noise(noise, variance, array.read_keys, counters, step)
                self.kept_noise[: len(z)] = noise.T
                across += noise
        for unit in self.chip.units:
            part = across[unit.columns]
            if unit.columns.start in self.smooth:
                part[:] = self.smooth[unit.columns.start].outputs(part.T).T
            elif isinstance(unit, ConvertedColumns):
                unit.bank.convert_compiled(part, part, counters, step)
            else:
                part[:] = unit.compute(part)
        z[:] = across.T

    def _array(self, name: str, rows: int, columns: int) -> np.ndarray:
        return self.workspace.array(f"{self.place}.{name}", rows, columns)


def ramp_gradients(thresholds: np.ndarray, values: np.ndarray, x: np.ndarray, d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gradients in the thresholds (n,) and in the values (n + 1,) of a staircase, from those in its outputs.

    Parameters
    ----------
    x, d : ndarray (m,)
        Inputs, and gradients in their outputs.
    """
    n = len(thresholds)
    d_values = np.bincount(np.searchsorted(thresholds, x, side="left"), d, n + 1)
    first, last = (thresholds[1] - thresholds[0], thresholds[-1] - thresholds[-2]) if n > 1 else (1.0, 1.0)
    middles = 0.5 * (thresholds[1:] + thresholds[:-1])
    edges = np.concatenate([[thresholds[0] - first / 2], middles, [thresholds[-1] + last / 2]])
    near = np.bincount(np.searchsorted(edges, x, side="left"), d, n + 2)[1:-1]
    return -near * np.diff(values) / np.diff(edges), d_values


def learned_format(bits: int, point: float) -> FixedPoint:
    """The format of a binary point that is learned as a real number: the nearest whole one."""
    return FixedPoint(bits, int(np.clip(np.rint(point), *EXPONENTS)))
