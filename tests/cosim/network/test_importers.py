"""Imported weights against a plain loop of PyTorch's documented equations, and against PyTorch where it is installed."""

import numpy as np
import pytest
from scipy.special import expit

from cosim.network import Layer, LSTMNetwork, Network
from cosim.network.cells.gru import GRU
from cosim.network.cells.lstm import LSTM
from cosim.network.cells.slstm import SLSTM
from cosim.network.cells.vanilla import Vanilla
from cosim.network.importers import from_torch, read_tensors, to_torch, write_safetensors
from cosim.tasks import SequenceSet
from netlists.errors import InputError

N_IN, N, CLASSES, STEPS, BATCH = 3, 4, 5, 6, 7
GATES = {"lstm": 4, "gru": 3, "vanilla": 1}


def tensors(rng, kind, *, layers=1, bidirectional=False, projection=None):
    """A module of nn.LSTM, nn.GRU or nn.RNN named rnn, and a linear layer fc."""
    rows, n_out, n_in, out = GATES[kind] * N, projection or N, N_IN, {}
    for k in range(layers):
        for suffix in ["", "_reverse"][: 1 + bidirectional]:
            shapes = {"weight_ih": (rows, n_in), "weight_hh": (rows, n_out), "bias_ih": (rows,), "bias_hh": (rows,)}
            if projection:
                shapes["weight_hr"] = (projection, N)
            out |= {f"rnn.{name}_l{k}{suffix}": rng.normal(0, 0.6, shape) for name, shape in shapes.items()}
        n_in = n_out * (1 + bidirectional)
    out |= {"fc.weight": rng.normal(0, 1, (CLASSES, n_in)), "fc.bias": rng.normal(0, 1, CLASSES)}
    return {name: a.astype(np.float32) for name, a in out.items()}


