"""Memristor device profiles: conductance range and statistics, read from TOML data files with sources."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from html import escape
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import numpy as np

from netlists.check_rules import near
from netlists.checks import Items, NonNegative, Positive, Share, Siemens, check, checked, made_of
from netlists.errors import InputError
from netlists.files import read_toml, toml_of

from . import memristor

_FLOOR = 0.1
"""Smallest conductance an error may leave a cell with, as a part of ``g_hrs``: a cell never conducts backwards."""


@checked
@dataclass(frozen=True)
class DeviceProfile:
    """A memristor technology, SI units.

    Attributes
    ----------
    name : str
    g_min, g_max : float
        Programmable conductance range, siemens.
    g_hrs : float
        Conductance of the high-resistance (OFF) state, siemens; also what a stuck-at-OFF cell has.
    program_sigma : float
        Programming error, siemens: sigma of the Gaussian that write-verify truncates; with a
        ``program_law`` the standard deviation that is left after write-verify, mean over the law's targets.
    program_window : float
        Largest error that write-verify accepts, siemens; the Gaussian is truncated there.
    read_sigma : float
        Read noise, siemens.
    stuck_off_rate, stuck_on_rate : float
        Probability that a cell is stuck at ``g_hrs`` or at ``g_max``.
    stuck_rate : float
        Probability that a cell is stuck at one of ``stuck_values``.
    stuck_values : tuple of float
        Conductances of cells that were found stuck, siemens.
    iv_curvature : float
        b of ``I = G (V + b V^3)``, V^-2.
    read_sigma_shape : tuple of (conductance, factor)
        Read noise by state, as multiples of ``read_sigma`` at increasing conductances (siemens), linear between them;
        empty: ``read_sigma`` at every state.
    read_lasting : tuple of (conductance, lasting, telegraph, occupied)
        By state, the shares of the read noise's variance that last over many conversions: all of it, slow drift and telegraph
        noise, then telegraph noise alone; and the share of time that a telegraph cell spends in its upper state. Empty:
        each conversion draws all of it anew.
    read_times : tuple of (conductance, seconds)
        Correlation time of what lasts, by state; for the reader.
    fit_conductance : float
        Conductance that the polynomial fits below are normalised to, siemens.
    program_sigma_shape : tuple of float
        Programming sigma by state, as a multiple of ``program_sigma``: coefficients c_i of
        ``sum c_i (G / fit_conductance)^i``; empty: ``program_sigma`` at every state.
    program_law : tuple of (target, errors)
        Law of the error that write-verify leaves at each target (siemens), as multiples of ``program_sigma``: its quantiles at the
        probabilities of `netlists.technology.memristor.law_probabilities`. Empty: a Gaussian truncated at ``program_window``.
    program_resample : bool
        The errors of ``program_law`` are not quantiles but what was measured: each cell takes one of them.
    relaxation_times : tuple of float
        Seconds after programming at which the deviation from the target is known; empty: no data.
    relaxation_sigma_fit : tuple of tuples of float
        Total deviation at those times, siemens: a polynomial in ``G / fit_conductance`` each.
    relaxation_mean_fit : tuple of tuples of float
        Mean deviation at those times, as the total one; empty: it does not change.
    source : dict
        Where each figure comes from.
    """

    name: str
    g_min: Siemens
    g_max: Siemens
    g_hrs: Siemens
    program_sigma: Siemens
    program_window: Siemens
    read_sigma: Siemens
    stuck_off_rate: Share = 0.0
    stuck_on_rate: Share = 0.0
    stuck_rate: Share = 0.0
    stuck_values: tuple[Positive, ...] = ()
    iv_curvature: NonNegative = 0.0
    read_sigma_shape: tuple[tuple[Positive, NonNegative], ...] = ()
    read_lasting: tuple[tuple[Positive, Share, Share, Share], ...] = ()
    read_times: tuple[tuple[Positive, NonNegative], ...] = ()
    fit_conductance: Siemens = 0.0
    program_sigma_shape: tuple[float, ...] = ()
    program_law: tuple[tuple[Positive, Annotated[tuple[float, ...], Items(2)]], ...] = ()
    program_resample: bool = False
    relaxation_times: Annotated[tuple[Positive, ...], Items(increasing=True)] = ()
    relaxation_sigma_fit: tuple[Annotated[tuple[float, ...], Items(1)], ...] = ()
    relaxation_mean_fit: tuple[Annotated[tuple[float, ...], Items(1)], ...] = ()
    source: dict[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not 0 < self.g_hrs <= self.g_min < self.g_max:
            raise InputError(
                f"device profile {self.name}: g_hrs={self.g_hrs:g} g_min={self.g_min:g} g_max={self.g_max:g}: "
                "must satisfy 0 < g_hrs <= g_min < g_max (siemens)"
            )
        where = f"device profile {self.name}: "
        if self.program_sigma > 0 and self.program_window == 0 and not self.program_law:
            raise InputError(f"{where}program_window=0 with program_sigma > 0 leaves no error to draw")
        if self.stuck_off_rate + self.stuck_on_rate + self.stuck_rate > 1:
            raise InputError(f"{where}stuck_off_rate + stuck_on_rate + stuck_rate is above 1")
        if self.stuck_rate > 0 and not self.stuck_values:
            raise InputError(f"{where}stuck_rate={self.stuck_rate:g}: needs stuck_values, the conductances that cells are stuck at")
        for name in ("read_sigma_shape", "read_lasting", "read_times", "program_law"):
            check(Annotated[tuple[float, ...], Items(increasing=True)], [row[0] for row in getattr(self, name)], name)
        self._check_law(where)
        if bad := [row for row in self.read_lasting if row[2] > row[1] or not 0 < row[3] < 1]:
            raise InputError(
                f"{where}read_lasting {bad[0]}: the telegraph share must be within the lasting one, its occupation in 0..1"
            )
        times, fits = self.relaxation_times, self.relaxation_sigma_fit
        if len(times) != len(fits) or len(times) == 1:
            raise InputError(
                f"{where}relaxation_times has {len(times)} entries, relaxation_sigma_fit {len(fits)}: "
                "must be as many, at least two or none"
            )
        if len(self.relaxation_mean_fit) not in (0, len(times)):
            raise InputError(
                f"{where}relaxation_mean_fit has {len(self.relaxation_mean_fit)} entries, relaxation_times {len(times)}"
            )
        if (self.program_sigma_shape or fits) and self.fit_conductance < self.g_max:
            raise InputError(
                f"{where}fit_conductance={self.fit_conductance:g}: the fits must reach g_max = {self.g_max:g} S (siemens)"
            )

    def _check_law(self, where: str) -> None:
        if self.program_law and self.program_sigma_shape:
            raise InputError(f"{where}program_sigma_shape: has no meaning with a program_law, which has its own at each target")
        if self.program_resample and not self.program_law:
            raise InputError(f"{where}program_resample: needs a program_law, the errors that are drawn from")
        for target, errors in () if self.program_resample else self.program_law:
            if any(b < a for a, b in pairwise(errors)):
                raise InputError(
                    f"{where}program_law at {target:g} S: quantiles must not decrease; measured errors need program_resample"
                )

    def __repr__(self) -> str:
        sigma, noise = (f"{1e6 * value:.4g} uS" for value in (self.program_sigma, self.read_sigma))
        span = f"{1e6 * self.g_min:.4g}..{1e6 * self.g_max:.4g} uS"
        return f"<DeviceProfile {self.name}: {span}, programming sigma {sigma}, read noise {noise}>"

    def _repr_html_(self) -> str:
        """A table of the figures and their sources, for notebooks."""
        rows = [
            f"<tr><td>{f.name}</td><td>{escape(str(getattr(self, f.name)))}</td><td>{escape(self.source.get(f.name, ''))}</td></tr>"
            for f in fields(self)
            if f.name != "source"
        ]
        return f"<table><tr><th>field</th><th>value</th><th>source</th></tr>{''.join(rows)}</table>"

    def without_variation(self) -> DeviceProfile:
        """The same conductance range with perfect cells: no error, noise or stuck cell."""
        return replace(
            self,
            program_sigma=0.0,
            program_window=0.0,
            read_sigma=0.0,
            stuck_off_rate=0.0,
            stuck_on_rate=0.0,
            stuck_rate=0.0,
            relaxation_times=(),
            relaxation_sigma_fit=(),
            relaxation_mean_fit=(),
        )

    @cached_property
    def _law_moments(self) -> tuple[tuple[float, float, float], ...]:
        """Conductance, mean and standard deviation of each row of the law, in its units."""
        moments = (lambda e: (np.mean(e), np.std(e))) if self.program_resample else memristor.law_moments
        return tuple((g, float(moments(e)[0]), float(moments(e)[1])) for g, e in self.program_law)

    def program_sigma_at(self, target: np.ndarray) -> np.ndarray:
        """Programming sigma at each target (any shape, siemens): before truncation, or of the law."""
        if self.program_law:
            return self.program_sigma * memristor.interpolated(target, self._law_moments, 2)
        if self.program_sigma_shape:
            return self.program_sigma * memristor.polynomial_sigma(target, self.program_sigma_shape, self.fit_conductance)
        return np.full(np.shape(target), self.program_sigma)

    def program_mean_at(self, target: np.ndarray) -> np.ndarray:
        """Mean programming error at each target (any shape, siemens)."""
        if not self.program_law:
            return np.zeros(np.shape(target))
        return self.program_sigma * memristor.interpolated(target, self._law_moments)

    def read_sigma_at(self, conductance: np.ndarray) -> np.ndarray:
        """Read noise at each conductance (any shape, siemens), what lasts included."""
        if not self.read_sigma_shape:
            return np.full(np.shape(conductance), self.read_sigma)
        return self.read_sigma * memristor.interpolated(conductance, self.read_sigma_shape)

    def lasting_share_at(self, conductance: np.ndarray) -> np.ndarray:
        """Share of the read noise's variance that lasts over conversions, at each conductance (any shape, siemens)."""
        if not self.read_lasting:
            return np.zeros(np.shape(conductance))
        return memristor.interpolated(conductance, self.read_lasting)

    def fresh_sigma_at(self, conductance: np.ndarray) -> np.ndarray:
        """Read noise that each conversion draws anew, at each conductance (any shape, siemens)."""
        return self.read_sigma_at(conductance) * np.sqrt(1 - self.lasting_share_at(conductance))

    def lasting_noise(self, conductance: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Read noise that lasts over an evaluation (any shape, siemens): a telegraph level and a drift, two draws a cell.

        A telegraph cell is in its upper state for ``occupied`` of the time; its mean is 0, as the cell was verified in either.
        """
        g = np.asarray(conductance, float)
        u, normal = rng.uniform(size=g.shape), rng.standard_normal(g.shape)
        if not self.read_lasting or self.read_sigma == 0:
            return np.zeros(g.shape)
        lasting, telegraph, occupied = (memristor.interpolated(g, self.read_lasting, column) for column in (1, 2, 3))
        step = np.sqrt(telegraph / (occupied * (1 - occupied)))
        level = step * np.where(u < occupied, 1 - occupied, -occupied)
        return self.read_sigma_at(g) * (level + np.sqrt(np.maximum(lasting - telegraph, 0.0)) * normal)

    def programming_error(self, target: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Error that write-verify leaves (any shape, siemens): one uniform number a cell, whatever the law."""
        if not self.program_law:
            return memristor.truncated_gaussian(self.program_sigma_at(target), self.program_window, target.shape, rng)
        draw = memristor.resampled if self.program_resample else memristor.law_quantile
        return self.program_sigma * draw(rng.uniform(size=target.shape), target, self.program_law)

    def programmed(self, target: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Conductances after write-verify of ``target`` (any shape, siemens): one draw per cell.

        Sources of the models: truncated Gaussian around the target, and the measured errors that the default profile is fitted to,
        ReADC (doi 10.1038/s41467-025-65233-w).
        """
        target = np.asarray(target, float)
        # Drawn whatever the sigma, so that a sweep of sigma keeps the same underlying draws.
        error = self.programming_error(target, rng)
        return target.copy() if self.program_sigma == 0 else np.maximum(target + error, _FLOOR * self.g_hrs)

    def relaxed(self, conductance: np.ndarray, target: np.ndarray, time: float, rng: np.random.Generator) -> np.ndarray:
        """Conductances ``time`` seconds after programming (any shape, siemens): one draw per cell.

        Source and assumptions: `netlists.technology.memristor.relaxation_sigma`.

        Raises
        ------
        InputError
            If the profile has no relaxation data, or ``time`` is before the first of them.
        """
        if not self.relaxation_times:
            raise InputError(f"device profile {self.name}: has no relaxation data; give relaxation_times and relaxation_sigma_fit")
        times, fit = self.relaxation_times, self.fit_conductance
        change = memristor.relaxation_sigma(target, time, times, self.relaxation_sigma_fit, fit) * rng.standard_normal(
            np.shape(conductance)
        )
        if self.relaxation_mean_fit:
            change = change + memristor.relaxation_mean(target, time, times, self.relaxation_mean_fit, fit)
        return np.maximum(np.asarray(conductance, float) + change, _FLOOR * self.g_hrs)

    def beyond_relaxation(self, time: float | None) -> str | None:
        """A line about a time after the last at which the profile knows its cells; None within its data, or without any."""
        if time is None or not self.relaxation_times or time <= self.relaxation_times[-1]:
            return None
        last = self.relaxation_times[-1]
        return f"{self.name} was measured up to {last:g} s; what comes after goes on at its mean slope a decade, an assumption"

    def read(self, conductance: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Conductances as one conversion sees them, read noise included (any shape, siemens): one draw per cell."""
        noise = self.read_sigma_at(conductance) * rng.standard_normal(np.shape(conductance))
        return np.maximum(np.asarray(conductance, float) + noise, _FLOOR * self.g_hrs)

    def stuck(self, conductance: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Replaces stuck cells: OFF to ``g_hrs``, ON to ``g_max``, others to their own values (any shape, siemens)."""
        return memristor.stuck_at(
            conductance,
            off_rate=self.stuck_off_rate,
            on_rate=self.stuck_on_rate,
            g_off=self.g_hrs,
            g_on=self.g_max,
            rng=rng,
            rate=self.stuck_rate,
            values=self.stuck_values,
        )


def profile_names() -> list[str]:
    """Names of the built-in profiles."""
    folder = resources.files("netlists.technology") / "profiles"
    return sorted(p.name.removesuffix(".toml") for p in folder.iterdir() if p.name.endswith(".toml"))


def load_profile(name_or_path: str | Path) -> DeviceProfile:
    """Loads a built-in profile by name, or a TOML file by path.

    Raises
    ------
    InputError
        Unknown name, unreadable file, unknown or missing field, value out of range.

    Examples
    --------
    >>> load_profile("taox-100-400")
    <DeviceProfile taox-100-400: 100..400 uS, programming sigma 2.736 uS, read noise 0.1396 uS>
    """
    text = str(name_or_path)
    if text in profile_names():
        data = toml_of((resources.files("netlists.technology") / "profiles" / f"{text}.toml").read_text(), f"device profile {text}")
    elif text.endswith(".toml"):
        data = read_toml(text, "device profile")
    else:
        known = profile_names()
        raise InputError(f"profile={text!r}: unknown; built in are {', '.join(known)}, or give a .toml file{near(text, known)}")
    return made_of(DeviceProfile, data, f"device profile {text}")
