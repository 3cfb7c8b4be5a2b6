"""Makes the files of this folder: small models of other frameworks with inputs and their own outputs.

Run by hand with torch, keras (on jax), flax, jax, onnx and safetensors installed; ``provenance.json`` says with which versions.
"""

import json
import os
from importlib.metadata import version
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"
import flax.linen as linen
import flax.serialization
import jax
import keras
import numpy as np
import onnx
import torch
from flax import nnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from safetensors.torch import save_file
from torch import nn

HERE = Path(__file__).parent
X = np.random.default_rng(1).normal(0, 1, (5, 7, 3)).astype(np.float32)
outputs = {"inputs": X}


class Net(nn.Module):
    def __init__(self, rnn, head, read):
        super().__init__()
        self.rnn, self.head, self.read = rnn, head, read

    def forward(self, x):
        out, state = self.rnn(x)
        return self.head(self.read(out, state[0] if isinstance(state, tuple) else state))


def last(out, h):
    return out[:, -1]


def mean(out, h):
    return out.mean(1)


def largest(out, h):
    return out.max(1).values


def ends(out, h):
    return torch.cat([h[-2], h[-1]], 1)


def top(out, h):
    return h[-1]


def torch_models():
    torch.manual_seed(1)
    two = {"bidirectional": True, "batch_first": True}
    models = {
        "lstm_last": Net(nn.LSTM(3, 4, 2, batch_first=True), nn.Linear(4, 3), last),
        "bilstm_h_n": Net(nn.LSTM(3, 4, **two), nn.Linear(8, 3), ends),
        "bilstm_last": Net(nn.LSTM(3, 4, **two), nn.Linear(8, 3), last),
        "bilstm_mean_projection": Net(nn.LSTM(3, 4, proj_size=2, **two), nn.Linear(4, 3), mean),
        "bigru_max": Net(nn.GRU(3, 4, 2, **two), nn.Linear(8, 3), largest),
        "rnn_relu_hidden": Net(
            nn.RNN(3, 4, nonlinearity="relu", batch_first=True), nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)), top
        ),
        "rnn_tanh_no_bias_one_score": Net(nn.RNN(3, 4, bias=False, batch_first=True), nn.Linear(4, 1, bias=False), last),
    }
    for name, model in models.items():
        torch.save(model.state_dict(), HERE / f"{name}.pt")
        outputs[name] = model(torch.tensor(X)).detach().numpy()
    kept = models["bigru_max"]
    adam = torch.optim.Adam(kept.parameters())
    kept(torch.tensor(X)).sum().backward()
    adam.step()
    outputs["checkpoint"] = kept(torch.tensor(X)).detach().numpy()
    lightning = {"epoch": 3, "state_dict": {f"model.{k}": v for k, v in kept.state_dict().items()}}
    lightning |= {
        "optimizer_states": [adam.state_dict()],
        "hyper_parameters": torch.nn.Module(),
        "pytorch-lightning_version": "2.5",
    }
    torch.save(lightning, HERE / "checkpoint.ckpt")
    half = models["lstm_last"].to(torch.bfloat16)
    save_file(half.state_dict(), HERE / "bfloat16.safetensors")
    outputs["bfloat16"] = models["lstm_last"].to(torch.float32)(torch.tensor(X)).detach().numpy()
    # ONNX's own reference evaluator is the oracle of the graphs.
    arrays = {k: v.detach().numpy() for k, v in models["bilstm_last"].state_dict().items()}
    onnx_graph("onnx_bilstm", "LSTM", arrays, (0, 3, 1, 2))
    arrays = {k: v.detach().numpy() for k, v in Net(nn.GRU(3, 4, **two), nn.Linear(8, 3), last).state_dict().items()}
    onnx_graph("onnx_bigru", "GRU", arrays, (1, 0, 2), linear_before_reset=1)


