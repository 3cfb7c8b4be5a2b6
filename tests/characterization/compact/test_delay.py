"""Delay laws against the macro-model's closed form, the measured transistor comparator, and their own inverse."""

import json
from pathlib import Path

import numpy as np
import pytest

from characterization.compact.delay import LAWS, DelayLaw
from characterization.transistors.macro_fit import macro_delay
from netlists.errors import InputError

OVERDRIVE = np.array([1e-3, 2e-3, 5e-3, 10e-3, 20e-3, 50e-3, 100e-3])
SUMMARY = Path(__file__).parents[3] / "results" / "blocks" / "summary.json"
TRUE = {
    "limited": lambda v: 2e-10 + macro_delay(v, 14.0, 2e-9, 0.9),
    "logarithmic": lambda v: 1e-9 + 2e-9 * np.log1p(30e-3 / v),
    "power": lambda v: 1e-9 + 3e-9 * (10e-3 / v) ** 0.5,
}


@pytest.mark.parametrize("law", LAWS)
def test_the_law_behind_the_delays_is_chosen(law):
    noise = 1 + 1e-3 * np.random.default_rng(0).standard_normal(7)
    fit = DelayLaw.fit(OVERDRIVE, TRUE[law](OVERDRIVE) * noise)
    assert fit.law == law
    np.testing.assert_allclose(fit.delay([3e-3, 30e-3]), TRUE[law](np.array([3e-3, 30e-3])), rtol=5e-3)


@pytest.mark.parametrize("law", LAWS)
def test_reach_inverts_delay(law):
    fit = DelayLaw.fit(OVERDRIVE, TRUE[law](OVERDRIVE), law=law)
    np.testing.assert_allclose(fit.reach(fit.delay(OVERDRIVE)), OVERDRIVE, rtol=1e-9)
    assert fit.reach(np.inf) == 0
    assert fit.reach(1e-12) == np.inf
    assert np.all(np.isinf(fit.delay([0.0, -1e-3])))


def test_limited_reach_from_a_known_rest_solves_the_differential_equation():
    # tau dy/dt = L tanh(g v / L) - y from y(0) = -L tanh(g before / L): where it is 0 at time t.
    gain, tau, limit, before, time = 14.0, 2e-9, 0.9, 20e-3, 6e-9
    fit = DelayLaw.fit(OVERDRIVE, macro_delay(OVERDRIVE, gain, tau, limit), law="limited")
    v = float(fit.reach(time, before))
    rest, drive = (limit * np.tanh(gain * s / limit) for s in (before, v))
    assert -rest * np.exp(-time / tau) + drive * (1 - np.exp(-time / tau)) == pytest.approx(0, abs=1e-6 * limit)
    assert v < fit.reach(time)


def test_measured_transistor_comparator():
    rows = json.loads(SUMMARY.read_text())["comparator_delay"]
    v, t = np.array([r["overdrive"] for r in rows]), np.array([r["delay_rise"] for r in rows])
    fit = DelayLaw.fit(v, t)
    assert fit.law == "logarithmic"
    assert np.max(np.abs(fit.delay(v) / t - 1)) < 0.02
    assert 0 < fit.tau.stderr < 0.05 * fit.tau.value


def test_none_decides_at_once():
    law = DelayLaw()
    np.testing.assert_array_equal(law.delay([1e-3, 0.0]), [0.0, np.inf])
    np.testing.assert_array_equal(law.reach([1e-9, 1e-6]), [0.0, 0.0])


@pytest.mark.parametrize(
    ("v", "t", "law", "message"),
    [
        (OVERDRIVE[:4], OVERDRIVE[:4], None, "5 or more"),
        (-OVERDRIVE, OVERDRIVE, None, "above 0"),
        (OVERDRIVE, OVERDRIVE * np.nan, None, "finite"),
        (OVERDRIVE, 1e-9 / OVERDRIVE, "square", "law='square'"),
    ],
)
def test_refusals(v, t, law, message):
    with pytest.raises(InputError, match=message):
        DelayLaw.fit(v, t, law)
