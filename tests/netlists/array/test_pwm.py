"""Pulse-width modulated inputs: codes, exact areas, the driver blocks in ngspice, and what is refused."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from netlists.array.pwm import Pwm
from netlists.converter.cards import OPTIONS
from netlists.errors import InputError
from netlists.spice.deck import Deck, subcircuit
from netlists.spice.engine import simulate
from netlists.spice.waveforms import pwl


@given(st.integers(2, 12), st.integers(1, 4), st.floats(1e-9, 1e-7), st.data())
def test_area_of_every_pulse_train_is_exact(n_in, periods, t_unit, data):
    pwm = Pwm(n_in, t_unit, periods=periods)
    code = data.draw(st.integers(-pwm.max_code, pwm.max_code))
    t, v = pwm.breakpoints(code, 5e-9, 1.8, t_unit / 10)
    assert np.trapezoid(v, t) == pytest.approx(1.8 * abs(pwm.pulse_time(code)), rel=1e-9, abs=1e-30)
    assert v[0] == v[-1] == 0.0
    assert t[-1] <= 5e-9 + pwm.duration
    if code:
        # The mean time of the area, which the finite gain of an integrator sees.
        t0, t1, v0, v1 = t[:-1], t[1:], v[:-1], v[1:]
        moment = np.sum((t1 - t0) / 6 * (v0 * (2 * t0 + t1) + v1 * (t0 + 2 * t1)))
        middle = moment / np.trapezoid(v, t) - 5e-9
        assert middle == pytest.approx(pwm.pulse_middle(code) + t_unit / 20, rel=1e-6)


@given(st.integers(2, 12), st.floats(0.1, 10))
def test_codes_stand_for_values(n_in, value_max):
    pwm = Pwm(n_in)
    codes = np.arange(-pwm.max_code, pwm.max_code + 1)
    np.testing.assert_array_equal(pwm.encode(codes / pwm.max_code * value_max, value_max), codes)
    np.testing.assert_array_equal(pwm.encode([-9 * value_max, 0.0, 9 * value_max], value_max), [-pwm.max_code, 0, pwm.max_code])


def test_times():
    pwm = Pwm(3, 10e-9, t_gap=5e-9, periods=2)
    assert pwm.max_code == 3
    assert pwm.period == pytest.approx(35e-9)
    assert pwm.duration == pytest.approx(70e-9)
    np.testing.assert_allclose(pwm.pulse_time([-3, 0, 2]), [-60e-9, 0, 40e-9])


@pytest.mark.parametrize("level", ["ideal", "macro"])
@pytest.mark.parametrize("code", [-3, -1, 0, 2])
def test_driver_moves_its_two_rows_apart_by_the_exact_area(level, code):
    pwm, edge = Pwm(3, 10e-9, t_gap=20e-9, periods=2), 0.1e-9
    wave = pwl(*pwm.breakpoints(code, 5e-9, 1.8, edge)) if code else "DC 0"
    nodes = "p 0" if code > 0 else "0 p"
    deck = Deck(
        f"driver\n{subcircuit(f'pwm_driver_{level}')}vcom com 0 0.9\nvp p 0 {wave}\n"
        f"xd {nodes} a b com pwm_driver_{level} v_read=0.2 v_dd=1.8\nr1 a com 1k\nr2 b com 1k\n"
        f"{OPTIONS}\n.save v(a) v(b)\n.tran 0.2n {5e-9 + pwm.duration!r} 0 0.2n\n"
    )
    waves = simulate(deck, ["a", "b"])
    for node, sign in (("a", -1), ("b", 1)):
        area = np.trapezoid(waves[node] - 0.9, waves["time"])
        assert area == pytest.approx(sign * 0.2 * float(pwm.pulse_time(code)), rel=2e-4, abs=1e-15)
    if level == "ideal" and code:
        assert np.ptp(waves["a"]) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        ([0, 0], r"inputs: has shape \(2,\), must be numbers of shape \(..., 3\)"),
        ([[0, 0, 0], [0, 0, -16]], r"inputs\[1, 2\]=-16: must be a whole number -15\.\.15: n_in=5 bits"),
    ],
)
def test_bad_codes(codes, message):
    with pytest.raises(InputError, match=message):
        Pwm().check_codes(codes, 3)


def test_bad_values_and_edges():
    with pytest.raises(InputError, match="value_max=0: must be a finite number above 0"):
        Pwm().encode([0.0], 0)
    with pytest.raises(InputError, match=r"values\[1\]=inf"):
        Pwm().encode([0.0, np.inf], 1.0)
    with pytest.raises(InputError, match=r"t_unit=4e-08 s: must be at least two edges long, 2 t_edge = 6e-08 s"):
        Pwm().breakpoints(3, 0.0, 1.8, 30e-9)
