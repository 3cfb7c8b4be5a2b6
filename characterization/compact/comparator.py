"""The compact model of a comparator: offset, noise, delay, hysteresis and metastability, each with its standard error.

A decision at ramp step k compares d = V_ramp[k] + v_os + noise - V_mac with 0. It trips if

    d >= h / 2 + reach(t)

with h the hysteresis and reach(t) the least overdrive decided in the time t that the step leaves (`delay`): an input nearer
than that below a step trips at the next one, its code is one too high. Within +-``window`` of that point the latch has not
decided when it is read, and the decision is a toss: the window shrinks e-fold in ``latch_tau``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import model_validator

from characterization.ramp_model import Fitted
from netlists.checks import Positive, checked
from netlists.errors import InputError

from .block_model import BlockModel, BlockSamples, Measured
from .delay import DelayLaw
from .distributions import Distribution
from .fitting import fit_linear, fit_probit, fitted


@checked
@dataclass(frozen=True, eq=False)
class ComparatorSamples(BlockSamples):
    """What a comparator model is fitted to; SI units. Arrays of size 0 leave their part ideal.

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

    offset: Measured
    drive: Measured
    tripped: Measured
    trials: Measured
    overdrive: Measured
    delay: Measured
    slope: Measured
    loop: Measured
    difference: Measured
    resolved: Measured
    gain: Positive = 1.0


class ComparatorModel(BlockModel):
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
    TITLE: ClassVar[str] = "comparator model"
    RANGES: ClassVar[tuple[str, ...]] = ("overdrive", "drive", "slope")
    UNITS: ClassVar[dict[str, str]] = {"noise": "V", "hysteresis": "V", "latch_t0": "s", "latch_tau": "s"}

    noise: Fitted
    hysteresis: Fitted
    delay: DelayLaw = DelayLaw()
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
    def given(cls, *, offset_sigma: float = 0.0, noise: float = 0.0, hysteresis: float = 0.0) -> ComparatorModel:
        """A comparator of assumed figures, volts, that decides at once."""
        assumed = {"noise": Fitted.given(noise, "V"), "hysteresis": Fitted.given(hysteresis, "V")}
        return cls(offset=Distribution.given(0.0, offset_sigma), **(cls.perfect() | assumed))

    @property
    def quiet(self) -> ComparatorModel:
        """The same comparator without noise."""
        return self.model_copy(update={"noise": self.noise.model_copy(update={"value": 0.0})})

    @classmethod
    def fit(cls, samples: ComparatorSamples, rng: np.random.Generator) -> ComparatorModel:
        """Fit every part to its samples; parts without samples are ideal.

        ``rng`` deals the offsets to the folds of the held-out check.

        Raises
        ------
        InputError
            From the fits: samples that cannot be, or that do not determine a part.
        """
        s, parts = samples, cls.perfect()
        if s.drive.size:
            probit = fit_probit(s.drive, s.tripped, s.trials)
            parts["noise"] = Fitted.of(probit.values[1], probit.stderr[1], "V")
        if s.slope.size:
            # A slow triangle's loop is the hysteresis; a fast one adds the way the input goes during two delays.
            loop = fit_linear(np.stack([np.ones(len(s.slope)), s.slope], axis=1), s.loop, ("hysteresis", "delay"))
            parts |= fitted(loop, {"hysteresis": "V"})
        if s.difference.size:
            terms = np.stack([np.ones(len(s.difference)), -np.log(np.abs(s.difference))], axis=1)
            parts |= fitted(fit_linear(terms, s.resolved, ("latch_t0", "latch_tau")), {"latch_t0": "s", "latch_tau": "s"})
        if s.overdrive.size:
            parts["delay"] = DelayLaw.fit(s.overdrive, s.delay)
        return cls.of_samples(s, s.offset, rng, gain=s.gain, **parts)

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

    def _parts(self) -> dict[str, Any]:
        return {
            "offset": self.offset,
            "noise": f"{self.noise} rms",
            "delay": self.delay,
            "hysteresis": self.hysteresis,
            "latch": f"t0 {self.latch_t0}, tau {self.latch_tau}, gain before it {self.gain:.4g}",
        }
