"""Trains a network on a task."""

from __future__ import annotations

import math
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from characterization.provenance import versions
from cosim.compiled import chosen_engine
from cosim.network import Layer, Network, NetworkMetadata, Scaling, ramp_gates
from netlists.checks import Seed, check
from netlists.errors import InputError
from netlists.function import fit_staircase, uniform_staircase
from netlists.machine import require_memory, weigh

from ..tasks import CharacterTask, SequenceSet, Task
from .augmentation import Augmentation
from .classification import ClassifierCourse, LabelledData
from .epochs import TrainingCourse, run_epochs
from .fixed_point import FixedPointTraining
from .hardware_aware import HardwareAware
from .language import LanguageCourse, Streams
from .model import Model
from .settings import AUGMENTATIONS, TrainingSettings

WEIGHT_SECONDS, STEP_SECONDS = 1.6e-10, 5e-5
"""Of an epoch: seconds of a weight at each step of each sequence (LSTM of 32 units, 0.71 s for 10,000 x 49 steps), and of a step
of a batch besides."""
ROW_BYTES = 100.0
"""Memory of an output of a layer at a step of a batch, with all that its gradient needs."""
OBSERVED_STEPS = 64
"""Characters of each stream of a text that ramps are fitted to."""


def train_task(
    task: Task | CharacterTask,
    *,
    seed: int,
    settings: TrainingSettings | None = None,
    hardware_aware: HardwareAware | None = None,
    start: Network | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    threads: int | None = None,
    progress: bool = False,
) -> Network:
    """Trains on a task's training data; the network's metadata holds task, seed, settings, versions and log.

    Parameters
    ----------
    seed : int
        Seed of the generator that splits, initialises, shuffles and draws noise and chips.
    hardware_aware : HardwareAware or None
        None: floating point.
    start : Network or None
        Weights to start from, such as imported ones; the settings' shape then does not count. None: random ones.
    checkpoint : path or None
        ``.npz`` file that is written after each epoch, and within one about every minute.
    resume : bool
        Go on from that file, to the same bits as if there had been no interruption. Data, network to start from and settings must
        be the same, but for ``epochs``: with a constant or stepped rate a finished training can be prolonged.
    threads : int or None
        See `Model`; a training that is resumed has those that it began with.
    progress : bool
        Show a bar on standard error.

    Returns
    -------
    Network
        An `LSTMNetwork` if it is one plain LSTM layer on features.

    Raises
    ------
    InputError
        A network to start from that does not fit the task, a cell that cannot be trained, a checkpoint of another training.
    ToolkitError
        The loss is not finite any more.
    """
    settings, engine = settings or TrainingSettings(), chosen_engine()
    seed = check(Seed, seed, "seed")
    rng = np.random.default_rng(seed)
    held_out: SequenceSet | None = None
    if isinstance(task, Task):
        task.check_training()
        given = task.training
        train, held_out = (given, task.validation) if task.validation else split(given, settings.validation_fraction, rng)
        n_in, classes, symbols = given.n_features, len(task.classes), None
        scaling = _scaling(given, settings.standardize) if start is None else start.scaling
        train, held_out = _scaled(train, scaling), None if held_out is None else _scaled(held_out, scaling)
    else:
        n_in, classes, symbols, scaling = settings.n_embedding, len(task.alphabet), len(task.alphabet), None
        if settings.standardize:
            raise InputError(f"standardize=True: task {task.name!r} is a text; it has no features")
        if settings.augmented:
            asked = next(name for name in AUGMENTATIONS if getattr(settings, name))
            raise InputError(
                f"{asked}={getattr(settings, asked)}: task {task.name!r} is a text; dropout and label_smoothing are for texts"
            )
        if settings.bidirectional or (start is not None and start.bidirectional):
            raise InputError("bidirectional=True: a language model cannot read the characters that it predicts")
    network = initial_network(settings, n_in, classes, rng, symbols=symbols) if start is None else _fitting(start, task)
    if isinstance(task, Task):
        line = _weighed(network, settings, int(train.lengths.sum()), min(settings.batch, len(train)), int(train.lengths.max()))
    else:
        line = _weighed(network, settings, len(task.train), settings.batch, settings.steps)
    if line and progress:
        print(line, file=sys.stderr)
    fixed_point = None
    if settings.fixed_point_bits is not None:
        driven = train.inputs if isinstance(task, Task) else network.embedding
        assert driven is not None
        largest = float(np.abs(driven).max()) or 1.0
        fixed_point = FixedPointTraining(settings.fixed_point_bits, settings.fixed_point_learned, largest)
    model = Model(
        network,
        np.dtype(settings.dtype),
        hardware_aware=hardware_aware,
        fixed_point=fixed_point,
        preactivation_noise=settings.preactivation_noise,
        dropout=settings.dropout,
        label_smoothing=settings.label_smoothing,
        threads=threads,
    )
    course: TrainingCourse
    if isinstance(task, Task):
        validation = None if held_out is None else LabelledData.of(held_out, model.dtype)
        data = LabelledData.of(train, model.dtype)
        augmentation = Augmentation.of(settings, data.inputs, data.lengths)
        course = ClassifierCourse(model, data, validation, settings.batch, augmentation)
    else:
        judged = Streams.of(task.validation, min(settings.batch, len(task.validation) - 1))
        course = LanguageCourse(model, Streams.of(task.train, settings.batch), judged, settings.steps)
    described = settings.describe() | (hardware_aware.describe() if hardware_aware else {})
    conditions = {k: v for k, v in described.items() if k != "epochs"} | {"task": task.name, "seed": seed}
    if engine == "numpy":
        # Its last bits are others; checkpoints without a word are of numba.
        conditions["engine"] = engine
    conditions |= {"data_sha256": task.sha256, "start_sha256": None if start is None else start.sha256}
    trained = run_epochs(
        model,
        course,
        settings,
        rng,
        conditions=conditions,
        checkpoint=None if checkpoint is None else Path(checkpoint),
        resume=resume,
        progress=progress,
    )
    metadata = NetworkMetadata(
        cell=network.layers[0].cell.kind,
        task=task.name,
        seed=seed,
        versions=versions(with_ngspice=False),
        settings=described | {"engine": engine},
        epochs=trained.epochs,
        best_epoch=trained.best_epoch,
        seconds=trained.seconds,
        data_sha256=task.train_sha256,
    )
    return model.network(trained.parameters, metadata, scaling)


