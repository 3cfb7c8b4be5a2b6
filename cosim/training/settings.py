"""How a network is shaped and trained."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Annotated

from cosim.network.cells import CELLS, Cell, make_cell
from netlists.checks import Choice, Count, Number, PwmBits, Share, Whole, checked
from netlists.errors import InputError

SCHEDULES = ("cosine", "constant", "step")
OPTIMIZERS = ("adamw", "adam")
DTYPES = ("float32", "float64")
AUGMENTATIONS = ("time_shift", "time_stretch", "feature_gain", "feature_offset", "feature_noise", "time_mask", "feature_mask")
"""Settings that change training sequences; a text has none of them."""


@checked
@dataclass(frozen=True)
class TrainingSettings:
    """Shape of the network and course of the training.

    Attributes
    ----------
    n_hidden : int
        Units of each layer.
    cell : str
        Kind of the cells.
    layers : int
        Layers, one on the other.
    n_projection : int or None
        Rows of the projected output of each layer; LSTMs only.
    bidirectional : bool
        A second direction in each layer, from the end to the start; not for characters.
    n_embedding : int
        Numbers that stand for a character; language models only.
    epochs : int
        At most so many passes over the training data.
    batch : int
        Sequences in a gradient step, or streams of the text that run side by side.
    steps : int
        Characters between two gradient steps, through which the gradient flows back; language models only.
    optimizer : {"adamw", "adam"}
        Whether weight decay acts beside the gradient (AdamW), or within it.
    learning_rate : float
        Step size of the optimizer at its highest.
    schedule : {"cosine", "constant", "step"}
        How the step size falls: to 0 over the epochs as half a cosine, not at all, or by ``step_factor`` every ``step_epochs``.
    warm_up : float
        Epochs over which the step size rises from 0 first.
    step_epochs, step_factor : int, float
        Of schedule ``step``.
    weight_decay : float
        Share of every weight, biases and embedding aside, that a step takes away, relative to the learning rate.
    clip : float
        Largest norm of the gradient.
    validation_fraction : float
        Share of each class's training sequences held out to choose the epoch whose weights are kept, where a task has no
        validation sequences of its own; 0 keeps the last epoch.
    patience : int
        Epochs without a lower validation loss before training stops.
    preactivation_noise : float
        Standard deviation of Gaussian noise on every pre-activation during training, input units.
    standardize : bool
        The network scales each feature by mean and deviation of the training steps before it drives a row; labelled sequences only.
    fixed_point_bits : int or None
        Weights, inputs and states are fixed-point numbers of so many bits in every forward pass, and the network keeps their
        formats; None: floating point.
    fixed_point_learned : bool
        The binary point of each matrix, input and state is learned with the weights; else it stays where it starts: weights up to
        2, states to the cell's range, inputs to the largest of the training data.
    dropout : float
        Share of the outputs of every layer that the next one or the readout does not see, drawn for each step; the others are
        scaled up.
    label_smoothing : float
        Share of the wanted probability that is spread over all classes alike.
    time_shift : int
        Steps that each training sequence is shifted by at most, either way.
    time_stretch : float
        Part by which each is made slower or faster at most, about its middle.
    feature_gain : float
        Deviation of the logarithm of a factor on a whole sequence, for features that are in proportion to a signal.
    feature_offset : float
        Deviation of what is added to each feature of a whole sequence, in units of the feature's own; for logarithms as of cepstra.
    feature_noise : float
        Deviation of noise on every value, in units of the feature's own.
    time_mask, feature_mask : int
        Steps and features that a mask hides at most; what is hidden is the training mean (SpecAugment).
    masks : int
        Masks of each kind.
    dtype : {"float32", "float64"}
        Of the weights and of all arithmetic of the training.
    """

    n_hidden: Count = 32
    cell: Annotated[str, Choice(CELLS)] = "lstm"
    layers: Annotated[int, Whole(1, 100)] = 1
    n_projection: Count | None = None
    bidirectional: bool = False
    n_embedding: Count = 32
    epochs: Count = 60
    batch: Count = 32
    steps: Count = 64
    optimizer: Annotated[str, Choice(OPTIMIZERS)] = "adamw"
    learning_rate: Annotated[float, Number(above=0, high=1)] = 1e-2
    schedule: Annotated[str, Choice(SCHEDULES)] = "cosine"
    warm_up: Annotated[float, Number(0, 1e6)] = 0.0
    step_epochs: Count = 20
    step_factor: Annotated[float, Number(above=0, high=1)] = 0.5
    weight_decay: Share = 1e-2
    clip: Annotated[float, Number(above=0)] = 1.0
    validation_fraction: Annotated[float, Number(0, 0.5)] = 0.1
    patience: Count = 30
    preactivation_noise: Annotated[float, Number(0, 10)] = 0.0
    standardize: bool = False
    fixed_point_bits: PwmBits | None = None
    fixed_point_learned: bool = True
    dropout: Annotated[float, Number(0, below=1)] = 0.0
    label_smoothing: Annotated[float, Number(0, below=1)] = 0.0
    time_shift: Annotated[int, Whole(0)] = 0
    time_stretch: Annotated[float, Number(0, below=1)] = 0.0
    feature_gain: Annotated[float, Number(0, 10)] = 0.0
    feature_offset: Annotated[float, Number(0, 10)] = 0.0
    feature_noise: Annotated[float, Number(0, 10)] = 0.0
    time_mask: Annotated[int, Whole(0)] = 0
    feature_mask: Annotated[int, Whole(0)] = 0
    masks: Annotated[int, Whole(1, 1000)] = 1
    dtype: Annotated[str, Choice(DTYPES)] = "float32"

    def __post_init__(self) -> None:
        if self.n_projection is not None and self.cell not in ("lstm", "diagonal-lstm"):
            raise InputError(f"n_projection={self.n_projection}: cell {self.cell!r} has no projection; take cell 'lstm'")

    @property
    def augmented(self) -> bool:
        """Whether training sequences are changed."""
        return any(getattr(self, name) for name in AUGMENTATIONS)

    def describe(self) -> dict[str, str | float | int | None]:
        """For a network's metadata and for a checkpoint; what came later is left out where it is off, as in networks of before."""
        later = ("standardize", "dropout", "label_smoothing", *AUGMENTATIONS)
        off = {name for name in later if not getattr(self, name)} | (set() if self.time_mask or self.feature_mask else {"masks"})
        off |= {"fixed_point_bits", "fixed_point_learned"} if self.fixed_point_bits is None else set()
        return {name: value for name, value in asdict(self).items() if name not in off}

    def cells(self, n_in: int) -> tuple[Cell, ...]:
        """The cells of a network on ``n_in`` inputs, a layer each."""
        options = {} if self.n_projection is None else {"n_projection": self.n_projection}
        out: list[Cell] = []
        for _ in range(self.layers):
            out.append(make_cell({"kind": self.cell, "n_in": n_in, "n_hidden": self.n_hidden} | options))
            n_in = out[-1].n_out * (2 if self.bidirectional else 1)
        return tuple(out)

    def rate(self, epochs_done: float) -> float:
        """Step size after so many epochs, a fraction of one included."""
        out = self.learning_rate
        if self.warm_up:
            out *= min(1.0, epochs_done / self.warm_up)
        if self.schedule == "cosine":
            out *= 0.5 * (1 + math.cos(math.pi * min(epochs_done / self.epochs, 1.0)))
        elif self.schedule == "step":
            out *= self.step_factor ** (int(epochs_done) // self.step_epochs)
        return out
