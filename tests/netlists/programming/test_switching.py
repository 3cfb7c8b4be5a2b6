"""Switching memristors: pinched hysteresis, the state against SciPy, and plain ``ngspice -b``."""

import dataclasses
import re

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from netlists.errors import InputError
from netlists.programming.switching import VTEAM_FAST, YAKOPCIC_TAOX, Vteam, Yakopcic, hysteresis_deck, solve_state
from netlists.spice.engine import simulate
from netlists.spice.program import run_batch

# Model, amplitude (V), frequency (Hz), state at the start.
CASES = [
    (Vteam(), 1.5, 1e6, 0.5),
    (Vteam(p=3, k_on=-3e6), 1.3, 1e6, 0.9),
    (VTEAM_FAST, 0.3, 50e6, 0.5),
    (Yakopcic(), 0.5, 100.0, 0.11),
    (dataclasses.replace(Yakopcic(), eta=-1), 0.5, 100.0, 0.5),
    (YAKOPCIC_TAOX, 1.1, 1e6, 0.3),
]
NAMES = ["vteam", "vteam-p3", "vteam-fast", "yakopcic", "yakopcic-eta-1", "yakopcic-taox"]


@pytest.fixture(scope="module", params=range(len(CASES)), ids=NAMES)
def loop(request):
    model, amplitude, frequency, x0 = CASES[request.param]
    deck = hysteresis_deck(model, amplitude=amplitude, frequency=frequency, x0=x0)
    return model, amplitude, frequency, x0, deck, simulate(deck, ["te", "cur", "x"])


def test_hysteresis_is_pinched(loop):
    *_, waves = loop
    at_zero = np.abs(waves["te"]) < 1e-12
    assert at_zero.sum() >= 5  # the start and every half period
    assert np.abs(waves["cur"][at_zero]).max() < 1e-12


def test_the_loop_encloses_an_area(loop):
    _, _, frequency, _, _, waves = loop
    second = waves["time"] > 1 / frequency
    v, i, t = waves["te"][second], waves["cur"][second], waves["time"][second]
    up = np.interp(1.25 / frequency - 0.05 / frequency, t, i)
    down = np.interp(1.25 / frequency + 0.05 / frequency, t, i)
    assert abs(up - down) > 1e-3 * max(abs(up), abs(down))
    assert np.interp(1.2 / frequency, t, v) == pytest.approx(np.interp(1.3 / frequency, t, v), rel=1e-3)


def test_state_follows_scipys_solution(loop):
    model, amplitude, frequency, x0, _, waves = loop
    omega = 2 * np.pi * frequency
    want = solve_state(
        model, lambda t: amplitude * np.sin(omega * t), waves["time"], x0=x0, corners=np.arange(1, 4) / (2 * frequency)
    )
    np.testing.assert_allclose(waves["x"], want, rtol=1e-3)
    assert np.ptp(want) > 0.02


def test_current_follows_the_model_equation(loop):
    model, *_, waves = loop
    want = model.current(waves["te"], waves["x"])
    np.testing.assert_allclose(waves["cur"], want, atol=2e-5 * np.abs(want).max())


def test_plain_ngspice_gives_the_same_final_state(loop, tmp_path):
    *_, deck, waves = loop
    printed = run_batch(deck.write(tmp_path / "loop.cir"))
    end = float(re.search(r"x_end\s*=\s*(\S+)", printed).group(1))
    # ngspice 47 prints six digits of a measurement, older ones seven.
    assert end == pytest.approx(waves["x"][-1], rel=5e-6)


@settings(max_examples=12)
@given(
    amplitude=st.floats(0.1, 2.0), x0=st.floats(0.0, 1.0), rate=st.floats(5.0, 7.5),
    model=st.sampled_from([Vteam(), Vteam(p=2.5), YAKOPCIC_TAOX]),
)  # fmt: skip
def test_state_stays_between_its_ends(amplitude, x0, rate, model):
    deck = hysteresis_deck(model, amplitude=amplitude, frequency=10**rate, x0=x0, periods=1)
    x = simulate(deck, ["x"])["x"]
    assert x.min() > -1e-6
    assert x.max() < 1 + 1e-6


@settings(max_examples=12)
@given(amplitude=st.floats(0.01, 0.59), x0=st.floats(0.0, 1.0), model=st.sampled_from([Vteam(), YAKOPCIC_TAOX]))
def test_nothing_moves_below_the_threshold(amplitude, x0, model):
    x = simulate(hysteresis_deck(model, amplitude=amplitude, frequency=1e6, x0=x0, periods=1), ["x"])["x"]
    np.testing.assert_allclose(x, x0, atol=1e-9)


@given(v=st.floats(-2, 2), x=st.floats(0.01, 0.99), model=st.sampled_from([m for m, *_ in CASES]))
def test_the_sign_that_sets_raises_the_conductance(v, x, model):
    speed = float(model.motion(v, x))
    more = float(model.current(0.2, min(x + 1e-3, 1.0)) - model.current(0.2, x))
    assert speed * more * v * model.set_sign >= 0


@given(g=st.floats(30e-6, 450e-6), model=st.sampled_from([Vteam(), YAKOPCIC_TAOX]))
def test_state_inverts_the_conductance_at_the_read_voltage(g, model):
    assert float(model.current(0.2, model.state(g, 0.2))) / 0.2 == pytest.approx(g, rel=1e-12)


def test_yakopcic_taox_has_the_curvature_of_the_profile():
    v = np.linspace(0.01, 0.25, 20)
    sinh = YAKOPCIC_TAOX.current(v, 1.0)
    np.testing.assert_allclose(sinh, 500e-6 * (v + 0.5 * v**3), rtol=1e-3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Vteam(r_off=1e3), "r_off=1000: must be above r_on"),
        (lambda: hysteresis_deck(Vteam(), amplitude=1.0, frequency=0.0), "frequency=0.0: must be a finite number above 0"),
        (
            lambda: hysteresis_deck(Vteam(), amplitude=1.0, frequency=1e6, x0=1.5),
            "x0=1.5: must be a finite number 0..1: the state of a memristor",
        ),
        (lambda: solve_state(Vteam(), lambda t: 0.0, np.array([0.0, 1.0]), x0=float("nan")), "x0=nan"),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(InputError, match=re.escape(message)):
        make()
