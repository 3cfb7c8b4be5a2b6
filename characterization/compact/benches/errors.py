"""Errors of a model against what its fit has not seen, in few numbers."""

from __future__ import annotations

import numpy as np


def rms(values: np.ndarray) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(values**2)))


def in_volts(error: np.ndarray) -> dict[str, float]:
    """``rms_v`` and ``worst_v`` of errors in volts."""
    return {"rms_v": rms(error), "worst_v": float(np.abs(error).max())}


def code_agreement(modelled: np.ndarray, found: np.ndarray) -> dict[str, float]:
    """``codes_equal`` and ``codes_within_1``: parts of the codes that are as found, and at most one off."""
    apart = np.abs(modelled - found)
    return {"codes_equal": float(np.mean(apart == 0)), "codes_within_1": float(np.mean(apart <= 1))}
