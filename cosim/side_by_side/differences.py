"""Difference of two figures with its 95 % interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cosim.evaluation.statistics import NORMAL_95, accuracy_interval, chip_interval, paired_difference


@dataclass(frozen=True)
class KnownFigure:
    """One figure of a result.

    Attributes
    ----------
    value : float
    low, high : float or None
        Its 95 % interval, if it has one.
    each : ndarray or None
        Values of the items that it is the mean of, numbers or bool, NaN where one failed; the same place in another result of the
        same seed is the same item.
    """

    value: float
    low: float | None = None
    high: float | None = None
    each: np.ndarray | None = None


@dataclass(frozen=True)
class Difference:
    """A figure of two results and the second minus the first.

    Attributes
    ----------
    name : str
    first, second : float
    value : float
    low, high : float or None
        The 95 % interval of the difference; None: neither result says how sure its figure is.
    how : str
        "paired", "independent", or empty without an interval.
    items : int or None
        Of paired means, where not all items of both are in both: the number of those that are; all figures are of them alone.
    """

    name: str
    first: float
    second: float
    value: float
    low: float | None = None
    high: float | None = None
    how: str = ""
    items: int | None = None

    @property
    def clear(self) -> bool:
        """Whether the interval leaves 0 out; of a figure without one whether it differs at all."""
        if self.low is None or self.high is None:
            return self.value != 0
        return not self.low <= 0 <= self.high

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; None where a number is not finite."""
        out = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in vars(self).items()}
        return out | {"clear": self.clear}


def difference(name: str, a: KnownFigure, b: KnownFigure, same_items: bool) -> Difference:
    """Second minus first, paired where both are means over the same items: figures and interval are of those that both have."""
    if a.each is not None and b.each is not None and same_items and a.each.dtype == b.each.dtype:
        x, y = _in_both(a.each, b.each)
        if (found := paired(x, y)) is not None:
            first, second = float(x.mean()), float(y.mean())
            items = None if len(x) == _items(a.each) == _items(b.each) else len(x)
            return Difference(name, first, second, second - first, *found, "paired", items)
    found = independent(a, b)
    low, high = found or (None, None)
    return Difference(name, a.value, b.value, b.value - a.value, low, high, "independent" if found else "")


def _items(each: np.ndarray) -> int:
    """How many items did not fail."""
    return len(each) if each.dtype == bool else int(np.isfinite(each).sum())


def _in_both(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values of the items that both have."""
    n = min(len(first), len(second))
    a, b = first[:n], second[:n]
    if a.dtype == bool:
        return a, b
    both = np.isfinite(a) & np.isfinite(b)
    return a[both], b[both]


def paired(first: np.ndarray, second: np.ndarray) -> tuple[float, float] | None:
    """95 % interval of the mean of second minus first, item by item; None with less than two items in both.

    Shares of bool items have Agresti and Min's interval, means of numbers Student's. Items that only one has are left out.
    """
    a, b = _in_both(first, second)
    if a.dtype == bool:
        if not len(a):
            return None
        found = paired_difference(b, a)
        return found.low, found.high
    if len(a) < 2:
        return None
    interval = chip_interval(b - a)
    assert interval.low is not None
    assert interval.high is not None
    return interval.low, interval.high


def independent(a: KnownFigure, b: KnownFigure) -> tuple[float, float] | None:
    """95 % interval of second minus first of two results without common items; None if one has no interval of its own.

    Means of numbers have Welch's interval; everything else the square-and-add interval of the two (R. G. Newcombe, Stat. Med. 17,
    1998, 873-890, method 10; G. Y. Zou and A. Donner, Stat. Med. 27, 2008, 1693-1702), for shares Wilson's.
    """
    if a.each is not None and b.each is not None and a.each.dtype != bool and b.each.dtype != bool:
        x, y = (v[np.isfinite(v)] for v in (a.each, b.each))
        if len(x) < 2 or len(y) < 2:
            return None
        return _welch(x, y)
    (a_low, a_high), (b_low, b_high) = _ends(a), _ends(b)
    if a_low is None or a_high is None or b_low is None or b_high is None:
        return None
    d = b.value - a.value
    return d - math.hypot(b.value - b_low, a_high - a.value), d + math.hypot(b_high - b.value, a.value - a_low)


def _ends(f: KnownFigure) -> tuple[float | None, float | None]:
    if f.each is not None and f.each.dtype == bool and len(f.each):
        interval = accuracy_interval(int(f.each.sum()), len(f.each))
        return interval.low, interval.high
    return f.low, f.high


def _welch(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Welch's interval of the difference of two means."""
    from scipy.stats import t

    vx, vy = x.var(ddof=1) / len(x), y.var(ddof=1) / len(y)
    d = float(y.mean() - x.mean())
    if vx + vy == 0:
        return d, d
    freedom = (vx + vy) ** 2 / (vx**2 / (len(x) - 1) + vy**2 / (len(y) - 1))
    half = float(t.ppf(0.975, freedom)) * math.sqrt(vx + vy)
    return d - half, d + half


def joined_figure(value: float, items: Sequence[float], chips: Sequence[float] | None) -> KnownFigure:
    """A mean over chips and test items, whose two intervals say what other items, and what other chips, could make of it.

    The interval of both is the square-and-add one; of a single chip, which has none, that over items alone.
    """
    known = [(low, high) for low, high in (items, chips or (math.nan, math.nan)) if math.isfinite(low + high)]
    if not known:
        return KnownFigure(value)
    below, above = (math.hypot(*(abs(end[i] - value) for end in known)) for i in (0, 1))
    return KnownFigure(value, value - below, value + above)


def normal_figure(value: float, stderr: float) -> KnownFigure:
    """A fitted figure with its standard error."""
    return KnownFigure(float(value), float(value - NORMAL_95 * stderr), float(value + NORMAL_95 * stderr))
