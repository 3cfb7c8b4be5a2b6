"""The evaluator against an LSTM and a ramp converter written out as loops, and what must not change its answers."""

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from characterization.ramp_model.draw import RampDraw
from cosim.chip.hardware import Hardware
from cosim.evaluation import evaluator
from cosim.network import LSTMNetwork
from cosim.tasks import SequenceSet
from netlists.errors import InputError

N_IN, N_HIDDEN, N_CLASSES = 3, 5, 4


def evaluate(network, sequences, *, dtype=np.float64, rng=None, chips=None, **ramps):
    """In double precision, on ramps given by activation."""
    hardware = Hardware(ramps={"sigmoid": None, "tanh": None} | ramps) if ramps else Hardware()
    return evaluator.evaluate(network, sequences, hardware, chips, rng, dtype=dtype)


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def loop_lstm(network, sequence, g_sigmoid=sigmoid, g_tanh=math.tanh):
    """Class scores of one sequence, number by number, from the LSTM equations."""
    w, n_in, n = network.weights.tolist(), network.n_in, network.n_hidden
    h, c = [0.0] * n, [0.0] * n
    for x in sequence.tolist():
        row = [*x, *h, 1.0]

        def z(column, row=row):
            return sum(value * w[r][column] for r, value in enumerate(row))

        i = [g_sigmoid(z(j)) for j in range(n)]
        f = [g_sigmoid(z(n + j)) for j in range(n)]
        a = [g_tanh(z(2 * n + j)) for j in range(n)]
        o = [g_sigmoid(z(3 * n + j)) for j in range(n)]
        c = [f[j] * c[j] + i[j] * a[j] for j in range(n)]
        h = [o[j] * math.tanh(c[j]) for j in range(n)]
    assert len(w) == n_in + n + 1
    return [sum(v * network.readout[r, k] for r, v in enumerate([*h, 1.0])) for k in range(network.n_classes)]


def loop_scores(network, sequences, **g):
    return np.array([loop_lstm(network, x[:n], **g) for x, n in zip(sequences.inputs, sequences.lengths, strict=True)])


def fine(activation, bits):
    """An ideal ramp of any resolution, from the inverse itself."""
    k = np.arange(1, 2**bits)
    p = k / 2**bits
    x = np.log(p / (1 - p)) if activation == "sigmoid" else np.arctanh(2 * p - 1)
    return RampDraw(activation, bits, x[None], np.zeros((1, 1)), 0.0)


def drawn(activation, bits=4, chips=6, noise=0.05, offset=0.1, seed=1):
    rng = np.random.default_rng(seed)
    ideal = RampDraw.ideal(activation, bits).thresholds
    columns = N_HIDDEN * (3 if activation == "sigmoid" else 1)
    levels = ideal + 0.2 * rng.standard_normal((chips, ideal.shape[1]))
    return RampDraw(activation, bits, levels, offset * rng.standard_normal((chips, columns)), noise)


def test_float_is_the_lstm_equations(network, sequences):
    result = evaluate(network, sequences)
    expected = loop_scores(network, sequences)
    np.testing.assert_allclose(result.scores[0], expected, atol=1e-12)
    np.testing.assert_array_equal(result.predictions[0], expected.argmax(axis=1))
    assert result.accuracy[0] == np.mean(expected.argmax(axis=1) == sequences.labels)


@pytest.mark.parametrize("bits", [1, 3, 5, 8, 12])
def test_ideal_ramps_are_the_lstm_equations_with_rounded_gates(network, sequences, bits):
    def rounded(g, low, high):
        step = (high - low) / 2**bits
        return lambda x: low + (math.ceil((g(x) - low) / step) - 0.5) * step

    ramps = {"sigmoid": fine("sigmoid", bits), "tanh": fine("tanh", bits)}
    expected = loop_scores(network, sequences, g_sigmoid=rounded(sigmoid, 0, 1), g_tanh=rounded(math.tanh, -1, 1))
    np.testing.assert_allclose(evaluate(network, sequences, **ramps).scores[0], expected, atol=1e-12)


def test_ideal_draw_is_the_inverse_of_the_activation(network, sequences):
    for bits in range(1, 9):
        built_in = evaluate(network, sequences, sigmoid=RampDraw.ideal("sigmoid", bits), tanh=RampDraw.ideal("tanh", bits))
        own = evaluate(network, sequences, sigmoid=fine("sigmoid", bits), tanh=fine("tanh", bits))
        np.testing.assert_allclose(built_in.scores, own.scores, atol=1e-12)


