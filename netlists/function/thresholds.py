"""Where a function crosses its decision levels: every threshold of a ramp, sorted in x, with the way the code steps.

A ramp passes the thresholds below its input in the order of x. The code starts at the function's own at the lower end
of the domain, and each threshold passed adds +1 or -1 to it. So the function need not be monotonic; it need only be
piecewise monotonic, with pieces wider than the search grid.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from netlists.errors import InputError

Function = Callable[[np.ndarray], np.ndarray]

GRID = 2048
"""Intervals of the search grid on the domain."""
FINEST = 1 / 4096
"""Smallest distance of two thresholds, as a part of the domain: what a ramp column can resolve (assumption)."""
MERGE_LSB = 0.01
"""Two crossings between which the function passes a level by less than this, in output LSB, are left out by default."""
MAX_THRESHOLDS = 1024
_TOLERANCE = 1e-12
_BISECTIONS = 60


@dataclass(frozen=True)
class Thresholds:
    """Thresholds of a ramp.

    Attributes
    ----------
    x : ndarray (n,)
        Increasing, activation input units.
    code_step : ndarray of int (n,)
        +1 or -1: what passing each threshold adds to the code.
    start_code : int
        Code below x[0].
    given_up : tuple of str
        What was left out or moved, in words.
    """

    x: np.ndarray
    code_step: np.ndarray
    start_code: int
    given_up: tuple[str, ...] = ()

    @property
    def codes(self) -> np.ndarray:
        """Code after 0, 1, ... n thresholds were passed, shape (n + 1,), of int."""
        return self.start_code + np.append(0, np.cumsum(self.code_step))


def output_range(name: str, value: Function, domain: tuple[float, float]) -> tuple[float, float]:
    """Smallest and largest value of a function on a domain."""
    y = _nodes(name, value, domain)[1]
    return float(y.min()), float(y.max())


def find(name: str, value: Function, domain: tuple[float, float], decisions: np.ndarray, *, merge: float) -> Thresholds:
    """All crossings of a function with its decision levels on a domain.

    A level that is only touched, or reached at an end of the domain, gives no threshold; one that the function stays on
    for a while gives one in the middle of the flat part if the function leaves to the other side. Thresholds closer than
    `FINEST`, as a jump makes them, are moved apart, as little as possible.

    Parameters
    ----------
    name : str
        For messages.
    value : callable
    domain : (float, float)
    decisions : ndarray (m,)
        Increasing decision levels, output units.
    merge : float
        Pairs of crossings of one level between which the function goes past it by less than this are left out.

    Raises
    ------
    InputError
        No crossing at all, more than `MAX_THRESHOLDS`, or values that are not finite.
    """
    x, y = _nodes(name, value, domain)
    low, high, level, sign, start = _brackets(x, y, decisions)
    if len(level) == 0:
        raise InputError(
            f"activation {name}: crosses none of its {len(decisions)} decision levels between x = {domain[0]:g} and {domain[1]:g}: "
            "every input has the same code; take more bits, another domain or another output range"
        )
    if len(level) > MAX_THRESHOLDS:
        raise InputError(
            f"activation {name}: crosses its decision levels {len(level)} times, a ramp has at most {MAX_THRESHOLDS} thresholds; "
            "smooth it, narrow its domain or take fewer bits"
        )
    at = _bisect(value, low, high, decisions[level], sign)
    # At a jump several crossings share one x: their order is the order of the levels.
    order = np.lexsort((sign * level, at))
    at, level, sign = at[order], level[order], sign[order]
    before = start + np.append(0, np.cumsum(sign))[:-1]
    if np.any(np.where(sign > 0, before, before - 1) != level):
        raise InputError(f"activation {name}: is too rough to follow: its crossings of neighbouring levels are out of order")
    keep, merged = _without_touches(at, sign, x, np.abs(y - decisions[:, None]), level, merge)
    if not keep.any():
        raise InputError(
            f"activation {name}: goes past its decision levels by less than {merge:.3g} only: every input has the same code; "
            "take more bits or a smaller merge_lsb"
        )
    at, sign = at[keep], sign[keep]
    notes = []
    if merged:
        notes.append(f"{len(merged)} pairs of thresholds that pass a level by at most {max(merged):.3g} (output units) left out")
    finest = FINEST * (domain[1] - domain[0])
    if np.any(np.diff(at) < finest * (1 - 1e-9)):
        apart = _apart(at, finest)
        moved = np.abs(apart - at)
        k = int(np.argmax(moved))
        notes.append(
            f"{int(np.sum(moved > 0))} thresholds closer than {finest:.3g} (input units) moved apart, "
            f"by at most {moved[k]:.3g} at x = {at[k]:.4g}"
        )
        at = apart
    return Thresholds(at, sign, start, tuple(notes))


def _nodes(name: str, value: Function, domain: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Points between which the function is taken to be monotonic: a grid and the extrema, and its values there."""
    x = np.linspace(*domain, GRID + 1)
    y = np.asarray(value(x), float)
    if y.shape != x.shape or not np.all(np.isfinite(y)):
        raise InputError(
            f"activation {name}: must give a finite number for every x from {domain[0]:g} to {domain[1]:g}, "
            "for an array an array of the same shape"
        )
    move = np.sign(np.diff(y))
    moving = np.flatnonzero(move)
    turn = np.flatnonzero(move[moving[:-1]] * move[moving[1:]] < 0)
    extra = [_extremum(value, x[moving[i]], x[moving[i + 1] + 1], float(move[moving[i]])) for i in turn[:MAX_THRESHOLDS]]
    if extra:
        x = np.unique(np.append(x, extra))
        y = np.asarray(value(x), float)
    return x, y


