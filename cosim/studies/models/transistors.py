"""What level macro misses: the same drawn chips at level ``sky130``, transition level by level and code by code.

A batch of chips is measured as programmed at both levels, and each chip converts a few constant inputs at level ``sky130``. A
code there is read from the comparator's output at the latching instants: latch and counter of transistors take ten seconds a
code and more, and are checked on their own (tests). Some chips are also calibrated at each level by their own measurement,
and measured again. Batches are parts that a stopped study goes on from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd

from characterization.chips import draw, error_at, measure
from characterization.chips.recalibrate import recalibrate
from characterization.estimates import max_inl
from characterization.plan import RampPlan
from characterization.progress_bar import progress_bar
from characterization.resume import Parts
from characterization.streams import input_pair_stream
from netlists.converter import MACRO, Blocks, Converter, transition_deck
from netlists.errors import InputError
from netlists.ramp import Chips, RampProgram, timing, to_input_units, transition_levels
from netlists.spice import simulate

BATCH = 16
NEAR_LSB = 0.2
"""Half of the converted inputs lie so near a transition level of their chip."""
GUESSED = 1e-3
"""Half distance of the probes around a guess from the nominal chip, or from the same chip in another state, volts."""
GUESSED_WELL = 6.5e-4
"""The same where it comes from a line through the chips measured before."""
OVERDRIVE = 3e-3
"""How far below its trip point V_mac sits when the comparator's delay is read, volts."""


@dataclass(frozen=True)
class BothLevels:
    """Chips at both levels of detail.

    Attributes
    ----------
    levels : DataFrame
        A row a chip and level ``k``, volts: ``macro`` and ``sky130`` as programmed; ``macro_after``, ``sky130_after`` calibrated
        and ``macro_noisy``, ``sky130_noisy`` in the plan's noisy conversion, of some chips. NaN where a chip failed or was not
        asked for.
    codes : DataFrame
        A row a conversion at level ``sky130``, as programmed: ``chip``, ``volts``, ``near`` (a level), ``code``.
    """

    plan: RampPlan
    levels: pd.DataFrame
    codes: pd.DataFrame

    def table(self, column: str) -> np.ndarray:
        """One column of ``levels`` as (chips, levels), input units."""
        wide = self.levels.pivot(index="chip", columns="k", values=column).to_numpy()
        return to_input_units(wide, self.plan.program(), self.plan.circuit)


def simulate_both_levels(
    plan: RampPlan, samples: int, parts: Parts, *, calibrated: int = 8, pairs: int = 1, progress: bool = True
) -> BothLevels:
    """Measures chips 0 .. samples at levels ``macro`` and ``sky130``, and convert inputs at ``sky130``.

    Parameters
    ----------
    plan : RampPlan
        At level ``sky130``.
    parts : Parts
        Where finished batches are stored.
    calibrated : int
        Chips that are also calibrated, measured again, and make a noisy conversion.
    pairs : int
        Pairs of inputs that each chip converts.
    """
    if plan.level != "sky130":
        raise InputError(f"level={plan.level!r}: the plan must be one of level sky130")
    known = _nominal(plan, parts)
    found = []
    starts = range(0, samples, BATCH)
    for first in progress_bar(starts, f"{plan.name} {plan.bits} bit, sky130", len(starts), "batches", show=progress):
        chips = np.arange(first, min(first + BATCH, samples))
        more = min(max(calibrated - first, 0), len(chips))
        # Both tables of a batch come from one measurement.
        batch = cache(partial(_batch, plan, chips, chips[:more], pairs, known))
        name = f"{_part_name(plan)}-{first}-{len(chips)}-{more}-{pairs}"
        found.append([parts.table(f"{name}-{what}", partial(_nth, batch, i)) for i, what in enumerate(("codes", "levels"))])
        known = pd.concat([known, found[-1][1]], ignore_index=True)
    codes, levels = (pd.concat(tables, ignore_index=True) for tables in zip(*found, strict=True))
    return BothLevels(plan, levels, codes)


def _nth(tables: Callable[[], tuple[pd.DataFrame, ...]], i: int) -> pd.DataFrame:
    return tables()[i]


def _part_name(plan: RampPlan) -> str:
    return f"{plan.name}{plan.bits}-{plan.sha256[:12]}"


def _nominal(plan: RampPlan, parts: Parts) -> pd.DataFrame:
    """Measures levels of the nominal chip, chip number -1: where the probes of the first batch are placed."""

    def table() -> pd.DataFrame:
        program = plan.program()
        macro, sky130 = (
            measure(Converter(program, plan.circuit, b), Chips.nominal(program)).volts[0] for b in (MACRO, plan.blocks)
        )
        found = pd.DataFrame({"chip": -1, "k": np.arange(1, len(program.x) + 1), "macro": macro, "sky130": sky130})
        return found.assign(opamp_offset=0.0, comparator_offset=0.0)

    return parts.table(f"{_part_name(plan)}-nominal", table)


