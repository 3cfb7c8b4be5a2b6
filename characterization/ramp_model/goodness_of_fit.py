"""Tests of a ramp model against fresh chips, each for a figure of merit, and what they say together.

Each figure of a chip is turned into a standard normal number by its place in the model's own distribution, which many chips that
the model draws give. Then three questions are asked of the fresh chips, each by the test that sees it best: where the
numbers lie (mean), how far apart (variance ratio, F), and their shape (Kolmogorov-Smirnov). Levels and steps are asked one by
one, and the worst counts; so are they as programmed, before calibration. Noise is asked by the score of each of its variances,
codes by a chi-squared of their counts at given inputs. Read noise is 2 % of the variance of a conversion: it is measured in what
is left when the comparators' known draws are taken out (`noise.injected`).

The model is no exact distribution but was fitted to N chips: a test of n fresh ones has the variance 1 / n + 1 / N. All p-values
are adjusted together (S. Holm, Scand. J. Stat. 6, 1979, 65-70), so that a share `REJECTED` of validations rejects a true
model, at most.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from characterization.chips import point_weights
from characterization.figures import dnl, inl_input
from characterization.run import Run

from .levels import LevelDistribution
from .model import RampModel
from .noise import injected, read_noise_shape, read_variance

MODEL_CHIPS = 100_000
"""Chips that stand for the model's own distribution."""
REJECTED = 0.01
"""Share of true models that a whole validation rejects, at most."""
RESOLUTION = 1e-5
"""What the time steps of two decks leave of a level, LSB: a figure that varies by less is not tested for its spread."""
PER_LEVEL = 10
"""Chips a level that a model must have been fitted to, for its levels together to have a spread worth testing."""
QUIET = 1e-3
"""Rms difference of two decks of the same chips without noise, at most, LSB."""
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


@dataclass(frozen=True)
class Fresh:
    """Levels of fresh chips, each (n, levels), input units; rows that hold NaN are left out of what needs them.

    Attributes
    ----------
    before, after : ndarray
        As programmed, and calibrated.
    noisy : ndarray
        In one noisy conversion by another column's comparator.
    injected : ndarray or None
        What of ``noisy - after`` is known of the comparators' draws, `noise.injected`.
    """

    before: np.ndarray
    after: np.ndarray
    noisy: np.ndarray
    injected: np.ndarray | None = None

    @classmethod
    def of(cls, run: Run) -> Fresh:
        """The levels of a run."""
        before, after, noisy = run.levels(calibrated=False), run.levels(calibrated=True), run.conversion_levels()
        known, good = None, np.isfinite(after).all(axis=1) & np.isfinite(noisy).all(axis=1)
        if good.any():
            found = injected(run.plan, run.samples["sample"].to_numpy()[good], (noisy - after)[good])
            if found is not None:
                known = np.full(after.shape, np.nan)
                known[good] = found
        return cls(before, after, noisy, known)