def documented(t, kind, x, k, suffix):
    """One direction of a layer, x (steps, sequences, features): the equations of torch.nn.LSTM, GRU and RNN."""
    w_ih, w_hh, b_ih, b_hh = (
        t[f"rnn.{name}_l{k}{suffix}"].astype(float) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    w_hr = t.get(f"rnn.weight_hr_l{k}{suffix}")
    h, c, outputs = np.zeros((x.shape[1], w_hh.shape[1])), np.zeros((x.shape[1], N)), []
    for x_t in x[::-1] if suffix else x:
        a, b = x_t @ w_ih.T + b_ih, h @ w_hh.T + b_hh
        if kind == "vanilla":
            h = np.tanh(a + b)
        elif kind == "lstm":
            i, f, g, o = np.split(a + b, 4, axis=1)
            c = expit(f) * c + expit(i) * np.tanh(g)
            h = expit(o) * np.tanh(c)
            h = h if w_hr is None else h @ w_hr.T
        else:
            (a_r, a_z, a_n), (b_r, b_z, b_n) = np.split(a, 3, axis=1), np.split(b, 3, axis=1)
            z, n = expit(a_z + b_z), np.tanh(a_n + expit(a_r + b_r) * b_n)
            h = (1 - z) * n + z * h
        outputs.append(h)
    return np.array(outputs[::-1] if suffix else outputs), h


def documented_scores(t, kind, x):
    k = 0
    while f"rnn.weight_ih_l{k}" in t:
        suffixes = [s for s in ("", "_reverse") if f"rnn.weight_ih_l{k}{s}" in t]
        runs = [documented(t, kind, x, k, s) for s in suffixes]
        x, last = np.concatenate([r[0] for r in runs], axis=2), np.concatenate([r[1] for r in runs], axis=1)
        k += 1
    return last @ t["fc.weight"].T.astype(float) + t["fc.bias"]


SHAPES = [
    ("lstm", {}),
    ("lstm", {"layers": 2, "bidirectional": True}),
    ("lstm", {"projection": 3}),
    ("lstm", {"projection": 2, "layers": 2, "bidirectional": True}),
    ("gru", {}),
    ("gru", {"layers": 2, "bidirectional": True}),
    ("vanilla", {"layers": 2}),
]


@pytest.mark.parametrize(("kind", "shape"), SHAPES)
def test_scores_are_those_of_the_documented_equations(kind, shape):
    rng = np.random.default_rng(1)
    t, x = tensors(rng, kind, **shape), rng.normal(0, 1, (BATCH, STEPS, N_IN))
    network = from_torch(t, kind, prefix="rnn.", readout="fc.", pooling="h_n")
    data = SequenceSet(x, np.full(BATCH, STEPS), np.zeros(BATCH, int))
    np.testing.assert_allclose(network.scores(data), documented_scores(t, kind, x.transpose(1, 0, 2)), atol=1e-12)


@pytest.mark.parametrize(("kind", "shape"), SHAPES)
def test_scores_are_those_of_pytorch(kind, shape):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(2)
    shape = dict(shape)
    layers, both, projection = shape.get("layers", 1), shape.get("bidirectional", False), shape.get("projection", 0)
    make = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "vanilla": torch.nn.RNN}[kind]
    extra = {"proj_size": projection} if projection else {}
    rnn = make(N_IN, N, layers, bidirectional=both, batch_first=True, **extra).double()
    fc = torch.nn.Linear((projection or N) * (1 + both), CLASSES).double()
    module = torch.nn.ModuleDict({"rnn": rnn, "fc": fc})
    network = from_torch({k: v.numpy() for k, v in module.state_dict().items()}, kind, prefix="rnn.", readout="fc.", pooling="h_n")
    x = rng.normal(0, 1, (BATCH, STEPS, N_IN))
    with torch.no_grad():
        _, state = rnn(torch.from_numpy(x))
        last = (state[0] if kind == "lstm" else state)[-(1 + both) :]
        expected = fc(torch.cat(list(last), dim=1)).numpy()
    data = SequenceSet(x, np.full(BATCH, STEPS), np.zeros(BATCH, int))
    np.testing.assert_allclose(network.scores(data), expected, atol=1e-10)
    module.load_state_dict({k: torch.from_numpy(v) for k, v in to_torch(network).items()})
    with torch.no_grad():
        _, state = rnn(torch.from_numpy(x))
        last = (state[0] if kind == "lstm" else state)[-(1 + both) :]
        np.testing.assert_allclose(fc(torch.cat(list(last), dim=1)).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize(("kind", "shape"), SHAPES)
def test_exported_and_imported_again_nothing_changes(kind, shape, tmp_path):
    pytest.importorskip("safetensors")
    t = tensors(np.random.default_rng(3), kind, **shape)
    network = from_torch(t, kind, prefix="rnn.", readout="fc.", pooling="h_n")
    path = write_safetensors(to_torch(network), tmp_path / "w.safetensors")
    again = from_torch(read_tensors(path), kind, prefix="rnn.", readout="fc.", pooling="h_n")
    for (name, a), b in zip(network.arrays().items(), again.arrays().values(), strict=True):
        if a.dtype.kind == "f":
            np.testing.assert_allclose(b, a, rtol=1e-6, atol=1e-7, err_msg=name)


def test_a_plain_lstm_becomes_an_lstm_network_and_an_embedding_is_kept():
    rng = np.random.default_rng(4)
    t = tensors(rng, "lstm")
    assert isinstance(from_torch(t, "lstm", prefix="rnn.", readout="fc."), LSTMNetwork)
    t["emb.weight"] = rng.normal(0, 1, (CLASSES, N_IN))
    network = from_torch(t, "lstm", prefix="rnn.", readout="fc.", embedding="emb.")
    np.testing.assert_array_equal(network.embedding, t["emb.weight"])
    np.testing.assert_allclose(to_torch(network)["embedding.weight"], t["emb.weight"], rtol=1e-6)


def test_layers_without_biases():
    t = tensors(np.random.default_rng(5), "gru")
    bare = {k: v for k, v in t.items() if "bias" not in k}
    zero = {k: np.zeros_like(v) if "bias" in k else v for k, v in t.items()}
    networks = [from_torch(d, "gru", prefix="rnn.", readout="fc.") for d in (bare, zero)]
    np.testing.assert_array_equal(networks[0].layers[0].forward["weights"], networks[1].layers[0].forward["weights"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rnn.weight_hh_l0": None}, r"rnn\.weight_hh_l0: missing; the tensors are fc\.bias"),
        ({"rnn.weight_hh_l0": np.zeros((16, 3))}, r"rnn\.weight_hh_l0: has shape \(16, 3\), must be \(16, 4\)"),
        ({"rnn.weight_ih_l0": np.zeros((15, 3))}, r"rnn\.weight_ih_l0: has 15 rows, must be 4 for each hidden unit"),
        ({"fc.bias": np.zeros(4)}, r"fc\.bias: has shape \(4,\), must be \(5\)"),
        ({"other.weight": np.zeros(4)}, r"other\.weight: left over"),
    ],
)
def test_tensors_that_do_not_fit_are_named(change, message):
    t = {k: v for k, v in (tensors(np.random.default_rng(6), "lstm") | change).items() if v is not None}
    with pytest.raises(InputError, match=message):
        from_torch(t, "lstm", prefix="rnn.", readout="fc.")


def test_unknown_kinds_and_cells_without_a_pytorch_layer_are_named():
    with pytest.raises(InputError, match="kind='lru': unknown; allowed are lstm, gru, vanilla"):
        from_torch({}, "lru")
    for cell in (SLSTM(2, 3), GRU(2, 3, reset="before"), Vanilla(2, 3, "relu"), LSTM(2, 3, candidate="softsign")):
        weights = {m.name: np.zeros(m.shape) for m in cell.matrices}
        with pytest.raises(InputError, match="PyTorch has no such layer"):
            to_torch(Network((Layer(cell, weights),), np.zeros((4, 2))))


def test_files_that_are_no_weights_are_named(tmp_path):
    pytest.importorskip("safetensors")
    with pytest.raises(InputError, match=r"w\.txt: ends in '\.txt'; weights are read from"):
        read_tensors(tmp_path / "w.txt")
    with pytest.raises(InputError, match=r"w\.safetensors: there is no such file"):
        read_tensors(tmp_path / "w.safetensors")
    (tmp_path / "w.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match=r"w\.safetensors: is not a safetensors file"):
        read_tensors(tmp_path / "w.safetensors")
    with pytest.raises(InputError, match=r"w\.bin: tensors are written as \.safetensors"):
        write_safetensors({}, tmp_path / "w.bin")
