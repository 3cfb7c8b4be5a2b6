"""Hold a fitted model against fresh SPICE samples that it never saw, and two decks of the same chips against each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

import numpy as np

from characterization.chips import measure_batch
from characterization.figures import codes, inl_input
from characterization.plan import RampPlan
from characterization.progress_bar import progress_bar
from characterization.run import BATCH, load, simulate_run, time_limit
from characterization.streams import ValidationSource, input_stream, validation_stream
from characterization.workers import Lost, in_limited_workers
from netlists.check_rules import Whole
from netlists.checks import Count, Seed, check
from netlists.converter import conversion_deck, read_codes
from netlists.errors import InputError, SimulationError
from netlists.machine import weigh
from netlists.ramp import Chips, to_input_units, to_volts
from netlists.spice import simulate

from .goodness_of_fit import MODEL_CHIPS, PER_LEVEL, Fresh, GoodnessOfFit
from .model import RampModel

SAMPLES = 512
"""Fresh chips: so many tell a standard deviation that is 1.3 times another, of each source of error."""
INPUTS_PER_CHIP = 16
MOST_TIMES = 100.0
"""So many times what they take conversions may take before they count as lost."""
CONVERSION_SECONDS = 0.0125
"""Core seconds of a chip that converts so many inputs, of each of its levels."""
NEAR_LSB = 0.2
"""Half of the inputs lie so near a transition level of their chip: the others would hardly ever be wrong."""
TIE_LSB = 5e-3
"""Nearer to a level than this two decks may differ by their time steps, which move a level by up to 3e-3 LSB: a tie, no error."""
REFERENCE_REPEATS = 200


def validate(
    model: RampModel,
    samples: int = SAMPLES,
    seed: int | None = None,
    *,
    jobs: int = 1,
    conversions: int = 16,
    progress: bool = True,
) -> dict[str, Any]:
    """Compares a model with new chips, drawn and simulated with another seed.

    Parameters
    ----------
    samples : int
        Chips whose transition levels are measured in SPICE, at least 8.
    seed : int, optional
        Of these chips, another one than the model's; by default the next.
    conversions : int
        Chips (at most ``samples``) that also convert 16 inputs each to codes in SPICE, through comparators, latches and
        counters: half of the inputs anywhere, half within `NEAR_LSB` of one of the chip's own levels. A code takes about
        20 ms at 5 bits and level macro.

    Returns
    -------
    dict
        ``passed``: no test rejects the model, and no codes of the two decks differ; ``failures``: why not, a line each;
        ``warnings``: what could not be tested;
        ``fit``: what `GoodnessOfFit.test` found, the model against the chips;
        ``decks``: the conversion deck against the transition deck of the same chips, in which the model has no part:
        ``conversions``, ``failed``, ``again`` (chips whose decks ran again
        with shorter steps), ``equal`` and ``within_1`` (fractions of codes that are what the chip's own levels say),
        ``equal_near`` (of the inputs near a level), ``differ`` (codes that are not, ties apart) and ``ties``;
        ``mean_chip_codes``: the fraction of codes that the model's mean levels give in place of the chip's own;
        ``rms_dt_lsb``, ``p99_dt_lsb``: difference between the model's and SPICE's distribution of each level, taken
        quantile by quantile, in LSB; ``*_expected`` are the same for chips drawn from the model itself, i.e. what
        sampling alone gives (median; ``*_expected_p95`` its 95 % quantile); ``mean_error_lsb``, ``sigma_error_lsb``:
        largest over k; ``where``: the level with the largest difference, rms difference of every level, and the conditions.

    Raises
    ------
    InputError
        The seed the model was fitted with, or too few samples.
    """
    samples = check(Annotated[int, Whole(8)], samples, "samples")
    jobs, conversions = check(Count, jobs, "jobs"), check(Count, conversions, "conversions")
    seed = check(Seed, model.ramp_plan.seed + 1 if seed is None else seed, "seed")
    if seed == model.ramp_plan.seed:
        raise InputError(f"seed={seed}: the model was fitted with it; held-out chips need another")
    plan = replace(model.ramp_plan, seed=seed)
    weigh(f"conversions={conversions}", seconds=CONVERSION_SECONDS * 2**plan.bits * min(conversions, samples) / jobs)
    run = simulate_run(plan, samples, jobs=jobs, progress=progress)
    levels = run.levels(calibrated=True)
    good = levels[np.isfinite(levels).all(axis=1)]
    if len(good) < 8:
        raise InputError(f"samples={len(good)} that worked, of {samples}: validation needs 8 or more")
    quantiles = model_quantiles(len(good), model)
    difference = quantile_difference(good, quantiles, model.lsb)
    expected = _expected(model, quantiles, validation_stream(seed, ValidationSource.EXPECTED))
    sigma = np.sqrt(np.diag(model.covariance))
    rms = np.sqrt(np.mean(difference**2, axis=0))
    fit = GoodnessOfFit(model, validation_stream(seed, ValidationSource.REFERENCE)).test(Fresh.of(run))
    decks, mean_chip = _conversions(model, plan, min(conversions, samples), jobs, progress)
    failures = _failures(fit, decks)
    of = min(conversions, samples)
    lost = [f"{decks['failed']} of {of} chips could not convert in ngspice"] if decks["failed"] else []
    lost += (
        [f"{decks['again']} of {of} chips: ngspice was lost on their decks, which ran again with shorter steps"]
        if decks["again"]
        else []
    )
    fewer = [f"conversions={conversions}: {samples} fresh chips are all that can convert"] if conversions > samples else []
    return {
        "samples": samples,
        "failed": run.failed,
        "seed": seed,
        "passed": not failures,
        "failures": failures,
        "warnings": _warnings(model, fit) + lost + fewer,
        "fit": fit,
        "decks": decks,
        "mean_chip_codes": mean_chip,
        "rms_dt_lsb": float(np.sqrt(np.mean(difference**2))),
        "p99_dt_lsb": float(np.quantile(np.abs(difference), 0.99)),
        **expected,
        "mean_error_lsb": float(np.max(np.abs(good.mean(axis=0) - model.mean) / model.lsb)),
        "sigma_error_lsb": float(np.max(np.abs(good.std(axis=0, ddof=1) - sigma) / model.lsb)),
        "max_inl_lsb_mean": float(np.mean(np.abs(inl_input(good, model.program)).max(axis=1))),
        "where": {
            "worst_k": int(np.argmax(rms)) + 1,
            "rms_dt_lsb_by_k": rms.tolist(),
            "conditions": str(plan.conditions),
            "v_read": plan.circuit.v_read,
        },
    }


def _failures(fit: dict[str, Any], decks: dict[str, Any]) -> list[str]:
    out = [f"{_test_text(t)}: rejected" for t in fit["tests"] if t["rejected"]]
    if decks["differ"]:
        out.append(
            f"{decks['differ']} of {decks['conversions']} codes differ between the conversion deck and the transition deck of"
            " the same chips"
        )
    return out


def _warnings(model: RampModel, fit: dict[str, Any]) -> list[str]:
    out = []
    if model.samples < PER_LEVEL * len(model.mean):
        out.append(
            f"fitted to {model.samples} chips: the spread of all {len(model.mean)} levels together is not tested below"
            f" {PER_LEVEL * len(model.mean)}, and the other tests see less than they would of {fit['chips']} fresh chips"
        )
    if not fit["conversions"]:
        out.append("the plan has no noisy conversions: offset of a column, noise and codes are not tested")
    if fit["chips"] < SAMPLES:
        out.append(f"{fit['chips']} fresh chips: {SAMPLES} are needed to see a standard deviation of 1.3 times another every time")
    return out


def _test_text(test: dict[str, Any]) -> str:
    """A test in words: figure, what was asked, effect, and how likely it is."""
    effects = {"place": "moved by {:.3f} sigma", "spread": "sigma x {:.3f}", "counts": "chi-squared {:.3f} of its mean"}
    where = f" (k = {test['where']})" if test["where"] else ""
    effect = effects.get(test["asked"], "D = {:.4f}").format(test["effect"])
    return f"{test['figure']}{where}: {effect}, p = {test['adjusted']:.3g}"


def test_lines(result: dict[str, Any]) -> list[str]:
    """What `validate` found, a line each, for reading: the tests, and the agreement of two decks."""
    fit, decks = result["fit"], result["decks"]
    verdict = f"rejected by {len(fit['rejected'])}" if fit["rejected"] else "not rejected"
    lines = [
        f"{len(fit['tests'])} tests of {fit['chips']} fresh chips, p adjusted for their number: {verdict} at"
        f" {100 * fit['level']:g} %",
        *(f"  {_test_text(t)}{'  REJECTED' if t['rejected'] else ''}" for t in fit["tests"]),
        f"two decks of the same chips: {100 * decks['equal']:.2f} % of {decks['conversions']} codes equal, {decks['ties']} ties,"
        f" {decks['differ']} differ (the model has no part in this)",
    ]
    return lines


def quantile_difference(levels: np.ndarray, quantiles: np.ndarray, lsb: np.ndarray) -> np.ndarray:
    """Sorted levels of each k minus the model's quantiles, shapes (n, levels), LSB."""
    return (np.sort(levels, axis=0) - quantiles) / lsb


def model_quantiles(n: int, model: RampModel) -> np.ndarray:
    """The model's quantiles of each level at ``(i + 1/2) / n``, shape (n, levels): exact where it is Gaussian."""
    from scipy.stats import norm

    p = (np.arange(n) + 0.5) / n
    if model.after.shift.kind == "normal":
        return model.mean + norm.ppf(p)[:, None] * np.sqrt(np.diag(model.covariance))
    return np.quantile(model.sample_levels(MODEL_CHIPS, np.random.default_rng(0)), p, axis=0)


def _expected(model: RampModel, quantiles: np.ndarray, rng: np.random.Generator) -> dict[str, float]:
    """Median and 95 % quantile of rms and p99 of `quantile_difference` for as many chips, drawn by the model itself.

    The model's mean is moved by as much as its own samples leave it uncertain.
    """
    rows = []
    for _ in range(REFERENCE_REPEATS):
        moved = (model.sample_levels(1, rng) - model.mean) / np.sqrt(model.samples)
        d = quantile_difference(model.sample_levels(len(quantiles), rng) + moved, quantiles, model.lsb)
        rows.append((np.sqrt(np.mean(d**2)), np.quantile(np.abs(d), 0.99)))
    median, high = np.quantile(np.array(rows), [0.5, 0.95], axis=0)
    return {
        "rms_dt_lsb_expected": float(median[0]),
        "p99_dt_lsb_expected": float(median[1]),
        "rms_dt_lsb_expected_p95": float(high[0]),
        "p99_dt_lsb_expected_p95": float(high[1]),
    }


def _conversions(model: RampModel, plan: RampPlan, chips: int, jobs: int, progress: bool) -> tuple[dict[str, Any], float]:
    """Codes of the conversion deck against those of the chip's own levels, and the share that the mean chip's levels give."""
    groups: Sequence[np.ndarray] = [np.arange(s, min(s + BATCH, chips)) for s in range(0, chips, BATCH)]
    halves = [h for g in groups for h in np.array_split(g, 2) if len(h)]
    limit = min(time_limit(plan), max(MOST_TIMES * CONVERSION_SECONDS * 2**plan.bits * max(map(len, halves)), 60.0))
    done = in_limited_workers(((_convert, (plan, h)) for h in halves), min(jobs, len(halves)), load, limit)
    found: list[Any] = list(progress_bar(done, "conversions", len(halves), "batches", show=progress))
    # ngspice 39 stands still, for ever, where a step happens to end just before a clock's edge; other steps end elsewhere.
    lost = [i for i, f in enumerate(found) if isinstance(f, Lost)]
    again = in_limited_workers(
        ((_convert, (plan, halves[i], True)) for i in lost), min(jobs, max(len(lost), 1)), load, time_limit(plan)
    )
    for i, f in zip(lost, again, strict=True):
        found[i] = _lost(plan, halves[i]) if isinstance(f, Lost) else f
    x, own, spice = map(np.concatenate, zip(*found, strict=True))
    ok = np.isfinite(own).all(axis=1)
    x, own, spice = x[ok], own[ok], spice[ok]
    code = model.program.codes
    modelled, mean = code[codes(x, own)], code[codes(x, np.broadcast_to(model.mean, own.shape))]
    equal = spice == modelled
    tie = ~equal & (np.abs((x[..., None] - own[:, None]) / model.lsb).min(axis=2, initial=np.inf) < TIE_LSB)
    decks = {
        "conversions": int(equal.size),
        "failed": int((~ok).sum()),
        "again": sum(len(halves[i]) for i in lost),
        "equal": float(equal.mean()) if equal.size else 0.0,
        "equal_near": float(equal[:, INPUTS_PER_CHIP // 2 :].mean()) if equal.size else 0.0,
        "within_1": float((np.abs(spice - modelled) <= 1).mean()) if equal.size else 0.0,
        "differ": int((~equal & ~tie).sum()),
        "ties": int(tie.sum()),
    }
    return decks, float((spice == mean).mean()) if equal.size else 0.0


def _lost(plan: RampPlan, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As `_convert`, of chips whose process was lost."""
    shape = (len(samples), INPUTS_PER_CHIP)
    return np.zeros(shape), np.full((len(samples), len(plan.program().x)), np.nan), np.full(shape, -1)


def _convert(plan: RampPlan, samples: np.ndarray, tight: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inputs, own transition levels (NaN where SPICE failed) and SPICE codes of some calibrated chips."""
    program, circuit = plan.program(), plan.circuit
    batch = measure_batch(plan, samples, conversions=False)
    levels = to_input_units(batch.after.volts, program, circuit)
    x = np.array([inputs_for(row, plan, int(i)) for row, i in zip(levels, samples, strict=True)])
    spice = np.full(x.shape, -1)
    chips = batch.drawn.chips(batch.conductance)
    for i in np.flatnonzero([s == "ok" for s in batch.after.status]):
        # Chip by chip: one that fails stands alone, and Ctrl-C does not wait for all of them.
        one = Chips(chips.conductance[[i]], chips.opamp_offset[[i]], chips.comparator_offset[[i]])
        try:
            spice[i] = convert(plan, one, to_volts(x[[i]], program, circuit), tight=tight)[0]
        except SimulationError:
            levels[i] = np.nan
    return x, levels, spice


def inputs_for(levels: np.ndarray, plan: RampPlan, sample: int) -> np.ndarray:
    """Inputs (`INPUTS_PER_CHIP`,) of a chip with transition levels (levels,): half anywhere, half near a level; input units.

    "Anywhere" reaches one step beyond the thresholds. A level that could not be measured (NaN) gives NaN.
    """
    program, rng = plan.program(), input_stream(plan.seed, sample)
    half = INPUTS_PER_CHIP // 2
    anywhere = rng.uniform(program.x[0] - program.lsb[0], program.x[-1] + program.lsb[-1], INPUTS_PER_CHIP - half)
    k = rng.integers(len(levels), size=half)
    return np.concatenate([anywhere, levels[k] + rng.uniform(-NEAR_LSB, NEAR_LSB, half) * program.lsb[k]])


def convert(plan: RampPlan, chips: Chips, v_mac: np.ndarray, *, tight: bool = False) -> np.ndarray:
    """Codes from ngspice of inputs ``v_mac`` (n, m), volts, on ``n`` chips: comparators, latches and counters.

    Raises
    ------
    SimulationError
        If the transient fails, or a counter ends anywhere but at a code.
    """
    program = plan.program()
    deck = conversion_deck(plan.converter, chips, v_mac, tight=tight)
    names = [f"code{i}_{j}" for i in range(v_mac.shape[0]) for j in range(v_mac.shape[1])]
    return read_codes(program, simulate(deck, names), names).reshape(v_mac.shape)
