"""Each cell against its textbook equations, written here as loops over one sequence, and against PyTorch where it is there."""

import math

import numpy as np
import pytest

from cosim.chip.hardware import Hardware
from cosim.evaluation.evaluator import evaluate
from cosim.network import Layer, LSTMNetwork, Network
from cosim.network.cells.alrnn import ALRNN
from cosim.network.cells.diagonal import DiagonalGRU, DiagonalLSTM
from cosim.network.cells.gru import GRU
from cosim.network.cells.lstm import LSTM
from cosim.network.cells.registry import CELLS, make_cell
from cosim.network.cells.slstm import SLSTM
from cosim.network.cells.vanilla import Vanilla
from cosim.tasks import SequenceSet
from netlists.errors import InputError

N_IN, N = 3, 5


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def affine(w, parts, first, count):
    """Columns first..first+count of [parts, 1] @ w, number by number."""
    row = [*(float(v) for p in parts for v in p), 1.0][: len(w)]
    return [sum(r * float(w[k][j]) for k, r in enumerate(row)) for j in range(first, first + count)]


def loop_lstm(w, xs, projection=None, gate=sigmoid, candidate=math.tanh, state=math.tanh):
    n = len(w[0]) // 4
    h, c, out = [0.0] * (n if projection is None else len(projection[0])), [0.0] * n, []
    for x in xs:
        i, f, a, o = (affine(w, (x, h), k * n, n) for k in range(4))
        c = [gate(f[j]) * c[j] + gate(i[j]) * candidate(a[j]) for j in range(n)]
        h = [gate(o[j]) * state(c[j]) for j in range(n)]
        if projection is not None:
            h = [sum(h[k] * float(projection[k][j]) for k in range(n)) for j in range(len(projection[0]))]
        out.append(h)
    return out


def loop_vanilla(w, xs, g=math.tanh):
    h, out = [0.0] * len(w[0]), []
    for x in xs:
        h = [g(z) for z in affine(w, (x, h), 0, len(h))]
        out.append(h)
    return out


def loop_gru_after(w, xs, n=N):
    h, out = [0.0] * n, []
    for x in xs:
        r, z, n_x, n_h = (affine(w, (x, h), k * n, n) for k in range(4))
        new = [math.tanh(n_x[j] + sigmoid(r[j]) * n_h[j]) for j in range(n)]
        h = [(1 - sigmoid(z[j])) * new[j] + sigmoid(z[j]) * h[j] for j in range(n)]
        out.append(h)
    return out


def loop_gru_before(w, v, xs, n=N):
    h, out = [0.0] * n, []
    for x in xs:
        r, z = (affine(w, (x, h), k * n, n) for k in range(2))
        new = affine(v, (x, [sigmoid(r[j]) * h[j] for j in range(n)]), 0, n)
        h = [(1 - sigmoid(z[j])) * math.tanh(new[j]) + sigmoid(z[j]) * h[j] for j in range(n)]
        out.append(h)
    return out


def loop_slstm(w, xs, forget, n=N):
    """Without a stabiliser: it cancels in c / n."""
    h, c, norm, out = [0.0] * n, [0.0] * n, [0.0] * n, []
    for x in xs:
        i, f, a, o = (affine(w, (x, h), k * n, n) for k in range(4))
        f = [math.exp(v) if forget == "exponential" else sigmoid(v) for v in f]
        c = [f[j] * c[j] + math.exp(i[j]) * math.tanh(a[j]) for j in range(n)]
        norm = [f[j] * norm[j] + math.exp(i[j]) for j in range(n)]
        h = [sigmoid(o[j]) * c[j] / norm[j] for j in range(n)]
        out.append(h)
    return out


def loop_alrnn(w, a, xs, seen, relu, top):
    h, out = [0.0] * len(w[0]), []
    for x in xs:
        z = [*x, *h[seen:]]
        r = [min(max(v, 0.0), top) if j >= len(z) - relu else v for j, v in enumerate(z)]
        h = [a[j][j] * z[j] + added for j, added in enumerate(affine(w, (r,), 0, len(z)))]
        out.append(h)
    return out


def loops(cell, p, xs):
    if isinstance(cell, ALRNN):
        return loop_alrnn(p["weights"], p["decay"], xs, cell.n_in, cell.n_relu, cell.state_full_scale)
    if isinstance(cell, LSTM):
        return loop_lstm(p["weights"], xs, p.get("projection"))
    if isinstance(cell, Vanilla):
        return loop_vanilla(p["weights"], xs)
    if isinstance(cell, SLSTM):
        return loop_slstm(p["weights"], xs, cell.forget)
    if cell.reset == "after":
        return loop_gru_after(p["weights"], xs)
    return loop_gru_before(p["weights"], p["candidate"], xs)


