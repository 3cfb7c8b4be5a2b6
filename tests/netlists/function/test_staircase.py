"""Ramps fitted to data, held against published quantizers; compiled to cells, and their levels in ngspice."""

import numpy as np
import pytest
from scipy.special import ndtri

from characterization import RampPlan
from characterization.chips import measure
from netlists import load_profile, program_ramp
from netlists.converter import Converter
from netlists.errors import InputError
from netlists.function import FITS, Staircase, fit_staircase, get_activation, holdable, uniform_staircase
from netlists.ramp import Chips, to_input_units

NORMAL = ndtri((np.arange(100_000) + 0.5) / 100_000)


@pytest.mark.parametrize("fit", ["k-means", "lloyd-max"])
def test_a_fit_of_a_linear_function_is_the_published_quantizer_of_a_gaussian(fit):
    """J. Max, Quantizing for minimum distortion, 1960, table I: four levels."""
    found = fit_staircase(NORMAL, "identity", 2, fit=fit, held_back=0.0)
    np.testing.assert_allclose(found.thresholds, [-0.9816, 0.0, 0.9816], atol=1e-3)
    np.testing.assert_allclose(found.values, [-1.510, -0.4528, 0.4528, 1.510], atol=1e-3)


def test_quantiles_make_codes_equally_likely_and_values_are_means():
    found = fit_staircase(NORMAL, "sigmoid", 3, fit="quantile", held_back=0.0)
    code = np.searchsorted(found.thresholds, NORMAL)
    assert np.ptp(np.bincount(code)) <= 2
    y = get_activation("sigmoid").value(NORMAL)
    np.testing.assert_allclose(found.values, [y[code == k].mean() for k in range(8)], rtol=1e-3)


def test_least_square_error_of_the_output_is_lloyd_max():
    y = get_activation("sigmoid").value(NORMAL)
    error = {f: np.mean((fit_staircase(NORMAL, "sigmoid", 3, fit=f).convert(NORMAL) - y) ** 2) for f in FITS}
    error["uniform"] = np.mean((uniform_staircase("sigmoid", 3).convert(NORMAL) - y) ** 2)
    assert min(error, key=error.get) == "lloyd-max"


def test_outliers_at_the_ends_are_held_back():
    far = np.concatenate([NORMAL, [300.0] * 50])
    plain, held, not_held = (
        fit_staircase(x, "identity", 2, fit="k-means", held_back=share).thresholds
        for x, share in ((NORMAL, 0.001), (far, 0.001), (far, 0.0))
    )
    np.testing.assert_allclose(held, plain, atol=0.02)
    assert not_held[-1] > 100


def test_steps_are_what_cells_can_hold():
    rng = np.random.default_rng(1)
    for _ in range(50):
        x = np.cumsum(rng.lognormal(0, 2, 15)) * rng.choice([-1, 1])
        held = holdable(x, 8.0)
        steps = np.diff(held)
        assert 0 < steps.max() <= 8.0 * steps.min()
        np.testing.assert_allclose(holdable(held, 8.0), held)
    assert holdable(np.array([0.0, 1.0, 2.0]), 2.0).tolist() == [0.0, 1.0, 2.0]


def test_what_cannot_be_is_refused():
    with pytest.raises(InputError, match="2\\*\\*bits"):
        Staircase((0.0, 1.0), (0.0, 1.0, 2.0))
    with pytest.raises(InputError, match="must increase"):
        Staircase((0.0, 0.0, 1.0), (0.0, 1.0, 2.0, 3.0))
    with pytest.raises(InputError, match="different inputs"):
        fit_staircase(np.zeros(100), "tanh", 3)
    with pytest.raises(InputError, match="falls"):
        fit_staircase(NORMAL, "gelu", 3)
    with pytest.raises(InputError, match="up and down"):
        uniform_staircase("gaussian", 3)


def deviation(stairs, profile, wanted=None):
    """Largest distance of the nominal chip's levels in ngspice from the thresholds, LSB."""
    plan = RampPlan(stairs.table("fitted"), stairs.bits, profile=profile)
    program = plan.program()
    found = measure(Converter(program, plan.circuit), Chips.nominal(program))
    assert found.status[0] == "ok"
    off = to_input_units(found.volts[0], program, plan.circuit) - (stairs.thresholds if wanted is None else wanted)
    return np.abs(off / program.lsb).max()


@pytest.mark.parametrize(("fit", "bits"), [("lloyd-max", 3), ("quantile", 4), ("k-means", 2)])
def test_compiled_ramps_meet_the_fitted_thresholds_in_ngspice(fit, bits):
    profile = load_profile("taox-100-400")
    samples = np.random.default_rng(2).gamma(2.0, 0.8, 5000) - 2.0
    stairs = fit_staircase(samples, "sigmoid", bits, fit=fit)
    assert deviation(stairs, profile) < 0.05
    np.testing.assert_allclose(program_ramp(stairs.table("own"), bits, profile).x, stairs.thresholds, atol=1e-9)
    moved = np.array(stairs.thresholds)
    moved[0] += 0.1 * (moved[1] - moved[0])
    assert deviation(stairs, profile, moved) > 0.05