def _weighed(network: Network, settings: TrainingSettings, steps: int, batch: int, length: int) -> str:
    """What a training takes if no epoch ends it early, as `netlists.machine.weigh` says it.

    Parameters
    ----------
    steps, batch, length : int
        Steps of all sequences together, sequences in a batch, steps through which a gradient flows.
    """
    outputs = sum(layer.n_out for layer in network.layers)
    weights = sum(p.size for layer in network.layers for direction in layer.directions for p in direction.values())
    rows = min(batch * length, steps)
    memory = ROW_BYTES * rows * outputs
    weigh(f"batch={settings.batch}", memory=memory)
    masks = settings.masks * 1e-3 if settings.time_mask or settings.feature_mask else 0.0
    epoch = steps * weights * WEIGHT_SECONDS + steps / rows * (length * STEP_SECONDS + masks)
    return weigh(f"epochs={settings.epochs}", seconds=settings.epochs * epoch, memory=memory)


def gate_inputs(network: Network, task: Task | CharacterTask, *, sequences: int = 256) -> dict[str, np.ndarray]:
    """Pre-activations of each gate in floating point on training data, by ``layer.direction.matrix.gate``.

    Parameters
    ----------
    sequences : int
        Training sequences that are observed, the first ones. A text is cut into so many streams, and observed for `OBSERVED_STEPS`
        characters of each, after as many that fill the state.

    Returns
    -------
    dict of str to ndarray (steps of all sequences, units)
        In units of the gate's full scale.

    Raises
    ------
    InputError
        A network that does not fit the task, or with a cell that training does not have.
    """
    _check_reads(network, task, "network")
    model = Model(network.with_ramps({}), np.float64)
    if isinstance(task, Task):
        data = LabelledData.of(network.driven(task.training), np.float64)
        batch = data.batch(np.arange(min(sequences, len(data))))
        model.outputs(batch.x, batch.packing)
    else:
        start = None
        for window in islice(Streams.of(task.train, min(sequences, len(task.train) - 1)).windows(OBSERVED_STEPS), 2):
            model.outputs(window.symbols, window.packing, start=start)
            start = model.states()
    found = {}
    for name, gate in ramp_gates([(layer.cell, len(layer.directions)) for layer in network.layers]):
        layer, direction, matrix, _ = name.split(".")
        tape = model.passes[int(layer)][int(direction)].tapes[matrix]
        # Before a backward pass the slopes are still the pre-activations.
        found[name] = tape.slopes[:, tape.matrix.columns(gate.name)] / gate.full_scale
    return found


def fit_ramps(
    network: Network, task: Task | CharacterTask, bits: int, *, fit: str = "lloyd-max", sequences: int = 256, **options: Any
) -> Network:
    """Fits a ramp to the pre-activations of each gate on training data; the weights stay as they are.

    Parameters
    ----------
    network : Network
        Judged in floating point.
    fit : str
        One of `netlists.function.FITS`, or ``uniform``: the ramps of the activations, to start learning from.
    sequences : int
        As of `gate_inputs`.
    **options
        ``held_back`` and ``step_ratio`` of `netlists.function.fit_staircase`.

    Raises
    ------
    InputError
        As `netlists.function.fit_staircase` and `gate_inputs`.
    """
    gates = dict(ramp_gates([(layer.cell, len(layer.directions)) for layer in network.layers]))
    if fit == "uniform":
        return network.with_ramps({name: uniform_staircase(gate.activation, bits) for name, gate in gates.items()})
    seen = gate_inputs(network, task, sequences=sequences)
    return network.with_ramps(
        {name: fit_staircase(seen[name], gate.activation, bits, fit=fit, **options) for name, gate in gates.items()}
    )


