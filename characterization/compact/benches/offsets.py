"""Where waveforms cross a level: of any two, and of comparators with offsets of their own on one slow ramp."""

from __future__ import annotations

import numpy as np

from netlists.errors import SimulationError
from netlists.spice import simulate
from netlists.technology import RampCircuit
from netlists.testbench import offset_ramp_deck

SPAN = 40e-3
CHUNK = 64


def crossing(
    x: np.ndarray, y: np.ndarray, level: float, *, after: float = -np.inf, last: bool = False, rising: bool = False
) -> float:
    """Where ``y`` (n,) passes ``level`` after ``after``, between points on a straight line; NaN if it does not."""
    above = y >= level
    at = np.flatnonzero((above[1:] != above[:-1]) & (x[1:] > after) & (above[1:] | (not rising)))
    if not len(at):
        return float("nan")
    i = at[-1] if last else at[0]
    return float(x[i] + (level - y[i]) / (y[i + 1] - y[i]) * (x[i + 1] - x[i]))


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
            above = run[f"y{k}"] >= circuit.v_cm
            trips = []
            for where in (slice(0, half + 1), slice(half, None)):
                if np.count_nonzero(np.diff(above[where])) != 1:
                    raise SimulationError(f"comparator {j + k}, offset {part[k]:g} V: no single trip point within {SPAN:g} V")
                trips.append(crossing(run["in"][where], run[f"y{k}"][where], circuit.v_cm))
            out.append(circuit.v_cm - 0.5 * sum(trips))
    return np.array(out)
