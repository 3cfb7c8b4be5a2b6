"""A network while it is trained: its parameters as arrays of one type, outputs, losses and gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from cosim.compiled import chosen_engine
from cosim.network import DIRECTIONS, FixedPoint, Layer, Network, NetworkMetadata, Scaling
from cosim.network.cells import Cell, State
from cosim.training.gradients import NONE, Disturbance, FoldedEmbedding, Packing, Workspace, one_hot
from cosim.training.gradients.cells import backprop
from netlists.errors import InputError

from .fixed_point import FixedPointTraining
from .hardware_aware import HardwareAware
from .learned_ramps import LearnedRamps

Parameters = dict[str, np.ndarray]
SMALL_MATRIX = 2**17
"""Weights below which the products of a step are not worth sharing."""


class TrainingLoss(NamedTuple):
    """Sum of the cross entropy (nats) over so many predictions, and how many of them were right."""

    total: float
    predictions: int
    correct: int

    @property
    def mean(self) -> float:
        return self.total / self.predictions


class Model:
    """Layers, readout and, for symbols, an embedding.

    Parameters
    ----------
    network : Network
        Shape and weights to start from.
    dtype : float32 or float64
    hardware_aware : HardwareAware or None
    fixed_point : FixedPointTraining or None
        Not together with a chip, whose weights are no fixed-point numbers.
    preactivation_noise, dropout, label_smoothing : float
        See `TrainingSettings`.
    threads : int or None
        Of large matrix products. None: one for small networks, one for each core otherwise. The last bits of the gradients may
        depend on it.

    Attributes
    ----------
    parameters : dict of ndarray
        By the names of `Network.arrays`; changed in place by an optimizer.
    """

    def __init__(
        self,
        network: Network,
        dtype: np.dtype | type = np.float32,
        *,
        hardware_aware: HardwareAware | None = None,
        fixed_point: FixedPointTraining | None = None,
        preactivation_noise: float = 0.0,
        dropout: float = 0.0,
        label_smoothing: float = 0.0,
        threads: int | None = None,
    ) -> None:
        chosen_engine()
        self.workspace = Workspace(dtype, threads or _threads(network))
        if hardware_aware is not None and fixed_point is not None:
            raise InputError(
                "fixed_point_bits: weights on a chip are no fixed-point numbers; train without hardware, or without formats"
            )
        self.hardware_aware, self.fixed_point = hardware_aware, fixed_point
        self.preactivation_noise = preactivation_noise
        self.dropout, self.label_smoothing = dropout, label_smoothing
        self.cells: tuple[Cell, ...] = tuple(layer.cell for layer in network.layers)
        self.directions = [DIRECTIONS[: len(layer.directions)] for layer in network.layers]
        self.parameters: Parameters = {}
        for i, layer in enumerate(network.layers):
            for direction, weights in zip(DIRECTIONS, layer.directions, strict=False):
                self.parameters |= {f"layers.{i}.{direction}.{name}": w for name, w in weights.items()}
        self.parameters["readout"] = network.readout
        if network.embedding is not None:
            self.parameters["embedding"] = network.embedding
        if fixed_point is not None:
            self.parameters |= fixed_point.start(self.cells, self.directions)
        self.learned_ramps = LearnedRamps.of(network, hardware_aware)
        self.parameters |= self.learned_ramps.start
        self.parameters = {name: np.array(p, dtype, order="C") for name, p in self.parameters.items()}
        self._read = np.empty(0, int)
        self._kept: list[np.ndarray | None] = [None] * len(self.cells)
        # A chip needs the rows that drive it; in floating point a table may be less work.
        symbols = (
            0 if network.embedding is None or hardware_aware is not None or fixed_point is not None else len(network.embedding)
        )
        self.folded: list[FoldedEmbedding] = []
        if 0 < symbols <= network.n_in:
            self.folded = [
                FoldedEmbedding(self.cells[0], symbols, self.workspace, f"layers.0.{d}.folded") for d in self.directions[0]
            ]
        cells = (self.folded[0].folded, *self.cells[1:]) if self.folded else self.cells
        self.passes = [
            [backprop(cell, self.workspace, f"layers.{i}.{d}", backward=d == "backward") for d in self.directions[i]]
            for i, cell in enumerate(cells)
        ]

    @property
    def dtype(self) -> np.dtype:
        return self.workspace.dtype

    def decayed_rows(self) -> dict[str, int]:
        """Rows of each parameter that weight decay concerns: all but biases and the embedding."""
        out = {"readout": len(self.parameters["readout"]) - 1, "embedding": 0}
        for i, cell in enumerate(self.cells):
            for direction in self.directions[i]:
                out |= {f"layers.{i}.{direction}.{m.name}": m.shape[0] - m.bias for m in cell.matrices}
        return {name: out.get(name, 0) for name in self.parameters}

    def network(
        self,
        parameters: Mapping[str, np.ndarray] | None = None,
        metadata: NetworkMetadata | None = None,
        scaling: Scaling | None = None,
    ) -> Network:
        """The network of these parameters; None: the present ones."""
        p = self.parameters if parameters is None else parameters
        formats: dict[str, FixedPoint] = {}
        if self.fixed_point is not None:
            formats = self.fixed_point.formats(p, self.cells, self.directions)
            p = dict(p) | self.fixed_point.rounded(p, formats)
        layers = [
            Layer(cell, *({m.name: p[f"layers.{i}.{d}.{m.name}"] for m in cell.matrices} for d in self.directions[i]))
            for i, cell in enumerate(self.cells)
        ]
        ramps = self.learned_ramps.ramps(p)
        return Network.of(layers, p["readout"], p.get("embedding"), metadata, scaling=scaling, formats=formats, ramps=ramps)

    def outputs(
        self,
        x: np.ndarray,
        packing: Packing,
        rng: np.random.Generator | None = None,
        start: Sequence[Sequence[State]] | None = None,
        *,
        learning: bool = False,
    ) -> list[np.ndarray]:
        """Outputs of all steps of the top layer, (total, n_out) for each direction.

        Parameters
        ----------
        x : ndarray (total, n_in), or of int (total,)
            Features, or symbols if the network has an embedding.
        rng : Generator or None
            Draws chips and noise; None leaves both out.
        start : states of each layer and direction to go on from, as `states` gives them, or None
        learning : bool
            Whether a gradient step follows: layers below the top then drop outputs, as the settings say.
        """
        disturbances = self._disturbances(rng)
        if (embedding := self.parameters.get("embedding")) is not None:
            self._read = x
            x = one_hot(x, len(embedding), self.dtype) if self.folded else embedding[x]
        out: list[np.ndarray] = []
        for i, layer in enumerate(self.passes):
            out = [
                one.forward(
                    self._driven_weights(i, d),
                    x,
                    packing,
                    start=None if start is None else start[i][d],
                    disturbance=disturbances[i][d],
                )
                for d, one in enumerate(layer)
            ]
            x = out[0] if len(out) == 1 else np.concatenate(out, axis=1)
            if i < len(self.passes) - 1:
                x, self._kept[i] = self.dropped(x, rng if learning else None)
        return out

    def dropped(self, outputs: np.ndarray, rng: np.random.Generator | None) -> tuple[np.ndarray, np.ndarray | None]:
        """Outputs with a share of them at 0 and the others scaled up, and the factors; as they are and None without dropout."""
        if rng is None or not self.dropout:
            return outputs, None
        kept = (rng.random(outputs.shape, dtype=np.float32) >= self.dropout) * outputs.dtype.type(1 / (1 - self.dropout))
        return outputs * kept, kept

    def states(self) -> list[list[State]]:
        """States of each layer and direction after the last forward pass."""
        return [[one.state for one in layer] for layer in self.passes]

    def wired(self) -> list[str]:
        """Matrices behind wires that a training solves, as ``layer.direction.matrix``."""
        if self.hardware_aware is None or (arrays := self.hardware_aware.hardware.arrays) is None or not arrays.wired:
            return []
        return [f"{i}.{d}.{n}" for i, layer in enumerate(self.passes) for d in range(len(layer)) for n in self._on_arrays(i)]

    def states_of(self, named: Mapping[str, np.ndarray]) -> list[list[State]]:
        """States of each layer and direction from arrays by ``layer.direction.state``."""
        out: list[list[State]] = [[{} for _ in layer] for layer in self.passes]
        for name, a in named.items():
            layer, direction, state = name.split(".", 2)
            out[int(layer)][int(direction)][state] = a
        return out

    def state_shapes(self, sequences: int) -> dict[str, tuple[int, int]]:
        """Shapes of the states after a forward pass of a training step, by ``layer.direction.state``."""
        delta = self.hardware_aware is not None and self.hardware_aware.hardware.delta is not None
        return {
            f"{i}.{d}.{name}": (sequences, n)
            for i, layer in enumerate(self.passes)
            for d, one in enumerate(layer)
            for name, n in one.state_sizes(delta=delta).items()
        }

    def gradients(self, d_outputs: Sequence[np.ndarray]) -> Parameters:
        """Gradients in the layers' weights and in the embedding, if there is one, from those in the top layer's outputs.

        The arrays are used again by the next pass.
        """
        out: Parameters = {}
        for i in range(len(self.passes) - 1, -1, -1):
            layer = self.passes[i]
            found = [one.backward(d_outputs[d]) for d, one in enumerate(layer)]
            if i == 0 and "embedding" in self.parameters:
                found, out["embedding"] = self._through_embedding(found)
            for d, named in enumerate(found):
                out |= {f"layers.{i}.{self.directions[i][d]}.{name}": g for name, g in named.items()}
                out |= self._d_points(i, d) | self.learned_ramps.gradients(i, d, layer[d].tapes)
            if i:
                d_x = sum(one.d_inputs() for one in layer)
                if (kept := self._kept[i - 1]) is not None:
                    d_x = d_x * kept
                d_outputs = np.split(d_x, len(self.passes[i - 1]), axis=1)
        return out

    def _d_points(self, layer: int, direction: int) -> Parameters:
        """Gradients in the binary points of a direction; 0 where they are not learned."""
        if self.fixed_point is None:
            return {}
        tapes = {n: t for n, t in self.passes[layer][direction].tapes.items() if t.fixed}
        learned = float(self.fixed_point.learned)
        return {f"formats.{layer}.{direction}.{name}": learned * tape.d_points for name, tape in tapes.items()}

    def _through_embedding(self, found: list[Parameters]) -> tuple[list[Parameters], np.ndarray]:
        """Gradients in the first layer's weights and in the embedding."""
        embedding = self.parameters["embedding"]
        if self.folded:
            unfolded = [f.unfold(embedding, self._weights(0, d), found[d]) for d, f in enumerate(self.folded)]
            return [u[0] for u in unfolded], np.asarray(sum(u[1] for u in unfolded))
        chosen = one_hot(self._read, len(embedding), self.dtype)
        return found, chosen.T @ sum(one.d_inputs() for one in self.passes[0])

    def read(self, outputs: np.ndarray) -> np.ndarray:
        """Scores (rows, classes) of outputs (rows, n_out)."""
        readout = self.parameters["readout"]
        return outputs @ readout[:-1] + readout[-1]

    def d_readout(self, outputs: np.ndarray, d_scores: np.ndarray) -> np.ndarray:
        """Gradient in the readout."""
        return np.vstack([outputs.T @ d_scores, d_scores.sum(axis=0)])

    def _disturbances(self, rng: np.random.Generator | None) -> list[list[Disturbance]]:
        """What each direction of each layer suffers in one pass."""
        if self.hardware_aware is None or rng is None:
            plain = NONE if rng is None else Disturbance(self.preactivation_noise, rng)
            if self.fixed_point is None:
                return [[plain] * len(layer) for layer in self.passes]
            return [
                [
                    replace(
                        plain,
                        bits=self.fixed_point.bits,
                        points={n: self.parameters[f"formats.{i}.{d}.{n}"] for n in self._on_arrays(i)},
                    )
                    for d in range(len(layer))
                ]
                for i, layer in enumerate(self.passes)
            ]
        pwm = self.hardware_aware.hardware.pwm
        self.learned_ramps.hold(self.parameters)
        chip = self.hardware_aware.draw(self.network(), rng, self.dtype.type)
        return [
            [
                Disturbance(self.preactivation_noise, rng, cell, pwm, ramps=self.learned_ramps.of_direction(self.parameters, i, d))
                for d, cell in enumerate(layer)
            ]
            for i, layer in enumerate(chip)
        ]

    def _on_arrays(self, layer: int) -> list[str]:
        return [m.name for m in self.cells[layer].matrices if not m.digital]

    def _driven_weights(self, layer: int, direction: int) -> Parameters:
        """Weights for the rows that drive a layer."""
        weights = self._weights(layer, direction)
        if layer or not self.folded:
            return weights
        return self.folded[direction].fold(self.parameters["embedding"], weights)

    def _weights(self, layer: int, direction: int) -> Parameters:
        where = f"layers.{layer}.{self.directions[layer][direction]}"
        return {m.name: self.parameters[f"{where}.{m.name}"] for m in self.cells[layer].matrices}


def cross_entropy(scores: np.ndarray, labels: np.ndarray, smoothing: float = 0.0) -> tuple[TrainingLoss, np.ndarray]:
    """Softmax cross entropy of scores (rows, classes), and the gradient of its mean in them.

    With ``smoothing`` the wanted probability is that share of 1 over all classes alike and the rest on the label.
    """
    from scipy.special import log_softmax

    log_p = log_softmax(scores, axis=1)
    pick = (np.arange(len(labels)), labels)
    d = np.exp(log_p)
    total = -float(log_p[pick].sum(dtype=np.float64))
    if smoothing:
        total = (1 - smoothing) * total - smoothing * float(log_p.mean(axis=1).sum(dtype=np.float64))
        d -= d.dtype.type(smoothing / scores.shape[1])
    d[pick] -= 1.0 - smoothing
    d /= len(labels)
    correct = int(np.count_nonzero(scores.argmax(axis=1) == labels))
    return TrainingLoss(total, len(labels), correct), d


def _threads(network: Network) -> int:
    weights = max(w.size for layer in network.layers for parameters in layer.directions for w in parameters.values())
    if weights < SMALL_MATRIX:
        return 1
    import joblib

    return joblib.cpu_count()
