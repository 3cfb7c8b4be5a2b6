"""A comparator's delay against its overdrive: three laws, one chosen by leaving points out, and its inverse.

With overdrive v beyond the trip point, all starting from the other side's limit:

``limited``      t = t0 + tau ln(1 + 1 / tanh(v / v0))   one pole behind a soft limiter: `comparator_macro` exactly
``logarithmic``  t = t0 + tau ln(1 + v0 / v)             exponential growth from a small start; the law of a regenerating latch
``power``        t = t0 + tau (v0 / v)**n                a chain of stages that slew; v0 is fixed at 10 mV
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from characterization.ramp_model import Fitted
from netlists.checks import Choice, check
from netlists.errors import InputError, ToolkitError

from .compact_model import Part
from .fitting import fit_curve, fitted

LAWS = ("limited", "logarithmic", "power")
V_REFERENCE = 10e-3
_NAMES = {"limited": ("t0", "tau", "v0"), "logarithmic": ("t0", "tau", "v0"), "power": ("t0", "tau", "n")}
_UNITS = {"t0": "s", "tau": "s", "v0": "V", "n": ""}


def _shape(law: str, v: Any, third: float) -> Any:
    """Delay over tau, without t0."""
    if law == "limited":
        return np.log1p(1 / np.tanh(v / third))
    if law == "logarithmic":
        return np.log1p(third / v)
    return (V_REFERENCE / v) ** third


def _fit(law: str, v: np.ndarray, t: np.ndarray) -> list[Fitted]:
    """Values t0, tau and v0 or n; relative errors, as delays span decades."""
    slope = float(np.ptp(t)) / float(np.ptp(np.log(v)))
    start = (0.5 * float(t.min()), slope, 0.4 if law == "power" else v.max())
    names = _NAMES[law]

    def model(x: np.ndarray, t0: float, tau: float, third: float) -> np.ndarray:
        return t0 + tau * _shape(law, x, third)

    fit = fit_curve(model, v, t, dict(zip(names, start, strict=True)), sigma=t, positive=names[1:])
    return list(fitted(fit, {n: _UNITS[n] for n in names}).values())


def _left_out(law: str, v: np.ndarray, t: np.ndarray) -> float:
    """Root mean square of the relative error of each inner point's delay, fitted without it."""
    errors = []
    for k in range(1, len(v) - 1):
        try:
            t0, tau, third = _fit(law, np.delete(v, k), np.delete(t, k))
        except (InputError, ToolkitError):
            return np.inf
        # A power near 0 with a negative t0 is a logarithm in disguise, which ends in nonsense outside the data.
        if t0.value < -2 * t0.stderr:
            return np.inf
        errors.append((t0.value + tau.value * _shape(law, v[k], third.value)) / t[k] - 1)
    return float(np.sqrt(np.mean(np.square(errors))))


