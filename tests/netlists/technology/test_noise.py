"""Noise of integrators against ngspice: its .noise analysis, and transients with noise as PWL sources."""

import numpy as np
import pytest

from netlists.spice import Deck, simulate
from netlists.technology import Conditions, noise
from netlists.testbench.ota import ota_noise_deck
from netlists.testbench.run import commands, run_bench

GBW, G, C, UNITY = 136.32e6, 20e-3, 30e-12, 0.236e-3
ONE_POLE = f""".subckt one_pole inp inn out com
g1 com x inp inn {2 * np.pi * GBW * 1e-12:.12g}
c1 x com 1p
e1 out com x com 1
r1 x com 1e12 noisy=0
.ends one_pole"""


def test_the_transfer_is_that_of_ngspice_s_noise_analysis():
    """An op-amp of one pole with C_f around it and G at its summing node; a resistor of e^2 / 4 k T ohms makes the input noise."""
    e = noise.input_density(UNITY, GBW)
    r = e**2 / (4 * noise.BOLTZMANN * noise.ROOM)
    cards = [
        "input noise of an integrator",
        ONE_POLE,
        "vin in 0 dc 0 ac 1",
        f"rn in inp {r:.9g}",
        "x1 inp sum out 0 one_pole",
        # Quiet: a current source that follows its voltage has no thermal noise.
        f"gg sum 0 sum 0 {G:g}",
        f"cf sum out {C:g}",
        "",
    ]
    steps = commands("noise v(out) vin dec 10 1e5 1e10", "setplot previous", ("noise", ["onoise_spectrum"]))
    frequency, density = run_bench(Deck("\n".join(cards), steps), ["noise"])["noise"].T
    np.testing.assert_allclose(density, e * np.sqrt(noise.transfer_squared(frequency, G, C, GBW)), rtol=1e-5)


def test_the_default_op_amp_is_the_one_of_transistors():
    frequency, density = run_bench(ota_noise_deck(Conditions()), ["noise"])["noise"].T
    assert np.sqrt(np.trapezoid(density**2, frequency)) == pytest.approx(noise.OPAMP_NOISE, rel=0.01)
    assert np.interp(1e6, frequency, density) == pytest.approx(noise.OPAMP_DENSITY, rel=0.02)


def test_the_variance_is_the_integral_of_the_transfer():
    """Without G the whole spectrum; with it, what a random walk and the bandwidth give after a time, by numerical convolution."""
    assert noise.opamp_noise(UNITY, GBW, 0.0, C, 1.0) == pytest.approx(UNITY)
    time, n = 0.2e-6, 200_000
    t = (np.arange(n) + 0.5) * time / n
    w = 2 * np.pi * GBW
    p = G / C + w
    h = w * G / (C * p) + w**2 / p * np.exp(-p * t)
    expected = noise.input_density(UNITY, GBW) * np.sqrt(np.sum(h**2) * time / n / 2)
    assert noise.opamp_noise(UNITY, GBW, G, C, time) == pytest.approx(expected, rel=1e-6)


def test_transients_with_pwl_noise_have_that_variance():
    """128 integrators, each with its own white noise in steps of 0.5 ns: flat far beyond the bandwidth."""
    rng = np.random.default_rng(1)
    step, time, columns = 0.5e-9, 60e-9, 128
    sigma = noise.input_density(UNITY, GBW) / np.sqrt(2 * step)
    cards = ["integrators with input noise", ONE_POLE]
    for k in range(columns):
        points, values = np.arange(0, time + step, step), sigma * rng.standard_normal(int(time / step) + 2)
        held = " ".join(f"{t:.5g} {v:.6g} {t + step - 1e-12:.5g} {v:.6g}" for t, v in zip(points, values, strict=False))
        cards += [f"v{k} i{k} 0 PWL({held})", f"x{k} i{k} s{k} o{k} 0 one_pole"]
        cards += [f"r{k} s{k} 0 {1 / G:g}", f"c{k} s{k} o{k} {C:g} ic=0"]
    names = [f"o{k}" for k in range(columns)]
    cards += [".save " + " ".join(f"v({n})" for n in names), f".tran {step / 4:g} {time:g} 0 {step / 4:g} uic", ""]
    found = simulate(Deck("\n".join(cards)), ["time", *names])
    last = np.array([found[n][-1] for n in names])
    # The standard error of a standard deviation of 128: 6 %.
    assert last.std() == pytest.approx(noise.opamp_noise(UNITY, GBW, G, C, time), rel=0.18)


def test_more_poles_show_at_unity_gain_and_not_in_the_walk():
    walk = noise.opamp_noise(UNITY, GBW, G, C, 1e-5, density=5e-9)
    assert walk == pytest.approx(5e-9 / 2**0.5 * G / (C + G / (2 * np.pi * GBW)) * 1e-5**0.5, rel=0.02)
    assert noise.opamp_noise(UNITY, GBW, 0.0, C, 1.0, density=5e-9) == pytest.approx(UNITY)


def test_thermal_and_reset_noise_have_their_textbook_sizes():
    assert noise.reset_noise(14.4e-12) == pytest.approx(17e-6, rel=0.01)
    # Johnson noise of 1 kohm over 1 s into 1 F: half the single-sided density.
    assert noise.thermal_noise(1e-3, 1.0, 1.0) == pytest.approx(np.sqrt(4 * 1.380649e-23 * 300.15 * 1e-3 / 2))
