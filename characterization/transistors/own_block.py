"""A user's comparator, measured: figures at every condition, mismatch, a macro-model, and how far that is from the block."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from characterization.chips import RANDOM, check_sides, draw, examine, measure, without_randomness
from characterization.chips.sampling import nominal_chips
from characterization.plan import RampPlan, Variation
from characterization.processes import in_workers
from netlists.converter import Blocks
from netlists.errors import SimulationError
from netlists.machine import weigh
from netlists.outside import ComparatorMacro, Macro, UserSubcircuit
from netlists.ramp import Chips
from netlists.technology import RampCircuit
from netlists.testbench import DECISION_PERIOD, BenchConditions, BlockOnBench, comparator_sweep_deck, run_bench

from .clocked import COMMON_MODES, CORNER_RECORDS, NOISE_RECORDS, clocked_rows, measure_clocked_delay, measure_clocked_noise
from .comparator import (
    OVERDRIVES,
    SHORTEST,
    ComparatorFigures,
    DecisionDelay,
    measure_comparator,
    measure_comparator_delay,
    measure_input_charge,
    measure_offsets,
)
from .macro_fit import fit_comparator

CORNER_OVERDRIVES = (1e-3, 10e-3, 100e-3)
WINDOWS = (30e-9, 300e-9, 3e-6)
"""How long a step bench waits for decisions, the next if one is missing, seconds."""
RANGE = 5e-3
"""Common modes belong to the input range while the offset lies so near to that at analog ground, volts."""
FAST = 50e-12
"""Delays below this are no longer told apart from those of the bench, seconds."""
MISMATCH_CHUNK = 50
"""Instances in a deck: parsing the models takes longer than solving."""
SWEPT, FINELY = 200, 2000
"""Steps of a sweep of 50 mV; and those of one that finds both trip points of a comparator with hysteresis."""
HYSTERESIS = 50e-6
"""Trip points so far apart are two, volts."""
AT_TRIP = 1e-3
"""How far the trip point of the feedback loop may lie from that of sweeps, which have steps of a quarter of it, volts."""
LOOP_GAIN = 500.0
"""With less, an output that is fed back to the input stays off the trip point by more than a part in this."""
Say = Callable[[str], None]


def is_random(own: UserSubcircuit) -> bool:
    """Whether instances of the block differ: by its own text, or by the mismatch models of its library."""
    return bool(own.pdk or RANDOM.search(own.text))


@dataclass(frozen=True)
class MeasuredComparator:
    """Rows of what was measured of a comparator.

    ``figures`` has a row a condition, ``common_modes`` and ``delays`` rows of every condition, ``offsets`` a row an instance.
    """

    figures: list[dict[str, Any]]
    common_modes: list[dict[str, Any]]
    delays: list[dict[str, Any]]
    offsets: list[dict[str, Any]]
    mismatch: dict[str, Any] | None
    warnings: tuple[str, ...]


def sweep_rows(block: BlockOnBench, at: BenchConditions, common_modes: Sequence[float]) -> list[dict[str, Any]]:
    """Offset (V, adds to inp) and hysteresis (V) at each common mode; NaN where the output does not change sides."""
    rows = _swept(block, at, common_modes, SWEPT)
    # The output of one with hysteresis jumps, somewhere between two steps.
    return _swept(block, at, common_modes, FINELY) if any(r["hysteresis"] > HYSTERESIS for r in rows) else rows


def _swept(block: BlockOnBench, at: BenchConditions, common_modes: Sequence[float], points: int) -> list[dict[str, Any]]:
    run = run_bench(comparator_sweep_deck(at, common_modes, block, points=points), ["up", "down"], settings=block.settings)
    rows = []
    for k, common_mode in enumerate(common_modes):
        trips = {}
        for way in ("up", "down"):
            v, out = run[way][:, 0], run[way][:, 1 + k] - at.v_cm
            change = np.flatnonzero((out[:-1] < 0) != (out[1:] < 0))
            i = change[0] if len(change) == 1 else None
            trips[way] = np.nan if i is None else float(v[i] - out[i] * (v[i + 1] - v[i]) / (out[i + 1] - out[i]))
        offset = -(trips["up"] + trips["down"]) / 2
        rows.append(vars(at) | {"common_mode": common_mode, "offset": offset, "hysteresis": trips["up"] - trips["down"]})
    return rows


def measure_at(
    block: BlockOnBench, at: BenchConditions, overdrives: tuple[float, ...], points: int = 17, *, seed: int = 1, records: int = 0
) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]], list[str]]:
    """Figures of a comparator at one condition, its rows over common mode and over overdrive, and what is to be said.

    ``records`` of noise, drawn with ``seed``, measure that of a comparator with a clock; 0: it is not measured.
    """
    around = np.linspace(0.05, 0.95, COMMON_MODES if block.is_clocked else points) * at.v_dd
    common_modes = sorted({at.v_cm, *(float(v) for v in around if abs(v - at.v_cm) > 0.02 * at.v_dd)})
    over = (clocked_rows if block.is_clocked else sweep_rows)(block, at, common_modes)
    middle = next(r for r in over if r["common_mode"] == at.v_cm)
    offset = middle["offset"]
    if not np.isfinite(offset):
        raise SimulationError(
            f"{block.name} at {at}: does not change sides within {100 if block.is_clocked else 50} mV of equal inputs at "
            f"{at.v_cm:g} V"
        )
    low = high = common_modes.index(at.v_cm)
    near = [abs(r["offset"] - offset) <= RANGE for r in over]
    while low > 0 and near[low - 1]:
        low -= 1
    while high < len(over) - 1 and near[high + 1]:
        high += 1
    heard: list[str] = []
    notes: list[str] = []
    delays, kick = _delays(block, at, overdrives, offset, middle["hysteresis"])
    if block.is_clocked:
        gain = noise = np.nan
        power = kick.energy / DECISION_PERIOD
        if records:
            noise, more = _clocked_noise(block, at, -offset, _memory(middle["hysteresis"]), delays[0], seed, records)
            notes += more
    else:
        try:
            small = measure_comparator(at, (at.v_cm,), block, heard)[0]
            gain, noise = small.gain, small.noise
            power = (small.power_low + small.power_high) / 2
            if why := _not_at_trip(small, offset, middle["hysteresis"]):
                gain = noise = np.nan
                notes.append(f"no gain and noise at {at}: {why}")
        except SimulationError as e:
            gain = noise = power = np.nan
            notes.append(f"no small-signal figures at {at}: {short_error(e)}")
    c_in, kick_charge = (np.nan, np.nan) if block.is_clocked else measure_input_charge(at, block)
    figures = vars(at) | {
        "offset": offset,
        "hysteresis": middle["hysteresis"],
        "input_low": common_modes[low],
        "input_high": common_modes[high],
        "gain": gain,
        "noise": noise,
        "power": power,
        "kickback": kick.peak,
        "kickback_left": kick.left,
        "c_in": c_in,
        "kick": kick_charge,
        "energy": kick.energy,
        **{f"delay_{1e3 * d['overdrive']:g}mv": max(d["delay_rise"], d["delay_fall"]) for d in delays},
    }
    return figures, over, delays, [*notes, *(f"ngspice: {line}" for line in heard)]


def _not_at_trip(small: ComparatorFigures, offset: float, hysteresis: float) -> str:
    """Why small-signal figures, taken with the output fed back to the input, are not those at the trip point; empty if they are."""
    if not small.gain > 1:
        return f"its gain there is {small.gain:.3g}, as of a switch: give noise= where its noise is known"
    if abs(small.offset - offset) > AT_TRIP + max(hysteresis, 0.0):
        return f"fed back, its output settles {1e3 * abs(small.offset - offset):.3g} mV from the trip point"
    return ""


def _clocked_noise(
    block: BlockOnBench, at: BenchConditions, trip: float, hysteresis: float, delay: dict[str, Any], seed: int, records: int
) -> tuple[float, list[str]]:
    """Noise of a decision, and what is to be said of it."""
    longest = max(delay["delay_rise"], delay["delay_fall"])
    rng = np.random.default_rng(seed)
    try:
        noise, others = measure_clocked_noise(block, at, trip, longest, rng, hysteresis=hysteresis, records=records)
    except SimulationError as e:
        return np.nan, [f"no noise at {at}: {short_error(e)}"]
    if not others:
        return noise, []
    more = f" and {len(others) - 3} more" if len(others) > 3 else ""
    counted = "MOS transistors and resistors that ngspice gives noise of are counted"
    return noise, [f"its noise is without that of {', '.join(others[:3])}{more}: {counted}"]


def _memory(hysteresis: float) -> float:
    """Hysteresis that is more than the benches' own steps, volts; else 0."""
    return hysteresis if abs(hysteresis) > HYSTERESIS else 0.0