ALL = [
    LSTM(N_IN, N),
    LSTM(N_IN, N, n_projection=2),
    LSTM(N_IN, N, n_projection=2, projection_full_scale=3.0),
    GRU(N_IN, N),
    GRU(N_IN, N, reset="before"),
    Vanilla(N_IN, N),
    SLSTM(N_IN, N),
    SLSTM(N_IN, N, forget="exponential"),
    DiagonalLSTM(N_IN, N),
    DiagonalGRU(N_IN, N),
    ALRNN(N_IN, N, full_scale=8.0),
]
IDS = [" ".join(str(v) for v in c.describe().values()) for c in ALL]


def parameters(cell, seed=0, scale=0.8):
    rng = np.random.default_rng(seed)
    return {m.name: rng.normal(0, scale, m.shape) * m.connected() for m in cell.matrices}


def sequences(seed=8, n=20, longest=9, n_in=N_IN):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, longest + 1, n)
    return SequenceSet.from_list([rng.normal(0, 1, (k, n_in)) for k in lengths], rng.integers(0, 4, n))


def one_layer(cell, seed=0, backward=False):
    layer = Layer(cell, parameters(cell, seed), parameters(cell, seed + 1) if backward else None)
    return Network((layer,), np.random.default_rng(seed + 2).normal(0, 1, (layer.n_out + 1, 4)))


def read(network, h):
    return np.asarray(h) @ network.readout[:-1] + network.readout[-1]


@pytest.mark.parametrize("cell", ALL, ids=IDS)
def test_a_cell_is_its_equations(cell):
    network, data = one_layer(cell), sequences()
    expected = [
        read(network, loops(cell, network.layers[0].forward, x[:k])[-1]) for x, k in zip(data.inputs, data.lengths, strict=True)
    ]
    np.testing.assert_allclose(network.scores(data), expected, atol=1e-11)
    np.testing.assert_allclose(evaluate(network, data, dtype=np.float64).scores[0], expected, atol=1e-11)
    np.testing.assert_allclose(evaluate(network, data).scores[0], expected, atol=3e-5)


