"""LSTM, GRU and RNN nodes of ONNX graphs (extra ``import``).

ONNX (operators LSTM, GRU and RNN, opset 22) has ``W`` (directions, gates * hidden, inputs), ``R`` (directions, gates * hidden,
hidden) and ``B`` (directions, 2 * gates * hidden), beside the input's product first, then beside the state's. Gates of an LSTM
are i, o, f, c, where c is our candidate a; of a GRU z, r, h, whose reset gate is behind the state's product where
``linear_before_reset`` is set.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from netlists.errors import InputError, ToolkitError

from .numbers import finite
from .stored import Direction, Stored, StoredDense, StoredLayer, chained, dense_chain

KINDS = {"LSTM": ("lstm", (0, 2, 3, 1)), "GRU": ("gru", (1, 0, 2)), "RNN": ("rnn", (0,))}
"""Kind and places of our gates among those of a node."""
DEFAULTS = {"lstm": ["sigmoid", "tanh", "tanh"], "gru": ["sigmoid", "tanh"], "rnn": ["tanh"]}
ACTIVATIONS = {"tanh": "tanh", "sigmoid": "sigmoid", "relu": "relu", "softsign": "softsign"}
BETWEEN = {
    "Relu": "relu",
    "Tanh": "tanh",
    "Sigmoid": "sigmoid",
    "Elu": "elu",
    "Selu": "selu",
    "Softplus": "softplus",
}


def read_onnx(
    path: Path,
    *,
    kind: str | None = None,
    prefix: str | None = None,
    readout: Sequence[str] | None = None,
    embedding: str | None = None,
    ignore: Sequence[str] = (),
) -> Stored:
    """The recurrent nodes of a graph in order, and the products with constant matrices behind them.

    What lies in between (slices, means, squeezes) is not interpreted: the graph itself is run on random sequences, and what is
    read of the top layer is what agrees with it; see `run_onnx`.
    """
    try:
        import onnx
        from onnx import numpy_helper
    except ImportError:
        raise ToolkitError(
            f"{path}: reading needs the package onnx; install the extra: pip install 'nladc-cosim[import]'"
        ) from None
    try:
        model = onnx.load(str(path))
        onnx.checker.check_model(model)
    except Exception as e:  # onnx raises errors of many kinds
        raise InputError(f"{path}: is not an ONNX model, or is damaged ({type(e).__name__}: {e})"[:400]) from None
    if any((kind, prefix, readout, embedding, ignore)):
        raise InputError("kind, prefix, readout, embedding, ignore: the graph describes its layers; leave them away")
    constants = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and (tensor := _attributes(node).get("value")) is not None:
            constants[node.output[0]] = tensor
        elif node.op_type == "Transpose" and node.input[0] in constants:
            constants[node.output[0]] = constants[node.input[0]].transpose(_attributes(node).get("perm"))
        elif node.op_type == "Identity" and node.input[0] in constants:
            constants[node.output[0]] = constants[node.input[0]]
    layers = [_layer(node, constants) for node in model.graph.node if node.op_type in KINDS]
    if not layers:
        raise InputError(
            f"the graph has no LSTM, GRU or RNN node; it has {', '.join(sorted({n.op_type for n in model.graph.node}))}"
        )
    chain = chained(tuple(layers))
    dense = _dense(list(model.graph.node), constants)
    lines = tuple(f"{n.op_type}: {', '.join(n.output)}" for n in model.graph.node)
    return Stored("ONNX graph", chain, dense_chain(dense, chain[-1].n_out, tuple(d.name for d in dense)), listing=lines)


def run_onnx(path: Path, x: np.ndarray) -> np.ndarray:
    """Scores (sequences, classes) of the graph itself by ONNX's reference evaluator, for sequences (sequences, steps, features).

    The graph may take steps or sequences first, and one sequence at a time.

    Raises
    ------
    InputError
        A graph with several inputs, or one that cannot be run on such sequences.
    """
    import onnx
    from onnx.reference import ReferenceEvaluator

    model = onnx.load(str(path))
    constant = {i.name for i in model.graph.initializer}
    inputs = [i for i in model.graph.input if i.name not in constant]
    if len(inputs) != 1:
        raise InputError(f"{path}: takes {len(inputs)} inputs ({', '.join(i.name for i in inputs)}); a graph of one input is run")
    dims = [d.dim_value or None for d in inputs[0].type.tensor_type.shape.dim]
    kind = onnx.helper.tensor_dtype_to_np_dtype(inputs[0].type.tensor_type.elem_type)
    session: Any = ReferenceEvaluator(model)
    problems: list[str] = []
    for batch_first in (True, False):
        for at_once in (len(x), 1):
            fed = [x[i : i + at_once].astype(kind) for i in range(0, len(x), at_once)]
            fed = fed if batch_first else [f.transpose(1, 0, 2) for f in fed]
            if any(d is not None and d != n for d, n in zip(dims, fed[0].shape, strict=True)):
                continue
            try:
                out = np.concatenate([np.asarray(session.run(None, {inputs[0].name: f})[0]).reshape(at_once, -1) for f in fed])
            except Exception as e:  # the evaluator raises errors of many kinds
                problems.append(f"{type(e).__name__}: {e}")
                continue
            return out.astype(float)
    raise InputError(
        f"{path}: cannot be run on sequences of shape {x.shape} ({problems[0] if problems else f'it takes {dims}'})"[:400]
    )


def steps_of(path: Path, n_in: int) -> int:
    """Steps that the graph takes: what its input says, otherwise 7."""
    import onnx

    graph = onnx.load(str(path)).graph
    constant = {i.name for i in graph.initializer}
    dims = next([d.dim_value for d in i.type.tensor_type.shape.dim] for i in graph.input if i.name not in constant)
    fixed = [d for d in dims[:-1] if d > 1]
    return fixed[0] if fixed else 7


def _attributes(node: Any) -> dict[str, Any]:
    from onnx import helper, numpy_helper

    out = {}
    for a in node.attribute:
        value = helper.get_attribute_value(a)
        out[a.name] = numpy_helper.to_array(value) if a.name == "value" else value
    return out


def _layer(node: Any, constants: dict[str, np.ndarray]) -> StoredLayer:
    kind, order = KINDS[node.op_type]
    a = _attributes(node)
    name = node.name or node.output[0]
    given = [i for i in node.input]
    if missing := [i for i in given[1:3] if i not in constants]:
        raise InputError(f"node {name}: its weights {missing[0]!r} are computed in the graph; constant ones are read")
    for place, what in ((4, "sequence_lens"), (7, "peepholes")):
        if len(given) > place and given[place]:
            raise InputError(f"node {name}: has {what}, which is not read")
    for what in ("clip", "input_forget"):
        if a.get(what):
            raise InputError(f"node {name}: {what}={a[what]} is not read")
    w, r = finite({"W": constants[given[1]], "R": constants[given[2]]}, name).values()
    hidden = r.shape[2]
    b = constants.get(given[3]) if len(given) > 3 and given[3] else None
    b = np.zeros((len(w), 2 * w.shape[1])) if b is None else np.asarray(b, float)
    way = (a.get("direction") or b"forward").decode()
    if way == "reverse":
        raise InputError(f"node {name}: runs from the end alone; forward and bidirectional nodes are read")
    functions = [f.decode().lower() for f in a.get("activations", [])] or DEFAULTS[kind] * len(w)
    if functions != functions[: len(functions) // len(w)] * len(w) or any(f not in ACTIVATIONS for f in functions):
        raise InputError(f"node {name}: activations {functions} are not read")
    own, gate = functions[0 if kind == "rnn" else 1], functions[0]
    if kind == "lstm" and functions[2] != own:
        raise InputError(f"node {name}: activations {functions} are not read: two for candidate and state")

    def ordered(columns: np.ndarray) -> np.ndarray:
        return np.concatenate([np.split(columns, len(order), axis=-1)[i] for i in order], axis=-1)

    half = len(order) * hidden
    made = [Direction(ordered(w[d].T), ordered(r[d].T), ordered(b[d, :half]), ordered(b[d, half:])) for d in range(len(w))]
    reset = "before" if kind == "gru" and not a.get("linear_before_reset") else "after"
    backward = made[1] if len(made) == 2 else None
    own_gate = "sigmoid" if kind == "rnn" else ACTIVATIONS[gate]
    return StoredLayer(name, kind, made[0], backward, ACTIVATIONS[own], own_gate, reset)


def _dense(nodes: list[Any], constants: dict[str, np.ndarray]) -> list[StoredDense]:
    """Products with constant matrices, the sums behind them and the activations behind those."""
    out: list[StoredDense] = []
    for place, node in enumerate(nodes):
        if node.op_type not in ("Gemm", "MatMul") or node.input[1] not in constants:
            continue
        w = np.asarray(constants[node.input[1]], float)
        if node.op_type == "Gemm":
            a = _attributes(node)
            w = a.get("alpha", 1.0) * (w.T if a.get("transB") else w)
            b = a.get("beta", 1.0) * constants[node.input[2]] if len(node.input) > 2 else np.zeros(w.shape[1])
            end = node
        else:
            following = [n for n in nodes if node.output[0] in n.input]
            end, b = node, np.zeros(w.shape[1])
            if len(following) == 1 and following[0].op_type == "Add":
                others = [i for i in following[0].input if i in constants]
                if others:
                    end, b = following[0], constants[others[0]]
        after = [n.op_type for n in nodes[place:] if end.output[0] in n.input]
        function = BETWEEN.get(after[0]) if after else "linear"
        out.append(StoredDense(node.name or f"{node.op_type} {node.output[0]}", w, np.asarray(b, float).ravel(), function))
    # What follows the last product does not change which score is the largest, or is found by running the graph.
    return out
