"""Memristor device profiles: conductance range and statistics, read from TOML data files with sources."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, field, fields
from importlib import resources
from pathlib import Path

import numpy as np
from scipy.stats import truncnorm

from .errors import InputError


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
    program_sigma, program_window : float
        Programming error: Gaussian sigma, truncated at +-window by write-verify, siemens.
    read_sigma : float
        Read noise, one draw a cell and conversion, siemens.
    stuck_off_rate, stuck_on_rate : float
        Probability that a cell is stuck at ``g_hrs`` or at ``g_max``.
    source : dict
        Where each figure comes from.
    """

    name: str
    g_min: float
    g_max: float
    g_hrs: float
    program_sigma: float
    program_window: float
    read_sigma: float
    stuck_off_rate: float = 0.0
    stuck_on_rate: float = 0.0
    source: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for f in fields(self):
            if f.name in ("name", "source"):
                continue
            value = getattr(self, f.name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
                raise InputError(f"device profile {self.name}: {f.name}={value}: must be a finite number, 0 or more")
        if not 0 < self.g_hrs <= self.g_min < self.g_max:
            raise InputError(
                f"device profile {self.name}: g_hrs={self.g_hrs:g} g_min={self.g_min:g} g_max={self.g_max:g}: "
                "must satisfy 0 < g_hrs <= g_min < g_max (siemens)"
            )
        if self.program_sigma > 0 and self.program_window == 0:
            raise InputError(f"device profile {self.name}: program_window=0 with program_sigma > 0 leaves no error to draw")
        if self.stuck_off_rate + self.stuck_on_rate > 1:
            raise InputError(f"device profile {self.name}: stuck_off_rate + stuck_on_rate is above 1")

    def programmed(self, target: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Conductances after write-verify of ``target`` (any shape, siemens): one draw per cell.

        Source of the model: truncated Gaussian around the target, ReADC (doi 10.1038/s41467-025-65233-w).
        """
        target = np.asarray(target, float)
        # One uniform per cell whatever the sigma, so that a sweep of sigma keeps the same underlying draws.
        u = rng.uniform(size=target.shape)
        if self.program_sigma == 0:
            return target.copy()
        limit = self.program_window / self.program_sigma
        error = self.program_sigma * truncnorm.ppf(u, -limit, limit)
        return np.maximum(target + error, 0.1 * self.g_hrs)

    def stuck(self, conductance: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Replace stuck cells: OFF to ``g_hrs``, ON to ``g_max`` (any shape, siemens)."""
        u = rng.uniform(size=np.shape(conductance))
        out = np.where(u < self.stuck_off_rate, self.g_hrs, conductance)
        return np.where(u > 1.0 - self.stuck_on_rate, self.g_max, out)


def profile_names() -> list[str]:
    """Names of the built-in profiles."""
    folder = resources.files("netlists") / "profiles"
    return sorted(p.name.removesuffix(".toml") for p in folder.iterdir() if p.name.endswith(".toml"))


def load_profile(name_or_path: str | Path) -> DeviceProfile:
    """Load a built-in profile by name, or a TOML file by path.

    Raises
    ------
    InputError
        Unknown name, unreadable file, unknown or missing field, value out of range.
    """
    text = str(name_or_path)
    if text in profile_names():
        raw = (resources.files("netlists") / "profiles" / f"{text}.toml").read_text()
    elif text.endswith(".toml"):
        try:
            raw = Path(text).read_text()
        except OSError as e:
            raise InputError(f"device profile {text}: cannot be read ({e.strerror})") from None
    else:
        raise InputError(f"profile={text!r}: unknown; built in are {', '.join(profile_names())}, or give a .toml file")
    try:
        data = tomllib.loads(raw)
    except tomllib.TOMLDecodeError as e:
        raise InputError(f"device profile {text}: not valid TOML: {e}") from None
    known = {f.name for f in fields(DeviceProfile)}
    if extra := sorted(set(data) - known):
        raise InputError(f"device profile {text}: unknown field {extra[0]!r}; allowed are {', '.join(sorted(known))}")
    try:
        return DeviceProfile(**data)
    except TypeError as e:
        raise InputError(f"device profile {text}: {str(e).split('__init__() ')[-1]}") from None
