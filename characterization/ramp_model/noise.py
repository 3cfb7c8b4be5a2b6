"""Tell comparator offset, comparator noise and read noise apart, from one noisy conversion a chip.

The difference between a level met by another column in one noisy conversion and the chip's own noise-free level is
Gaussian with covariance ``2 s_o^2 11' + s_c^2 I + s_r^2 M``: the offsets of two comparators, a new draw of comparator
noise at every decision, and the read noise of all cells passed so far: ``M[k, k']`` sums their squared weights.
Only M grows along the ramp, so the three variances can be told apart. They are fitted by maximum likelihood with
Fisher scoring; the standard errors are those of the inverse Fisher information.

Read noise is some percent of such a difference. Of chips that were drawn here, what stands in series with the comparators'
inputs is known (`injected`): without it only what the cells' read noise does to the simulated ramp is left, which `read_variance`
measures to a few percent of its sigma from some hundred chips.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import Field

from characterization.chips import draw
from characterization.plan import RampPlan
from netlists.errors import InputError
from netlists.ramp import RampProgram
from netlists.technology import DeviceProfile

from .file import Fitted

LEADING = 0.98
"""Share of the read noise's variance in the directions that measure it; numerical noise of two decks has its in the others."""


class NoiseEstimate(Fitted):
    """A fitted standard deviation, 0 or more, with its standard error and unit."""

    value: float = Field(ge=0)

    def times(self, factor: float) -> NoiseEstimate:
        """The value and its error scaled."""
        return NoiseEstimate(value=self.value * factor, stderr=self.stderr * factor, unit=self.unit)


@dataclass(frozen=True)
class NoiseFit:
    """Standard deviations, activation input units except ``read_noise`` (siemens, as ``DeviceProfile.read_sigma``)."""

    comparator_offset: NoiseEstimate
    comparator_noise: NoiseEstimate
    read_noise: NoiseEstimate


NOISE_UNITS = {"comparator_offset": "input units", "comparator_noise": "input units", "read_noise": "S"}
FOLLOWS = 0.1
UNKNOWN_DRAWS = "read noise was fitted beside that of the comparators, not by itself: the levels are not those of the plan's draws"


def read_noise_shape(program: RampProgram, profile: DeviceProfile, *, fresh: bool = False) -> np.ndarray:
    """Covariance of the transition levels per unit of ``profile.read_sigma``, shape (levels, levels).

    Level k has collected the noise of every cell selected up to step k, calibration cells included, each with the
    profile's dependence on its state; input units^2 / S^2. With ``fresh`` only what each conversion draws anew.
    """
    k = np.arange(1, program.n_steps)
    sigma = profile.fresh_sigma_at if fresh else profile.read_sigma_at
    state = sigma(program.conductance) / profile.read_sigma if profile.read_sigma else 1.0
    weight = (program.width * state / program.unit_charge) ** 2
    passed = np.array([np.sum(weight[program.step <= i]) for i in k])
    return passed[np.minimum.outer(k, k) - 1]


def level_errors(program: RampProgram, change: np.ndarray) -> np.ndarray:
    """What changes of the cells (n, cells), siemens, do to the levels (n, levels), input units: the charge of all cells passed."""
    charge = change * program.polarity * program.width / program.unit_charge
    return np.array([charge[:, program.step <= k].sum(axis=1) for k in range(1, program.n_steps)]).T


def injected(plan: RampPlan, samples: np.ndarray, difference: np.ndarray) -> np.ndarray | None:
    """What offsets and noise of the comparators put into the differences (n, levels) of some samples of a plan, input units.

    None where the differences do not follow it by `FOLLOWS`: chips of another origin than the plan's draws.
    """
    known = draw(plan, samples).decision_shifts / plan.program().volts_per_unit(plan.circuit)
    size = float(np.sum(known**2))
    return known if size == 0 or abs(np.sum(known * difference) / size - 1) < FOLLOWS else None


