"""Training of an LSTM in NumPy: back-propagation through time by hand, Adam, clipping, early stopping."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass

import numpy as np
from scipy.special import log_softmax
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from characterization.provenance import versions
from netlists.errors import InputError, ToolkitError

from .networks import CANDIDATE, FORGET, INPUT, OUTPUT, EpochRecord, LSTMNetwork, NetworkMetadata, float_gates, gate, lstm_step
from .tasks import SequenceSet, Task

# Adam's constants, as its authors recommend (arXiv 1412.6980).
BETA_MEAN, BETA_SQUARE, EPSILON = 0.9, 0.999, 1e-8


@dataclass(frozen=True)
class TrainingSettings:
    """How to train.

    Attributes
    ----------
    n_hidden : int
    epochs : int
        At most so many passes over the training sequences.
    batch : int
        Sequences in a gradient step.
    learning_rate : float
        Adam's step size at the start; it falls to 0 over the epochs as half a cosine.
    weight_decay : float
        Share of every weight, biases aside, that each step takes away, relative to the learning rate (AdamW).
    clip : float
        Largest norm of the gradient.
    validation_fraction : float
        Share of each class's training sequences held out to choose the epoch whose weights are kept; 0 keeps the last.
    patience : int
        Epochs without a lower validation loss before training stops.
    preactivation_noise : float
        Standard deviation of Gaussian noise on every gate's pre-activation during training, input units.
    """

    n_hidden: int = 32
    epochs: int = 60
    batch: int = 32
    learning_rate: float = 1e-2
    weight_decay: float = 1e-2
    clip: float = 1.0
    validation_fraction: float = 0.1
    patience: int = 30
    preactivation_noise: float = 0.0

    def __post_init__(self) -> None:
        for name in ("n_hidden", "epochs", "batch", "patience"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
                raise InputError(f"{name}={value}: must be a whole number of at least 1")
        for name, low, high in (("learning_rate", 0.0, 1.0), ("clip", 0.0, math.inf)):
            value = getattr(self, name)
            if not _is_number(value) or not low < value <= high:
                raise InputError(f"{name}={value}: must be a number above {low:g} and at most {high:g}")
        for name, high in (("weight_decay", 1.0), ("validation_fraction", 0.5), ("preactivation_noise", 10.0)):
            value = getattr(self, name)
            if not _is_number(value) or not 0 <= value <= high:
                raise InputError(f"{name}={value}: must be a number, 0..{high:g}")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def train_task(task: Task, *, seed: int, settings: TrainingSettings | None = None, progress: bool = False) -> LSTMNetwork:
    """Train on a task's training set; the network's metadata holds task, seed, settings, versions and log.

    Parameters
    ----------
    seed : int
        Seed of the generator that splits, initialises, shuffles and draws noise.
    progress : bool
        Show a bar on standard error.
    """
    settings = settings or TrainingSettings()
    start = time.perf_counter()
    weights, readout, epochs, best = train_lstm(
        task.train, len(task.classes), settings, np.random.default_rng(seed), progress=progress
    )
    metadata = NetworkMetadata(
        task=task.name,
        seed=seed,
        versions=versions(with_ngspice=False),
        settings=asdict(settings),
        epochs=tuple(epochs),
        best_epoch=best,
        seconds=time.perf_counter() - start,
    )
    return LSTMNetwork(weights, readout, metadata)


def train_lstm(
    sequences: SequenceSet, n_classes: int, settings: TrainingSettings, rng: np.random.Generator, *, progress: bool = False
) -> tuple[np.ndarray, np.ndarray, list[EpochRecord], int]:
    """Train on labelled sequences, on one thread.

    These products are too small to share: with another busy process beside them, two threads take several times as long as
    one. Nor do the weights depend on the number of cores this way.

    Returns
    -------
    weights, readout : ndarrays
        As in `LSTMNetwork`.
    epochs : list of EpochRecord
    best : int
        Epoch whose weights these are.

    Raises
    ------
    InputError
        A label without a class.
    ToolkitError
        The loss is not finite any more.
    """
    if sequences.labels.max() >= n_classes:
        raise InputError(f"sequences: have label {sequences.labels.max()}, the network would have {n_classes} classes")
    train, validation = split(sequences, settings.validation_fraction, rng)
    weights, readout = initial_weights(sequences.n_features, settings.n_hidden, n_classes, rng)
    adam = Adam([weights, readout], settings)
    batches = -(-len(train) // settings.batch)
    records: list[EpochRecord] = []
    best, best_loss, kept = 0, math.inf, (weights, readout)
    bar = tqdm(range(1, settings.epochs + 1), desc="training", unit="epoch", disable=not progress)
    with threadpool_limits(limits=1, user_api="blas"):
        for epoch in bar:
            total = 0.0
            for i, index in enumerate(np.array_split(rng.permutation(len(train)), batches)):
                done = ((epoch - 1) + i / batches) / settings.epochs
                noise = rng if settings.preactivation_noise else None
                loss, gradients = loss_and_gradients(weights, readout, train.select(index), settings.preactivation_noise, noise)
                adam.step(gradients, 0.5 * settings.learning_rate * (1 + math.cos(math.pi * done)))
                total += loss * len(index)
            if not math.isfinite(total):
                raise ToolkitError(
                    f"training: the loss is {total} in epoch {epoch}; take a smaller learning_rate than {settings.learning_rate:g}"
                )
            record = _record(epoch, total / len(train), LSTMNetwork(weights, readout), validation)
            records.append(record)
            bar.set_postfix(loss=f"{record.loss:.3f}", refresh=False)
            judged = record.validation_loss
            if judged is None or judged < best_loss:
                best, best_loss, kept = epoch, math.inf if judged is None else judged, (weights.copy(), readout.copy())
            elif epoch - best >= settings.patience:
                break
    bar.close()
    return kept[0], kept[1], records, best


def split(sequences: SequenceSet, fraction: float, rng: np.random.Generator) -> tuple[SequenceSet, SequenceSet | None]:
    """Hold out ``fraction`` of each class, rounded; None if that leaves nothing on the other side."""
    held = np.concatenate([_some(np.flatnonzero(sequences.labels == k), fraction, rng) for k in np.unique(sequences.labels)])
    if len(held) == 0:
        return sequences, None
    return sequences.select(np.setdiff1d(np.arange(len(sequences)), held)), sequences.select(held)


def _some(members: np.ndarray, fraction: float, rng: np.random.Generator) -> np.ndarray:
    return rng.permutation(members)[: round(fraction * len(members))]


def initial_weights(n_in: int, n_hidden: int, n_classes: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Weights and readout, uniform within +-1/sqrt(n_hidden); biases 0, those of the forget gate 1 to remember at first."""
    bound = n_hidden**-0.5
    weights = rng.uniform(-bound, bound, (n_in + n_hidden + 1, 4 * n_hidden))
    readout = rng.uniform(-bound, bound, (n_hidden + 1, n_classes))
    weights[-1], readout[-1] = 0.0, 0.0
    weights[-1, gate(FORGET, n_hidden)] = 1.0
    return weights, readout