class DelayLaw(Part):
    """A fitted delay law.

    Attributes
    ----------
    law : {"none", "limited", "logarithmic", "power"}
        ``none``: decides at once.
    t0, tau : Fitted
        Seconds.
    third : Fitted or None
        v0 (volts), or the exponent n of ``power``.
    left_out : dict
        Relative error (rms) of points left out of the fit, by law.
    """

    law: Annotated[str, Choice(("none", *LAWS))] = "none"
    t0: Fitted = Fitted.given(0.0, "s")
    tau: Fitted = Fitted.given(0.0, "s")
    third: Fitted | None = None
    left_out: dict[str, float] = Field(default_factory=dict)
    UNITS: ClassVar[dict[str, str]] = {"t0": "s", "tau": "s"}

    @model_validator(mode="after")
    def _consistent(self) -> DelayLaw:
        if self.law != "none":
            if self.third is None or self.third.value <= 0 or self.third.unit != _UNITS[_NAMES[self.law][2]]:
                raise ValueError(f"third: the {self.law} law needs {_NAMES[self.law][2]} above 0, in its unit")
            if self.tau.value <= 0:
                raise ValueError(f"tau: {self.tau.value:g} s, must be above 0")
        return self

    @classmethod
    def fit(cls, overdrive: npt.ArrayLike, delay: npt.ArrayLike, law: str | None = None) -> DelayLaw:
        """Fits a delay table, by the law that predicts left-out points best unless one is named.

        Parameters
        ----------
        overdrive, delay : array_like (n,)
            Volts beyond the trip point and seconds, above 0; 5 or more.

        Raises
        ------
        InputError
            Shapes or values; no law fits.
        """
        v, t = np.asarray(overdrive, float), np.asarray(delay, float)
        if v.ndim != 1 or v.shape != t.shape or len(v) < 5:
            raise InputError(f"delay table: has shapes {v.shape}, {t.shape}; needs 5 or more overdrives with a delay each")
        if not (np.all(np.isfinite(v) & (v > 0)) and np.all(np.isfinite(t) & (t > 0))):
            raise InputError("delay table: overdrives and delays must be finite and above 0")
        check(Annotated[str, Choice(LAWS)] | None, law, "law")
        order = np.argsort(v)
        v, t = v[order], t[order]
        errors = {name: _left_out(name, v, t) for name in LAWS}
        errors = {name: e for name, e in errors.items() if np.isfinite(e)}
        if not errors:
            raise InputError("delay table: no law fits it; look for delays that do not fall with the overdrive")
        chosen = law or min(errors, key=errors.__getitem__)
        t0, tau, third = _fit(chosen, v, t)
        return cls(law=chosen, t0=t0, tau=tau, third=third, left_out=errors)

    def delay(self, overdrive: npt.ArrayLike) -> np.ndarray:
        """Seconds until a decision at overdrives (any shape, volts); infinite at 0 and below."""
        v = np.asarray(overdrive, float)
        if self.law == "none":
            return np.where(v > 0, 0.0, np.inf)
        assert self.third is not None
        with np.errstate(divide="ignore"):
            t = self.t0.value + self.tau.value * _shape(self.law, np.maximum(v, 1e-300), self.third.value)
        return np.where(v > 0, t, np.inf)

    def reach(self, time: npt.ArrayLike, before: npt.ArrayLike = np.inf) -> np.ndarray:
        """Least overdrive that is decided within ``time``, volts: inputs nearer to a step than that trip a step late.

        Parameters
        ----------
        time : array_like
            Seconds; infinite reach where no overdrive is fast enough.
        before : array_like
            How far on the other side the comparator rested, volts. Only ``limited`` uses it, exactly; the other laws take the
            output to have been at its limit, which errs on the late side.
        """
        t = np.asarray(time, float)
        if self.law == "none":
            return np.zeros(np.broadcast_shapes(t.shape, np.shape(before)))
        assert self.third is not None
        third = self.third.value
        u = (t - self.t0.value) / self.tau.value
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            if self.law == "power":
                out = np.where(u > 0, V_REFERENCE * np.maximum(u, 0) ** (-1 / third), np.inf)
            elif self.law == "logarithmic":
                out = np.where(u > 0, third / np.expm1(np.maximum(u, 0)), np.inf)
            else:
                level = np.tanh(np.asarray(before, float) / third) / np.expm1(np.maximum(u, 0))
                out = np.where((u > 0) & (level < 1), third * np.arctanh(np.minimum(level, 1)), np.inf)
        return np.broadcast_to(out, np.broadcast_shapes(t.shape, np.shape(before)))

    def __str__(self) -> str:
        if self.law == "none":
            return "none"
        others = ", ".join(f"{name} {100 * e:.2f} %" for name, e in self.left_out.items())
        return f"{self.law}, t0 {self.t0}, tau {self.tau}, {_NAMES[self.law][2]} {self.third} (left-out error: {others})"
