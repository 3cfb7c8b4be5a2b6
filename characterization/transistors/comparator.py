"""Measured figures of the transistor-level comparators (SKY130): offset, delay, noise, kickback, power; mismatch statistics."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from characterization.compact import fit_curve, fitted
from characterization.compact.benches import crossing
from netlists.checks import Whole, check
from netlists.errors import InputError, SimulationError
from netlists.technology import Conditions
from netlists.testbench import (
    COMPARATOR,
    DRIVE,
    At,
    BlockOnBench,
    comparator_ac_deck,
    comparator_input_deck,
    feedback_mismatch_deck,
    mismatch_tables,
    run_bench,
    strongarm_mismatch_deck,
    strongarm_step_deck,
    sweep_mismatch_deck,
)
from netlists.testbench.comparator import comparator_step_deck, comparator_sweep_deck

from .conditions import FiguresAt

OVERDRIVES = (1e-3, 2e-3, 5e-3, 10e-3, 20e-3, 50e-3, 100e-3)
LATCH_OVERDRIVES = (1e-4, *OVERDRIVES)
COMMON_MODES = (0.4, 0.9, 1.4)
SHORTEST = 1e-12
"""Delay, seconds, that the step bench of a comparator can tell from none."""
AWAY = 0.3
"""Distance from the trip point at which a comparator's input is a capacitor alone, as a part of the range."""
CHUNK = 16
"""Instances in a deck: larger ones do not pay, as ngspice's parsing grows faster than their number."""
LARGEST_OFFSET = 0.1
"""Offsets of instances that a bench finds, volts."""
STRONGARM = BlockOnBench.built_in("strongarm_sky130", "inp", "inn", "outp", "outn", "clk", "vdd", "vss")
SAMPLE_SECONDS = 0.03
"""Of the offset of an instance with the mismatch of its transistors."""
Samples = Annotated[int, Whole(2, why="of fewer there is no spread")]


@dataclass(frozen=True)
class ComparatorFigures(FiguresAt):
    """What the comparator benches give at one input common mode."""

    common_mode: Annotated[float, "V"]
    offset: Annotated[float, "systematic input offset, V (without mismatch; adds to inp)"]
    gain: Annotated[float, "small-signal gain at the trip point, V/V"]
    bandwidth: Annotated[float, "its -3 dB frequency, Hz"]
    noise: Annotated[float, "input-referred rms noise, V: output density at the trip point, 100 Hz..100 GHz, over the DC gain"]
    power_trip: Annotated[float, "supply power at the trip point, W"]
    power_low: Annotated[float, "50 mV below it, W"]
    power_high: Annotated[float, "50 mV above it, W"]


@dataclass(frozen=True)
class DecisionDelay(FiguresAt):
    """One line of a delay table: seconds from the input step (comparator) or the clock edge (StrongARM) to the decision."""

    overdrive: float
    delay_rise: float
    delay_fall: float


@dataclass(frozen=True)
class Kickback(FiguresAt):
    """Disturbance of held inputs."""

    c_hold: Annotated[float, "capacitor that holds them, F"]
    peak: Annotated[float, "largest excursion of the held input (comparator), of the difference of both (StrongARM), V"]
    common: Annotated[float, "largest excursion of their mean, V; with one held input equal to peak"]
    left: Annotated[float, "what is left at the end of the bench, V"]
    energy: Annotated[float, "supply energy of one decision, J: of the bench's two"]


@dataclass(frozen=True)
class ComparatorInput(FiguresAt):
    """What a comparator does to a ramp at its positive input, and its offset over the common mode."""

    c_in: Annotated[float, "input capacitance, away from the trip point, F"]
    kick: Annotated[float, "charge that it draws beyond that while it trips, C"]
    slope: Annotated[float, "offset against common mode v above v_cm, slope v + bend max(knee - v, 0)^2, V/V: fit"]
    bend: Annotated[float, "likewise, 1/V"]
    knee: Annotated[float, "likewise, V"]
    shift_error: Annotated[float, "largest error of that fit, V"]


@dataclass(frozen=True)
class OffsetStatistics:
    """Input offsets of ``n`` instances with foundry mismatch.

    The draws are ngspice's own (gauss in the foundry models): the same seed and ngspice version draw them again, another may not.
    """

    block: str
    corner: str
    temperature: float
    v_dd: float
    common_mode: float
    n: int
    mean: Annotated[float, "V"]
    mean_low: Annotated[float, "its confidence interval (Student t), V"]
    mean_high: float
    sigma: Annotated[float, "V"]
    sigma_low: Annotated[float, "its confidence interval (chi-square, which takes the offsets as Gaussian), V"]
    sigma_high: float
    confidence: float
    seeds: Annotated[tuple[int, ...], "ngspice seeds of the decks"]
    draws: str = "ngspice gauss draws of the foundry mismatch models (section *_mm)"


