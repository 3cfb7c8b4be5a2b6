"""Tests of a ramp model against fresh chips, each for a figure of merit, and what they say together.

Each figure of a chip is turned into a standard normal number by its place in the model's own distribution, which many chips that
the model draws give. Then three questions are asked of the fresh chips, each by the test that sees it best: where the
numbers lie (mean), how far apart (variance ratio, F), and their shape (Kolmogorov-Smirnov). Levels and steps are asked one by
one, and the worst counts. Noise is asked by the score of each of its variances, codes by a chi-squared of their
counts at given inputs.

The model is no exact distribution but was fitted to N chips: a test of n fresh ones has the variance 1 / n + 1 / N. All p-values
are adjusted together (S. Holm, Scand. J. Stat. 6, 1979, 65-70), so that a share `REJECTED` of validations rejects a true
model, at most.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from characterization.figures import dnl, inl_input

from .model import RampModel
from .noise import read_noise_shape

MODEL_CHIPS = 100_000
"""Chips that stand for the model's own distribution."""
REJECTED = 0.01
"""Share of true models that a whole validation rejects, at most."""
RESOLUTION = 1e-5
"""What the time steps of two decks leave of a level, LSB: a figure that varies by less is not tested for its spread."""
PER_LEVEL = 10
"""Chips a level that a model must have been fitted to, for its levels together to have a spread worth testing."""
CODE_INPUTS = 16
CODE_CHIPS = 20_000
_DRAWS = 500
"""Sets of chips whose codes give the chi-squared's own distribution."""


@dataclass(frozen=True)
class Finding:
    """One question and its answer: the figure, what was asked of it, and how likely a true model answers so."""

    figure: str
    asked: str
    effect: float
    p_value: float
    where: int | None = None


