"""The loss of a network as a smooth function of its converters' thresholds, and its exact gradient by back-propagation.

The surrogate: every conversion is replaced by its mean output for a comparator with Gaussian noise of ``width`` local steps
(`cosim.training.gradients.SmoothBank`); inputs are not rounded, tanh(c) and its like are exact. It is differentiated exactly, not
straight through. How well it foretells what codes do is measured on drawn chips (`cosim.sensitivity.network.prediction`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cosim.chip import Chip, ConvertedColumns, Hardware, draw_chip
from cosim.network import Network
from cosim.tasks import SequenceSet
from cosim.training import Model
from cosim.training.classification import LabelledBatch, LabelledData
from cosim.training.gradients import Disturbance, SmoothBank
from cosim.training.model import cross_entropy
from netlists.checks import Number, check
from netlists.errors import InputError

from .head import pooled, read

WIDTH = 0.5
"""Rms noise that smooths a step, local steps of the ramp."""
BATCH = 128
NARROW = 1e-3
"""Least width of a step, as a part of the median one: on a ramp that dips a level may lie on the one before."""

Thresholds = dict[str, np.ndarray]
"""Of each matrix (columns, levels), by ``layer.direction.matrix``, units of the pre-activation; NaN where nothing is converted."""


@dataclass(frozen=True, eq=False)
class LossGradient:
    """Loss of a network at some thresholds, and its derivatives.

    Attributes
    ----------
    network : Network
    loss : float
        Cross entropy of the smoothed network, nats, mean over the sequences.
    accuracy : float
        Share of the sequences that the smoothed network gets right.
    thresholds, gradient : dict of str to ndarray (columns, levels)
        By ``layer.direction.matrix``; nats per unit of the pre-activation. 0 where there is no threshold.
    """

    network: Network
    loss: float
    accuracy: float
    thresholds: Thresholds
    gradient: Thresholds

    def change(self, thresholds: Thresholds) -> float:
        """Change of the loss by the linear model when thresholds become these, nats."""
        moved = 0.0
        for key, g in self.gradient.items():
            shift = np.subtract(
                thresholds[key], self.thresholds[key], out=np.zeros_like(g), where=np.isfinite(self.thresholds[key])
            )
            moved += float(np.sum(g * shift))
        return moved

    def of_ramps(self) -> dict[str, np.ndarray]:
        """Derivatives in the levels of each ramp, which all its columns share: nats per input unit, (levels,), by activation.

        A ramp of a gate's own has the gate's name, ``layer.direction.matrix.gate``.
        """
        out: dict[str, np.ndarray] = {}
        for name, _, g in self.gates():
            out[name] = out[name] + g.sum(axis=0) if name in out else g.sum(axis=0)
        return out

    def of_columns(self) -> list[tuple[str, int, str, float]]:
        """Derivative in a shift of all levels of each column, as of its comparator's offset: gate, column, ramp, nats per unit."""
        rows = []
        for name, gate, g in self.gates():
            rows += [(gate, j, name, value) for j, value in enumerate(g.sum(axis=1).tolist())]
        return rows

    def gates(self) -> list[tuple[str, str, np.ndarray]]:
        """Ramp, gate and derivatives (columns, levels) in input units of the activation."""
        out = []
        for depth, layer in enumerate(self.network.layers):
            for direction in range(len(layer.directions)):
                for m in layer.cell.matrices:
                    key = f"{depth}.{direction}.{m.name}"
                    for gate in m.gates if key in self.gradient else ():
                        name, columns = f"{key}.{gate.name}", m.columns(gate.name)
                        if not np.isfinite(self.thresholds[key][columns]).any():
                            continue
                        levels = np.isfinite(self.thresholds[key][columns]).all(axis=0)
                        g = gate.full_scale * self.gradient[key][columns][:, levels]
                        out.append((name if name in self.network.ramps else gate.activation, name, g))
        return out


