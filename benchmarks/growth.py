"""How time grows with the size of the work: ``python benchmarks/growth.py [--json] [--repeats N]``.

Seconds of processor time of one function against one size, all sizes in turns, medians; the exponent is the slope of a line
through the logarithms, with its 95 % interval (Student's t of the residuals). ``hidden``, ``bits`` and ``chips``: `evaluate` on
256 sequences of 49 x 40 with ideal ramps of random offsets. ``array``: a wired n x n array, factored, and its transfer matrix.
"""

from __future__ import annotations

import os

# Threads of BLAS that wait count as processor time.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import json
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

from characterization.ramp_model import RampDraw
from cosim.chip import Hardware
from cosim.evaluation import draw_chips, evaluate
from cosim.network import LSTMNetwork
from cosim.tasks import SequenceSet
from netlists.array import ArraySolver, Crossbar

FEATURES, STEPS, SEQUENCES = 40, 49, 256
SIZES = {
    "hidden": (32, 64, 128, 256),
    "bits": (3, 4, 5, 6, 7, 8),
    "chips": (2, 4, 8, 16),
    "array": (32, 48, 64, 96, 128),
}


def evaluation(hidden: int = 32, bits: int = 5, chips: int = 2) -> Callable[[], object]:
    """An evaluation on drawn chips."""
    rng = np.random.default_rng(1)
    network = LSTMNetwork(rng.normal(0, 0.3, (FEATURES + hidden + 1, 4 * hidden)), rng.normal(0, 1, (hidden + 1, 12)))
    data = SequenceSet(rng.standard_normal((SEQUENCES, STEPS, FEATURES)), np.full(SEQUENCES, STEPS), rng.integers(0, 12, SEQUENCES))
    ramps = {}
    for activation, gates in (("sigmoid", 3), ("tanh", 1)):
        ideal = RampDraw.ideal(activation, bits)
        offsets = 0.05 * rng.standard_normal((chips, gates * hidden))
        ramps[activation] = RampDraw(activation, bits, np.repeat(ideal.thresholds, chips, axis=0), offsets, 0.0)
    hardware = Hardware(ramps=ramps)
    drawn = draw_chips(network, hardware, chips, 1)
    return lambda: evaluate(network, data, hardware, drawn, 1)


def array(n: int) -> Callable[[], object]:
    crossbar = Crossbar(np.random.default_rng(n).uniform(100e-6, 400e-6, (n, n)), r_row=1.0, r_col=1.0)
    return lambda: ArraySolver(crossbar.with_(r_row=1.0)).transfer


def exponent(sizes: tuple[int, ...], seconds: list[float]) -> tuple[float, float]:
    """Slope of the logarithms and half of its 95 % interval."""
    from scipy import stats

    fit = stats.linregress(np.log(sizes), np.log(seconds))
    return float(fit.slope), float(fit.stderr * stats.t.ppf(0.975, len(sizes) - 2))


def measure(repeats: int) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, sizes in SIZES.items():
        work = [array(n) if name == "array" else evaluation(**{name: n}) for n in sizes]
        seconds: list[list[float]] = [[] for _ in sizes]
        for turn in range(repeats + 1):
            for run, taken in zip(work, seconds, strict=True):
                start = time.process_time()
                run()
                if turn:
                    taken.append(time.process_time() - start)
        medians = [median(taken) for taken in seconds]
        slope, half = exponent(sizes, medians)
        out[name] = {"sizes": list(sizes), "cpu_s": medians, "exponent": slope, "interval": [slope - half, slope + half]}
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    found = measure(options.repeats)
    if options.json:
        print(json.dumps(found, indent=1))
        return
    for name, row in found.items():
        low, high = row["interval"]
        times = ", ".join(f"{n}: {1e3 * s:.3g} ms" for n, s in zip(row["sizes"], row["cpu_s"], strict=True))
        print(f"{name:8} exponent {row['exponent']:.2f} ({low:.2f} to {high:.2f}); {times}")


if __name__ == "__main__":
    main()
