"""The compact model of a charge integrator: gain error, offset, soft clipping, settling, leak and droop.

With u = Q / C_f the ideal output and t the time since the end of the pulse of current I that brought the charge,

    v(t) = v_os + clip((1 + gain_error) u) - lag I exp(-t / tau) + t (droop + leak u)

``lag`` and ``tau`` are those of the op-amp's slowest mode: what the summing node is off at the end of a pulse, for 1 A. Of a single
pole it would be 1 / (2 pi gbw C_f); of two stages it is below 0, as the output jumps at first.
``clip`` is y = x / (1 + |x / limit|**p)**(1/p), with a limit for either side,
or no clip where left-out samples are predicted better without.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from characterization.ramp_model import Fitted
from netlists.checks import Number, checked
from netlists.errors import InputError, ToolkitError

from .block_model import BlockModel, BlockSamples, Measured
from .compact_model import Part
from .fitting import fit_curve, fitted

_CLIP = {"low": "V", "high": "V", "sharpness": ""}
_UNITS = {
    "linear": {"pedestal": "V", "gain_error": "", "droop": "V/s", "leak": "1/s"},
    "clipped": {"pedestal": "V", "gain_error": "", **_CLIP, "droop": "V/s", "leak": "1/s"},
}
"""Parameters of the settled output, in the order that `_settled` takes them."""
RESOLUTION = 1e-6
"""Error below which two models of the output are alike, volts."""
SETTLED = 20e-9
"""Samples this long after the pulse's end tell gain, clip and leak; earlier ones tell how the output settles. Seconds."""


def soft_clip(x: npt.ArrayLike, low: float, high: float, sharpness: float) -> np.ndarray:
    """x / (1 + \\|x / limit\\|**p)**(1/p), limit ``low`` (given above 0) below 0 and ``high`` above."""
    v = np.asarray(x, float)
    with np.errstate(over="ignore"):
        ratio = np.abs(v) / np.where(v < 0, low, high)
        return v / (1 + ratio**sharpness) ** (1 / sharpness)


class Clip(Part):
    """Soft limits of the output, volts below and above analog ground, and how sharp they are."""

    UNITS: ClassVar[dict[str, str]] = _CLIP
    BOUNDS: ClassVar[dict[str, Number]] = dict.fromkeys(_CLIP, Number(above=0))
    low: Fitted
    high: Fitted
    sharpness: Fitted

    def __call__(self, x: npt.ArrayLike) -> np.ndarray:
        return soft_clip(x, self.low.value, self.high.value, self.sharpness.value)


@checked
@dataclass(frozen=True, eq=False)
class IntegratorSamples(BlockSamples):
    """Outputs of integrators, one row a sample; SI units.

    Attributes
    ----------
    charge : ndarray (n,)
        Drawn out of the summing node over C_f: the ideal output above analog ground, volts.
    current : ndarray (n,)
        Of the pulse, A.
    time : ndarray (n,)
        Since the pulse's end, s.
    output : ndarray (n,)
        Above analog ground, V.
    offset : ndarray (m,)
        Input offsets of drawn op-amps, V; empty: none is drawn.
    """

    charge: Measured
    current: Measured
    time: Measured
    output: Measured
    offset: Measured