def initial_network(
    settings: TrainingSettings, n_in: int, classes: int, rng: np.random.Generator, *, symbols: int | None = None
) -> Network:
    """A network to start training from: the cells' initial weights, a readout uniform within +-1/sqrt(outputs), biases 0.

    Parameters
    ----------
    n_in : int
        Features, or numbers that stand for a symbol.
    symbols : int or None
        Different symbols; their embedding is normal with a deviation of 1. None: the network reads features.
    """
    cells = settings.cells(n_in)
    # The weights as they are drawn, and what training keeps of each: value, gradient, two running means, the best so far.
    weights = sum(math.prod(m.shape) for c in cells for m in c.matrices) * (1 + settings.bidirectional)
    require_memory(48.0 * weights, f"n_hidden={settings.n_hidden}")
    layers = [Layer(c, c.initial_parameters(rng), c.initial_parameters(rng) if settings.bidirectional else None) for c in cells]
    bound = layers[-1].n_out ** -0.5
    readout = rng.uniform(-bound, bound, (layers[-1].n_out + 1, classes))
    readout[-1] = 0.0
    embedding = None if symbols is None else rng.standard_normal((symbols, n_in))
    return Network(tuple(layers), readout, embedding)


def split(sequences: SequenceSet, fraction: float, rng: np.random.Generator) -> tuple[SequenceSet, SequenceSet | None]:
    """Holds out ``fraction`` of each class, rounded; None if that leaves nothing on the other side."""
    held = np.concatenate([_some(np.flatnonzero(sequences.labels == k), fraction, rng) for k in np.unique(sequences.labels)])
    if len(held) == 0:
        return sequences, None
    return sequences.select(np.setdiff1d(np.arange(len(sequences)), held)), sequences.select(held)


def _scaling(sequences: SequenceSet, standardize: bool) -> Scaling | None:
    """Mean and deviation of each feature over all steps; a feature that never changes is only shifted."""
    if not standardize:
        return None
    frames = sequences.inputs[np.arange(sequences.inputs.shape[1]) < sequences.lengths[:, None]]
    deviation = frames.std(axis=0)
    return Scaling(frames.mean(axis=0), 1 / np.where(deviation > 0, deviation, 1.0))


def _scaled(sequences: SequenceSet, scaling: Scaling | None) -> SequenceSet:
    return sequences if scaling is None else SequenceSet(scaling.apply(sequences.inputs), sequences.lengths, sequences.labels)


def held_out_sequences(task: Task, network: Network) -> SequenceSet:
    """Sequences that neither trained the network nor test it: the task's validation set, or what the training held out.

    Raises
    ------
    InputError
        A task without a validation set, and a network that does not say what its training held out.
    """
    if task.validation is not None:
        return task.validation
    about = network.metadata
    fraction = about.settings.get("validation_fraction")
    if about.seed is not None and isinstance(fraction, (int, float)) and fraction > 0:
        # The first thing that a training draws: the same sequences again.
        held = split(task.training, float(fraction), np.random.default_rng(about.seed))[1]
        if held is not None:
            return held
    raise InputError(
        f"task {task.name}: has no validation set, and the network does not say what its training held out; "
        "a choice must not look at the test set: give validation sequences, or train the network with `cosim train`"
    )


def _some(members: np.ndarray, fraction: float, rng: np.random.Generator) -> np.ndarray:
    return rng.permutation(members)[: round(fraction * len(members))]


def _fitting(start: Network, task: Task | CharacterTask) -> Network:
    """The network, if it fits the task and can be trained."""
    if start.pooling != "h_n" or start.hidden:
        raise InputError(
            "start: is read by pooling or hidden layers, which training does not have; take a network whose "
            "scores are a linear function of its last outputs"
        )
    _check_reads(start, task, "start")
    return start


def _check_reads(network: Network, task: Task | CharacterTask, name: str) -> None:
    """Raises `InputError` unless the network reads what the task has."""
    if isinstance(task, Task):
        if network.embedding is not None:
            raise InputError(f"{name}: reads symbols; task {task.name!r} has features")
        network.check(task.training)
    elif network.embedding is None or len(network.embedding) != len(task.alphabet) or network.n_classes != len(task.alphabet):
        has = "no embedding" if network.embedding is None else f"{len(network.embedding)} symbols and {network.n_classes} classes"
        raise InputError(f"{name}: has {has}; task {task.name!r} has {len(task.alphabet)} characters")