@pytest.mark.parametrize("cell", ALL, ids=IDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fine_ideal_ramps_come_to_floating_point(cell, dtype):
    """Weights are small enough that no pre-activation leaves its ramp."""
    rng = np.random.default_rng(1)
    p = {m.name: rng.normal(0, 0.15, m.shape) * m.connected() for m in cell.matrices}
    network = Network((Layer(cell, p),), rng.normal(0, 0.3, (cell.n_out + 1, 4)))
    data = sequences(longest=5)
    exact = network.scores(data)
    coarse, fine = (evaluate(network, data, Hardware(bits=b), dtype=dtype, engine="numpy").scores[0] for b in (6, 16))
    # A linear ramp of a larger full scale has larger steps.
    largest = max(g.full_scale for m in cell.matrices for g in m.gates)
    assert np.abs(fine - exact).max() < (1e-5 if largest == 1 else 1.5e-5 * largest)
    assert np.abs(fine - exact).max() < np.abs(coarse - exact).max() / 50


@pytest.mark.parametrize("cell", ALL[3:7], ids=IDS[3:7])
def test_a_bidirectional_layer_reads_both_ways(cell):
    network, data = one_layer(cell, backward=True), sequences()
    both = network.layers[0].directions
    expected = [
        read(network, np.concatenate([loops(cell, both[0], x[:k])[-1], loops(cell, both[1], x[:k][::-1])[-1]]))
        for x, k in zip(data.inputs, data.lengths, strict=True)
    ]
    np.testing.assert_allclose(evaluate(network, data, dtype=np.float64).scores[0], expected, atol=1e-11)


@pytest.mark.parametrize("backward", [False, True])
def test_stacked_layers_feed_each_other(backward):
    bottom = LSTM(N_IN, N)
    top = GRU(N * (1 + backward), 4)
    first = Layer(bottom, parameters(bottom), parameters(bottom, 1) if backward else None)
    second = Layer(top, parameters(top, 2), parameters(top, 3) if backward else None)
    network = Network((first, second), np.random.default_rng(4).normal(0, 1, (second.n_out + 1, 4)))
    data = sequences()
    expected = []
    for x, k in zip(data.inputs, data.lengths, strict=True):
        hs = np.array(loops(bottom, first.forward, x[:k]))
        if backward:
            hs = np.hstack([hs, np.array(loops(bottom, first.backward, x[:k][::-1]))[::-1]])
        last = loop_gru_after(second.forward["weights"], hs, n=4)[-1]
        if backward:
            last = last + loop_gru_after(second.backward["weights"], hs[::-1], n=4)[-1]
        expected.append(read(network, last))
    np.testing.assert_allclose(evaluate(network, data, dtype=np.float64).scores[0], expected, atol=1e-11)


def test_any_activation_can_take_a_gates_place():
    cell = LSTM(N_IN, N, gate="softsign", candidate="softplus", state="elu")
    network, data = one_layer(cell), sequences()

    def elu(x):
        return x if x > 0 else math.expm1(x)

    def softsign(x):
        return x / (1 + abs(x))

    w = network.layers[0].forward["weights"]
    options = {"gate": softsign, "candidate": lambda x: math.log1p(math.exp(x)), "state": elu}
    expected = [read(network, loop_lstm(w, x[:k], **options)[-1]) for x, k in zip(data.inputs, data.lengths, strict=True)]
    np.testing.assert_allclose(evaluate(network, data, dtype=np.float64).scores[0], expected, atol=1e-10)


def test_the_stabiliser_keeps_large_gates_finite():
    cell = SLSTM(N_IN, N, forget="exponential")
    p = parameters(cell)
    p["weights"][-1, : 2 * N] = 300.0
    network = Network((Layer(cell, p),), np.ones((N + 1, 4)))
    assert np.all(np.isfinite(evaluate(network, sequences()).scores))


def test_one_layer_of_lstm_is_the_network_of_two_matrices():
    cell = LSTM(N_IN, N)
    network = one_layer(cell)
    two = LSTMNetwork(network.layers[0].forward["weights"], network.readout)
    np.testing.assert_array_equal(two.scores(sequences()), network.scores(sequences()))


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("projection", [None, 2])
def test_pytorch_agrees(kind, projection):
    torch = pytest.importorskip("torch")
    if projection and kind != "LSTM":
        pytest.skip("PyTorch has projections for the LSTM alone")
    torch.manual_seed(1)
    module = getattr(torch.nn, kind)(N_IN, N, batch_first=True, **({"proj_size": projection} if projection else {}))
    w_x, w_h, b_x, b_h = (p.detach().double().numpy() for p in list(module.parameters())[:4])
    blocks = lambda a: np.split(a, len(a) // N)  # noqa: E731
    if kind == "GRU":
        cell = GRU(N_IN, N)
        m = cell.matrices[0]
        w = np.zeros(m.shape)
        for gate, x, h, bx, bh in zip(("r", "z"), blocks(w_x), blocks(w_h), blocks(b_x), blocks(b_h), strict=False):
            w[:, m.columns(gate)] = np.vstack([x.T, h.T, bx + bh])
        w[m.rows("x"), m.columns("n_x")], w[-1, m.columns("n_x")] = blocks(w_x)[2].T, blocks(b_x)[2]
        w[m.rows("h"), m.columns("n_h")], w[-1, m.columns("n_h")] = blocks(w_h)[2].T, blocks(b_h)[2]
    else:
        cell = LSTM(N_IN, N, n_projection=projection) if kind == "LSTM" else Vanilla(N_IN, N)
        w = np.vstack([w_x.T, w_h.T, b_x + b_h])
    p = {"weights": w}
    if projection:
        p["projection"] = list(module.parameters())[4].detach().double().numpy().T
    data = sequences(n=6, longest=6)
    data = SequenceSet(data.inputs, np.full(6, data.inputs.shape[1]), data.labels)
    network = Network((Layer(cell, p),), np.vstack([np.eye(cell.n_out), np.zeros(cell.n_out)]))
    data = SequenceSet(data.inputs, data.lengths, np.zeros(6, int))
    expected = module(torch.tensor(data.inputs, dtype=torch.float32))[0][:, -1].detach().numpy()
    np.testing.assert_allclose(network.scores(data), expected, atol=2e-6)


@pytest.mark.parametrize("cell", ALL, ids=IDS)
def test_a_description_makes_the_same_cell(cell):
    assert make_cell(cell.describe()) == cell
    assert CELLS[cell.kind] is type(cell)


@pytest.mark.parametrize("cell", ALL, ids=IDS)
def test_training_starts_where_weights_can_be(cell):
    start = cell.initial_parameters(np.random.default_rng(1))
    for m in cell.matrices:
        assert start[m.name].shape == m.shape
        assert not np.any(start[m.name][~m.connected()])
    Layer(cell, start)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LSTM(3, 5, gate="sigmold"), "activation='sigmold': unknown"),
        (lambda: LSTM(3, 5, state="sigmold"), "activation='sigmold': unknown"),
        (lambda: LSTM(3, 5, projection_full_scale=2.0), "there is no projection"),
        (lambda: make_cell({"kind": "rnn"}), "cell 'rnn': unknown; allowed are lstm, gru"),
        (lambda: make_cell({"kind": "gru", "n_in": 3, "n_hidden": 5, "colour": 1}), "unknown option 'colour'"),
        (lambda: make_cell({"kind": "gru", "n_in": 3}), "lacks 'n_hidden'"),
    ],
)
def test_bad_cells_are_named(make, message):
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": np.zeros((9, 19))}, r"forward.weights: has shape \(9, 19\), must be \(9, 20\): rows 3 x \+ 5 h \+ 1 bias"),
        ({"weights": np.ones((9, 20))}, r"forward.weights\[0, 15\]=1: must be 0, gru has no weight there"),
        ({"bias": np.zeros((1, 1))}, "forward.bias: unknown; gru has weights"),
    ],
)
def test_bad_parameters_are_named(change, message):
    with pytest.raises(InputError, match=message):
        Layer(GRU(N_IN, N), {"weights": np.zeros((9, 20))} | change)
    with pytest.raises(InputError, match=r"forward.weights: missing"):
        Layer(GRU(N_IN, N), {})
