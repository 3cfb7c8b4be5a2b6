"""The compact model of a crossbar: from trained weights to what a drawn, wired and aged array multiplies by.

Cells hold G = target + programming error, relax with time and are read with noise (`netlists.technology.profile`); the array's
wires, drivers and sense resistors are in its exact transfer matrix (`netlists.array.solver`). Effective weights are

    W[i, j] = (T[2i, j] - T[2i+1, j]) / scale

with T the transfer matrix of the pairs of rows. A cell of I = G (V + b V**3) that is always read at the same voltage is a
resistor of G (1 + b V**2): PWM reads are, but for what the wires drop. That voltage is taken from the solution with all rows
driven, cell by cell; `exact_currents` solves the curved network instead.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from characterization.ramp_model import Fitted
from netlists.array import ArraySolver, Crossbar, weights_to_pairs
from netlists.checks import Count, check, checked
from netlists.errors import InputError
from netlists.technology import DeviceProfile

from .block_model import BlockSamples, Measured
from .compact_model import CompactModel, source
from .fitting import fit_curve, fit_likelihood, fitted

_ERRORS = {"program_sigma": "S", "read_sigma": "S", "iv_curvature": "1/V^2"}


@checked
@dataclass(frozen=True, eq=False)
class CrossbarSamples(BlockSamples):
    """Measured cells; SI units. Arrays of size 0 leave the profile's figure.

    Attributes
    ----------
    target, programmed : ndarray (n,)
        Conductance asked for and verified.
    reads : ndarray (m, r)
        Repeated reads of m cells.
    voltage, current : ndarray (p,)
        Of one cell; its curvature stands for all.
    """

    target: Measured
    programmed: Measured
    reads: Measured
    voltage: Measured
    current: Measured


@dataclass(frozen=True, eq=False)
class CrossbarChips:
    """Programmed arrays.

    Attributes
    ----------
    conductance : ndarray (chips, 2 R, C)
        Siemens; rows 2i and 2i + 1 hold the positive and negative cells of input i.
    target : ndarray (2 R, C)
    scale : float
        Siemens per unit of weight.
    """

    conductance: np.ndarray
    target: np.ndarray
    scale: float

    def __len__(self) -> int:
        return len(self.conductance)

    @property
    def column_conductance(self) -> np.ndarray:
        """Sum of each column's cells, shape (chips, C), siemens."""
        return self.conductance.sum(axis=1)


