"""A difference of accuracies or bits per character on the same test items, with its intervals over test sets and over chips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .statistics import NORMAL_95, ChipInterval, chip_interval, paired_difference


@dataclass(frozen=True)
class Change:
    """Mean over chips minus a reference, on the same test items.

    Attributes
    ----------
    value, low, high : float
        Difference and its 95 % interval over test sets; the chips are these.
    over_chips : ChipInterval
        The same difference with its 95 % interval over chips; the test set is this one.
    p : tuple of float
        Exact McNemar test of each chip against the reference; empty for a text.
    """

    value: float
    low: float
    high: float
    over_chips: ChipInterval
    p: tuple[float, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; ``chips_ci95`` is None for a single chip."""
        return {
            "difference": self.value,
            "test_set_ci95": [self.low, self.high],
            "chips_ci95": self.over_chips.limits,
            "p": list(self.p),
        }

    def columns(self) -> dict[str, float | None]:
        """The change, its interval over test sets and its interval over chips (None for a single chip), for tables."""
        o = self.over_chips
        return {"change": self.value, "low": self.low, "high": self.high, "chips_low": o.low, "chips_high": o.high}

    def loss_columns(self) -> dict[str, float | None]:
        """`columns` of the loss, a change of accuracy with the other sign."""
        o = self.over_chips
        ends = {"loss": self.value, "low": self.high, "high": self.low, "chips_low": o.high, "chips_high": o.low}
        # 0 minus 0 is 0, without a sign.
        return {k: None if v is None else 0.0 - v for k, v in ends.items()}

    def report(self) -> str:
        """For reading."""
        o = self.over_chips
        chips = "" if o.low is None else f"; of the mean over chips {o.low:+.4f}..{o.high:+.4f}"
        return f"{self.value:+.4f}  (95 % interval on the same items {self.low:+.4f}..{self.high:+.4f}{chips})"


def accuracy_change(correct: np.ndarray, reference: np.ndarray) -> Change:
    """Mean accuracy over chips minus a reference's, on the same sequences.

    Parameters
    ----------
    correct : ndarray of bool (chips, sequences)
    reference : ndarray of bool (sequences,) or (chips, sequences)
        Of one answer, which every chip is held against, or of as many chips.

    Notes
    -----
    The interval is Agresti and Min's as in `paired_difference`, with the mean over chips in place of a sequence's outcome: half
    a sequence is added to each of the four outcomes.
    """
    other = np.broadcast_to(reference, correct.shape)
    d = correct.mean(axis=0) - other.mean(axis=0)
    total = len(d) + 2.0
    centre = d.sum() / total
    half = NORMAL_95 * (((d @ d + 1.0) / total - centre**2) / total) ** 0.5
    p = tuple(paired_difference(a, b).p for a, b in zip(correct, other, strict=True))
    chips = chip_interval(correct.mean(axis=1) - other.mean(axis=1))
    return Change(float(d.mean()), float(centre - half), float(centre + half), chips, p)