def measure_comparator(
    conditions: At | None = None,
    common_modes: tuple[float, ...] = COMMON_MODES,
    block: BlockOnBench = COMPARATOR,
    heard: list[str] | None = None,
) -> list[ComparatorFigures]:
    """Small-signal figures, one entry per input common mode, from one ngspice run."""
    at = conditions or Conditions()
    tables = ["trip", "idle", "ac", *(f"noise{k}" for k in range(len(common_modes)))]
    run = run_bench(comparator_ac_deck(at, common_modes, block), tables, settings=block.settings, heard=heard)
    out = []
    for k, v in enumerate(common_modes):
        f, response = run["ac"][:, 0], np.hypot(run["ac"][:, 1 + 2 * k], run["ac"][:, 2 + 2 * k])
        density = run[f"noise{k}"]
        with np.errstate(divide="ignore", invalid="ignore"):
            noise = np.sqrt(np.trapezoid(density[:, 1] ** 2, density[:, 0])) / response[0]
        supply = [-run["trip"][0, 2 + 2 * k], -run["idle"][0, 1 + 2 * k], -run["idle"][0, 2 + 2 * k]]
        out.append(
            ComparatorFigures.at(
                at,
                v,
                float(run["trip"][0, 1 + 2 * k]),
                float(response[0]),
                crossing(f, response, response[0] / np.sqrt(2)),
                float(noise),
                *(float(i * at.v_dd) for i in supply),
            )
        )
    return out


def measure_comparator_delay(
    conditions: At | None = None,
    overdrives: tuple[float, ...] = OVERDRIVES,
    *,
    offset: float = 0.0,
    hysteresis: float = 0.0,
    common_mode: float = 0.9,
    c_hold: float = 1e-12,
    stop: float = 30e-9,
    block: BlockOnBench = COMPARATOR,
) -> tuple[list[DecisionDelay], Kickback]:
    """Delay against overdrive from 100 mV on the other side, and kickback on a held input.

    Parameters
    ----------
    offset : float
        Systematic offset at this common mode (`ComparatorFigures.offset`), volts: overdrives count from the trip point.
    hysteresis : float
        Distance of the two trip points around it, volts: each direction counts from its own.

    Raises
    ------
    SimulationError
        If a comparator did not decide within ``stop`` less 5 ns.
    """
    at = conditions or Conditions()
    where = {"offset": offset, "hysteresis": hysteresis, "common_mode": common_mode}
    deck = comparator_step_deck(at, overdrives, **where, c_hold=c_hold, stop=stop, block=block)
    run = run_bench(deck, ["rise", "fall", "kick"], settings=block.settings)

    def delay(side: str, k: int) -> float:
        # The input itself takes 20 ps: what is faster counts as the shortest delay that this bench tells.
        found = crossing(run[side][:, 0], run[side][:, 1 + k], at.v_cm, after=4.99e-9, last=True) - 5e-9
        return max(found, SHORTEST) if np.isfinite(found) else found

    delays = _delay_table("comparator", at, overdrives, ("rise", "fall"), delay)
    time, held, _, current = run["kick"].T
    moved = held - held[0]
    peak = float(np.max(np.abs(moved)))
    energy = -at.v_dd * float(np.trapezoid(current, time)) / 2
    return delays, Kickback.at(at, c_hold, peak, peak, float(moved[-1]), energy)


def measure_input_charge(conditions: At, block: BlockOnBench = COMPARATOR) -> tuple[float, float]:
    """Input capacitance (F) and kickback charge (C) of a comparator that a ramp passes.

    The first is that of the charge away from the trip point, the second the rest of the charge.
    """
    span = min(0.5, 0.9 * conditions.v_cm, 0.9 * (conditions.v_dd - conditions.v_cm))
    table = run_bench(comparator_input_deck(conditions, block, span=span), ["input"], settings=block.settings)["input"]
    time, v, current = table.T
    charge = np.concatenate([[0.0], np.cumsum(-0.5 * (current[1:] + current[:-1]) * np.diff(time))])
    ends = v[0], conditions.v_cm - AWAY * 2 * span, conditions.v_cm + AWAY * 2 * span, v[-1]
    below, left, right, above = np.interp(ends, v, charge).tolist()
    c_in = (left - below + above - right) / (ends[1] - ends[0] + ends[3] - ends[2])
    return c_in, above - below - c_in * (ends[3] - ends[0])


