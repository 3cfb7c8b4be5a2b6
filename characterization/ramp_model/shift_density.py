"""Density of a calibration shift that follows the gain error, written out: a search asks for it a hundred thousand times."""

from __future__ import annotations

import math

import numpy as np

SURE = 20.0
"""Log odds beyond which the wide normal is as good as certain."""


def normal_logpdf(x: np.ndarray, sigma: float) -> np.ndarray:
    """As SciPy's; written out, for a search asks thousands of times and most of the time there goes into checks of arguments."""
    return -((x / sigma) ** 2) / 2 - math.log(math.sqrt(2 * math.pi)) - math.log(sigma)


def follows_gain_logpdf(
    x: np.ndarray, square: np.ndarray, sigma: float, shape: float, weight: float, apart: float, steep: float, cut: float
) -> np.ndarray:
    """Log density of kind ``follows-gain`` given the squares of the gain errors: what a search asks a hundred thousand times."""
    from scipy.special import expit, logit, ndtr

    d = x - apart * (square - 1)
    wide = expit(np.minimum(logit(weight) + steep * square, SURE))
    inside = normal_logpdf(d, sigma) - math.log(1 - 2 * ndtr(-cut))
    narrow = np.where(np.abs(d) <= cut * sigma, inside, -np.inf)
    return np.logaddexp(np.log1p(-wide) + narrow, np.log(wide) + normal_logpdf(d, shape))
