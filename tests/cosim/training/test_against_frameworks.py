"""Gradients of whole networks against automatic differentiation in JAX and PyTorch, in double precision."""

import numpy as np
import pytest

from cosim.network import Layer, Network
from cosim.network.cells.gru import GRU
from cosim.network.cells.lstm import LSTM
from cosim.network.cells.slstm import SLSTM
from cosim.network.cells.vanilla import Vanilla
from cosim.training.language import Streams, loss_and_gradients
from cosim.training.model import Model

SYMBOLS, N_IN, N, P = 9, 4, 6, 3


def network(cells):
    rng = np.random.default_rng(1)
    layers = [Layer(c, {m.name: rng.normal(0, 0.5, m.shape) * m.connected() for m in c.matrices}) for c in cells]
    return Network(tuple(layers), rng.normal(0, 0.5, (layers[-1].n_out + 1, SYMBOLS)), rng.normal(0, 1, (SYMBOLS, N_IN)))


def ours(net):
    model = Model(net, np.float64)
    (window,) = Streams.of(np.random.default_rng(2).integers(0, SYMBOLS, 5 * 7 + 1), 5).windows(7)
    loss, gradients = loss_and_gradients(model, window, None)
    symbols, following = (a.reshape(7, 5) for a in (window.symbols, window.following))
    return loss.mean, gradients, symbols, following


CELLS = {
    "lstm": [LSTM(N_IN, N)],
    "projection": [LSTM(N_IN, N, n_projection=P), LSTM(P, N, n_projection=P)],
    "gru": [GRU(N_IN, N), GRU(N, N)],
    "vanilla": [Vanilla(N_IN, N)],
    "slstm": [SLSTM(N_IN, N)],
}


@pytest.mark.parametrize("cells", CELLS.values(), ids=CELLS)
def test_jax(cells):
    jax = pytest.importorskip("jax")
    jnp = jax.numpy
    net = network(cells)
    sigmoid = jax.nn.sigmoid

    def step(cell, p, x, s):
        z = jnp.concatenate([x, s["h"], jnp.ones((len(x), 1))], axis=1) @ p["weights"]
        if cell.kind == "vanilla":
            return {"h": jnp.tanh(z)}
        a, b, c, d = jnp.split(z, 4, axis=1)
        if cell.kind == "lstm":
            memory = sigmoid(b) * s["c"] + sigmoid(a) * jnp.tanh(c)
            h = sigmoid(d) * jnp.tanh(memory)
            return {"h": h @ p["projection"] if "projection" in p else h, "c": memory}
        if cell.kind == "gru":
            # Columns r, z, and the parts of the candidate before and behind the reset gate.
            n = jnp.tanh(c + sigmoid(a) * d)
            return {"h": (1 - sigmoid(b)) * n + sigmoid(b) * s["h"]}
        # sLSTM without its stabiliser, which cancels.
        i, f = jnp.exp(a), sigmoid(b)
        memory, total = f * s["c"] + i * jnp.tanh(c), f * s["n"] + i
        return {"h": sigmoid(d) * memory / total, "c": memory, "n": total}

    def loss(p):
        states = [{k: jnp.zeros((5, n)) for k, n in c.state_sizes.items()} for c in cells]
        total = 0.0
        for now, then in zip(symbols, following, strict=True):
            x = p["embedding"][now]
            for i, cell in enumerate(cells):
                states[i] = step(cell, {m.name: p[f"layers.{i}.forward.{m.name}"] for m in cell.matrices}, x, states[i])
                x = states[i]["h"]
            log_p = jax.nn.log_softmax(x @ p["readout"][:-1] + p["readout"][-1])
            total -= log_p[jnp.arange(5), then].sum()
        return total / symbols.size

    value, gradients, symbols, following = ours(net)
    with jax.enable_x64(True):
        parameters = {k: jnp.asarray(v) for k, v in Model(net, np.float64).parameters.items()}
        expected_value, expected = jax.value_and_grad(loss)(parameters)
        expected = {k: np.array(v) for k, v in expected.items()}
    assert value == pytest.approx(float(expected_value), rel=1e-12)
    for i, cell in enumerate(cells):
        for m in cell.matrices:
            expected[f"layers.{i}.forward.{m.name}"] *= m.connected()
    assert set(gradients) == set(expected)
    for name, g in gradients.items():
        np.testing.assert_allclose(g, expected[name], atol=1e-12, rtol=1e-9, err_msg=name)


@pytest.mark.parametrize("kind", ["lstm", "projection", "gru", "vanilla"])
def test_pytorch(kind):
    torch = pytest.importorskip("torch")
    from cosim.network.importers import from_torch

    net = network(CELLS[kind])
    make = {"lstm": torch.nn.LSTM, "projection": torch.nn.LSTM, "gru": torch.nn.GRU, "vanilla": torch.nn.RNN}[kind]
    extra = {"proj_size": P} if kind == "projection" else {}
    parts = {
        "embedding": torch.nn.Embedding(SYMBOLS, N_IN),
        "rnn": make(N_IN, N, len(net.layers), **extra),
        "fc": torch.nn.Linear(net.layers[-1].n_out, SYMBOLS),
    }
    module = torch.nn.ModuleDict(parts).double()
    state = {k: v.numpy() for k, v in module.state_dict().items()}
    cell = "lstm" if kind == "projection" else kind
    value, gradients, symbols, following = ours(from_torch(state, cell, prefix="rnn.", readout="fc.", embedding="embedding."))
    outputs, _ = parts["rnn"](parts["embedding"](torch.from_numpy(symbols)))
    loss = torch.nn.functional.cross_entropy(parts["fc"](outputs).reshape(-1, SYMBOLS), torch.from_numpy(following).reshape(-1))
    loss.backward()
    assert value == pytest.approx(loss.item(), rel=1e-12)
    found = {name: p.grad.numpy() for name, p in module.named_parameters()}
    np.testing.assert_allclose(gradients["embedding"], found["embedding.weight"], atol=1e-12)
    np.testing.assert_allclose(gradients["readout"][:-1], found["fc.weight"].T, atol=1e-12)
    for i, layer in enumerate(net.layers):
        g, n_in = gradients[f"layers.{i}.forward.weights"], layer.cell.n_in
        columns = slice(None, 3 * N) if kind == "gru" else slice(None)
        np.testing.assert_allclose(g[:n_in, columns], found[f"rnn.weight_ih_l{i}"].T, atol=1e-12)
        np.testing.assert_allclose(g[-1, columns], found[f"rnn.bias_ih_l{i}"], atol=1e-12)
        w_hh = np.hstack([g[n_in:-1, : 2 * N], g[n_in:-1, 3 * N :]]) if kind == "gru" else g[n_in:-1]
        np.testing.assert_allclose(w_hh, found[f"rnn.weight_hh_l{i}"].T, atol=1e-12)
        if kind == "projection":
            np.testing.assert_allclose(gradients[f"layers.{i}.forward.projection"], found[f"rnn.weight_hr_l{i}"].T, atol=1e-12)