class GoodnessOfFit:
    """Tests of one model; the chips that stand for it are drawn once.

    Parameters
    ----------
    model : RampModel
    rng : Generator
        For the model's own chips.
    """

    def __init__(self, model: RampModel, rng: np.random.Generator, chips: int = MODEL_CHIPS) -> None:
        self.model, self._chips = model, chips
        levels = model.sample_levels(chips, rng)
        self._own = {name: np.sort(x, axis=0) for name, x in self._figures(levels).items()}
        some = levels[: min(CODE_CHIPS, chips)]
        shape = some.shape
        offset = np.sqrt(2) * model.comparator_offset.value * rng.standard_normal((shape[0], 1))
        # As converters of a network have it: one number a conversion, in units of each level's noise.
        noise = model.noise_sigma * rng.standard_normal((*shape[:1], CODE_INPUTS, 1))
        self._codes = self._code_classes(some[:, None] + offset[:, None] + noise)
        self._seed = rng.integers(2**32)
        self._distances: dict[int, np.ndarray] = {}

    def test(self, levels: np.ndarray, noisy: np.ndarray) -> dict[str, Any]:
        """Holds fresh chips against the model.

        Parameters
        ----------
        levels : ndarray (n, levels)
            Of calibrated chips, input units.
        noisy : ndarray (n, levels)
            The same chips' levels in one noisy conversion by another column's comparator.

        Rows that hold NaN are left out.

        Returns
        -------
        dict
            ``tests``: for each figure and question ``effect`` (what was found: shift and ratio of standard deviations in
            units of the model's, or a statistic), ``p_value``, ``adjusted``, ``rejected`` and, of levels and steps,
            ``where``; ``rejected``: names of those that are rejected; ``level``: `REJECTED`.
        """
        converted = np.isfinite(levels).all(axis=1) & np.isfinite(noisy).all(axis=1)
        noisy, differences = noisy[converted], (noisy - levels)[converted]
        levels = levels[np.isfinite(levels).all(axis=1)]
        found: list[Finding] = []
        for name, x in self._figures(levels).items():
            found += self._place(name, x)
        if len(noisy):
            found += [*self._noise(differences), self._of_codes(noisy)]
        adjusted = _holm(np.array([f.p_value for f in found]))
        tests = [
            {"figure": f.figure, "asked": f.asked, "effect": f.effect, "p_value": f.p_value, "adjusted": float(a)}
            | {"rejected": bool(a < REJECTED), "where": f.where}
            for f, a in zip(found, adjusted, strict=True)
        ]
        rejected = [f"{t['figure']}: {t['asked']}" for t in tests if t["rejected"]]
        return {"level": REJECTED, "chips": len(levels), "conversions": len(noisy), "rejected": rejected, "tests": tests}

    def _figures(self, levels: np.ndarray) -> dict[str, np.ndarray]:
        """Figures of chips by name: (n,), or (n, levels) of those that are asked one by one."""
        m = self.model
        out = {
            "max |INL|": np.abs(inl_input(levels, m.program)).max(axis=1),
            "error at input 0": (levels - m.x_ideal) @ self._at_zero,
            "levels": inl_input(levels, m.program),
        }
        if m.samples >= PER_LEVEL * levels.shape[1]:
            out["spread of all levels"] = self._length(levels)
        if levels.shape[1] > 1:
            steps = dnl(levels, m.program)
            out |= {"max |DNL|": np.abs(steps).max(axis=1), "gain": (levels[:, -1] - levels[:, 0]) / np.ptp(m.x_ideal)}
            out |= {"steps": steps, "steps given the others": steps @ self._given_others}
        return out

    @cached_property
    def _at_zero(self) -> np.ndarray:
        """Weights of the levels in the error at input 0, interpolated between its neighbours, LSB."""
        x = self.model.x_ideal
        row = np.array([np.interp(0.0, x, unit) for unit in np.eye(len(x))])
        return row / np.interp(0.0, x, self.model.lsb)

    @cached_property
    def _given_others(self) -> np.ndarray:
        """What turns steps into what each differs by from its mean given all the others: factors that steps share are gone."""
        m = self.model
        to_steps = np.diff(np.eye(len(m.mean)), axis=0) / np.diff(m.x_ideal)[:, None]
        covariance = to_steps @ m.covariance @ to_steps.T
        precision = np.linalg.inv(covariance + RESOLUTION**2 * np.eye(len(covariance)))
        return precision / np.diag(precision)

    def _length(self, levels: np.ndarray) -> np.ndarray:
        """Length of the deviation of all levels in the fitted covariance, over the root of their number: (n,)."""
        z = (levels - self.model.mean) @ self._whitening
        return np.asarray(np.sqrt(np.mean(z**2, axis=1)))

    @cached_property
    def _whitening(self) -> np.ndarray:
        values, vectors = np.linalg.eigh(self.model.covariance / np.outer(self.model.lsb, self.model.lsb))
        return vectors / np.sqrt(np.maximum(values, RESOLUTION**2)) / self.model.lsb[:, None]

    def _place(self, name: str, x: np.ndarray) -> list[Finding]:
        """Place, spread and, of a single figure, shape of chips' figures (n,) or (n, k) in the model's distribution."""
        from scipy.special import ndtri
        from scipy.stats import f, kstest, t

        own, x = self._own[name].reshape(self._chips, -1), x.reshape(len(x), -1)
        n, fitted, k = len(x), self.model.samples, x.shape[1]
        varies = own[-self._chips // 1000] - own[self._chips // 1000] > 4 * RESOLUTION
        places, spreads, shapes = np.ones((3, k))
        shift, ratio, distance = np.zeros(k), np.ones(k), np.zeros(k)
        for i in range(k):
            if not varies[i]:
                # Nothing that spreads: all there is to ask is whether the chips lie there.
                shift[i] = float(np.max(np.abs(x[:, i] - own[self._chips // 2, i])))
                places[i] = 0.0 if shift[i] > 100 * RESOLUTION else 1.0
                continue
            below = np.searchsorted(own[:, i], x[:, i], "left") + np.searchsorted(own[:, i], x[:, i], "right")
            u = (below + 1) / (2 * self._chips + 2)
            z = ndtri(u)
            shift[i], ratio[i] = z.mean(), z.std(ddof=1)
            places[i] = 2 * t.sf(abs(shift[i]) / np.sqrt(1 / n + 1 / fitted), fitted - 1)
            tail = f.cdf(ratio[i] ** 2, n - 1, fitted - 1)
            spreads[i] = 2 * min(tail, f.sf(ratio[i] ** 2, n - 1, fitted - 1))
            if k == 1:
                distance[i] = kstest(u, "uniform").statistic
                shapes[i] = self._kolmogorov(distance[i], n)
        out = []
        for asked, effect, p in (("place", shift, places), ("spread", ratio, spreads), ("shape", distance, shapes)):
            worst = int(np.argmin(p))
            if (asked == "spread" and not varies.any()) or (asked == "shape" and (k > 1 or not varies.any())):
                continue
            where = worst + 1 if k > 1 else None
            out.append(Finding(name, asked, float(effect[worst]), float(min(1.0, p[worst] * k)), where))
        return out

    def _noise(self, difference: np.ndarray) -> list[Finding]:
        """Mean conversion error of a column (its offset), and the scores of the variances of a conversion."""
        from scipy.stats import chi2, f, kstest, t

        m, levels = self.model, len(self.model.x_ideal)
        parts = {
            "offset of a column": (m.comparator_offset.value, 2 * np.ones((levels, levels))),
            "comparator noise": (m.comparator_noise.value, np.eye(levels)),
            "read noise": (m.read_noise.value, read_noise_shape(m.program, m.ramp_plan.profile)),
        }
        floor = np.diag((RESOLUTION * m.lsb) ** 2)
        inverse = np.linalg.inv(sum(value**2 * shape for value, shape in parts.values()) + floor)
        n, fitted, out = len(difference), m.samples, []
        weights = inverse.sum(axis=0) / inverse.sum()
        offset, sigma = difference @ weights, float(np.sqrt(weights @ np.linalg.inv(inverse) @ weights))
        if m.comparator_offset.value > RESOLUTION * m.lsb.min():
            place = float(offset.mean() / sigma)
            p = float(2 * t.sf(abs(place) / np.sqrt(1 / n + 1 / fitted), fitted - 1))
            out.append(Finding("offset of a column", "place", place, p))
            distance = float(kstest(offset / sigma, "norm").statistic)
            out.append(Finding("offset of a column", "shape", distance, self._kolmogorov(distance, n)))
        seen = difference @ inverse
        for name, (value, form) in parts.items():
            score = np.einsum("nl,lm,nm->n", seen, form, seen)
            kernel = inverse @ form
            expected, variance = np.trace(kernel), 2 * np.sum(kernel * kernel.T)
            # A quadratic form of normals is about a scaled chi-squared (F. E. Satterthwaite, Biometrics Bull. 2, 1946, 110-114).
            freedom = 2 * expected**2 / variance
            ratio = float(score.mean() / expected)
            high = float(f.sf(ratio, n * freedom, fitted * freedom))
            low = float(f.cdf(ratio, n * freedom, fitted * freedom))
            # What has no noise in the model may have less than the resolution in SPICE, too.
            p = high if (value <= RESOLUTION * m.lsb.min() and name != "read noise") or value == 0 else 2 * min(high, low)
            out.append(Finding(name, "spread", float(np.sqrt(ratio)), min(1.0, p)))
        length = np.sum(seen * difference, axis=1)
        if np.any(m.noise_sigma > RESOLUTION * m.lsb):
            distance = float(kstest(length, chi2(levels).cdf).statistic)
            out.append(Finding("noise of a conversion", "shape", distance, self._kolmogorov(distance, n)))
        return out

    def _kolmogorov(self, distance: float, n: int) -> float:
        """p-value of a Kolmogorov-Smirnov distance of n chips from a model that was fitted to some."""
        from scipy.stats import kstwo

        fitted = self.model.samples
        return float(kstwo.sf(distance, max(round(n * fitted / (n + fitted)), 1)))

    @cached_property
    def _inputs(self) -> np.ndarray:
        """Given inputs, near levels all along the ramp, where chips differ in their codes; shape (CODE_INPUTS,)."""
        m = self.model
        k = np.linspace(0, len(m.mean) - 1, CODE_INPUTS).round().astype(int)
        sigma = np.sqrt(np.diag(m.covariance) + 2 * m.comparator_offset.value**2 + m.noise_sigma**2)
        return m.mean[k] + np.array([0.5, -0.5])[np.arange(CODE_INPUTS) % 2] * sigma[k]

    def _code_classes(self, levels: np.ndarray) -> np.ndarray:
        """Codes of the given inputs below, at or above the mean chip's, one in three: (n, CODE_INPUTS, 3) of bool.

        ``levels`` (n, levels), or (n, CODE_INPUTS, levels) where each conversion has noise of its own.
        """
        x = self._inputs[:, None]
        levels = levels if levels.ndim == 3 else levels[:, None]
        code = np.sum(np.maximum.accumulate(levels, axis=2) < x, axis=2)
        usual = np.sum(np.maximum.accumulate(self.model.mean) < x, axis=1)
        return np.stack([code < usual, code == usual, code > usual], axis=2)

    def _of_codes(self, levels: np.ndarray) -> Finding:
        """Counts of codes at the given inputs, against those of sets of as many chips that the model draws."""
        from scipy.stats import chi2

        n = len(levels)
        share = self._codes.mean(axis=0)
        weight = np.where(n * share >= 5, 1 / np.maximum(n * share, 1e-12), 0.0)

        def distance(classes: np.ndarray) -> float:
            return float(np.sum((classes.sum(axis=0) - n * share) ** 2 * weight))

        if n not in self._distances:
            drawn = np.random.default_rng(self._seed).integers(len(self._codes), size=(_DRAWS, n))
            self._distances[n] = np.array([distance(self._codes[row]) for row in drawn])
        own = self._distances[n] * (1 + n / self.model.samples)
        found = distance(self._code_classes(levels))
        mean, variance = float(own.mean()), float(own.var())
        if variance == 0:
            return Finding("codes at given inputs", "counts", found, 1.0 if found <= mean else 0.0)
        # Counts of the same chips hang together: a chi-squared of the mean and variance that drawn sets have.
        p = float(chi2.sf(found * 2 * mean / variance, 2 * mean**2 / variance))
        return Finding("codes at given inputs", "counts", found / mean, p)


def _holm(p: np.ndarray) -> np.ndarray:
    """p-values adjusted for being several, in the order given."""
    order = np.argsort(p)
    out = np.empty(len(p))
    out[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return out
