"""Mean, quantile and yield from few simulated chips and many chips in closed form.

The closed form ("control") of a chip predicts what ngspice will say of it. A line is fitted to the chips that were simulated, each
chip predicted by a fit that has not seen it (cross-fitting). With n simulated chips, N further chips in closed form,
the outcome f(y) and its prediction g(h), the estimator of E f(y) is

    mean(f(y_i) - w g(h_i), i simulated) + w mean(g(h_j), j in closed form)        w = N / (N + n)

with the variance ``var(f - w g) / n + w^2 var(g) / N``. It is the double-sampling regression estimator (W. G. Cochran, Sampling
Techniques, 3rd ed. 1977, section 12.6; control variates: A. B. Owen, Monte Carlo theory, methods and examples,
section 8.9) in the form of A. N. Angelopoulos, J. C. Duchi and T. Zrnic, PPI++ (arXiv 2311.01453), cross-fitted as in T. Zrnic
and E. J. Candes, PNAS 121, 2024, e2322083121. A prediction that is wrong costs width, not correctness.

That holds as far as the simulated chips show what the closed form misses. A defect of 3 % of chips, of which it knows nothing,
is in none of 32 of them in 38 % of cases, and the interval would be narrow and wrong. So the control is trusted where the chips
would have shown a defect of `UNSEEN` of all, and where none of their residuals stands apart; else the estimate is the plain
one, and says why.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from netlists.checks import Finite, Inside, check
from netlists.errors import InputError
from netlists.ramp import RampProgram

from .plain import (
    CONFIDENCE,
    Estimate,
    check_values,
    check_varies,
    jeffreys_interval,
    mean_of,
    proportion_interval,
    quantile_of,
    yield_of,
)
from .statistics import Statistic

FOLDS = 5
UNSEEN = 0.03
"""Share of chips with a defect that the closed form does not know, which the simulated chips must be able to show."""
SURE = 0.95
"""Probability with which they must."""
APART, MATTERS = 8.0, 0.1
"""A residual stands apart beyond so many robust standard deviations, and matters beyond this share of the statistic's own."""
PRIOR = 2.0
"""Weight of the implied variance of a verdict, in simulated chips whose verdict is open."""
BEYOND = 5.0
"""A quantile is known where so many plain samples would lie beyond it."""
MIN_FIT = 16
"""Fewer simulated chips are not enough to fit a line and to judge it."""


class TooFewChips(InputError):
    """The simulated chips do not bound a quantile; more of them would."""


@dataclass(frozen=True)
class Control:
    """What the closed form says of the chips, on the scale of what ngspice says.

    Attributes
    ----------
    y : ndarray (n,)
        Statistic of the simulated chips.
    predicted : ndarray (n,)
        The same chips' prediction, each by a fit to the other folds.
    population : ndarray (folds, N)
        Prediction of the further chips by each of these fits.
    """

    y: np.ndarray
    predicted: np.ndarray
    population: np.ndarray

    @property
    def residuals(self) -> np.ndarray:
        """What the prediction missed, shape (n,)."""
        return self.y - self.predicted


def fit_levels(
    spice: np.ndarray, control: np.ndarray, population: np.ndarray, statistic: Statistic, program: RampProgram
) -> Control:
    """Predicts a statistic from closed-form transition levels: each level by a straight line, then the statistic of these.

    A systematic error of the closed form, such as the bend of a transistor-level ramp, is taken out level by level, where it is
    close to constant; in a statistic such as max|INL| it is not.

    Parameters
    ----------
    spice, control : ndarray (n, levels)
        Levels of the simulated chips in ngspice and in closed form, input units.
    population : ndarray (N, levels)
        Levels of further chips in closed form.
    """
    spice, control, population = (np.asarray(a, float) for a in (spice, control, population))
    if spice.shape != control.shape or spice.ndim != 2 or population.shape[1:] != spice.shape[1:]:
        raise InputError(
            f"levels: have shapes {spice.shape} in ngspice, {control.shape} and {population.shape} in closed form;"
            " must be (n, levels) of the same chips, and (N, levels)"
        )
    y = check_values(statistic(spice, program), "statistic", least=MIN_FIT)
    return cross_fit(y, spice, control, population, lambda x: statistic(x, program))


