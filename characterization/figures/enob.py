"""Effective number of bits of a linear converter: a sine is converted, and what is not that sine is noise and distortion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netlists.errors import InputError

from .inl_dnl import codes


@dataclass(frozen=True)
class SineTest:
    """Result of a sine test.

    Attributes
    ----------
    enob : float
        Effective number of bits.
    sinad_db : float
        Signal to noise and distortion, dB.
    amplitude, offset : float
        Of the fitted sine, codes.
    rms_error : float
        Codes rms.
    """

    enob: float
    sinad_db: float
    amplitude: float
    offset: float
    rms_error: float


def fit_sine(samples: np.ndarray, cycles: float) -> tuple[np.ndarray, np.ndarray]:
    """Three-parameter least-squares fit of a sine of known frequency (IEEE Std 1241-2010, annex A.1).

    Parameters
    ----------
    samples : ndarray (m,)
    cycles : float
        Cycles in the record.

    Returns
    -------
    parameters (3,)
        Cosine and sine amplitudes and offset.
    residual (m,)
    """
    samples = np.asarray(samples, float)
    phase = 2 * np.pi * cycles * np.arange(len(samples)) / len(samples)
    design = np.column_stack([np.cos(phase), np.sin(phase), np.ones_like(phase)])
    parameters = np.linalg.lstsq(design, samples, rcond=None)[0]
    return parameters, samples - design @ parameters


def sine_test(
    levels: np.ndarray,
    *,
    points: int = 16384,
    cycles: int = 1021,
    amplitude: float = 1.0,
    noise_sigma: float | np.ndarray = 0.0,
    rng: np.random.Generator | None = None,
) -> SineTest:
    """Converts a sine that spans the converter's range, and compares it with the sine (IEEE Std 1241-2010, section 9.1).

    Parameters
    ----------
    levels : ndarray (n,)
        Transition levels of a converter meant to be linear, any unit.
    points, cycles : int
        Coherent record: they must have no common factor, so that every phase is met once.
    amplitude : float
        Of the input, in halves of the range from a mean step below the first level to one above the last.
    noise_sigma : float or ndarray (n,)
        Input-referred rms noise of a conversion, unit of ``levels``; needs ``rng``.

    Returns
    -------
    SineTest
        ``enob = log2(range / (rms error * sqrt(12)))`` with the range the record spans: ``n + 1`` codes times amplitude.

    Raises
    ------
    InputError
        Fewer than 3 levels, values that are not finite, a record that is not coherent, noise without a generator.
    """
    levels = np.asarray(levels, float)
    if levels.ndim != 1 or len(levels) < 3 or not np.all(np.isfinite(levels)):
        raise InputError(f"levels: need at least 3 finite transition levels in one row, got shape {levels.shape}")
    if points < 16 or not 0 < cycles < points / 2 or np.gcd(points, cycles) != 1:
        raise InputError(f"points={points}, cycles={cycles}: need no common factor, and fewer cycles than half the points")
    if not 0 < amplitude <= 1:
        raise InputError(f"amplitude={amplitude}: must be above 0, at most 1 (of half the range)")
    noise_sigma = np.asarray(noise_sigma, float)
    if np.any(noise_sigma > 0) and rng is None:
        raise InputError("rng=None: a noisy sine test needs a numpy Generator")
    step = (levels[-1] - levels[0]) / (len(levels) - 1)
    low, high = levels[0] - step, levels[-1] + step
    phase = 2 * np.pi * cycles * np.arange(points) / points
    x = (low + high) / 2 + amplitude * (high - low) / 2 * np.sin(phase)
    if rng is not None:
        sigma = noise_sigma[np.minimum(codes(x, levels), len(levels) - 1)] if noise_sigma.ndim else noise_sigma
        x = x + sigma * rng.standard_normal(points)
    (cosine, sine, offset), residual = fit_sine(codes(x, levels), cycles)
    error = float(np.sqrt(np.mean(residual**2)))
    signal = float(np.hypot(cosine, sine))
    full = amplitude * (len(levels) + 1)
    return SineTest(
        enob=float(np.log2(full / (error * np.sqrt(12)))),
        sinad_db=float(20 * np.log10(signal / np.sqrt(2) / error)),
        amplitude=signal,
        offset=float(offset),
        rms_error=error,
    )