class SmoothedLoss:
    """A network's loss on some sequences as a smooth function of its thresholds.

    Parameters
    ----------
    hardware : Hardware
        Its ramps, as designed; other errors have no place here.
    width : float
        Rms noise that smooths a step, local steps.

    Attributes
    ----------
    thresholds : dict of str to ndarray (columns, levels)
        As designed.

    Raises
    ------
    InputError
        A network that reads symbols, that cannot be trained, or without converters.
    """

    def __init__(self, network: Network, sequences: SequenceSet, hardware: Hardware, width: float = WIDTH) -> None:
        self.network, self.width = network, check(Number(above=0), width, "width")
        if network.embedding is not None:
            raise InputError("network: reads symbols; the loss of sequences with labels is differentiated")
        network.check(sequences)
        self.data = LabelledData.of(network.driven(sequences), np.float64)
        chip = draw_chip(network, hardware, 0, 0, np.float64)
        self.thresholds = chip_thresholds(chip)
        if not self.thresholds:
            raise InputError("hardware: has no ramps, so that the network has no thresholds; give bits or ramps")
        self._model = _SmoothedModel(network, chip, self._widths())

    def value(self, thresholds: Thresholds | None = None) -> float:
        """Loss, nats, at these thresholds; None: as designed."""
        return self._run(thresholds, gradients=False).loss

    def gradient(self, thresholds: Thresholds | None = None) -> LossGradient:
        """Loss and its derivative in every threshold: one pass forth and one back over all sequences."""
        return self._run(thresholds, gradients=True)

    def _run(self, thresholds: Thresholds | None, *, gradients: bool) -> LossGradient:
        at = self.thresholds if thresholds is None else thresholds
        self._model.place(at)
        total, right = 0.0, 0
        found = {key: np.zeros(t.shape) for key, t in at.items()}
        for batch in self.data.batches(BATCH):
            loss, correct = self._batch(batch, found if gradients else None)
            total, right = total + loss, right + correct
        n = len(self.data)
        return LossGradient(self.network, total / n, right / n, at, {key: g / n for key, g in found.items()})

    def _batch(self, batch: LabelledBatch, found: Thresholds | None) -> tuple[float, int]:
        model = self._model
        outputs = model.outputs(batch.x, batch.packing)
        top, spread = pooled(outputs, batch.packing, self.network.pooling)
        scores, back = read(self.network, top)
        loss, d_scores = cross_entropy(scores, batch.labels)
        if found is not None:
            model.gradients(spread(back(d_scores * len(batch.labels))))
            for key, start, g in model.threshold_gradients():
                found[key][start : start + len(g), : g.shape[1]] += g
        return loss.total, loss.correct

    def _widths(self) -> Thresholds:
        out = {}
        for key, t in self.thresholds.items():
            rows = np.ones_like(t)
            for row, levels in zip(rows, t, strict=True):
                levels = levels[np.isfinite(levels)]
                if len(levels) > 1:
                    step = np.abs(np.gradient(levels))
                    row[: len(levels)] = np.maximum(step, NARROW * np.median(step))
            out[key] = self.width * rows
        return out


def chip_thresholds(chip: Chip) -> Thresholds:
    """Thresholds of a chip's converters: what its columns see, offsets included, without noise."""
    out: Thresholds = {}
    for depth, layer in enumerate(chip.layers):
        for direction, cell in enumerate(layer):
            for name, matrix in cell.matrices.items():
                banks = [(u.columns, u.bank) for u in matrix.units if isinstance(u, ConvertedColumns)]
                if not banks:
                    continue
                rows = np.full((matrix.matrix.shape[1], max(b.levels for _, b in banks)), np.nan)
                for columns, bank in banks:
                    rows[columns, : bank.levels] = np.where(np.isfinite(bank.thresholds), bank.thresholds, np.nan)
                out[f"{depth}.{direction}.{name}"] = rows
    return out


class _SmoothedModel(Model):
    """A network whose converters are smoothed, in double precision."""

    def __init__(self, network: Network, chip: Chip, widths: Thresholds) -> None:
        # The chip has the network's own ramps already.
        super().__init__(network.with_ramps({}), np.float64, threads=1)
        self.chip, self.widths = chip, widths
        self._banks: dict[str, dict[int, SmoothBank]] = {}

    def place(self, thresholds: Thresholds) -> None:
        """Puts the converters' thresholds where they are to be."""
        for depth, layer in enumerate(self.chip.layers):
            for direction, cell in enumerate(layer):
                for name, matrix in cell.matrices.items():
                    key = f"{depth}.{direction}.{name}"
                    units = [u for u in matrix.units if isinstance(u, ConvertedColumns)]
                    self._banks[key] = {u.columns.start: self._bank(u, key, thresholds) for u in units}

    def _bank(self, unit: ConvertedColumns, key: str, thresholds: Thresholds) -> SmoothBank:
        n = unit.bank.levels
        at = np.nan_to_num(thresholds[key][unit.columns, :n], nan=np.inf)
        return SmoothBank(at, self.widths[key][unit.columns, :n], unit.bank.values)

    def threshold_gradients(self) -> list[tuple[str, int, np.ndarray]]:
        """Matrix, first column and gradients (columns, levels), after a pass back."""
        out = []
        for depth, layer in enumerate(self.passes):
            for direction, one in enumerate(layer):
                for name, tape in one.tapes.items():
                    out += [(f"{depth}.{direction}.{name}", start, g) for start, g in tape.threshold_gradients().items()]
        return out

    def _disturbances(self, rng: np.random.Generator | None) -> list[list[Disturbance]]:
        return [[self._smoothed(i, d, cell) for d, cell in enumerate(layer)] for i, layer in enumerate(self.chip.layers)]

    def _smoothed(self, depth: int, direction: int, cell: object) -> Disturbance:
        place = f"{depth}.{direction}."
        banks: Mapping[str, Mapping[int, SmoothBank]] = {
            k.removeprefix(place): b for k, b in self._banks.items() if k.startswith(place)
        }
        return Disturbance(chip=cell, smooth=banks)  # type: ignore[arg-type]
