"""Speed of the network evaluator: ``python benchmarks/rnn.py [--json] [--repeats N]``.

The keyword network of the field, an LSTM of 32 units on 49 steps of 40 features, is run on 16 chips and 1,000 sequences with
5-bit ramps, own thresholds for each column and chip: without noise, with conversion noise, with effective weights of wired
arrays, and with noise so large that each step of a ramp is a decision of its own. The character network, 2,016 units with a
projection to 504 and an embedding of 128, reads a text on one chip with noise. Chips are drawn, and array networks factored,
before the clock starts. The runs take turns, so that a slow spell of the machine meets all of them; figures are medians.
PyTorch's float LSTM, and aihwkit's analog LSTM with the noise of its own `InferenceRPUConfig` (one chip), run in the same turns
where they are installed; their ratios are null elsewhere.

``ratio_vs_torch_best`` and those beside it: sequences times chips a second of processor time against those of PyTorch's float
``nn.LSTM`` (onnxruntime's LSTM) at the best of the settings of `peer_settings.py` with one thread a process, for 32 units without
and with noise, and for 118 and 344 units, in turns; ours with a thread for each core, or with one (``_one_thread``), as the peers.
``load`` is the load average before and after.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import time
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from statistics import median
from typing import Any

import joblib
import numpy as np
from peer_settings import onnx_runs, torch_runs
from train import has_torch, measure as measure_training

from characterization.ramp_model import RampDraw
from cosim.chip import Arrays, Hardware
from cosim.evaluation import draw_chips, evaluate, evaluate_text
from cosim.network import Layer, LSTMNetwork, Network
from cosim.network.cells import LSTM
from cosim.tasks import SequenceSet
from netlists.technology import load_profile

FEATURES, HIDDEN, STEPS, SEQUENCES, CHIPS, CLASSES, BITS = 40, 32, 49, 1000, 16, 12, 5
EMBEDDING, LARGE, PROJECTION, SYMBOLS = 128, 2016, 504, 50
TEXT, STREAMS = 12_801, 256
ERROR, NOISE, LARGE_NOISE = 0.05, 0.02, 0.05
"""Rms error of a threshold and rms noise of a conversion, units of a pre-activation; the last is more than 0.4 of a ramp's step."""
BEST = {32: 16, 118: 4, 344: 2}
"""Units, and chips, of the networks that peers at their best are compared with."""
WIRE_OHM = 1.0