def test_fine_ramps_come_to_the_float_lstm(network, sequences):
    expected = loop_scores(network, sequences)
    error = {}
    for bits in (8, 12, 16):
        result = evaluate(network, sequences, sigmoid=fine("sigmoid", bits), tanh=fine("tanh", bits))
        error[bits] = np.abs(result.scores[0] - expected).max()
        # A gate is wrong by up to half a step; nine steps of recurrence and the readout multiply that.
        assert error[bits] < 30 * 2.0**-bits
    assert error[16] < error[12] / 8 < error[8] / 64


def test_one_ramp_alone_leaves_the_other_activation_exact(network, sequences):
    only_tanh = evaluate(network, sequences, tanh=RampDraw.ideal("tanh", 3)).scores
    both = evaluate(network, sequences, sigmoid=fine("sigmoid", 17), tanh=RampDraw.ideal("tanh", 3)).scores
    np.testing.assert_allclose(only_tanh, both, atol=1e-4)


def test_columns_of_the_sigmoid_ramps_are_i_f_o(network, sequences):
    """An offset lowers what its column sees: the same as a smaller bias of that column."""
    n = N_HIDDEN
    rng = np.random.default_rng(3)
    offset = {"sigmoid": rng.normal(0, 1, 3 * n), "tanh": rng.normal(0, 1, n)}
    ramps = {}
    for name, row in offset.items():
        ideal = RampDraw.ideal(name, 5)
        ramps[name] = RampDraw(name, 5, ideal.thresholds, row[None], 0.0)
    weights = network.weights.copy()
    weights[-1] -= np.concatenate([offset["sigmoid"][: 2 * n], offset["tanh"], offset["sigmoid"][2 * n :]])
    biased = LSTMNetwork(weights, network.readout)
    ideal = evaluate(biased, sequences, sigmoid=RampDraw.ideal("sigmoid", 5), tanh=RampDraw.ideal("tanh", 5))
    np.testing.assert_allclose(evaluate(network, sequences, **ramps).scores, ideal.scores, atol=1e-12)


def test_a_chip_depends_on_its_draws_and_the_seed_alone(network, sequences):
    ramps = {"sigmoid": drawn("sigmoid"), "tanh": drawn("tanh", seed=2)}
    every = evaluate(network, sequences, **ramps, rng=np.random.default_rng(4)).scores
    assert len({a.tobytes() for a in every}) == 6
    for chips in ([3], [5, 0, 3], range(4), 4):
        some = evaluate(network, sequences, **ramps, rng=np.random.default_rng(4), chips=chips).scores
        np.testing.assert_array_equal(some, every[list(range(4) if chips == 4 else chips)])
    fewer = {k: RampDraw(r.activation, r.bits, r.thresholds[:2], r.column_offset[:2], r.noise_sigma) for k, r in ramps.items()}
    np.testing.assert_array_equal(evaluate(network, sequences, **fewer, rng=np.random.default_rng(4)).scores, every[:2])


def test_without_noise_chips_may_change_places(network, sequences):
    order = np.array([4, 1, 5, 0, 2, 3])
    draws = [drawn("sigmoid", noise=0.0), drawn("tanh", seed=2, noise=0.0)]
    moved = [RampDraw(r.activation, r.bits, r.thresholds[order], r.column_offset[order], 0.0) for r in draws]
    before = evaluate(network, sequences, sigmoid=draws[0], tanh=draws[1]).scores
    after = evaluate(network, sequences, sigmoid=moved[0], tanh=moved[1]).scores
    np.testing.assert_array_equal(after, before[order])


def test_same_seed_same_answer_and_noise_matters(network, sequences):
    ramps = {"sigmoid": drawn("sigmoid"), "tanh": drawn("tanh", seed=2)}
    runs = [evaluate(network, sequences, **ramps, rng=np.random.default_rng(s)).scores for s in (1, 1, 2)]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert np.any(runs[0] != runs[2])


def test_one_chip_of_either_ramp_serves_all_chips_of_the_other(network, sequences):
    sigmoid_ramps, ideal = drawn("sigmoid", noise=0.0), RampDraw.ideal("tanh", 4)
    repeated = RampDraw("tanh", 4, np.repeat(ideal.thresholds, 6, axis=0), np.zeros((6, N_HIDDEN)), 0.0)
    one = evaluate(network, sequences, sigmoid=sigmoid_ramps, tanh=ideal)
    assert one.accuracy.shape == (6,)
    np.testing.assert_array_equal(one.scores, evaluate(network, sequences, sigmoid=sigmoid_ramps, tanh=repeated).scores)


