"""Tables of the study of learned ramps: paired differences, and bits saved at equal accuracy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from cosim.evaluation import accuracy_change

from .settings import LearnedRampsSettings

RESAMPLES = 1000
Answers = Mapping[tuple[Any, ...], np.ndarray]


def headline_bits(bits: Sequence[int]) -> tuple[int, int]:
    """Resolutions that sentences compare: learned at 3 bits, or at the last but one, and uniform at the next."""
    at = list(bits).index(3) if 3 in bits[:-1] else len(bits) - 2
    return bits[at], bits[at + 1]


def gain_rows(answers: Answers, s: LearnedRampsSettings) -> list[dict[str, Any]]:
    """Ramps of fewer bits, uniform ones too, minus uniform ramps of the next resolution: same training, same test sequences."""
    out = []
    for (task, training, ramps, bits, on), correct in answers.items():
        following = {low: high for low, high in pairwise(s.bits)}.get(bits)
        if following is None:
            continue
        change = accuracy_change(correct.astype(bool), answers[task, training, "uniform", following, on].astype(bool))
        row = {"task": task, "training": training, "ramps": ramps, "bits": bits, "uniform_bits": following, "on": on}
        out.append(row | {"value": change.value, "low": change.low, "high": change.high})
    return out


def saved_rows(answers: Answers, s: LearnedRampsSettings) -> list[dict[str, Any]]:
    """How many bits more uniform ramps need for the accuracy of others: interpolated, with 95 % of resampled test sequences.

    Beyond the resolutions of the study nothing is known: a value at an end of the range is a bound.
    """
    out = []
    for (task, training, ramps, bits, on), correct in answers.items():
        if ramps in ("uniform", "float"):
            continue
        means = np.stack([answers[task, training, "uniform", b, on].mean(axis=0) for b in s.bits])
        own = correct.mean(axis=0)
        pick = np.random.default_rng(s.seed).integers(len(own), size=(RESAMPLES, len(own)))
        drawn = [_equal(means[:, p].mean(axis=1), own[p].mean(), s.bits) - bits for p in pick]
        value = _equal(means.mean(axis=1), own.mean(), s.bits) - bits
        low, high = np.quantile(drawn, (0.025, 0.975))
        bound = "at least" if value >= s.bits[-1] - bits else "at most" if value <= s.bits[0] - bits else ""
        row = {"task": task, "training": training, "ramps": ramps, "bits": bits, "on": on, "bound": bound}
        out.append(row | {"saved": value, "low": low, "high": high})
    return out


def _equal(uniform: np.ndarray, own: float, bits: tuple[int, ...]) -> float:
    """Bits at which uniform ramps are as accurate, between the first and the last."""
    rising = np.maximum.accumulate(uniform)
    # Of resolutions that are equally accurate the fewest count.
    keep = np.append(True, np.diff(rising) > 0)
    return float(np.interp(own, rising[keep], np.array(bits, float)[keep], right=bits[-1] if own > rising[-1] else None))
