"""95 % intervals of the mean and the standard deviation of cells whose errors are not Gaussian."""

from __future__ import annotations

import numpy as np

CONFIDENCE = 0.95


def kurtosis_of(groups: list[np.ndarray]) -> float:
    """Kurtosis of groups that differ in mean and spread, by Bonett's estimate: fourth powers about means without the ends.

    Source: D. G. Bonett, Computational Statistics & Data Analysis 50, 775 (2006), doi 10.1016/j.csda.2004.10.003; the cut is
    1 / (2 sqrt(n - 4)) of each end.
    """
    total, n = 0.0, 0
    for own in groups:
        cut = int(len(own) / (2 * np.sqrt(max(len(own) - 4, 1))))
        middle = np.sort(own)[cut : len(own) - cut] if len(own) > 2 * cut else own
        spread = float(np.mean((own - own.mean()) ** 2))
        if spread > 0:
            total += float(np.sum((own - middle.mean()) ** 4)) / spread**2
            n += len(own)
    return total / n if n else 3.0


def sigma_interval(sigma: np.ndarray | float, n: np.ndarray | float, kurtosis: float) -> tuple[np.ndarray, np.ndarray]:
    """95 % interval of a standard deviation of ``n`` values, whatever their law (Bonett, as above); shape of ``sigma``."""
    from scipy.stats import norm

    z, n = float(norm.ppf(0.5 + CONFIDENCE / 2)), np.asarray(n, float)
    size = n / (n - z)
    # A spread can be 0, and a kurtosis so small that nothing is left.
    wide = z * size * np.sqrt(np.maximum(kurtosis - (n - 3) / n, 0.0) / (n - 1)) / 2
    middle = np.sqrt(size) * np.asarray(sigma, float)
    return middle * np.exp(-wide), middle * np.exp(wide)


def mean_half_width(sigma: np.ndarray | float, n: np.ndarray | int) -> np.ndarray:
    """Half of the 95 % interval of the mean of ``n`` values, by Student's law; shape of ``sigma``."""
    from scipy.stats import t

    return np.asarray(t.ppf(0.5 + CONFIDENCE / 2, n - 1) * sigma / np.sqrt(n))