def read_variance(rest: np.ndarray, program: RampProgram, profile: DeviceProfile) -> tuple[float, float]:
    """Variance of the cells' read noise, siemens^2, and the degrees of freedom that it is known with.

    Parameters
    ----------
    rest : ndarray (n, levels)
        Differences without what was `injected`: read noise alone, input units.

    Returns
    -------
    variance, freedom : float
        The variance in the leading directions of `read_noise_shape`, `LEADING` of it all; the freedom from the spread of the chips'
        own, at most what normal numbers have.
    """
    values, vectors = np.linalg.eigh(read_noise_shape(program, profile))
    values, vectors = values[::-1], vectors[:, ::-1]
    m = int(np.searchsorted(np.cumsum(values) / values.sum(), LEADING)) + 1
    own = np.mean((rest @ vectors[:, :m]) ** 2 / values[:m], axis=1)
    mean, n = float(own.mean()), len(own)
    if mean == 0:
        return 0.0, float(n * m)
    return mean, n * min(m, 2 * mean**2 / float(own.var(ddof=1))) if n > 1 else 1.0


def fit_noise(
    difference: np.ndarray,
    program: RampProgram,
    profile: DeviceProfile,
    *,
    injected: np.ndarray | None = None,
    iterations: int = 200,
) -> NoiseFit:
    """Fits the three variances.

    Parameters
    ----------
    difference : ndarray (n, levels)
        Level in the noisy conversion minus the chip's own level, input units; no NaN.
    injected : ndarray (n, levels), optional
        What is known to be in it, `injected`: read noise then is what is left, and the other two are fitted beside it.

    Returns
    -------
    NoiseFit
        A variance that the data put at zero is zero, its error that of the variance's square root at the bound.

    Raises
    ------
    InputError
        At 1 bit: a single level has one variance, which is the sum of the three.
    """
    n, levels = difference.shape
    if levels < 2:
        raise InputError(
            "bits=1: one transition level cannot tell offset, comparator noise and read noise apart; take 2 bits or more"
        )
    scatter = difference.T @ difference / n
    parts = np.array([2 * np.ones((levels, levels)), np.eye(levels), read_noise_shape(program, profile)])
    scale = max(np.trace(scatter) / levels, 0.0)
    if scale < 1e-24:
        return _noise_fit(np.zeros(3), np.zeros(3))
    # Work in units in which the three parts are comparable; start from equal shares.
    units = np.array([scale / np.mean(np.diag(p)) for p in parts])
    parts = parts * units[:, None, None]
    theta = np.full(3, 1.0 / 3.0)
    floor, asked = 1e-12, np.ones(3, bool)
    if injected is not None:
        known, freedom = read_variance(difference - injected, program, profile) if profile.read_sigma else (0.0, 1.0)
        theta[2], asked[2] = max(known / units[2], floor), False
    information = np.eye(3)
    for _ in range(iterations):
        inverse = np.linalg.inv(np.tensordot(theta, parts, 1))
        whitened = inverse @ parts
        information = 0.5 * n * np.einsum("aij,bji->ab", whitened, whitened)
        gradient = 0.5 * n * (np.einsum("aij,ji->a", whitened, inverse @ scatter) - np.einsum("aii->a", whitened))
        free = asked & ~((theta <= floor) & (gradient < 0))
        step = np.zeros(3)
        step[free] = _inverse(information[np.ix_(free, free)]) @ gradient[free]
        new = np.maximum(theta + step, floor)
        # At least one part must keep the covariance invertible.
        new[1] = max(new[1], 1e-9)
        if np.max(np.abs(new - theta)) < 1e-10:
            theta = new
            break
        theta = new
    variance = theta * units
    errors = np.zeros(3)
    errors[asked] = np.sqrt(np.diag(_inverse(information[np.ix_(asked, asked)])))
    errors *= units
    if injected is not None:
        errors[2] = known * np.sqrt(2 / freedom)
    # Parts that were put at their bound are zero.
    bound = variance <= np.array([floor, 1e-9, floor]) * units * 1.001
    sigma = np.where(bound, 0.0, np.sqrt(variance))
    return _noise_fit(sigma, np.where(bound, np.sqrt(errors), errors / (2 * np.where(bound, 1.0, sigma))))


def _noise_fit(sigma: np.ndarray, stderr: np.ndarray) -> NoiseFit:
    return NoiseFit(*(NoiseEstimate.of(s, e, unit) for s, e, unit in zip(sigma, stderr, NOISE_UNITS.values(), strict=True)))


def _inverse(information: np.ndarray) -> np.ndarray:
    """Pseudo-inverse of an information matrix, scaled to ones on its diagonal first: its entries span many decades."""
    scale = np.sqrt(np.diag(information))
    return np.linalg.pinv(information / np.outer(scale, scale), hermitian=True) / np.outer(scale, scale)
