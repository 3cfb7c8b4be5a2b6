"""Training of an almost-linear RNN to reconstruct a dynamical system, by teacher forcing that is sparse in time."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated

import numpy as np

from characterization.provenance import versions
from cosim.compiled import chosen_engine
from cosim.network import Layer, Network, NetworkMetadata
from cosim.network.cells import ALRNN
from netlists.checks import Array, Count, Number, Seed, check, checked
from netlists.errors import InputError, ToolkitError

from .optimizer import Adam
from .settings import TrainingSettings

Points = Annotated[np.ndarray, Array(("steps", "observed"))]
Rate = Annotated[float, Number(above=0, high=1)]


@checked
@dataclass(frozen=True)
class DynamicsSettings:
    """How a trajectory is learned.

    Attributes
    ----------
    n_hidden, n_relu : int
        Units and, of these, rectified ones.
    steps : int
        Length of the pieces of a gradient step.
    batch : int
        Pieces of a gradient step.
    forcing : int
        Steps from one to the next in which data takes the place of the observed units (Brenner et al., arXiv 2410.14240, call it
        identity teacher forcing). Between them the network runs by itself, and so does the gradient.
    warm_up : int
        Steps at the start of a piece that are forced each, and do not count: the other units find their values.
    updates : int
        Gradient steps.
    learning_rate : float
        Falls as half a cosine.
    noise : float
        Standard deviation of what is added to the data that forces.
    """

    n_hidden: Count = 20
    n_relu: Count = 5
    steps: Count = 60
    batch: Count = 32
    forcing: Count = 15
    warm_up: Count = 5
    updates: Count = 8000
    learning_rate: Rate = 1e-2
    noise: Annotated[float, Number(0, 1)] = 0.0

    def __post_init__(self) -> None:
        if self.warm_up >= self.steps:
            raise InputError(f"warm_up={self.warm_up}: must be below steps={self.steps}; no step would count")


def train_dynamics(points: np.ndarray, settings: DynamicsSettings | None = None, *, seed: int, task: str = "") -> Network:
    """An `ALRNN` that goes on as a trajectory does, with a readout of the observed units.

    Its linear ramps cover what the training data makes a step add, and its pulses the largest state.

    Parameters
    ----------
    points : ndarray (steps, observed)
        Scaled to a deviation of about 1.

    Raises
    ------
    InputError
        A trajectory shorter than a piece.
    ToolkitError
        The loss is not finite any more.
    """
    s, engine = settings or DynamicsSettings(), chosen_engine()
    points = check(Points, points, "points")
    if len(points) < s.steps + 2:
        raise InputError(f"points: has {len(points)} steps, must have {s.steps + 2} at least; give more, or take fewer steps")
    seed = check(Seed, seed, "seed")
    seen, rng = points.shape[1], np.random.default_rng(seed)
    cell = ALRNN(seen, s.n_hidden, s.n_relu)
    pieces = _Pieces(cell, s)
    p = {"weights": rng.normal(0, 0.1 / s.n_hidden**0.5, (s.n_hidden + 1, s.n_hidden)), "decay": np.full((1, s.n_hidden), 0.9)}
    p["weights"][-1] = 0.0
    how = TrainingSettings(epochs=s.updates, learning_rate=s.learning_rate, optimizer="adam", weight_decay=0.0, dtype="float64")
    adam = Adam(p, how, {"weights": 0, "decay": 0})
    for update in range(s.updates):
        at = rng.integers(0, len(points) - s.steps, s.batch)[None] + np.arange(s.steps + 1)[:, None]
        data = points[at]
        loss = pieces.forward(p, data, data[:-1] + s.noise * rng.standard_normal(data[:-1].shape))
        if not np.isfinite(loss):
            raise ToolkitError(
                f"training: the loss is {loss} at step {update}; take a smaller learning_rate than {s.learning_rate:g}"
            )
        adam.step(pieces.backward(p), how.rate(update))
    at = np.linspace(0, len(points) - s.steps - 1, 64).astype(int)[None] + np.arange(s.steps + 1)[:, None]
    pieces.forward(p, points[at], points[at[:-1]])
    cell = ALRNN(seen, s.n_hidden, s.n_relu, float(np.abs(pieces.added).max()), float(np.abs(pieces.z).max()))
    readout = np.eye(s.n_hidden + 1, seen)
    readout[-1] = 0.0
    metadata = NetworkMetadata(cell=cell.kind, task=task, seed=seed, versions=versions(), settings=asdict(s) | {"engine": engine})
    return Network((Layer(cell, {"weights": p["weights"], "decay": np.diag(p["decay"][0])}),), readout, metadata=metadata)


class _Pieces:
    """Forward and backward pass over pieces of a trajectory, (steps, pieces, units).

    Attributes
    ----------
    z, added : ndarray (steps, pieces, units)
        Units before each step, and what the step adds to them beside ``a z``.
    """

    def __init__(self, cell: ALRNN, settings: DynamicsSettings) -> None:
        self.seen, self.first, self.s = cell.n_in, cell.n_hidden - cell.n_relu, settings
        t = np.arange(settings.steps) - settings.warm_up
        self.forced = (t < 0) | (t % settings.forcing == 0)
        self.z: np.ndarray = np.empty(0)
        self.added: np.ndarray = np.empty(0)

    def forward(self, p: dict[str, np.ndarray], data: np.ndarray, forcing: np.ndarray) -> float:
        """Mean square error of the observed units, one step ahead, of ``data`` (steps + 1, pieces, observed)."""
        shape = (self.s.steps, data.shape[1], len(p["weights"]) - 1)
        self.z, self.added, self.r, self.h = np.empty(shape), np.empty(shape), np.empty(shape), np.empty(shape)
        h = np.zeros(shape[1:])
        for t in range(shape[0]):
            z, r = self.z[t], self.r[t]
            z[:] = h
            if self.forced[t]:
                z[:, : self.seen] = forcing[t]
            r[:] = z
            np.maximum(r[:, self.first :], 0.0, out=r[:, self.first :])
            self.added[t] = r @ p["weights"][:-1] + p["weights"][-1]
            h = self.h[t] = p["decay"] * z + self.added[t]
        self.error = self.h[:, :, : self.seen] - data[1:]
        self.error[: self.s.warm_up] = 0.0
        return float(np.mean(self.error[self.s.warm_up :] ** 2))

    def backward(self, p: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Gradients of the mean square error."""
        d_h, d_all = np.zeros(self.z.shape[1:]), np.empty(self.z.shape)
        count = self.error[self.s.warm_up :].size
        for t in range(len(self.z) - 1, -1, -1):
            d_h[:, : self.seen] += 2.0 * self.error[t] / count
            d_all[t] = d_h
            d_r = d_h @ p["weights"][:-1].T
            d_r[:, self.first :] *= self.z[t][:, self.first :] > 0
            d_h = p["decay"] * d_h + d_r
            if self.forced[t]:
                d_h[:, : self.seen] = 0.0
        flat = d_all.reshape(-1, len(p["weights"]) - 1)
        weights = np.vstack([self.r.reshape(flat.shape).T @ flat, flat.sum(axis=0)])
        return {"weights": weights, "decay": (self.z * d_all).sum(axis=(0, 1))[None]}