def _delays(
    block: BlockOnBench, at: BenchConditions, overdrives: tuple[float, ...], offset: float, hysteresis: float
) -> tuple[list[dict], Any]:
    between = _memory(hysteresis)
    if block.is_clocked:
        rows, kick = measure_clocked_delay(block, at, overdrives, offset, hysteresis=between)
        return [_delay_row(at, d) for d in rows], kick
    start = partial(measure_comparator_delay, at, overdrives, offset=offset, hysteresis=between, common_mode=at.v_cm, block=block)
    for stop in WINDOWS:
        try:
            delays, kick = start(stop=stop)
        except SimulationError:
            if stop == WINDOWS[-1]:
                raise
        else:
            return [_delay_row(at, d) for d in delays], kick
    raise AssertionError


def _delay_row(at: BenchConditions, delay: DecisionDelay) -> dict[str, Any]:
    return vars(at) | {n: v for n, v in asdict(delay).items() if n not in vars(at)}


def measure_own_comparator(
    own: UserSubcircuit,
    nominal: BenchConditions,
    others: Sequence[BenchConditions],
    *,
    samples: int,
    seed: int,
    jobs: int = 1,
    noise: bool = True,
    say: Say = lambda text: None,
) -> MeasuredComparator:
    """Measures a comparator of the user's at nominal and other conditions, and the offsets of ``samples`` instances.

    Without ``noise`` that of a comparator with a clock is left out: it takes longest.

    Raises
    ------
    SimulationError
        It does not work at nominal conditions. Where it fails elsewhere, the row says so by NaN and a warning.
    """
    import time

    from joblib import delayed

    fixed = without_randomness(own)
    circuit = RampCircuit(v_dd=nominal.v_dd, v_cm=nominal.v_cm)
    warnings = list(check_sides("comparator", fixed, Blocks(comparator=fixed), circuit))
    block, began = BlockOnBench.of(fixed), time.monotonic()
    figures, over, delays, heard = measure_at(block, nominal, OVERDRIVES, seed=seed, records=NOISE_RECORDS if noise else 0)
    took = time.monotonic() - began
    decks = -(-samples // MISMATCH_CHUNK) if is_random(own) else 0
    seconds = took * (len(others) / jobs + 0.5 * decks)
    weigh(f"samples={samples}", seconds=seconds)
    say(f"nominal figures in {took:.0f} s; {len(others)} more conditions and {decks} decks of mismatch take about {seconds:.0f} s")
    rows = {"figures": [figures], "over": list(over), "delays": list(delays)}
    found = in_workers((delayed(_tried)(block, at, seed, CORNER_RECORDS if noise else 0) for at in others), jobs)
    for at, (result, failure) in zip(others, found, strict=True):
        if result is None:
            warnings.append(f"comparator {own.name} fails at {at}: {failure}")
            rows["figures"].append(vars(at) | {n: np.nan for n in figures if n not in vars(at)})
            continue
        rows["figures"].append(result[0])
        rows["over"] += result[1]
        rows["delays"] += result[2]
        heard += result[3]
    if _memory(figures["hysteresis"]):
        warnings.append(
            f"comparator {own.name}: has {1e3 * figures['hysteresis']:.3g} mV of hysteresis: its offset is the middle, overdrives "
            "count from the trip point of their direction, and the macro-model has one trip point, that of a rising ramp"
        )
    if figures["noise"] == 0:
        warnings.append(f"comparator {own.name}: nothing in it makes noise: its noise is 0, and is drawn as 0")
    if block.is_clocked:
        warnings.append(
            f"comparator {own.name}: is clocked: power is that of a clock of {1e-6 / DECISION_PERIOD:.4g} MHz without its driver"
        )
        if noise:
            warnings.append(
                f"comparator {own.name}: its noise is that of {NOISE_RECORDS} records of noise, {CORNER_RECORDS} elsewhere: "
                f"known to {100 / np.sqrt(2 * NOISE_RECORDS):.0f} and {100 / np.sqrt(2 * CORNER_RECORDS):.0f} %"
            )
    mismatch, offsets = None, []
    if is_random(own):
        say(f"offsets of {samples} instances")
        statistics, values = measure_offsets(
            BlockOnBench.of(own),
            samples,
            np.random.default_rng(seed),
            nominal,
            common_mode=nominal.v_cm,
            chunk=MISMATCH_CHUNK,
            swept=not figures["gain"] > LOOP_GAIN,
            hysteresis=_memory(figures["hysteresis"]),
        )
        mismatch = {n: v for n, v in asdict(statistics).items() if n not in ("seeds", "block")} | {"seed": seed}
        mismatch["draws"] = (
            "ngspice's draws of the mismatch models" if own.pdk else "ngspice's draws of the random functions in its text"
        )
        offsets = [{"sample": i, "offset": float(v)} for i, v in enumerate(values)]
    else:
        warnings.append(f"comparator {own.name}: neither its text nor its models have mismatch, so its offset sigma is not known")
    warnings += [f"comparator {own.name}: {line}" for line in dict.fromkeys(heard)]
    return MeasuredComparator(rows["figures"], rows["over"], rows["delays"], offsets, mismatch, tuple(dict.fromkeys(warnings)))


def _tried(block: BlockOnBench, at: BenchConditions, seed: int, records: int) -> tuple[Any, str]:
    try:
        return measure_at(block, at, CORNER_OVERDRIVES, seed=seed, records=records), ""
    except SimulationError as e:
        return None, short_error(e)


def short_error(error: SimulationError) -> str:
    """An error and the first line that ngspice gave as its reason."""
    return "; ".join(line.strip() for line in str(error).splitlines()[:2])


def macro_of(measured: MeasuredComparator, nominal: BenchConditions) -> tuple[ComparatorMacro, dict[str, float]]:
    """The macro-model of a measured comparator, and how well it follows the delays."""
    here = [r for r in measured.delays if all(r[n] == v for n, v in vars(nominal).items())]
    overdrive = np.array([r["overdrive"] for r in here])
    delay = np.array([(r["delay_rise"] + r["delay_fall"]) / 2 for r in here])
    limit = min(nominal.v_cm, nominal.v_dd - nominal.v_cm)
    # Of a comparator that is faster than the bench can tell, only that.
    fast = {"gain": 1000.0, "tau": max(float(delay.max()), SHORTEST), "worst": 0.0}
    fit = fast if delay.max() < FAST else fit_comparator(overdrive, delay, limit)
    over = [r for r in measured.common_modes if all(r[n] == v for n, v in vars(nominal).items()) and np.isfinite(r["offset"])]
    table = [r["common_mode"] for r in over], [r["offset"] for r in over]
    figures = next((r for r in measured.figures if all(r[n] == v for n, v in vars(nominal).items())), {})
    charge = figures.get("c_in", np.nan) + figures.get("kick", np.nan) / RampCircuit().v_swing
    load = max(float(charge), 0.0) if np.isfinite(charge) else 0.0
    return ComparatorMacro(fit["gain"], fit["tau"], limit, tuple(table[0]), tuple(table[1]), load), fit


@dataclass(frozen=True)
class MacroCheck:
    """The macro-model beside the block in a ramp converter.

    Attributes
    ----------
    macro : Macro
        A comparator's has the offset that conversions show, at each level of the nominal chip.
    rows : list of dict
        A row a chip and level: where the block and where the macro-model has it, volts, and the difference in LSB.
    largest : float
        Largest difference, LSB.
    held : bool
        Whether the block's levels were measured with constant V_mac.
    """

    macro: Macro
    rows: list[dict[str, Any]]
    largest: float
    held: bool


def check_macro(
    own: UserSubcircuit, macro: Macro, circuit: RampCircuit, sigma: float, *, chips: int = 16, seed: int = 1, bits: int = 5
) -> MacroCheck:
    """Holds a macro-model against its block on drawn converters; a comparator's offset is set by the nominal one's levels.

    Raises
    ------
    SimulationError
        A level of the block that could not be measured.
    """
    role = "comparator" if isinstance(macro, ComparatorMacro) else "opamp"
    offsets: dict[str, Any] = {f"{role}_offset": sigma}
    varied = replace(Variation(comparator_noise=0.0), **offsets)
    what: dict[str, Any] = {"calibration": "none", "conversions": False, role: own}
    plan, _ = examine(RampPlan("sigmoid", bits, circuit=circuit, variation=varied, seed=seed, **what))

    def levels(block: UserSubcircuit, chips: Chips, guess: np.ndarray | None = None) -> np.ndarray:
        one = replace(plan, comparator=block) if role == "comparator" else replace(plan, opamp=block)
        span = 1e-3 if guess is not None and not one.blocks.linear else None
        found = measure(one.converter, chips, guess=guess, span=span, held=plan.held)
        if bad := [m for s, m in zip(found.status, found.message, strict=True) if s != "ok"]:
            raise SimulationError(f"{role} {block.name}: a level of the converter could not be measured", bad[0])
        return found.volts

    def model(of: Macro) -> UserSubcircuit:
        name = f"{own.name}_macro"
        return UserSubcircuit(name, of.text(name), ("inp", "inn", "out", "com"), ())

    if isinstance(macro, ComparatorMacro):
        nominal = nominal_chips(plan)
        simple = levels(model(macro), nominal)
        true = levels(own, nominal, simple)[0]
        order = np.argsort(true)
        at = true[order]
        offset = np.interp(at, macro.common_modes, macro.offsets) + (true - simple[0])[order]
        macro = replace(macro, common_modes=tuple(at.tolist()), offsets=tuple(offset.tolist()))
    drawn = draw(plan, np.arange(chips)).chips()
    ours = levels(model(macro), drawn)
    theirs = levels(own, drawn, ours)
    lsb = plan.program().lsb * plan.program().volts_per_unit(circuit)
    difference = (ours - theirs) / lsb
    rows = [
        {"chip": i, "k": k + 1, "block": float(theirs[i, k]), "macro": float(ours[i, k]), "difference_lsb": float(difference[i, k])}
        for i in range(chips)
        for k in range(len(lsb))
    ]
    return MacroCheck(macro, rows, float(np.abs(difference).max()), plan.held)