def _expected(known: pd.DataFrame, chips: Chips) -> tuple[np.ndarray, float]:
    """Predicts level ``sky130`` minus macro from the chips measured so far, (n, levels) volts, and how far to probe beside it.

    It decides the number of transients, not the result.
    """
    known = known.dropna(subset=["macro", "sky130"])
    if known["chip"].nunique() < BATCH:
        known = known[known["chip"] == -1]
        return np.tile((known["sky130"] - known["macro"]).to_numpy(), (len(chips), 1)), GUESSED
    columns = []
    for _, rows in known.groupby("k"):
        a = np.column_stack([np.ones(len(rows)), rows["opamp_offset"], rows["comparator_offset"]])
        line = np.linalg.lstsq(a, (rows["sky130"] - rows["macro"]).to_numpy(), rcond=None)[0]
        columns.append(line[0] + line[1] * chips.opamp_offset + line[2] * chips.comparator_offset)
    return np.array(columns).T, GUESSED_WELL


def _batch(
    plan: RampPlan, samples: np.ndarray, calibrated: np.ndarray, pairs: int, known: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measures codes and levels of some chips."""
    program, circuit = plan.program(), plan.circuit
    chips = draw(plan, samples).chips()
    macro = measure(Converter(program, circuit), chips).volts
    difference, span = _expected(known, chips)
    sky130 = measure(plan.converter, chips, guess=macro + difference, span=span).volts
    found = {"macro": macro, "sky130": sky130}
    for name, blocks in (("macro", MACRO), ("sky130", plan.blocks)):
        for state, volts in zip(("after", "noisy"), _calibrated(plan, calibrated, found[name], blocks), strict=True):
            found[f"{name}_{state}"] = volts
    levels = pd.DataFrame(
        {
            "chip": np.repeat(samples, len(program.x)),
            "k": np.tile(np.arange(1, len(program.x) + 1), len(samples)),
            "opamp_offset": np.repeat(chips.opamp_offset, len(program.x)),
            "comparator_offset": np.repeat(chips.comparator_offset, len(program.x)),
            **{name: volts.ravel() for name, volts in found.items()},
        }
    )
    good = np.flatnonzero(np.isfinite(sky130).all(axis=1))
    return _convert(plan, program, samples[good], take(chips, good), sky130[good], pairs), levels


def _calibrated(plan: RampPlan, samples: np.ndarray, volts: np.ndarray, blocks: Blocks) -> tuple[np.ndarray, np.ndarray]:
    """Measures levels after calibration and in the noisy conversion of the first chips of a batch, NaN for the others; volts."""
    program, circuit = plan.program(), plan.circuit
    after, noisy = np.full_like(volts, np.nan), np.full_like(volts, np.nan)
    n = len(samples)
    if n:
        drawn = draw(plan, samples)
        before = volts[:n]
        written = recalibrate(plan, drawn, to_input_units(before, program, circuit), _not_needed).conductance
        for out, chips in ((after, drawn.chips(written)), (noisy, drawn.conversions(written, plan.profile))):
            moved = transition_levels(program, circuit, chips) - transition_levels(program, circuit, drawn.chips())
            guess, span = (None, None) if blocks is MACRO else (before + moved, GUESSED)
            out[:n] = measure(Converter(program, circuit, blocks), chips, guess=guess, span=span).volts
    return after, noisy


def _not_needed(conductance: np.ndarray) -> np.ndarray:
    raise InputError("calibration: the comparison of levels takes one-point or none, which need no measurement on the way")


def take(chips: Chips, rows: np.ndarray) -> Chips:
    """Picks some of the chips."""
    noise = None if chips.comparator_noise is None else chips.comparator_noise[rows]
    return Chips(chips.conductance[rows], chips.opamp_offset[rows], chips.comparator_offset[rows], noise)


def _convert(
    plan: RampPlan, program: RampProgram, samples: np.ndarray, chips: Chips, levels: np.ndarray, pairs: int
) -> pd.DataFrame:
    """Converts pairs of inputs, one near a level of its chip and one anywhere: volts are converted, volts come back."""
    unit = program.volts_per_unit(plan.circuit)
    tables = []
    for pair in range(pairs if len(samples) else 0):
        rngs = [input_pair_stream(plan.seed, int(i), pair) for i in samples]
        # The two converters of a deck's pair are the same distance apart on all of its chips.
        apart = rngs[0].uniform(0.5, 3.0) * unit * float(np.median(program.lsb))
        volts = np.empty((len(samples), 2))
        for row, rng in enumerate(rngs):
            k = rng.integers(len(program.x))
            near = levels[row, k] + rng.uniform(-NEAR_LSB, NEAR_LSB) * unit * program.lsb[k]
            volts[row] = near, near + apart * rng.choice([-1.0, 1.0])
        # Which of the two is the lower one differs from chip to chip; the deck wants the middle.
        codes = comparator_codes(plan, program, chips, volts.mean(axis=1), 0.5 * apart)
        codes = np.where((volts[:, :1] > volts[:, 1:]), codes[:, ::-1], codes)
        for column, near in ((0, True), (1, False)):
            tables.append(pd.DataFrame({"chip": samples, "volts": volts[:, column], "near": near, "code": codes[:, column]}))
    columns = ["chip", "volts", "near", "code"]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def comparator_codes(plan: RampPlan, program: RampProgram, chips: Chips, middle: np.ndarray, half: float) -> np.ndarray:
    """Reads codes (n, 2) of the constant inputs ``middle -+ half`` (n,), volts, from the comparators at the latching instants."""
    held = np.repeat(middle[:, None], len(program.x), axis=1)
    deck = transition_deck(Converter(program, plan.circuit, plan.blocks), chips, held, span=half, control=False)
    names = [f"y{p}{i}" for p in "ab" for i in range(len(chips))]
    data = simulate(deck, ["com", *names])
    at = timing(program, plan.circuit).latch[: len(program.x)]
    tripped = np.array([np.interp(at, data["time"], data[name] - data["com"]) for name in names]) > 0
    passed = np.where(tripped.any(axis=1), tripped.argmax(axis=1), len(program.x))
    return program.codes[passed].reshape(2, len(chips)).T


def nominal_waveforms(plan: RampPlan, blocks: Blocks, levels: np.ndarray) -> pd.DataFrame:
    """Measures the nominal chip, k by k: ramp at the latching instant (volts), and the comparator's delay after the step (seconds).

    ``levels`` (levels,) are its transition levels, volts. The delay is read at V_mac `OVERDRIVE` below each of them, from the
    start of the step's clock period to the comparator's output crossing analog ground.
    """
    program, circuit = plan.program(), plan.circuit
    deck = transition_deck(
        Converter(program, circuit, blocks), Chips.nominal(program), levels[None], span=OVERDRIVE, save=["ramp0"], control=False
    )
    data = simulate(deck, ["com", "ya0", "ramp0"])
    clock, time, y = timing(program, circuit), data["time"], data["ya0"] - data["com"]
    rows = []
    for k in range(1, len(program.x) + 1):
        start, latch = clock.step_start[k - 1], clock.latch[k - 1]
        crossed = np.flatnonzero((y[1:] > 0) & (y[:-1] <= 0) & (time[1:] > start) & (time[1:] <= latch))
        delay = np.nan
        if len(crossed):
            # The last one: at the start of a step the comparator still recovers from the level before.
            i = int(crossed[-1])
            delay = time[i] - y[i] * (time[i + 1] - time[i]) / (y[i + 1] - y[i]) - start
        rows.append({"k": k, "ramp": float(np.interp(latch, time, data["ramp0"])), "delay": float(delay)})
    return pd.DataFrame(rows)


def what_macro_misses(both: BothLevels, parts: Parts) -> tuple[dict[str, Any], pd.DataFrame]:
    """Makes figures of chips at both levels, and a table of the transition levels k.

    Returns
    -------
    figures : dict
        ``codes_equal``, ``codes_within_1``: codes at level ``sky130`` given the chip's own levels there; ``codes_equal_macro``:
        given its levels at level macro, and ``codes_equal_macro_moved`` the same moved by the mean difference of each level. INL,
        offset (error at input 0) and gain (span over the ideal one) at both levels, as programmed; ``calibrated`` and ``noise``
        of the chips that were calibrated.
    table : DataFrame
        A row a level: ``difference`` is ``sky130`` minus macro; see `docs/models.md`.
    """
    plan, program = both.plan, both.plan.program()
    unit = program.volts_per_unit(plan.circuit)
    macro, sky130 = both.table("macro"), both.table("sky130")
    good = np.isfinite(macro).all(axis=1) & np.isfinite(sky130).all(axis=1)
    difference = sky130[good] - macro[good]
    place = {chip: i for i, chip in enumerate(np.sort(both.levels["chip"].unique()))}
    rows = both.codes["chip"].map(place).to_numpy(int)
    x, spice = to_input_units(both.codes["volts"].to_numpy(), program, plan.circuit), both.codes["code"].to_numpy()
    own = codes_of(x, sky130[rows], program)
    at_macro = codes_of(x, macro[rows], program)
    moved = codes_of(x, macro[rows] + difference.mean(axis=0), program)
    near = both.codes["near"].to_numpy(bool)
    figures: dict[str, Any] = {
        "chips": int(good.sum()),
        "failed": int((~good).sum()),
        "conversions": len(spice),
        "codes_equal": float(np.mean(own == spice)),
        "codes_equal_near": float(np.mean((own == spice)[near])),
        "codes_within_1": float(np.mean(np.abs(own - spice) <= 1)),
        "codes_equal_macro": float(np.mean(at_macro == spice)),
        "codes_equal_macro_moved": float(np.mean(moved == spice)),
        "worst_level_lsb": float(np.max(np.abs(difference.mean(axis=0) / program.lsb))),
        "as_programmed": {name: _figures(levels[good], program) for name, levels in (("macro", macro), ("sky130", sky130))},
    }
    after = {name: both.table(f"{name}_after") for name in ("macro", "sky130")}
    noisy = {name: both.table(f"{name}_noisy") for name in ("macro", "sky130")}
    use = np.all([np.isfinite(t).all(axis=1) for t in (*after.values(), *noisy.values())], axis=0)
    if use.sum() > 1:
        figures["calibrated"] = {name: _figures(levels[use], program) for name, levels in after.items()}
        figures["noise"] = {name: _noise(noisy[name][use] - after[name][use], program) for name in after}
    nominal = _nominal(plan, parts)
    waves = {
        name: nominal_waveforms(plan, blocks, nominal[name].to_numpy())
        for name, blocks in (("macro", MACRO), ("sky130", plan.blocks))
    }
    ramp = waves["sky130"]["ramp"] - waves["macro"]["ramp"]
    table = pd.DataFrame(
        {
            "k": np.arange(1, len(program.x) + 1),
            "lsb_mv": 1e3 * unit * program.lsb,
            "difference_mv": 1e3 * unit * difference.mean(axis=0),
            "difference_lsb": difference.mean(axis=0) / program.lsb,
            "difference_sigma_mv": 1e3 * unit * difference.std(axis=0, ddof=1),
            "difference_sigma_lsb": difference.std(axis=0, ddof=1) / program.lsb,
            "sigma_ratio": sky130[good].std(axis=0, ddof=1) / macro[good].std(axis=0, ddof=1),
            "ramp_difference_mv": 1e3 * ramp.to_numpy(),
            "comparator_difference_mv": 1e3 * (nominal["sky130"] - nominal["macro"] - ramp).to_numpy(),
            "delay_macro_ns": 1e9 * waves["macro"]["delay"].to_numpy(),
            "delay_sky130_ns": 1e9 * waves["sky130"]["delay"].to_numpy(),
        }
    )
    return figures, table


def _figures(x: np.ndarray, program: RampProgram) -> dict[str, float]:
    """Averages INL, offset and gain over the chips: means with standard deviations, LSB where not said otherwise."""
    middle = float(np.interp(0.0, program.x, program.lsb))
    offset = error_at(0.0, x, program)
    gain = (x[:, -1] - x[:, 0]) / (program.x[-1] - program.x[0])
    found = {
        "max_inl": max_inl(x, program),
        "max_inl_without_offset": max_inl(x - offset[:, None], program),
        "offset": offset / middle,
        "gain": gain,
    }
    return {f"{name}_{what}": float(f(v)) for name, v in found.items() for what, f in (("mean", np.mean), ("sigma", _sigma))}


def _sigma(values: np.ndarray) -> float:
    return float(np.std(values, ddof=1))


def _noise(difference: np.ndarray, program: RampProgram) -> dict[str, float]:
    """Separates the common part (another column's offset) and rest of a noisy conversion's error (n, levels), rms in LSB."""
    common = difference.mean(axis=1)
    rest = (difference - common[:, None]) / program.lsb
    return {
        "offset_rms": float(np.sqrt(np.mean(common**2)) / np.interp(0.0, program.x, program.lsb)),
        "rest_rms": float(np.sqrt(np.mean(rest**2))),
    }


def codes_of(x: np.ndarray, levels: np.ndarray, program: RampProgram) -> np.ndarray:
    """Finds codes (n,) of inputs ``x`` (n,), each on its own chip with transition levels (n, levels)."""
    passed = [np.searchsorted(np.maximum.accumulate(row), value) for value, row in zip(x, levels, strict=True)]
    return program.codes[np.array(passed, int)]