def measure_comparator_input(conditions: At | None = None) -> ComparatorInput:
    """What loads a ramp, and how the offset follows the common mode over its range, 0.5 V either way of analog ground.

    Raises
    ------
    SimulationError
        If ngspice fails or the comparator does not trip at a common mode.
    """
    at = conditions or Conditions()
    v = np.linspace(-0.5, 0.5, 21)
    tables = run_bench(comparator_sweep_deck(at, (at.v_cm + v).tolist(), COMPARATOR), ["up"])["up"]
    offset = -_crossings(tables[:, 0], tables[:, 1:] - at.v_cm)
    if not np.all(np.isfinite(offset)):
        raise SimulationError(
            f"{COMPARATOR.name} at {at}: does not change sides within 50 mV at {at.v_cm + v[np.isnan(offset)][0]:g} V"
        )

    def law(x: np.ndarray, slope: float, bend: float, knee: float, middle: float) -> np.ndarray:
        return middle + slope * x + bend * np.square(np.maximum(knee - x, 0.0))

    fit = fit_curve(law, v, 1e3 * offset, {"slope": -2.0, "bend": 70.0, "knee": -0.27, "middle": 0.0})
    units = {"slope": "V/V", "bend": "1/V", "knee": "V", "middle": "V"}
    slope, bend, knee, _ = (found.value for found in fitted(fit, units).values())
    return ComparatorInput.at(
        at, *measure_input_charge(at), 1e-3 * slope, 1e-3 * bend, knee, 1e-3 * float(np.abs(fit.residual).max())
    )


def measure_strongarm(
    conditions: Conditions | None = None,
    overdrives: tuple[float, ...] = LATCH_OVERDRIVES,
    *,
    common_mode: float = 0.9,
    c_hold: float = 1e-12,
) -> tuple[list[DecisionDelay], Kickback]:
    """Delay from the clock edge against overdrive, kickback on held inputs 10 mV apart, energy of a decision."""
    at = conditions or Conditions()
    run = run_bench(strongarm_step_deck(at, overdrives, common_mode=common_mode, c_hold=c_hold), ["high", "low", "kick"])

    def delay(side: str, k: int) -> float:
        sign = {"high": 1, "low": -1}[side]
        return crossing(run[side][:, 0], sign * run[side][:, 1 + k], at.v_dd / 2, after=2e-9) - 2.025e-9

    delays = _delay_table("StrongARM latch", at, overdrives, ("high", "low"), delay)
    time, p, n, current = run["kick"].T
    difference, mean = (p - n) - (p[0] - n[0]), (p + n) / 2 - (p[0] + n[0]) / 2
    energy = -at.v_dd * float(np.trapezoid(current, time)) / 2
    figures = (float(np.max(np.abs(difference))), float(np.max(np.abs(mean))), float(difference[-1]), energy)
    return delays, Kickback.at(at, c_hold, *figures)


def _delay_table(
    block: str, at: At, overdrives: tuple[float, ...], sides: tuple[str, str], delay: Callable[[str, int], float]
) -> list[DecisionDelay]:
    out = []
    for k, overdrive in enumerate(overdrives):
        rise, fall = (delay(side, k) for side in sides)
        if not np.isfinite(rise + fall):
            raise SimulationError(f"the {block} at {at} did not decide at an overdrive of {overdrive:g} V")
        out.append(DecisionDelay.at(at, overdrive, rise, fall))
    return out


def offset_statistics(
    block: str,
    offsets: np.ndarray,
    conditions: At,
    common_mode: float,
    seeds: tuple[int, ...] = (),
    confidence: float = 0.95,
) -> OffsetStatistics:
    """Mean and sigma of offsets (n,), volts, with confidence intervals."""
    from scipy.stats import chi2, t

    offsets = np.asarray(offsets, float)
    n = len(offsets)
    if n < 2 or not np.all(np.isfinite(offsets)):
        raise InputError(f"offsets: need at least 2 finite values, got {n}")
    mean, sigma = float(offsets.mean()), float(offsets.std(ddof=1))
    tail = (1 - confidence) / 2
    half = float(t.ppf(1 - tail, n - 1) * sigma / np.sqrt(n))
    low, high = (sigma * float(np.sqrt((n - 1) / chi2.ppf(q, n - 1))) for q in (1 - tail, tail))
    where = (block, conditions.corner, conditions.temperature, conditions.v_dd, common_mode)
    return OffsetStatistics(*where, n, mean, mean - half, mean + half, sigma, low, high, confidence, seeds)


