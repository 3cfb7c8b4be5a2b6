"""The compact model of a comparator: offset, noise, delay, hysteresis and metastability, each with its standard error.

A decision at ramp step k compares d = V_ramp[k] + v_os + noise - V_mac with 0. It trips if

    d >= h / 2 + reach(t)

with h the hysteresis and reach(t) the least overdrive decided in the time t that the step leaves (`delay`): an input nearer
than that below a step trips at the next one, its code is one too high. Within +-``window`` of that point the latch has not
decided when it is read, and the decision is a toss: the window shrinks e-fold in ``latch_tau``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import model_validator

from characterization.ramp_model import Fitted
from netlists.errors import InputError

from .compact_model import CompactModel, source
from .delay import DelayLaw
from .distributions import Distribution, OffsetDraw
from .fitting import fit_linear, fit_probit, fitted


@dataclass(frozen=True, eq=False)
class ComparatorSamples:
    """What a comparator model is fitted to; SI units. Arrays that are left out (size 0) leave their part ideal.

    Attributes
    ----------
    offset : ndarray (n,)
        Volts, as they add to the positive input.
    drive, tripped, trials : ndarray (m,)
        Noisy decisions: input, decisions that tripped, all decisions.
    overdrive, delay : ndarray (p,)
        Volts beyond the trip point; seconds.
    slope, loop : ndarray (q,)
        Slope of a triangle at the input (V/s), and trip point of its rise minus that of its fall, volts.
    difference, resolved : ndarray (r,)
        What a latch holds when it closes (volts), and seconds until it has decided.
    gain : float
        From the comparator's input to the latch's, V/V; 1 for a clocked comparator.
    """

    offset: np.ndarray
    drive: np.ndarray
    tripped: np.ndarray
    trials: np.ndarray
    overdrive: np.ndarray
    delay: np.ndarray
    slope: np.ndarray
    loop: np.ndarray
    difference: np.ndarray
    resolved: np.ndarray
    gain: float = 1.0
    level: str = "none"
    about: str = ""


class ComparatorModel(CompactModel):
    """A comparator; see the module for its equation.

    Attributes
    ----------
    offset : Distribution
        Of the input offset, V, one draw a comparator.
    noise : Fitted
        Input-referred rms noise, V, one draw a decision.
    hysteresis : Fitted
        Trip point of a rising input minus that of a falling one, V.
    delay : DelayLaw
    latch_t0, latch_tau : Fitted
        A difference of v volts at the latch's input is decided after ``latch_t0 + latch_tau ln(1 V / v)``, s; both 0: at once.
    gain : float
        From the comparator's input to the latch's, V/V.
    """

    SCHEMA: ClassVar[str] = "nladc-cosim/comparator-model"
    UNITS: ClassVar[dict[str, str]] = {"noise": "V", "hysteresis": "V", "latch_t0": "s", "latch_tau": "s"}

    offset: Distribution
    noise: Fitted
    hysteresis: Fitted
    delay: DelayLaw
    latch_t0: Fitted
    latch_tau: Fitted
    gain: float = 1.0

    @model_validator(mode="after")
    def _possible(self) -> ComparatorModel:
        for name in ("noise", "latch_tau"):
            if getattr(self, name).value < 0:
                raise ValueError(f"{name}: {getattr(self, name).value:g} is below 0")
        if self.offset.unit != "V":
            raise ValueError(f"offset: unit={self.offset.unit!r}, must be 'V'")
        if self.gain <= 0:
            raise ValueError(f"gain: {self.gain:g} must be above 0")
        return self

    @classmethod
    def ideal(cls) -> ComparatorModel:
        """A comparator without any error."""
        return cls.given()

    @classmethod
    def given(cls, *, offset_sigma: float = 0.0, noise: float = 0.0, hysteresis: float = 0.0) -> ComparatorModel:
        """A comparator of assumed figures, volts, that decides at once."""
        v, s = Fitted.given, Fitted.given(0.0, "s")
        return cls(
            offset=Distribution.given(0.0, offset_sigma),
            noise=v(noise, "V"),
            hysteresis=v(hysteresis, "V"),
            delay=DelayLaw(),
            latch_t0=s,
            latch_tau=s,
        )

    @classmethod
    def fit(cls, samples: ComparatorSamples, rng: np.random.Generator) -> ComparatorModel:
        """Fit every part to its samples; parts without samples are ideal.

        ``rng`` deals the offsets to the folds of the held-out check.

        Raises
        ------
        InputError
            From the fits: samples that cannot be, or that do not determine a part.
        """
        s, zero = samples, Fitted.given(0.0, "s")
        ranges = {n: (float(np.min(a)), float(np.max(a))) for n in ("overdrive", "drive", "slope") if (a := getattr(s, n)).size}
        noise = hysteresis = Fitted.given(0.0, "V")
        t0, tau = zero, zero
        if s.drive.size:
            probit = fit_probit(s.drive, s.tripped, s.trials)
            noise = Fitted.of(probit.values[1], probit.stderr[1], "V")
        if s.slope.size:
            # A slow triangle's loop is the hysteresis; a fast one adds the way the input goes during two delays.
            loop = fit_linear(np.stack([np.ones(len(s.slope)), s.slope], axis=1), s.loop, ("hysteresis", "delay"))
            hysteresis = fitted(loop, {"hysteresis": "V"})["hysteresis"]
        if s.difference.size:
            law = fit_linear(
                np.stack([np.ones(len(s.difference)), -np.log(np.abs(s.difference))], axis=1), s.resolved, ("latch_t0", "latch_tau")
            )
            t0, tau = fitted(law, {"latch_t0": "s", "latch_tau": "s"}).values()
        return cls(
            level=s.level,
            offset=Distribution.fit(s.offset, rng) if s.offset.size else Distribution.given(0.0, 0.0),
            noise=noise,
            hysteresis=hysteresis,
            delay=DelayLaw.fit(s.overdrive, s.delay) if s.overdrive.size else DelayLaw(),
            latch_t0=t0,
            latch_tau=tau,
            gain=float(s.gain),
            ranges=ranges,
            provenance=source(samples=s.about),
        )

    def sample(self, n_chips: int, rng: np.random.Generator, *, n_columns: int = 1) -> OffsetDraw:
        """Comparators of new chips; chip i does not depend on how many are drawn."""
        return self.offset.draw(n_chips, n_columns, rng)

    def late(self, time: npt.ArrayLike, before: npt.ArrayLike = np.inf) -> np.ndarray:
        """How far beyond its trip point the ramp must be for a decision within ``time``, volts (half the hysteresis included).

        ``before``: how far below it the ramp was a step earlier, volts; see `DelayLaw.reach`.
        """
        return self.delay.reach(time, before) + self.hysteresis.value / 2

    def window(self, time: npt.ArrayLike) -> np.ndarray:
        """Half width of the band of inputs that a latch has not resolved ``time`` after it closed, volts at the input."""
        t = np.asarray(time, float)
        if self.latch_tau.value == 0:
            return np.zeros(t.shape)
        return np.exp(-(t - self.latch_t0.value) / self.latch_tau.value) / self.gain

    def metastability(self, time: npt.ArrayLike, step: float) -> np.ndarray:
        """Probability that a conversion is read unresolved, for inputs that are uniform over a ramp step of ``step`` volts."""
        if not step > 0:
            raise InputError(f"step={step!r}: must be above 0 (volts)")
        return np.minimum(1.0, 2 * self.window(time) / step)

    def apply(
        self,
        difference: npt.ArrayLike,
        rng: np.random.Generator | None = None,
        *,
        offset: npt.ArrayLike = 0.0,
        time: npt.ArrayLike = np.inf,
        before: npt.ArrayLike = np.inf,
        latch_time: npt.ArrayLike = np.inf,
    ) -> np.ndarray:
        """Decisions, one noise draw each.

        Parameters
        ----------
        difference : array_like (...)
            V_ramp - V_mac, volts.
        rng : numpy.random.Generator, optional
            Needed where there is noise or a metastable window.
        offset : array_like
            Of the comparators (`sample`), volts.
        time, before : array_like
            As for `late`.
        latch_time : array_like
            Seconds from the latch's closing until it is read.

        Returns
        -------
        ndarray of bool
        """
        d = np.asarray(difference, float) + offset
        window = self.window(latch_time)
        if rng is None and (self.noise.value > 0 or np.any(window > 0)):
            raise InputError("rng=None: a comparator with noise or a metastable window draws; give it a Generator")
        d = d - self.late(time, before)
        if self.noise.value > 0 and rng is not None:
            d = d + self.noise.value * rng.standard_normal(d.shape)
        if np.any(window > 0) and rng is not None:
            return np.where(np.abs(d) < window, rng.random(d.shape) < 0.5, d >= 0)
        return d >= 0

    def report(self) -> str:
        """What was fitted, with standard errors, for reading."""
        lines = [
            f"comparator model: level {self.level}",
            f"  offset      {self.offset}",
            f"  noise       {self.noise} rms",
            f"  delay       {self.delay}",
            f"  hysteresis  {self.hysteresis}",
            f"  latch       t0 {self.latch_t0}, tau {self.latch_tau}, gain before it {self.gain:.4g}",
        ]
        return "\n".join([*lines, *self._tail()])