def loss_and_gradients(
    weights: np.ndarray, readout: np.ndarray, batch: SequenceSet, noise: float = 0.0, rng: np.random.Generator | None = None
) -> tuple[float, list[np.ndarray]]:
    """Mean softmax cross entropy of a batch (nats), and its gradients in weights and readout.

    The recurrence keeps its packed rows [x; h; 1] of all steps; after the time loop one matrix product with the gates' errors gives
    all weight gradients.

    Parameters
    ----------
    noise : float
        Standard deviation of the noise on pre-activations, drawn from ``rng``.
    """
    n_hidden, n_in = weights.shape[1] // 4, batch.n_features
    order, active = batch.packing()
    x, labels = batch.inputs[order], batch.labels[order]
    ends = np.cumsum(active)
    rows = np.empty((ends[-1], len(weights)))
    gates = np.empty((ends[-1], 4 * n_hidden))
    c_before, tanh_c = np.empty((2, ends[-1], n_hidden))
    c, h = np.zeros((2, len(order), n_hidden))
    for t, n in enumerate(active):
        now = slice(ends[t] - n, ends[t])
        rows[now, :n_in], rows[now, n_in:-1], rows[now, -1] = x[:n, t], h[:n], 1.0
        z = rows[now] @ weights
        if rng is not None:
            z += noise * rng.standard_normal(z.shape)
        gates[now] = float_gates(z)
        c_before[now] = c[:n]
        c[:n], tanh_c[now], h[:n] = lstm_step(gates[now], c[:n])

    log_p = log_softmax(h @ readout[:-1] + readout[-1], axis=1)
    pick = (np.arange(len(order)), labels)
    d_scores = np.exp(log_p)
    d_scores[pick] -= 1.0
    d_scores /= len(order)
    d_readout = np.vstack([h.T @ d_scores, d_scores.sum(axis=0)])

    # Derivatives of all activations at once: y (1 - y) for the sigmoids, 1 - y^2 for the candidate's tanh.
    slope = gates * (1.0 - gates)
    slope[:, gate(CANDIDATE, n_hidden)] = 1.0 - gates[:, gate(CANDIDATE, n_hidden)] ** 2
    d_z = np.empty_like(gates)
    d_h = d_scores @ readout[:-1].T
    d_c = np.zeros_like(d_h)
    for t in range(len(active) - 1, -1, -1):
        n = active[t]
        now = slice(ends[t] - n, ends[t])
        i, f, a, o = (gates[now, gate(k, n_hidden)] for k in (INPUT, FORGET, CANDIDATE, OUTPUT))
        d_c[:n] += d_h[:n] * o * (1.0 - tanh_c[now] ** 2)
        d_gates = np.hstack([d_c[:n] * a, d_c[:n] * c_before[now], d_c[:n] * i, d_h[:n] * tanh_c[now]])
        d_z[now] = d_gates * slope[now]
        d_c[:n] *= f
        d_h[:n] = d_z[now] @ weights[n_in:-1].T
    return -float(log_p[pick].mean()), [rows.T @ d_z, d_readout]


