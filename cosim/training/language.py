"""Text: predict each character from those before it, on streams whose state is carried from window to window."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cosim.network.cells import State
from cosim.training.gradients import Packing
from netlists.errors import InputError

from .checkpoint import Layout
from .model import Model, Parameters, TrainingLoss, cross_entropy


@dataclass(frozen=True, eq=False)
class TextWindow:
    """Some steps of all streams.

    Attributes
    ----------
    symbols, following : ndarrays of int (steps * streams,)
        Characters, step after step, and the one after each.
    packing : Packing
    """

    symbols: np.ndarray
    following: np.ndarray
    packing: Packing


@dataclass(frozen=True, eq=False)
class Streams:
    """A text cut into streams of equal length that run side by side; what is left over, less than a stream's step, is not used.

    Attributes
    ----------
    symbols, following : ndarrays of int (streams, length)
    """

    symbols: np.ndarray
    following: np.ndarray

    @classmethod
    def of(cls, text: np.ndarray, streams: int) -> Streams:
        length = (len(text) - 1) // streams
        if length < 1:
            raise InputError(f"batch={streams}: the text has {len(text)} characters, too few for so many streams")
        text = np.asarray(text, np.int64)
        return cls(text[: streams * length].reshape(streams, length), text[1 : streams * length + 1].reshape(streams, length))

    def windows(self, steps: int, first: int = 0) -> Iterator[TextWindow]:
        """The streams from the ``first`` window to their end, so many steps at a time; the last window may be shorter."""
        streams, length = self.symbols.shape
        for start in range(first * steps, length, steps):
            now = slice(start, start + steps)
            symbols, following = (a[:, now].T.reshape(-1) for a in (self.symbols, self.following))
            yield TextWindow(symbols, following, Packing(np.full(len(symbols) // streams, streams)))

    def count(self, steps: int) -> int:
        """Number of windows."""
        return -(-self.symbols.shape[1] // steps)


def loss_and_gradients(
    model: Model,
    window: TextWindow,
    start: Sequence[Sequence[State]] | None,
    rng: np.random.Generator | None = None,
    *,
    gradients: bool = True,
) -> tuple[TrainingLoss, Parameters]:
    """Softmax cross entropy of a window's predictions, and the gradients of its mean; `Model.states` has the states to go on from.

    Parameters
    ----------
    start : states at the window's start, or None for the first
    rng : Generator or None
        Draws chips, noise and dropout; None leaves them out.
    """
    (outputs,) = model.outputs(window.symbols, window.packing, rng, start, learning=gradients)
    if not gradients:
        return cross_entropy(model.read(outputs), window.following)[0], {}
    outputs, kept = model.dropped(outputs, rng)
    loss, d_scores = cross_entropy(model.read(outputs), window.following, model.label_smoothing)
    d_outputs = d_scores @ model.parameters["readout"][:-1].T
    found = model.gradients([d_outputs if kept is None else d_outputs * kept])
    return loss, found | {"readout": model.d_readout(outputs, d_scores)}


class LanguageCourse:
    """Epochs of a language model; as `epochs.TrainingCourse`."""

    def __init__(self, model: Model, train: Streams, validation: Streams | None, steps: int) -> None:
        self.model, self.train, self.validation, self.steps = model, train, validation, steps
        self.batches = train.count(steps)

    def epoch(
        self, rng: np.random.Generator, done: int = 0, carried: Mapping[str, np.ndarray] | None = None
    ) -> Iterator[tuple[TrainingLoss, Parameters]]:
        start = None if carried is None else self.model.states_of(carried)
        for window in self.train.windows(self.steps, done):
            out = loss_and_gradients(self.model, window, start, rng)
            # The next window's pass changes the states in place; nothing else reads them.
            start = self.model.states()
            yield out

    def carried(self) -> dict[str, np.ndarray]:
        return {
            f"{i}.{d}.{name}": a
            for i, layer in enumerate(self.model.states())
            for d, state in enumerate(layer)
            for name, a in state.items()
        }

    def layout(self) -> Layout:
        return {name: (shape, self.model.dtype) for name, shape in self.model.state_shapes(len(self.train.symbols)).items()}

    def validate(self, rng: np.random.Generator | None) -> Iterator[TrainingLoss]:
        start = None
        for window in [] if self.validation is None else self.validation.windows(self.steps):
            loss, _ = loss_and_gradients(self.model, window, start, rng, gradients=False)
            start = self.model.states()
            yield loss
