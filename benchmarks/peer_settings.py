"""Peers of the evaluator at each setting: ``python benchmarks/peer_settings.py [--json] [--hidden N] [--repeats N]``.

A float LSTM on 1,000 sequences of 49 x 40, sequences a second of processor time: PyTorch's ``nn.LSTM`` with one thread and with
two, batches of 64 to 1,000, gradients off and in inference mode, compiled where a C++ compiler is there; onnxruntime's LSTM with
one thread. The settings take turns; figures are medians. What `rnn.py` compares with is the best of one thread a process: so many
processes fill all cores, while threads of one process wait for each other.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from statistics import median
from typing import Any

import numpy as np

FEATURES, STEPS, SEQUENCES = 40, 49, 1000
BATCHES = (64, 100, 500, 1000)
Runs = dict[str, Callable[[], object]]


def pieces(inputs: np.ndarray, batch: int) -> list[np.ndarray]:
    """Batches (steps, batch, features) of sequences (sequences, steps, features)."""
    by_step = inputs.astype(np.float32).transpose(1, 0, 2)
    return [np.ascontiguousarray(by_step[:, i : i + batch]) for i in range(0, by_step.shape[1], batch)]


def torch_runs(hidden: int, inputs: np.ndarray, *, everything: bool = False) -> Runs:
    """PyTorch on all sequences once, by setting; empty where it is not installed."""
    if find_spec("torch") is None:
        return {}
    import torch

    module = torch.nn.LSTM(inputs.shape[2], hidden)

    def run(batches: list[Any], threads: int, mode: Callable[[], Any], call: Callable[[Any], object]) -> None:
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        with mode():
            for batch in batches:
                call(batch)
        torch.set_num_threads(before)

    out: Runs = {}
    for size in BATCHES:
        batches = [torch.from_numpy(piece) for piece in pieces(inputs, size)]
        out[f"torch batch {size}"] = lambda b=batches: run(b, 1, torch.inference_mode, module)
        if everything:
            out[f"torch batch {size}, no_grad"] = lambda b=batches: run(b, 1, torch.no_grad, module)
            out[f"torch batch {size}, two threads"] = lambda b=batches: run(b, 2, torch.inference_mode, module)
            out[f"torch batch {size}, compiled"] = lambda b=batches: run(b, 1, torch.no_grad, torch.compile(module))
    return out


def onnx_runs(hidden: int, inputs: np.ndarray) -> Runs:
    """onnxruntime with one thread, by batch; empty where it is not installed."""
    if find_spec("onnxruntime") is None or find_spec("onnx") is None:
        return {}
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(1)
    weights = {
        name: rng.normal(0, 0.3, shape).astype(np.float32)
        for name, shape in (("W", (1, 4 * hidden, inputs.shape[2])), ("R", (1, 4 * hidden, hidden)), ("B", (1, 8 * hidden)))
    }
    node = helper.make_node("LSTM", ["X", "W", "R", "B"], ["", "Y_h"], hidden_size=hidden)
    graph = helper.make_graph(
        [node],
        "lstm",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, None, inputs.shape[2]])],
        [helper.make_tensor_value_info("Y_h", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def run(batches: list[np.ndarray]) -> None:
        for batch in batches:
            session.run(None, {"X": batch})

    batches = {size: pieces(inputs, size) for size in BATCHES}
    return {f"onnxruntime batch {size}": lambda b=b: run(b) for size, b in batches.items()}


def rates(runs: Runs, repeats: int, sequences: int) -> dict[str, float]:
    """Median sequences a second of processor time of each run, in turns; one that fails is left out."""
    busy: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(repeats + 1):
        for name in list(busy):
            start = time.process_time()
            try:
                runs[name]()
            except Exception as e:  # a setting that this machine cannot run
                print(f"{name}: left out ({type(e).__name__}: {str(e)[:200]})", file=sys.stderr)
                del busy[name]
                continue
            if turn:
                busy[name].append(time.process_time() - start)
    return {name: sequences / median(seconds) for name, seconds in busy.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--hidden", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    inputs = np.random.default_rng(0).standard_normal((SEQUENCES, STEPS, FEATURES))
    runs = torch_runs(options.hidden, inputs, everything=True) | onnx_runs(options.hidden, inputs)
    found = rates(runs, options.repeats, SEQUENCES)
    if options.json:
        print(json.dumps({"hidden": options.hidden, "sequences_per_cpu_s": found}, indent=1))
        return
    for name, rate in sorted(found.items(), key=lambda item: -item[1]):
        print(f"{name:40}{rate:10,.0f}")


if __name__ == "__main__":
    main()
