"""Yield from chips that are chosen: ngspice simulates mostly those of which the closed form cannot tell whether they pass.

1. A pilot of chips as they come is simulated. It fits the closed form to ngspice and shows the spread of what it misses.
2. Each of many candidates gets a chance to pass, m, from its closed form and that spread.
3. Candidate j is simulated with probability ``pi_j``, most where m is near 1/2, some everywhere (`inclusion`).
4. The yield is the mean of m over very many chips in closed form, corrected by the simulated candidates, each weighted with
   ``1 / pi_j``: the difference estimator with Horvitz-Thompson weights (C.-E. Sarndal, B. Swensson and J. Wretman, Model
   Assisted Survey Sampling, 1992, section 6.3; D. G. Horvitz and D. J. Thompson, J. Am. Stat. Assoc. 47, 1952, 663-685).

The candidates are drawn independently of each other (Poisson sampling), so that the variance is a plain sum. The share that is
chosen everywhere bounds the weights (defensive mixture: T. Hesterberg, Technometrics 37, 1995, 185-194).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import joblib
import numpy as np
from scipy.optimize import brentq

from netlists.closed_form import to_input_units
from netlists.errors import InputError

from .chip_statistics import margin
from .chips import measure_batch
from .control_chips import population, same_chips
from .control_variate import MIN_FIT, PRIOR, Residuals, cross_fit, lines, share
from .estimators import CONFIDENCE, Estimate, check_share, check_values
from .figure_table import Limits
from .montecarlo import BATCH, check_counts, in_workers
from .plan import RampPlan

EVERYWHERE = 0.25
"""Share of the chosen chips that is spread evenly over all candidates."""

Simulate = Callable[[np.ndarray], np.ndarray]
"""Sample numbers (n,) -> transition levels (n, levels), input units; NaN in the rows of chips that failed."""


def inclusion(chance: np.ndarray, expected: int, *, everywhere: float = EVERYWHERE) -> np.ndarray:
    """Probability with which each candidate is simulated, so that ``expected`` of them are on average, or fewer are worth it.

    In proportion to ``sqrt(m (1 - m))``, the standard deviation of the verdict, which makes the variance least (J. Neyman, J. R.
    Stat. Soc. 97, 1934, 558-625), on top of an even share.

    Parameters
    ----------
    chance : ndarray (N,)
        Probability m of each candidate to pass.
    """
    chance = np.asarray(chance, float)
    if not 0 < expected <= len(chance):
        raise InputError(f"expected={expected}: must be at least 1 and at most the {len(chance)} candidates")
    check_share("everywhere", everywhere)
    even, deviation = everywhere * expected / len(chance), np.sqrt(chance * (1 - chance))
    # Chips that are all but certain would only be chosen because the others are used up.
    deviation[deviation < 1e-3] = 0.0

    def probabilities(scale: float) -> np.ndarray:
        return np.minimum(1.0, even + scale * deviation)

    if probabilities(1e3).sum() <= expected:
        return probabilities(1e3)
    return probabilities(float(brentq(lambda scale: probabilities(scale).sum() - expected, 0.0, 1e3)))


def spice_levels(plan: RampPlan, *, calibrated: bool = True, jobs: int = 1) -> Simulate:
    """Measure chips of any sample numbers in ngspice, `characterization.montecarlo.BATCH` at a time."""
    check_counts(1, jobs)

    def simulate(samples: np.ndarray) -> np.ndarray:
        if not len(samples):
            # By chance, or because no verdict is open, none may be chosen.
            return np.empty((0, len(plan.program().x)))
        batches = [samples[i : i + BATCH] for i in range(0, len(samples), BATCH)]
        return np.concatenate(list(in_workers((joblib.delayed(_levels)(plan, b, calibrated) for b in batches), jobs)))

    return simulate


def _levels(plan: RampPlan, samples: np.ndarray, calibrated: bool) -> np.ndarray:
    program = plan.program()
    batch = measure_batch(plan, program, samples, conversions=False)
    return to_input_units((batch.after if calibrated else batch.before).volts, program, plan.circuit)


def yield_near_limit(
    plan: RampPlan,
    limits: Limits,
    simulate: Simulate,
    rng: np.random.Generator,
    *,
    calibrated: bool = True,
    n_pilot: int = 32,
    n_chosen: int = 64,
    n_candidates: int = 4000,
    n_control: int = 100_000,
    confidence: float = CONFIDENCE,
) -> Estimate:
    """Share of chips within the limits.

    The pilot are samples 0, 1, ... of the plan, the candidates follow them: each simulated chip has a number, and can be
    simulated again by it. ``rng`` decides which candidates are chosen.

    Parameters
    ----------
    simulate : callable
        `spice_levels`, or a store of simulated samples.
    n_pilot, n_chosen : int
        Chips simulated as they come, and number of chosen ones to expect.
    n_candidates, n_control : int
        Chips among which is chosen, and further ones; both in closed form only.

    Raises
    ------
    InputError
        A count that is too small, or no limit set.
    """
    check_share("confidence", confidence)
    used, program = margin(limits), plan.program()
    if plan.sampling.method != "random":
        raise InputError(f"sampling method={plan.sampling.method!r}: the estimate needs independent chips; take method random")
    for name, count, least in (
        ("n_pilot", n_pilot, MIN_FIT),
        ("n_candidates", n_candidates, n_chosen),
        ("n_control", n_control, 1000),
    ):
        if count < least:
            raise InputError(f"{name}={count}: must be {least} or more")
    numbers = np.arange(n_pilot + n_candidates)
    closed = same_chips(plan, numbers).levels(calibrated=calibrated)
    return yield_of_chosen(
        simulate(numbers[:n_pilot]),
        closed[:n_pilot],
        closed[n_pilot:],
        population(plan, n_control).levels(calibrated=calibrated),
        lambda positions: simulate(numbers[n_pilot:][positions]),
        rng,
        statistic=lambda x: used(x, program),
        limit=1.0,
        n_chosen=n_chosen,
        confidence=confidence,
    )


def yield_of_chosen(
    pilot: np.ndarray,
    pilot_closed: np.ndarray,
    candidates: np.ndarray,
    population: np.ndarray,
    simulate: Simulate,
    rng: np.random.Generator,
    *,
    statistic: Callable[[np.ndarray], np.ndarray],
    limit: float,
    n_chosen: int,
    confidence: float = CONFIDENCE,
) -> Estimate:
    """The estimate from levels: pilot in ngspice and in closed form, candidates and further chips in closed form.

    Parameters
    ----------
    pilot, pilot_closed : ndarray (n, levels)
    candidates, population : ndarray (N, levels)
    simulate : callable
        Positions among the candidates -> their levels in ngspice.
    statistic : callable
        Levels (n, levels) -> (n,); a chip passes at ``limit`` or less.

    Raises
    ------
    InputError
        Fewer than 16 chips of the pilot that worked.
    """
    good = np.isfinite(pilot).all(axis=1)
    pilot, pilot_closed = pilot[good], pilot_closed[good]
    y = check_values(statistic(pilot), "pilot", least=MIN_FIT)
    fitted = cross_fit(y, pilot, pilot_closed, pilot_closed, statistic)
    residuals, line = Residuals(fitted.residuals), lines(pilot_closed, pilot)
    chance, everyone = (residuals.below(limit - statistic(line(x))) for x in (candidates, population))
    probability = inclusion(chance, n_chosen)
    chosen = np.flatnonzero(rng.random(len(chance)) < probability)
    levels = simulate(chosen)
    measured = np.isfinite(levels).all(axis=1)
    chosen, verdict = chosen[measured], statistic(levels[measured]) <= limit
    rest = (verdict - chance[chosen]) / probability[chosen] / len(chance)
    undecided = chance * (1 - chance)
    shown, implied = float(np.sum(rest**2)), float(np.sum(undecided / probability)) / len(chance) ** 2
    trust = PRIOR / (4 * float(undecided[chosen].sum()) + PRIOR)
    variance = (1 - trust) * shown + trust * implied + float(everyone.var(ddof=1)) / len(everyone)
    passed = np.concatenate([y <= limit, verdict])
    expected = float(everyone.mean())
    found = share(expected + float(rest.sum()), variance, expected, trust, passed)
    low, high = found.interval(confidence)
    failed = int((~good).sum() + (~measured).sum())
    n = len(passed)
    closed = len(chance) + len(everyone)
    return Estimate("yield", found.value, math.sqrt(variance), low, high, confidence, n, closed, failed, found.plain_samples / n)