def cross_fit(
    y: np.ndarray,
    target: np.ndarray,
    control: np.ndarray,
    population: np.ndarray,
    statistic: Callable[[np.ndarray], np.ndarray],
) -> Control:
    """Lines column by column, then ``statistic`` of the predicted columns.

    Sample i belongs to fold ``i % FOLDS``, so that more samples move none to another.
    """
    fold = np.arange(len(y)) % FOLDS
    predicted, everyone = np.empty(len(y)), np.empty((FOLDS, len(population)))
    for k in range(FOLDS):
        line = lines(control[fold != k], target[fold != k])
        predicted[fold == k] = statistic(line(control[fold == k]))
        everyone[k] = statistic(line(population))
    return Control(y, predicted, everyone)


def lines(x: np.ndarray, y: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Least-squares line of each column of ``y`` (n, columns) on that of ``x``; one that does not vary predicts the mean."""
    x_mean, y_mean = x.mean(axis=0), y.mean(axis=0)
    spread = np.sum((x - x_mean) ** 2, axis=0)
    # Below this the spread is rounding.
    varies = spread > len(x) * (1e-12 * np.abs(x).max(axis=0, initial=0.0)) ** 2
    slope = np.where(varies, np.sum((x - x_mean) * (y - y_mean), axis=0) / np.where(varies, spread, 1.0), 0.0)
    return lambda new: y_mean + slope * (new - x_mean)


def doubts(control: Control, unseen: float = UNSEEN) -> tuple[str, ...]:
    """Why the control must not be trusted, a line each; none if it may.

    Parameters
    ----------
    unseen : float
        Share of chips with a defect unknown to the closed form, which so many chips show with the probability `SURE`.
    """
    check(Inside, unseen, "unseen")
    y, residuals = control.y, control.residuals
    n, need = len(y), math.ceil(math.log(1 - SURE) / math.log1p(-unseen))
    if n < need:
        share = 1 - (1 - SURE) ** (1 / n)
        return (
            f"{n} simulated chips may not show a defect of {share:.1%} of all that the closed form does not know: the estimate is"
            f" without it as control, which takes {need} chips, or unseen={share:.2g}",
        )
    distance = np.abs(residuals - np.median(residuals))
    # 1.4826 times the median distance is the standard deviation of a normal.
    apart = distance > max(APART * 1.4826 * float(np.median(distance)), MATTERS * float(y.std()))
    if apart.any():
        return (
            f"{int(apart.sum())} of {n} chips lie up to {distance.max():.3g} from what the closed form says of them, and the others"
            f" {np.median(distance):.2g}: a defect that it does not know; the estimate is without it as control",
        )
    return ()


def mean_with(control: Control, *, confidence: float = CONFIDENCE, n_failed: int = 0, unseen: float = UNSEEN) -> Estimate:
    """Mean of the statistic; Student's t interval of n - 1 degrees of freedom. Without the control where there are `doubts`.

    Raises
    ------
    InputError
        If all simulated values are the same.
    """
    from scipy.stats import t

    check(Inside, confidence, "confidence")
    y = control.y
    check_varies(y)
    if reasons := doubts(control, unseen):
        return replace(mean_of(y, confidence=confidence), n_failed=n_failed, warnings=reasons)
    n, many = len(y), control.population.shape[1]
    w, population = many / (many + n), control.population.mean(axis=0)
    rest = y - w * control.predicted
    value = float(rest.mean() + w * population.mean())
    error = math.sqrt(float(rest.var(ddof=1)) / n + w**2 * float(population.var(ddof=1)) / many)
    half = float(t.ppf(0.5 * (1 + confidence), len(y) - 1)) * error
    reduction = float(y.var(ddof=1)) / n / error**2
    return Estimate("mean", value, error, value - half, value + half, confidence, n, many, n_failed, reduction)


@dataclass(frozen=True)
class Share:
    """Estimated share of chips at or below a limit.

    Attributes
    ----------
    value, variance : float
    plain_samples : float
        Simulated chips without a control that have the same variance.
    one_sided : bool
        Whether all simulated chips lie on the same side of the limit.
    """

    value: float
    variance: float
    plain_samples: float
    one_sided: bool

    def interval(self, confidence: float) -> tuple[float, float]:
        """Interval from the plain samples of the same variance; the exact one where no simulated chip differs from the others."""
        interval = proportion_interval if self.one_sided else jeffreys_interval
        return interval(self.value * self.plain_samples, self.plain_samples, confidence)


class Residuals:
    """Distribution of residuals (n,), smoothed by a normal kernel of Silverman's width that leaves their variance as it is.

    Source: B. W. Silverman and G. A. Young, Biometrika 74, 1987, 469-479. Never steeper than rounding allows.
    """

    def __init__(self, residuals: np.ndarray) -> None:
        from scipy.special import ndtr

        mean, spread = float(residuals.mean()), float(residuals.std())
        factor = 1.06 * len(residuals) ** -0.2
        shrunk = mean + (residuals - mean) / math.sqrt(1 + factor**2)
        width = max(factor / math.sqrt(1 + factor**2) * spread, 1e-12 * max(float(np.abs(residuals).max()), 1e-12))
        self.grid = np.linspace(shrunk.min() - 6 * width, shrunk.max() + 6 * width, 301)
        self.height = ndtr((self.grid[:, None] - shrunk) / width).mean(axis=1)

    def below(self, x: np.ndarray) -> np.ndarray:
        """Probability of a residual at or below ``x``, any shape."""
        return np.interp(x, self.grid, self.height, left=0.0, right=1.0)


class ShareEstimator:
    """Share of chips at or below a limit, for any limit.

    The prediction of a verdict is its probability ``P(residual <= limit - prediction)``, the residuals' distribution taken
    from the simulated chips: the difference estimator of J. N. K. Rao, J. G. Kovar and H. J. Mantel, Biometrika 77, 1990,
    365-375. Its variance is what the verdicts show. Where few or no simulated chips lie near the limit they show none; so
    the variance that the probabilities imply for the chips in closed form counts like `PRIOR` undecided chips.

    Residuals of a skew statistic are larger where it is large. Of ``near`` a limit only the quarter of the chips count that are
    predicted nearest to it, `MIN_FIT` at least.
    """

    def __init__(self, control: Control, near: float | None = None) -> None:
        self.control = control
        residuals = control.residuals
        if near is not None:
            nearest = np.argsort(np.abs(control.predicted - near), kind="stable")[: max(MIN_FIT, len(residuals) // 4)]
            residuals = residuals[nearest]
        self.residuals = Residuals(residuals)
        self._population = np.sort(control.population, axis=None)

    def expected(self, limit: float) -> tuple[float, float]:
        """Mean of the population's probabilities, and mean of their squares."""
        h = self._population
        # Only the chips whose residual decides need a probability; below them all pass, above them none.
        first, last = np.searchsorted(h, [limit - self.residuals.grid[-1], limit - self.residuals.grid[0]])
        near = self.residuals.below(limit - h[first:last])
        return float(first + near.sum()) / len(h), float(first + (near**2).sum()) / len(h)

    def expected_quantile(self, probability: float) -> float:
        """Limit at which the population's mean probability is ``probability``."""
        from scipy.optimize import brentq

        low, high = self._population[0] + self.residuals.grid[0], self._population[-1] + self.residuals.grid[-1]
        tolerance = 1e-12 * max(abs(low), abs(high))
        return float(brentq(lambda q: self.expected(q)[0] - probability, low, high, xtol=tolerance))

    def at(self, limit: float) -> Share:
        """The share at one limit."""
        c = self.control
        n, many = len(c.y), c.population.shape[1]
        w = many / (many + n)
        mean, square = self.expected(limit)
        spread = square - mean**2
        rest = (c.y <= limit) - w * self.residuals.below(limit - c.predicted)
        shown = float(rest.var(ddof=1))
        implied = mean - square + (1 - w) ** 2 * spread
        # A verdict is open to 4 p (1 - p): wholly at p = 1/2.
        trust = PRIOR / (4 * n * (mean - square) + PRIOR)
        variance = ((1 - trust) * shown + trust * implied) / n + w**2 * spread / many
        return share(float(rest.mean()) + w * mean, variance, mean, trust, c.y <= limit)


def share(value: float, variance: float, expected: float, trust: float, passed: np.ndarray) -> Share:
    """A share's estimate with its effective sample size.

    ``expected`` is the share that the predictions give, which has the weight ``trust`` in the variance of a single verdict, too.
    Where that variance, and the estimate's, vanish, the samples themselves count.
    """
    n, value = len(passed), min(max(value, 0.0), 1.0)
    single = (1 - trust) * value * (1 - value) + trust * expected * (1 - expected)
    plain = single / variance if min(single, n * variance) > 1e-12 else float(n)
    return Share(value, variance, plain, bool(passed.all() or not passed.any()))


def yield_with(
    control: Control, limit: float, *, confidence: float = CONFIDENCE, n_failed: int = 0, unseen: float = UNSEEN
) -> Estimate:
    """Share of chips whose statistic is at or below ``limit``. Without the control where there are `doubts`."""
    check(Inside, confidence, "confidence")
    check(Finite, limit, "limit")
    if reasons := doubts(control, unseen):
        return replace(yield_of(control.y, limit, confidence=confidence), n_failed=n_failed, warnings=reasons)
    n, many = len(control.y), control.population.shape[1]
    found = ShareEstimator(control, near=limit).at(limit)
    reduction = found.plain_samples / n
    return Estimate(
        "yield", found.value, math.sqrt(found.variance), *found.interval(confidence), confidence, n, many, n_failed, reduction
    )


def quantile_with(
    control: Control, probability: float, *, confidence: float = CONFIDENCE, n_failed: int = 0, unseen: float = UNSEEN
) -> Estimate:
    """Quantile of the statistic. Without the control where there are `doubts`.

    The predictions and their residuals give a distribution of the statistic. The simulated chips correct its height at its own
    quantile (a control variate for quantiles: T. C. Hesterberg and B. L. Nelson, Management Science 44, 1998, 1295-1312); the
    interval of that height is carried along the curve to the statistic (R. S. Woodruff, J. Am. Stat. Assoc. 47, 1952,
    635-646). The standard error is the interval's width over twice the normal quantile.

    Raises
    ------
    TooFewChips
        If the chips are too few to bound the quantile: beyond it must lie `BEYOND` of the plain samples they are worth.
    """
    from scipy.stats import norm

    check(Inside, probability, "probability")
    check(Inside, confidence, "confidence")
    check_varies(control.y)
    if reasons := doubts(control, unseen):
        try:
            return replace(quantile_of(control.y, probability, confidence=confidence), n_failed=n_failed, warnings=reasons)
        except InputError as e:
            raise TooFewChips(f"{e}; {reasons[0]}") from None
    n, shares = len(control.y), ShareEstimator(control)
    at = shares.at(shares.expected_quantile(probability))
    shift = at.value - probability
    low, high = replace(at, value=probability).interval(confidence)
    need = BEYOND / min(probability, 1 - probability)
    if at.plain_samples < need or not 0 < low - shift < high - shift < 1:
        raise TooFewChips(
            f"probability={probability:g}: {n} simulated chips, worth {at.plain_samples:.0f} without a control, do not bound this"
            f" quantile at {confidence:.0%}, which takes at least {math.ceil(need)}; simulate more"
        )
    value, low, high = (shares.expected_quantile(p - shift) for p in (probability, low, high))
    error = (high - low) / (2 * float(norm.ppf(0.5 * (1 + confidence))))
    many = control.population.shape[1]
    return Estimate("quantile", value, error, low, high, confidence, n, many, n_failed, at.plain_samples / n)