class IntegratorModel(BlockModel):
    """A charge integrator; see the module for its equation.

    Attributes
    ----------
    pedestal : Fitted
        Output of a nominal integrator without charge, V above analog ground (charge injection of the reset, offset).
    gain_error : Fitted
    offset : Distribution
        Of the op-amp's input offset, V, one draw an integrator, added to the pedestal.
    clip : Clip or None
    lag, tau : Fitted
        Ohm and s.
    droop, leak : Fitted
        V/s and 1/s.
    """

    SCHEMA: ClassVar[str] = "nladc-cosim/integrator-model"
    TITLE: ClassVar[str] = "integrator model"
    RANGES: ClassVar[tuple[str, ...]] = ("charge", "time")
    UNITS: ClassVar[dict[str, str]] = {"pedestal": "V", "gain_error": "", "lag": "ohm", "tau": "s", "droop": "V/s", "leak": "1/s"}

    pedestal: Fitted
    gain_error: Fitted
    clip: Clip | None = None
    lag: Fitted
    tau: Fitted
    droop: Fitted
    leak: Fitted
    left_out: dict[str, float] = Field(default_factory=dict)

    @classmethod
    def fit(cls, samples: IntegratorSamples, rng: np.random.Generator) -> IntegratorModel:
        """Fits to samples of several charges and times; ``rng`` deals the samples to the folds of the held-out checks.

        Raises
        ------
        InputError
            Shapes, values, or samples that do not determine a parameter.
        """
        s = samples
        arrays = [s.charge, s.current, s.time, s.output]
        if len({a.shape for a in arrays}) != 1 or arrays[0].ndim != 1 or len(arrays[0]) < 12:
            raise InputError(
                f"samples: charge, current, time, output have shapes {[a.shape for a in arrays]}; need 12 or more of each"
            )
        x, y = np.stack(arrays[:3]), arrays[3]
        late = x[2] >= SETTLED * (1 - 1e-9)
        held, held_out = x[:, late], y[late]
        # Whole pulses are left out: samples of one pulse at other times would give its output away.
        pulses = rng.permutation(np.unique(held[0]))
        left_out = {}
        for kind in ("linear", "clipped"):
            errors = []
            for fold in np.array_split(pulses, min(5, len(pulses))):
                out = np.isin(held[0], fold)
                try:
                    fit = _fit(kind, held[:, ~out], held_out[~out])
                except (InputError, ToolkitError):
                    errors.append(np.array([np.inf]))
                    break
                errors.append(_settled(kind, held[:, out], *(f.value for f in fit.values())) - held_out[out])
            left_out[kind] = float(np.sqrt(np.mean(np.concatenate(errors) ** 2)))
        left_out = {kind: e for kind, e in left_out.items() if np.isfinite(e)}
        if "linear" not in left_out and "clipped" not in left_out:
            raise InputError("samples: determine neither the linear nor the clipped integrator; take more charges and times")
        # A clip that does not predict better by a tenth, or mends what the simulator does not resolve, is none.
        linear = left_out.get("linear", np.inf)
        clipped = linear > RESOLUTION and left_out.get("clipped", np.inf) < 0.9 * linear
        kind = "clipped" if clipped else "linear"
        fit = _fit(kind, held, held_out)
        early = ~late & (x[1] != 0)
        lag = _fit_lag(x[:, early], y[early] - _settled(kind, x[:, early], *(f.value for f in fit.values())))
        clip = Clip(**{name: fit.pop(name) for name in _CLIP}) if clipped else None
        return cls.of_samples(s, s.offset, rng, clip=clip, left_out=left_out, **fit, **lag)

    def apply(
        self, charge: npt.ArrayLike, *, offset: npt.ArrayLike = 0.0, current: npt.ArrayLike = 0.0, time: npt.ArrayLike = 0.0
    ) -> np.ndarray:
        """Output above analog ground, volts.

        Parameters
        ----------
        charge : array_like
            Drawn out of the summing node over C_f, volts.
        offset : array_like
            Of the op-amps (`sample`), volts.
        current : array_like
            Of the pulse that ended ``time`` ago, A; 0: settled.
        time : array_like
            Seconds since the pulse's end.
        """
        u, t = np.asarray(charge, float), np.asarray(time, float)
        linear = (1 + self.gain_error.value) * u
        held = linear if self.clip is None else self.clip(linear)
        out = self.pedestal.value + np.asarray(offset, float) + held + t * (self.droop.value + self.leak.value * u)
        if self.tau.value > 0:
            out = out - self.lag.value * np.asarray(current, float) * np.exp(-t / self.tau.value)
        return np.asarray(out)

    def _parts(self) -> dict[str, Any]:
        clip = f"{self.clip.low}, {self.clip.high}, sharpness {self.clip.sharpness}" if self.clip else "none"
        return {
            "pedestal": self.pedestal,
            "gain error": self.gain_error,
            "offset": self.offset,
            "soft clip": f"{clip} (left-out error: {', '.join(f'{k} {v:.3g} V' for k, v in self.left_out.items())})",
            "settling": f"lag {self.lag}, tau {self.tau}",
            "droop": f"{self.droop}, leak {self.leak}",
        }


def _settled(kind: str, x: np.ndarray, *p: float) -> np.ndarray:
    """Settled output for x (3, n) = charge, current, time; p as named in `_UNITS`."""
    u, _, t = x
    held = (1 + p[1]) * u
    if kind == "clipped":
        held = soft_clip(held, p[2], p[3], p[4])
    return p[0] + held + t * (p[-2] + p[-1] * u)


def _fit(kind: str, x: np.ndarray, y: np.ndarray) -> dict[str, Fitted]:
    """Parameters of `_settled`, by name."""
    size = 1.2 * np.abs(x[0]).max()
    start = {"pedestal": 0.0, "gain_error": 0.0, "low": size, "high": size, "sharpness": 8.0, "droop": 1e3, "leak": 1e3}
    units = _UNITS[kind]
    return fitted(fit_curve(partial(_settled, kind), x, y, {n: start[n] for n in units}, positive=tuple(_CLIP)), units)


def _fit_lag(x: np.ndarray, late: np.ndarray) -> dict[str, Fitted]:
    """Lag and time constant of what the early samples are off the settled ones by, volts."""

    def model(x: np.ndarray, lag: float, tau: float) -> np.ndarray:
        return -lag * x[1] * np.exp(-x[2] / tau)

    return fitted(fit_curve(model, x, late, {"lag": 100.0, "tau": 2e-9}, positive=("tau",)), {"lag": "ohm", "tau": "s"})
