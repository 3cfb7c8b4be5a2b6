"""Hold a fitted model against fresh SPICE samples that it never saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

import numpy as np

from characterization.chips import error_at, measure_batch
from characterization.figures import codes, inl_input
from characterization.plan import RampPlan
from characterization.run import BATCH, simulate_run
from characterization.streams import ValidationSource, input_stream, validation_stream
from characterization.workers import in_workers
from netlists.check_rules import Whole
from netlists.checks import Count, Seed, check
from netlists.converter import conversion_deck, read_codes
from netlists.errors import InputError, SimulationError
from netlists.ramp import Chips, to_input_units, to_volts
from netlists.spice import simulate

from .model import RampModel
from .noise import read_noise_shape

INPUTS_PER_CHIP = 16
NEAR_LSB = 0.2
"""Half of the inputs lie so near a transition level of their chip: the others would hardly ever be wrong."""
REFERENCE_REPEATS = 200
MODEL_CHIPS = 100_000
"""Chips that stand for the model's own distribution where it has no closed form."""
REJECTED = 0.01
"""p-value below which a Kolmogorov-Smirnov test says that the model is wrong."""


def validate(
    model: RampModel, samples: int = 64, seed: int | None = None, *, jobs: int = 1, conversions: int = 16, progress: bool = True
) -> dict[str, Any]:
    """Compare a model with new chips drawn and simulated with another seed.

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
        ``rms_dt_lsb``, ``p99_dt_lsb``: difference between the model's and SPICE's distribution of each level, taken
        quantile by quantile, in LSB; ``*_expected`` are the same for chips drawn from the model itself, i.e. what
        sampling alone gives (median; ``*_expected_p95`` its 95 % quantile); ``mean_error_lsb``, ``sigma_error_lsb``:
        largest over k;
        ``codes_equal``, ``codes_within_1``: fraction of SPICE codes that the behavioural converter gives for the chip's own
        levels; ``codes_equal_near``: the same of the inputs near a level; ``codes_equal_mean``: the fraction that the model's
        mean levels give in place of the chip's own; ``ks``: Kolmogorov-Smirnov tests of max |INL|, of the error at the
        calibration point, and of noise (squared length of each chip's conversion error in the fitted covariance, against
        chi-squared), each with statistic, p-value and sample sizes; ``where``: the level with the largest difference, rms
        difference of every level, and the conditions.

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
    run = simulate_run(plan, samples, jobs=jobs, progress=progress)
    levels = run.levels(calibrated=True)
    good = levels[np.isfinite(levels).all(axis=1)]
    if len(good) < 8:
        raise InputError(f"samples={len(good)} that worked, of {samples}: validation needs 8 or more")
    quantiles = model_quantiles(len(good), model)
    difference = quantile_difference(good, quantiles, model.lsb)
    expected = _expected(model, quantiles, validation_stream(seed, ValidationSource.EXPECTED))
    sigma = np.sqrt(np.diag(model.covariance))
    converted = _conversions(model, plan, min(conversions, samples), jobs)
    equal = converted["spice"] == converted["own"]
    noisy = (run.conversion_levels() - levels)[np.isfinite(levels).all(axis=1)]
    rms = np.sqrt(np.mean(difference**2, axis=0))
    return {
        "samples": samples,
        "failed": run.failed,
        "seed": seed,
        "rms_dt_lsb": float(np.sqrt(np.mean(difference**2))),
        "p99_dt_lsb": float(np.quantile(np.abs(difference), 0.99)),
        **expected,
        "mean_error_lsb": float(np.max(np.abs(good.mean(axis=0) - model.mean) / model.lsb)),
        "sigma_error_lsb": float(np.max(np.abs(good.std(axis=0, ddof=1) - sigma) / model.lsb)),
        "max_inl_lsb_mean": float(np.mean(np.max(np.abs(inl_input(good, model.program)), axis=1))),
        "conversions": int(equal.size),
        "conversion_failures": int(converted["failed"]),
        "codes_equal": float(equal.mean()) if equal.size else 0.0,
        "codes_equal_near": float(equal[:, INPUTS_PER_CHIP // 2 :].mean()) if equal.size else 0.0,
        "codes_within_1": float((np.abs(converted["spice"] - converted["own"]) <= 1).mean()) if equal.size else 0.0,
        "codes_equal_mean": float((converted["spice"] == converted["mean"]).mean()) if equal.size else 0.0,
        "ks": {
            **level_tests(good, model, seed),
            "noise": _noise_test(noisy[np.isfinite(noisy).all(axis=1)], model),
        },
        "where": {
            "worst_k": int(np.argmax(rms)) + 1,
            "rms_dt_lsb_by_k": rms.tolist(),
            "conditions": str(plan.conditions),
            "v_read": plan.circuit.v_read,
        },
    }


def level_tests(levels: np.ndarray, model: RampModel, seed: int) -> dict[str, dict[str, Any]]:
    """Kolmogorov-Smirnov tests of max |INL| (``max_inl``) and of the error at input 0 (``offset``) against the model's own chips.

    Parameters
    ----------
    levels : ndarray (chips, levels)
        Of calibrated chips, input units, finite.
    seed : int
        Of the `MODEL_CHIPS` chips that stand for the model.
    """
    reference = model.sample_levels(MODEL_CHIPS, validation_stream(seed, ValidationSource.REFERENCE))
    return {
        "max_inl": _two_samples(*(np.abs(inl_input(x, model.program)).max(axis=1) for x in (levels, reference))),
        "offset": _two_samples(*(error_at(0.0, x, model.program) for x in (levels, reference))),
    }


def ks_lines(result: dict[str, Any]) -> list[str]:
    """The Kolmogorov-Smirnov tests of what `validate` returned, a line each, for reading."""
    names = {"max_inl": "max |INL|", "offset": "offset", "noise": "noise"}
    return [f"{'KS ' + names[test]:<21} {_ks_text(found)}" for test, found in result["ks"].items()]


def _ks_text(found: dict[str, Any]) -> str:
    if not found["spice"]:
        return "not tested: the model has no noise"
    other = f"{found['model']} of the model" if found["model"] else "the model's distribution"
    verdict = "rejected" if found["p_value"] < REJECTED else "not rejected"
    return (
        f"D = {found['statistic']:.4f}, p = {found['p_value']:.3g}: {verdict} at {100 * REJECTED:g} %"
        f" ({found['spice']} chips in SPICE, {other})"
    )


def _two_samples(spice: np.ndarray, model: np.ndarray) -> dict[str, Any]:
    from scipy.stats import ks_2samp

    found = ks_2samp(spice, model)
    return {"statistic": float(found.statistic), "p_value": float(found.pvalue), "spice": len(spice), "model": len(model)}


def _noise_test(difference: np.ndarray, model: RampModel) -> dict[str, Any]:
    """Squared lengths of the conversion errors (n, levels) in the fitted covariance, against chi-squared."""
    from scipy.stats import chi2, kstest

    levels = len(model.x_ideal)
    covariance = (
        2 * model.comparator_offset.value**2 * np.ones((levels, levels))
        + model.comparator_noise.value**2 * np.eye(levels)
        + model.read_noise.value**2 * read_noise_shape(model.program, model.ramp_plan.profile)
    )
    # Without any noise the covariance is empty and there is nothing to test.
    if len(difference) == 0 or np.linalg.matrix_rank(covariance) < levels:
        return {"statistic": 0.0, "p_value": 1.0, "spice": 0, "model": 0}
    length = np.sum(difference * np.linalg.solve(covariance, difference.T).T, axis=1)
    found = kstest(length, chi2(levels).cdf)
    return {"statistic": float(found.statistic), "p_value": float(found.pvalue), "spice": len(length), "model": 0}


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


def _conversions(model: RampModel, plan: RampPlan, chips: int, jobs: int) -> dict[str, Any]:
    """SPICE codes of random inputs beside the behavioural ones."""
    import joblib

    groups: Sequence[np.ndarray] = [np.arange(s, min(s + BATCH, chips)) for s in range(0, chips, BATCH)]
    halves = [h for g in groups for h in np.array_split(g, 2) if len(h)]
    calls = (joblib.delayed(_convert)(plan, h) for h in halves)
    x, own, spice = map(np.concatenate, zip(*in_workers(calls, min(jobs, len(halves))), strict=True))
    ok = np.isfinite(own).all(axis=1)
    x, own, spice = x[ok], own[ok], spice[ok]
    code = model.program.codes
    return {
        "spice": spice,
        "own": code[codes(x, own)],
        "mean": code[codes(x, np.broadcast_to(model.mean, own.shape))],
        "failed": int((~ok).sum()),
    }


def _convert(plan: RampPlan, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
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
            spice[i] = convert(plan, one, to_volts(x[[i]], program, circuit))[0]
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


def convert(plan: RampPlan, chips: Chips, v_mac: np.ndarray) -> np.ndarray:
    """Codes from ngspice of inputs ``v_mac`` (n, m), volts, on ``n`` chips: comparators, latches and counters.

    Raises
    ------
    SimulationError
        If the transient fails, or a counter ends anywhere but at a code.
    """
    program = plan.program()
    deck = conversion_deck(plan.converter, chips, v_mac)
    names = [f"code{i}_{j}" for i in range(v_mac.shape[0]) for j in range(v_mac.shape[1])]
    return read_codes(program, simulate(deck, names), names).reshape(v_mac.shape)