def _extremum(value: Function, low: float, high: float, direction: float) -> float:
    """Finds where a function that rises (direction 1) or falls (-1) first is largest or smallest between two points."""
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(
        lambda x: -direction * float(value(np.array([x]))[0]),
        bounds=(low, high),
        method="bounded",
        options={"xatol": 1e-9 * (high - low)},
    )
    return float(found.x)


def _brackets(x: np.ndarray, y: np.ndarray, decisions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int]:
    """Interval, level and direction of each crossing, and the number of levels below the function at the start."""
    scale = max(float(np.abs(y).max()), float(np.abs(decisions).max()), 1e-300)
    found: list[tuple[float, float, int, int]] = []
    start = 0
    for j, d in enumerate(decisions):
        side = np.where(np.abs(y - d) <= _TOLERANCE * scale, 0, np.sign(y - d)).astype(int)
        off = np.flatnonzero(side)
        if len(off) == 0:
            continue
        start += side[off[0]] > 0
        for i in np.flatnonzero(side[off[:-1]] != side[off[1:]]):
            a, b = off[i], off[i + 1]
            if b == a + 1:
                found.append((x[a], x[b], j, side[b]))
            else:
                # On the level from node a + 1 to b - 1.
                middle = 0.5 * (x[a + 1] + x[b - 1])
                found.append((middle, middle, j, side[b]))
    low, high, level, sign = (np.array(c) for c in zip(*found, strict=True)) if found else (np.empty(0, int),) * 4
    return low, high, level, sign, int(start)


def _bisect(value: Function, low: np.ndarray, high: np.ndarray, level: np.ndarray, sign: np.ndarray) -> np.ndarray:
    """All crossings at once: bisection needs no slope and ends at a jump too."""
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        below = (np.asarray(value(middle), float) - level) * sign < 0
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return 0.5 * (low + high)


def _without_touches(
    at: np.ndarray, sign: np.ndarray, x: np.ndarray, distance: np.ndarray, level: np.ndarray, merge: float
) -> tuple[np.ndarray, list[float]]:
    """Tells which crossings stay when pairs that hardly pass their level go, and how far those pass; smallest first."""
    keep = np.ones(len(at), bool)
    merged: list[float] = []
    while True:
        left = np.flatnonzero(keep)
        pairs = [(a, b) for a, b in pairwise(left) if sign[a] != sign[b]]
        # Between the two of a pair the function turns, so an extremum is among the nodes there.
        past = [float(np.max(distance[level[a], (x >= at[a]) & (x <= at[b])], initial=0.0)) for a, b in pairs]
        if not past or min(past) >= merge:
            return keep, merged
        a, b = pairs[int(np.argmin(past))]
        keep[[a, b]] = False
        merged.append(min(past))


def _apart(at: np.ndarray, finest: float) -> np.ndarray:
    """Thresholds moved as little as possible (least squares) so that neighbours are ``finest`` or more apart."""
    from scipy.optimize import isotonic_regression

    ladder = finest * np.arange(len(at))
    return isotonic_regression(at - ladder).x + ladder
