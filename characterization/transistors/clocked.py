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
    ListedInstance,
    clocked_step_deck,
    clocked_trip_deck,
    densities,
    density_deck,
    listing_deck,
    mismatch_tables,
    noise_grid,
    noisy_trip_deck,
    run_bench,
    run_listing,
    run_plot,
    voltages_deck,
)

from .comparator import LARGEST_OFFSET, SHORTEST, DecisionDelay, Kickback

COMMON_MODES = 7
"""Common modes of a table of offsets: each takes two instances and many clock periods."""
NOISE_RECORDS, CORNER_RECORDS = 64, 16
"""Instances with records of noise at nominal and at other conditions: their deviation is known to 9 and 18 %."""
RECORDS_CHUNK = 16
NOISE_SPANS, NOISE_BITS = (2e-3, 50e-3), 9
"""How far from the trip point the bench looks for that of a record, volts, the next if one lies beyond; and in how many halves."""
MOMENTS = 40
"""At which the noise of elements is taken; between them it is interpolated."""
SLOWEST = 100.0
"""Hertz from which on 1/f noise counts, as for other comparators."""


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
    block: BlockOnBench,
    at: BenchConditions,
    overdrives: tuple[float, ...],
    offset: float,
    *,
    hysteresis: float = 0.0,
    c_hold: float = 1e-12,
) -> tuple[list[DecisionDelay], Kickback]:
    """Delay of decisions from the middle of the clock's edge against overdrive, and kickback on held inputs.

    A decision may leave the output where its reset has put it, so that one direction has no edge: the delay of both is the later of
    the two, from which on the output tells the sides apart.

    Raises
    ------
    SimulationError
        A decision that is not there, or wrong, before the clock falls.
    """
    where = {"offset": offset, "hysteresis": hysteresis, "common_mode": at.v_cm}
    deck = clocked_step_deck(block, at, overdrives, **where, c_hold=c_hold)
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


def measure_clocked_noise(
    block: BlockOnBench,
    at: BenchConditions,
    trip: float,
    delay: float,
    rng: np.random.Generator,
    *,
    hysteresis: float = 0.0,
    records: int = NOISE_RECORDS,
) -> tuple[float, tuple[str, ...]]:
    """Input-referred rms noise of a decision, volts, from the noise of the block's own transistors and resistors.

    Each of ``records`` instances has its own record of noise, repeated in every clock period, and finds the trip point with it.
    Noise of 1/f from `SLOWEST` on is a constant during a decision.

    Parameters
    ----------
    trip : float
        v(inp) - v(inn) at its trip point, volts.
    hysteresis : float
        Distance of the trip points after decisions for either side, volts: if any, noise is that of the one
        upwards, with a decision downwards before each.
    delay : float
        Of a decision close to it, seconds: noise counts from the last half period before the clock's edge until then.

    Returns
    -------
    noise : float
        NaN where nothing of it makes noise that is known here.
    others : tuple of str
        Elements whose noise is not in it.

    Raises
    ------
    SimulationError
        ngspice gives no noise of any transistor or resistor, or a record's trip point lies off the bench's span.
    """
    listed = ListedInstance.parse(run_listing(listing_deck(block, at), block.settings))
    if not listed.noisy:
        return np.nan, listed.others
    window = min(max(delay, 0.1e-9), 0.9 * DECISION_PERIOD / 2)
    times = noise_grid(window)
    white, slow = _element_noise(block, at, listed, at.v_cm + trip + 1e-3, times, window)
    silent = tuple(name for (name, _, _), row in zip(listed.noisy, white + slow, strict=True) if not row.any())
    if len(silent) == len(listed.noisy):
        raise SimulationError(f"{block.name} at {at}: ngspice gives no noise of {', '.join(silent[:3])}")
    fast = np.sqrt(white / (2 * np.gradient(times)))
    constant = np.sqrt(slow * np.log(0.25 / window / SLOWEST))
    shape = (records, len(listed.noisy))
    before, trip = (-DRIVE, trip + hysteresis / 2) if hysteresis else (None, trip)
    currents = fast * rng.standard_normal((*shape, len(times))) + constant * rng.standard_normal((*shape, 1))
    for span in NOISE_SPANS:
        found = []
        for first in range(0, records, RECORDS_CHUNK):
            some = currents[first : first + RECORDS_CHUNK]
            deck = noisy_trip_deck(block, at, listed, times, some, before, start=trip, span=span, bits=NOISE_BITS)
            names = mismatch_tables("trip", len(some))
            run = run_bench(deck, names, settings=block.settings)
            found += [run[name][-1, 1:] for name in names]
        values = np.concatenate(found)
        if hysteresis and not np.ptp(values) > 1e-9:
            raise SimulationError(f"{block.name} at {at}: its noise moves no trip point: it remembers more than one decision")
        if np.max(np.abs(values)) < 0.99 * span:
            return float(np.std(values, ddof=1)), (*listed.others, *silent)
    raise SimulationError(f"{block.name} at {at}: its noise moves the trip point by more than {NOISE_SPANS[-1]:g} V")


def _element_noise(
    block: BlockOnBench, at: BenchConditions, listed: ListedInstance, inp: float, times: np.ndarray, window: float
) -> tuple[np.ndarray, np.ndarray]:
    """White (A^2/Hz) and 1/f noise (A^2) of each element while it decides, (elements, times)."""
    deck, names = voltages_deck(block, at, listed, inp, window / 32)
    run = run_bench(deck, names, settings=block.settings)
    t = run[names[0]][:, 0]
    waves = np.concatenate([run[name][:, 1:] for name in names], axis=1)
    moments = times[np.unique(np.linspace(0, len(times) - 1, MOMENTS).round().astype(int))]
    # The second of its periods: in the first it starts.
    volts = np.column_stack([np.interp(moments + DECISION_PERIOD, t, wave) for wave in waves.T])
    plot = run_plot(density_deck(block, at, listed, inp, volts), block.settings)
    found = densities(listed, plot, len(moments))
    white, slow = (np.array([np.interp(times, moments, row) for row in values.T]) for values in found)
    return white, slow