class CrossbarModel(CompactModel):
    """A crossbar technology and its array.

    Attributes
    ----------
    profile : DeviceProfile
        Conductance range and statistics of the cells; `fit` puts fitted values in place of the published ones.
    fitted : dict of Fitted
        Which of program_sigma, read_sigma (siemens) and iv_curvature (V^-2) were fitted.
    r_row, r_col, r_driver, r_sense : float
        As in `netlists.array.crossbar.Crossbar`, ohm.
    v_read : float
        Volts.
    w_max : float or None
        Weight that takes the whole conductance range; None: the largest.
    """

    SCHEMA: ClassVar[str] = "nladc-cosim/crossbar-model"
    TITLE: ClassVar[str] = "crossbar model"

    profile: DeviceProfile
    fitted: dict[str, Fitted] = Field(default_factory=dict)
    r_row: float = Field(default=1.0, ge=0)
    r_col: float = Field(default=1.0, ge=0)
    r_driver: float = Field(default=0.0, ge=0)
    r_sense: float = Field(default=0.0, ge=0)
    v_read: float = Field(default=0.2, gt=0)
    w_max: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _consistent(self) -> CrossbarModel:
        for name, value in self.fitted.items():
            if name not in _ERRORS:
                raise ValueError(f"fitted: {name!r} is unknown; allowed are {', '.join(_ERRORS)}")
            if not np.isclose(getattr(self.profile, name), value.value, rtol=1e-9, atol=0):
                raise ValueError(f"fitted: {name} is {value.value:g}, but the profile has {getattr(self.profile, name):g}")
        return self

    @classmethod
    def ideal(cls, profile: DeviceProfile, **settings: Any) -> CrossbarModel:
        """Perfect cells that obey Ohm's law on wires without resistance."""
        clean = replace(profile.without_variation(), iv_curvature=0.0)
        return cls(profile=clean, r_row=0.0, r_col=0.0, **settings)

    @classmethod
    def fit(cls, samples: CrossbarSamples, profile: DeviceProfile, **settings: Any) -> CrossbarModel:
        """Fits what the samples hold; ``settings`` are the fields of the array.

        Programming sigma by maximum likelihood of a Gaussian truncated at the profile's window, or as the scale of its law;
        read noise from the spread of
        repeated reads over the profile's dependence on the state; curvature from I / V = G (1 + b V**2).

        Raises
        ------
        InputError
            Samples that cannot be: shapes, errors beyond the programming window, a voltage of 0.
        """
        s = samples
        found: dict[str, Fitted] = {}
        if len(s.target):
            found["program_sigma"] = _program_sigma(s.programmed - s.target, s.target, profile)
        if len(s.reads):
            found["read_sigma"] = _read_sigma(s.reads, profile)
        if len(s.voltage):
            v, i = s.voltage, s.current
            if v.shape != i.shape or np.any(v == 0):
                raise InputError(f"voltage, current: have shapes {v.shape}, {i.shape}; must be alike, without a voltage of 0")
            start = {"conductance": float(np.mean(i / v)), "iv_curvature": 1.0}
            curve = fit_curve(lambda v, g, b: g * (1 + b * v**2), v, i / v, start)
            found |= fitted(curve, {"iv_curvature": "1/V^2"})
        values: dict[str, Any] = {name: f.value for name, f in found.items()}
        changed = replace(profile, **values)
        return cls(level=s.level, profile=changed, fitted=found, provenance=source(samples=s.about), **settings)

    def without_curvature(self) -> CrossbarModel:
        """The same array with cells that obey Ohm's law."""
        kept = {name: f for name, f in self.fitted.items() if name != "iv_curvature"}
        return self.model_copy(update={"profile": replace(self.profile, iv_curvature=0.0), "fitted": kept})

    def program(self, weights: npt.ArrayLike, rng: np.random.Generator, *, n_chips: int = 1) -> CrossbarChips:
        """Writes weights (R, C) into new chips: programming error and stuck cells; chip i does not depend on how many."""
        check(Count, n_chips, "n_chips")
        pairs = weights_to_pairs(weights, self.profile, layout="rows", w_max=self.w_max)
        drawn = [self.profile.stuck(self.profile.programmed(pairs.conductance, c), c) for c in rng.spawn(n_chips)]
        return CrossbarChips(np.array(drawn), pairs.conductance, pairs.scale)

    def relaxed(self, chips: CrossbarChips, time: float, rng: np.random.Generator) -> CrossbarChips:
        """The chips ``time`` seconds after programming; `InputError` where the profile has no such data."""
        aged = [
            self.profile.relaxed(g, chips.target, time, c) for g, c in zip(chips.conductance, rng.spawn(len(chips)), strict=True)
        ]
        return replace(chips, conductance=np.array(aged))

    def crossbar(self, conductance: np.ndarray, *, curvature: float = 0.0) -> Crossbar:
        """One array (2 R, C) with this model's wires."""
        return Crossbar(
            conductance, r_row=self.r_row, r_col=self.r_col, r_driver=self.r_driver, r_sense=self.r_sense, curvature=curvature
        )

    def effective_weights(self, chips: CrossbarChips, rng: np.random.Generator | None = None) -> np.ndarray:
        """What each chip multiplies by, shape (chips, R, C), in units of weight.

        Parameters
        ----------
        rng : numpy.random.Generator, optional
            Draws the read noise of one conversion, each chip from a stream of its own; without it there is none.
        """
        streams = [None] * len(chips) if rng is None else rng.spawn(len(chips))
        out = []
        for g, stream in zip(chips.conductance, streams, strict=True):
            seen = g if stream is None else self.profile.read(g, stream)
            transfer = self._transfer(seen)
            out.append((transfer[0::2] - transfer[1::2]) / chips.scale)
        return np.array(out)

    def _transfer(self, conductance: np.ndarray) -> np.ndarray:
        b = self.profile.iv_curvature
        wired = self.crossbar(conductance)
        bare = wired.row_end == wired.col_end == self.r_row == self.r_col == 0
        if b == 0:
            return conductance if bare else ArraySolver(wired).transfer
        if bare:
            return conductance * (1 + b * self.v_read**2)
        drive = self.v_read * np.where(np.arange(wired.rows) % 2 == 0, 1.0, -1.0)
        across = ArraySolver(wired).solve(drive).cell_voltage
        return ArraySolver(self.crossbar(conductance * (1 + b * across**2))).transfer

    def apply(self, inputs: npt.ArrayLike, weights: np.ndarray) -> np.ndarray:
        """Sums of inputs (n, R), or (chips, n, R), with effective weights (chips, R, C): shape (chips, n, C)."""
        u = np.asarray(inputs, float)
        if u.ndim not in (2, 3) or u.shape[-1] != weights.shape[-2] or (u.ndim == 3 and len(u) not in (1, len(weights))):
            raise InputError(
                f"inputs: have shape {u.shape}, must be (n, {weights.shape[-2]}) or ({len(weights)}, n, {weights.shape[-2]})"
            )
        if len(bad := np.argwhere(~np.isfinite(u))):
            raise InputError(f"inputs[{', '.join(map(str, bad[0]))}]={u[tuple(bad[0])]}: must be finite")
        return np.asarray(u @ weights)

    def exact_currents(self, conductance: np.ndarray, drive: npt.ArrayLike) -> np.ndarray:
        """Column currents of one array for row voltages (..., 2 R) by Newton's method, curvature and wires in full, A."""
        return ArraySolver(self.crossbar(conductance, curvature=self.profile.iv_curvature)).column_currents(drive)

    def _parts(self) -> dict[str, Any]:
        p = self.profile
        out: dict[str, Any] = {"profile": f"{p.name}, {p.g_min * 1e6:g}-{p.g_max * 1e6:g} uS"}
        for name, unit in _ERRORS.items():
            out[name] = self.fitted.get(name) or f"{getattr(p, name):.5g} {unit} (of the profile)"
        wires = f"{self.r_row:g}, {self.r_col:g} ohm a cell; drivers {self.r_driver:g}, sense {self.r_sense:g} ohm"
        return out | {"wires": wires}


