"""Scores of a test set, each with its interval: right answers to sequences, bits of surprise at the characters of a text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cosim.chip import Hardware
from cosim.network import Network
from cosim.tasks import CharacterTask, SequenceSet, Task
from netlists.checks import is_whole
from netlists.errors import InputError

from .change import Change, accuracy_change
from .classes import ClassFigures
from .evaluator import evaluate, evaluate_text
from .metric import METRICS
from .statistics import AccuracyInterval, BitsInterval, accuracy_interval, bits_interval, chip_interval


def scored(task: Task | CharacterTask, characters: int | None, resampling: np.random.SeedSequence) -> ScoredSequences | ScoredText:
    """A task's test set, of whose text only so many characters."""
    if isinstance(task, CharacterTask):
        return ScoredText(task.test if characters is None else _shortened(task.test, characters), resampling)
    if characters is not None:
        raise InputError(f"characters={characters}: task {task.name!r} has no text; leave it away")
    return ScoredSequences(task.test, task.classes)


def _shortened(text: np.ndarray, characters: int) -> np.ndarray:
    if not is_whole(characters) or not 10 <= characters <= len(text):
        raise InputError(f"characters={characters!r}: must be a whole number, 10..{len(text)}, the length of the test text")
    return text[:characters]


@dataclass(frozen=True, eq=False)
class ScoredSequences:
    """Test sequences: an answer to each is right or wrong."""

    test: SequenceSet
    classes: tuple[str, ...]
    answers: list[np.ndarray] = field(default_factory=list)
    items = "sequences"
    metric = METRICS["accuracy"]

    def judge(self, network: Network, on: Hardware, chips: int, rng: int | None, *, kept: bool = True, **how: Any) -> np.ndarray:
        """Which answers are right, shape (chips, sequences); ``kept`` for `figures`."""
        # Double precision: a code that a rounding error moves would be an answer that another machine does not give.
        found = evaluate(network, self.test, on, chips, rng, dtype=np.float64, **how)
        if kept:
            self.answers.append(found.predictions)
        return found.correct

    def figures(self) -> dict[str, ClassFigures]:
        """Of each judgement so far: floating point, converters as designed, chips."""
        named = zip(("float", "ideal", "chips"), self.answers, strict=True)
        return {name: ClassFigures.of(answers, self.test.labels, self.classes) for name, answers in named}

    def warnings(self) -> tuple[str, ...]:
        """Classes that floating point never names: its accuracy hides them."""
        never = self.figures()["float"].never
        return (f"floating point never answers {', '.join(never)}; look at the balanced accuracy",) if never else ()

    def interval(self, correct: np.ndarray) -> AccuracyInterval:
        """Mean over chips with the interval that the size of the test set alone leaves."""
        return accuracy_interval(round(float(correct.sum(axis=1).mean())), correct.shape[1])

    def change(self, correct: np.ndarray, reference: np.ndarray) -> Change:
        return accuracy_change(correct, reference)

    def blocks(self, correct: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What resampling draws: means over chips, summed over each block, and the items of each; here a block is a sequence."""
        return correct.mean(axis=0, dtype=np.float64), np.ones(correct.shape[1])


@dataclass(frozen=True, eq=False)
class ScoredText:
    """A test text: a network is more or less surprised by each of its characters."""

    test: np.ndarray
    resampling: np.random.SeedSequence
    items = "characters"
    metric = METRICS["bits per character"]

    def judge(self, network: Network, on: Hardware, chips: int, rng: int | None, *, kept: bool = True, **how: Any) -> np.ndarray:
        """Bits of surprise, shape (chips, characters)."""
        return evaluate_text(network, self.test, on, chips, rng, **how).bits

    def figures(self) -> dict[str, ClassFigures]:
        """A text has no classes."""
        return {}

    def warnings(self) -> tuple[str, ...]:
        return ()

    def interval(self, bits: np.ndarray) -> BitsInterval:
        """Mean over chips with the interval that the size of the test set alone leaves."""
        return self._resampled(bits.mean(axis=0, dtype=np.float64))

    def change(self, bits: np.ndarray, reference: np.ndarray) -> Change:
        """The reference is one answer, which every chip is held against, or as many as chips."""
        other = np.atleast_2d(reference)
        i = self._resampled(bits.mean(axis=0, dtype=np.float64) - other.mean(axis=0, dtype=np.float64))
        over = chip_interval(bits.mean(axis=1, dtype=np.float64) - other.mean(axis=1, dtype=np.float64))
        return Change(i.value, i.low, i.high, over)

    def blocks(self, bits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What resampling draws: means over chips, summed over each block, and the items of each."""
        edges = np.arange(0, bits.shape[1], _block(bits.shape[1]))
        return np.add.reduceat(bits.mean(axis=0, dtype=np.float64), edges), np.diff(np.append(edges, bits.shape[1])).astype(float)

    def _resampled(self, bits: np.ndarray) -> BitsInterval:
        # The same blocks are drawn each time.
        return bits_interval(bits, np.random.default_rng(self.resampling), block=_block(len(bits)))


def _block(characters: int) -> int:
    """Characters of a block: 1,000, or a tenth of a short text."""
    return min(1000, max(characters // 10, 1))
