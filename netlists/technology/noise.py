"""Noise of an integrator around conductances: its op-amp, the thermal noise of the cells, the reset of its capacitor.

The op-amp has one pole, ``A(s) = 2 pi gbw / s``, and white noise e at its input (V/sqrt(Hz), single-sided), which at unity gain is

    v_u^2 = e^2 (pi / 2) gbw

With a conductance G at the summing node and C_f around it, noise at the input comes out with

    H(s) = a / s + b / (s + p),    p = G / C_f + w,  a = w G / (C_f p),  b = w^2 / p,   w = 2 pi gbw

so that after a time T from a reset its variance is ``e^2 / 2`` times the integral of ``(a + b exp(-p t))^2`` from 0 to T: a random
walk of the charge that the input pushes through G, and the op-amp's own bandwidth on top. Without G this is v_u^2. An op-amp with
more poles shows more at unity gain than its density says: the bandwidth's part then takes v_u as it is, the walk takes e.
"""

from __future__ import annotations

import numpy as np

BOLTZMANN = 1.380649e-23
"""J/K, exact (SI)."""
ROOM = 300.15
"""Kelvin; 27 deg C."""
OPAMP_NOISE = 0.2369e-3
"""Volts rms at unity gain with 1 pF: ota_sky130, tt, 27 deg C, .noise from 100 Hz to 100 GHz (`testbench.ota.ota_noise_deck`)."""
OPAMP_DENSITY = 9.1e-9
"""V/sqrt(Hz) below its bandwidth, from the same analysis."""


def input_density(unity: float, gbw: float) -> float:
    """White input noise of an op-amp that shows ``unity`` volts rms at unity gain, V/sqrt(Hz); ``gbw`` in hertz."""
    return float(unity / np.sqrt(np.pi / 2 * gbw))


def transfer_squared(frequency: np.ndarray, conductance: float, c_f: float, gbw: float) -> np.ndarray:
    """|H|^2 from the op-amp's input noise to the output at frequencies in hertz, shape of ``frequency``."""
    s, w = 2j * np.pi * np.asarray(frequency, float), 2 * np.pi * gbw
    p = conductance / c_f + w
    return np.abs(w * conductance / (c_f * p) / s + w**2 / p / (s + p)) ** 2


def opamp_noise(
    unity: float,
    gbw: float,
    conductance: np.ndarray | float,
    c_f: np.ndarray | float,
    time: float,
    density: float | None = None,
) -> np.ndarray:
    """Rms noise of the output a ``time`` (seconds) after the reset, volts.

    Parameters
    ----------
    unity : float
        Rms noise of the op-amp at unity gain, volts.
    conductance, c_f : array
        What lies at the summing node all the time, siemens, and around the op-amp, farads; broadcast to each other.
    density : float or None
        Input noise below the bandwidth, V/sqrt(Hz); None: that of an op-amp with one pole.
    """
    g, c = np.asarray(conductance, float), np.asarray(c_f, float)
    w = 2 * np.pi * gbw
    p = g / c + w
    a, b = w * g / (c * p), w**2 / p
    e = input_density(unity, gbw) if density is None else density
    walk = a**2 * time + 2 * a * b * -np.expm1(-p * time) / p
    return np.asarray(np.sqrt(e**2 / 2 * walk + unity**2 * b**2 * -np.expm1(-2 * p * time) / (w * p)))


def thermal_noise(conductance: np.ndarray | float, c_f: np.ndarray | float, time: float, temperature: float = ROOM) -> np.ndarray:
    """Rms voltage that the cells' thermal current leaves on C_f after a ``time``: ``sqrt(2 k T G t) / C_f``, volts."""
    return np.sqrt(2 * BOLTZMANN * temperature * np.asarray(conductance, float) * time) / np.asarray(c_f, float)


def reset_noise(c_f: np.ndarray | float, temperature: float = ROOM) -> np.ndarray:
    """Rms voltage that a reset switch leaves on a capacitor: ``sqrt(k T / C)``, volts."""
    return np.sqrt(BOLTZMANN * temperature / np.asarray(c_f, float))
