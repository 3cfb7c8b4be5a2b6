"""What a network is judged by: accuracy, or bits per character; which way is better, and how it is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from netlists.errors import InputError

from .change import Change


@dataclass(frozen=True)
class Metric:
    """A figure of a test set.

    Attributes
    ----------
    name : str
        As a task has it.
    higher_is_better : bool
    factor : float
        From the figure to the number that is written.
    digits : int
        Of that number, behind the point.
    unit, gain_unit : str
        Of a value and of a difference, behind the number.
    """

    name: str
    higher_is_better: bool
    factor: float
    digits: int
    unit: str
    gain_unit: str

    @property
    def label(self) -> str:
        """For an axis."""
        unit = f" ({self.unit.strip()})" if self.factor != 1 else ""
        return f"{self.name}{unit}{'' if self.higher_is_better else ', less is better'}"

    def gain(self, difference: Any) -> Any:
        """How much better something is that differs by so much, number or array: positive is better, whichever way that is."""
        return difference if self.higher_is_better else 0.0 - difference

    def gain_columns(self, change: Change) -> dict[str, float]:
        """Value and interval of the gain that a change is, for tables."""
        low, high = sorted((self.gain(change.low), self.gain(change.high)))
        return {"value": self.gain(change.value), "low": low, "high": high}

    def interval(self, value: float, low: float, high: float) -> str:
        """Writes a value with its interval."""
        v, a, b = (f"{self.factor * x:.{self.digits}f}" for x in (value, low, high))
        return f"{v}{self.unit} ({a}..{b})"

    def gain_interval(self, value: float, low: float, high: float) -> str:
        """Writes a gain with its interval."""
        v, a, b = (f"{self.factor * x:+.{self.digits}f}" for x in (value, low, high))
        return f"{v}{self.gain_unit} ({a}..{b})"


METRICS = {
    m.name: m
    for m in (
        Metric("accuracy", True, 100.0, 2, " %", " points"),
        Metric("bits per character", False, 1.0, 4, "", " bits"),
    )
}


def metric_of(name: str) -> Metric:
    """The metric of a task by its name; `InputError` for one whose better side is not known."""
    if name not in METRICS:
        raise InputError(f"metric={name!r}: unknown; which way is better is known of {', '.join(METRICS)}")
    return METRICS[name]
