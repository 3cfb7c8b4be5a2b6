"""Bits per character of a text against a run over each prefix, and what must not change them."""

import numpy as np
import pytest

from characterization.ramp_model.draw import RampDraw
from cosim.chip.hardware import Arrays, Hardware
from cosim.evaluation.evaluator import evaluate_text
from cosim.network import Layer, Network
from cosim.network.cells.gru import GRU
from cosim.network.cells.lstm import LSTM
from cosim.tasks import SequenceSet
from netlists.errors import InputError
from netlists.technology.profile import load_profile


def text_network(layers=1, symbols=7):
    rng = np.random.default_rng(2)
    cells = [LSTM(4, 6), GRU(6, 5)][:layers]
    stack = tuple(Layer(c, {m.name: rng.normal(0, 0.8, m.shape) * m.connected() for m in c.matrices}) for c in cells)
    n_out = cells[-1].n_out
    return Network(stack, rng.normal(0, 1, (n_out + 1, symbols)), rng.normal(0, 1, (symbols, 4)))


@pytest.mark.parametrize("layers", [1, 2])
def test_bits_of_a_text_are_those_of_its_prefixes(layers):
    """Each symbol's surprise from a run over everything before it, as a sequence of its own."""
    network = text_network(layers)
    symbols = np.random.default_rng(3).integers(0, 7, 40)
    prefixes = [network.embedding[symbols[: k + 1]] for k in range(39)]
    scores = network.scores(SequenceSet.from_list(prefixes, np.zeros(39, int)))
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    expected = -np.log2(p[np.arange(39), symbols[1:]])
    for streams, warm_up in ((1, 0), (5, 100), (39, 39)):
        result = evaluate_text(network, symbols, streams=streams, warm_up=warm_up, dtype=np.float64)
        np.testing.assert_allclose(result.bits[0], expected, atol=1e-6)
        assert result.bits_per_character[0] == pytest.approx(expected.mean())


def test_pieces_begin_afresh_without_a_warm_up():
    network = text_network()
    symbols = np.random.default_rng(3).integers(0, 7, 41)
    whole = evaluate_text(network, symbols, streams=2, warm_up=0, dtype=np.float64).bits[0]
    halves = [evaluate_text(network, part, streams=1, dtype=np.float64).bits[0] for part in (symbols[:21], symbols[20:])]
    np.testing.assert_allclose(whole, np.concatenate(halves), atol=1e-6)


def test_a_texts_answer_does_not_depend_on_threads_or_company():
    network = text_network(2)
    symbols = np.random.default_rng(3).integers(0, 7, 500)
    ramps = {a: RampDraw(a, 4, RampDraw.ideal(a, 4).thresholds, np.zeros((1, 1)), 0.05) for a in ("sigmoid", "tanh", "identity")}
    hardware = Hardware(ramps=ramps, arrays=Arrays(load_profile("taox-100-400")))
    runs = [
        evaluate_text(network, symbols, hardware, chips, np.random.default_rng(1), streams=150, warm_up=5, threads=threads).bits
        for chips, threads in ((3, 2), (3, 1), ([2], 2))
    ]
    np.testing.assert_array_equal(runs[0], runs[1])
    np.testing.assert_array_equal(runs[0][2:], runs[2])
    assert runs[0].shape == (3, 499)


@pytest.mark.parametrize(
    ("symbols", "options", "message"),
    [
        (np.zeros((2, 2), int), {}, r"symbols: have shape \(2, 2\)"),
        (np.zeros(5), {}, "symbols: have shape .* and type float64"),
        (np.array([1]), {}, "at least 2 whole numbers"),
        (np.array([1, 7]), {}, r"symbols\[1\]=7: the network knows 0..6"),
        (np.array([1, 2]), {"streams": 0}, "streams=0: must be"),
        (np.array([1, 2]), {"warm_up": -1}, "warm_up=-1: must be"),
        (np.array([1, 2]), {"engine": "gpu"}, "engine='gpu': unknown; allowed are numba, numpy"),
        (np.array([1, 2]), {"threads": 0}, "threads=0: must be"),
    ],
)
def test_bad_texts_are_named(symbols, options, message):
    with pytest.raises(InputError, match=message):
        evaluate_text(text_network(), symbols, **options)


def test_networks_that_cannot_read_texts_are_named(network):
    with pytest.raises(InputError, match="has no embedding"):
        evaluate_text(network, np.array([0, 1]))
    cell = LSTM(4, 2)
    weights = {m.name: np.zeros(m.shape) for m in cell.matrices}
    both = Network((Layer(cell, weights, weights),), np.ones((5, 3)), np.ones((3, 4)))
    with pytest.raises(InputError, match="reads backwards"):
        evaluate_text(both, np.array([0, 1]))
