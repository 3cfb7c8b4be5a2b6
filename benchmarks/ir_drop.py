"""Chips of wired arrays, drawn and read back: ``python benchmarks/ir_drop.py [--json] [--chips N]``.

Each chip has a matrix of 64 x 64 weights on two arrays of 64 x 64 cells, one for each sign, with wires of 1 ohm a cell and
conductances of its own. Ours: both networks are factored and their exact transfer matrices read off. CrossSim (V3, from its
repository; it is not on PyPI): its core computes the same 64 x 64 effective weights column by column, by iteration to its own
tolerance. Where it is not installed, badcrossbar solves for as many inputs. The tools take turns, chip by chip; seconds of
processor time, medians of a chip.

``update_4_s``: our transfer matrices again after 4 cells of each array have changed, by an update of low rank.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import json
import logging
import time
from collections.abc import Callable
from importlib.util import find_spec
from statistics import median
from typing import Any

import numpy as np

from netlists.array import ArraySolver, Crossbar

SIZE, CHANGED, WIRE_OHM = 64, 4, 1.0
G_MIN, G_MAX = 100e-6, 400e-6


def arrays(rng: np.random.Generator) -> list[Crossbar]:
    """Both signs of one chip."""
    weights = rng.uniform(-1, 1, (SIZE, SIZE))
    halves = (np.maximum(weights, 0), np.maximum(-weights, 0))
    drawn = [np.clip(G_MIN + (G_MAX - G_MIN) * w + 3e-6 * rng.standard_normal(w.shape), G_MIN, G_MAX) for w in halves]
    return [Crossbar(g, r_row=WIRE_OHM, r_col=WIRE_OHM) for g in drawn]


def crosssim(chip: list[Crossbar]) -> np.ndarray:
    """Effective weights by CrossSim's own core."""
    from simulator import AnalogCore, CrossSimParameters

    p = CrossSimParameters()
    p.xbar.device.Rmin, p.xbar.device.Rmax = 1 / G_MAX, 1 / G_MIN
    p.xbar.device.infinite_on_off_ratio = False
    p.xbar.array.parasitics.enable = True
    p.xbar.array.parasitics.Rp_row = p.xbar.array.parasitics.Rp_col = WIRE_OHM
    weights = (chip[0].conductance - chip[1].conductance) / (G_MAX - G_MIN)
    out: np.ndarray = AnalogCore(weights, params=p).matmat(np.eye(SIZE))
    return out


def badcrossbar(chip: list[Crossbar]) -> list[Any]:
    """Currents of one row driven at a time."""
    import badcrossbar as b

    # It tells its steps on standard output.
    logging.disable(logging.INFO)
    one = np.eye(SIZE)
    return [b.compute(one, 1 / a.conductance, r_i=WIRE_OHM, node_voltages=False, all_currents=False) for a in chip]


def measure(chips: int) -> dict[str, Any]:
    peer, other = ("crosssim", crosssim) if find_spec("simulator") else ("badcrossbar", badcrossbar)
    seconds: dict[str, list[float]] = {"ours": [], "update": [], "peer": []}

    def timed(name: str, work: Callable[[], object]) -> Any:
        start = time.process_time()
        result = work()
        seconds[name].append(time.process_time() - start)
        return result

    for index in range(chips + 1):
        rng = np.random.default_rng(index)
        chip = arrays(rng)
        solvers = timed("ours", lambda chip=chip: [(s := ArraySolver(a), s.transfer)[0] for a in chip])
        cells = rng.choice(SIZE**2, CHANGED, replace=False)
        i, j = np.divmod(cells, SIZE)
        timed("update", lambda s=solvers, i=i, j=j: [a.changed(i, j, np.full(CHANGED, G_MIN)).transfer for a in s])
        timed("peer", lambda chip=chip: other(chip))
    ours, update, theirs = (median(values[1:]) for values in seconds.values())
    return {
        "chips": chips,
        "chip_s": ours,
        "update_4_s": update,
        "peer": peer,
        "peer_chip_s": theirs,
        "ratio_vs_peer": theirs / ours,
        "ratio_of_update": ours / update,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--chips", type=int, default=64)
    options = parser.parse_args()
    found = measure(options.chips)
    print(json.dumps(found, indent=1) if options.json else "\n".join(f"{name:20}{value}" for name, value in found.items()))


if __name__ == "__main__":
    main()