def onnx_graph(name, kind, arrays, order, **attributes):
    def block(a):
        return np.concatenate([np.split(a, len(order))[i] for i in order])

    suffixes = ("", "_reverse")
    w = np.stack([block(arrays[f"rnn.weight_ih_l0{s}"]) for s in suffixes])
    r = np.stack([block(arrays[f"rnn.weight_hh_l0{s}"]) for s in suffixes])
    b = np.stack([np.concatenate([block(arrays[f"rnn.bias_{x}_l0{s}"]) for x in ("ih", "hh")]) for s in suffixes])
    constants = {"W": w, "R": r, "B": b, "M": arrays["head.weight"], "m": arrays["head.bias"]}
    constants |= {"shape": np.array([0, 0, -1]), "end": np.array(-1)}
    nodes = [
        helper.make_node("Transpose", ["x"], ["steps"], perm=[1, 0, 2]),
        helper.make_node(kind, ["steps", "W", "R", "B"], ["y", "", ""][:1], direction="bidirectional", hidden_size=4, **attributes),
        helper.make_node("Transpose", ["y"], ["joined"], perm=[0, 2, 1, 3]),
        helper.make_node("Reshape", ["joined", "shape"], ["out"]),
        helper.make_node("Gather", ["out", "end"], ["read"], axis=0),
        helper.make_node("Gemm", ["read", "M", "m"], ["scores"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 7, 3])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 3])],
        [numpy_helper.from_array(a.astype(np.float32) if a.dtype.kind == "f" else a, n) for n, a in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    onnx.save(model, HERE / f"{name}.onnx")
    outputs[name] = ReferenceEvaluator(model).run(None, {"x": X})[0]


def keras_models():
    keras.utils.set_random_seed(1)
    k = keras.layers
    scale = k.Normalization(mean=[0.1, 0.2, 0.3], variance=[1.0, 2.0, 0.5])
    stacks = {
        "keras_bilstm_gru": [scale, k.Bidirectional(k.LSTM(4, return_sequences=True)), k.GRU(5), k.Dense(6, activation="relu")],
        "keras_gru_before_mean": [k.GRU(4, reset_after=False, return_sequences=True), k.GlobalAveragePooling1D()],
        "keras_bigru_max": [k.Bidirectional(k.GRU(4, return_sequences=True)), k.GlobalMaxPooling1D(), k.Dropout(0.5)],
        "keras_rnn_relu": [k.Rescaling(0.5, offset=0.1), k.SimpleRNN(4, activation="relu"), k.Dense(5), k.Activation("tanh")],
    }
    for name, stack in stacks.items():
        model = keras.Sequential([keras.Input((7, 3)), *stack, k.Dense(3, activation="softmax" if "max" in name else None)])
        # Zero biases would hide an order of biases.
        model.set_weights([w + 0.1 * np.random.default_rng(i).normal(0, 1, w.shape) for i, w in enumerate(model.get_weights())])
        model.save(HERE / f"{name}.keras")
        outputs[name] = np.asarray(model(X))
        if name == "keras_bigru_max":
            model.save_weights(HERE / f"{name}.weights.h5")
            model.save(HERE / f"{name}.h5")


def flax_models():
    class Classifier(linen.Module):
        cell: object

        @linen.compact
        def __call__(self, x):
            return linen.Dense(3)(linen.RNN(self.cell)(x)[:, -1])

    cells = {"lstm": linen.OptimizedLSTMCell(4), "gru": linen.GRUCell(4), "rnn": linen.SimpleCell(4)}
    for name, cell in cells.items():
        model = Classifier(cell)
        tree = model.init(jax.random.key(1), X)
        leaves, shape = jax.tree.flatten(tree)
        rng = np.random.default_rng(2)
        tree = jax.tree.unflatten(shape, [a + 0.1 * rng.normal(0, 1, a.shape).astype(np.float32) for a in leaves])
        (HERE / f"flax_{name}.msgpack").write_bytes(flax.serialization.to_bytes(tree))
        outputs[f"flax_{name}"] = np.asarray(model.apply(tree, X))

    class Modern(nnx.Module):
        def __init__(self, rngs):
            self.rnn = nnx.RNN(nnx.GRUCell(3, 4, rngs=rngs))
            self.head = nnx.Linear(4, 3, rngs=rngs)

        def __call__(self, x):
            return self.head(self.rnn(x)[:, -1])

    model = Modern(nnx.Rngs(1))
    flat = nnx.to_flat_state(nnx.state(model, nnx.Param))
    np.savez(HERE / "flax_nnx_gru.npz", **{".".join(map(str, path)): np.asarray(v.get_value()) for path, v in flat})
    outputs["flax_nnx_gru"] = np.asarray(model(X))


if __name__ == "__main__":
    torch_models()
    keras_models()
    flax_models()
    np.savez(HERE / "outputs.npz", **outputs)
    packages = ("torch", "keras", "jax", "flax", "onnx", "safetensors", "numpy")
    text = {"made by": "make.py", "versions": {p: version(p) for p in packages}}
    (HERE / "provenance.json").write_text(json.dumps(text, indent=1) + "\n")
