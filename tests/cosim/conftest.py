"""A small LSTM and sequences for it."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from cosim.network import LSTMNetwork
from cosim.report import study
from cosim.tasks import SequenceSet

N_IN, N_HIDDEN, N_CLASSES = 3, 5, 4


@pytest.fixture(scope="module", autouse=True)
def _batches_here(module_batches_here):
    """Studies and commands need no worker processes of their own."""


@pytest.fixture
def no_pictures(monkeypatch):
    """A study without pictures and page: drawing takes most of its time."""
    for name in ("save_pictures", "write_report"):
        monkeypatch.setattr(study, name, lambda *_: None)


@pytest.fixture(scope="session", autouse=True)
def _arranged_once():
    """A figure's second file keeps the arrangement of its first: to find it again is a third of the time that drawing takes."""
    draw = Figure.savefig

    def savefig(figure, *arguments, **options):
        draw(figure, *arguments, **options)
        figure.set_layout_engine("none")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", savefig)
        yield


@pytest.fixture(scope="module")
def network():
    rng = np.random.default_rng(7)
    weights = rng.normal(0, 0.8, (N_IN + N_HIDDEN + 1, 4 * N_HIDDEN))
    return LSTMNetwork(weights, rng.normal(0, 1, (N_HIDDEN + 1, N_CLASSES)))


def random_sequences(seed=8, n=20, longest=9):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, longest + 1, n)
    return SequenceSet.from_list([rng.normal(0, 1, (k, N_IN)) for k in lengths], rng.integers(0, N_CLASSES, n))


@pytest.fixture(scope="session")
def make_sequences():
    return random_sequences


@pytest.fixture(scope="module")
def sequences():
    return random_sequences()
