"""What comes between a speaker and a microphone: a room, noise, other people talking."""

from __future__ import annotations

import numpy as np


def reverberate(samples: np.ndarray, rate: int, *, decay_s: float, direct_db: float, rng: np.random.Generator) -> np.ndarray:
    """Add an exponentially decaying noise tail (J. A. Moorer, Computer Music Journal 3 (1979) 13-28); same length.

    Parameters
    ----------
    samples : ndarray (samples,)
    decay_s : float
        Time in which the tail falls by 60 dB.
    direct_db : float
        Energy of the direct sound over that of the tail.
    """
    from scipy.signal import fftconvolve

    t = np.arange(round(decay_s * rate)) / rate
    tail = rng.standard_normal(len(t)) * 10.0 ** (-3.0 * t / decay_s)
    tail *= 10.0 ** (-direct_db / 20) / np.sqrt(np.sum(tail**2))

    return samples + fftconvolve(samples, tail)[: len(samples)]


def coloured_noise(n: int, exponent: float, rng: np.random.Generator) -> np.ndarray:
    """Noise whose power falls with frequency to the power of ``exponent`` (0 white, 1 pink, 2 brown); mean square 1."""
    from scipy.fft import irfft, rfft

    spectrum = rfft(rng.standard_normal(n))
    spectrum[0] = 0.0
    spectrum[1:] /= np.arange(1, len(spectrum)) ** (exponent / 2)
    noise = irfft(spectrum, n)
    return noise / np.sqrt(np.mean(noise**2))


def babble(pool: list[np.ndarray], n: int, voices: int, rng: np.random.Generator) -> np.ndarray:
    """Several clips of a pool at once, each repeated over ``n`` samples from a random place on; mean square 1."""
    total = np.zeros(n)
    for i in rng.choice(len(pool), voices, replace=False):
        total += np.resize(np.roll(pool[i], rng.integers(len(pool[i]))), n)
    return total / np.sqrt(np.mean(total**2))


def at_ratio(noise: np.ndarray, ratio_db: float, power: float) -> np.ndarray:
    """Scale noise of mean square 1 to lie ``ratio_db`` below a signal of mean square ``power``."""
    return noise * np.sqrt(power) * 10.0 ** (-ratio_db / 20)
