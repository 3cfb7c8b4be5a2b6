"""Speed of the array solver, with badcrossbar in the same process: ``python benchmarks/crossbar.py [--json] [--large]``.

Each time is the median of the repeats and holds everything from the conductances on: equations, factors, solutions.
Only the order of elimination and the places of the matrix's entries, which depend on the array's shape alone, are kept
from one repeat to the next, as they are in use. badcrossbar computes output currents only, its fastest way; ``solve``
computes all nodes as well.
"""

from __future__ import annotations

import os
import sys

# The blocks are small: more threads gain little, and cost much where another job shares the cores. Both solvers alike.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import json
import logging
import platform
import resource
import time
import warnings
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from statistics import median

import numpy as np

from netlists.array import ArraySolution, ArraySolver, Crossbar

WIRE_OHM = 1.0
G_RANGE = (100e-6, 400e-6)


def timed(repeats: int, **work: Callable[[], object]) -> dict[str, float]:
    """Median seconds of each piece of work; they take turns, so that a slow spell of the machine meets all of them."""
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(repeats):
        for name, run in work.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return {name: median(values) for name, values in seconds.items()}


def crossbar(n: int) -> Crossbar:
    return Crossbar(np.random.default_rng(n).uniform(*G_RANGE, (n, n)), r_row=WIRE_OHM, r_col=WIRE_OHM)


def inputs(n: int, vectors: int) -> np.ndarray:
    return np.random.default_rng([n, vectors]).uniform(0.0, 0.2, (vectors, n))


def badcrossbar_currents(array: Crossbar, v: np.ndarray) -> np.ndarray:
    """Column currents (vectors, C) by badcrossbar, which takes resistances and one input a column."""
    import badcrossbar

    solution = badcrossbar.compute(v.T, 1.0 / array.conductance, r_i=WIRE_OHM, node_voltages=False, all_currents=False)
    return solution.currents.output


def quiet_badcrossbar() -> None:
    """badcrossbar logs to standard output and warns that its plotting needs cairo; neither belongs into the figures."""
    logging.disable(logging.INFO)
    with warnings.catch_warnings(record=True):
        try:
            import badcrossbar
        except ImportError:
            badcrossbar = None
    if not hasattr(badcrossbar, "compute"):
        sys.exit("badcrossbar is not installed: pip install --no-deps badcrossbar==1.1.0 && pip install pathvalidate")


def measure(repeats: int) -> dict[str, float]:
    """Times, ratios and the largest relative difference of a column current from badcrossbar's."""
    out: dict[str, float] = {}
    for n in (64, 128, 256):
        out |= timed(repeats, **{f"factor_transfer_{n}_s": partial(factor_transfer, crossbar(n))})
    array = crossbar(128)
    for vectors in (1, 64):
        v = inputs(128, vectors)
        found = timed(
            repeats,
            badcrossbar=partial(badcrossbar_currents, array, v),
            solve=partial(solve, array, v),
            column_currents=partial(column_currents, array, v),
        )
        out |= {f"{name}_128_{vectors}_s": seconds for name, seconds in found.items()}
        # For one vector all inner nodes cost less than the transfer matrix; for many it is the other way round.
        out[f"ratio_vs_badcrossbar_128_{vectors}"] = found["badcrossbar"] / min(found["solve"], found["column_currents"])
        difference = column_currents(array, v) / badcrossbar_currents(array, v) - 1.0
        out[f"difference_128_{vectors}"] = float(np.abs(difference).max())
    curved = array.with_(curvature=0.5)
    return out | timed(repeats, newton_128_1_s=partial(solve, curved, inputs(128, 1)))


def factor_transfer(array: Crossbar) -> np.ndarray:
    return ArraySolver(array).transfer


def solve(array: Crossbar, v: np.ndarray) -> ArraySolution:
    return ArraySolver(array).solve(v)


def column_currents(array: Crossbar, v: np.ndarray) -> np.ndarray:
    return ArraySolver(array).column_currents(v)


def measure_large(n: int = 1024) -> dict[str, float]:
    """One factorization, one input and the transfer matrix of an n x n array, once, and the process's peak memory."""
    solver = ArraySolver(crossbar(n))
    start = time.perf_counter()
    solution = solver.solve(inputs(n, 1))
    solved = time.perf_counter()
    current = inputs(n, 1) @ solver.transfer
    end = time.perf_counter()
    return {
        f"factor_solve_{n}_s": solved - start,
        f"transfer_{n}_s": end - solved,
        f"kcl_residual_{n}": float(solution.kcl_residual.max()),
        f"difference_{n}": float(np.abs(current / solution.column_current - 1.0).max()),
        "peak_memory_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--large", action="store_true", help="also 1024 x 1024, once (minutes, gigabytes)")
    arguments = parser.parse_args()
    quiet_badcrossbar()
    figures: dict[str, object] = {
        **measure(arguments.repeats),
        **(measure_large() if arguments.large else {}),
        "repeats": arguments.repeats,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "scipy", "badcrossbar")},
    }
    if arguments.json:
        print(json.dumps(figures, indent=1))
        return
    for name, value in figures.items():
        print(f"{name:28s} {value:.4g}" if isinstance(value, float) else f"{name:28s} {value}")


if __name__ == "__main__":
    main()
