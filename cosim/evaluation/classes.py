"""Which classes are taken for which: confusion matrix, balanced accuracy, F1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class ClassFigures:
    """Figures of each class, over all chips.

    Attributes
    ----------
    classes : tuple of str
    confusion : ndarray of int (classes, classes)
        Test sequences of a class (rows) that were taken for a class (columns), summed over chips.
    """

    classes: tuple[str, ...]
    confusion: np.ndarray

    @classmethod
    def of(cls, predictions: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> ClassFigures:
        """Counts predictions (chips, sequences) against labels (sequences,)."""
        predictions = np.atleast_2d(predictions)
        n = max(len(classes), int(predictions.max()) + 1)
        pairs = np.broadcast_to(labels, predictions.shape) * n + predictions
        confusion = np.bincount(pairs.ravel(), minlength=n * n).reshape(n, n)
        return cls((*classes, *(f"class {i}" for i in range(len(classes), n))), confusion)

    @property
    def recall(self) -> np.ndarray:
        """Share of each class's sequences that were recognised; NaN of a class without any."""
        with np.errstate(invalid="ignore"):
            return np.diag(self.confusion) / self.confusion.sum(axis=1)

    @property
    def precision(self) -> np.ndarray:
        """Share of what was taken for a class that is of it; NaN of a class that nothing was taken for."""
        with np.errstate(invalid="ignore"):
            return np.diag(self.confusion) / self.confusion.sum(axis=0)

    @property
    def f1(self) -> np.ndarray:
        """Harmonic mean of precision and recall of each class, 0 where nothing is right; NaN of a class without sequences."""
        taken = self.confusion.sum(axis=0) + self.confusion.sum(axis=1)
        with np.errstate(invalid="ignore"):
            return np.where(self.confusion.sum(axis=1) > 0, 2 * np.diag(self.confusion) / taken, np.nan)

    @property
    def balanced_accuracy(self) -> float:
        """Mean of the classes' recalls, of classes that have test sequences."""
        return float(np.nanmean(self.recall))

    @property
    def macro_f1(self) -> float:
        """Mean of the classes' F1, of classes that have test sequences."""
        return float(np.nanmean(self.f1))

    @property
    def never(self) -> tuple[str, ...]:
        """Classes with test sequences that no answer names."""
        there, named = self.confusion.sum(axis=1) > 0, self.confusion.sum(axis=0) > 0
        return tuple(c for c, t, n in zip(self.classes, there, named, strict=True) if t and not n)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; None where a figure is of nothing."""

        def plain(values: np.ndarray) -> list[float | None]:
            return [None if np.isnan(v) else float(v) for v in values]

        return {
            "classes": list(self.classes),
            "balanced_accuracy": self.balanced_accuracy,
            "macro_f1": self.macro_f1,
            "recall": plain(self.recall),
            "precision": plain(self.precision),
            "f1": plain(self.f1),
            "confusion": self.confusion.tolist(),
        }