def _program_sigma(error: np.ndarray, target: np.ndarray, profile: DeviceProfile) -> Fitted:
    """Sigma before truncation, of errors (n,), siemens."""
    from scipy.stats import truncnorm

    window, shape = profile.program_window, profile.program_sigma_at(target) / (profile.program_sigma or 1.0)
    if profile.program_sigma == 0:
        raise InputError(f"device profile {profile.name}: program_sigma=0: its dependence on the state is not known; give it")
    if profile.program_law:
        # Scale of a law: its second moment at each target, the standard error that of a mean of squares.
        second = (profile.program_mean_at(target) ** 2 + profile.program_sigma_at(target) ** 2) / profile.program_sigma**2
        squares = error**2 / second
        sigma = float(np.sqrt(np.mean(squares)))
        return Fitted.of(sigma, float(np.std(squares)) / np.sqrt(len(squares)) / (2 * sigma) if sigma else 0.0, "S")
    if len(bad := np.flatnonzero(~(np.abs(error) <= window * (1 + 1e-9)))):
        raise InputError(f"programmed[{bad[0]}]: is {error[bad[0]]:g} S off its target, beyond the window of {window:g} S")
    start = float(np.std(error)) or window / 10

    def negative(p: np.ndarray) -> float:
        sigma = start * np.exp(p[0]) * shape
        return -float(np.sum(truncnorm.logpdf(np.clip(error, -window, window), -window / sigma, window / sigma, 0, sigma)))

    fit = fit_likelihood(negative, [0.0], ("program_sigma",))
    sigma = start * float(np.exp(fit.values[0]))
    return Fitted.of(sigma, sigma * fit.stderr[0], "S")


def _read_sigma(reads: np.ndarray, profile: DeviceProfile) -> Fitted:
    """Read noise from repeated reads (m, r), siemens; its error that of a standard deviation of m (r - 1) degrees of freedom."""
    if reads.ndim != 2 or reads.shape[1] < 2:
        raise InputError(f"reads: have shape {reads.shape}; must be (cells, 2 or more)")
    if profile.read_sigma == 0:
        raise InputError(f"device profile {profile.name}: read_sigma=0: its dependence on the state is not known; give it")
    mean = reads.mean(axis=1, keepdims=True)
    shape = profile.read_sigma_at(mean) / profile.read_sigma
    dof = reads.shape[0] * (reads.shape[1] - 1)
    sigma = float(np.sqrt(np.sum(((reads - mean) / shape) ** 2) / dof))
    return Fitted.of(sigma, sigma / np.sqrt(2 * dof), "S")
