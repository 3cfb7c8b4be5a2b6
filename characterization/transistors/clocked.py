"""Measured figures of a clocked comparator of the user's: it only decides, so that its trip points come from decisions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from netlists.errors import SimulationError
from netlists.testbench import (
    DECISION_PERIOD,
    DRIVE,
    At,
    BenchConditions,
    BlockOnBench,
    clocked_step_deck,
    clocked_trip_deck,
    mismatch_tables,
    run_bench,
)

from .comparator import LARGEST_OFFSET, SHORTEST, DecisionDelay, Kickback

COMMON_MODES = 7
"""Common modes of a table of offsets: each takes two instances and many clock periods."""


def clocked_trips(
    block: BlockOnBench, at: At, common_modes: Sequence[float], before: float | None = None, **draw: Any
) -> np.ndarray:
    """v(inp) - v(inn) at the trip point of an instance at each common mode, volts; NaN where none lies within 0.1 V.

    ``before`` and ``draw`` are those of `clocked_trip_deck`.
    """
    deck = clocked_trip_deck(block, at, common_modes, before, span=LARGEST_OFFSET, **draw)
    tables = mismatch_tables("trip", len(common_modes))
    run = run_bench(deck, tables, settings=block.settings)
    found = np.concatenate([run[name][-1, 1:] for name in tables])
    return np.where(np.abs(found) < 0.99 * LARGEST_OFFSET, found, np.nan)


def clocked_rows(block: BlockOnBench, at: BenchConditions, common_modes: Sequence[float]) -> list[dict[str, Any]]:
    """Offset (V, adds to inp) and hysteresis (V) at each common mode, from trip points after decisions for either side."""
    up, down = (clocked_trips(block, at, common_modes, before) for before in (-DRIVE, DRIVE))
    return [
        vars(at) | {"common_mode": v, "offset": -(a + b) / 2, "hysteresis": a - b}
        for v, a, b in zip(common_modes, up.tolist(), down.tolist(), strict=True)
    ]


def measure_clocked_delay(
    block: BlockOnBench, at: BenchConditions, overdrives: tuple[float, ...], offset: float, *, c_hold: float = 1e-12
) -> tuple[list[DecisionDelay], Kickback]:
    """Delay of decisions from the middle of the clock's edge against overdrive, and kickback on held inputs.

    A decision may leave the output where its reset has put it, so that one direction has no edge: the delay of both is the later of
    the two, from which on the output tells the sides apart.

    Raises
    ------
    SimulationError
        A decision that is not there, or wrong, before the clock falls.
    """
    deck = clocked_step_deck(block, at, overdrives, offset=offset, common_mode=at.v_cm, c_hold=c_hold)
    run = run_bench(deck, ["rise", "fall", "kick"], settings=block.settings)
    edge = 1.5 * DECISION_PERIOD

    def settled(side: str, k: int) -> float:
        sign = 1 if side == "rise" else -1
        t, y = run[side][:, 0], sign * (run[side][:, 1 + k] - at.v_cm)
        t, y = t[t > edge], y[t > edge]
        t, y = t[t < 1.98 * DECISION_PERIOD], y[t < 1.98 * DECISION_PERIOD]
        if y[-1] <= 0:
            raise SimulationError(
                f"{block.name} at {at} did not decide right at an overdrive of {overdrives[k]:g} V before its clock falls, "
                f"{DECISION_PERIOD / 2:g} s after it rose"
            )
        wrong = np.flatnonzero(y <= 0)
        if not len(wrong):
            return 0.0
        i = wrong[-1]
        return float(t[i] - y[i] * (t[i + 1] - t[i]) / (y[i + 1] - y[i])) - edge

    delays = []
    for k, overdrive in enumerate(overdrives):
        later = max(settled("rise", k), settled("fall", k), SHORTEST)
        delays.append(DecisionDelay.at(at, overdrive, later, later))
    time, held, current = run["kick"].T
    moved = held - held[0]
    peak = float(np.max(np.abs(moved)))
    energy = -at.v_dd * float(np.trapezoid(current, time)) / 2
    return delays, Kickback.at(at, c_hold, peak, peak, float(moved[-1]), energy)