def timed(repeats: int, work: dict[str, Callable[[], object]]) -> tuple[dict[str, float], dict[str, float]]:
    """Median seconds of each piece of work, by the clock and of all cores' work, after one turn that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in work}
    busy: dict[str, list[float]] = {name: [] for name in work}
    for turn in range(repeats + 1):
        for name, run in work.items():
            start, start_busy = time.perf_counter(), time.process_time()
            run()
            if turn:
                seconds[name].append(time.perf_counter() - start)
                busy[name].append(time.process_time() - start_busy)
    return {name: median(v) for name, v in seconds.items()}, {name: median(v) for name, v in busy.items()}


def ramps(activation: str, columns: int, chips: int, noise: float, rng: np.random.Generator) -> RampDraw:
    """Ramps whose levels differ from chip to chip, columns with offsets, and noise that differs from level to level."""
    ideal = RampDraw.ideal(activation, BITS)
    levels = ideal.thresholds + ERROR * rng.standard_normal((chips, ideal.thresholds.shape[1]))
    sigma = noise * np.linspace(0.9, 1.1, ideal.thresholds.shape[1])
    return RampDraw(activation, BITS, levels, ERROR * rng.standard_normal((chips, columns)), sigma)


def keyword_runs(rng: np.random.Generator) -> dict[str, Callable[[], object]]:
    network = LSTMNetwork(rng.normal(0, 0.3, (FEATURES + HIDDEN + 1, 4 * HIDDEN)), rng.normal(0, 1, (HIDDEN + 1, CLASSES)))
    inputs = rng.standard_normal((SEQUENCES, STEPS, FEATURES))
    data = SequenceSet(inputs, np.full(SEQUENCES, STEPS), rng.integers(0, CLASSES, SEQUENCES))
    quiet, noisy, steps = (
        {a: ramps(a, n * HIDDEN, CHIPS, noise, rng) for a, n in (("sigmoid", 3), ("tanh", 1))}
        for noise in (0.0, NOISE, LARGE_NOISE)
    )
    wired = Arrays(load_profile("taox-100-400").without_variation(), r_row=WIRE_OHM, r_col=WIRE_OHM)
    hardware = {
        "quiet": Hardware(ramps=quiet),
        "noise": Hardware(ramps=noisy),
        "steps": Hardware(ramps=steps),
        "ir_drop": Hardware(ramps=quiet, arrays=wired),
    }
    chips = {name: draw_chips(network, h, CHIPS, np.random.default_rng(1)) for name, h in hardware.items()}
    work: dict[str, Callable[[], object]] = {
        name: lambda h=h, c=chips[name]: evaluate(network, data, h, c, np.random.default_rng(1)) for name, h in hardware.items()
    }
    try:
        import torch
    except ImportError:
        return work
    module = torch.nn.LSTM(FEATURES, HIDDEN, batch_first=True)
    batch = torch.tensor(inputs, dtype=torch.float32)

    def run_torch() -> None:
        with torch.inference_mode():
            module(batch)

    work["torch"] = run_torch
    if find_spec("aihwkit"):
        work["aihwkit"] = aihwkit_run(inputs)
    return work


def against_best(hidden: int, chips: int, repeats: int) -> dict[str, float]:
    """Sequences a second of processor time: ours without and with noise, and each peer's at each setting, in turns."""
    rng = np.random.default_rng(hidden)
    network = LSTMNetwork(rng.normal(0, 0.3, (FEATURES + hidden + 1, 4 * hidden)), rng.normal(0, 1, (hidden + 1, CLASSES)))
    inputs = rng.standard_normal((SEQUENCES, STEPS, FEATURES))
    data = SequenceSet(inputs, np.full(SEQUENCES, STEPS), rng.integers(0, CLASSES, SEQUENCES))
    work: dict[str, Callable[[], object]] = {}
    for name, noise in (("ours", 0.0), ("ours with noise", NOISE)):
        hardware = Hardware(ramps={a: ramps(a, n * hidden, chips, noise, rng) for a, n in (("sigmoid", 3), ("tanh", 1))})
        drawn = draw_chips(network, hardware, chips, np.random.default_rng(1))
        for end, threads in (("", None), (", one thread", 1)):
            work[name + end] = lambda h=hardware, c=drawn, n=threads: evaluate(
                network, data, h, c, np.random.default_rng(1), threads=n
            )
    _, busy = timed(repeats, work | torch_runs(hidden, inputs) | onnx_runs(hidden, inputs))
    return {name: SEQUENCES * (chips if name in work else 1) / seconds for name, seconds in busy.items()}


def best_ratios(repeats: int) -> dict[str, Any]:
    """Ratios to each peer's best setting, which is named beside them."""
    out: dict[str, Any] = {}
    for hidden, chips in BEST.items():
        rates = against_best(hidden, chips, repeats)
        end = "" if hidden == HIDDEN else f"_{hidden}"
        for peer, name in (("torch", "torch"), ("onnxruntime", "onnx")):
            found = {setting: rate for setting, rate in rates.items() if setting.startswith(peer)}
            best = max(found, key=found.__getitem__) if found else None
            for kind, ours in (("", "ours"), ("_noise", "ours with noise")):
                for threads, what in (("", ours), ("_one_thread", f"{ours}, one thread")):
                    out[f"ratio_vs_{name}_best{kind}{threads}{end}"] = rates[what] / found[best] if best else None
            out[f"{name}_best{end}"] = best
            out[f"{name}_best_per_cpu_s{end}"] = found[best] if best else None
    return out


