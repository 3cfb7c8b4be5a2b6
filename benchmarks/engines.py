"""What the extra ``fast`` brings: ``python benchmarks/engines.py [--json] [--repeats N]``, with numba installed.

An LSTM-32 with 40 features on sequences of 49 steps, in processes with numba and without it that take turns, one thread each.
Medians of processor time after a first call: chips with ideal and with fitted 5-bit ramps (`results/demo/models`) judge 1,000
sequences, in double precision as ``cosim evaluate`` and in single precision; an epoch of 2,000 sequences in batches of 128, in
floating point and on chips with either ramps. ``ratio_...``: seconds in NumPy over seconds with numba.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np

MODELS = Path(__file__).resolve().parent.parent / "results" / "demo" / "models"
STEPS, FEATURES, HIDDEN, CLASSES = 49, 40, 32, 12


def works() -> Mapping[str, Callable[[], object]]:
    """What is timed."""
    from cosim import Hardware, evaluate, load_models
    from cosim.tasks import SequenceSet
    from cosim.training import Adam, HardwareAware, Model, TrainingSettings, initial_network
    from cosim.training.classification import ClassifierCourse, LabelledData

    rng = np.random.default_rng(1)
    settings = TrainingSettings(batch=128, n_hidden=HIDDEN)
    network = initial_network(settings, FEATURES, CLASSES, rng)
    x, labels = rng.standard_normal((2000, STEPS, FEATURES)), rng.integers(0, CLASSES, 2000)
    data = SequenceSet(x[:1000], np.full(1000, STEPS), labels[:1000])
    seen = LabelledData(x.astype(np.float32), np.full(2000, STEPS), labels)
    fitted = Hardware(ramps=load_models([MODELS / "sigmoid5.json", MODELS / "tanh5.json"]))
    ramps = {"ideal": Hardware(bits=5), "fitted": fitted}

    def epoch(hardware: Hardware | None) -> None:
        model = Model(network, hardware_aware=None if hardware is None else HardwareAware(hardware), threads=1)
        course, adam = ClassifierCourse(model, seen, None, settings.batch), Adam(model.parameters, settings, model.decayed_rows())
        for _, gradients in course.epoch(np.random.default_rng(2)):
            adam.step(gradients, 1e-3)

    found: dict[str, Callable[[], object]] = {"train": partial(epoch, None)}
    for name, hardware in ramps.items():
        found[f"train_{name}"] = partial(epoch, hardware)
        for dtype in (np.float64, np.float32):
            found[f"evaluate_{name}_{dtype.__name__}"] = partial(evaluate, network, data, hardware, 1, 1, dtype=dtype, threads=1)
    return found


def timed() -> dict[str, float]:
    """Seconds of processor time of each, here and now."""
    from threadpoolctl import threadpool_limits

    seconds = {}
    with threadpool_limits(limits=1):
        for name, work in works().items():
            work()
            start = time.process_time()
            work()
            seconds[name] = time.process_time() - start
    return seconds


def child(engine: str) -> dict[str, float]:
    """The same in a process of its own."""
    code = "import sys\n" + ("sys.modules['numba'] = None\n" if engine == "numpy" else "")
    code += f"sys.path.insert(0, {str(Path(__file__).parent)!r})\nimport engines, json\nprint(json.dumps(engines.timed()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def main() -> None:
    """Prints seconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON value")
    parser.add_argument("--repeats", type=int, default=3, help="turns; default 3")
    options = parser.parse_args()
    turns = [(child("numba"), child("numpy")) for _ in range(options.repeats)]
    found: dict[str, float] = {}
    for name in turns[0][0]:
        for engine, rows in zip(("numba", "numpy"), zip(*turns, strict=True), strict=True):
            found[f"{name}_{engine}_cpu_s"] = round(median(row[name] for row in rows), 4)
        found[f"ratio_{name}"] = round(median(slow[name] / fast[name] for fast, slow in turns), 2)
    print(json.dumps(found, indent=1) if options.json else "\n".join(f"{name:<40}{value:g}" for name, value in found.items()))


if __name__ == "__main__":
    main()
