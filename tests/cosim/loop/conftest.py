"""A tiny network, its task, and simulators that stand in for ngspice."""

import numpy as np
import pytest

from cosim.loop.chip import make_chip
from cosim.loop.run import choose_sequences
from cosim.loop.settings import LoopSettings
from cosim.loop.simulators import Answer, Failure, ModelSimulator
from cosim.network import LSTMNetwork, NetworkMetadata
from cosim.tasks import SequenceSet
from cosim.tasks.provenance import Provenance
from cosim.tasks.task import Task

N_IN, N_HIDDEN, N_CLASSES = 2, 3, 3


def sequences(seed, n=6):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(4, 6, n)
    return SequenceSet.from_list([rng.normal(0, 1, (k, N_IN)) for k in lengths], rng.integers(0, N_CLASSES, n))


@pytest.fixture(scope="session")
def network():
    rng = np.random.default_rng(11)
    weights = rng.normal(0, 0.9, (N_IN + N_HIDDEN + 1, 4 * N_HIDDEN))
    return LSTMNetwork(weights, rng.normal(0, 1, (N_HIDDEN + 1, N_CLASSES)), metadata=NetworkMetadata(task="tiny"))


@pytest.fixture(scope="session")
def task():
    provenance = Provenance(source="random numbers", version="1", licence="none", sha256={}, items={"test": 6}, synthetic=True)
    return Task("tiny", sequences(1), sequences(2), ("a", "b", "c"), "accuracy", provenance)


def settings(**changes):
    return LoopSettings(**({"task": "tiny", "bits": 3, "utterances": 2} | changes))


@pytest.fixture(scope="session")
def make():
    return settings


@pytest.fixture(scope="session")
def chip(network):
    return make_chip(network, settings())


@pytest.fixture(scope="session")
def some(task):
    return choose_sequences(task.test, settings())


class Nudged(ModelSimulator):
    """The model, but for chosen places {(step, row, sequence): change of the code}; a change of None is a failure.

    A change that would leave the range of the codes goes the other way.
    """

    def __init__(self, chip, places, stop_at=None):
        super().__init__(chip)
        self.places, self.stop_at, self.asked = places, stop_at, []

    def answer(self, step):
        if step.number == self.stop_at:
            raise KeyboardInterrupt
        self.asked.append(step.number)
        codes, failures = super().answer(step).codes, []
        for (number, row, sequence), change in self.places.items():
            if number == step.number:
                if change is None:
                    codes[row, sequence] = -1
                    failures.append(Failure(row, sequence, "timestep too small"))
                else:
                    near = codes[row, sequence] + change
                    codes[row, sequence] = near if 0 <= near < 8 else codes[row, sequence] - change
        return Answer(codes, failures, 0, 0.5, 0.25)


@pytest.fixture(scope="session")
def nudged():
    return Nudged
