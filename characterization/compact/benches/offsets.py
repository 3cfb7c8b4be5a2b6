"""Trip points of comparators with offsets of their own, from one slow ramp at all their inputs."""

from __future__ import annotations

import numpy as np

from netlists.errors import SimulationError
from netlists.spice import simulate
from netlists.technology import RampCircuit
from netlists.testbench import offset_ramp_deck

SPAN = 40e-3
CHUNK = 64


def trip_points(level: str, circuit: RampCircuit, offsets: np.ndarray) -> np.ndarray:
    """Measured input offset of each comparator, shape (n,), volts, as it adds to the positive input.

    The mean of the trip points of a rising and a falling ramp: what the delay adds to one it takes from the other.

    Raises
    ------
    SimulationError
        A comparator that does not trip within +-40 mV.
    """
    out = []
    for j in range(0, len(offsets), CHUNK):
        part = offsets[j : j + CHUNK]
        run = simulate(offset_ramp_deck(level, circuit, part, span=SPAN), ["in", *(f"y{k}" for k in range(len(part)))])
        half = int(np.argmax(run["in"]))
        for k in range(len(part)):
            above = run[f"y{k}"] > circuit.v_cm
            trips = []
            for where in (slice(0, half + 1), slice(half, None)):
                v, y, a = run["in"][where], run[f"y{k}"][where], above[where]
                at = np.flatnonzero(a[:-1] != a[1:])
                if len(at) != 1:
                    raise SimulationError(f"comparator {j + k}, offset {part[k]:g} V: no single trip point within {SPAN:g} V")
                i = at[0]
                trips.append(v[i] + (circuit.v_cm - y[i]) / (y[i + 1] - y[i]) * (v[i + 1] - v[i]))
            out.append(circuit.v_cm - 0.5 * sum(trips))
    return np.array(out)
