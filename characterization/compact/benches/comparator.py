"""Samples for a comparator model from ngspice, and its error against decisions that the fit has not seen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from characterization.compact.comparator import ComparatorModel, ComparatorSamples
from netlists.converter import Blocks
from netlists.errors import InputError, SimulationError, ToolkitError
from netlists.spice import simulate
from netlists.technology import MEASURED_STATISTICS, RampCircuit
from netlists.testbench import T_STEP, decision_deck, decision_times, latch_deck, triangle_deck
from netlists.testbench.column import comparator_step_deck

from .errors import rms
from .offsets import crossing, trip_points

OVERDRIVES = (0.3e-3, 1e-3, 2e-3, 5e-3, 10e-3, 20e-3, 50e-3, 100e-3, 200e-3)
SLOPES = (0.1e6, 0.2e6, 0.4e6, 0.8e6)
DIFFERENCES = (1e-7, 1e-6, 1e-5, 1e-4, 1e-3)
DECISION_TIME = 20e-9
COMMON_MODE = 0.9
BEFORE = {"ideal": 0.4, "macro": 0.4, "sky130": 0.1}
"""How far below its trip point a comparator rests before a delay, volts: at its limit at level macro, whose law knows of nearer
rests; the size of a large ramp step at level sky130, whose laws do not."""
_NONE = np.zeros(0)


def characterize_comparator(
    level: str,
    rng: np.random.Generator,
    *,
    circuit: RampCircuit | None = None,
    chips: int = 200,
    drives: int = 16,
    decisions: int = 50,
    blocks_folder: str | Path | None = None,
) -> ComparatorSamples:
    """Run the benches of one level.

    Offsets and noise enter the circuit as drawn voltages, because neither the macro-model nor a nominal transistor has any:
    their size is `MEASURED_STATISTICS`. What is measured is what the circuit makes of them.

    Parameters
    ----------
    level : {"ideal", "macro", "sky130"}
    chips : int
        Comparators whose trip point is measured. With ``blocks_folder`` the offsets of foundry mismatch written by
        ``cosim blocks`` are taken in their place.
    drives, decisions : int
        Inputs, and noisy decisions at each.
    blocks_folder : path, optional
        ``results/blocks``: offsets of `comparator_sky130` at 0.9 V and delays of the StrongARM latch, for level sky130.

    Raises
    ------
    InputError
        Unknown level; a folder without the tables.
    SimulationError
        ngspice; a comparator that does not decide.
    """
    circuit = circuit or RampCircuit()
    if blocks_folder is not None and level != "sky130":
        raise InputError(f"blocks_folder={str(blocks_folder)!r}: holds figures of level sky130, not of level {level}")
    Blocks(level)
    delay = _delays(level, circuit) if level != "ideal" else _NONE
    difference, resolved, latch_gain = _latch(level, circuit, blocks_folder)
    if blocks_folder is not None:
        offset = read_offsets(blocks_folder)
        about = f"{len(offset)} offsets of foundry mismatch from {Path(blocks_folder).name}/offset_samples.csv"
    else:
        drawn = MEASURED_STATISTICS["comparator_offset_sigma"] * rng.standard_normal(chips)
        offset = trip_points(level, circuit, drawn)
        about = f"{chips} comparators with drawn offsets"
    centre = trip_points(level, circuit, np.zeros(1))[0]
    sigma = MEASURED_STATISTICS["comparator_noise_sigma"]
    drive = np.linspace(-2.5, 2.5, drives) * sigma - centre + _late(delay, level)
    return ComparatorSamples(
        offset=offset,
        drive=drive,
        tripped=noisy_decisions(level, circuit, drive, decisions, sigma, rng).sum(axis=1),
        trials=np.full(drives, decisions),
        overdrive=np.array(OVERDRIVES) if len(delay) else _NONE,
        delay=delay,
        slope=np.array(SLOPES),
        loop=_loops(level, circuit),
        difference=difference,
        resolved=resolved,
        gain=latch_gain,
        level=level,
        about=f"{about}; {drives} x {decisions} decisions of {DECISION_TIME:g} s",
    )


def noisy_decisions(
    level: str,
    circuit: RampCircuit,
    drive: np.ndarray,
    decisions: int,
    sigma: float,
    rng: np.random.Generator,
    time: float = DECISION_TIME,
) -> np.ndarray:
    """Decisions (drives, decisions) of one comparator a drive, with a new noise voltage at each."""
    return _decisions(level, circuit, drive[:, None] + sigma * rng.standard_normal((len(drive), decisions)), time)


def _decisions(level: str, circuit: RampCircuit, inputs: np.ndarray, time: float, **rest: float) -> np.ndarray:
    """What comparators, one a row of ``inputs``, have decided ``time`` after each input, bool of its shape."""
    names = [f"y{k}" for k in range(len(inputs))]
    waves = simulate(decision_deck(level, circuit, inputs, time=time, **rest), names)
    at = decision_times(inputs.shape[1], time)
    return np.array([np.interp(at, waves["time"], waves[name]) for name in names]) > circuit.v_cm


def held_out_comparator(
    model: ComparatorModel,
    level: str,
    rng: np.random.Generator,
    *,
    circuit: RampCircuit | None = None,
    decisions: int = 128,
    rest: float = 0.1,
) -> dict[str, float]:
    """Error of a model against fresh SPICE: delays between the fitted overdrives, and noiseless decisions in a short time.

    Parameters
    ----------
    rest : float
        How far below its trip point the comparator rests before each decision, volts.

    Returns
    -------
    dict
        ``delay_rms_relative``: at overdrives halfway between those of the fit; ``decisions_equal``: fraction of decisions near
        the trip point, 6 ns after the step, that the model makes alike; ``trip_error_v``: difference of the
        model's trip point and that of the simulated decisions, volts.
    """
    circuit = circuit or RampCircuit()
    out: dict[str, float] = {}
    if model.delay.law != "none":
        between = np.sqrt(np.array(OVERDRIVES[1:]) * np.array(OVERDRIVES[:-1]))
        out["delay_rms_relative"] = rms(model.delay.delay(between) / _delays(level, circuit, between) - 1)
    time = 6e-9
    centre = -trip_points(level, circuit, np.zeros(1))[0]
    late = float(model.late(time, rest))
    width = max(2 * late, 1e-3)
    drive = centre + np.sort(rng.uniform(late - width, late + width, (8, decisions // 8)).ravel()).reshape(8, -1)
    found = _decisions(level, circuit, drive, time, rest=rest)
    out["decisions_equal"] = float(np.mean(found == model.quiet.apply(drive - centre, time=time, before=rest)))
    flat, tripped = drive.ravel(), found.ravel()
    if tripped.any() and not tripped.all():
        trip = (flat[~tripped].max() + flat[tripped].min()) / 2
        out["trip_error_v"] = float(centre + late - trip)
    return out


def read_offsets(folder: str | Path, block: str = "comparator_sky130", common_mode: float = COMMON_MODE) -> np.ndarray:
    """Offsets of foundry mismatch that ``cosim blocks`` wrote, shape (n,), volts."""
    import pandas as pd

    path = Path(folder) / "offset_samples.csv"
    try:
        table = pd.read_csv(path)
        use = (table["block"] == block) & (np.abs(table["common_mode"] - common_mode) < 1e-9)
        offsets = table["offset"][use].to_numpy(float)
    except (OSError, KeyError, ValueError) as e:
        raise InputError(f"{path}: is not the table of offsets that `cosim blocks` writes ({e})") from None
    if not len(offsets):
        raise InputError(f"{path}: has no offsets of {block} at {common_mode:g} V")
    return offsets


def _delays(level: str, circuit: RampCircuit, overdrives: Any = OVERDRIVES) -> np.ndarray:
    """Delay at overdrives beyond the measured trip point, shape (n,), seconds."""
    centre = -trip_points(level, circuit, np.zeros(1))[0]
    at = np.asarray(overdrives, float)
    run = simulate(comparator_step_deck(level, circuit, at + centre, before=BEFORE[level]), [f"y{k}" for k in range(len(at))])
    crossings = [crossing(run["time"], run[f"y{k}"], circuit.v_cm, after=T_STEP, rising=True) for k in range(len(at))]
    out = np.array(crossings) - T_STEP
    if not np.all(np.isfinite(out)):
        raise SimulationError(f"the comparator of level {level} did not decide at an overdrive of {at[~np.isfinite(out)][0]:g} V")
    return out


def _late(delay: np.ndarray, level: str) -> float:
    """Where noisy decisions trip: the least overdrive of the table that is decided in `DECISION_TIME`, 0 where all are; volts."""
    if not len(delay):
        return 0.0
    inside = delay < DECISION_TIME
    if not inside.any():
        raise SimulationError(f"the comparator of level {level} takes longer than {DECISION_TIME:g} s at every overdrive")
    return 0.0 if inside.all() else float(np.array(OVERDRIVES)[inside].min())


def _loops(level: str, circuit: RampCircuit) -> np.ndarray:
    """Trip point of the rise minus that of the fall for each of `SLOPES`, volts."""
    run = simulate(triangle_deck(level, circuit, SLOPES), [f"{n}{k}" for k in range(len(SLOPES)) for n in ("in", "y")])
    out = []
    for k in range(len(SLOPES)):
        t, y, v = run["time"], run[f"y{k}"], run[f"in{k}"]
        up = crossing(t, y, circuit.v_cm, after=0.0, rising=True)
        down = crossing(t, -y, -circuit.v_cm, after=up, rising=True)
        out.append(float(np.interp(up, t, v) - np.interp(down, t, v)))
    return np.array(out)


def _latch(level: str, circuit: RampCircuit, folder: str | Path | None) -> tuple[np.ndarray, np.ndarray, float]:
    """Difference at the latch, time to resolve it, and the gain before the latch.

    Level sky130 takes the clocked comparator (StrongARM): its input is the latch's.
    """
    if level == "ideal":
        return _NONE, _NONE, 1.0
    if level == "sky130":
        if folder is None:
            return _NONE, _NONE, 1.0
        path = Path(folder) / "summary.json"
        try:
            rows = json.loads(path.read_text())["strongarm_delay"]
            used = [r for r in rows if r["overdrive"] <= 10e-3]
            return np.array([r["overdrive"] for r in used]), np.array([r["delay_rise"] for r in used]), 1.0
        except (OSError, ValueError, KeyError, TypeError) as e:
            raise ToolkitError(f"{path}: has no StrongARM delays ({e}); write it with `cosim blocks`") from None
    close = 2e-9
    run = simulate(latch_deck(circuit, DIFFERENCES, close=close), [f"q{k}" for k in range(len(DIFFERENCES))])
    resolved = [crossing(run["time"], run[f"q{k}"], 0.9, after=close, rising=True) for k in range(len(DIFFERENCES))]
    return np.array(DIFFERENCES), np.array(resolved) - close, circuit.comparator_gain
