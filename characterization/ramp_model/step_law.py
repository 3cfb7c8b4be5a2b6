"""Law of a ramp's steps around their mean: normal, or quantiles, of all steps together or of each step.

Write-verify cuts the error of a written cell off at its window, and what is left need not be normal, nor the same at each target. A
step is written by one or two cells, so that its own error, the factors that all steps share apart, has a law as bounded as theirs.
No form is assumed: the law is a table of quantiles, chosen where held-out steps say so by the continuous ranked probability score
(T. Gneiting and A. E. Raftery, J. Am. Stat. Assoc. 102, 2007, 359-378), which a bound does not make infinite.
"""

from __future__ import annotations

from typing import Any

import numpy as np

FOLDS = 5
REACH = 3.5
KNOTS = 57
"""A law is given at so many normal quantiles from -REACH to REACH, straight between them and beyond."""
MINIMUM_FOR_LAW = 100
"""Fewer chips than this decide nothing about a law."""
GRID = np.linspace(-REACH, REACH, KNOTS)
_FINE = np.linspace(-6.0, 6.0, 2401)
_MANY = 2000
"""Chips that decide between laws, at most: more would decide nothing else, and take long."""
_SIMULATED, _ROUNDS = 20_000, 4
SCORED = np.linspace(0.01, 0.99, 99)


def draw_steps(quantiles: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Errors of steps, of mean 0 and variance 1, from standard normal numbers.

    Parameters
    ----------
    quantiles : ndarray (0 or columns, KNOTS)
        Without rows the law is normal.
    z : ndarray (..., columns)

    Returns
    -------
    ndarray, shape of z
    """
    if len(quantiles) == 0:
        return z
    place = (z + REACH) * ((KNOTS - 1) / (2 * REACH))
    low = np.clip(place.astype(int), 0, KNOTS - 2)
    at = low + KNOTS * np.arange(len(quantiles))
    below = quantiles.ravel().take(at)
    return below + (place - low) * (quantiles.ravel().take(at + 1) - below)


def fit_law(residuals: np.ndarray, left: np.ndarray, sign: np.ndarray, plain: np.ndarray) -> tuple[np.ndarray, dict[str, Any]]:
    """The law that predicts held-out residuals best; normal unless another is better by more than its standard error.

    Parameters
    ----------
    residuals : ndarray (n, columns)
        What fitted factors leave of the steps.
    left : ndarray (columns, columns)
        What they leave of steps with errors of their own alone: ``left @ errors``, errors of variance 1.
    sign : ndarray (columns,)
        -1 where a column is a step downwards: all steps share the law of a step upwards.
    plain : ndarray of bool (columns,)
        Columns that are normal in any case.

    Returns
    -------
    quantiles, evidence : ndarray (0 or columns, KNOTS), dict
    """
    from scipy.special import ndtri

    nothing = np.zeros((0, KNOTS))
    spread = residuals.std(axis=0)
    steps = ~plain & (spread > 1e-6 * spread.max(initial=0.0))
    if len(residuals) < MINIMUM_FOR_LAW or not steps.any():
        return nothing, {
            "kind": "normal",
            "reason": f"{len(residuals)} samples decide nothing ({MINIMUM_FOR_LAW} needed)",
        }
    x = _standardised(residuals, steps, sign)
    few = x[:: -(-len(x) // _MANY)]
    scores: dict[str, list[float]] = {"normal": [], "all steps": [], "each step": []}
    for train, test in folds(len(few)):
        for kind, found in scores.items():
            predicted = draw_steps(_quantiles(few[train], kind), np.repeat(ndtri(SCORED)[:, None], x.shape[1], axis=1))
            found.extend(ranked_score(predicted, few[test]))
    mean = {kind: float(np.mean(found)) for kind, found in scores.items()}
    best = min(mean, key=mean.__getitem__)
    better = np.array(scores["normal"]) - np.array(scores[best])
    error = float(better.std(ddof=1) / np.sqrt(len(better)))
    evidence: dict[str, Any] = {"held_out_score": mean, "better": float(better.mean()), "better_stderr": error}
    if best == "normal" or better.mean() <= error:
        return nothing, {"kind": "normal", **evidence}
    wanted = law = _quantiles(x, best)
    out = np.repeat(GRID[None], len(sign), axis=0)
    z = np.random.default_rng(0).standard_normal((_SIMULATED, len(sign)))
    for _ in range(_ROUNDS):
        out[steps] = np.where((sign < 0)[steps, None], -law[:, ::-1], law)
        # The factors take a part of each step's own error with them, which makes what they leave look more normal than it is.
        seen = _standardised(draw_steps(out, z) @ left.T, steps, sign)
        law = _unit(law + wanted - _quantiles(seen, best))
    out[steps] = np.where((sign < 0)[steps, None], -law[:, ::-1], law)
    return out, {"kind": best, "kurtosis": float(np.mean(draw_steps(out[steps], z[:, steps]) ** 4)), **evidence}


def folds(n: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Indices of the samples to fit to and of those held out, `FOLDS` times; the same for the same n."""
    parts = np.array_split(np.random.default_rng(0).permutation(n), FOLDS)
    return [(np.concatenate([p for p in parts if p is not held]), held) for held in parts]


def _standardised(residuals: np.ndarray, steps: np.ndarray, sign: np.ndarray) -> np.ndarray:
    x = sign[steps] * residuals[:, steps]
    return np.asarray((x - x.mean(axis=0)) / x.std(axis=0))


def _quantiles(x: np.ndarray, kind: str) -> np.ndarray:
    """Quantiles of standardised columns (n, columns) at the knots, shape (columns, KNOTS), by the kind of law."""
    from scipy.special import ndtr

    if kind == "normal":
        return np.repeat(GRID[None], x.shape[1], axis=0)
    rows = np.quantile(x if kind == "each step" else x.ravel()[:, None], ndtr(GRID), axis=0).T
    return _unit(np.broadcast_to(rows, (x.shape[1], KNOTS)))


def _unit(quantiles: np.ndarray) -> np.ndarray:
    """Quantiles moved and scaled to the mean 0 and variance 1 that `draw_steps` gives them, never falling."""
    weight = np.exp(-(_FINE**2) / 2)
    weight /= weight.sum()
    rising = np.maximum.accumulate(quantiles, axis=1)
    drawn = draw_steps(rising, np.repeat(_FINE[:, None], len(rising), axis=1))
    mean = weight @ drawn
    return np.asarray((rising - mean[:, None]) / np.sqrt(weight @ (drawn - mean) ** 2)[:, None])


def ranked_score(quantiles: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Continuous ranked probability score of each row of ``x`` (n, columns) under its quantiles at `SCORED`, (scored, columns)
    or (n, scored, columns).
    """
    miss = x[:, None] - quantiles
    return np.asarray(np.mean(np.maximum(SCORED[:, None] * miss, (SCORED[:, None] - 1) * miss), axis=(1, 2)))