class Adam:
    """Adam with decoupled weight decay (Kingma and Ba, arXiv 1412.6980; Loshchilov and Hutter, arXiv 1711.05101)."""

    def __init__(self, parameters: list[np.ndarray], settings: TrainingSettings) -> None:
        self.parameters = parameters
        self.settings = settings
        self.mean = [np.zeros_like(p) for p in parameters]
        self.square = [np.zeros_like(p) for p in parameters]
        self.steps = 0

    def step(self, gradients: list[np.ndarray], rate: float) -> None:
        """Clip the gradients to a norm of ``settings.clip`` together and change the parameters in place; last rows are biases."""
        self.steps += 1
        norm = math.sqrt(sum(float(np.vdot(g, g)) for g in gradients))
        scale = min(1.0, self.settings.clip / norm) if norm > 0 else 1.0
        for p, g, m, v in zip(self.parameters, gradients, self.mean, self.square, strict=True):
            m += (1.0 - BETA_MEAN) * (scale * g - m)
            v += (1.0 - BETA_SQUARE) * ((scale * g) ** 2 - v)
            p[:-1] *= 1.0 - rate * self.settings.weight_decay
            spread = np.sqrt(v / (1.0 - BETA_SQUARE**self.steps))
            p -= rate * (m / (1.0 - BETA_MEAN**self.steps)) / (spread + EPSILON)


def _record(epoch: int, loss: float, network: LSTMNetwork, validation: SequenceSet | None) -> EpochRecord:
    if validation is None:
        return EpochRecord(epoch=epoch, loss=loss)
    scores = network.scores(validation)
    pick = (np.arange(len(validation)), validation.labels)
    return EpochRecord(
        epoch=epoch,
        loss=loss,
        validation_loss=-float(log_softmax(scores, axis=1)[pick].mean()),
        validation_accuracy=float(np.mean(scores.argmax(axis=1) == validation.labels)),
    )
