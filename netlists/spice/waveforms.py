"""Piecewise-linear sources: pulses of exact area, staircases, and their SPICE text."""

from __future__ import annotations

import numpy as np

from netlists.errors import InputError, SimulationError

_A_LINE = 24
"""Breakpoints on a line of a deck; ngspice cuts lines past about 1,000 characters."""
_TICK_TOLERANCE = 1e-14


def pwl(times: np.ndarray, values: np.ndarray) -> str:
    """A PWL source's text from breakpoints, shapes (n,) each; long lists go over continuation lines.

    Raises
    ------
    InputError
        If time does not increase: two edges of a clock overlap.
    """
    return pwl_texts(times, np.asarray(values)[None])[0]


def pwl_texts(times: np.ndarray, values: np.ndarray) -> list[str]:
    """`pwl` of many sources with the same breakpoints (n,): ``values`` is (sources, n)."""
    _check_increasing(times)
    return _filled("PWL(", " ", " ", times, values)


def time_functions(times: np.ndarray, values: np.ndarray) -> list[str]:
    """The same waveforms as expressions ``pwl(time,...)`` of behavioural sources, which stay at their last value.

    Unlike a PWL source's, their breakpoints are not ngspice's: it cuts its time step to a tenth at every one of those, and needs
    ten steps to grow again. What must not be stepped over needs a `ticks` source in the same deck.
    """
    _check_increasing(times)
    # ngspice goes on along the last segment: it must be level.
    times, values = np.append(times, 1.0), np.concatenate([values, values[:, -1:]], axis=1)
    return _filled("pwl(time,", ",", ",", times, values)


def ticks(times: np.ndarray, stop: float) -> str:
    """A PWL source with a corner at each of the ``times``: ngspice places a time point there and starts anew after it."""
    corners = np.concatenate([[0.0], times, [stop]])
    return pwl(corners, np.arange(len(corners)) % 2)


def check_ticks(time: np.ndarray, ticks: np.ndarray) -> None:
    """Raises `SimulationError` if ngspice has no time point at one of the ``ticks`` that it came to: it may have lost a pulse."""
    ticks = ticks[ticks < time[-1]]
    after = np.searchsorted(time, ticks - _TICK_TOLERANCE)
    missed = ticks[time[after] > ticks + _TICK_TOLERANCE]
    if len(missed):
        raise SimulationError(f"ngspice stepped over the clock edge at {missed[0]:.6g} s")


def _check_increasing(times: np.ndarray) -> None:
    if np.any(np.diff(times) <= 0):
        at = times[1:][np.diff(times) <= 0][0]
        raise InputError(f"two clock edges overlap at {at:.4g} s: t_edge is too long for t_settle, t_pulse or t_reset")


def _filled(head: str, inner: str, outer: str, times: np.ndarray, values: np.ndarray) -> list[str]:
    """One text a row of ``values``: the times are written once, into a template that the rows fill."""
    pairs = [f"{t:.9g}{inner}%.12g" for t in times.tolist()]
    lines = [outer.join(pairs[i : i + _A_LINE]) for i in range(0, len(pairs), _A_LINE)]
    template = head + f"{outer.rstrip()}\n+ ".join(lines) + ")"
    return [template % tuple(row) for row in values.tolist()]


def pulses(
    start: np.ndarray, stop: np.ndarray, height: np.ndarray, edge: float, base: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Breakpoints of non-overlapping trapezoidal pulses.

    Each rises from ``start`` and is back at ``base`` by ``stop + edge``, so that its area above the base is
    exactly ``height * (stop - start)``. ``height`` may be (sources, pulses): then so are the values.
    """
    t = np.stack([start, start + edge, stop, stop + edge], axis=1).ravel()
    low = np.full_like(height, base)
    return np.append(0.0, t), _after(np.stack([low, height, height, low], axis=-1), base)


def stairs(start: np.ndarray, value: np.ndarray, edge: float) -> tuple[np.ndarray, np.ndarray]:
    """Breakpoints of a staircase that moves to ``value[..., i]`` within ``edge`` after ``start[i]``."""
    t = np.stack([start, start + edge], axis=1).ravel()
    before = np.concatenate([value[..., :1], value[..., :-1]], axis=-1)
    return np.append(0.0, t), _after(np.stack([before, value], axis=-1), value[..., :1])


def _after(corners: np.ndarray, first: np.ndarray | float) -> np.ndarray:
    """Values at each event's corners (..., events, corners) in one row, after the value at time 0."""
    row = corners.reshape(*corners.shape[:-2], -1)
    return np.concatenate([np.broadcast_to(first, (*row.shape[:-1], 1)), row], axis=-1)
