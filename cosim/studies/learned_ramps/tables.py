"""Tables of the study of learned ramps: scores, paired gains, and bits saved at equal accuracy or bits per character."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from cosim.evaluation import ScoredSequences, ScoredText

from .settings import LearnedRampsSettings

RESAMPLES = 1000
FLOAT, PLAIN, TUNED, AWARE = "float", "none", "on ideal ramps", "hardware-aware"
UNIFORM, FITTED, LEARNED, REFINED = "uniform", "lloyd-max", "learned", "learned from lloyd-max"
STARTS = {LEARNED: UNIFORM, REFINED: FITTED}
"""What learned ramps start from."""
IDEAL = "ideal"
Answers = Mapping[tuple[str, str, str, int, str], np.ndarray]
"""Right or wrong, or bits of surprise, (chips, items), by task, training, ramps, bits and hardware."""
Scores = Mapping[str, ScoredSequences | ScoredText]
"""How each task is scored."""


def headline_bits(bits: Sequence[int]) -> tuple[int, int]:
    """Resolutions that sentences compare: learned at 3 bits, or at the last but one, and uniform at the next."""
    at = list(bits).index(3) if 3 in bits[:-1] else len(bits) - 2
    return bits[at], bits[at + 1]


def result_rows(answers: Answers, scores: Scores) -> list[dict[str, Any]]:
    """Each network on each hardware: mean over chips, the test set's interval, and the spread from chip to chip."""
    out = []
    for key, found in answers.items():
        score, each = scores[key[0]], found.mean(axis=1, dtype=np.float64)
        i = score.interval(found)
        row = _key(key) | {"chips": len(found), "metric": score.metric.name, "value": float(each.mean())}
        deviation = float(each.std(ddof=1)) if len(each) > 1 else float("nan")
        out.append(row | {"low": i.low, "high": i.high, "chip_deviation": deviation})
    return out


def gain_rows(answers: Answers, scores: Scores, s: LearnedRampsSettings) -> list[dict[str, Any]]:
    """How much better ramps are than uniform ones of as many bits, and of the next resolution: same training, same test items.

    Gains are positive where ramps are better, in units of the task's metric.
    """
    following = dict(pairwise(s.bits))
    out = []
    for key, found in answers.items():
        task, training, ramps, bits, on = key
        if ramps == FLOAT:
            continue
        others = ([] if ramps == UNIFORM else [bits]) + ([following[bits]] if bits in following else [])
        metric = scores[task].metric
        for uniform in others:
            change = scores[task].change(found, answers[task, training, UNIFORM, uniform, on])
            row = _key(key) | {"uniform_bits": uniform, "metric": metric.name}
            out.append(row | metric.gain_columns(change))
    return out


def saved_rows(answers: Answers, scores: Scores, s: LearnedRampsSettings) -> list[dict[str, Any]]:
    """How many bits more uniform ramps need to be as good as others: interpolated, with 95 % of resampled test sets.

    Beyond the resolutions of the study nothing is known: a value at an end of the range is a bound.
    """
    out = []
    for key, found in answers.items():
        task, training, ramps, bits, on = key
        if ramps in (UNIFORM, FLOAT):
            continue
        score = scores[task]
        means, sizes = zip(*(score.blocks(a) for a in _uniform(answers, task, training, on, s)), strict=True)
        uniform, size = score.metric.gain(np.stack(means)), sizes[0]
        own = score.metric.gain(score.blocks(found)[0])
        pick = np.random.default_rng(s.seed).integers(len(own), size=(RESAMPLES, len(own)))
        drawn = [_equal(uniform[:, p].sum(axis=1) / size[p].sum(), own[p].sum() / size[p].sum(), s.bits) - bits for p in pick]
        value = _equal(uniform.sum(axis=1) / size.sum(), own.sum() / size.sum(), s.bits) - bits
        low, high = np.quantile(drawn, (0.025, 0.975))
        bound = "at least" if value >= s.bits[-1] - bits else "at most" if value <= s.bits[0] - bits else ""
        out.append(_key(key) | {"bound": bound, "saved": value, "low": low, "high": high})
    return out


def order_warnings(answers: Answers, scores: Scores, s: LearnedRampsSettings) -> list[str]:
    """Where uniform ramps get worse with more bits, beyond the test set's uncertainty: bits saved then mean nothing."""
    out = []
    for task, training, on in dict.fromkeys((t, how, on) for t, how, ramps, _, on in answers if ramps == UNIFORM):
        few, *_, many = _uniform(answers, task, training, on, s)
        metric = scores[task].metric
        gain = metric.gain_columns(scores[task].change(many, few))
        if gain["high"] < 0:
            out.append(
                f"{task}, training {training}, {on}: uniform ramps of {s.bits[-1]} bits are worse than those of {s.bits[0]}, "
                f"{metric.gain_interval(**gain)} in {metric.name}; bits saved there mean nothing"
            )
    return out


def _uniform(answers: Answers, task: str, training: str, on: str, s: LearnedRampsSettings) -> list[np.ndarray]:
    return [answers[task, training, UNIFORM, b, on] for b in s.bits]


def _key(key: tuple[str, str, str, int, str]) -> dict[str, Any]:
    return dict(zip(("task", "training", "ramps", "bits", "on"), key, strict=True))


def _equal(uniform: np.ndarray, own: float, bits: tuple[int, ...]) -> float:
    """Bits at which uniform ramps are as good, between the first and the last; more is better."""
    rising = np.maximum.accumulate(uniform)
    # Of resolutions that are equally good the fewest count.
    keep = np.append(True, np.diff(rising) > 0)
    return float(np.interp(own, rising[keep], np.array(bits, float)[keep], right=bits[-1] if own > rising[-1] else None))
