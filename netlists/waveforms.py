"""Piecewise-linear sources: pulses of exact area, staircases, and their SPICE text."""

from __future__ import annotations

import numpy as np

from .errors import InputError


def pwl(times: np.ndarray, values: np.ndarray) -> str:
    """A PWL source's text from breakpoints, shapes (n,) each; long lists go over continuation lines.

    Raises
    ------
    InputError
        If time does not increase: two edges of a clock overlap.
    """
    if np.any(np.diff(times) <= 0):
        at = times[1:][np.diff(times) <= 0][0]
        raise InputError(f"two clock edges overlap at {at:.4g} s: t_edge is too long for t_settle, t_pulse or t_reset")
    pairs = [f"{t:.9g} {v:.12g}" for t, v in zip(times, values, strict=True)]
    lines = [" ".join(pairs[i : i + 8]) for i in range(0, len(pairs), 8)]
    return "PWL(" + "\n+ ".join(lines) + ")"


def pulses(
    start: np.ndarray, stop: np.ndarray, height: np.ndarray, edge: float, base: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Breakpoints of non-overlapping trapezoidal pulses.

    Each rises from ``start`` and is back at ``base`` by ``stop + edge``, so that its area above the base is
    exactly ``height * (stop - start)``.
    """
    t = np.stack([start, start + edge, stop, stop + edge], axis=1).ravel()
    v = np.stack([np.full_like(height, base), height, height, np.full_like(height, base)], axis=1).ravel()
    return np.append(0.0, t), np.append(base, v)


def stairs(start: np.ndarray, value: np.ndarray, edge: float) -> tuple[np.ndarray, np.ndarray]:
    """Breakpoints of a staircase that moves to ``value[i]`` within ``edge`` after ``start[i]``."""
    t = np.stack([start, start + edge], axis=1).ravel()
    v = np.stack([np.append(value[0], value[:-1]), value], axis=1).ravel()
    return np.append(0.0, t), np.append(value[0], v)
