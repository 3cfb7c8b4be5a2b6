"""What is trained: labelled sequences, a text, or real speech with the network that others trained for it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from characterization.streams import part_sequences
from cosim.evaluation import ScoredSequences, ScoredText, scored
from cosim.network import Network
from cosim.tasks import CharacterTask, Task, load_data
from cosim.training import HardwareAware, TrainingSettings, train_task

from ..kws_real import tuned_network
from .settings import SPEECH, LearnedRampsSettings

PUBLISHED = "kws-real"


@dataclass(frozen=True, eq=False)
class Subject:
    """A task, how its test set is scored, and how a network for it is trained.

    Attributes
    ----------
    exact, tuning : TrainingSettings
        In floating point, and on ramps from there.
    start : Network or None
        What the training in floating point starts from; None: random weights.
    """

    task: Task | CharacterTask
    score: ScoredSequences | ScoredText
    exact: TrainingSettings
    tuning: TrainingSettings
    start: Network | None = None

    @classmethod
    def of(cls, name: str, s: LearnedRampsSettings) -> Subject:
        """The subject of a name among the settings' tasks.

        Raises
        ------
        InputError, ToolkitError
            An unknown task, or data that is not here; the message says how to get it.
        """
        task: Task | CharacterTask
        start = None
        if name == PUBLISHED:
            task, start = tuned_network(SPEECH.model_copy(update={"data": s.data, "networks": s.networks}))
        else:
            task = load_data(name)
        if isinstance(task, CharacterTask):
            task = task.shortened(s.train_characters, s.validation_characters, s.test_characters)
            exact = TrainingSettings(n_hidden=s.text_hidden, batch=s.text_batch, epochs=s.text_epochs, learning_rate=s.text_rate)
            tuning = replace(exact, epochs=s.text_tuning_epochs, learning_rate=s.tuning_rate)
        elif start is not None:
            exact = tuning = TrainingSettings(epochs=s.speech_epochs, batch=s.speech_batch, learning_rate=s.speech_rate)
        else:
            exact = TrainingSettings(n_hidden=s.n_hidden, epochs=s.epochs)
            tuning = replace(exact, epochs=s.tuning_epochs, learning_rate=s.tuning_rate)
        return cls(task, scored(task, None, part_sequences(s.seed, 4)[3]), exact, tuning, start)

    def trained(self, seed: int) -> Network:
        """The network in floating point."""
        return train_task(self.task, seed=seed, settings=self.exact, start=self.start)

    def tuned(self, seed: int, start: Network, on: HardwareAware) -> Network:
        """A network trained on ramps, from one that has them."""
        return train_task(self.task, seed=seed, settings=self.tuning, start=start, hardware_aware=on)

    @property
    def sizes(self) -> dict[str, int]:
        """How much trains and how much tests: sequences, or characters."""
        train = self.task.train if isinstance(self.task, CharacterTask) else self.task.training
        return {"trained_on": len(train), "tested_on": len(self.task.test)}
