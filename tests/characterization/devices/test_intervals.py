"""Bonett's interval of a standard deviation, as his paper writes it."""

import numpy as np
import pytest
from scipy.stats import norm

from characterization.devices.intervals import kurtosis_of, sigma_interval


def test_kurtosis_counts_from_a_mean_without_the_ends():
    """n = 11: of each end 11 / (2 sqrt(7)) values, two, are cut; the others have the mean 5."""
    y = np.array([0.0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 30])
    expected = 11 * np.sum((y - 5) ** 4) / np.sum((y - y.mean()) ** 2) ** 2
    assert kurtosis_of([y]) == pytest.approx(expected)
    assert kurtosis_of([y, 100 - 7 * y]) == pytest.approx(expected)
    assert kurtosis_of([np.zeros(9)]) == 3.0


@pytest.mark.parametrize(("n", "kurtosis"), [(10, 3.0), (40, 1.8), (40, 9.0)])
def test_interval_of_a_variance(n, kurtosis):
    """exp(ln(c s^2) +- z c sqrt((kurtosis - (n - 3) / n) / (n - 1))), c = n / (n - z)."""
    z = norm.ppf(0.975)
    c = n / (n - z)
    half = z * c * np.sqrt((kurtosis - (n - 3) / n) / (n - 1))
    expected = np.sqrt(np.exp(np.log(c * 2.0**2) + np.array([-half, half])))
    assert sigma_interval(2.0, n, kurtosis) == pytest.approx(expected)
