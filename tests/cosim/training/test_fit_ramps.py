"""Ramps fitted to what a network's gates see, of sequences and of a text."""

import numpy as np
import pytest

from cosim.chip import Hardware
from cosim.network import LSTMNetwork, Network
from cosim.tasks import CharacterTask, Provenance, load_task
from cosim.training import HardwareAware, TrainingSettings, fit_ramps, gate_inputs, initial_network, train_task
from netlists.errors import InputError
from netlists.function import Staircase, fit_staircase

UNITS, STREAMS, STEPS = 3, 4, 64


@pytest.fixture(scope="module")
def text():
    rng = np.random.default_rng(1)
    source = Provenance(source="random", version="1", licence="none", sha256={}, items={}, synthetic=True)
    return CharacterTask("random", "abcde", *(rng.integers(5, size=n) for n in (1200, 200, 200)), provenance=source)


@pytest.fixture(scope="module", params=[2, 8], ids=["rows", "table"])
def network(request, text):
    """With fewer numbers than characters, and with more: training then folds the embedding into a table."""
    settings = TrainingSettings(n_hidden=UNITS, n_embedding=request.param)
    return initial_network(settings, request.param, 5, np.random.default_rng(2), symbols=5)


def textbook(network: Network, text: np.ndarray) -> dict[str, np.ndarray]:
    """Pre-activations of an LSTM at each step of each stream, after as many steps: gates in the order of the columns."""
    cell, w = network.layers[0].cell, network.layers[0].forward["weights"]
    length = (len(text) - 1) // STREAMS
    streams = text[: STREAMS * length].reshape(STREAMS, length)
    h = c = np.zeros((STREAMS, UNITS))
    seen: dict[str, list[np.ndarray]] = {g.name: [] for g in cell.matrix("weights").gates}
    for t in range(2 * STEPS):
        z = np.hstack([network.embedding[streams[:, t]], h, np.ones((STREAMS, 1))]) @ w
        of = {name: z[:, cell.matrix("weights").columns(name)] for name in seen}
        s = {name: 1 / (1 + np.exp(-of[name])) for name in "ifo"}
        c = s["f"] * c + s["i"] * np.tanh(of["a"])
        h = s["o"] * np.tanh(c)
        if t >= STEPS:
            for name, x in of.items():
                seen[name].append(x)
    return {name: np.concatenate(x) for name, x in seen.items()}


def test_gates_of_a_text_see_what_an_lstm_computes(network, text):
    found = gate_inputs(network, text, sequences=STREAMS)
    wanted = textbook(network, text.train)
    assert set(found) == {f"0.0.weights.{name}" for name in wanted}
    for name, x in wanted.items():
        np.testing.assert_allclose(found[f"0.0.weights.{name}"], x, atol=1e-9)


def test_a_ramp_of_a_text_is_fitted_to_its_gate(network, text):
    fitted = fit_ramps(network, text, 3, fit="quantile", sequences=STREAMS)
    seen = gate_inputs(network, text, sequences=STREAMS)["0.0.weights.f"]
    assert fitted.ramps["0.0.weights.f"] == fit_staircase(seen, "sigmoid", 3, fit="quantile")
    assert fitted.embedding is not None


def test_what_a_network_does_not_read_is_refused(network, text):
    with pytest.raises(InputError, match="network: reads symbols"):
        fit_ramps(network, load_task("vowels"), 3)
    plain = LSTMNetwork(np.zeros((6, 4 * 3)), np.zeros((4, 3)))
    with pytest.raises(InputError, match="network: has no embedding"):
        fit_ramps(plain, text, 3)


def test_learned_levels_stay_within_their_function(text):
    """A forget gate that learns a level above 1 lets the state, which a text carries on, grow without end."""
    settings = TrainingSettings(n_hidden=UNITS, n_embedding=2, epochs=1, batch=4)
    start = fit_ramps(train_task(text, seed=1, settings=settings), text, 2, fit="uniform")
    high = start.with_ramps({n: Staircase(r.thresholds, tuple(v + 0.4 for v in r.values)) for n, r in start.ramps.items()})
    on = HardwareAware(Hardware(bits=2))
    learned = train_task(text, seed=1, settings=settings, start=high, hardware_aware=on)
    for name, ramp in learned.ramps.items():
        lowest = -1.0 if name.endswith(".a") else 0.0
        assert lowest <= min(ramp.values) <= max(ramp.values) <= 1.0
        assert max(high.ramps[name].values) > 1.0