def test_no_offset_and_no_noise_is_the_ideal_ramp(network, sequences):
    ideal = {name: RampDraw.ideal(name, 4) for name in ("sigmoid", "tanh")}
    still = {
        name: RampDraw(name, 4, np.repeat(r.thresholds, 3, axis=0), np.zeros((3, k * N_HIDDEN)), np.zeros(15))
        for (name, r), k in zip(ideal.items(), (3, 1), strict=True)
    }
    expected = evaluate(network, sequences, **ideal).scores[0]
    for scores in evaluate(network, sequences, **still, rng=np.random.default_rng(1)).scores:
        np.testing.assert_array_equal(scores, expected)


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.sampled_from(["float", "ideal", "noisy"]))
def test_neither_order_nor_company_nor_padding_changes_an_answer(make_sequences, seed, kind):
    """Every code, conversion noise included: a sequence keeps its noise if it keeps its number.

    Scores may differ in the last bit that a BLAS leaves to the place of a column; one other code would be a million times more.
    """
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 150))
    network = LSTMNetwork(rng.normal(0, 0.8, (N_IN + N_HIDDEN + 1, 4 * N_HIDDEN)), rng.normal(0, 1, (N_HIDDEN + 1, N_CLASSES)))
    sequences = make_sequences(seed + 1, n=n)
    hardware = {
        "float": Hardware(),
        "ideal": Hardware(bits=4),
        "noisy": Hardware(ramps={"sigmoid": drawn("sigmoid"), "tanh": drawn("tanh", noise=np.linspace(0.02, 0.1, 15))}),
    }[kind]

    def run(data, numbers, **options):
        options |= {"rng": np.random.default_rng(1), "identities": numbers, "dtype": np.float64}
        return evaluator.evaluate(network, data, hardware, **options).scores

    def same(found, wanted):
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)

    numbers = rng.permutation(10 * n)[:n]
    expected = run(sequences, numbers)
    order = rng.permutation(n)
    same(run(sequences.select(order), numbers[order]), expected[:, order])
    some = order[: n // 2 + 1]
    same(run(sequences.select(some), numbers[some], threads=1), expected[:, some])
    padded = np.full((n, sequences.inputs.shape[1] + 4, N_IN), 1e3)
    padded[:, :-4] = np.where((np.arange(padded.shape[1] - 4) < sequences.lengths[:, None])[..., None], sequences.inputs, -1e3)
    same(run(SequenceSet(padded, sequences.lengths, sequences.labels), numbers), expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sigmoid": RampDraw.ideal("tanh", 4)}, "sigmoid: was given ramps of 'tanh'"),
        ({"tanh": RampDraw.ideal("softsign", 4)}, "tanh: was given ramps of 'softsign'"),
        (
            {"sigmoid": RampDraw("sigmoid", 1, [[0.0]], np.zeros((1, 5)), 0.0), "rng": np.random.default_rng(1)},
            "sigmoid: column_offset has 5 columns, this network has 15",
        ),
        (
            {"tanh": RampDraw("tanh", 1, [[0.0]], np.zeros((1, 15)), 0.0), "rng": np.random.default_rng(1)},
            "tanh: column_offset has 15 columns, this network has 5",
        ),
        ({"sigmoid": drawn("sigmoid", chips=3), "rng": np.random.default_rng(1)}, "sigmoid and tanh: have 3 and 6 chips"),
        ({}, "rng=None: chips are drawn or conversions are noisy"),
        ({"chips": [0, 6], "rng": np.random.default_rng(1)}, "chips: 6 is not among the 6"),
        ({"chips": [-1], "rng": np.random.default_rng(1)}, "chips: -1 is not among"),
        ({"chips": 7, "rng": np.random.default_rng(1)}, "chips: 6 is not among the 6"),
        ({"chips": 0, "rng": np.random.default_rng(1)}, "chips=0: must be"),
        ({"dtype": np.int32, "rng": np.random.default_rng(1)}, "dtype=.*must be numpy.float32 or numpy.float64"),
        ({"chips": [], "rng": np.random.default_rng(1)}, "chips: the list is empty"),
    ],
)
def test_bad_input_is_named(network, sequences, change, message):
    ramps = {"sigmoid": drawn("sigmoid"), "tanh": drawn("tanh")}
    with pytest.raises(InputError, match=message):
        evaluate(network, sequences, **(ramps | change))


def test_sequences_that_do_not_fit_the_network_are_named(network, sequences):
    with pytest.raises(InputError, match="have 2 features, the network takes 3"):
        evaluate(network, SequenceSet(np.zeros((1, 4, 2)), np.array([4]), np.array([0])))
    with pytest.raises(InputError, match="have label 4, the network has 4 classes"):
        evaluate(network, SequenceSet(np.zeros((1, 4, 3)), np.array([4]), np.array([4])))


def test_numbers_that_are_none_are_named(network, sequences):
    for bad in (np.arange(3), np.arange(20.0), np.arange(20) - 1):
        with pytest.raises(InputError, match="identities: have shape"):
            evaluator.evaluate(network, sequences, identities=bad)