def aihwkit_run(inputs: np.ndarray) -> Callable[[], object]:
    import torch
    from aihwkit.nn import AnalogLSTMCell, AnalogRNN
    from aihwkit.simulator.configs import InferenceRPUConfig

    module = AnalogRNN(AnalogLSTMCell, FEATURES, HIDDEN, bias=True, rpu_config=InferenceRPUConfig()).eval()
    batch = torch.tensor(inputs.transpose(1, 0, 2).copy(), dtype=torch.float32)

    def run() -> None:
        with torch.inference_mode():
            module(batch)

    return run


def character_run(rng: np.random.Generator) -> Callable[[], object]:
    cell = LSTM(EMBEDDING, LARGE, n_projection=PROJECTION, projection_full_scale=2.0)
    network = Network(
        (Layer(cell, cell.initial_parameters(rng)),),
        rng.normal(0, 0.1, (PROJECTION + 1, SYMBOLS)),
        rng.normal(0, 1, (SYMBOLS, EMBEDDING)),
    )
    columns = {"sigmoid": 3 * LARGE, "tanh": LARGE, "identity": PROJECTION}
    hardware = Hardware(ramps={a: ramps(a, n, 1, NOISE, rng) for a, n in columns.items()})
    symbols = rng.integers(0, SYMBOLS, TEXT)
    chips = draw_chips(network, hardware, 1, np.random.default_rng(1))
    return lambda: evaluate_text(network, symbols, hardware, chips, np.random.default_rng(1), streams=STREAMS, warm_up=0)


def measure(repeats: int) -> dict[str, Any]:
    load = [os.getloadavg()[0]]
    rng = np.random.default_rng(0)
    keywords, busy = timed(repeats, keyword_runs(rng))
    text, text_busy = timed(repeats, {"text": character_run(rng)})
    pairs = CHIPS * SEQUENCES
    speed = {name: pairs / keywords[name] for name in ("quiet", "noise", "ir_drop")}
    return {
        "seq_chips_per_s": speed["quiet"],
        "seq_chips_per_s_noise": speed["noise"],
        "seq_chips_per_s_ir_drop": speed["ir_drop"],
        "ratio_ir_drop": speed["ir_drop"] / speed["quiet"],
        "ratio_vs_torch_float": speed["quiet"] * keywords["torch"] / SEQUENCES if "torch" in keywords else None,
        "ratio_vs_aihwkit": speed["noise"] * keywords["aihwkit"] / SEQUENCES if "aihwkit" in keywords else None,
        "ratio_vs_aihwkit_ours_without_noise": speed["quiet"] * keywords["aihwkit"] / SEQUENCES if "aihwkit" in keywords else None,
        **best_ratios(repeats),
        "seq_chips_per_cpu_s_steps": pairs / busy["steps"],
        "chars_per_s_2016": (TEXT - 1) / text["text"],
        # Seconds of processor time, which another job on the same cores disturbs less.
        "seq_chips_per_cpu_s": pairs / busy["quiet"],
        "seq_chips_per_cpu_s_noise": pairs / busy["noise"],
        "seq_chips_per_cpu_s_ir_drop": pairs / busy["ir_drop"],
        "torch_seq_per_cpu_s": SEQUENCES / busy["torch"] if "torch" in busy else None,
        "chars_per_cpu_s_2016": (TEXT - 1) / text_busy["text"],
        "peak_memory_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        **measure_training(repeats, torch=has_torch()),
        "load": [*load, os.getloadavg()[0]],
        "repeats": repeats,
        "cores": joblib.cpu_count(),
        "machine": platform.machine(),
        "versions": {name: version(name) for name in ("numpy", "numba", "torch", "onnxruntime", "aihwkit") if find_spec(name)}
        | {"python": platform.python_version()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--repeats", type=int, default=5, help="turns to take the median of")
    options = parser.parse_args()
    if options.repeats < 1:
        parser.error(f"--repeats {options.repeats}: must be 1 or more")
    result = measure(options.repeats)
    if options.json:
        print(json.dumps(result, indent=1))
        return
    for name, value in result.items():
        print(f"{name:26}{value:,.3g}" if isinstance(value, float) else f"{name:26}{value}")


if __name__ == "__main__":
    main()