def _crossings(v: np.ndarray, outs: np.ndarray) -> np.ndarray:
    """Where each output (points, n) passes 0 upwards for the first time, by interpolation; NaN if it does not."""
    found = []
    for out in outs.T:
        change = np.flatnonzero((out[:-1] < 0) & (out[1:] >= 0))
        i = change[0] if len(change) else None
        found.append(np.nan if i is None else v[i] - out[i] * (v[i + 1] - v[i]) / (out[i + 1] - out[i]))
    return np.array(found)


def _trips(block: BlockOnBench, at: At, n: int, seed: int, common_mode: float, swept: bool, hysteresis: float) -> np.ndarray:
    """Offsets of the instances of a deck: in a loop, or in a sweep where the loop has no operating point near equal inputs."""
    tables = mismatch_tables("trip", n)
    if not swept:
        with suppress(SimulationError):
            run = run_bench(feedback_mismatch_deck(block, at, n, seed, common_mode=common_mode), tables, settings=block.settings)
            found = np.concatenate([run[name][0, 1:] for name in tables])
            if np.all(np.abs(found) < LARGEST_OFFSET):
                return found
    deck = sweep_mismatch_deck(block, at, n, seed, common_mode=common_mode, span=LARGEST_OFFSET)
    run = run_bench(deck, tables, settings=block.settings)
    found = np.concatenate([-_crossings(run[name][:, 0], run[name][:, 1:]) for name in tables])
    if missing := int(np.isnan(found).sum()):
        raise SimulationError(f"{missing} of {n} instances of {block.name} do not change sides within {LARGEST_OFFSET:g} V")
    return found + hysteresis / 2


def _clocked_offsets(block: BlockOnBench, at: At, n: int, seed: int, common_mode: float, hysteresis: float) -> np.ndarray:
    """Offsets of clocked instances, each of which finds its trip point by bisection.

    Where a decision moves the next, bisection alone ends beside the trip point: it is the middle of those after either side.
    """
    from .clocked import clocked_trips

    sides = (-DRIVE, DRIVE) if hysteresis else (None,)
    found = -np.mean([clocked_trips(block, at, [common_mode] * n, side, mismatch=True, seed=seed) for side in sides], axis=0)
    if missing := int(np.isnan(found).sum()):
        raise SimulationError(f"{missing} of {n} instances of {block.name} do not change sides within {LARGEST_OFFSET:g} V")
    return found


def measure_offsets(
    block: BlockOnBench,
    n: int,
    rng: np.random.Generator,
    conditions: At | None = None,
    *,
    common_mode: float = 0.9,
    chunk: int = CHUNK,
    swept: bool = False,
    hysteresis: float = 0.0,
) -> tuple[OffsetStatistics, np.ndarray]:
    """Offsets of ``n`` instances of a block with mismatch of its models, ``chunk`` in a deck.

    Parameters
    ----------
    block : BlockOnBench
        A comparator or an op-amp, or `STRONGARM`.
    rng : numpy.random.Generator
        Draws one ngspice seed per deck.
    swept : bool
        Sweep the input, as a comparator of low gain needs; else it is looked for with the output fed back.
    hysteresis : float
        Distance of the trip points upwards and downwards, volts: offsets are the middle.

    Returns
    -------
    OffsetStatistics
    offsets : ndarray (n,)
        Volts, as they add to the positive input.
    """
    check(Samples, n, "n")
    at = conditions or Conditions()
    sizes = [min(chunk, n - j) for j in range(0, n, chunk)]
    seeds = tuple(int(s) for s in rng.integers(1, 2**31 - 1, size=len(sizes)))
    parts = []
    for size, seed in zip(sizes, seeds, strict=True):
        tables = mismatch_tables("trip", size)
        if block == STRONGARM:
            run = run_bench(strongarm_mismatch_deck(Conditions(**vars(at)), size, seed, common_mode=common_mode), tables)
            parts += [-run[name][-1, 1:] for name in tables]
        elif block.is_clocked:
            parts.append(_clocked_offsets(block, at, size, seed, common_mode, hysteresis))
        else:
            parts.append(_trips(block, at, size, seed, common_mode, swept, hysteresis))
    offsets = np.concatenate(parts)
    return offset_statistics(block.name, offsets, at, common_mode, seeds), offsets