class _Figures:
    """Figures of chips whose levels are a distribution of the model."""

    def __init__(self, model: RampModel, distribution: LevelDistribution) -> None:
        self._model, self._levels = model, distribution

    def of(self, levels: np.ndarray) -> dict[str, np.ndarray]:
        """Figures of chips by name: (n,), or (n, levels) of those that are asked one by one."""
        m = self._model
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
        x = self._model.x_ideal
        return point_weights(0.0, x) / np.interp(0.0, x, self._model.lsb)

    @cached_property
    def _given_others(self) -> np.ndarray:
        """What turns steps into what each differs by from its mean given all the others: factors that steps share are gone."""
        to_steps = np.diff(np.eye(len(self._model.lsb)), axis=0) / np.diff(self._model.x_ideal)[:, None]
        covariance = to_steps @ self._levels.covariance @ to_steps.T
        precision = np.linalg.inv(covariance + RESOLUTION**2 * np.eye(len(covariance)))
        return precision / np.diag(precision)

    def _length(self, levels: np.ndarray) -> np.ndarray:
        """Length of the deviation of all levels in the fitted covariance, over the root of their number: (n,)."""
        z = (levels - self._levels.mean) @ self._whitening
        return np.asarray(np.sqrt(np.mean(z**2, axis=1)))

    @cached_property
    def _whitening(self) -> np.ndarray:
        lsb = self._model.lsb
        values, vectors = np.linalg.eigh(self._levels.covariance / np.outer(lsb, lsb))
        return vectors / np.sqrt(np.maximum(values, RESOLUTION**2)) / lsb[:, None]


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
        self._after, self._before = _Figures(model, model.after), _Figures(model, model.before)
        self._own = {name: np.sort(x, axis=0) for name, x in self._after.of(levels).items()}
        for name, x in self._before.of(model.sample_levels(chips, rng.spawn(1)[0], calibrated=False)).items():
            self._own[f"as programmed: {name}"] = np.sort(x, axis=0)
        some = levels[: min(CODE_CHIPS, chips)]
        shape = some.shape
        offset = np.sqrt(2) * model.comparator_offset.value * rng.standard_normal((shape[0], 1))
        # As converters of a network have it: one number a conversion, in units of each level's noise.
        noise = model.noise_sigma * rng.standard_normal((*shape[:1], CODE_INPUTS, 1))
        self._codes = self._code_classes(some[:, None] + offset[:, None] + noise)
        self._seed = rng.integers(2**32)
        self._distances: dict[int, np.ndarray] = {}

    def test(self, fresh: Fresh) -> dict[str, Any]:
        """Holds fresh chips against the model.

        Returns
        -------
        dict
            ``tests``: for each figure and question ``effect`` (what was found: shift and ratio of standard deviations in
            units of the model's, or a statistic), ``p_value``, ``adjusted``, ``rejected`` and, of levels and steps,
            ``where``; ``rejected``: names of those that are rejected; ``level``: `REJECTED`.
        """
        good = np.isfinite(fresh.after).all(axis=1)
        converted = good & np.isfinite(fresh.noisy).all(axis=1)
        noisy, differences = fresh.noisy[converted], (fresh.noisy - fresh.after)[converted]
        found: list[Finding] = []
        for name, x in self._after.of(fresh.after[good]).items():
            found += self._place(name, x)
        programmed = np.isfinite(fresh.before).all(axis=1)
        for name, x in self._before.of(fresh.before[programmed]).items() if programmed.any() else ():
            found += self._place(f"as programmed: {name}", x)
        if len(noisy):
            rest = None if fresh.injected is None else differences - fresh.injected[converted]
            found += [*self._noise(differences, rest), self._of_codes(noisy)]
        adjusted = _holm(np.array([f.p_value for f in found]))
        tests = [
            {"figure": f.figure, "asked": f.asked, "effect": f.effect, "p_value": f.p_value, "adjusted": float(a)}
            | {"rejected": bool(a < REJECTED), "where": f.where}
            for f, a in zip(found, adjusted, strict=True)
        ]
        rejected = [f"{t['figure']}: {t['asked']}" for t in tests if t["rejected"]]
        return {"level": REJECTED, "chips": int(good.sum()), "conversions": len(noisy), "rejected": rejected, "tests": tests}

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

    def _noise(self, difference: np.ndarray, rest: np.ndarray | None) -> list[Finding]:
        """Mean conversion error of a column (its offset), and the variances of a conversion: scores, or of its own ``rest``."""
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
            if name == "read noise" and rest is not None:
                out.append(self._read_noise(rest))
                continue
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

    def _read_noise(self, rest: np.ndarray) -> Finding:
        """Ratio of the read noise in what is left without the comparators' draws to the model's, each with its own freedom."""
        from scipy.stats import f

        m, size = self.model, float(np.sqrt(np.mean((rest / self.model.lsb) ** 2)))
        if m.read_noise.value == 0:
            # Nothing to compare with: all there is to ask is whether two decks of the same chips agree.
            return Finding("read noise", "spread", size / QUIET, 1.0 if size < QUIET else 0.0)
        found, freedom = read_variance(rest, m.program, m.ramp_plan.profile)
        fitted = max(m.read_noise.value**2 / (2 * max(m.read_noise.stderr, 1e-9 * m.read_noise.value) ** 2), 1.0)
        ratio = found / m.read_noise.value**2
        p = 2 * min(f.sf(ratio, freedom, fitted), f.cdf(ratio, freedom, fitted))
        return Finding("read noise", "spread", float(np.sqrt(ratio)), min(1.0, float(p)))

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
